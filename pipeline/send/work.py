"""What one run of sending is given, and where it stands: the letters under way, the tally, what the relay said of us.

What is under way is bounded by `MOST_FOR_EACH` letters for each connection: one whose dot waits for its reply, and behind
it one that is on its way to the relay.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from pipeline.domain import Clock, Connected, Go, Progress, Ready, Result, Send, Stop, TocsinError, Wire
from pipeline.send.brakes import BrakeSettings
from pipeline.send.canary import CanarySettings
from pipeline.send.dkim import DkimKeys, Unsigned, sign_lot, signed
from pipeline.send.pace import NO_LIMIT, Pace
from pipeline.send.relays import Relay, Spread
from pipeline.send.spacing import Spacing
from pipeline.send.turns import Pacing
from pipeline.send.watch import Watch
from pipeline.send.windows import ALWAYS, WindowRules
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys
from pipeline.store.seals import newest_head

BY = "tocsin"
MOST_FOR_EACH = 2  # letters under way for each connection


@dataclass(frozen=True, slots=True)
class SendSettings:
    """What this stage needs of the settings.  `sender` is the mailbox that envelope senders are made from."""

    sender: str
    relay: str
    connections: int
    rate: float
    per_day: int
    per_domain_rate: float
    fresh_for: timedelta
    guests: tuple[str, ...]
    window: WindowRules = ALWAYS
    pace: Pace = NO_LIMIT  # all other limits
    brakes: BrakeSettings | None = None  # nothing holds a campaign by itself
    canary: CanarySettings | None = None  # nobody looks at a wave's first letters
    relays: tuple[Relay, ...] = ()  # where there are several; `connections` are those of all, `relay` is the first

    @property
    def over(self) -> tuple[Relay, ...]:
        """The relays, be they one or several."""
        return self.relays or (Relay(self.relay, connections=self.connections),)

    @property
    def paces(self) -> Pace:
        """All limits, with the plain ones of everything and of a domain."""
        every = replace(self.pace.every, per_second=self.rate, per_day=self.per_day)
        return replace(self.pace, every=every, domain=replace(self.pace.domain, per_second=self.per_domain_rate))


class Elsewhere(Protocol):
    """Where signatures are made while this process does other things.  `lost`: it is gone; no more letters are claimed."""

    @property
    def lost(self) -> TocsinError | None: ...

    def begin(self, lot: Sequence[tuple[bytes, ...]]) -> Callable[[], list[tuple[bytes, ...]]]:
        """Take the digests of each letter, one for each key; what comes back waits for the signatures.  Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """The keys that sign letters, and what makes the hash of a body (32 bytes) where none was kept when it was written."""

    keys: DkimKeys
    body_hash: Callable[[bytes], bytes]
    elsewhere: Elsewhere | None = None

    def sign_all(self, lot: Sequence[Unsigned]) -> Callable[[], list[bytes]]:
        """Begin to sign a lot of letters; what comes back gives the lines of each, in order, when it is called."""
        digests = [letter.digests for letter in lot]
        if self.elsewhere is None:
            return lambda: list(map(signed, lot, sign_lot(self.keys, digests)))
        made = self.elsewhere.begin(digests)
        return lambda: list(map(signed, lot, made()))


@dataclass(slots=True)
class UnderWay:
    """A letter in the edge: the claim under which it is there, the slot of its dot, whether the relay waits for it.

    `taken`: the slot is its own, and not only the one to be expected; `gone`: its dot is committed.
    """

    claim: int
    slot: datetime
    taken: bool = True
    gone: bool = False
    attempt_id: int = 0
    asked: bool = False  # and no word of ours has followed
    relay: str = ""  # which of several


@dataclass(slots=True)
class Sending:
    """One run: what it was given, and what is under way."""

    db: Database
    wire: Wire[Send | Go | Stop, Ready | Result]
    settings: SendSettings
    keys: Keys
    worker_id: int
    clock: Clock
    progress: Progress
    approved: Callable[[Connection, dict[str, Any]], str]
    rewrite: Callable[[Connection, int], bytes]
    signing: Signing | None = None  # letters leave without a signature
    newest_seal: Callable[[Connection], str] = newest_head  # hexadecimal; empty as long as nothing is sealed
    unbroken: Callable[[], AbstractContextManager[None]] = nullcontext  # a round that a stop does not tear apart
    waiting: Callable[[str, datetime | None], None] = lambda _why, _until: None  # told each round: why, and until when
    under_way: dict[int, UnderWay] = field(default_factory=dict)
    spacing: Spacing = field(default_factory=Spacing)
    pacing: Pacing = field(default_factory=Pacing)
    dots_at: datetime | None = None  # when the next dot may be committed of those that the relay waits for
    tally: Counter[str] = field(default_factory=Counter)
    refusals_of_us: int = 0
    last_words: str = ""
    watch: Watch = field(default_factory=Watch)
    connections: dict[Connected, int] = field(default_factory=dict)  # those that are written, by their ids
    total: int = 0
    monotonic: Callable[[], float] = time.monotonic
    began: float = 0.0  # the round, by `monotonic`

    spread: Spread | None = None  # over several relays

    def __post_init__(self) -> None:
        if len(self.settings.relays) > 1:
            self.spread = Spread(self.settings.relays)
        self.spacing.apart = max(limit.interval for limit in self.shared)

    @property
    def shared(self) -> list[Limit]:
        """The paces that every letter must keep: that of the relay is among them where there is one alone."""
        paces = self.settings.paces
        wide = [paces.every.limit("mail:all")]
        if self.spread is None:
            wide.insert(0, paces.relay.limit(f"mail:relay:{self.settings.relay}"))
        return [replace(limit, per_day=0) for limit in wide]

    @property
    def over_each(self) -> Counter[str]:
        """How many letters are under way over each of several relays."""
        return Counter(letter.relay for letter in self.under_way.values())

    @property
    def without_slot(self) -> int:
        """How many letters under way are to take their slots yet."""
        return sum(not (letter.taken or letter.gone) for letter in self.under_way.values())

    @property
    def room(self) -> int:
        """How many letters may be claimed now.

        One for each connection or none, as long as any is under way: a claim costs little more for many than for one.  No
        connection is idle for it: until then each may have a letter in hand.
        """
        if self.spread is not None:
            return self.spread.room(self.over_each, self.clock())
        room = MOST_FOR_EACH * self.settings.connections - len(self.under_way)
        return room if room >= self.settings.connections or not self.under_way else 0
