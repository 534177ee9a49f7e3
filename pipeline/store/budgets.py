"""Budgets: limits that somebody else set, or that we promised, kept in the database.

They survive restarts and are shared by all workers.  Two kinds: a pace (so many a second, a minute or an hour: GCRA, one
stored time, ITU-T I.371 annex A) and a quota (so many a UTC day).  A reservation of n is n slot times, and each act waits
for its own.  All budgets of one act are taken in one transaction, or none.  A limit of 0 means no limit.

A pace is even: so many an hour means that much time between two acts, so that no hour, wherever it begins, sees more of
them; time in which nothing was asked is not saved up.  (A counter per clock hour would let twice as many go around its
end.)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from math import ceil
from typing import Any

from sqlalchemy import Connection, Select, select, update

from pipeline.store import many
from pipeline.store.tables import budgets

MICROSECOND = timedelta(microseconds=1)
WIDEST = "mail:all"  # whoever takes of mail:KEY holds it first
LONGEST_PAUSE = timedelta(minutes=10)  # that a budget of mail is put off for


@dataclass(frozen=True, slots=True)
class Limit:
    """One budget: `key` such as mail:all, rdap:HOST, dnsbl:ZONE, and how many acts it allows (0: no limit).

    Of the three paces the slowest decides.  None of them is exceeded in any second, minute or hour, wherever it begins;
    the day is a UTC day.
    """

    key: str
    per_second: float = 0.0
    per_day: int = 0
    per_minute: float = 0.0
    per_hour: float = 0.0

    @property
    def interval(self) -> timedelta:
        """The time between two acts, rounded up; 0 without a pace."""
        return _slowest(self.per_second, self.per_minute, self.per_hour)[0]

    @property
    def span(self) -> str:
        """Which pace decides: second, minute or hour; empty without one."""
        return _slowest(self.per_second, self.per_minute, self.per_hour)[1]


@lru_cache(1_000)  # asked some thirty times for a letter
def _slowest(per_second: float, per_minute: float, per_hour: float) -> tuple[timedelta, str]:
    paces = {"second": (1, per_second), "minute": (60, per_minute), "hour": (3600, per_hour)}
    spans = {span: ceil(length * 1_000_000 / n) * MICROSECOND for span, (length, n) in paces.items() if n}
    return max(((spans[span], span) for span in spans), key=lambda found: found[0], default=(timedelta(0), ""))


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slot times, one for each act granted, not before now.

    If fewer than asked: when to ask again, and which budget says so, by its second, minute, hour or day (`span`).  Of a
    pace, `step` is the time from its next slot to the one after it.
    """

    slots: tuple[datetime, ...]
    wait: datetime | None = None
    key: str = ""
    span: str = ""
    step: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class _State:
    next_at: datetime | None
    day: str
    used: int


NEW = _State(None, "", 0)


class Ledger:
    """The budgets of several acts, locked until the transaction ends: taken one act after the other, written once.

    `write` must be called before the transaction ends; without it nothing was taken.
    """

    def __init__(self, connection: Connection, limits: Collection[Limit]) -> None:
        self._connection = connection
        used = {limit.key: False for limit in limits}
        used |= {limit.key: True for limit in limits if limit.interval or limit.per_day}
        self._states = _locked(connection, [key for key in used if used[key]], [key for key in used if not used[key]])
        self._taken: set[str] = set()
        self._left: dict[str, datetime | None] = {}  # next slots of paces that are looked at alone

    def only_look(self, limits: Collection[Limit], acts: int, now: datetime) -> None:
        """Take no slots of these paces: each act takes its own later, as `acts` that are under way will before it.

        Slots that are given are those to be expected.  The quotas of these limits are counted all the same.
        """
        for limit in limits:
            state = self._states[limit.key]
            self._left[limit.key] = state.next_at
            if acts and limit.interval:
                first = self._free_at(limit, now, timedelta(0))
                self._states[limit.key] = replace(state, next_at=first + acts * limit.interval)

    def room(self, limits: Sequence[Limit], now: datetime, most_ahead: timedelta) -> int:
        """Return how many slots the paces of these limits have from now on, none later than `most_ahead`.

        At least one of them has a pace.
        """
        start = max(self._free_at(limit, now, most_ahead) for limit in limits)
        step = max(limit.interval for limit in limits)
        return max((now + most_ahead - start) // step + 1, 0)

    def reserve(
        self, limits: Sequence[Limit], count: int, now: datetime, most_ahead: timedelta, narrow: int | None = None
    ) -> Reservation:
        """Take up to `count` acts from every limit at once, narrowest first, none later than `most_ahead` from now.

        Slots are taken ahead in wide budgets alone.  The first `narrow` of them, or all but the last, are waited for where
        they have none by then: to take a later slot of the wide ones would keep that time from all the others.  Where the
        other side asked us to wait (`postpone`), a limit of 0 waits as well.
        """
        granted, wait, key = self._quota(limits, count, now)
        span = "day" if key else ""
        starts = [(self._free_at(limit, now, most_ahead), limit) for limit in limits]
        narrow = max(len(limits) - 1, 0) if narrow is None else narrow
        wide_start, slowest = max(starts[narrow:], key=lambda found: found[0], default=(now, None))
        start, blocking = max(starts[:narrow], key=lambda found: found[0], default=(now, None))
        if blocking is not None and start > wide_start:
            return self._narrow(blocking, start, granted, (wait, key))
        paces = [limit for limit in limits if limit.interval]
        if slowest is None or (not paces and wide_start == now):
            self._take(limits, (now,) * granted, now)
            return Reservation((now,) * granted, wait, key, span)
        step = max((limit.interval for limit in paces), default=timedelta(0))
        late = wide_start - now - most_ahead
        room = max(-late // step + 1, 0) if step else granted if late <= timedelta(0) else 0
        if room < granted:
            slowest = max(paces, key=lambda limit: limit.interval) if room else slowest
            granted, wait, key, span = room, wide_start + room * step - most_ahead, slowest.key, slowest.span
        slots = tuple(wide_start + i * step for i in range(granted))
        self._take(limits, slots, now)
        return Reservation(slots, wait, key, span, slowest.interval)

    def _free_at(self, limit: Limit, now: datetime, most_ahead: timedelta) -> datetime:
        """Return when a limit has its next slot.  One of mail that lies too far away is of a clock that was set back."""
        at = self._states[limit.key].next_at
        if at is None or at <= now:
            return now
        furthest = max(limit.interval + most_ahead, LONGEST_PAUSE)
        return now if limit.key.startswith("mail:") and at - now > furthest else at

    def _narrow(self, limit: Limit, start: datetime, granted: int, quota: tuple[datetime | None, str]) -> Reservation:
        if not granted:  # the day is used up, and longer than this slot is away
            return Reservation((), *quota, "day")
        return Reservation((), start, limit.key, limit.span, limit.interval)

    def _quota(self, limits: Sequence[Limit], count: int, now: datetime) -> tuple[int, datetime | None, str]:
        """Return how many acts the day's quotas allow, and when and for which one more would be."""
        granted, wait, blocking = count, None, ""
        for limit in limits:
            left = limit.per_day - _used(self._states[limit.key], now)
            if limit.per_day and left < granted:
                midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
                granted, wait, blocking = max(left, 0), midnight, limit.key
        return granted, wait, blocking

    def _take(self, limits: Sequence[Limit], slots: Sequence[datetime], now: datetime) -> None:
        """Move every pace past the last slot that was really given, and count the acts."""
        for limit in limits if slots else ():
            state = self._states[limit.key]
            if limit.interval:
                state = replace(state, next_at=slots[-1] + limit.interval)
            if limit.per_day:
                state = replace(state, day=f"{now:%Y-%m-%d}", used=_used(state, now) + len(slots))
            if limit.interval or limit.per_day:
                self._states[limit.key] = state
                if limit.per_day or limit.key not in self._left:
                    self._taken.add(limit.key)

    def write(self) -> None:
        """Write down what was taken."""
        changed = [
            (self._left.get(key, state.next_at), state.day, state.used, key)
            for key, state in sorted(self._states.items())
            if key in self._taken
        ]
        if changed:
            many.change(self._connection, budgets, ("next_at", "day", "used"), changed, key="key")
            self._taken.clear()


def reserve(
    connection: Connection,
    limits: Sequence[Limit],
    count: int,
    now: datetime,
    most_ahead: timedelta,
    narrow: int | None = None,
) -> Reservation:
    """Take up to `count` acts from every limit at once, narrowest first, and write that down (Ledger.reserve)."""
    ledger = Ledger(connection, limits)
    reservation = ledger.reserve(limits, count, now, most_ahead, narrow)
    ledger.write()
    return reservation


def _used(state: _State, now: datetime) -> int:
    """Return how much of today's quota is used; what was counted for tomorrow, before a clock was set back, counts too."""
    return state.used if state.day in (f"{now:%Y-%m-%d}", f"{now + timedelta(days=1):%Y-%m-%d}") else 0


def _locked(connection: Connection, keys: Collection[str], if_there: Collection[str] = ()) -> dict[str, _State]:
    """Return budgets, locked until the transaction ends: `keys` are made where they are new, those `if_there` are not.

    Whoever takes of mail:KEY holds mail:all first, whether it has a limit or not: two transactions that lock several
    budgets, at several moments, cannot wait for one another.
    """
    wanted = {*keys, *if_there}
    needed = set(keys)
    if any(key.startswith("mail:") for key in wanted):
        needed.add(WIDEST)
    found = _lock(connection, wanted | needed, needed)
    return {key: found.get(key, NEW) for key in wanted}


def _lock(connection: Connection, keys: set[str], needed: set[str]) -> dict[str, _State]:
    """Lock those of `keys` that are there, in one order; those that are needed are made."""
    if not keys:
        return {}
    found = _read(connection, keys)
    if WIDEST in needed and WIDEST not in found:  # nothing is locked before it is
        many.add(connection, budgets, ("key",), [(WIDEST,)], unless_there=True)
        found = _read(connection, keys)
    missing = sorted(needed - found.keys())
    if many.add(connection, budgets, ("key",), [(key,) for key in missing], unless_there=True) < len(missing):
        found |= _read(connection, set(missing), then=True)  # another has made one since
    return found


def _read(connection: Connection, keys: set[str], *, then: bool = False) -> dict[str, _State]:
    widest = WIDEST in keys and not then
    found = connection.execute(_locking(connection.dialect.name, widest=widest), {"keys": sorted(keys)})
    return {row.key: _State(row.next_at, row.day, row.used) for row in found}


@cache
def _locking(dialect: str, *, widest: bool) -> Select[Any]:
    """Rows are locked in their order here.  `widest`: that row is the first of them, and none is locked without it."""
    columns = (budgets.c.key, budgets.c.next_at, budgets.c.day, budgets.c.used)
    query = select(*columns).where(many.among(dialect, budgets.c.key, "keys"))
    if widest:
        there = budgets.alias()
        query = query.where(select(there.c.key).where(there.c.key == WIDEST).exists())
    return query.order_by(budgets.c.key != WIDEST, budgets.c.key).with_for_update(of=budgets)


def postpone(connection: Connection, key: str, until: datetime) -> None:
    """Take nothing from a pace before `until`: the other side asked us to wait (429 Retry-After, 421)."""
    _locked(connection, [key])
    later = update(budgets).where(budgets.c.key == key)
    connection.execute(later.where((budgets.c.next_at.is_(None)) | (budgets.c.next_at < until)).values(next_at=until))
