"""Limits that somebody else set are kept over all workers, restarts and midnights."""

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from pipeline.store.budgets import Ledger, Limit, Reservation, postpone, reserve
from pipeline.store.db import Database
from pipeline.store.tables import budgets

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
    wide = Limit("mail:all", 1.0)
    slots: list[datetime] = []
    for domain in domains:
        refused = ask(db, 1, now, domain, wide)
        assert (refused.slots, refused.wait, refused.key) == ((), now + timedelta(seconds=4), domain.key)
    assert ask(db, 1, now, wide).slots == (now,)  # what waits for a narrow budget keeps no slot from the others
    for domain in domains:
        slots += ask(db, 1, now + timedelta(seconds=4), domain, wide).slots
    assert len(slots) == 5
    assert_paced(slots, 1.0)


def test_of_several_wide_budgets_slots_are_taken_ahead_in_each(db: Database, now: datetime) -> None:
    relay, wide = Limit("mail:relay:r.example", 1.0), Limit("mail:all", 4.0)
    for seconds in (0, 1, 2):
        with db.write() as connection:
            assert reserve(connection, [relay, wide], 1, now, AHEAD, narrow=0).slots == (
                now + timedelta(seconds=seconds),
            )
    assert ask(db, 1, now, relay, wide).slots == ()  # as a narrow one it is waited for


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


@pytest.mark.parametrize(
    ("limit", "span", "most"),
    [
        (Limit("mail:all", per_hour=100), timedelta(hours=1), 100),
        (Limit("mail:all", per_hour=7), timedelta(hours=1), 7),
        (Limit("mail:all", per_minute=7), timedelta(minutes=1), 7),
        (Limit("mail:all", per_second=50.0, per_minute=9, per_hour=11), timedelta(hours=1), 11),
        (Limit("mail:all", per_second=3.0), timedelta(seconds=1), 3),
    ],
)
def test_so_many_an_hour_is_so_many_in_any_hour(
    db: Database, now: datetime, limit: Limit, span: timedelta, most: int
) -> None:
    slots: list[datetime] = []
    for _ in range(3 * most):
        answer = ask(db, 1, now, limit, ahead=timedelta(0))
        slots += answer.slots
        now = answer.wait if answer.wait is not None else now
    assert len(slots) > most + 1
    for start in slots:  # wherever the hour begins
        assert sum(start <= slot < start + span for slot in slots) <= most
    assert slots[most] - slots[0] < span * 1.001  # and no slower than that


def test_what_is_refused_names_the_pace_that_decides(db: Database, now: datetime) -> None:
    limit = Limit("mail:all", per_second=2.0, per_minute=60.0, per_hour=360.0)
    ask(db, 1, now, limit, ahead=timedelta(0))
    refused = ask(db, 1, now, limit, ahead=timedelta(0))
    assert (refused.wait, refused.span, refused.step) == (now + timedelta(seconds=10), "hour", timedelta(seconds=10))
    quota = Limit("mail:relay:r.example", per_day=1)
    ask(db, 1, now, quota)
    assert ask(db, 1, now, quota).span == "day"


def test_a_days_quota_is_named_rather_than_a_slot_that_comes_sooner(db: Database, now: datetime) -> None:
    domain, day = Limit("mail:domain:isp.example", 0.1), Limit("mail:relay:r.example", 1.0, per_day=1)
    assert ask(db, 1, now, domain, day).slots == (now,)
    assert ask(db, 1, now, domain, day).key == "mail:relay:r.example"


def test_a_ledger_takes_of_one_budget_for_several_acts(db: Database, now: datetime) -> None:
    wide = Limit("mail:all", 1.0)
    acts = [[Limit(f"mail:domain:isp{n % 2}.example", 0.1), wide] for n in range(4)]
    with db.write() as connection:
        ledger = Ledger(connection, [limit for limits in acts for limit in limits])
        answers = [ledger.reserve(limits, 1, now, AHEAD) for limits in acts]
        ledger.write()
    assert [[(slot - now).total_seconds() for slot in answer.slots] for answer in answers] == [[0], [1], [], []]
    assert [answer.key for answer in answers[2:]] == ["mail:domain:isp0.example", "mail:domain:isp1.example"]
    assert [answer.wait for answer in answers[2:]] == [now + timedelta(seconds=10), now + timedelta(seconds=11)]
    assert (ask(db, 1, now, wide).slots) == (now + timedelta(seconds=2),)


def test_transactions_that_slow_a_relay_and_those_that_take_slots_do_not_lock_one_another(
    db: Database, database_url: str, now: datetime
) -> None:
    keys = ["mail:relay:r.example", "mail:domain:a.example", "mail:all"]
    start = threading.Barrier(2)
    failed: list[Exception] = []

    def work(first: int) -> None:
        own = Database(database_url)
        start.wait()
        try:
            for _ in range(25):
                with own.write() as connection:
                    postpone(connection, keys[first], now)
                    reserve(connection, [Limit(key, 1e6) for key in keys[::-1]], 1, now, AHEAD)
                    postpone(connection, keys[1 - first], now)
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(error)
        own.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_quota_ends_at_midnight_utc_and_begins_anew(db: Database) -> None:
    limit = Limit("dnsbl:zone.example", per_day=5)
    assert len(ask(db, 3, EVENING, limit).slots) == 3
    rest = ask(db, 3, EVENING, limit)
    assert (len(rest.slots), rest.wait, rest.key) == (2, datetime(2026, 3, 2, tzinfo=UTC), "dnsbl:zone.example")
    assert ask(db, 1, EVENING, limit).slots == ()
    assert len(ask(db, 9, EVENING + timedelta(seconds=0.5), limit).slots) == 5


def test_a_clock_that_is_set_back_stops_nothing_and_gives_no_second_quota(db: Database, now: datetime) -> None:
    pace, day = Limit("mail:all", per_hour=60), Limit("mail:relay:r.example", per_day=3)
    for ahead in (timedelta(days=1), timedelta(0), timedelta(seconds=60)):
        assert ask(db, 1, now + ahead, day, pace).slots == (now + ahead,)
    assert ask(db, 1, now + timedelta(minutes=5), day, pace).key == day.key
    assert ask(db, 1, now + timedelta(minutes=1), pace).wait is not None  # and the pace holds on


def test_all_limits_of_an_act_are_taken_or_none(db: Database, now: datetime) -> None:
    day, pace = Limit("mail:all", per_day=4), Limit("mail:domain:isp.example", per_second=1.0)
    assert len(ask(db, 3, now, pace, day, ahead=timedelta(0)).slots) == 1
    assert ask(db, 1, now, pace, day, ahead=timedelta(0)).slots == ()
    assert len(ask(db, 9, now, day).slots) == 3  # of the day only what was granted is gone
    late = now + timedelta(seconds=10)
    assert ask(db, 1, late, pace, day).key == "mail:all"
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


def test_who_asks_us_to_wait_is_left_alone_without_a_limit_of_ours_too(db: Database, now: datetime) -> None:
    relay, wide = Limit("mail:relay:r.example"), Limit("mail:all")
    with db.write() as connection:
        postpone(connection, relay.key, now + timedelta(seconds=60))
    refused = ask(db, 1, now, relay, wide, ahead=timedelta(0))
    assert (refused.slots, refused.wait, refused.key) == ((), now + timedelta(seconds=60), relay.key)
    assert ask(db, 2, now, wide).slots == (now, now)
    later = now + timedelta(seconds=60)
    assert ask(db, 2, later, relay, wide).slots == (later, later)


def test_a_limit_of_0_leaves_no_row(db: Database, now: datetime) -> None:
    ask(db, 1, now, Limit("mail:domain:isp.example"), Limit("mail:all", 1.0))
    with db.read() as connection:
        assert list(connection.execute(select(budgets.c.key)).scalars()) == ["mail:all"]


def test_workers_that_ask_at_once_share_what_there_is(db: Database, database_url: str, now: datetime) -> None:
    limits = (Limit("mail:relay:r.example", per_day=60), Limit("mail:all", per_second=50.0))
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
