"""When letters may leave: by the recipients' clocks, their weeks and holidays, and the quiet days of the settings."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from babel.core import get_global

from pipeline.data.quiet_days import quiet_days
from pipeline.send import forecast
from pipeline.send.windows import ALWAYS, FURTHEST, WindowRules, openings, opens_at, time_needed
from pipeline.store.budgets import Limit

WORKING = WindowRules(working_hours=True)
OPEN = None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("why", "country", "now", "expected"),
    [
        ("a working day in France", "FR", "2027-02-02 09:00", OPEN),
        ("lower case is the same country", "fr", "2027-02-02 09:00", OPEN),
        ("the first moment is open", "FR", "2027-02-02 07:00", OPEN),
        ("a minute before it is not", "FR", "2027-02-02 06:59", "2027-02-02 07:00"),
        ("the last moment is not", "FR", "2027-02-02 16:00", "2027-02-03 07:00"),
        ("Friday evening waits for Monday", "FR", "2027-02-05 16:00", "2027-02-08 07:00"),
        ("summer time has ended between Friday and Monday", "FR", "2026-10-23 15:00", "2026-10-26 07:00"),
        ("it has begun, and Easter Monday is a holiday", "FR", "2027-03-26 16:00", "2027-03-30 06:00"),
        ("American summer time begins two weeks earlier", "US", "2027-03-12 22:00", "2027-03-15 15:00"),
        ("14 July", "FR", "2027-07-13 15:00", "2027-07-15 06:00"),
        ("half an hour beside the others", "IN", "2027-02-02 02:29", "2027-02-02 02:30"),
        ("three quarters of an hour", "NP", "2027-02-02 02:14", "2027-02-02 02:15"),
        ("29 February is a day", "FR", "2028-02-29 06:00", "2028-02-29 07:00"),
        ("and the day before it ends the same", "FR", "2028-02-28 16:00", "2028-02-29 07:00"),
        ("Saudi Arabia rests on Friday", "SA", "2027-01-22 09:00", "2027-01-24 05:00"),
        ("and works on Sunday", "SA", "2027-01-24 09:00", OPEN),
        ("Iran rests on Friday alone", "IR", "2027-06-18 08:00", "2027-06-19 04:30"),
        ("Monday in Auckland and on Chatham is Sunday in Greenwich", "NZ", "2027-07-18 19:00", "2027-07-18 20:00"),
        ("Friday there is over when Europe's has hardly begun", "NZ", "2027-07-16 08:00", "2027-07-18 20:00"),
        ("summer time of the south ends", "NZ", "2027-04-02 05:00", "2027-04-04 20:00"),
        ("across the day line Saturday is Friday in Greenwich", "KI", "2027-07-16 19:00", "2027-07-18 20:00"),
        ("Canada: from 8 in Vancouver to 17 in St. John's", "CA", "2027-02-02 15:59", "2027-02-02 16:00"),
        ("Canada: it is 17:00 in St. John's", "CA", "2027-02-02 20:30", "2027-02-03 16:00"),
        ("Thanksgiving, a holiday of most provinces", "CA", "2027-10-11 17:00", "2027-10-12 15:00"),
        ("Canada Day, everywhere", "CA", "2027-07-01 16:00", "2027-07-02 15:00"),
        ("Easter Monday, a holiday of three of four parts", "GB", "2027-03-29 10:00", "2027-03-30 07:00"),
        ("a holiday of a country without parts", "JP", "2027-02-11 02:00", "2027-02-11 23:00"),
        ("Friday is free by one source, Sunday by the other", "BD", "2027-02-05 05:00", "2027-02-08 02:00"),
        ("Russia goes by Moscow", "RU", "2027-02-02 04:00", "2027-02-02 05:00"),
        ("New Year in the next year", "DE", "2026-12-31 17:00", "2027-01-04 07:00"),
        ("an unknown country: the zone of the settings", "", "2027-02-02 07:00", "2027-02-02 08:00"),
        ("what is no country", "XX", "2027-02-06 09:00", "2027-02-08 08:00"),
        ("the world is no country", "001", "2027-02-02 09:00", OPEN),
        ("nowhere is no country", "ZZ", "2027-02-02 09:00", OPEN),
        ("a text of a stranger", "\x00" * 1000, "2027-02-02 09:00", OPEN),
    ],
)
def test_letters_leave_in_working_hours(why: str, country: str, now: str, expected: str | None) -> None:
    assert opens_at(country, at(now), WORKING) == (None if expected is None else at(expected)), why


def test_without_rules_every_moment_is_open() -> None:
    assert opens_at("FR", at("2027-12-25 03:00"), ALWAYS) is None


def test_holidays_may_count_as_other_days() -> None:
    rules = WindowRules(working_hours=True, holidays=False)
    assert opens_at("FR", at("2027-07-14 09:00"), rules) is None
    assert opens_at("FR", at("2027-07-14 09:00"), WORKING) is not None


def test_hours_are_those_of_the_settings() -> None:
    rules = WindowRules(working_hours=True, opens=time(9, 30), closes=time(12))
    assert opens_at("FR", at("2027-02-02 08:29"), rules) == at("2027-02-02 08:30")
    assert opens_at("FR", at("2027-02-02 11:00"), rules) == at("2027-02-03 08:30")


def test_a_day_whose_first_hour_the_clock_leaves_out_begins_when_it_was_put_forward() -> None:
    rules = WindowRules(quiet=(quiet_days("03-27"),))
    assert opens_at("LB", at("2027-03-27 12:00"), rules) == at("2027-03-27 22:00")  # midnight is one o'clock there


@pytest.mark.parametrize(
    ("days", "country", "now", "expected"),
    [
        (["12-24/01-02"], "FR", "2026-12-23 22:59", OPEN),
        (["12-24/01-02"], "FR", "2026-12-23 23:00", "2027-01-02 23:00"),  # midnight there; any hour but those days
        (["12-24/01-02"], "FR", "2027-01-02 22:00", "2027-01-02 23:00"),
        (["12-24"], "NZ", "2026-12-23 12:00", "2026-12-24 11:00"),  # from midnight in Chatham to midnight in Auckland
        (["2027-03-01/2027-03-05"], "FR", "2027-03-01 10:00", "2027-03-05 23:00"),
        (["2027-03-01/2027-03-05"], "FR", "2028-03-01 10:00", OPEN),
        (["02-29"], "FR", "2028-02-29 10:00", "2028-02-29 23:00"),
        (["02-29"], "FR", "2027-03-01 10:00", OPEN),
    ],
)
def test_nothing_leaves_on_quiet_days(days: list[str], country: str, now: str, expected: str | None) -> None:
    rules = WindowRules(quiet=tuple(map(quiet_days, days)))
    assert opens_at(country, at(now), rules) == (None if expected is None else at(expected))


def test_after_quiet_days_working_hours_count_again() -> None:
    rules = WindowRules(working_hours=True, quiet=(quiet_days("12-24/01-02"),))
    assert opens_at("FR", at("2026-12-24 09:00"), rules) == at("2027-01-04 07:00")


def test_nobody_is_told_to_wait_for_longer_than_three_weeks() -> None:
    whole_year = WindowRules(quiet=(quiet_days("01-01/12-31"),))
    now = at("2027-02-02 09:00")
    assert opens_at("FR", now, whole_year) == now + FURTHEST
    assert list(openings("FR", now, whole_year)) == []


@pytest.mark.parametrize("text", ["", "24-12", "12-32", "02-30", "12-24/", "12-24/2027-01-02", "12-24/12-25/12-26"])
def test_days_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="day"):
        quiet_days(text)


def test_days_of_one_year_do_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="not before it"):
        quiet_days("2027-03-05/2027-03-01")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        opens_at("FR", datetime(2027, 2, 2), WORKING)  # noqa: DTZ001


def test_every_country_has_hours_to_be_written_to_in_every_season() -> None:
    countries = [code for code in get_global("territory_zones") if len(code) == 2 and code != "ZZ"]
    assert len(countries) > 200
    for day in ("2027-02-08 00:00", "2027-06-21 00:00", "2027-10-25 00:00"):
        for country in countries:
            first = next(openings(country, at(day), WORKING))
            assert first[1] - first[0] >= timedelta(hours=3) or opens_at(country, at(day), WORKING) is None, country
            assert first[0] - at(day) < timedelta(days=12), country  # long holidays too end


def test_openings_follow_one_another_and_agree_with_what_is_asked_of_a_moment() -> None:
    found = list(openings("CA", at("2027-03-01 00:00"), WORKING))
    assert found[0] == (at("2027-03-01 16:00"), at("2027-03-01 20:30"))
    assert all(first < last < then for (first, last), (then, _) in pairwise(found))
    for first, last in found:
        assert opens_at("CA", first, WORKING) is None
        assert opens_at("CA", last, WORKING) is not None


@pytest.mark.parametrize(
    ("letters", "rate", "expected"),
    [
        ({}, 1.0, timedelta(0)),
        ({"FR": 0}, 1.0, timedelta(0)),
        ({"FR": 3601}, 1.0, timedelta(hours=1)),  # now is 11:00 there: six hours are left of the day
        ({"FR": 6 * 3600}, 1.0, timedelta(hours=6, seconds=-1)),
        ({"FR": 6 * 3600 + 1}, 1.0, timedelta(hours=21)),  # the last one leaves when the next day begins
        ({"FR": 6 * 3600 + 61}, 1.0, timedelta(hours=21, minutes=1)),
        ({"FR": 1}, 0.0, timedelta(0)),
        ({"FR": 1, "NZ": 1}, 0.0, timedelta(hours=9)),  # 20:00 to come, in winter: 19:00 on Chatham's summer clock
        ({"FR": 10**9}, 1.0, FURTHEST),
    ],
)
def test_a_wave_takes_as_long_as_its_windows_make_it(letters: dict[str, int], rate: float, expected: timedelta) -> None:
    assert time_needed(letters, rate, at("2027-02-02 10:00"), WORKING) == expected


@pytest.mark.parametrize("rate", [0.15, 1.0, 3.0, 7.0])
def test_windows_that_are_open_make_no_wave_longer_than_its_limit_does(rate: float) -> None:
    now = at("2027-02-02 10:00")
    limit = forecast.last_slot(Limit("mail:all", rate), 1000, forecast.NOTHING, now)
    for rules in (ALWAYS, WORKING):
        assert limit - timedelta(milliseconds=1) <= now + time_needed({"FR": 1000}, rate, now, rules) <= limit
        assert now + time_needed({"FR": 600, "DE": 400}, rate, now, rules) < limit
