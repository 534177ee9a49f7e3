"""Statements of sealing: the events that no seal covers yet, in their order, and the seals.

Reads: events.  Writes: seals, which are only ever added.  Safe to repeat, and by two at once: a number, a head before and a
last event each stand in one seal.  Ids are given out before transactions commit: on PostgreSQL only events of transactions
older than every open one are sealed, in order of (tx, id), so that none is passed over; on SQLite in order of id.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, cast, func, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import IntegrityFailure
from pipeline.store.tables import events, seals


@dataclass(frozen=True, slots=True)
class Seal:
    """One row of seals; `last_tx` and `last_id` are those of its last event."""

    number: int
    at: datetime
    count: int
    last_tx: int | None
    last_id: int
    root: bytes
    previous: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """An event as the tree takes it: its place in the order, and its hash."""

    tx: int | None
    id: int
    hash: bytes


def newest(connection: Connection) -> Seal | None:
    """Return the last seal of the chain, None if there is none."""
    row = connection.execute(NEWEST).mappings().first()
    if row is None:
        return None
    return Seal(**{**row, **{name: bytes(row[name]) for name in ("root", "previous", "head")}})


NEWEST = select(seals).order_by(seals.c.number.desc()).limit(1)  # asked in every round of sending


def newest_head(connection: Connection) -> str:
    """Return the head of the last seal in hexadecimal, empty if there is none."""
    last = newest(connection)
    return last.head.hex() if last is not None else ""


def unsealed(connection: Connection, after: Seal | None, most: int) -> list[Leaf]:
    """Return up to `most` events after a seal (None: from the first one on) that may be sealed now, in their order.

    For a transaction of its own, which reads nothing else.  Raises IntegrityFailure if the server's transaction numbers are
    behind those of the log: new events would be passed over.
    """
    query = select(events.c.tx, events.c.id, events.c.leaf).limit(most)
    if connection.dialect.name == "sqlite":
        query = query.where(events.c.id > (after.last_id if after else 0)).order_by(events.c.id)
    else:
        query = _in_commit_order(connection, query, after)
    return [Leaf(row.tx, row.id, bytes(row.leaf)) for row in connection.execute(query)]


def add(connection: Connection, seal: Seal) -> bool:
    """Add a seal; False, and nothing is added, if another process was first."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(seals).values(**asdict(seal)).on_conflict_do_nothing()
    return connection.execute(statement.returning(seals.c.number)).first() is not None


def _in_commit_order(connection: Connection, query: Select[Any], after: Seal | None) -> Select[Any]:
    oldest_open = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
    # The planner believes that few events are new, and would read and sort all of a long backlog for each seal.
    connection.execute(text("SET LOCAL enable_sort = off"))
    if after is not None:
        last_tx = after.last_id if after.last_tx is None else after.last_tx
        if connection.execute(select(oldest_open)).scalar_one() <= last_tx:
            raise _behind(last_tx)
        query = query.where(tuple_(events.c.tx, events.c.id) > (last_tx, after.last_id))
    return query.where(events.c.tx < oldest_open).order_by(events.c.tx, events.c.id)


def _behind(last_tx: int) -> IntegrityFailure:
    return IntegrityFailure(
        "The event log cannot be sealed",
        "the database was moved to a server whose transaction numbers are behind those in the log",
        f"Stop the server, run: pg_resetwal --epoch={(last_tx >> 32) + 1} DATADIR, start it, and run this again.",
    )
