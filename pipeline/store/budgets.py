"""Budgets: limits that somebody else set, or that we promised, kept in the database.

They survive restarts and are shared by all workers.  Two kinds: a pace (so many a second, GCRA: one stored time, ITU-T
I.371 annex A) and a quota (so many a UTC day).  A reservation of n is n slot times, and each act waits for its own.  All
budgets of one act are taken in one transaction, or none.  A limit of 0 means no limit.
"""

from collections.abc import Mapping, Sequence
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
    granted, wait, blocking = _quota(real, state, count, now)
    paces = [limit for limit in real if limit.per_second]
    if not paces:
        _take(connection, real, state, granted, [], now)
        return Reservation((now,) * granted, wait, blocking)
    step = max(_interval(limit) for limit in paces)
    start, slowest = max((max(state[limit.key].next_at or now, now), limit.key) for limit in paces)
    room = max((now + most_ahead - start) // step + 1, 0)
    if room < granted:
        granted, wait, blocking = room, start + room * step - most_ahead, slowest
    slots = [start + i * step for i in range(granted)]
    _take(connection, real, state, granted, slots, now)
    return Reservation(tuple(slots), wait, blocking)


@dataclass(frozen=True, slots=True)
class _State:
    next_at: datetime | None
    day: str
    used: int


def _quota(
    limits: Sequence[Limit], state: Mapping[str, _State], count: int, now: datetime
) -> tuple[int, datetime | None, str]:
    """Return how many acts the day's quotas allow, and when and for which one more would be."""
    granted, wait, blocking = count, None, ""
    for limit in limits:
        left = limit.per_day - _used(state[limit.key], now)
        if limit.per_day and left < granted:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            granted, wait, blocking = max(left, 0), midnight, limit.key
    return granted, wait, blocking


def _used(state: _State, now: datetime) -> int:
    return state.used if state.day == f"{now:%Y-%m-%d}" else 0


def _interval(limit: Limit) -> timedelta:
    return timedelta(seconds=1 / limit.per_second)


def _locked(connection: Connection, key: str) -> _State:
    """Return a budget, made if it is new, locked until the transaction ends."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(budgets).values(key=key).on_conflict_do_nothing())
    row = connection.execute(
        select(budgets.c.next_at, budgets.c.day, budgets.c.used).where(budgets.c.key == key).with_for_update()
    ).one()
    return _State(row.next_at, row.day, row.used)


def _take(
    connection: Connection,
    limits: Sequence[Limit],
    state: Mapping[str, _State],
    count: int,
    slots: Sequence[datetime],
    now: datetime,
) -> None:
    """Move every pace past the last slot that was really given, and count the acts."""
    for limit in limits if count else ():
        values: dict[str, object] = {}
        if limit.per_second:
            values["next_at"] = slots[-1] + _interval(limit)
        if limit.per_day:
            values |= {"day": f"{now:%Y-%m-%d}", "used": _used(state[limit.key], now) + count}
        connection.execute(update(budgets).where(budgets.c.key == limit.key).values(**values))


def postpone(connection: Connection, key: str, until: datetime) -> None:
    """Take nothing from a pace before `until`: the other side asked us to wait (429 Retry-After, 421)."""
    _locked(connection, key)
    later = update(budgets).where(budgets.c.key == key)
    connection.execute(later.where((budgets.c.next_at.is_(None)) | (budgets.c.next_at < until)).values(next_at=until))
