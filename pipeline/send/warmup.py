"""Warm-up: how many letters a day may leave over a relay that receivers do not know yet.  Pure: values in, a value out.

Receivers judge a sender by what came from it before; much mail from an address that never sent any looks like a break-in.
"""

from collections.abc import Mapping
from datetime import UTC, datetime


def day(first_left: datetime | None, now: datetime) -> int:
    """Return which day of the warm-up it is, by UTC dates: 1 on the day of the first letter, and before there is one."""
    if first_left is None:
        return 1
    return max((now.astimezone(UTC).date() - first_left.astimezone(UTC).date()).days + 1, 1)


def cap(plan: Mapping[int, int], on_day: int) -> int:
    """Return how many letters may leave on a day of the warm-up; 0: any number.

    `plan` says how many from which day on: {1: 50, 2: 100, 5: 500, 14: 0}.  Days that it leaves out have the cap of the
    day before them; the last entry holds on, so that a plan ends with a 0 or with what may always leave.
    """
    begun = [first for first in plan if first <= on_day]
    return plan[max(begun)] if begun else 0
