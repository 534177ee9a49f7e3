"""What waits for the registries' servers, in networks, and how long their limits make it take.

Pure.  Addresses and ranges are plain integers here, by version of IP.  A network is counted for each range that one answer
may speak for at most (scope.py): whether several are registered in it is not known before it is asked about, so what was
asked so far says how many questions one of them takes.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from pipeline.domain import Address
from pipeline.resolve import asking, servers, space
from pipeline.resolve.scope import ScopeCaps

WIDTH = {4: 32, 6: 128}
EMBEDDING = ((0x2002, 112), (0x20010000, 96), (0x0064FF9B << 64, 32))  # 6to4, Teredo, NAT64: leading bits, bits behind
FEW = 30  # networks: what was asked about fewer says nothing of the rest
NEVER = timedelta(days=36_500)  # a quota so small that the end cannot be counted


class Range(Protocol):
    """A network that answers for the numbers from `first` to `last`; `question`: which of ours it came from, if any."""

    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def question(self) -> int | None: ...


Numbers = dict[int, list[int]]  # version of IP -> sorted numbers, each once


@dataclass(slots=True)
class Pile:
    """What waits for one server, by its base URL (empty: no registry answers), and what it has answered so far."""

    base: str
    networks: int = 0
    addresses: int = 0
    answered: int = 0  # networks whose answers still hold
    questions: int = 0  # that brought them
    asked_about: int = 0  # ranges that one answer may speak for, in which they lie

    @property
    def each(self) -> float:
        """How many questions one network has taken so far, one at least."""
        return max(self.questions / self.asked_about, 1.0) if self.asked_about >= FEW else 1.0

    @property
    def expected(self) -> int:
        """How many questions what waits will take, if it goes on as so far."""
        return round(self.networks * self.each)


def to_ask(four: Iterable[int], six: Iterable[int]) -> Numbers:
    """Return the numbers to ask about: of addresses that carry an IPv4 one, that; each once, sorted."""
    inner = [(number, _inner(number)) for number in set(six)]
    plain = [number for number, carried in inner if carried is None]
    return {4: sorted({*four, *(carried for _, carried in inner if carried is not None)}), 6: sorted(plain)}


def _inner(number: int) -> int | None:
    """The IPv4 number that an IPv6 number carries (space.py); all but few carry none, and cost next to nothing."""
    if any(number >> behind == leading for leading, behind in EMBEDDING):
        carried = space.embedded_ipv4(IPv6Address(number))
        return int(carried) if carried is not None else None
    return None


def special(*, allow_documentation: bool) -> dict[int, list[tuple[int, int]]]:
    """Return the special-purpose ranges by version of IP; with `allow_documentation` those that stand in for real ones
    are left out."""
    return {
        version: [
            (row.first, row.last)
            for row in space.ranges(version)
            if not (allow_documentation and row.reason == space.DOCUMENTATION)
        ]
        for version in WIDTH
    }


def outside(numbers: Numbers, ranges: Mapping[int, Iterable[tuple[int, int]]]) -> Numbers:
    """Return the numbers that lie in none of the ranges."""
    return {version: _outside(some, ranges.get(version, ())) for version, some in numbers.items()}


def _outside(numbers: Sequence[int], ranges: Iterable[tuple[int, int]]) -> list[int]:
    """One walk along both, from the lowest: what lies before a range is kept, what lies in it is passed over."""
    left: list[int] = []
    place = 0
    for first, last in sorted(ranges):
        start = bisect_left(numbers, first, place)
        left += numbers[place:start]
        place = bisect_right(numbers, last, start)
    return left + list(numbers[place:])


def piles(
    numbers: Numbers, known: Iterable[Range], registries: Mapping[int, servers.Index], caps: ScopeCaps
) -> dict[str, Pile]:
    """Return what waits for each server, and what each has answered, by base URL."""
    found: dict[str, Pile] = {}
    for version, some in numbers.items():
        _count_waiting(found, version, some, registries, caps)
    _count_known(found, known, registries, caps)
    return found


def _count_waiting(
    found: dict[str, Pile],
    version: int,
    numbers: Sequence[int],
    registries: Mapping[int, servers.Index],
    caps: ScopeCaps,
) -> None:
    """Count by the narrowest range there is a cap for: a million addresses lie in far fewer of them."""
    narrow = WIDTH[version] - _narrowest(caps, version)
    counts = Counter(number >> narrow for number in numbers)
    first = {number >> narrow: number for number in reversed(numbers)}
    networks: dict[str, set[int]] = {}
    bits: dict[str, int] = {}
    for cell, count in counts.items():
        base = servers.find(registries.get(version, {}), _address(version, first[cell]))
        if base not in bits:
            bits[base] = _bits(base, version, caps)
        networks.setdefault(base, set()).add(cell >> (bits[base] - narrow))
        found.setdefault(base, Pile(base)).addresses += count
    for base, cells in networks.items():
        found[base].networks += len(cells)


def _count_known(
    found: dict[str, Pile], known: Iterable[Range], registries: Mapping[int, servers.Index], caps: ScopeCaps
) -> None:
    questions: dict[str, set[int]] = {}
    cells: dict[str, set[tuple[int, int]]] = {}
    bits: dict[tuple[str, int], int] = {}
    for each in known:
        base = servers.find(registries.get(each.version, {}), _address(each.version, each.first))
        found.setdefault(base, Pile(base)).answered += 1
        if each.question is None:
            continue
        if (base, each.version) not in bits:
            bits[base, each.version] = _bits(base, each.version, caps)
        questions.setdefault(base, set()).add(each.question)
        cells.setdefault(base, set()).add((each.version, each.first >> bits[base, each.version]))
    for base, some in questions.items():
        found[base].questions, found[base].asked_about = len(some), len(cells[base])


def _address(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def _bits(base: str, version: int, caps: ScopeCaps) -> int:
    return WIDTH[version] - caps.prefix(version, asking.registry_of(base) if base else "", False)


def _narrowest(caps: ScopeCaps, version: int) -> int:
    return max(caps.prefix(version, *kind) for kind in (("", False), ("", True), ("lacnic", False)))


def time_left(
    questions: int, rate: float, per_day: int, used: int, next_at: datetime | None, now: datetime
) -> timedelta:
    """Return how long so many questions take: at `rate` a second, `per_day` a UTC day, of which `used` are gone today.

    A rate or quota of 0 is no limit.  `next_at`: nothing may be asked before.
    """
    if not questions:
        return timedelta(0)
    start = max(now, next_at or now)
    paced = _seconds(questions / rate) if rate else timedelta(0)
    if not per_day:
        return start - now + paced
    today = max(per_day - (used if start.astimezone(UTC).date() == now.astimezone(UTC).date() else 0), 0)
    rest = questions - today
    if rest <= 0:
        return start - now + paced
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days, last = divmod(rest - 1, per_day)
    if days >= NEVER.days:
        return NEVER
    quota = midnight + timedelta(days=days) + (_seconds((last + 1) / rate) if rate else timedelta(0))
    return max(quota, start + paced) - now


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=min(value, NEVER.total_seconds()))
