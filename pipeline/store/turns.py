"""Statements about letters that wait for a limit of their own.

Writes: when such a letter is due, and the limit as its reason.  Safe to repeat: the newest word on a letter counts.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from pipeline.store.tables import letters


def put_back(connection: Connection, waiting: Sequence[tuple[int, datetime, str]]) -> None:
    """Make letters, each (id, until, reason), due later: a limit of their own has no slot before."""
    if waiting:
        changed = update(letters).where(letters.c.id == bindparam("letter"))
        changed = changed.values(due_at=bindparam("until", type_=letters.c.due_at.type), reason=bindparam("why"))
        connection.execute(changed, [{"letter": row, "until": until, "why": why} for row, until, why in waiting])
