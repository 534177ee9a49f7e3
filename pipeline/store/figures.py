"""Figures for monitoring that a status does not have: attempts in all, the oldest letter due, workers, the last seal.

Reads only, in numbers and times: no mailbox, address or name of a person comes out of here.
"""

from datetime import datetime

from sqlalchemy import Connection, func, select

from pipeline.domain import WaveState
from pipeline.store import seals
from pipeline.store.send import DUE
from pipeline.store.tables import attempts, letters, waves, workers


def attempts_in_all(connection: Connection) -> dict[str, int]:
    """Return every attempt ever made by its outcome; an empty outcome is one under way."""
    query = select(attempts.c.outcome, func.count()).group_by(attempts.c.outcome)
    return {row[0]: row[1] for row in connection.execute(query)}


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """Return since when the oldest letter is due that waits in a wave being sent, None if none is due."""
    sending = select(waves.c.id).where(waves.c.state == WaveState.SENDING.value)
    query = select(func.min(letters.c.due_at)).where(
        letters.c.wave_id.in_(sending), letters.c.state.in_(DUE), letters.c.due_at <= now
    )
    return connection.execute(query).scalar()


def heartbeats(connection: Connection, most: int) -> list[tuple[int, bool, datetime]]:
    """Return (worker, is it a planner, its last heartbeat) of the newest workers that have not ended."""
    query = select(workers.c.id, workers.c.planner, workers.c.heartbeat_at).where(workers.c.ended_at.is_(None))
    found = connection.execute(query.order_by(workers.c.id.desc()).limit(most))
    return [(row.id, bool(row.planner), row.heartbeat_at) for row in found]


def last_seal(connection: Connection) -> datetime | None:
    """Return when the event log was sealed last, None if it never was."""
    newest = seals.newest(connection)
    return newest.at if newest is not None else None
