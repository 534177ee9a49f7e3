"""Statements of the resolve stage: cases that need a contact, networks that answer for them, contacts and candidates.

Reads: cases SEEN and due, netblocks.  Writes: raw answers, netblocks, contacts, netblock_contacts, the cases' contacts and
states.  A contact is unique by mailbox, a raw answer by hash and source: storing twice adds nothing.
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Address, Answer, Candidate, CaseState, ContactState, Event, NetworkAnswer, Outcome
from pipeline.store import lives
from pipeline.store.db import chunks, rows
from pipeline.store.lives import Lease
from pipeline.store.tables import campaigns, cases, contacts, netblock_contacts, netblocks, raw_answers, targets
from pipeline.store.workers import free


@dataclass(frozen=True, slots=True)
class DueCase:
    """A case without a contact, with its target."""

    id: int
    block: Address
    address: Address
    port: int
    service: str
    topic: str
    minimum_level: int


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


def claim_blocks(connection: Connection, worker_id: int, now: datetime, most_cases: int) -> tuple[Lease, list[DueCase]]:
    """Take a lease on whole blocks (/16, v6 /32) of due cases, about `most_cases` of them, and return the cases."""
    due = (cases.c.state == CaseState.SEEN) & (cases.c.due_at <= now) & free(cases, now)
    some = select(cases.c.block).where(due).order_by(cases.c.block, cases.c.id).limit(most_cases)
    blocks = sorted(set(connection.execute(some).scalars()), key=lambda block: block.packed)
    claims: dict[int, int] = {}
    for chunk in chunks(blocks):
        ids = list(
            connection.execute(select(cases.c.id).where(due, cases.c.block.in_(chunk)).with_for_update()).scalars()
        )
        for part in chunks(ids):
            taken = update(cases).where(cases.c.id.in_(part)).values(worker_id=worker_id, claim=cases.c.claim + 1)
            claims.update((row.id, row.claim) for row in connection.execute(taken.returning(cases.c.id, cases.c.claim)))
    found = []
    for chunk in chunks(list(claims)):
        query = (
            select(
                cases.c.id,
                cases.c.block,
                targets.c.address,
                targets.c.port,
                targets.c.service,
                targets.c.topic,
                campaigns.c.minimum_level,
            )
            .join(targets, targets.c.id == cases.c.target_id)
            .join(campaigns, campaigns.c.id == cases.c.campaign_id)
            .where(cases.c.id.in_(chunk))
        )
        found += [DueCase(**row) for row in rows(connection, query)]
    return Lease(worker_id, claims), found


def due_count(connection: Connection, now: datetime) -> int:
    """Return how many cases wait for a contact and are due."""
    query = select(func.count()).where(cases.c.state == CaseState.SEEN, cases.c.due_at <= now)
    return int(connection.execute(query).scalar_one())


def known_between(connection: Connection, first: Address, last: Address, now: datetime) -> list[Known]:
    """Return the networks that still answer for ranges in [first, last], the narrowest and newest last."""
    best = (
        select(func.min(netblock_contacts.c.rank))
        .where(
            netblock_contacts.c.netblock_id == netblocks.c.id,
            netblock_contacts.c.rejected == "",
            netblock_contacts.c.valid_to.is_(None),
        )
        .scalar_subquery()
    )
    link = (
        select(netblock_contacts.c.id)
        .where(netblock_contacts.c.netblock_id == netblocks.c.id, netblock_contacts.c.rank == best)
        .scalar_subquery()
    )
    query = select(
        netblocks.c.id, netblocks.c.first_address, netblocks.c.last_address, netblocks.c.outcome, link.label("contact")
    ).where(
        netblocks.c.first_address >= first,
        netblocks.c.first_address <= last,
        netblocks.c.valid_to.is_(None),
        netblocks.c.expires_at > now,
    )
    found = [
        Known(
            row["id"],
            int(row["first_address"]),
            int(row["last_address"]),
            row["first_address"].version,
            Outcome(row["outcome"]),
            row["contact"],
        )
        for row in rows(connection, query.order_by(netblocks.c.id))
    ]
    return sorted(found, key=lambda known: (known.first - known.last, known.netblock_id))


def learn(connection: Connection, learnt: Sequence[Learnt], now: datetime) -> list[Known]:
    """Store judged answers with every candidate, kept or rejected, and return the networks in the same order."""
    raw_ids = _keep_raw(connection, [item.raw for item in learnt])
    blocks = insert(netblocks).returning(netblocks.c.id, sort_by_parameter_order=True)
    values = [_netblock(item, raw_ids[_raw_key(item.raw)], now) for item in learnt]
    ids = list(connection.execute(blocks, values).scalars())
    contact_ids = _keep_contacts(connection, [candidate for item in learnt for candidate in item.usable], now)
    lines = [
        _link(block_id, candidate, contact_ids.get(candidate.mailbox) if not candidate.rejected else None, now)
        for block_id, item in zip(ids, learnt, strict=True)
        for candidate in item.answer.candidates
    ]
    best: dict[int, int] = {}
    if lines:
        links = insert(netblock_contacts).returning(netblock_contacts.c.id, sort_by_parameter_order=True)
        made = zip(connection.execute(links, lines).scalars(), lines, strict=True)
        for link_id, line in sorted(made, key=lambda pair: pair[1]["rank"], reverse=True):
            if line["contact_id"] is not None:
                best[line["netblock_id"]] = link_id
    return [
        Known(
            block_id,
            int(value["first_address"]),
            int(value["last_address"]),
            value["first_address"].version,
            item.answer.outcome,
            best.get(block_id),
        )
        for block_id, value, item in zip(ids, values, learnt, strict=True)
    ]


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
        for row in connection.execute(query.where(raw_answers.c.sha256.in_(chunk))):
            found[bytes(row.sha256), row.source] = row.id
    return found


def _netblock(item: Learnt, raw_id: int, now: datetime) -> dict[str, Any]:
    answer = item.answer
    if answer.cached is None:
        raise ValueError(f"an answer without a range cannot be stored: {answer.outcome}")
    registered = answer.registered or (None, None)
    return {
        "first_address": answer.cached[0],
        "last_address": answer.cached[1],
        "registered_first": registered[0],
        "registered_last": registered[1],
        "outcome": answer.outcome.value,
        "why": answer.why,
        "registry": answer.registry,
        "handle": answer.handle,
        "name": answer.name,
        "holder": answer.holder,
        "country": answer.country,
        "region": answer.region,
        "raw_answer_id": raw_id,
        "valid_from": now,
        "expires_at": item.expires_at,
    }


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
        query = select(contacts.c.id, contacts.c.mailbox).where(contacts.c.mailbox.in_(chunk))
        found.update((row.mailbox, row.id) for row in connection.execute(query))
    return found


def _link(netblock_id: int, candidate: Candidate, contact_id: int | None, now: datetime) -> dict[str, Any]:
    return {
        "netblock_id": netblock_id,
        "contact_id": contact_id,
        "candidate": candidate.mailbox,
        "tier": candidate.tier,
        "rank": candidate.rank,
        "confidence": candidate.confidence,
        "source": candidate.source,
        "path": candidate.path,
        "note": candidate.note,
        "rejected": candidate.rejected,
        "valid_from": now,
    }


def settle(connection: Connection, found: Mapping[int, Known], lease: Lease, now: datetime, by: str) -> None:
    """Give cases their network and contact: RESOLVED and due for a check, or NO_CONTACT."""
    if not found:
        return
    statement = (
        update(cases)
        .where(cases.c.id == bindparam("case"))
        .values(netblock_id=bindparam("netblock"), netblock_contact_id=bindparam("contact"))
    )
    values = [{"case": case, "netblock": known.netblock_id, "contact": known.contact} for case, known in found.items()]
    connection.execute(statement, values)
    reached = [case for case, known in found.items() if known.contact is not None]
    nobody: dict[Outcome, list[int]] = defaultdict(list)
    for case, known in found.items():
        if known.contact is None:
            nobody[known.outcome].append(case)

    def where(case: int) -> dict[str, Any]:
        return {"netblock": found[case].netblock_id, "link": found[case].contact}

    given_back = {"worker_id": None, "due_at": now}
    lives.advance(connection, reached, Event.CASE_CONTACT_FOUND, now, by, data=where, lease=lease, values=given_back)
    for outcome, ids in nobody.items():
        gone = {"worker_id": None, "due_at": None}
        lives.advance(
            connection, ids, Event.CASE_NO_CONTACT, now, by, why=outcome.value, data=where, lease=lease, values=gone
        )


def settle_special(connection: Connection, case_ids: Mapping[int, str], lease: Lease, now: datetime, by: str) -> None:
    """Cases in special-purpose space: there is nobody to ask."""
    by_why: dict[str, list[int]] = defaultdict(list)
    for case, why in case_ids.items():
        by_why[why].append(case)
    for why, ids in by_why.items():
        gone = {"worker_id": None, "due_at": None}
        lives.advance(connection, ids, Event.CASE_NO_CONTACT, now, by, why=f"special:{why}", lease=lease, values=gone)


def put_off(connection: Connection, case_ids: Sequence[int], lease: Lease, until: datetime) -> None:
    """Give cases back, due later: their registry refused, or what it said could not be used."""
    for chunk in chunks(case_ids):
        mine = cases.c.id.in_(chunk) & (cases.c.worker_id == lease.worker_id)
        connection.execute(update(cases).where(mine).values(worker_id=None, due_at=until))


def block_of(address: Address) -> Address:
    """Return the first address of the /16 or v6 /32 around an address."""
    if isinstance(address, IPv4Address):
        return IPv4Address(int(address) & 0xFFFF0000)
    return IPv6Address(int(address) >> 96 << 96)
