"""A process is a worker with a heartbeat while it works, and works until nothing is due."""

import os
import signal
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from pipeline.domain import IntegrityFailure
from pipeline.engine import Stage, Stopped, stoppable, until_done, working
from pipeline.store import seals, workers
from pipeline.store.db import Database, rows
from pipeline.store.tables import workers as table
from tests.sealed import chain, happen, heads_again, write

OFTEN = 0.01  # seconds between two beats


class Ticking:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def worker(db: Database, worker_id: int) -> dict[str, Any]:
    with db.read() as connection:
        [row] = rows(connection, select(table).where(table.c.id == worker_id))
    return row


def until(true: Any) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to be")


def test_a_worker_beats_while_it_works_and_ends_with_its_block(db: Database) -> None:
    with working(db, Ticking(), OFTEN) as worker_id:
        began = worker(db, worker_id)
        assert (began["pid"], began["ended_at"], began["planner"]) == (os.getpid(), None, 1)
        until(lambda: worker(db, worker_id)["heartbeat_at"] > began["heartbeat_at"] + timedelta(seconds=3))
    ended = worker(db, worker_id)
    assert ended["ended_at"] > ended["heartbeat_at"]


def test_a_worker_ends_when_its_work_fails(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), working(db, Ticking()) as worker_id:
        raise ZeroDivisionError
    assert worker(db, worker_id)["ended_at"] is not None


def test_a_worker_that_was_succeeded_stops_beating(db: Database) -> None:
    clock = Ticking()
    with working(db, clock, OFTEN) as worker_id:
        with db.write() as connection:
            workers.register(connection, "other", 1, planner=True, now=clock())
        last = worker(db, worker_id)
        until(lambda: clock() > last["heartbeat_at"] + timedelta(seconds=20))
        assert worker(db, worker_id)["heartbeat_at"] == last["heartbeat_at"]


def test_a_second_process_is_a_worker_but_not_the_planner(db: Database, database_url: str) -> None:
    with closing(Database(database_url)) as other, working(db, Ticking()) as first, working(other, Ticking()) as second:
        assert (worker(db, first)["planner"], worker(db, second)["planner"]) == (1, 0)
        assert worker(db, first)["ended_at"] is None


def test_stages_run_in_order_until_none_finds_anything() -> None:
    calls: list[tuple[str, int]] = []
    left = {"one": [2, 0, 1, 0], "two": [0, 3, 0, 0]}

    def stage(name: str) -> Stage:
        def work(worker_id: int) -> int:
            calls.append((name, worker_id))
            return left[name].pop(0)

        return Stage(name, work)

    assert until_done([stage("one"), stage("two")], 7) == {"one": 3, "two": 3}
    assert calls == [("one", 7), ("two", 7)] * 4
    assert until_done([], 7) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_the_block_and_nothing_else(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped), stoppable():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before
    assert not issubclass(Stopped, Exception)  # no `except Exception` may swallow it


def test_what_a_stop_tore_apart_is_told_as_a_stop() -> None:
    def torn() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            raise ValueError("a connection in the midst of it") from None

    with pytest.raises(Stopped), stoppable():
        torn()
    with pytest.raises(ValueError, match="alone"), stoppable():
        raise ValueError("alone")


def test_an_unbroken_block_comes_to_its_end_before_a_stop_and_a_second_stop_does_not_wait() -> None:
    done = []

    def work(stops: int) -> None:
        with stoppable() as stop:
            with stop.unbroken():
                for _ in range(stops):
                    signal.raise_signal(signal.SIGINT)
                done.append(stops)
            done.append(0)

    for stops in (1, 2):
        with pytest.raises(Stopped):
            work(stops)
    assert done == [1]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_heart_goes_on_after_a_beat_that_the_database_refused(db: Database) -> None:
    clock = Ticking()
    with working(db, clock, OFTEN) as worker_id:
        last = worker(db, worker_id)["heartbeat_at"]
        rename(db, "workers", "mislaid")
        began = clock.at
        until(lambda: clock.at > began + timedelta(seconds=2))  # two beats at least have found no table
        rename(db, "mislaid", "workers")
        until(lambda: worker(db, worker_id)["heartbeat_at"] > max(last, began))


def sealed(db: Database) -> int:
    return sum(one["count"] for one in chain(db))


def test_the_log_is_sealed_at_each_beat(db: Database, now: datetime) -> None:
    with working(db, Ticking(), OFTEN):
        for count in (5, 10):
            write(db, now, 3)
            write(db, now, 2)
            until(lambda count=count: sealed(db) >= count)
    assert sealed(db) == 10
    assert [bytes(one["head"]).hex() for one in chain(db)] == heads_again(db)


@pytest.mark.parametrize("raised", [None, ZeroDivisionError, Stopped])
def test_what_no_beat_has_sealed_is_sealed_at_the_end(
    db: Database, now: datetime, raised: type[BaseException] | None
) -> None:
    with suppress(ZeroDivisionError, Stopped), working(db, Ticking()):
        write(db, now, 4)
        assert sealed(db) == 0
        if raised is not None:
            raise raised
    assert sealed(db) == 4


def test_a_log_that_cannot_be_sealed_stops_no_heart_and_is_told_at_the_end(db: Database, now: datetime) -> None:
    from_elsewhere = seals.Seal(1, now, 1, 2**40, 0, bytes(32), bytes(32), bytes([1] * 32))
    clock = Ticking()

    def work() -> None:
        with working(db, clock, OFTEN) as worker_id:
            last = worker(db, worker_id)["heartbeat_at"]
            until(lambda: worker(db, worker_id)["heartbeat_at"] > last + timedelta(seconds=2))
        assert worker(db, worker_id)["ended_at"] is not None

    with db.write() as connection:
        seals.add(connection, from_elsewhere)
        happen(connection, now, 2)
    if db.dialect == "sqlite":  # where ids give the order, no server's numbers matter
        work()
        assert sealed(db) == 3
        return
    with pytest.raises(IntegrityFailure, match="cannot be sealed"):
        work()
    assert worker(db, 1)["ended_at"] is not None
    assert sealed(db) == 1


def rename(db: Database, table: str, name: str) -> None:
    with db.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


@pytest.mark.parametrize(("raised", "told"), [(Stopped, []), (RuntimeError, ["Exception during reset or similar"])])
def test_a_stop_while_a_connection_is_put_back_shows_nobody_our_insides(
    db: Database, caplog: pytest.LogCaptureFixture, raised: type[BaseException], told: list[str]
) -> None:
    with db.read():
        pass
    again = [raised]

    def reset(*_: Any) -> None:
        if again:
            raise again.pop()

    event.listen(db.engine.pool, "reset", reset)
    with suppress(Stopped), db.read():
        pass
    assert not again
    assert [record.getMessage() for record in caplog.records] == told
