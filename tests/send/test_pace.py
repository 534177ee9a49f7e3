"""Which limits a letter must keep, how a warm-up grows, and what a limit is called."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.send import warmup
from pipeline.send.pace import Pace, Rates, box_free_at, limits, waits_alone, why
from pipeline.store.budgets import Limit, Reservation

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PLAN = {1: 50, 2: 100, 5: 500, 14: 0}

PACE = Pace(
    every=Rates(2.0, per_day=10_000),
    relay=Rates(per_hour=900, per_day=300),
    campaign=Rates(per_hour=100),
    mx=Rates(per_minute=30),
    mx_groups={"google": Rates(per_hour=60, per_day=200)},
    domain=Rates(0.2, per_day=20),
    box_every=timedelta(hours=1),
)


def test_a_letter_has_its_limits_from_the_narrowest_to_the_widest() -> None:
    assert limits(PACE, "relay.example:25", "isp.example", "host.example", 7) == [
        Limit("mail:domain:isp.example", 0.2, 20),
        Limit("mail:mx:host.example", per_minute=30),
        Limit("mail:campaign:7", per_hour=100),
        Limit("mail:relay:relay.example:25", 0.0, 300, per_hour=900),
        Limit("mail:all", 2.0, 10_000),
    ]


def test_a_provider_may_have_rates_of_its_own() -> None:
    assert limits(PACE, "r", "isp.example", "google", 7)[1] == Limit("mail:mx:google", per_hour=60, per_day=200)


@pytest.mark.parametrize(("cap", "quota"), [(0, 300), (50, 50), (500, 300)])
def test_the_smaller_of_the_warm_up_and_the_relays_quota_counts(cap: int, quota: int) -> None:
    assert limits(PACE, "r", "isp.example", "google", 7, cap)[3].per_day == quota
    assert limits(Pace(), "r", "isp.example", "google", 7, cap)[3].per_day == cap


@pytest.mark.parametrize(
    ("first_left", "day", "cap"),
    [
        (None, 1, 50),
        (NOW, 1, 50),
        (NOW - timedelta(hours=12), 1, 50),
        (NOW - timedelta(hours=12, seconds=1), 2, 100),  # the day before, by UTC dates
        (NOW - timedelta(days=3), 4, 100),  # days that the plan leaves out have the cap of the day before
        (NOW - timedelta(days=4), 5, 500),
        (NOW - timedelta(days=13), 14, 0),
        (NOW - timedelta(days=300), 301, 0),
        (NOW + timedelta(days=9), 1, 50),  # a clock that was set back
    ],
)
def test_a_warm_up_grows_by_the_day(first_left: datetime | None, day: int, cap: int) -> None:
    assert warmup.day(first_left, NOW) == day
    assert warmup.cap(PLAN, day) == cap


def test_the_last_cap_of_a_plan_holds_on_and_no_plan_is_no_cap() -> None:
    assert warmup.cap({1: 50, 3: 800}, 90) == 800
    assert warmup.cap({}, 1) == 0


@pytest.mark.parametrize(
    ("ago", "free_in"), [(timedelta(0), 3600), (timedelta(minutes=59, seconds=59), 1), (timedelta(hours=1), None)]
)
def test_a_mailbox_gets_one_letter_an_hour(ago: timedelta, free_in: int | None) -> None:
    free = None if free_in is None else NOW + timedelta(seconds=free_in)
    assert box_free_at(NOW - ago, PACE, NOW) == free
    assert box_free_at(None, PACE, NOW) is None
    assert box_free_at(NOW - ago, Pace(), NOW) is None


def test_a_limit_that_all_letters_share_stops_all_and_any_other_its_own() -> None:
    keys = [limit.key for limit in limits(PACE, "r", "isp.example", "google", 7)]
    assert [waits_alone(key) for key in keys] == [True, True, True, False, False]


def test_the_word_for_a_limit_names_the_budget_and_its_span() -> None:
    assert why(Reservation((), NOW, "mail:relay:[2001:db8::1]:25", "day")) == "mail:relay:[2001:db8::1]:25/day"


def test_no_limit_is_no_word() -> None:
    assert why(Reservation((NOW,))) == ""
