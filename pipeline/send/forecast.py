"""When would the last of so many letters leave, and which limit decides?  Pure: counts and limits in, a time out.

Every limit is looked at by itself, as if nothing else used it and each letter were ready; the slowest one decides.  It is
therefore the earliest end, not a promise.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.store.budgets import Limit

MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Spent:
    """What is stored of a budget: its next slot, and how many acts its UTC day (as YYYY-MM-DD) has seen."""

    next_at: datetime | None = None
    day: str = ""
    used: int = 0

    def today(self, now: datetime) -> int:
        return self.used if self.day == f"{now:%Y-%m-%d}" else 0


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class End:
    """The earliest end, and the key of the limit that decides; empty where none delays anything."""

    at: datetime
    key: str = ""


def end(
    counts: Iterable[tuple[Limit, int]],
    spent: Mapping[str, Spent],
    now: datetime,
    caps: Mapping[str, Callable[[int], int]] | None = None,
) -> End:
    """Return when the last letter can leave, of so many under each limit.

    `caps` has, by key, how many acts each day allows that is so many days from today (0: any number), as in a warm-up.
    """
    found = End(now)
    for limit, count in counts:
        at = last_slot(limit, count, spent.get(limit.key, NOTHING), now, (caps or {}).get(limit.key))
        if at > found.at:
            found = End(at, limit.key)
    return found


def last_slot(
    limit: Limit, count: int, spent: Spent, now: datetime, cap: Callable[[int], int] | None = None
) -> datetime:
    """Return the slot of the last of `count` acts under one limit, begun now: its pace, and the quota of each UTC day.

    No more than ten years ahead are looked at.
    """
    if count <= 0:
        return now
    paced = max(spent.next_at or now, now) + (count - 1) * limit.interval
    left, day = count, 0
    while day < MOST_DAYS:
        quota = smaller(limit.per_day, cap(day) if cap is not None else 0)
        room = max(quota - (spent.today(now) if day == 0 else 0), 0)
        if not quota or left <= room:
            break
        left, day = left - room, day + 1
    if day == 0:
        return paced
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day)
    return max(paced, midnight + (left - 1) * limit.interval)


def smaller(one: int, other: int) -> int:
    """Return the smaller of two quotas, of which 0 is none."""
    return min(one or other, other or one)
