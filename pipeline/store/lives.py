"""The one writer of states: cases, letters and waves move here or not at all.

Each move names the event, must stand in TRANSITIONS, and leaves an event in the same transaction.  A move that is not
allowed raises and changes nothing.  A worker that lost its lease finds its claim number raised and stops (LeaseLost).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, bindparam, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from pipeline.domain import TRANSITIONS, CaseState, Event, LetterState, State, WaveState, next_state
from pipeline.store import events
from pipeline.store.db import chunks
from pipeline.store.many import among
from pipeline.store.tables import cases, letters, waves


class LeaseLost(Exception):
    """Another worker has taken the row since: stop before any effect."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on rows: each row's claim number as this worker raised it."""

    worker_id: int
    claims: Mapping[int, int]


LIVES: dict[str, tuple[Table, type[State]]] = {
    "case": (cases, CaseState),
    "letter": (letters, LetterState),
    "wave": (waves, WaveState),
}


def advance(
    connection: Connection,
    ids: Sequence[int],
    event: Event,
    now: datetime,
    by: str,
    *,
    why: str = "",
    data: Callable[[int], Mapping[str, Any]] | None = None,
    lease: Lease | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Move rows by one event, all or none, and write an event for each.

    `event` names the kind (`letter.handed`).  `values` are further columns set on every row.  Raises ForbiddenMove if one
    of the rows may not take the event, LeaseLost if one is no longer held by `lease`, LookupError if one does not exist.
    """
    kind = event.value.split(".")[0]
    table, states = LIVES[kind]
    for chunk in chunks(ids):
        moves = _check(connection, table, states, chunk, event, lease)
        for new, moved in moves.items():
            set_ = {"state": new.value, **(values or {})}
            statement = _moving(connection.dialect.name, table, tuple(set_))
            given = {f"new_{name}": value for name, value in set_.items()}
            changed = connection.execute(statement, {"ids": [i for i, _ in moved], **given})
            if changed.rowcount != len(moved):
                raise LookupError(f"{len(moved) - changed.rowcount} rows of {table.name} went away")
        entries = [
            events.Entry(event.value, kind, row, campaign, why, data(row) if data else None)
            for moved in moves.values()
            for row, campaign in moved
        ]
        events.write(connection, entries, now, by)


def take(connection: Connection, ids: Sequence[int], event: Event, now: datetime, by: str, worker_id: int) -> Lease:
    """Move rows that are due to a worker, all or none, by one statement; write an event for each; return the lease.

    Each row's claim number is raised, its attempts are counted, and why it waited is forgotten.  Raises ForbiddenMove or
    LookupError as `advance` does; the caller's transaction must not be committed then.
    """
    kind = event.value.split(".")[0]
    table, states = LIVES[kind]
    taking = _taking(connection.dialect.name, table, event)
    claims: dict[int, int] = {}
    campaigns: dict[int, int] = {}
    for chunk in chunks(ids):
        for row in connection.execute(taking, {"ids": list(chunk), "worker": worker_id}):
            claims[row.id], campaigns[row.id] = row.claim, row.campaign_id
    if others := [i for i in ids if i not in claims]:
        _check(connection, table, states, others, event, None)
        raise LookupError(f"{len(others)} rows of {table.name} changed meanwhile")
    events.write(connection, [events.Entry(event.value, kind, i, campaigns[i]) for i in dict.fromkeys(ids)], now, by)
    return Lease(worker_id, claims)


def _check(
    connection: Connection,
    table: Table,
    states: type[State],
    ids: Sequence[int],
    event: Event,
    lease: Lease | None,
) -> dict[State, list[tuple[int, int]]]:
    """Lock the rows and return {new state: [(id, campaign id)]}; raises before anything is changed."""
    statement = _standing(connection.dialect.name, table, leased=lease is not None)
    found = connection.execute(statement, {"ids": list(ids)}).all()
    if len(found) != len(set(ids)):
        raise LookupError(f"{len(set(ids)) - len(found)} of {len(ids)} rows of {table.name} do not exist")
    moves: dict[State, list[tuple[int, int]]] = {}
    for row in found:
        if lease is not None and (row.worker_id, row.claim) != (lease.worker_id, lease.claims.get(row.id)):
            raise LeaseLost(f"{table.name} {row.id} has been taken by another worker")
        moves.setdefault(next_state(states(row.state), event), []).append((row.id, row.campaign_id))
    return moves


@cache  # statements are made once: making one costs more than running it
def _standing(dialect: str, table: Table, *, leased: bool) -> Select[Any]:
    columns = [table.c.id, table.c.state, table.c.campaign_id]
    if leased:
        columns += [table.c.worker_id, table.c.claim]
    return select(*columns).where(among(dialect, table.c.id, "ids")).with_for_update()


@cache
def _moving(dialect: str, table: Table, names: tuple[str, ...]) -> Update:
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    return update(table).where(among(dialect, table.c.id, "ids")).values(values)


@cache
def _taking(dialect: str, table: Table, event: Event) -> ReturningUpdate[Any]:
    """Change only rows in a state that may take the event; of a row that was waited for, the database asks again."""
    moves = {state: to[event] for state, to in TRANSITIONS[LIVES[event.value.split(".")[0]][1]].items() if event in to}
    [new] = set(moves.values())
    taken = update(table).where(among(dialect, table.c.id, "ids"), table.c.state.in_([state.value for state in moves]))
    raised = {"claim": table.c.claim + 1, "attempts": table.c.attempts + 1}
    taken = taken.values(state=new.value, worker_id=bindparam("worker"), reason="", **raised)
    return taken.returning(table.c.id, table.c.claim, table.c.campaign_id)
