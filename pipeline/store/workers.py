"""Workers, their heartbeats, and leases on rows.

Reads and writes: workers, and the lease columns (worker_id, claim) of the tables that have them.  A lease is void when its
worker has ended or has not been heard of for 30 s.  Each claim raises the row's claim number, and every later write says
so: a worker that was frozen and woke stops before its effect.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Table, exists, insert, or_, select, update

from pipeline.store.db import chunks
from pipeline.store.lives import Lease
from pipeline.store.tables import workers

SILENT_FOR = timedelta(seconds=30)


def register(connection: Connection, host: str, pid: int, *, planner: bool, now: datetime) -> int:
    """Add a worker and return its id.  A planner takes over: the leases of every earlier planner are void at once."""
    if planner:
        connection.execute(
            update(workers).where(workers.c.planner == 1, workers.c.ended_at.is_(None)).values(ended_at=now)
        )
    row = insert(workers).values(host=host, pid=pid, planner=int(planner), started_at=now, heartbeat_at=now)
    return int(connection.execute(row.returning(workers.c.id)).scalar_one())


def beat(connection: Connection, worker_id: int, now: datetime) -> bool:
    """Say that the worker lives; False if it has been declared ended meanwhile."""
    alive = update(workers).where(workers.c.id == worker_id, workers.c.ended_at.is_(None)).values(heartbeat_at=now)
    return connection.execute(alive).rowcount == 1


def end(connection: Connection, worker_id: int, now: datetime) -> None:
    """Say that the worker has ended; its leases are void."""
    connection.execute(update(workers).where(workers.c.id == worker_id).values(ended_at=now))


def free(table: Table, now: datetime) -> ColumnElement[bool]:
    """The condition that nobody living holds a row of `table`."""
    return unheld(table, now - SILENT_FOR)


def unheld(table: Table, since: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition that nobody holds a row of `table` of whom anything was heard since, for statements that are kept."""
    living = select(workers.c.id).where(
        workers.c.id == table.c.worker_id, workers.c.ended_at.is_(None), workers.c.heartbeat_at > since
    )
    return or_(table.c.worker_id.is_(None), ~exists(living))


def claim(
    connection: Connection,
    table: Table,
    due: ColumnElement[bool],
    worker_id: int,
    now: datetime,
    limit: int,
    *order: Any,
) -> Lease:
    """Take a lease on at most `limit` due and free rows, in the given order, and return it."""
    wanted = select(table.c.id).where(due, free(table, now)).order_by(*order).limit(limit)
    ids = list(connection.execute(wanted.with_for_update(skip_locked=True)).scalars())
    claims: dict[int, int] = {}
    for chunk in chunks(ids):
        taken = update(table).where(table.c.id.in_(chunk)).values(worker_id=worker_id, claim=table.c.claim + 1)
        claims.update((row.id, row.claim) for row in connection.execute(taken.returning(table.c.id, table.c.claim)))
    return Lease(worker_id, claims)


def release(connection: Connection, table: Table, lease: Lease) -> None:
    """Give rows back; rows that another worker has taken since stay with it."""
    for chunk in chunks(list(lease.claims)):
        mine = table.c.id.in_(chunk) & (table.c.worker_id == lease.worker_id)
        connection.execute(update(table).where(mine).values(worker_id=None))
