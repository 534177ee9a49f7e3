"""Budgets: limits that somebody else set, or that we promised, kept in the database.

They survive restarts and are shared by all workers.  Two kinds: a pace (so many a second, GCRA: one stored time, ITU-T
I.371 annex A) and a quota (so many a UTC day).  A reservation of n is n slot times, and each act waits for its own.  All
budgets of one act are taken in one transaction, or none.  A limit of 0 means no limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store.tables import budgets


@dataclass(frozen=True, slots=True)
class Limit:
    """One budget: `key` such as mail:all, rdap:HOST, dnsbl:ZONE; at most `per_second` and `per_day` (0: no limit)."""

    key: str
    per_second: float = 0.0
    per_day: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slot times, one for each act granted, not before now; if fewer than asked, `wait` says when to ask again, and why."""

    slots: tuple[datetime, ...]
    wait: datetime | None = None
    key: str = ""


def reserve(
    connection: Connection, limits: Sequence[Limit], count: int, now: datetime, most_ahead: timedelta
) -> Reservation:
    """Take up to `count` acts from every limit at once, none of them later than `most_ahead` from now."""
    real = sorted((limit for limit in limits if limit.per_second or limit.per_day), key=lambda limit: limit.key)
    state = {limit.key: _locked(connection, limit.key) for limit in real}
    day = f"{now:%Y-%m-%d}"
    granted, wait, blocking = count, None, ""
    starts = {}
    for limit in real:
        next_at, counted_day, used = state[limit.key]
        starts[limit.key] = max(next_at or now, now)
        if limit.per_day and limit.per_day - (used if counted_day == day else 0) < granted:
            granted = max(0, limit.per_day - (used if counted_day == day else 0))
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            wait, blocking = midnight, limit.key
        if limit.per_second:
            room = (now + most_ahead - starts[limit.key]) // _interval(limit) + 1
            if max(room, 0) < granted:
                granted, blocking = max(room, 0), limit.key
                wait = starts[limit.key] + granted * _interval(limit) - most_ahead
    if granted:
        _take(connection, real, granted, starts, day, now)
    slots = tuple(
        max((starts[limit.key] + i * _interval(limit) for limit in real if limit.per_second), default=now)
        for i in range(granted)
    )
    return Reservation(slots, wait, blocking)


def _interval(limit: Limit) -> timedelta:
    return timedelta(seconds=1 / limit.per_second)


def _locked(connection: Connection, key: str) -> tuple[datetime | None, str, int]:
    """Return (next_at, day, used) of a budget, made if it is new, locked until the transaction ends."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(budgets).values(key=key).on_conflict_do_nothing())
    row = connection.execute(
        select(budgets.c.next_at, budgets.c.day, budgets.c.used).where(budgets.c.key == key).with_for_update()
    ).one()
    return row.next_at, row.day, row.used


def _take(
    connection: Connection, limits: Sequence[Limit], count: int, starts: dict[str, datetime], day: str, now: datetime
) -> None:
    for limit in limits:
        values: dict[str, object] = {}
        if limit.per_second:
            values["next_at"] = starts[limit.key] + count * _interval(limit)
        if limit.per_day:
            used = connection.execute(select(budgets.c.day, budgets.c.used).where(budgets.c.key == limit.key)).one()
            values |= {"day": day, "used": (used.used if used.day == day else 0) + count}
        connection.execute(update(budgets).where(budgets.c.key == limit.key).values(**values))


def postpone(connection: Connection, key: str, until: datetime) -> None:
    """Take nothing from a pace before `until`: the other side asked us to wait (429 Retry-After, 421)."""
    _locked(connection, key)
    later = update(budgets).where(budgets.c.key == key)
    connection.execute(later.where((budgets.c.next_at.is_(None)) | (budgets.c.next_at < until)).values(next_at=until))
