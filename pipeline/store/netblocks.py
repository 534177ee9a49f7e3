"""Networks that answer for addresses, and whom they name: what registries said, kept with every candidate.

Reads: netblocks, netblock_contacts, contacts.  Writes: raw answers, netblocks, contacts, netblock_contacts.  A contact is
unique by mailbox, a raw answer by hash and source; of one range the newest answer stands, so storing again adds no second.
"""

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Address, Answer, Candidate, ContactState, NetworkAnswer, Outcome
from pipeline.store.any_of import any_of
from pipeline.store.bulk import insert_rows
from pipeline.store.db import chunks, rows
from pipeline.store.tables import contacts, netblock_contacts, netblocks, raw_answers

BLOCK_BITS = {4: 16, 6: 96}  # host bits of a block: an IPv4 /16, an IPv6 /32
NEAR = 16  # blocks: ranges this close are read as one


@dataclass(frozen=True, slots=True)
class Known:
    """A network that answers for a range: its outcome, and the best contact if it has one."""

    netblock_id: int
    first: int
    last: int
    version: int
    outcome: Outcome
    contact: int | None  # netblock_contacts.id


@dataclass(frozen=True, slots=True)
class Learnt:
    """One judged answer that is to be stored.  `usable`: the candidates that may be written to, best first."""

    answer: NetworkAnswer
    usable: tuple[Candidate, ...]
    raw: Answer
    expires_at: datetime


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
NETWORK = select(netblocks.c.id, netblocks.c.first_address, netblocks.c.last_address, netblocks.c.outcome).where(
    STANDING
)


def _known(connection: Connection, found: Sequence[Mapping[str, Any]]) -> list[Known]:
    """Return networks with the best contact of each: the first usable one whose mailbox is not dead, else the first."""
    dead = case((contacts.c.state == ContactState.DEAD, 1), else_=0)
    links = (
        select(netblock_contacts.c.netblock_id, netblock_contacts.c.id)
        .join(contacts, contacts.c.id == netblock_contacts.c.contact_id)
        .where(netblock_contacts.c.rejected == "", netblock_contacts.c.valid_to.is_(None))
        .order_by(dead.desc(), netblock_contacts.c.rank.desc())
    )
    best: dict[int, int] = {}
    for chunk in chunks([row["id"] for row in found]):
        for netblock_id, link_id in connection.execute(
            links.where(any_of(connection, netblock_contacts.c.netblock_id, chunk))
        ):
            best[netblock_id] = link_id
    return [
        Known(
            row["id"],
            int(row["first_address"]),
            int(row["last_address"]),
            row["first_address"].version,
            Outcome(row["outcome"]),
            best.get(row["id"]),
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
    raw_ids = _keep_raw(connection, [item.raw for item in newest.values()])
    for chunk in chunks(list(newest), 400):
        connection.execute(update(netblocks).where(STANDING, RANGE.in_(chunk)).values(valid_to=now))
    made = (_netblock(item, raw_ids[_raw_key(item.raw)], now) for item in newest.values())
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
    known = {one.netblock_id: one for one in _known(connection, found)}
    return [known[ids[_range(item)]] for item in learnt]


def _range(item: Learnt) -> tuple[Address, Address]:
    if item.answer.cached is None:
        raise ValueError(f"an answer without a range cannot be stored: {item.answer.outcome}")
    return item.answer.cached


def _raw_key(raw: Answer) -> tuple[bytes, str]:
    return hashlib.sha256(raw.body).digest(), raw.source


def _keep_raw(connection: Connection, answers: Sequence[Answer]) -> dict[tuple[bytes, str], int]:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = [
        {
            "sha256": _raw_key(raw)[0],
            "source": raw.source,
            "content_type": raw.content_type,
            "status": raw.status,
            "body": zlib.compress(raw.body, 6),
            "at": raw.at,
        }
        for raw in answers
    ]
    connection.execute(dialect.insert(raw_answers).on_conflict_do_nothing(), values)
    found: dict[tuple[bytes, str], int] = {}
    for chunk in chunks([value["sha256"] for value in values]):
        query = select(raw_answers.c.id, raw_answers.c.sha256, raw_answers.c.source)
        for row in connection.execute(query.where(any_of(connection, raw_answers.c.sha256, chunk))):
            found[bytes(row.sha256), row.source] = row.id
    return found


NETBLOCK_COLUMNS = (
    *("first_address", "last_address", "registered_first", "registered_last", "outcome", "why", "registry", "handle"),
    *("name", "holder", "country", "region", "raw_answer_id", "valid_from", "expires_at"),
)


def _netblock(item: Learnt, raw_id: int, now: datetime) -> tuple[Any, ...]:
    one = item.answer
    said = (one.outcome.value, one.why, one.registry, one.handle, one.name, one.holder, one.country, one.region)
    return (*_range(item), *(one.registered or (None, None)), *said, raw_id, now, item.expires_at)


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
    "valid_from",
)


def _link(netblock_id: int, candidate: Candidate, contact_id: int | None, now: datetime) -> tuple[Any, ...]:
    one = candidate
    places = (one.tier, one.rank, one.confidence, one.source, one.path, one.note, one.rejected)
    return (netblock_id, contact_id, one.mailbox, *places, now)
