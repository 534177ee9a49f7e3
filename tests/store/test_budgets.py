"""Limits that somebody else set are kept over all workers, restarts and midnights."""

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.store.budgets import Limit, Reservation, postpone, reserve
from pipeline.store.db import Database

AHEAD = timedelta(seconds=5)
EVENING = datetime(2026, 3, 1, 23, 59, 59, 500_000, tzinfo=UTC)


def ask(db: Database, count: int, now: datetime, *limits: Limit, ahead: timedelta = AHEAD) -> Reservation:
    with db.write() as connection:
        return reserve(connection, limits, count, now, ahead)


def assert_paced(slots: Sequence[datetime], per_second: float) -> None:
    """In no span of time lie more acts than rate x span + 1."""
    slots = sorted(slots)
    for start in range(len(slots)):
        for end in range(start, len(slots)):
            span = (slots[end] - slots[start]).total_seconds()
            assert end - start + 1 <= per_second * span + 1 + 1e-3  # slots are whole microseconds


@pytest.mark.parametrize("rate", [0.15, 3.0, 40.0])
def test_a_pace_is_never_exceeded_however_it_is_asked(db: Database, now: datetime, rate: float) -> None:
    chance = random.Random(7)
    slots: list[datetime] = []
    for _ in range(40):
        now += timedelta(seconds=chance.choice((0, 0.01, 0.3, 4)) / rate)
        granted = ask(db, chance.randint(1, 6), now, Limit("rdap:r.example", rate), ahead=AHEAD * chance.random())
        assert all(now <= slot for slot in granted.slots)
        slots += granted.slots
    assert len(slots) > 10
    assert_paced(slots, rate)


def test_no_act_is_granted_for_later_than_was_asked(db: Database, now: datetime) -> None:
    limit = Limit("mail:all", 2.0)
    ask(db, 3, now, limit, ahead=timedelta(seconds=1))
    early = now + timedelta(seconds=0.5, microseconds=-1)
    assert ask(db, 1, early, limit, ahead=timedelta(seconds=1)).slots == ()


def test_a_wide_pace_holds_for_acts_that_narrow_ones_delay(db: Database, now: datetime) -> None:
    domains = [Limit(f"mail:domain:{number}", 1.0) for number in range(5)]
    with db.write() as connection:
        for domain in domains:
            postpone(connection, domain.key, now + timedelta(seconds=4))
    slots = [slot for domain in domains for slot in ask(db, 1, now, Limit("mail:all", 1.0), domain).slots]
    assert slots
    assert_paced(slots, 1.0)


def test_what_is_refused_says_when_to_ask_again_and_then_it_is_granted(db: Database, now: datetime) -> None:
    limit = Limit("mail:all", 2.0)
    first = ask(db, 50, now, limit, ahead=timedelta(seconds=1))
    assert [(slot - now).total_seconds() for slot in first.slots] == [0, 0.5, 1]
    assert (first.key, first.wait) == ("mail:all", now + timedelta(seconds=0.5))
    assert first.wait is not None
    [slot] = ask(db, 1, first.wait, limit, ahead=timedelta(seconds=1)).slots
    assert slot == now + timedelta(seconds=1.5)


def test_time_in_which_nothing_was_asked_is_not_saved_up(db: Database, now: datetime) -> None:
    limit = Limit("mail:all", 1.0)
    ask(db, 1, now, limit)
    later = now + timedelta(hours=1)
    assert [(slot - later).total_seconds() for slot in ask(db, 3, later, limit).slots] == [0, 1, 2]


def test_a_quota_ends_at_midnight_utc_and_begins_anew(db: Database) -> None:
    limit = Limit("dnsbl:zone.example", per_day=5)
    assert len(ask(db, 3, EVENING, limit).slots) == 3
    rest = ask(db, 3, EVENING, limit)
    assert (len(rest.slots), rest.wait, rest.key) == (2, datetime(2026, 3, 2, tzinfo=UTC), "dnsbl:zone.example")
    assert ask(db, 1, EVENING, limit).slots == ()
    assert len(ask(db, 9, EVENING + timedelta(seconds=0.5), limit).slots) == 5


def test_all_limits_of_an_act_are_taken_or_none(db: Database, now: datetime) -> None:
    day, pace = Limit("mail:all", per_day=4), Limit("mail:domain:isp.example", per_second=1.0)
    assert len(ask(db, 3, now, day, pace, ahead=timedelta(0)).slots) == 1
    assert ask(db, 1, now, day, pace, ahead=timedelta(0)).slots == ()
    assert len(ask(db, 9, now, day).slots) == 3  # of the day only what was granted is gone
    late = now + timedelta(seconds=10)
    assert ask(db, 1, late, day, pace).key == "mail:all"
    assert ask(db, 1, late, pace, ahead=timedelta(0)).slots == (late,)


def test_no_limit_is_no_budget(db: Database, now: datetime) -> None:
    assert ask(db, 3, now, Limit("mail:all"), ahead=timedelta(0)).slots == (now, now, now)
    assert ask(db, 2, now, ahead=timedelta(0)).slots == (now, now)


def test_who_asks_us_to_wait_is_left_alone_until_then(db: Database, now: datetime) -> None:
    limit, until = Limit("rdap:r.example", 10.0), now + timedelta(seconds=3)
    for at in (until, now + timedelta(seconds=1)):  # the shorter wait does not shorten the longer one
        with db.write() as connection:
            postpone(connection, limit.key, at)
    assert ask(db, 1, now, limit, ahead=timedelta(seconds=2)).slots == ()
    assert ask(db, 1, now, limit).slots == (until,)


def test_workers_that_ask_at_once_share_what_there_is(db: Database, database_url: str, now: datetime) -> None:
    limits = (Limit("mail:all", per_second=50.0), Limit("mail:relay:r.example", per_day=60))
    slots: list[datetime] = []
    start = threading.Barrier(2)

    def work() -> None:
        own = Database(database_url)
        start.wait()
        for _ in range(20):
            slots.extend(ask(own, 2, now, *limits).slots)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slots) == 60
    assert_paced(slots, 50.0)
