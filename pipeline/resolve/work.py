"""Where a run of resolve stands: the cases it holds, the look-ups under way, the questions and their slots.

Reads and writes: budgets, within the caller's transaction; questions go to three edges.  Safe to repeat: a question is
handed over after its slot was committed, and one that was lost with the process is asked again by whoever takes up its
case.  A question that several look-ups wait for is asked once.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Any

from pipeline.domain import (
    Address,
    Answer,
    Clock,
    NameQuestion,
    NameReply,
    NetworkAnswer,
    Progress,
    RdapQuestion,
    RdapReply,
    WhoisQuestion,
    WhoisReply,
    Wire,
)
from pipeline.resolve import asking, talk
from pipeline.resolve.asking import Cell
from pipeline.resolve.rules import Rules
from pipeline.resolve.talk import Asked, Heard, Pursuit
from pipeline.store import budgets
from pipeline.store import resolve as store
from pipeline.store.budgets import Limit, Reservation
from pipeline.store.db import Connection, Database
from pipeline.store.resolve import DueCase

AHEAD = timedelta(milliseconds=250)  # before its slot a question may be handed over: it cannot be called back
UNIT = 2_000  # cases claimed at once, rounded up to whole blocks
MOST_AT_HOST = 200  # questions under way to one server without a limit
PACED_AT_HOST = 8  # ... with one, and no more than its edge lets leave at once: a slot that waits for a turn passes
SILENCE = timedelta(seconds=1)  # what was asked meanwhile is then read at once: as long again is nothing else asked
MOST_UNDER_WAY = 500  # questions; an edge holds more
MOST_REMEMBERED = 20_000  # answers that serve more than one look-up of a run


@dataclass(frozen=True, slots=True)
class ResolveSettings:
    """What this stage needs of the settings.  Rates are questions a second by host or DNS zone; 0: no limit.

    `rdap_turns` and `whois_turns`: how many questions the edge lets be under way to one server.
    """

    rate: float
    rates: Mapping[str, float]
    per_day: Mapping[str, int]
    keep: timedelta
    keep_negative: timedelta
    whois_rate: float
    names_rate: float = 0.0
    allow_documentation: bool = False
    rdap_turns: int = PACED_AT_HOST
    whois_turns: int = 4


@dataclass(frozen=True, slots=True)
class Resolving:
    """What one run is given.  `worth`: may a case still reach its campaign's minimum level?"""

    db: Database
    rdap: Wire[RdapQuestion, RdapReply]
    whois: Wire[WhoisQuestion, WhoisReply]
    names: Wire[NameQuestion, NameReply]
    rules: Rules
    settings: ResolveSettings
    worth: Callable[[Sequence[DueCase]], set[int]]
    worker_id: int
    clock: Clock
    progress: Progress
    unit: int = UNIT

    def __post_init__(self) -> None:
        if asking.widest(self.rules.caps, 4) < 16 or asking.widest(self.rules.caps, 6) < 32:
            raise ValueError(
                "an answer that speaks for more than a /16 (v6 /32) would reach into another worker's block"
            )


@dataclass(eq=False, slots=True)
class LookUp:
    """One address of a cell that is being looked up.  `dropped`: another answer has settled it meanwhile."""

    cell: Cell
    address: Address
    pursuit: Pursuit
    paused_until: datetime | None = None
    dropped: bool = False


@dataclass(eq=False, slots=True)
class Pending:
    """A question that is to be asked or under way, and the look-ups that wait for its answer."""

    asked: Asked
    budget: str
    waiting: list[LookUp]


@dataclass(slots=True)
class Work:
    """Where a run stands: the cases it holds, the addresses that nothing known answers for yet, the questions."""

    blocks: deque[Address] = field(default_factory=deque)  # due and not yet claimed, those of the most cases first
    lease: dict[int, int] = field(default_factory=dict)  # case -> claim number
    cases: dict[Address, list[int]] = field(default_factory=lambda: defaultdict(list))  # by the address to look up
    cells: dict[Cell, list[Address]] = field(
        default_factory=lambda: defaultdict(list)
    )  # sorted; the first is looked up
    dumped: dict[Address, tuple[NetworkAnswer, Answer]] = field(default_factory=dict)  # what dumps say, not yet used
    under_look: dict[Cell, LookUp] = field(default_factory=dict)
    fresh: deque[tuple[LookUp, Asked]] = field(default_factory=deque)  # questions that may have been answered before
    pending: dict[str, Pending] = field(default_factory=dict)  # by the question's text
    queues: dict[str, list[tuple[int, int, Pending]]] = field(default_factory=dict)  # budget -> heap, most cases first
    not_before: dict[str, datetime] = field(default_factory=dict)  # by budget: no slot is free earlier
    under_way: dict[int, Pending] = field(default_factory=dict)
    at_host: Counter[str] = field(default_factory=Counter)
    heard_at: dict[str, datetime] = field(default_factory=dict)  # by budget: the last answer, or the first question
    words: object = None  # which of people's words on contacts this run goes by
    overtaken: set[Address] = field(default_factory=set)  # by these words, while looked up: once more, then
    remembered: dict[str, Heard] = field(default_factory=dict)  # by the question's text
    failed: dict[str, tuple[Heard, datetime]] = field(default_factory=dict)  # ... and until when nobody asks it
    asked: int = 0
    queued: int = 0
    done: int = 0
    wait: datetime | None = None
    why: str = ""

    @property
    def is_idle(self) -> bool:
        return not (self.fresh or self.queues or self.under_way)


def queue(run: Resolving, work: Work, look_up: LookUp, asked: Asked) -> None:
    """Let a look-up wait for the answer to a question, which is asked once for all that wait for it."""
    text = talk.source(asked)
    if (pending := work.pending.get(text)) is not None:
        pending.waiting.append(look_up)
        return
    pending = work.pending[text] = Pending(asked, talk.budget(asked, run.rules.zones), [look_up])
    work.queued += 1
    weight = len(work.cells.get(look_up.cell, ()))
    heappush(work.queues.setdefault(pending.budget, []), (-weight, work.queued, pending))


def forget_dropped(work: Work) -> None:
    """Take the questions that nobody waits for any longer out of the queues."""
    for budget, queued in list(work.queues.items()):
        wanted = [entry for entry in queued if any(not each.dropped for each in entry[2].waiting)]
        for entry in queued if len(wanted) < len(queued) else ():
            if all(each.dropped for each in entry[2].waiting):
                work.pending.pop(talk.source(entry[2].asked), None)
        if not wanted:
            del work.queues[budget]
        elif len(wanted) < len(queued):
            heapify(wanted)
            work.queues[budget] = wanted


def remember(work: Work, asked: Asked, heard: Heard) -> None:
    """Keep an answer that other look-ups of this run may need: of the DNS, of an AS, of a network above."""
    _make_room(work.remembered)
    work.remembered[talk.source(asked)] = heard


def remember_failure(work: Work, asked: Asked, answer: Answer, until: datetime) -> None:
    """Spare the other look-ups of this run a question that failed: asked by each, it would cost its server thousands."""
    _make_room(work.failed)
    work.failed[talk.source(asked)] = Heard(answer, is_old=True), until


def remembered(work: Work, asked: Asked, now: datetime) -> Heard | None:
    """Return what this run has heard before to a question, or None if it is to be asked."""
    text = talk.source(asked)
    heard, until = work.failed.get(text, (None, now))
    if heard is not None and until <= now:
        del work.failed[text]
    return work.remembered.get(text) or (heard if until > now else None)


def _make_room(kept: dict[str, Any]) -> None:
    if len(kept) >= MOST_REMEMBERED:
        del kept[next(iter(kept))]


def _limit(run: Resolving, key: str) -> Limit:
    kind, _, host = key.partition(":")
    if kind == "rdap":
        return Limit(key, run.settings.rates.get(host, run.settings.rate), run.settings.per_day.get(host, 0))
    if kind == "whois":
        return Limit(key, run.settings.whois_rate, run.settings.per_day.get(host, 0))
    return Limit(key, run.settings.names_rate if host in run.rules.zones else 0.0)


def _turns(run: Resolving, key: str, per_second: float) -> int:
    """Return how many questions may be under way to a server that has a pace.

    A server that stands still for a while reads all of them in the second in which it goes on.  So there are no more than
    two workers may have without exceeding its limit by more than two; one that answers in half a second gets them all.
    """
    edge = {"rdap": run.settings.rdap_turns, "whois": run.settings.whois_turns}
    return min(edge.get(key.partition(":")[0], PACED_AT_HOST), PACED_AT_HOST, int(per_second / 2) + 1)


def room(run: Resolving, work: Work, key: str, now: datetime) -> int:
    """Return how many questions of a budget may be handed over, if it has slots for them."""
    if work.not_before.get(key, now) > now:
        return 0
    rate = _limit(run, key).per_second
    most = _turns(run, key, rate) if rate else MOST_AT_HOST
    free = min(most - work.at_host[key], MOST_UNDER_WAY - len(work.under_way))
    return max(min(free, len(work.queues[key])), 0)


def reserve(connection: Connection, run: Resolving, work: Work, now: datetime) -> Iterator[tuple[Pending, datetime]]:
    """Yield the questions that have a slot, each with its time, and note when the other budgets have one."""
    limits = [_limit(run, key) for key in work.queues if room(run, work, key, now)]
    paused = store.paused(connection, [limit.key for limit in limits if not limit.per_second], now)
    work.not_before |= paused
    under_way = len(work.under_way)
    for limit in limits:
        count = min(room(run, work, limit.key, now), MOST_UNDER_WAY - under_way)
        reservation = budgets.reserve(connection, [limit], count, now, AHEAD) if count > 0 else Reservation(())
        if reservation.wait is not None:
            work.not_before[limit.key] = reservation.wait
        under_way += len(reservation.slots)
        for slot in reservation.slots:
            yield heappop(work.queues[limit.key])[2], slot
        if not work.queues[limit.key]:
            del work.queues[limit.key]


def was_heard(run: Resolving, work: Work, pending: Pending) -> datetime | None:
    """Note that a question is no longer under way; returns until when its server is left alone, if it stood still."""
    now, key = run.clock(), pending.budget
    stood_still = now - work.heard_at[key] >= SILENCE and work.at_host[key] > 1
    work.at_host[key] -= 1
    work.heard_at[key] = now
    return now + SILENCE if stood_still and _limit(run, key).per_second else None


def hand_over(run: Resolving, work: Work, pending: Pending, delay: float) -> None:
    work.asked += 1
    if not work.at_host[pending.budget]:
        work.heard_at[pending.budget] = run.clock() + timedelta(seconds=delay)
    work.at_host[pending.budget] += 1
    work.under_way[work.asked] = pending
    rate = _limit(run, pending.budget).per_second
    apart = 1 / rate if rate else 0.0
    match pending.asked:
        case RdapQuestion() as asked:
            run.rdap.ask(replace(asked, key=work.asked, delay=delay, apart=apart))
        case WhoisQuestion() as asked:
            run.whois.ask(replace(asked, key=work.asked, delay=delay, apart=apart))
        case NameQuestion() as asked:
            run.names.ask(replace(asked, key=work.asked, delay=delay))
