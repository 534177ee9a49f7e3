"""The figures of a status are those of the rows."""

from datetime import datetime

import pytest
from sqlalchemy import insert, update

from pipeline.audit.status import figures, funnel, plain
from pipeline.audit.waits import StatusSettings, waits
from pipeline.cli import show
from pipeline.domain import LetterState, NotFound, WaveState
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.send import drop_cases, put_off
from tests.audit import world
from tests.audit.world import HOUR
from tests.seed import wave_of_letters

SETTINGS = StatusSettings(2, {"mail:all": (1.0, 0)})


def test_the_funnel_counts_each_stage_by_state(db: Database, now: datetime) -> None:
    world.story(db, now)
    with db.write() as connection:
        held = world.snapshot(connection, now, world.feed(connection, now, "three"), "three.txt", "held")
        connection.execute(update(t.snapshots).where(t.snapshots.c.id == held).values(observations=7))
        other = world.campaign(connection, now, "second")
        world.case(connection, now, other, world.target(connection, now, port=3128))
    with db.read() as connection:
        found = figures(connection, "", now + HOUR)
        one = figures(connection, "test", now + HOUR)
    assert funnel(found) == {
        "observations": {"accepted": 200, "held": 7},
        "targets": 2,
        "cases": {"by_state": {"noticed": 1, "seen": 1}, "by_exposure": {"open": 1, "unchecked": 1}},
        "contacts": {"untested": 2},
        "notices": 1,
        "letters": {"handed": 1},
        "attempts": {"handed": 1},
    }
    assert funnel(one)["cases"]["by_state"] == {"noticed": 1}
    assert [w.code for w in waits(found, SETTINGS, now + HOUR)] == [
        *("delivery.held", "case.unresolved", "verify.later", "training", "training")
    ]
    assert "\n" in show.to_json(plain(found, SETTINGS, now))


def test_letters_and_cases_under_way_are_counted_by_wave(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 6, cases=2)
    with db.write() as connection:
        for number, values in (
            (1, {"state": LetterState.DEFERRED.value, "due_at": now + HOUR}),
            (2, {"state": LetterState.UNCERTAIN.value}),
            (3, {"state": LetterState.WITHDRAWN.value, "reason": "training"}),
            (4, {"due_at": now + 2 * HOUR}),
        ):
            connection.execute(update(t.letters).where(t.letters.c.id == number).values(**values))
        drop_cases(connection, 5, {9: "stale"}, now)
        connection.execute(insert(t.budgets).values(key="mail:domain:isp1.example", next_at=now + HOUR))
        connection.execute(insert(t.budgets).values(key="mail:all", next_at=now, day=f"{now:%Y-%m-%d}", used=3))
    with db.read() as connection:
        found = figures(connection, "test", now)
    by_state = {row["state"]: (row["letters"], row["due"], row["next_at"]) for row in found.letters}
    assert by_state == {
        "approved": (3, 2, now + 2 * HOUR),
        "deferred": (1, 0, now + HOUR),
        "uncertain": (1, 0, None),
        "withdrawn": (1, 0, None),
    }
    assert found.under_way == {1: 11}
    assert found.uncertain == 2
    assert [(row["reason"], row["letters"]) for row in found.withheld] == [("training", 1)]
    assert [row["key"] for row in found.budgets] == ["mail:all"]
    assert found.domains_waiting == (1, now + HOUR)
    made = {w.code: w for w in waits(found, SETTINGS, now)}
    assert made["letter.due"].values["count"] == 2
    assert (made["letter.later"].values["count"], made["letter.later"].at) == (2, now + HOUR)
    assert made["case.ready"].values["count"] == 1  # the one that left its letter


def test_letters_that_wait_for_a_window_are_told_apart_from_those_tried_later(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 6)
    with db.write() as connection:
        for number, values in (
            (1, {"state": LetterState.DEFERRED.value, "reason": "4.2.2", "due_at": now + HOUR}),
            (2, {"country": "FR"}),
            (3, {"country": "FR"}),
            (4, {"country": "NZ"}),
            (5, {"reason": "window"}),  # it was put off, and its window is open now
        ):
            connection.execute(update(t.letters).where(t.letters.c.id == number).values(**values))
        assert put_off(connection, [1], "FR", now, now + 9 * HOUR) == 2
        assert put_off(connection, [1], "NZ", now, now + 5 * HOUR) == 1
    with db.read() as connection:
        found = figures(connection, "test", now)
    assert found.shut == [{"wave_id": 1, "letters": 3, "opens_at": now + 5 * HOUR}]
    made = {w.code: (w.values["count"], w.at) for w in waits(found, SETTINGS, now) if w.code.startswith("letter.")}
    assert made == {
        "letter.due": (2, None),
        "letter.later": (1, now + HOUR),
        "letter.window": (3, now + 5 * HOUR),
    }


def test_letters_that_wait_for_limits_of_their_own_are_counted_by_limit_and_many_limits_together(
    db: Database, now: datetime
) -> None:
    wave_of_letters(db, now, 9)
    reasons = ["limit:mail:mx:google/hour"] * 2 + [f"limit:mail:domain:isp{n}.example/second" for n in range(6)]
    with db.write() as connection:
        for number, reason in enumerate(reasons, 1):
            late = {"reason": reason, "due_at": now + number * HOUR}
            connection.execute(update(t.letters).where(t.letters.c.id == number).values(**late))
    with db.read() as connection:
        found = figures(connection, "test", now)
        later = figures(connection, "test", now + 8 * HOUR)
    assert [(row["reason"][6:], row["letters"], row["next_at"] - now) for row in found.limited] == [
        ("mail:mx:google/hour", 2, HOUR),
        *((f"mail:domain:isp{n}.example/second", 1, (n + 3) * HOUR) for n in range(4)),
        ("", 2, 7 * HOUR),
    ]
    made = [w for w in waits(found, SETTINGS, now) if w.code == "letter.later"]
    assert (made, later.limited) == ([], [])


def test_only_words_on_the_wave_as_it_stands_count_as_approvals(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 1, state=WaveState.RENDERED, mode="live")
    with db.write() as connection:
        connection.execute(update(t.waves).values(manifest_sha256=b"1" * 32))
        for by, digest, accepted in (("a", b"1", 1), ("b", b"2", 1), ("c", b"1", 1), ("d", b"2", 0)):
            row = {"wave_id": wave, "by": by, "accepted": accepted, "method": "ssh", "at": now}
            connection.execute(insert(t.approvals).values(manifest_sha256=digest * 32, **row))
    with db.read() as connection:
        found = figures(connection, "", now)
    assert [(row["accepted_by"], row["rejected_by"]) for row in found.waves] == [(["a", "c"], [])]
    assert "wave.unapproved" in [w.code for w in waits(found, SETTINGS, now)]


def test_a_campaign_that_nobody_knows_is_not_found(db: Database, now: datetime) -> None:
    with db.read() as connection, pytest.raises(NotFound):
        figures(connection, "other", now)
