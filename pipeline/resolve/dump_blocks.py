"""Find in registries' dumps what stands around addresses: networks, and which registry delegated the range.

Reads: packed blocks of the dumps that count.  Writes: nothing.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from pipeline.domain import Address
from pipeline.resolve import dump_answer
from pipeline.resolve.delegated import Delegation, unpacked
from pipeline.resolve.dump_answer import DumpNetwork
from pipeline.resolve.dump_file import DELEGATED
from pipeline.resolve.flat import Flat
from pipeline.resolve.rpsl_dump import BLOCK_BITS, NETWORKS, WIDE
from pipeline.store import dumps as store
from pipeline.store.db import Connection, chunks
from pipeline.store.dumps import Dump
from pipeline.store.netblocks import block_of

AT_ONCE = 50  # blocks read together
HELD = frozenset({"allocated", "assigned"})

Counting = Mapping[tuple[str, str], Dump]  # by registry and class of objects
Bodies = Mapping[tuple[int, Address], Sequence[bytes]]  # packed parts by dump and block


@dataclass(frozen=True, slots=True)
class Place:
    """A network around an address, the run of addresses there in which no narrower one stands, and the wider ones."""

    network: DumpNetwork
    first: int
    last: int
    wider: tuple[DumpNetwork, ...]


def grouped_by_block(addresses: Iterable[Address]) -> dict[Address, list[Address]]:
    """Return the addresses by the first address of their block."""
    found: dict[Address, list[Address]] = defaultdict(list)
    for address in addresses:
        found[block_of(address)].append(address)
    return found


def ids(counting: Counting, classes: Iterable[str]) -> list[int]:
    """Return the dumps that count for one of the classes."""
    wanted = set(classes)
    return sorted({dump.id for (_, name), dump in counting.items() if name in wanted})


def _apart(connection: Connection, counting: Counting, classes: Iterable[str]) -> list[tuple[int, bytes]]:
    """What stands apart of the blocks, because it is wider than many of them: (dump, packed part)."""
    found = store.bodies(connection, ids(counting, classes), list(WIDE.values()))
    return [(dump_id, part) for (dump_id, _), parts in found.items() for part in parts]


def wide_networks(connection: Connection, counting: Counting) -> list[DumpNetwork]:
    """Return the networks that stand apart of the blocks."""
    registries = {dump.id: registry for (registry, _), dump in counting.items()}
    return [
        one
        for dump_id, part in _apart(connection, counting, NETWORKS)
        for one in dump_answer.networks(registries[dump_id], dump_id, zlib.decompress(part))
    ]


def places(
    connection: Connection,
    counting: Counting,
    by_block: Mapping[Address, Sequence[Address]],
    given: Mapping[Address, Delegation],
    wide: Sequence[DumpNetwork],
) -> dict[Address, list[Place]]:
    """Return the networks that may answer for each address, one of each registry, the narrowest first."""
    bodies = store.bodies(connection, ids(counting, NETWORKS), list(by_block))
    found: dict[Address, list[Place]] = {}
    for block, addresses in by_block.items():
        tables = list(_tables(counting, bodies, wide, block))
        for address in addresses:
            told = given.get(address)
            some = [
                Place(network, first, last, wider(network))
                for registry, flat, wider in tables
                if told is None or told.registry == registry
                if (around := flat.around(address.version, int(address))) is not None
                for network, first, last in [around]
            ]
            if some:
                found[address] = sorted(some, key=lambda place: place.network.last - place.network.first)
    return found


def _tables(
    counting: Counting, bodies: Bodies, wide: Sequence[DumpNetwork], block: Address
) -> Iterator[tuple[str, Flat[DumpNetwork], Callable[[DumpNetwork], tuple[DumpNetwork, ...]]]]:
    """Yield for each registry with networks in the block: its name, the table of them, and who is around one of them."""
    low = int(block)
    high = low + (1 << BLOCK_BITS[block.version]) - 1
    for (registry, name), dump in counting.items():
        if NETWORKS.get(name) != block.version:
            continue
        here = (
            one
            for part in bodies.get((dump.id, block), ())
            for one in dump_answer.networks(registry, dump.id, zlib.decompress(part))
        )
        around = (one for one in wide if one.dump_id == dump.id)
        near = [one for one in (*here, *around) if _meets(one, block.version, low, high)]
        if near:
            yield registry, Flat(near), cache(lambda of, near=near: tuple(dump_answer.parents(of, near)))


class _Ranged(Protocol):
    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


def _meets(one: _Ranged, version: int, low: int, high: int) -> bool:
    return one.version == version and one.first <= high and one.last >= low


# --- which registry delegated what -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    version: int
    first: int
    last: int
    delegation: Delegation


def delegations(connection: Connection, counting: Counting, addresses: Sequence[Address]) -> dict[Address, Delegation]:
    """Return the delegation around each address.  One that was given to a holder goes before one that was not."""
    dump_ids = ids(counting, (DELEGATED,))
    if not dump_ids:
        return {}
    wide = [one for _, part in _apart(connection, counting, (DELEGATED,)) for one in _given([part])]
    found: dict[Address, Delegation] = {}
    grouped = grouped_by_block(addresses)
    for blocks in chunks(list(grouped), AT_ONCE):
        bodies = store.bodies(connection, dump_ids, blocks)
        for block in blocks:
            low = int(block)
            high = low + (1 << BLOCK_BITS[block.version]) - 1
            here = [one for one in wide if _meets(one, block.version, low, high)]
            here += [one for dump_id in dump_ids for one in _given(bodies.get((dump_id, block), ()))]
            here.sort(key=lambda one: one.delegation.status not in HELD)
            assigned = Flat(here).assign(grouped[block])
            found |= {address: one.delegation for address, one in assigned.items()}
    return found


def _given(parts: Iterable[bytes]) -> Iterator[_Given]:
    for part in parts:
        for line in zlib.decompress(part).split(b"\n"):
            if (one := unpacked(line)) is not None:
                yield _Given(one.within[0].version, int(one.within[0]), int(one.within[1]), one)
