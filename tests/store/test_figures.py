"""Figures for monitoring, on both databases."""

from datetime import datetime, timedelta

from sqlalchemy import update

from pipeline.audit.seal import seal
from pipeline.store import figures, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import world
from tests.seed import wave_of_letters


def test_an_empty_database_has_no_figures(db: Database, now: datetime) -> None:
    with db.read() as connection:
        assert figures.attempts_in_all(connection) == {}
        assert figures.oldest_due(connection, now) is None
        assert figures.heartbeats(connection, 10) == []
        assert figures.last_seal(connection) is None


def test_only_letters_that_are_due_in_a_wave_being_sent_are_waited_for(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 3)
    hour = timedelta(hours=1)
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == 1).values(state="handed", due_at=now - 3 * hour))
        connection.execute(update(t.letters).where(t.letters.c.id == 2).values(state="deferred", due_at=now - hour))
        connection.execute(update(t.letters).where(t.letters.c.id == 3).values(due_at=now + hour))
        assert figures.oldest_due(connection, now) == now - hour
        connection.execute(update(t.waves).values(state="approved"))
        assert figures.oldest_due(connection, now) is None


def test_attempts_and_the_last_seal(db: Database, now: datetime) -> None:
    world.story(db, now)
    seal(db, lambda: now + timedelta(days=1))
    with db.read() as connection:
        assert figures.attempts_in_all(connection) == {"handed": 1}
        assert figures.last_seal(connection) == now + timedelta(days=1)


def test_workers_that_have_ended_and_more_than_asked_for_are_left_out(db: Database, now: datetime) -> None:
    with db.write() as connection:
        ids = [workers.register(connection, "host", n, planner=False, now=now) for n in range(3)]
        workers.end(connection, ids[2], now)
        assert figures.heartbeats(connection, 10) == [(ids[1], False, now), (ids[0], False, now)]
        assert figures.heartbeats(connection, 1) == [(ids[1], False, now)]
