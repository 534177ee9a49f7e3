"""Letters wait until the people they go to are at work: none is lost by it, and every other rule still holds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from pipeline.data.quiet_days import quiet_days
from pipeline.sandbox.mail_rules import Rule, defer
from pipeline.send.windows import WindowRules
from pipeline.store import send as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import wave_of_letters
from tests.send.conftest import letters, states

WORKING = WindowRules(working_hours=True)
MONDAY = datetime(2026, 3, 2, 7, tzinfo=UTC)  # 8:00 in Paris; the tests' clock begins on the Sunday before it


def live_in(db: Database, countries: Mapping[int, str]) -> None:
    """Say where the networks of letters are registered."""
    with db.write() as connection:
        for number, country in countries.items():
            connection.execute(update(t.letters).where(t.letters.c.id == number).values(country=country))


def attempts(db: Database) -> int:
    with db.read() as connection:
        return len(connection.execute(t.attempts.select()).all())


def test_a_letter_waits_for_monday_and_one_to_where_sunday_is_a_working_day_leaves(db: Database, post: Any) -> None:
    with post() as p:
        p.window = WORKING
        wave_of_letters(db, p.clock(), 3)
        live_in(db, {1: "FR", 2: "SA", 3: "FR"})
        outcome = p.send(db)
        assert outcome.tally == {"handed": 1}
        assert (outcome.left, outcome.wait, outcome.why) == (2, MONDAY, "window")
        assert p.recipients() == ["abuse@isp2.example"]
        p.clock.now = MONDAY - timedelta(seconds=1)
        assert p.send(db).tally == {}
        p.clock.now = MONDAY
        assert p.send(db).tally == {"handed": 2}
    assert states(db) == ["handed"] * 3


def test_many_letters_that_wait_do_not_keep_back_those_behind_them(db: Database, post: Any) -> None:
    with post() as p:
        p.window, p.connections = WORKING, 1
        wave_of_letters(db, p.clock(), 33)
        live_in(db, {number: ("FR", "DE", "")[number % 3] for number in range(1, 31)})
        live_in(db, {31: "SA", 32: "SA", 33: "EG"})
        outcome = p.send(db)
        assert outcome.tally == {"handed": 3}
        assert (outcome.left, outcome.wait) == (30, MONDAY)


def test_without_windows_sunday_is_a_day_as_any(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        live_in(db, {1: "FR"})
        assert p.send(db).tally == {"handed": 2}


def test_a_letter_of_an_older_release_goes_by_the_zone_of_the_settings(db: Database, post: Any) -> None:
    with post() as p:
        p.window = WindowRules(working_hours=True, elsewhere="America/Toronto")
        wave_of_letters(db, p.clock(), 1)
        assert p.send(db).wait == datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_nothing_leaves_on_a_quiet_day(db: Database, post: Any) -> None:
    with post() as p:
        p.window = WindowRules(quiet=(quiet_days("03-01/03-03"),))
        wave_of_letters(db, p.clock(), 1)
        live_in(db, {1: "FR"})
        outcome = p.send(db)
        assert (outcome.tally, outcome.wait) == ({}, datetime(2026, 3, 3, 23, tzinfo=UTC))


def test_evidence_that_grew_old_while_a_letter_waited_leaves_it(db: Database, post: Any) -> None:
    with post() as p:
        p.window, p.fresh_for = WORKING, timedelta(hours=20)
        wave_of_letters(db, p.clock(), 1)
        live_in(db, {1: "FR"})
        p.send(db)
        assert states(db) == ["approved"]  # put off, not withdrawn
        p.clock.now = MONDAY
        assert p.send(db).tally == {"withdraw": 1}
        assert p.recipients() == []
    assert letters(db)[1]["reason"] == "no_case_left"


def test_a_suppression_that_came_while_a_letter_waited_is_honoured(db: Database, post: Any) -> None:
    with post() as p:
        p.window = WORKING
        wave_of_letters(db, p.clock(), 1)
        live_in(db, {1: "FR"})
        p.send(db)
        values = {"domain": "isp1.example", "reason": "asked", "by": "person:1", "at": p.clock()}
        with db.write() as connection:
            connection.execute(insert(t.suppressions).values(**values))
        p.clock.now = MONDAY
        assert p.send(db).tally == {"suppress": 1}


def test_a_letter_that_was_tried_is_given_up_after_five_days_though_its_window_was_shut(
    db: Database, post: Any
) -> None:
    with post({"*": defer(0)}) as p:
        p.fresh_for = timedelta(days=30)
        wave_of_letters(db, p.clock(), 1)
        live_in(db, {1: "SA"})
        p.window = WindowRules(working_hours=True, quiet=(quiet_days("03-02/03-10"),))
        while (outcome := p.send(db)).left and outcome.wait < datetime(2026, 3, 2, tzinfo=UTC):
            p.clock.now = outcome.wait
        tried = attempts(db)
        assert tried > 1
        assert outcome.wait == datetime(2026, 3, 11, 5, tzinfo=UTC)
        p.clock.now = outcome.wait
        assert p.send(db).tally == {"expire": 1}
        assert attempts(db) == tried
    assert letters(db)[1]["reason"] == "five_days"


def test_a_wait_is_told_with_the_letter_until_it_leaves_and_a_deferral_keeps_its_own_reason(
    db: Database, post: Any
) -> None:
    with post({"abuse@isp2.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 2)
        live_in(db, {1: "FR", 2: "SA"})
        p.window = WORKING
        p.send(db)
        assert [row["reason"] for row in letters(db).values()] == ["window", "4.2.2"]
        p.clock.now = datetime(2026, 3, 1, 20, tzinfo=UTC)  # evening in Riyadh
        outcome = p.send(db)
        assert outcome.tally == {}
        assert [row["reason"] for row in letters(db).values()] == ["window", "4.2.2"]
        p.clock.now = MONDAY
        assert p.send(db).tally == {"handed": 2}
    assert "window" not in [row["reason"] for row in letters(db).values()]


def test_a_letter_that_waited_and_whose_reply_was_lost_says_nothing_of_waiting(db: Database, post: Any) -> None:
    with post({"*": Rule("drop", "dot", keep=True)}) as p:
        p.window = WORKING
        wave_of_letters(db, p.clock(), 1)
        live_in(db, {1: "FR"})
        p.send(db)
        p.clock.now = MONDAY
        p.send(db)
    [one] = letters(db).values()
    assert one["state"] == "uncertain"
    assert one["reason"] != "window"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_what_another_worker_has_in_hand_is_left_to_it_without_waiting(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 5)
    live_in(db, dict.fromkeys(range(1, 6), "FR"))
    with db.write() as mine:
        assert [due.id for due in store.due(mine, [wave], now, 2)] == [1, 2]
        with db.write() as others:
            assert store.put_off(others, [wave], "FR", now, MONDAY) == 3
        assert store.put_off(mine, [wave], "FR", now, MONDAY) == 2
    assert {row["reason"] for row in letters(db).values()} == {"window"}
    with db.write() as connection:
        assert store.due(connection, [wave], now, 9) == []
        assert store.put_off(connection, [wave], "FR", now, MONDAY + timedelta(days=1)) == 0
