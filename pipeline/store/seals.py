"""Statements of sealing: the events that no seal covers yet, in their order, and the seals.

Reads: events.  Writes: seals, which are only ever added.  Safe to repeat, and by two at once: a number, a head before and a
last event each stand in one seal.  Ids are given out before transactions commit: on PostgreSQL only events of transactions
older than every open one are sealed, in order of (tx, id), so that none is passed over; on SQLite in order of id.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, cast, func, select, text, tuple_
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
    row = connection.execute(select(seals).order_by(seals.c.number.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    return Seal(**{**row, **{name: bytes(row[name]) for name in ("root", "previous", "head")}})


def newest_head(connection: Connection) -> str:
    """Return the head of the last seal in hexadecimal, empty if there is none."""
    last = newest(connection)
    return last.head.hex() if last is not None else ""


def unsealed(connection: Connection, after: Seal | None, most: int) -> list[Leaf]:
    """Return up to `most` events after a seal (None: from the first one on) that may be sealed now, in their order.

    For a transaction of its own, which reads nothing else.  Raises IntegrityFailure if the server's transaction numbers are
    behind those of the log: new events would be passed over.
    """
    order = (events.c.tx, events.c.id) if connection.dialect.name == "postgresql" else (events.c.id,)
    query = select(events.c.tx, events.c.id, events.c.leaf).order_by(*order).limit(most)
    if connection.dialect.name == "postgresql":
        # The planner believes that few events are new, and would read and sort all of a long backlog for each seal.
        connection.execute(text("SET LOCAL enable_sort = off"))
        query = query.where(events.c.tx < _oldest_open())
    if after is not None:
        _still_ahead(connection, after)
        place = (after.last_tx, after.last_id) if len(order) == 2 else (after.last_id,)
        query = query.where(tuple_(*order) > place)
    return [Leaf(row.tx, row.id, bytes(row.leaf)) for row in connection.execute(query)]


def add(connection: Connection, seal: Seal) -> bool:
    """Add a seal; False, and nothing is added, if another process was first."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(seals).values(**asdict(seal)).on_conflict_do_nothing()
    return connection.execute(statement.returning(seals.c.number)).first() is not None


def _oldest_open() -> ColumnElement[int]:
    """The number of the oldest transaction that is open: all before it have ended, and what they wrote is seen."""
    return cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)


def _still_ahead(connection: Connection, seal: Seal) -> None:
    if seal.last_tx is None or connection.execute(select(_oldest_open())).scalar_one() > seal.last_tx:
        return
    epoch = (seal.last_tx >> 32) + 1
    raise IntegrityFailure(
        "The event log cannot be sealed",
        "the database was moved to a server whose transaction numbers are behind those in the log",
        f"Stop the server, run: pg_resetwal --epoch={epoch} DATADIR, start it, and run this again.",
    )
