"""Answer for addresses out of registries' dumps, as their WHOIS servers would have, without a question.

Reads: dumps that are complete and not too old, whole blocks at a time.  Writes: nothing.  Where the statistics say which
registry delegated the range, only that one's dump counts; what a registry knows nothing of is left to be asked about.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, Step, StepKind
from pipeline.resolve import choose, dump_answer
from pipeline.resolve.delegated import Delegation, unpacked
from pipeline.resolve.dump_answer import DumpNetwork
from pipeline.resolve.flat import Flat
from pipeline.resolve.network import BLOCK
from pipeline.resolve.rpsl_dump import BLOCK_BITS, NETWORKS, WIDE
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import dumps as store
from pipeline.store.db import Connection, chunks
from pipeline.store.dumps import Dump
from pipeline.store.netblocks import Learnt, block_of

AT_ONCE = 50  # blocks read together
DELEGATED = "delegated"
HELD = frozenset({"allocated", "assigned"})

Counting = Mapping[tuple[str, str], Dump]  # by registry and class of objects
Bodies = Mapping[tuple[int, Address], Sequence[bytes]]  # packed parts by dump and block


@dataclass(frozen=True, slots=True)
class DumpAnswer:
    """One judged network of a dump, to be stored as any answer is, and the step that says where it was read.

    Addresses that one answer holds for share the object.
    """

    learnt: Learnt
    step: Step


@dataclass(frozen=True, slots=True)
class _Place:
    """A network around an address, the run of addresses there in which no narrower one stands, and the wider ones."""

    network: DumpNetwork
    first: int
    last: int
    wider: tuple[DumpNetwork, ...]


def answers(
    connection: Connection, addresses: Sequence[Address], now: datetime, caps: ScopeCaps, keep: timedelta
) -> dict[Address, DumpAnswer]:
    """Return what the dumps say of each address that they know a holder's network for: a contact, or that none is named.

    The range that an answer holds for is exact, within the block: a dump shows every network.  It holds until the dump is
    older than `keep`, by the time of its import.
    """
    counting = store.current(connection, now - keep)
    if not any(name in NETWORKS for _, name in counting):
        return {}
    found: dict[Address, DumpAnswer] = {}
    given = _delegations(connection, counting, addresses)
    wide = _wide_networks(connection, counting)
    by_block = _by_block(addresses)
    for blocks in chunks(list(by_block), AT_ONCE):
        places = _places(connection, counting, {block: by_block[block] for block in blocks}, given, wide)
        around = {place.network: place for some in places.values() for place in some}
        judge = _Judge(counting, _objects(connection, counting, around.values()), caps, keep, now)
        for address, some in places.items():
            said = next((one for place in some if (one := judge.said(place, address)) is not None), None)
            if said is not None:
                found[address] = said
    return found


def delegated(
    connection: Connection, addresses: Sequence[Address], now: datetime, keep: timedelta
) -> dict[Address, tuple[str, str]]:
    """Return the registry and the country (or "") of each address that an imported statistics file speaks of."""
    found = _delegations(connection, store.current(connection, now - keep), addresses)
    return {address: (one.registry, one.country) for address, one in found.items()}


def _by_block(addresses: Iterable[Address]) -> dict[Address, list[Address]]:
    found: dict[Address, list[Address]] = defaultdict(list)
    for address in addresses:
        found[block_of(address)].append(address)
    return found


def _ids(counting: Counting, classes: Iterable[str]) -> list[int]:
    wanted = set(classes)
    return sorted({dump.id for (_, name), dump in counting.items() if name in wanted})


# --- the networks around each address --------------------------------------------------------------------------------


def _apart(connection: Connection, counting: Counting, classes: Iterable[str]) -> list[tuple[int, bytes]]:
    """What stands apart of the blocks, because it is wider than many of them: (dump, packed part)."""
    found = store.bodies(connection, _ids(counting, classes), list(WIDE.values()))
    return [(dump_id, part) for (dump_id, _), parts in found.items() for part in parts]


def _wide_networks(connection: Connection, counting: Counting) -> list[DumpNetwork]:
    registries = {dump.id: registry for (registry, _), dump in counting.items()}
    return [
        one
        for dump_id, part in _apart(connection, counting, NETWORKS)
        for one in dump_answer.networks(registries[dump_id], dump_id, zlib.decompress(part))
    ]


def _places(
    connection: Connection,
    counting: Counting,
    by_block: Mapping[Address, Sequence[Address]],
    given: Mapping[Address, Delegation],
    wide: Sequence[DumpNetwork],
) -> dict[Address, list[_Place]]:
    """Return the networks that may answer for each address, one of each registry, the narrowest first."""
    bodies = store.bodies(connection, _ids(counting, NETWORKS), list(by_block))
    found: dict[Address, list[_Place]] = {}
    for block, addresses in by_block.items():
        tables = list(_tables(counting, bodies, wide, block))
        for address in addresses:
            told = given.get(address)
            some = [
                _Place(network, first, last, wider(network))
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


# --- what they say ---------------------------------------------------------------------------------------------------


def _objects(connection: Connection, counting: Counting, places: Iterable[_Place]) -> dict[str, dict[str, bytes]]:
    """Return by registry the objects that the networks, and their organisations, refer to."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for place in places:
        for network in (place.network, *place.wider):
            wanted[network.registry].update(dump_answer.referred(network.text))
    found = {registry: _named(connection, counting, registry, keys) for registry, keys in wanted.items()}
    for registry, known in found.items():
        owners = [text for key, text in known.items() if key.startswith("organisation:")]
        more = {key for text in owners for key in dump_answer.referred(text)} - wanted[registry]
        known |= _named(connection, counting, registry, more)
    return found


def _named(connection: Connection, counting: Counting, registry: str, keys: Iterable[str]) -> dict[str, bytes]:
    """The objects of these keys, each out of the dump that counts for its class."""
    by_dump: dict[int, list[str]] = defaultdict(list)
    for key in sorted(keys):
        dump = counting.get((registry, key.partition(":")[0]))
        if dump is not None:
            by_dump[dump.id].append(key)
    return {
        key: text
        for dump_id, some in by_dump.items()
        for (_, key), text in store.objects(connection, [dump_id], some).items()
    }


class _Judge:
    """Judges each network once, and says what it comes to for each run of addresses in it."""

    def __init__(
        self,
        counting: Counting,
        objects: Mapping[str, Mapping[str, bytes]],
        caps: ScopeCaps,
        keep: timedelta,
        now: datetime,
    ) -> None:
        self.dumps = {dump.id: dump for dump in counting.values()}
        self.objects, self.caps, self.keep, self.now = objects, caps, keep, now
        self.judged: dict[DumpNetwork, tuple[NetworkAnswer, Answer]] = {}
        self.known: dict[tuple[DumpNetwork, int], DumpAnswer | None] = {}

    def said(self, place: _Place, address: Address) -> DumpAnswer | None:
        """Return the answer for the run around an address; None where the registry itself is all that the dump names."""
        key = (place.network, place.first)
        if key not in self.known:
            self.known[key] = self._said(place, address)
        return self.known[key]

    def _said(self, place: _Place, address: Address) -> DumpAnswer | None:
        network = place.network
        dump = self.dumps[network.dump_id]
        if dump.complete_at is None:
            raise ValueError(f"dump {dump.id} is not complete")
        if network not in self.judged:
            objects = self.objects.get(network.registry, {})
            body = dump_answer.said(network, place.wider, objects)
            source = (
                f"dump:{dump.registry}/{dump.name}@{dump.sha256.hex()[:12]}/{dump_answer.subject(network.text)[:100]}"
            )
            self.judged[network] = dump_answer.judge(body, network, address, self.caps, source, dump.complete_at)
        answer, raw = self.judged[network]
        if answer.outcome not in (Outcome.CONTACTS, Outcome.NO_CONTACT) or answer.why == BLOCK:
            return None
        block = int(block_of(address))
        last = block + (1 << BLOCK_BITS[address.version]) - 1
        kind = type(address)
        run = (kind(max(place.first, block)), kind(min(place.last, last)))
        answer = replace(answer, cached=run)  # exact, so that no cap is needed: the dump shows every network
        step = Step(StepKind.DUMP, raw.source, answer.outcome, answer.why, self.now, raw)
        usable = tuple(choose.usable(answer))
        return DumpAnswer(Learnt(answer, usable, raw, dump.complete_at + self.keep), step)


# --- which registry delegated what -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    version: int
    first: int
    last: int
    delegation: Delegation


def _delegations(connection: Connection, counting: Counting, addresses: Sequence[Address]) -> dict[Address, Delegation]:
    """Return the delegation around each address.  One that was given to a holder goes before one that was not."""
    ids = _ids(counting, (DELEGATED,))
    if not ids:
        return {}
    wide = [one for _, part in _apart(connection, counting, (DELEGATED,)) for one in _given([part])]
    found: dict[Address, Delegation] = {}
    by_block = _by_block(addresses)
    for blocks in chunks(list(by_block), AT_ONCE):
        bodies = store.bodies(connection, ids, blocks)
        for block in blocks:
            low = int(block)
            high = low + (1 << BLOCK_BITS[block.version]) - 1
            here = [one for one in wide if _meets(one, block.version, low, high)]
            here += [one for dump_id in ids for one in _given(bodies.get((dump_id, block), ()))]
            here.sort(key=lambda one: one.delegation.status not in HELD)
            assigned = Flat(here).assign(by_block[block])
            found |= {address: one.delegation for address, one in assigned.items()}
    return found


def _given(parts: Iterable[bytes]) -> Iterator[_Given]:
    for part in parts:
        for line in zlib.decompress(part).split(b"\n"):
            if (one := unpacked(line)) is not None:
                yield _Given(one.within[0].version, int(one.within[0]), int(one.within[1]), one)
