"""Events are sealed in the order in which they can no longer be preceded, and seals are only ever added."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.domain import IntegrityFailure
from pipeline.store import seals
from pipeline.store.db import Database, rows
from pipeline.store.seals import Seal
from tests.sealed import happen, until_sealable, write

FAR = 2**40 + 5  # a transaction's number in epoch 256


def made(now: datetime, number: int, last_id: int, last_tx: int | None = None) -> Seal:
    """A seal that is one of a chain as far as the database can tell."""
    root, previous, head = (bytes([number + step]) * 32 for step in (100, -1, 0))
    return Seal(number, now, 1, last_tx, last_id, root, previous, head)


def why(db: Database, after: Seal | None = None, most: int = 100) -> list[str]:
    """The reasons of the events that may be sealed, in their order."""
    with db.read() as connection:
        found = [leaf.id for leaf in seals.unsealed(connection, after, most)]
        reasons = {row["id"]: row["why"] for row in rows(connection, text("SELECT id, why FROM events"))}
    return [reasons[number] for number in found]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seals SET count = 2",
        "DELETE FROM seals",
        "TRUNCATE seals",
        "REPLACE INTO seals SELECT number, at, 2, last_tx, last_id, root, previous, head FROM seals",
    ],
)
def test_seals_cannot_be_changed_or_removed(db: Database, now: datetime, statement: str) -> None:
    with db.write() as connection:
        assert seals.add(connection, made(now, 1, 7))
    with pytest.raises(DBAPIError), db.write() as connection:
        connection.execute(text(statement))
    with db.read() as connection:
        assert seals.newest(connection) == made(now, 1, 7)


def test_the_newest_head_is_that_of_the_highest_number_and_empty_without_seals(db: Database, now: datetime) -> None:
    with db.write() as connection:
        assert seals.newest(connection) is None
        assert seals.newest_head(connection) == ""
        seals.add(connection, made(now, 1, 10))
        seals.add(connection, made(now, 2, 9))
        assert seals.newest(connection) == made(now, 2, 9)
        assert seals.newest_head(connection) == "02" * 32


def test_of_two_seals_that_take_the_same_place_the_second_is_not_added(db: Database, now: datetime) -> None:
    first = made(now, 1, 10)
    others = (
        replace(made(now, 1, 11), previous=bytes([9] * 32), head=bytes([8] * 32)),
        replace(made(now, 2, 11), previous=first.previous),
        made(now, 2, 10),
        replace(made(now, 2, 11), head=first.head),
    )
    with db.write() as connection:
        assert seals.add(connection, first)
        assert [seals.add(connection, other) for other in others] == [False] * 4
        assert seals.add(connection, made(now, 2, 11))


def test_events_come_in_the_order_in_which_they_were_written(db: Database, now: datetime) -> None:
    assert why(db) == []
    for reason in ("a", "b", "c", "d"):
        write(db, now, why=reason)
    assert why(db) == ["a", "b", "c", "d"]
    assert why(db, most=3) == ["a", "b", "c"]
    with db.read() as connection:
        second = seals.unsealed(connection, None, 2)[1]
    after = made(now, 1, second.id, second.tx)
    assert why(db, after) == ["c", "d"]
    assert why(db, after, 1) == ["c"]


def test_events_that_are_committed_late_are_not_passed_over(db: Database, now: datetime, database_url: str) -> None:
    with closing(Database(database_url, timedelta(milliseconds=50))) as other:
        write(db, now, why="before")
        if db.dialect == "sqlite":  # one transaction writes at a time: none is late
            with db.write(), pytest.raises(DBAPIError, match="locked"), other.write():
                pass
            return
        with other.write() as late:
            late.execute(text("SELECT pg_current_xact_id()"))  # it has its number, and has written nothing
            with db.write() as connection:
                happen(connection, now, 1, "early")
            assert why(db) == ["before"]
            happen(late, now, 2, "late")
            with db.write() as connection:
                happen(connection, now, 1, "end")
            assert why(db) == ["before"]
    until_sealable(db)
    assert why(db) == ["before", "late", "late", "early", "end"]


def test_what_is_not_committed_is_not_sealed(db: Database, now: datetime, database_url: str) -> None:
    write(db, now, why="before")
    with closing(Database(database_url)) as other:
        with other.write() as under_way:
            happen(under_way, now, 1, "under way")
            assert why(db) == ["before"]
            under_way.rollback()
        assert why(db) == ["before"]


def test_a_long_log_is_not_read_for_what_is_new(db: Database, now: datetime) -> None:
    with db.write() as connection:
        happen(connection, now, 3000)
    with db.read() as connection:
        seals.unsealed(connection, made(now, 1, 2990, 1), 10)  # sets what it sets for its transaction
        if db.dialect == "sqlite":
            query = "EXPLAIN QUERY PLAN SELECT id FROM events WHERE (id) > (2990) ORDER BY id LIMIT 10"
            [plan] = [row["detail"] for row in rows(connection, text(query))]
            assert plan == "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"
        else:
            query = "EXPLAIN SELECT leaf FROM events WHERE (tx, id) > (1, 2990) ORDER BY tx, id LIMIT 10"
            plan = " ".join(row["QUERY PLAN"] for row in rows(connection, text(query)))
            assert "Index Scan using ix_events_tx_id" in plan
            assert "Sort" not in plan


def test_a_log_from_a_server_that_is_ahead_is_not_sealed_and_the_way_out_is_said(db: Database, now: datetime) -> None:
    write(db, now)
    after = made(now, 1, 0, FAR)
    if db.dialect == "sqlite":
        assert why(db, after) == ["x"]
        return
    with pytest.raises(IntegrityFailure) as refused:
        why(db, after)
    assert "pg_resetwal --epoch=257 " in refused.value.next_step
