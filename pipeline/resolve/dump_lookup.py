"""Answer for addresses out of registries' dumps, as their WHOIS servers would have, without a question.

Reads: dumps that are complete and not too old, whole blocks at a time.  Writes: nothing.  Where the statistics say which
registry delegated the range, only that one's dump counts; what a registry knows nothing of is left to be asked about.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, Step, StepKind
from pipeline.resolve import choose, dump_answer
from pipeline.resolve.dump_answer import DumpNetwork
from pipeline.resolve.dump_blocks import (
    AT_ONCE,
    Counting,
    Place,
    delegations,
    grouped_by_block,
    places,
    wide_networks,
)
from pipeline.resolve.network import BLOCK
from pipeline.resolve.rpsl_dump import BLOCK_BITS, NETWORKS
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import dumps as store
from pipeline.store.db import Connection, chunks
from pipeline.store.netblocks import Learnt, block_of


def answers(
    connection: Connection, addresses: Sequence[Address], now: datetime, caps: ScopeCaps, keep: timedelta
) -> dict[Address, Learnt]:
    """Return what the dumps say of each address that they know a holder's network for: a contact, or that none is named.

    Each is judged as an answer of the registry's server would be, with the one step that says where it was read (file,
    SHA-256, range); addresses in one run of a network share the object.
    The range that an answer holds for is exact, within the block: a dump shows every network.  It holds until the dump is
    older than `keep`, by the time of its import.
    """
    counting = store.current(connection, now - keep)
    if not any(name in NETWORKS for _, name in counting):
        return {}
    found: dict[Address, Learnt] = {}
    given = delegations(connection, counting, addresses)
    wide = wide_networks(connection, counting)
    grouped = grouped_by_block(addresses)
    for blocks in chunks(list(grouped), AT_ONCE):
        around = places(connection, counting, {block: grouped[block] for block in blocks}, given, wide)
        networks = {place.network: place for some in around.values() for place in some}
        judge = _Judge(counting, _objects(connection, counting, networks.values()), caps, keep)
        for address, some in around.items():
            said = next((one for place in some if (one := judge.said(place, address)) is not None), None)
            if said is not None:
                found[address] = said
    return found


def delegated(
    connection: Connection, addresses: Sequence[Address], now: datetime, keep: timedelta
) -> dict[Address, tuple[str, str]]:
    """Return the registry and the country (or "") of each address that an imported statistics file speaks of."""
    found = delegations(connection, store.current(connection, now - keep), addresses)
    return {address: (one.registry, one.country) for address, one in found.items()}


# --- what they say ---------------------------------------------------------------------------------------------------


def _objects(connection: Connection, counting: Counting, around: Iterable[Place]) -> dict[str, dict[str, bytes]]:
    """Return by registry the objects that the networks, and their organisations, refer to."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for place in around:
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
    ) -> None:
        self.dumps = {dump.id: dump for dump in counting.values()}
        self.held = set(counting)
        self.objects, self.caps, self.keep = objects, caps, keep
        self.judged: dict[DumpNetwork, tuple[NetworkAnswer, Answer]] = {}
        self.known: dict[tuple[DumpNetwork, int], Learnt | None] = {}

    def said(self, place: Place, address: Address) -> Learnt | None:
        """Return the answer for the run around an address, or None where the registry would know more.

        That is where the dump names the registry itself, and where no contact is found in files of which some are missing.
        """
        key = (place.network, place.first)
        if key not in self.known:
            self.known[key] = self._said(place, address)
        return self.known[key]

    def _said(self, place: Place, address: Address) -> Learnt | None:
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
        if answer.outcome is Outcome.NO_CONTACT and not self._has_all(place):
            return None
        block = int(block_of(address))
        last = block + (1 << BLOCK_BITS[address.version]) - 1
        kind = type(address)
        run = (kind(max(place.first, block)), kind(min(place.last, last)))
        answer = replace(answer, cached=run)  # exact, so that no cap is needed: the dump shows every network
        step = Step(StepKind.DUMP, raw.source, answer.outcome, answer.why, raw.at, raw)
        return Learnt(answer, tuple(choose.usable(answer)), raw, dump.complete_at + self.keep, (step,))

    def _has_all(self, place: Place) -> bool:
        """Is every class of objects imported that a contact of the network could stand in?"""
        around = (place.network, *place.wider)
        classes = {key.partition(":")[0] for network in around for key in dump_answer.referred(network.text)}
        if "organisation" in classes:
            classes.add("role")  # its own abuse desk
        return all((place.network.registry, name) in self.held for name in classes)
