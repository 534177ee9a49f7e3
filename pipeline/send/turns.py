"""Whose turn it is: which of the letters that are due have a slot in every limit they must keep, and when the others do.

Reads: budgets, letters that left, what is known of recipients' domains.  Writes, within the caller's transaction: slots
taken, letters put back until a limit of their own has one.  A letter takes all its slots or none; a quick pace that all
share is only looked at: its slot is taken with the dot (dots.py).  Safe to repeat: what is not committed was not taken, and
what this run remembers only spares work.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from pipeline.send import pace, warmup
from pipeline.send.mail_servers import TAKES_NONE, MailServers
from pipeline.send.pace import BOX, WAITS, Pace
from pipeline.send.relays import Spread
from pipeline.send.replies import FIRST_WAIT, Scope
from pipeline.store import budgets, mail_domains, turns
from pipeline.store import send as store
from pipeline.store.budgets import Ledger, Limit, Reservation
from pipeline.store.db import Connection
from pipeline.store.mail_domains import MailDomain, domain_of

AHEAD = timedelta(seconds=2)  # a slot further away than that is not taken yet
LOOK_UP = timedelta(seconds=1)  # until then the answer about a domain may have come
FURTHEST = timedelta(minutes=10)  # put back no further than that beyond a limit's next slot: limits are changed
SOON = timedelta(minutes=2)  # a letter due sooner than that is waited for
BREATH = timedelta(seconds=1)  # while it is, other letters are looked for that often
RELAY_PAUSE = timedelta(seconds=60)  # after a 421, a 454, or words about the rate


@dataclass(slots=True)
class Pacing:
    """What a run remembers from one claim to the next."""

    servers: MailServers = field(default_factory=MailServers)
    _behind: dict[str, datetime] = field(default_factory=dict)  # the last turn given out, by limit
    _later: list[tuple[datetime, str]] = field(default_factory=list)  # a heap: when letters put back are due, and why
    _domains: dict[int, str] = field(default_factory=dict)  # of letters that have a slot
    _first_left: dict[str, datetime | None] = field(default_factory=dict)  # by relay
    _asked_on: dict[str, date] = field(default_factory=dict)

    def turns(
        self,
        connection: Connection,
        limits: Pace,
        relay: str,
        wave_ids: Sequence[int],
        found: Sequence[store.Due],
        now: datetime,
        eased: Mapping[int, Pace] | None = None,
        at_dot: Sequence[Limit] = (),
        under_way: int = 0,
        over: "Over | None" = None,
    ) -> "Turns":
        """Return the turns of the letters found due, their limits locked until the transaction ends.

        `eased` has other limits for some waves.  Of the limits `at_dot` a letter takes its slot at its dot, as do so many
        before it that are `under_way`: they are only looked at.
        """
        self.servers.look_ahead(connection, wave_ids, now)
        cap = self._relay_cap(connection, limits, relay, now)
        known = self.servers.of(connection, {domain_of(due.mailbox) for due in found}, now)
        contacts = sorted({due.contact_id for due in found})
        left = store.last_left(connection, contacts) if limits.box_every and contacts else {}
        if over is not None:
            for each in over.spread.relays:
                cap_of_it = self._relay_cap(connection, limits, each.name, now)
                over.limits[each.name] = pace.limits(limits, each.name, "", "", 0, cap_of_it)[pace.RELAY]
        turns = Turns(connection, self, limits, relay, cap, found, known, left, now, eased or {}, over)
        turns.leave(at_dot, under_way)
        return turns

    def put_back(self, answer: Reservation, now: datetime) -> datetime:
        """Return when a letter is due again that has no slot now: behind those that wait for the same limit already.

        Each is due when its own slot comes, so that none is looked at again and again.
        """
        first = answer.wait or now + AHEAD
        last = self._behind.get(answer.key, first - answer.step)
        turn = max(first, min(last + answer.step, first + FURTHEST))
        self._behind[answer.key] = turn
        return turn

    def remember(self, at: datetime, why: str) -> None:
        heapq.heappush(self._later, (at, why))

    def later(self, now: datetime) -> tuple[datetime, str] | None:
        """Return when the next letter is due that this run put back, and why; None if there is none."""
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)
        return self._later[0] if self._later else None

    def has_slot(self, letter_id: int, domain: str) -> None:
        self._domains[letter_id] = domain

    def slow(self, connection: Connection, letter_id: int, scope: Scope, reply: int, relay: str, now: datetime) -> None:
        """Slow down what a reply to a letter speaks of: the relay, or for now the recipient's domain (4yz alone)."""
        domain = self._domains.pop(letter_id, "")
        if scope is Scope.RELAY and reply:
            budgets.postpone(connection, f"mail:relay:{relay}", now + RELAY_PAUSE)
        elif scope is Scope.RECIPIENT_DOMAIN and reply // 100 == 4 and domain:
            budgets.postpone(connection, f"mail:domain:{domain}", now + FIRST_WAIT)

    def _relay_cap(self, connection: Connection, limits: Pace, relay: str, now: datetime) -> int:
        """Return today's quota of the warm-up; until a first letter left, the record is asked once a day."""
        if not limits.warm_up:
            return 0
        today = now.astimezone(UTC).date()
        if self._first_left.get(relay) is None and self._asked_on.get(relay) != today:
            self._first_left[relay], self._asked_on[relay] = mail_domains.first_left(connection, relay), today
        return warmup.cap(limits.warm_up, warmup.day(self._first_left[relay], now))


@dataclass(slots=True)
class Over:
    """Several relays: how letters are shared out, how many are under way over each, and each one's limit."""

    spread: Spread
    under_way: Counter[str]
    limits: dict[str, Limit] = field(default_factory=dict)


class Turns:
    """The turns of letters found due together, taken one after the other and written once, by `write`."""

    def __init__(
        self,
        connection: Connection,
        pacing: Pacing,
        limits: Pace,
        relay: str,
        cap: int,
        found: Sequence[store.Due],
        known: dict[str, MailDomain | None],
        left: dict[int, datetime],
        now: datetime,
        eased: Mapping[int, Pace],
        over: Over | None = None,
    ) -> None:
        self._connection, self._pacing, self._pace, self._now = connection, pacing, limits, now
        self._known, self._left = known, left
        self._limits: dict[int, list[Limit]] = {}
        for due in found:
            domain = domain_of(due.mailbox)
            answer = known[domain]
            group = answer.mx_group if answer is not None else domain
            self._limits[due.id] = pace.limits(
                eased.get(due.wave_id, limits), relay, domain, group, due.campaign_id, cap
            )
        self._over = over if self._limits else None
        self.relays: dict[int, str] = {}  # of several, that of each letter that has its slot
        others = over.limits.values() if over is not None and self._limits else ()
        self._ledger = Ledger(connection, [*others, *(limit for each in self._limits.values() for limit in each)])
        self._put_back: list[tuple[int, datetime, str]] = []
        self.wait: datetime | None = None  # when to look again: no letter at all can go before
        self.why = ""

    def leave(self, at_dot: Sequence[Limit], under_way: int) -> None:
        """Leave the slots of these limits to the dots."""
        if self._limits:
            self._ledger.only_look(at_dot, under_way, self._now)

    def must_wait(self, due: store.Due) -> bool:
        """True for a letter that is put back before any limit is asked: its mailbox had one, its domain is looked up."""
        if self._known[domain_of(due.mailbox)] is None:
            self._later(due, self._now + LOOK_UP, f"dns:{domain_of(due.mailbox)}/lookup")
            return True
        free_at = pace.box_free_at(self._left.get(due.contact_id), self._pace, self._now)
        if free_at is not None:
            self._later(due, free_at, f"{BOX}/hour")
        return free_at is not None

    def takes_no_mail(self, due: store.Due) -> bool:
        """True if the domain itself says that it takes no mail, or does not exist; its cases then look for another contact.

        Only what the DNS said for certain, and within the last day, counts (RFC 7505; resolve/mail_route.py).
        """
        known = self._known[domain_of(due.mailbox)]
        if known is None or known.route not in TAKES_NONE or known.until <= self._now:
            return False
        mail_domains.look_for_another(self._connection, due.contact_id, self._now)
        return True

    def take(self, due: store.Due) -> datetime | None:
        """Return a letter's slot, taken in all its limits but those left to its dot, where it is the one to be expected.

        None: it was put back, or nothing can go now (`wait`).
        """
        limits = self._limits[due.id]
        if self._over is not None:
            answer = self._over_one(self._over, due.id, limits)
            if not answer.slots and not answer.key:
                return None  # the relay whose turn it is has its hands full
        else:
            answer = self._ledger.reserve(limits, 1, self._now, AHEAD, pace.NARROW)
        if answer.slots:
            self._left[due.contact_id] = answer.slots[0]
            self._pacing.has_slot(due.id, domain_of(due.mailbox))
            return answer.slots[0]
        if pace.waits_alone(answer.key):
            self._later(due, self._pacing.put_back(answer, self._now), pace.why(answer))
        else:
            self.wait, self.why = answer.wait, pace.why(answer)
        return None

    def _over_one(self, over: Over, letter_id: int, limits: Sequence[Limit]) -> Reservation:
        """Take a letter's slots over the relay whose turn it is, or over one that has a slot where that one has none."""
        last, among = Reservation(()), over.spread.takes_part(over.under_way, self._now)
        for relay in over.spread.order(over.under_way, self._now):
            own = over.limits[relay.name]
            with_own = [*limits[: pace.RELAY], own, *limits[pace.RELAY + 1 :]]
            answer = self._ledger.reserve(with_own, 1, self._now, AHEAD, pace.NARROW)
            if answer.slots:
                over.spread.took(relay, among, over.under_way[relay.name], self._now)
                over.under_way[relay.name] += 1
                self.relays[letter_id] = relay.name
                return answer
            if answer.key != own.key:
                return answer
            among = [each for each in among if each is not relay]
            over.spread.spent[relay.name], last = answer.wait or self._now + AHEAD, answer
        all_spent = over.spread.all_spent(self._now)
        return Reservation(()) if all_spent is None else replace(last, wait=all_spent)

    def _later(self, due: store.Due, until: datetime, why: str) -> None:
        self._put_back.append((due.id, until, WAITS + why))
        self._pacing.remember(until, why)

    def write(self) -> None:
        """Write down what was taken, and who waits."""
        self._ledger.write()
        turns.put_back(self._connection, self._put_back)
        self._put_back.clear()
        if self.wait is None and not self._limits:
            self._wait_for_own()

    def _wait_for_own(self) -> None:
        """Nothing is due: say which letter comes next that waits for a limit of its own, and wait for one that is near."""
        later = self._pacing.later(self._now)
        if later is not None:
            self.why = later[1]
            if later[0] - self._now <= SOON:
                self.wait = min(later[0], self._now + BREATH)
