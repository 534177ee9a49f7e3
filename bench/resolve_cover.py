"""Addresses assigned to cached networks that overlap: the time and the memory, beside a plain bisect over integers.

Reads the shared hits and the announced ranges that hold them; where these do not suffice, neighbours of them by chance with
a fixed seed, and without the data everything by chance.  What counts is what resolve does: address objects in, the network
of each out, the table built anew.  The peer starts from prepared integers and prepared borders, and gives a list.  Both
answers are compared, address by address.  A process of its own does the work, so that its memory is that of this alone.
"""

import csv
import gzip
import multiprocessing
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from statistics import median

from bench.lines import Line
from pipeline.domain import Address
from pipeline.resolve.flat import Flat, narrowest
from pipeline.store.types import address_bytes, address_of

DATA = Path(__file__).parents[2] / "shared" / "data" / "hits"
ADDRESSES, NETWORKS = 1_000_000, 60_000
MOST_SECONDS, MOST_MB = 6.0, 400.0
QUICK = 5  # times smaller
OWN_MB = 60.0  # of the interpreter and the modules: a fifth of the addresses does not make these smaller
ROUNDS = 3
V6 = 0x20010DB8 << 96  # in it each IPv4 address stands for a /64
CUSTOMERS = 4  # one network in so many lies inside another one


@dataclass(frozen=True, slots=True)
class Known:
    """What the look-up sees of a network that was answered."""

    netblock_id: int
    version: int
    first: int
    last: int


Ways = dict[str, Callable[[], object]]


def measure(quick: bool) -> list[Line]:
    """Return the figures.  Raises RuntimeError if the two ways of looking up differ."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(
        target=_work, args=(theirs, QUICK if quick else 1), daemon=True
    )
    child.start()
    theirs.close()
    try:
        timings, peak, what = ours.recv()
    except EOFError as error:
        raise RuntimeError("the measuring process ended without figures: its message stands above") from error
    child.join(30)
    most = MOST_SECONDS / (QUICK if quick else 1)
    most_mb = OWN_MB + (MOST_MB - OWN_MB) / QUICK if quick else MOST_MB
    found = {name: median(rounds) for name, rounds in timings.items()}
    return [
        Line("addresses to networks, unsorted", found["unsorted"], "s", most, note=what),
        Line("addresses to networks, sorted", found["sorted"], "s", most, note="as resolve has them; table built, too"),
        Line("building the table alone", found["build"], "s"),
        Line("plain bisect, integers, prepared", found["peer"], "s", note="the same addresses, alternating"),
        Line("ratio to the plain bisect", found["unsorted"] / found["peer"], "x", note="unsorted addresses"),
        Line("integers, one look-up each", found["find"], "s", note="a table that is there, asked for each number"),
        Line("from the database's bytes", found["bytes"], "s", note="16 bytes to address objects to networks"),
        Line("IPv6, a fifth of the addresses", found["v6"], "s", note="128-bit numbers, address objects, unsorted"),
        Line("peak memory", peak, "MB", most_mb, note="everything in the process, addresses and answers too"),
    ]


def _work(pipe: Connection, smaller: int) -> None:
    addresses, networks, what = _made(ADDRESSES // smaller, NETWORKS // smaller)
    narrowest(addresses, networks)
    peak = _peak_mb()
    numbers = [int(address) for address in addresses]
    in_order = sorted(addresses, key=int)
    stored = [address_bytes(address) for address in addresses]
    borders, holders = _painted(networks)
    table = Flat(networks)
    sixes = [IPv6Address(V6 | number << 64) for number in numbers[: len(numbers) // QUICK]]
    wide = [replace(one, version=6, first=V6 | one.first << 64, last=V6 | (one.last + 1 << 64) - 1) for one in networks]

    def find_each() -> list[Known | None]:
        return [table.find(4, number) for number in numbers]

    in_turn: Ways = {
        "unsorted": lambda: narrowest(addresses, networks),
        "peer": lambda: _plain(numbers, borders, holders),
        "sorted": lambda: narrowest(in_order, networks),
    }
    once: Ways = {
        "build": lambda: Flat(networks),
        "find": find_each,
        "bytes": lambda: narrowest(map(address_of, stored), networks),
        "v6": lambda: narrowest(sixes, wide),
    }
    everyone = zip(addresses, _plain(numbers, borders, holders), strict=True)
    expected = {address: known for address, known in everyone if known is not None}
    if narrowest(addresses, networks) != expected:
        raise RuntimeError("the table and the plain bisect give different networks")
    timings: dict[str, list[float]] = defaultdict(list)
    for name, way in (*(list(in_turn.items()) * ROUNDS), *once.items()):
        began = time.perf_counter()
        way()
        timings[name].append(time.perf_counter() - began)
    pipe.send((dict(timings), peak, f"{what}; {len(expected):,} lie in one; median of {ROUNDS}"))


def _plain(numbers: Sequence[int], borders: Sequence[int], holders: Sequence[Known | None]) -> list[Known | None]:
    """The peer: a loop, a bisect, an index."""
    found = []
    for number in numbers:
        found.append(holders[bisect_right(borders, number)])
    return found


def _painted(networks: Sequence[Known]) -> tuple[list[int], list[Known | None]]:
    """The peer's borders, made in another way than the table's: the widest network is painted first, the narrowest last."""
    borders = sorted({edge for one in networks for edge in (one.first, one.last + 1)})
    holders: list[Known | None] = [None] * (len(borders) + 1)
    for one in reversed(networks):
        first, end = bisect_left(borders, one.first) + 1, bisect_left(borders, one.last + 1) + 1
        holders[first:end] = [one] * (end - first)
    return borders, holders


def _peak_mb() -> float:
    """The most memory this process had.  Not getrusage, which begins with what the process had that started this one."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


# --- what is looked up -----------------------------------------------------------------------------------------------


def _made(addresses: int, networks: int) -> tuple[list[Address], list[Known], str]:
    """Return distinct addresses in an order by chance, networks narrowest first, and a line about both."""
    chance = Random(4)
    real = _hits(addresses)
    numbers = real[:]
    seen = set(real)
    around = real or [chance.randrange(1 << 24, 224 << 24) for _ in range(networks)]
    while len(numbers) < addresses:
        number = around[chance.randrange(len(around))] ^ chance.randrange(1 << 12)
        if number not in seen:
            seen.add(number)
            numbers.append(number)
    chance.shuffle(numbers)
    ranges = _announced(networks - networks // CUSTOMERS) or _by_chance(
        chance, around, networks - networks // CUSTOMERS
    )
    known = set(ranges)
    while len(known) < networks:
        bits = chance.choice((3, 4, 5, 6, 7, 8, 8, 8, 10))
        first = numbers[chance.randrange(len(numbers))] >> bits << bits
        known.add((first, first + (1 << bits) - 1))
    in_order = sorted(known, key=lambda ends: (ends[1] - ends[0], ends))
    made = [Known(place, 4, first, last) for place, (first, last) in enumerate(in_order)]
    what = f"{addresses:,} addresses ({len(real):,} real) in {networks:,} networks"
    return [IPv4Address(number) for number in numbers], made, what


def _hits(most: int) -> list[int]:
    found: dict[int, None] = {}
    for path in sorted((DATA / "scale").glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                found[int(IPv4Address(row["ip"]))] = None
                if len(found) == most:
                    return list(found)
    return list(found)


def _announced(most: int) -> list[tuple[int, int]]:
    """The announced ranges with the most hits, from the shared data."""
    path = DATA / "net" / "asn-ranges-with-hits.csv.gz"
    if not path.is_file():
        return []
    with gzip.open(path, "rt", newline="") as file:
        rows = [(int(row["hits"]), row["start"], row["end"]) for row in csv.DictReader(file)]
    return [(int(IPv4Address(start)), int(IPv4Address(end))) for _, start, end in sorted(rows, reverse=True)[:most]]


def _by_chance(chance: Random, around: Sequence[int], most: int) -> list[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    while len(found) < most:
        bits = chance.choice((8, 10, 12, 12, 14, 16))
        first = around[chance.randrange(len(around))] >> bits << bits
        found.add((first, first + (1 << bits) - 1))
    return sorted(found)
