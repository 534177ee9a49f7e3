"""A row has one worker at a time; who is silent for thirty seconds, or was succeeded, holds nothing."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, insert, select

from pipeline.store import workers
from pipeline.store.db import Database
from pipeline.store.lives import Lease
from pipeline.store.tables import feeds, snapshots


@pytest.fixture
def six_rows(db: Database, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(insert(feeds).values(name="f", rights="{}", declaration="{}", declared_at=now))
        values = {"feed_id": 1, "received_at": now, "verdict": "reading"}
        connection.execute(insert(snapshots), [values | {"sha256": bytes([n]) * 32} for n in range(6)])


def take(connection: Connection, worker_id: int, now: datetime, limit: int = 10) -> Lease:
    return workers.claim(connection, snapshots, snapshots.c.verdict == "reading", worker_id, now, limit, snapshots.c.id)


def make(connection: Connection, now: datetime, planner: bool = False) -> int:
    return workers.register(connection, "host", 1, planner=planner, now=now)


def holders(connection: Connection) -> Sequence[int | None]:
    return connection.execute(select(snapshots.c.worker_id).order_by(snapshots.c.id)).scalars().all()


@pytest.mark.usefixtures("six_rows")
def test_two_workers_never_hold_the_same_row(db: Database, now: datetime) -> None:
    with db.write() as connection:
        one, two = make(connection, now), make(connection, now)
        first, second = take(connection, one, now, 2), take(connection, two, now)
        assert (list(first.claims), list(second.claims)) == ([1, 2], [3, 4, 5, 6])
        assert not take(connection, one, now).claims


@pytest.mark.usefixtures("six_rows")
def test_a_row_under_an_open_transaction_is_passed_over_and_not_waited_for(db: Database, now: datetime) -> None:
    with db.write() as connection:
        one, two = make(connection, now), make(connection, now)
    with ExitStack() as stack:
        first = stack.enter_context(db.write())
        assert list(take(first, one, now, 3).claims) == [1, 2, 3]
        if db.dialect == "sqlite":
            stack.close()  # there, a second writer begins when the first has committed
        second = stack.enter_context(db.write())
        assert list(take(second, two, now).claims) == [4, 5, 6]


@pytest.mark.usefixtures("six_rows")
def test_rows_of_a_worker_silent_for_thirty_seconds_are_free(db: Database, now: datetime) -> None:
    with db.write() as connection:
        silent, other = make(connection, now), make(connection, now)
        held = take(connection, silent, now)
        within, after = now + timedelta(seconds=29), now + timedelta(seconds=30)
        assert not take(connection, other, within).claims
        assert workers.beat(connection, other, after)
        taken = take(connection, other, after)
    assert list(taken.claims) == list(held.claims)
    assert all(taken.claims[row] == held.claims[row] + 1 for row in held.claims)


@pytest.mark.usefixtures("six_rows")
def test_rows_of_a_worker_that_ended_are_free_at_once(db: Database, now: datetime) -> None:
    with db.write() as connection:
        one, two = make(connection, now), make(connection, now)
        take(connection, one, now)
        workers.end(connection, one, now)
        assert len(take(connection, two, now).claims) == 6
        assert not workers.beat(connection, one, now)


@pytest.mark.usefixtures("six_rows")
def test_a_planner_voids_its_predecessor_at_once_and_nobody_else(db: Database, now: datetime) -> None:
    with db.write() as connection:
        old, beside = make(connection, now, planner=True), make(connection, now)
        take(connection, old, now, 3)
        take(connection, beside, now)
        new = make(connection, now, planner=True)
        assert list(take(connection, new, now).claims) == [1, 2, 3]
        assert not workers.beat(connection, old, now)
        assert workers.beat(connection, beside, now)
        assert workers.beat(connection, new, now)


@pytest.mark.usefixtures("six_rows")
def test_giving_back_leaves_what_another_has_taken_since(db: Database, now: datetime) -> None:
    later = now + timedelta(seconds=31)
    with db.write() as connection:
        old, new = make(connection, now), make(connection, later)
        lost = take(connection, old, now)
        take(connection, new, later, 2)
        workers.release(connection, snapshots, lost)
        assert holders(connection) == [new, new, None, None, None, None]
