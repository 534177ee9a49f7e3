"""Which of several relays a letter goes over, and how long one rests that does not work or does not want us.

Pure: values in, values out; `Spread` is what a run remembers.  By weight, evenly: of any letters in a row each relay that
takes mail has its share, within one letter (smooth weighted round robin).  A full relay is waited for, so that shares
hold, but not one that has stood still for some seconds.  A relay that rested is asked with one letter at a time until it
takes one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
MOST_REFUSALS = 3  # in a row: the relay does not work, or does not want us, whatever the letter
STANDS_STILL = timedelta(seconds=5)  # full, and nothing has been heard of any of its letters
FOR_EACH = 2  # letters under way for each connection
REST = "rest"  # ends the name of the row that keeps a rest, and says why letters wait


@dataclass(frozen=True, slots=True)
class Relay:
    """One of several: what it is called, its share, and how many letters it can take at once."""

    name: str
    weight: int = 1
    connections: int = 4


@dataclass(frozen=True, slots=True)
class Rest:
    """How often in a row a relay was left alone (0: it works), and until when."""

    times: int = 0
    until: datetime | None = None

    def over(self, now: datetime) -> bool:
        """True unless it rests now.  One that lies further away than any can is of a clock that was set back."""
        return self.until is None or self.until <= now or self.until - now > LONGEST_REST


WORKS = Rest()


def longer(rest: Rest, now: datetime) -> Rest:
    """Return the rest after this one: a minute, doubled each time, an hour at most."""
    return Rest(rest.times + 1, now + min(FIRST_REST * 2 ** min(rest.times, 10), LONGEST_REST))


def key(relay: str) -> str:
    """Return the row of budgets that keeps a relay's rest."""
    return f"mail:relay:{relay}/{REST}"


def turn(credit: Mapping[str, int], among: Sequence[Relay]) -> Relay:
    """Return whose turn it is."""
    return max(among, key=lambda relay: credit.get(relay.name, 0) + relay.weight)  # of equals the first that is named


def paid(credit: Mapping[str, int], among: Sequence[Relay], relay: Relay) -> dict[str, int]:
    """Return the credit of all after one of them took a letter: each gains its weight, and that one pays them all."""
    after = dict(credit) | {each.name: credit.get(each.name, 0) + each.weight for each in among}
    after[relay.name] -= sum(each.weight for each in among)
    return after


@dataclass(slots=True)
class Spread:
    """What a run remembers of its relays: whose turn it is, who rests, who was heard last, who refuses us."""

    relays: tuple[Relay, ...]
    rests: dict[str, Rest] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    credit: dict[str, int] = field(default_factory=dict)
    spent: dict[str, datetime] = field(default_factory=dict)  # until then their own limits let nothing go
    left: set[str] = field(default_factory=set)  # they rest from now on, and letters are on their way over them

    def awake(self, now: datetime) -> list[Relay]:
        """Return the relays that do not rest."""
        return [relay for relay in self.relays if self.rests.get(relay.name, WORKS).over(now)]

    def wakes(self, now: datetime) -> tuple[datetime, str] | None:
        """Return when the first relay may be asked again, and which one it is, if all rest."""
        rests = [(rest.until, name) for name, rest in self.rests.items() if rest.until and not rest.over(now)]
        return min(rests) if rests and not self.awake(now) else None

    def can_take(self, relay: Relay) -> int:
        """Return how many letters may be under way over it; one, if it rested and has not taken any since."""
        return 1 if self._is_tried(relay) else FOR_EACH * relay.connections

    def takes_part(self, under_way: Mapping[str, int], now: datetime) -> list[Relay]:
        """Return the relays among which the next letter is shared out."""
        able = (relay for relay in self.awake(now) if self.spent.get(relay.name, now) <= now)
        return [relay for relay in able if not self._left_alone(relay, under_way, now)]

    def all_spent(self, now: datetime) -> datetime | None:
        """Return when the first relay may take a letter again, if its own limit keeps each that is awake from that."""
        until = [self.spent.get(relay.name, now) for relay in self.awake(now)]
        return min(until) if until and min(until) > now else None

    def _left_alone(self, relay: Relay, under_way: Mapping[str, int], now: datetime) -> bool:
        still = now - self.heard.get(relay.name, now)
        return self._is_full(relay, under_way) and (self._is_tried(relay) or still > STANDS_STILL)

    def _is_tried(self, relay: Relay) -> bool:
        return self.rests.get(relay.name, WORKS).times > 0

    def order(self, under_way: Mapping[str, int], now: datetime) -> list[Relay]:
        """Return the relay whose turn it is, and behind it those that might do instead; none while it is full."""
        among = self.takes_part(under_way, now)
        if not among or self._is_full(chosen := turn(self.credit, among), under_way):
            return []
        others = (relay for relay in among if relay is not chosen and not self._is_full(relay, under_way))
        return [chosen, *sorted(others, key=lambda relay: -self.credit.get(relay.name, 0) - relay.weight)]

    def _is_full(self, relay: Relay, under_way: Mapping[str, int]) -> bool:
        return under_way.get(relay.name, 0) >= self.can_take(relay)

    def took(self, relay: Relay, among: Sequence[Relay], under_way: int, now: datetime) -> None:
        """A letter goes over this relay, shared out among these; `under_way` were on their way over it before."""
        self.credit = paid(self.credit, among, relay)
        if not under_way:
            self.heard[relay.name] = now

    def room(self, under_way: Mapping[str, int], now: datetime) -> int:
        """Return how many letters can be claimed now: none until half of what fits is free, or nothing is under way."""
        among = self.takes_part(under_way, now)
        room, whole = self._room(among, under_way), self._room(among, {})
        return room if 2 * room >= whole or not any(under_way.values()) else 0

    def _room(self, among: Sequence[Relay], under_way: Mapping[str, int]) -> int:
        """Count turns until the relay whose turn it is can take no more."""
        count, filled, credit = 0, Counter(under_way), dict(self.credit)
        while among and not self._is_full(chosen := turn(credit, among), filled):
            credit = paid(credit, among, chosen)
            filled[chosen.name] += 1
            count += 1
            among = [relay for relay in among if not (self._is_tried(relay) and self._is_full(relay, filled))]
        return count

    def refused(self, relay: str, now: datetime) -> Rest | None:
        """Return the rest of a relay that has just refused us or could not be used; None if it goes on."""
        rest = self.rests.get(relay, WORKS)
        self.refusals[relay] += 1
        if not rest.over(now) or (not rest.times and self.refusals[relay] < MOST_REFUSALS):
            return None
        self.refusals[relay] = 0
        self.rests[relay] = longer(rest, now)
        return self.rests[relay]

    def worked(self, relay: str) -> bool:
        """A relay has judged a letter, whatever it said; returns True if it had rested before."""
        self.refusals[relay] = 0
        return bool(self.rests.pop(relay, WORKS).times)
