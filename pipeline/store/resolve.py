"""Statements of the resolve stage about cases: which are due for a contact, and what becomes of them.

Reads: cases SEEN and due, workers, budgets.  Writes: leases, the cases' networks, contacts and states.  Networks and
contacts themselves are in store/netblocks.py.  Safe to repeat: a case that another worker has taken since is left to it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, text, update

from pipeline.domain import Address, CaseState, Event, Outcome
from pipeline.store import lives
from pipeline.store.any_of import any_of
from pipeline.store.db import chunks
from pipeline.store.lives import Lease
from pipeline.store.netblocks import Known
from pipeline.store.tables import budgets, campaigns, cases, targets, workers
from pipeline.store.workers import SILENT_FOR, free

CLAIM_LOCK = 0x746F63736970  # a PostgreSQL advisory lock: one worker at a time claims blocks
GIVEN_BACK: dict[str, Any] = {"worker_id": None}


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


# --- which cases are due ---------------------------------------------------------------------------------------------


def due_count(connection: Connection, now: datetime) -> int:
    """Return how many cases wait for a contact and are due."""
    return int(connection.execute(select(func.count()).select_from(cases).where(_due(now))).scalar_one())


def _due(now: datetime) -> ColumnElement[bool]:
    open_campaigns = select(campaigns.c.id).where(campaigns.c.closed_at.is_(None))
    return (cases.c.state == CaseState.SEEN) & (cases.c.due_at <= now) & cases.c.campaign_id.in_(open_campaigns)


def claim_blocks(connection: Connection, worker_id: int, now: datetime, most_cases: int) -> tuple[Lease, list[DueCase]]:
    """Take a lease on whole blocks (/16, v6 /32) of due cases, about `most_cases` of them, and return the cases.

    A block of which a living worker holds a case is left to that worker, so that no two ask for one network.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIM_LOCK})
    due = _due(now) & free(cases, now)
    claims: dict[int, int] = {}
    for chunk in chunks(_free_blocks(connection, due, now, most_cases)):
        taken = (
            update(cases)
            .where(due, any_of(connection, cases.c.block, chunk))
            .values(worker_id=worker_id, claim=cases.c.claim + 1)
        )
        claims.update((row.id, row.claim) for row in connection.execute(taken.returning(cases.c.id, cases.c.claim)))
    return Lease(worker_id, claims), _claimed(connection, list(claims))


def _free_blocks(connection: Connection, due: ColumnElement[bool], now: datetime, most_cases: int) -> list[Address]:
    living = select(workers.c.id).where(workers.c.ended_at.is_(None), workers.c.heartbeat_at > now - SILENT_FOR)
    workers_now = list(connection.execute(living).scalars())
    some = select(cases.c.block).where(due).order_by(cases.c.block).limit(most_cases)
    after: Address | None = None
    while True:
        wanted = some if after is None else some.where(cases.c.block > after)
        blocks = list(dict.fromkeys(connection.execute(wanted).scalars()))
        held: set[Address] = set()
        for chunk in chunks(blocks):
            busy = select(cases.c.block).where(
                cases.c.state == CaseState.SEEN, any_of(connection, cases.c.block, chunk)
            )
            held |= set(connection.execute(busy.where(cases.c.worker_id.in_(workers_now)).distinct()).scalars())
        if not blocks or len(held) < len(blocks):
            return [block for block in blocks if block not in held]
        after = blocks[-1]


def _claimed(connection: Connection, case_ids: Sequence[int]) -> list[DueCase]:
    columns = (targets.c.address, targets.c.port, targets.c.service, targets.c.topic, campaigns.c.minimum_level)
    query = (
        select(cases.c.id, cases.c.block, *columns)
        .join(targets, targets.c.id == cases.c.target_id)
        .join(campaigns, campaigns.c.id == cases.c.campaign_id)
    )
    return [
        DueCase(*row)
        for chunk in chunks(case_ids)
        for row in connection.execute(query.where(any_of(connection, cases.c.id, chunk)))
    ]


# --- what becomes of the cases ---------------------------------------------------------------------------------------


def settle(connection: Connection, found: Mapping[int, Known], lease: Lease, now: datetime, by: str) -> None:
    """Give cases their network and contact: RESOLVED and due for a check, or NO_CONTACT.

    Cases that another worker has taken since are left to it.
    """
    held = _held(connection, list(found), lease)
    _set_networks(connection, [(id_, found[id_].netblock_id, found[id_].contact) for id_ in held])
    reached = [id_ for id_ in held if found[id_].contact is not None]
    nobody: dict[Outcome, list[int]] = defaultdict(list)
    for id_ in held:
        if found[id_].contact is None:
            nobody[found[id_].outcome].append(id_)

    def where(id_: int) -> dict[str, Any]:
        return {"netblock": found[id_].netblock_id, "link": found[id_].contact}

    due = GIVEN_BACK | {"due_at": now}
    lives.advance(connection, reached, Event.CASE_CONTACT_FOUND, now, by, data=where, values=due)
    for outcome, ids in nobody.items():
        _no_contact(connection, ids, outcome.value, now, by, where)


def settle_special(connection: Connection, case_ids: Mapping[int, str], lease: Lease, now: datetime, by: str) -> None:
    """Cases in special-purpose space: there is nobody to ask."""
    by_why: dict[str, list[int]] = defaultdict(list)
    for id_ in _held(connection, list(case_ids), lease):
        by_why[case_ids[id_]].append(id_)
    for why, ids in by_why.items():
        _no_contact(connection, ids, f"{Outcome.SPECIAL}:{why}", now, by, lambda _: {})


def _no_contact(
    connection: Connection, ids: Sequence[int], why: str, now: datetime, by: str, data: Callable[[int], dict[str, Any]]
) -> None:
    gone = GIVEN_BACK | {"due_at": None}
    lives.advance(connection, ids, Event.CASE_NO_CONTACT, now, by, why=why, data=data, values=gone)


def put_off(connection: Connection, case_ids: Collection[int], lease: Lease, until: datetime) -> None:
    """Give cases back, due later: their registry refused, or what it said could not be used."""
    for chunk in chunks(_held(connection, list(case_ids), lease)):
        changed = update(cases).where(any_of(connection, cases.c.id, chunk))
        connection.execute(changed.values(due_at=until, **GIVEN_BACK))


def _held(connection: Connection, case_ids: Sequence[int], lease: Lease) -> list[int]:
    """Return those of the cases that the lease still holds, locked."""
    held: list[int] = []
    query = select(cases.c.id, cases.c.claim).where(cases.c.worker_id == lease.worker_id)
    for chunk in chunks(case_ids):
        found = connection.execute(query.where(any_of(connection, cases.c.id, chunk)).with_for_update())
        held += [row.id for row in found if lease.claims.get(row.id) == row.claim]
    return held


SET_NETWORKS = """UPDATE cases SET netblock_id = v.netblock, netblock_contact_id = v.link
FROM unnest(CAST(:ids AS bigint[]), CAST(:netblocks AS bigint[]), CAST(:links AS bigint[])) AS v (id, netblock, link)
WHERE cases.id = v.id"""


def _set_networks(connection: Connection, networks: Sequence[tuple[int, int, int | None]]) -> None:
    if not networks:
        return
    if connection.dialect.name == "postgresql":
        ids, blocks, links = (list(column) for column in zip(*networks, strict=True))
        connection.execute(text(SET_NETWORKS), {"ids": ids, "netblocks": blocks, "links": links})
        return
    statement = "UPDATE cases SET netblock_id = ?2, netblock_contact_id = ?3 WHERE id = ?1"
    connection.exec_driver_sql(statement, list(networks))


def paused(connection: Connection, keys: Collection[str], now: datetime) -> dict[str, datetime]:
    """Return until when nothing may be asked of the budgets whose holder told us to wait, or has no slot before."""
    query = select(budgets.c.key, budgets.c.next_at).where(budgets.c.key.in_(keys), budgets.c.next_at > now)
    return {row.key: row.next_at for row in connection.execute(query)}
