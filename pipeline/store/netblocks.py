"""Networks that answer for addresses, and whom they name: what registries said, kept with every candidate.

Reads: netblocks, netblock_contacts, contacts.  Writes: raw answers, netblocks, contacts, netblock_contacts.  A contact is
unique by mailbox, a raw answer by hash and source; of one range the newest answer stands, so storing again adds no second.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Address, Answer, Candidate, ContactState, NetworkAnswer, Outcome, Step, StepKind, Tier
from pipeline.store import answers
from pipeline.store.any_of import any_of
from pipeline.store.bulk import insert_rows
from pipeline.store.db import chunks, rows
from pipeline.store.tables import contacts, lookup_steps, netblock_contacts, netblocks

BY_A_PERSON = "by-person"  # why a candidate is rejected that a person objected to: the word may be lifted
BY_ROUTE = "by-route"  # ... that was passed over for the one whom its country's route names: the route may change
BLOCK_BITS = {4: 16, 6: 96}  # host bits of a block: an IPv4 /16, an IPv6 /32
NEAR = 16  # blocks: ranges this close are read as one


@dataclass(frozen=True, slots=True)
class Link:
    """A usable candidate of a network: its netblock_contacts.id, contact and tier, and whether mail to it came back."""

    id: int
    contact_id: int
    mailbox: str
    tier: int
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Known:
    """A network that answers for a range: its outcome, its contacts if it has any, and the mailboxes that a person
    rejected when it was looked up.

    `country` (ISO 3166 alpha-2) is the one whose route counts.  `route`: the kind of the route that had a part in it, empty
    where none had.  `cert`: the mailbox of that route, kept or rejected.  `is_passed_over`: others were passed over for it.
    """

    netblock_id: int
    first: int
    last: int
    version: int
    outcome: Outcome
    links: tuple[Link, ...] = ()  # usable, best first
    expires_at: datetime | None = None
    objected: tuple[str, ...] = ()
    country: str = ""
    route: str = ""
    cert: str = ""
    is_passed_over: bool = False

    @property
    def mailboxes(self) -> tuple[str, ...]:
        return tuple(link.mailbox for link in self.links)

    @property
    def contact(self) -> int | None:
        """The netblock_contacts.id of the first whose mailbox is not dead, else of the first."""
        living = (link.id for link in self.links if not link.is_dead)
        return next(living, self.links[0].id if self.links else None)


@dataclass(frozen=True, slots=True)
class Learnt:
    """One judged answer that is to be stored.  `usable`: the candidates that may be written to, best first.  `steps`: the
    questions behind it."""

    answer: NetworkAnswer
    usable: tuple[Candidate, ...]
    raw: Answer
    expires_at: datetime
    steps: tuple[Step, ...] = ()


def block_of(address: Address) -> Address:
    """Return the first address of the /16 or v6 /32 around an address."""
    bits = BLOCK_BITS[address.version]
    return type(address)(int(address) >> bits << bits)


def known_in(connection: Connection, blocks: Collection[Address], now: datetime) -> list[Known]:
    """Return the networks in these blocks whose answers still hold, the narrowest first, of equal ones the newest."""
    found = []
    for ranges in chunks(_ranges(blocks), 100):
        within = or_(*(netblocks.c.first_address.between(first, last) for first, last in ranges))
        found += rows(connection, NETWORK.where(within, netblocks.c.expires_at > now))
    return sorted(_known(connection, found), key=lambda known: (known.last - known.first, -known.netblock_id))


def _ranges(blocks: Collection[Address]) -> list[tuple[Address, Address]]:
    """Return few ranges that hold all the blocks: what lies near another is read with it."""
    found: list[tuple[Address, Address]] = []
    for block in sorted(blocks, key=lambda block: (block.version, int(block))):
        size = 1 << BLOCK_BITS[block.version]
        last = type(block)(int(block) + size - 1)
        before = found[-1][1] if found else None
        if before is not None and before.version == block.version and int(block) - int(before) <= NEAR * size:
            found[-1] = (found[-1][0], last)
        else:
            found.append((block, last))
    return found


STANDING = netblocks.c.valid_to.is_(None)
RANGE = tuple_(netblocks.c.first_address, netblocks.c.last_address)
NETWORK = select(
    *(netblocks.c[name] for name in ("id", "first_address", "last_address", "outcome", "expires_at", "country"))
).where(STANDING)


def _known(connection: Connection, found: Sequence[Mapping[str, Any]]) -> list[Known]:
    """Return networks with their usable contacts, best first."""
    columns = (netblock_contacts.c[name] for name in ("netblock_id", "id", "tier", "candidate", "rejected"))
    told = netblock_contacts.c.rejected.in_(("", BY_A_PERSON, BY_ROUTE)) | (netblock_contacts.c.tier == Tier.CERT)
    links = (
        select(*columns, contacts.c.id.label("contact_id"), contacts.c.mailbox, contacts.c.state)
        .outerjoin(contacts, contacts.c.id == netblock_contacts.c.contact_id)
        .where(told, netblock_contacts.c.valid_to.is_(None))
        .order_by(netblock_contacts.c.netblock_id, netblock_contacts.c.rank)
    )
    usable: dict[int, list[Link]] = defaultdict(list)
    objected: dict[int, list[str]] = defaultdict(list)
    certs: dict[int, str] = {}
    passed_over: set[int] = set()
    by_route: dict[int, str] = {}
    steps = select(lookup_steps.c.netblock_id, lookup_steps.c.why).where(lookup_steps.c.kind == StepKind.CERT.value)
    for chunk in chunks([row["id"] for row in found]):
        by_route |= {
            row.netblock_id: row.why
            for row in connection.execute(steps.where(any_of(connection, lookup_steps.c.netblock_id, chunk)))
        }
        for one in connection.execute(links.where(any_of(connection, netblock_contacts.c.netblock_id, chunk))):
            if one.tier == Tier.CERT and one.rejected != BY_ROUTE:
                certs.setdefault(one.netblock_id, one.candidate)
            if one.rejected == BY_ROUTE:
                passed_over.add(one.netblock_id)
            elif one.rejected == BY_A_PERSON:
                objected[one.netblock_id].append(one.candidate)
            if one.rejected:
                continue
            dead = one.state == ContactState.DEAD
            usable[one.netblock_id].append(Link(one.id, one.contact_id, one.mailbox, one.tier, dead))
    return [
        Known(
            row["id"],
            int(row["first_address"]),
            int(row["last_address"]),
            row["first_address"].version,
            Outcome(row["outcome"]),
            tuple(usable[row["id"]]),
            row["expires_at"],
            tuple(objected[row["id"]]),
            row["country"],
            by_route.get(row["id"], ""),
            certs.get(row["id"], ""),
            row["id"] in passed_over,
        )
        for row in found
    ]


# --- what was learnt -------------------------------------------------------------------------------------------------


def learn(connection: Connection, learnt: Sequence[Learnt], now: datetime) -> list[Known]:
    """Store judged answers with every candidate, kept or rejected, and return the networks in the same order.

    Of one range the newest answer stands: an older one ends here.
    """
    if not learnt:
        return []
    newest = {_range(item): item for item in learnt}
    raws = [item.raw for item in newest.values()]
    raws += [step.raw for item in newest.values() for step in item.steps if step.raw is not None]
    raw_ids = answers.keep(connection, raws)
    for chunk in chunks(list(newest), 400):
        connection.execute(update(netblocks).where(STANDING, RANGE.in_(chunk)).values(valid_to=now))
    made = (_netblock(item, raw_ids[answers.key_of(item.raw)], now) for item in newest.values())
    insert_rows(connection, netblocks, NETBLOCK_COLUMNS, made)
    found = [row for chunk in chunks(list(newest), 400) for row in rows(connection, NETWORK.where(RANGE.in_(chunk)))]
    ids = {(row["first_address"], row["last_address"]): row["id"] for row in found}
    contact_ids = _keep_contacts(connection, [candidate for item in newest.values() for candidate in item.usable], now)
    links = (
        _link(ids[within], candidate, contact_ids.get(candidate.mailbox) if not candidate.rejected else None, now)
        for within, item in newest.items()
        for candidate in item.answer.candidates
    )
    insert_rows(connection, netblock_contacts, LINK_COLUMNS, links)
    steps = (
        _step(ids[within], number, step, raw_ids)
        for within, item in newest.items()
        for number, step in enumerate(item.steps)
    )
    insert_rows(connection, lookup_steps, STEP_COLUMNS, steps)
    known = {one.netblock_id: one for one in _known(connection, found)}
    return [known[ids[_range(item)]] for item in learnt]


def dead_mailboxes(connection: Connection) -> frozenset[str]:
    """Return the mailboxes that mail came back from for good."""
    query = select(contacts.c.mailbox).where(contacts.c.state == ContactState.DEAD)
    return frozenset(connection.execute(query).scalars())


def end(connection: Connection, netblock_ids: Collection[int], now: datetime) -> None:
    """Let networks answer for nothing from now on: what they rested on was taken back."""
    for chunk in chunks(list(netblock_ids)):
        connection.execute(update(netblocks).where(STANDING, netblocks.c.id.in_(chunk)).values(valid_to=now))


def _range(item: Learnt) -> tuple[Address, Address]:
    if item.answer.cached is None:
        raise ValueError(f"an answer without a range cannot be stored: {item.answer.outcome}")
    return item.answer.cached


NETBLOCK_COLUMNS = (
    *("first_address", "last_address", "registered_first", "registered_last", "outcome", "why", "registry", "handle"),
    *("name", "holder", "country", "region", "postal", "raw_answer_id", "valid_from", "expires_at"),
)


def _netblock(item: Learnt, raw_id: int, now: datetime) -> tuple[Any, ...]:
    one = item.answer
    said = (one.outcome.value, one.why, one.registry, one.handle, one.name, one.holder, one.country, one.region)
    registered = one.registered or (None, None)
    return (*_range(item), *registered, *said, one.postal, raw_id, now, item.expires_at)


def _keep_contacts(connection: Connection, candidates: Sequence[Candidate], now: datetime) -> dict[str, int]:
    if not candidates:
        return {}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    spellings = {candidate.mailbox: candidate.spelling for candidate in candidates}
    values = [
        {"mailbox": mailbox, "spelling": spelling, "state": ContactState.UNTESTED.value, "created_at": now}
        for mailbox, spelling in sorted(spellings.items())
    ]
    connection.execute(dialect.insert(contacts).on_conflict_do_nothing(), values)
    found: dict[str, int] = {}
    for chunk in chunks(list(spellings)):
        query = select(contacts.c.id, contacts.c.mailbox).where(any_of(connection, contacts.c.mailbox, chunk))
        found.update((row.mailbox, row.id) for row in connection.execute(query))
    return found


LINK_COLUMNS = (
    *("netblock_id", "contact_id", "candidate", "tier", "rank", "confidence", "source", "path", "note", "rejected"),
    *("step", "valid_from"),
)


def _link(netblock_id: int, candidate: Candidate, contact_id: int | None, now: datetime) -> tuple[Any, ...]:
    one = candidate
    places = (one.tier, one.rank, one.confidence, one.source, one.path, one.note, one.rejected)
    return (netblock_id, contact_id, one.mailbox, *places, one.step, now)


STEP_COLUMNS = ("netblock_id", "number", "kind", "question", "outcome", "why", "raw_answer_id", "at")


def _step(netblock_id: int, number: int, step: Step, raw_ids: Mapping[answers.Key, int]) -> tuple[Any, ...]:
    raw_id = raw_ids[answers.key_of(step.raw)] if step.raw is not None else None
    return (netblock_id, number, step.kind.value, step.question, step.outcome.value, step.why, raw_id, step.at)
