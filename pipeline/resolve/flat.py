"""Which network answers for an address: overlapping ranges are flattened once, then looked up by bisection.

Pure.  Reads: networks that were answered, each with its range; the same networks give the same table.  Writes: nothing.
Of networks around one address the narrowest answers, of equally wide ones the first given.  Plain integers, 32 bits for
IPv4 and 128 for IPv6, hold the borders: the standard library's address objects are slow to compare, and fast to convert.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from ipaddress import IPv4Address
from itertools import repeat
from typing import Generic, Protocol, TypeVar

from pipeline.domain import Address


class Ranged(Protocol):
    """A network that answers for the numbers from `first` to `last` in one version of IP."""

    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


R = TypeVar("R", bound=Ranged)
Borders = tuple[list[int], list[R | None]]


class Flat(Generic[R]):
    """A table that is built once, in O(m log m) for m networks, and asked many times, in O(log m) each."""

    def __init__(self, networks: Iterable[R]) -> None:
        by_version: dict[int, list[R]] = defaultdict(list)
        for network in networks:
            by_version[network.version].append(network)
        self._tables: dict[int, Borders[R]] = {version: _flattened(some) for version, some in by_version.items()}

    def find(self, version: int, number: int) -> R | None:
        """Return the narrowest network around the address that is this number in that version of IP, or None."""
        borders, holders = self._tables.get(version, ([], [None]))
        return holders[bisect_right(borders, number)]

    def around(self, version: int, number: int) -> tuple[R, int, int] | None:
        """Return that network with the run of numbers around the address in which no narrower one answers, or None."""
        borders, holders = self._tables.get(version, ([], [None]))
        place = bisect_right(borders, number)
        holder = holders[place]
        return None if holder is None else (holder, borders[place - 1], borders[place] - 1)

    def assign(self, addresses: Iterable[Address]) -> dict[Address, R]:
        """Return the narrowest network around each address that has one, in the order of the addresses.

        They need not be sorted: bisection took 1.5 s for a million in a random order, sorting them first and merging 1.7 s.
        """
        families: tuple[list[Address], list[Address]] = ([], [])
        for address in addresses:
            families[isinstance(address, IPv4Address)].append(address)
        return self._found(4, families[True]) | self._found(6, families[False])

    def _found(self, version: int, addresses: Sequence[Address]) -> dict[Address, R]:
        """The addresses of one family.  The chain of maps runs in C: a loop would take half as long again."""
        if version not in self._tables:
            return {}
        borders, holders = self._tables[version]
        places = map(bisect_right, repeat(borders), map(int, addresses))
        answers = map(holders.__getitem__, places)
        return {address: known for address, known in zip(addresses, answers, strict=True) if known is not None}


def narrowest(addresses: Iterable[Address], networks: Iterable[R]) -> dict[Address, R]:
    """Return for each address that a network answers for the narrowest such network, of equal ones the first given."""
    return Flat(networks).assign(addresses)


def _flattened(networks: Collection[R]) -> Borders[R]:
    """(borders, holders) of one family: holders[n] answers below borders[n], and holders[-1] from the last one on.

    A sweep from the lowest number to the highest: at each place where a range begins or has just ended, the best of those
    that are open answers.  The heap gives the best one; what has ended is dropped when it comes to the top.
    """
    by_width = sorted(networks, key=lambda network: network.last - network.first)
    firsts, lasts = [one.first for one in by_width], [one.last for one in by_width]
    opening = sorted(range(len(by_width)), key=firsts.__getitem__)
    borders: list[int] = []
    holders: list[R | None] = [None]
    open_now: list[int] = []  # places in by_width: the lowest is the narrowest
    place = 0
    for border in sorted({*firsts, *(last + 1 for last in lasts)}):
        while place < len(opening) and firsts[opening[place]] == border:
            heappush(open_now, opening[place])
            place += 1
        while open_now and lasts[open_now[0]] < border:
            heappop(open_now)
        holder = by_width[open_now[0]] if open_now else None
        if holder is not holders[-1]:
            borders.append(border)
            holders.append(holder)
    return borders, holders
