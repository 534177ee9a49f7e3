"""The earliest end of so many letters: by each limit's pace and by its quota of a UTC day; the slowest decides."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.send.forecast import End, Spent, end, last_slot
from pipeline.store.budgets import Limit

NOW = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limit", "count", "spent", "expected"),
    [
        (Limit("a"), 1_000_000, Spent(), NOW),
        (Limit("a", 2), 0, Spent(NOW + timedelta(hours=1)), NOW),
        (Limit("a", 2), 1, Spent(), NOW),
        (Limit("a", 2), 101, Spent(), NOW + timedelta(seconds=50)),
        (Limit("a", 2), 101, Spent(NOW + timedelta(seconds=9)), NOW + timedelta(seconds=59)),
        (Limit("a", 2), 101, Spent(NOW - timedelta(seconds=9)), NOW + timedelta(seconds=50)),
        (Limit("a", per_hour=60), 3, Spent(), NOW + timedelta(minutes=2)),
        (Limit("a", 0, 10), 10, Spent(), NOW),
        (Limit("a", 0, 10), 10, Spent(None, "2026-03-01", 1), MIDNIGHT),
        (Limit("a", 0, 10), 10, Spent(None, "2026-02-28", 9), NOW),
        (Limit("a", 0, 10), 11, Spent(), MIDNIGHT),
        (Limit("a", 0, 10), 20, Spent(), MIDNIGHT),
        (Limit("a", 0, 10), 21, Spent(), MIDNIGHT + timedelta(days=1)),
        (Limit("a", 1, 10), 20, Spent(), MIDNIGHT + timedelta(seconds=9)),
        (Limit("a", 1, 10), 1, Spent(None, "2026-03-01", 99), MIDNIGHT),
        (Limit("a", 1, 10_000), 10_001, Spent(), NOW + timedelta(seconds=10_000)),  # the pace is the slower one
    ],
)
def test_the_last_slot_of_one_limit(limit: Limit, count: int, spent: Spent, expected: datetime) -> None:
    assert last_slot(limit, count, spent, NOW) == expected


def test_the_slowest_limit_decides() -> None:
    counts = [(Limit("mail:all", 10), 100), (Limit("mail:domain:isp.example", 0.5), 50), (Limit("mail:relay:r"), 100)]
    assert end(counts, {}, NOW) == End(NOW + timedelta(seconds=98), "mail:domain:isp.example")
    assert end([], {}, NOW) == End(NOW)
