"""Statements about relays that are left alone for a while, so that a restart and other workers know.

Writes: the row that budgets keep of a rest (its key: send/relays.py), with how often in a row, and until when.  Safe to
repeat: the newest word counts.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from pipeline.store import budgets
from pipeline.store.tables import budgets as table


def known(connection: Connection, keys: Collection[str]) -> dict[str, tuple[int, datetime | None]]:
    """Return {key: how often in a row, until when} of rests that have not been ended."""
    query = select(table.c.key, table.c.used, table.c.next_at).where(table.c.key.in_(sorted(keys)), table.c.used > 0)
    return {key: (used, until) for key, used, until in connection.execute(query)}


def rest(connection: Connection, key: str, times: int, until: datetime) -> None:
    """Leave a relay alone until then, for so many times in a row."""
    budgets.postpone(connection, key, until)  # in the order in which all budgets are locked
    connection.execute(update(table).where(table.c.key == key).values(used=times, next_at=until))


def end(connection: Connection, key: str, now: datetime) -> None:
    """A relay works."""
    budgets.postpone(connection, key, now)
    connection.execute(update(table).where(table.c.key == key).values(used=0, next_at=None))
