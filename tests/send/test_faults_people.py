"""A person pauses, resumes or cancels while a wave is being sent: measured at the relay, on both databases."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.domain import Event, LetterState, WaveState
from pipeline.sandbox.mail_rules import Rule
from pipeline.store import holds, lives, plan, waves, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.holds import Scope
from tests.seed import wave_of_letters
from tests.send.conftest import Post, letters, states

COUNT, CONNECTIONS = 300, 10
SLOW = {"*": Rule("stall", "dot", seconds=0.05)}  # so that a person comes in time


@contextmanager
def sending(p: Post, db: Database, wanted: int) -> Iterator[None]:
    """Send in a thread of its own; the block is entered once so many letters have arrived."""
    other = Database(db.engine.url.render_as_string(hide_password=False))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            p.send(other)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while thread.is_alive() and len(p.recipients()) < wanted:
            thread.join(0.005)
        yield
    finally:
        thread.join()
        other.close()
    assert not errors, errors


def hold(db: Database, p: Post) -> None:
    with db.write() as connection:
        holds.hold(connection, Scope(), "stop", p.clock(), "person:1")


def release(db: Database, p: Post) -> None:
    with db.write() as connection:
        holds.release(connection, Scope(), "go on", p.clock(), "person:1")


def cancel(db: Database, p: Post) -> None:
    with db.write() as connection:
        waves.cancel(connection, waves.locked(connection, 1), p.clock(), "person:1", "a mistake")


@pytest.mark.parametrize("stop", [hold, cancel])
def test_after_a_stop_commits_at_most_one_letter_of_each_connection_arrives(
    db: Database, post: Any, stop: Callable[[Database, Post], None]
) -> None:
    with post(SLOW) as p:
        p.connections = CONNECTIONS
        wave_of_letters(db, p.clock(), COUNT)
        with sending(p, db, 60):
            stop(db, p)
            at_once = len(p.recipients())
        assert at_once < COUNT, "it came too late"
        assert len(p.recipients()) <= at_once + CONNECTIONS
        assert Counter(states(db))["handed"] == len(p.recipients())


def test_what_a_pause_left_goes_on_where_it_stood_and_each_letter_arrives_once(db: Database, post: Any) -> None:
    with post(SLOW) as p:
        p.connections = CONNECTIONS
        wave_of_letters(db, p.clock(), COUNT)
        with sending(p, db, 60):
            hold(db, p)
        assert Counter(states(db)).keys() == {"handed", "approved"}
        release(db, p)
        p.send(db)
        assert set(Counter(p.recipients()).values()) == {1}
        assert len(p.recipients()) == COUNT
    with db.read() as connection:
        assert waves.by_id(connection, 1)["state"] == WaveState.DONE


def test_a_pause_that_is_over_while_it_still_sends_loses_nothing(db: Database, post: Any) -> None:
    with post(SLOW) as p:
        p.connections = CONNECTIONS
        wave_of_letters(db, p.clock(), COUNT)
        with sending(p, db, 30):
            for _ in range(20):
                hold(db, p)
                release(db, p)
        p.send(db)
        assert Counter(p.recipients()) == {f"abuse@isp{n}.example": 1 for n in range(1, COUNT + 1)}


def test_of_a_wave_that_is_cancelled_while_it_is_sent_nothing_is_left_under_way(db: Database, post: Any) -> None:
    with post(SLOW) as p:
        p.connections = CONNECTIONS
        wave_of_letters(db, p.clock(), COUNT)
        with sending(p, db, 60):
            cancel(db, p)
        found = Counter(states(db))
        assert found.keys() == {"handed", "withdrawn"}
        assert {row["reason"] for row in letters(db).values() if row["state"] == "withdrawn"} == {"cancelled"}
        p.send(db)
        assert Counter(states(db)) == found
        assert len(p.recipients()) == found["handed"]
    with db.read() as connection:
        assert waves.by_id(connection, 1)["state"] == WaveState.CANCELLED
        assert len(plan.told(connection, 1)) == found["handed"]  # the others may be in another wave


def test_of_a_wave_that_was_cancelled_after_its_sender_died_each_letter_is_settled(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 4)
        with db.write() as connection:
            dead = workers.register(connection, "gone", 1, planner=False, now=p.clock())
            lives.advance(connection, [1, 2], Event.LETTER_CLAIMED, p.clock(), "tocsin", values={"worker_id": dead})
            connection.execute(update(t.letters).where(t.letters.c.id < 3).values(attempts=1, claim=1))
            for letter, dot in ((1, None), (2, p.clock())):
                made = {"letter_id": letter, "number": 1, "worker_id": dead, "head": b"", "sha256": b"", "dot_at": dot}
                who = {"sender": "s", "recipient": "r", "started_at": p.clock()}
                connection.execute(t.attempts.insert().values(**made, **who))
        cancel(db, p)
        p.clock.now += timedelta(seconds=31)
        with db.read() as connection:
            assert waves.any_left(connection)
        p.send(db)
        assert states(db) == ["withdrawn", "uncertain", "withdrawn", "withdrawn"]
        assert p.recipients() == []
    with db.write() as connection:
        assert not waves.any_left(connection)
        lives.advance(connection, [2], Event.LETTER_RESEND, p.clock(), "person:1")
        assert waves.any_left(connection)
        assert waves.withdraw_cancelled(connection, p.clock(), "tocsin") == 1
        left = select(t.letters.c.id).where(t.letters.c.state != LetterState.WITHDRAWN)
        assert connection.execute(left).all() == []
