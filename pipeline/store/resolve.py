"""Statements of the resolve stage about cases: which are due for a contact, and what becomes of them.

Reads: cases due, workers, budgets.  Writes: leases, the cases' networks, contacts and states.  Networks and
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
from pipeline.store.tables import budgets, campaigns, cases, netblock_contacts, targets, workers
from pipeline.store.types import microseconds
from pipeline.store.workers import SILENT_FOR, free

CLAIM_LOCK = 0x746F63736970  # a PostgreSQL advisory lock: one worker at a time claims blocks
GIVEN_BACK: dict[str, Any] = {"worker_id": None}


@dataclass(frozen=True, slots=True)
class DueCase:
    """A case whose contact is to be looked up, with its target."""

    id: int
    block: Address
    address: Address
    port: int
    service: str
    topic: str
    minimum_level: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What a case is to be given: its network, the candidate in use (netblock_contacts.id; None: nobody), whose mailbox
    that is, what the network's outcome is, and until when all that holds."""

    netblock_id: int
    link: int | None
    contact_id: int | None
    outcome: Outcome
    until: datetime | None


# --- which cases are due ---------------------------------------------------------------------------------------------


def due_count(connection: Connection, now: datetime) -> int:
    """Return how many cases wait for a contact and are due."""
    return int(connection.execute(select(func.count()).select_from(cases).where(_due(now))).scalar_one())


def _due(now: datetime) -> ColumnElement[bool]:
    """Without a contact and due, or with one that is to be looked up anew before anything is written to it."""
    open_campaigns = select(campaigns.c.id).where(campaigns.c.closed_at.is_(None))
    without = cases.c.state.in_([CaseState.SEEN.value, CaseState.NO_CONTACT.value]) & (cases.c.due_at <= now)
    anew = (cases.c.state == CaseState.RESOLVED) & (cases.c.contact_due_at <= now)
    return (without | anew) & cases.c.campaign_id.in_(open_campaigns)


def due_blocks(connection: Connection, now: datetime) -> list[Address]:
    """Return the blocks (/16, v6 /32) of due cases that no living worker holds a case of, those of the most cases first."""
    due = _due(now) & free(cases, now)
    count = func.count()
    query = select(cases.c.block).where(due).group_by(cases.c.block).order_by(count.desc(), cases.c.block)
    held = set(
        connection.execute(select(cases.c.block).where(_held_by_the_living(connection, now)).distinct()).scalars()
    )
    return [block for block in connection.execute(query).scalars() if block not in held]


def _held_by_the_living(connection: Connection, now: datetime) -> ColumnElement[bool]:
    living = select(workers.c.id).where(workers.c.ended_at.is_(None), workers.c.heartbeat_at > now - SILENT_FOR)
    at_work = list(connection.execute(living).scalars())
    waiting = [CaseState.SEEN.value, CaseState.NO_CONTACT.value, CaseState.RESOLVED.value]
    return cases.c.state.in_(waiting) & cases.c.worker_id.in_(at_work)


def claim_blocks(
    connection: Connection, worker_id: int, now: datetime, blocks: Sequence[Address]
) -> tuple[Lease, list[DueCase]]:
    """Take a lease on all due cases of some blocks, and return them.

    A block of which a living worker holds a case is left to that worker, so that no two ask for one network.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CLAIM_LOCK})
    due = _due(now) & free(cases, now)
    busy = select(cases.c.block).where(_held_by_the_living(connection, now))
    claims: dict[int, int] = {}
    for chunk in chunks(blocks):
        here = any_of(connection, cases.c.block, chunk)
        held = set(connection.execute(busy.where(here).distinct()).scalars())
        if wanted := [block for block in chunk if block not in held]:
            taken = update(cases).where(due, any_of(connection, cases.c.block, wanted))
            taken = taken.values(worker_id=worker_id, claim=cases.c.claim + 1)
            found = connection.execute(taken.returning(cases.c.id, cases.c.claim))
            claims.update((row.id, row.claim) for row in found)
    return Lease(worker_id, claims), _claimed(connection, list(claims))


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


def settle(connection: Connection, found: Mapping[int, Settled], lease: Lease, now: datetime, by: str) -> None:
    """Give cases their network and contact: RESOLVED and due for a check, or NO_CONTACT and looked at again later.

    A case that had a contact and gets the same one only has its network renewed.  Cases that another worker has taken
    since are left to it.
    """
    held = _held(connection, list(found), lease)
    before = _contacts_before(connection, [id_ for id_, state in held.items() if state == CaseState.RESOLVED])
    _set_networks(connection, [(id_, found[id_]) for id_ in held])
    moves: dict[tuple[Event | None, str], list[int]] = defaultdict(list)
    for id_, state in held.items():
        moves[_move(state, before.get(id_), found[id_])].append(id_)

    def where(id_: int) -> dict[str, Any]:
        return {"netblock": found[id_].netblock_id, "link": found[id_].link}

    for (event, why), ids in moves.items():
        values = GIVEN_BACK | ({"due_at": now} if event is Event.CASE_CONTACT_FOUND else {})
        if event is None:
            _give_back(connection, ids, {})
        elif event is Event.CASE_NO_CONTACT:
            _no_contact(connection, ids, why, now, by, where)
        else:
            lives.advance(connection, ids, event, now, by, why=why, data=where, values=values)
    _set_later(connection, [(id_, found[id_].until) for id_ in held if found[id_].link is None])


def _move(state: CaseState, contact_before: int | None, now: Settled) -> tuple[Event | None, str]:
    """Return the event that a case takes, and why; no event where nothing changes."""
    if now.link is None:
        return (None, "") if state is CaseState.NO_CONTACT else (Event.CASE_NO_CONTACT, now.outcome.value)
    if state is not CaseState.RESOLVED:
        return Event.CASE_CONTACT_FOUND, ""
    return (None, "") if now.contact_id == contact_before else (Event.CASE_NEXT_CONTACT, "looked-up-anew")


def _contacts_before(connection: Connection, case_ids: Sequence[int]) -> dict[int, int]:
    links = netblock_contacts.c
    query = select(cases.c.id, links.contact_id).join(netblock_contacts, links.id == cases.c.netblock_contact_id)
    return {
        row.id: row.contact_id
        for chunk in chunks(case_ids)
        for row in connection.execute(query.where(any_of(connection, cases.c.id, chunk)))
    }


def settle_special(connection: Connection, case_ids: Mapping[int, str], lease: Lease, now: datetime, by: str) -> None:
    """Cases in special-purpose space: there is nobody to ask."""
    by_why: dict[str, list[int]] = defaultdict(list)
    for id_, state in _held(connection, list(case_ids), lease).items():
        by_why[case_ids[id_] if state is not CaseState.NO_CONTACT else ""].append(id_)
    for why, ids in by_why.items():
        if why:
            _no_contact(connection, ids, f"{Outcome.SPECIAL}:{why}", now, by, lambda _: {})
        else:
            _give_back(connection, ids, {"due_at": None})


def _no_contact(
    connection: Connection, ids: Sequence[int], why: str, now: datetime, by: str, data: Callable[[int], dict[str, Any]]
) -> None:
    gone = GIVEN_BACK | {"due_at": None, "contact_due_at": None}
    lives.advance(connection, ids, Event.CASE_NO_CONTACT, now, by, why=why, data=data, values=gone)


def put_off(connection: Connection, case_ids: Collection[int], lease: Lease, until: datetime) -> None:
    """Give cases back, due later: their registry refused, or what it said could not be used."""
    by_column: dict[str, list[int]] = defaultdict(list)
    for id_, state in _held(connection, list(case_ids), lease).items():
        by_column["contact_due_at" if state is CaseState.RESOLVED else "due_at"].append(id_)
    for column, ids in by_column.items():
        _give_back(connection, ids, {column: until})


def _give_back(connection: Connection, ids: Sequence[int], values: Mapping[str, Any]) -> None:
    for chunk in chunks(ids):
        changed = update(cases).where(any_of(connection, cases.c.id, chunk))
        connection.execute(changed.values(**GIVEN_BACK, **values))


def _held(connection: Connection, case_ids: Sequence[int], lease: Lease) -> dict[int, CaseState]:
    """Return those of the cases that the lease still holds, locked, each with its state."""
    held: dict[int, CaseState] = {}
    query = select(cases.c.id, cases.c.claim, cases.c.state).where(cases.c.worker_id == lease.worker_id)
    for chunk in chunks(case_ids):
        found = connection.execute(query.where(any_of(connection, cases.c.id, chunk)).with_for_update())
        held |= {row.id: CaseState(row.state) for row in found if lease.claims.get(row.id) == row.claim}
    return held


SET_NETWORKS = """UPDATE cases SET netblock_id = v.netblock, netblock_contact_id = v.link, contact_due_at = v.until
FROM unnest(CAST(:ids AS bigint[]), CAST(:netblocks AS bigint[]), CAST(:links AS bigint[]),
            CAST(:until AS timestamptz[])) AS v (id, netblock, link, until)
WHERE cases.id = v.id"""


def _set_networks(connection: Connection, networks: Sequence[tuple[int, Settled]]) -> None:
    if not networks:
        return
    given = [(id_, one.netblock_id, one.link, one.until if one.link is not None else None) for id_, one in networks]
    if connection.dialect.name == "postgresql":
        ids, blocks, links, until = (list(column) for column in zip(*given, strict=True))
        connection.execute(text(SET_NETWORKS), {"ids": ids, "netblocks": blocks, "links": links, "until": until})
        return
    statement = "UPDATE cases SET netblock_id = ?2, netblock_contact_id = ?3, contact_due_at = ?4 WHERE id = ?1"
    plain = [(id_, block, link, None if at is None else microseconds(at)) for id_, block, link, at in given]
    connection.exec_driver_sql(statement, plain)


def _set_later(connection: Connection, due: Sequence[tuple[int, datetime | None]]) -> None:
    """Say when cases without a contact are looked at again: few times for many cases."""
    by_time: dict[datetime | None, list[int]] = defaultdict(list)
    for id_, until in due:
        by_time[until].append(id_)
    for until, ids in by_time.items():
        _give_back(connection, ids, {"due_at": until})


def paused(connection: Connection, keys: Collection[str], now: datetime) -> dict[str, datetime]:
    """Return until when nothing may be asked of the budgets whose holder told us to wait, or has no slot before."""
    query = select(budgets.c.key, budgets.c.next_at).where(budgets.c.key.in_(keys), budgets.c.next_at > now)
    return {row.key: row.next_at for row in connection.execute(query)}
