"""Feeds are told of when they change; a snapshot grows under one lease, and only persons decide on it afterwards."""

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from pipeline.domain import NotFound, Observation, RefusedBySafety, Reject, Verdict
from pipeline.store import bulk, feeds, ingest, workers
from pipeline.store.db import Database, rows
from pipeline.store.lives import Lease, LeaseLost
from pipeline.store.tables import events as log
from pipeline.store.tables import exclusions, observations, rejects, texts
from pipeline.store.tables import feeds as feed_table

DECLARATION: dict[str, Any] = {
    "parser": "ip_port",
    "access": "public",
    "lawful_basis": "their licence",
    "lifetime": timedelta(days=7),
    "retain": timedelta(days=30),
    "quote": True,
}
WEEK = timedelta(days=7)


@pytest.fixture
def one(db: Database, now: datetime) -> int:
    """A snapshot that is being read."""
    with db.write() as connection:
        feed = feeds.declare(connection, "list", DECLARATION, now, "tocsin")
        return ingest.find_or_add(connection, feed, bytes(32), "list.txt", 100, now, "tocsin")


def lease(connection: Connection, snapshot_id: int, now: datetime) -> Lease:
    taken = ingest.take(connection, snapshot_id, workers.register(connection, "h", 1, planner=False, now=now), now)
    assert taken is not None
    return taken


def seen(line: int, now: datetime) -> Observation:
    return Observation(line, ip_address("198.51.100.1"), 8080, "tcp", "http", "http_proxy", now, 50, b"raw\x00\xff")


def told(connection: Connection, subject: str) -> list[dict[str, Any]]:
    return rows(connection, select(log).where(log.c.subject == subject).order_by(log.c.id))


def test_a_declaration_is_told_once_and_again_when_it_changes(db: Database, now: datetime) -> None:
    with db.write() as connection:
        first = feeds.declare(connection, "list", DECLARATION, now, "system:op")
        assert feeds.declare(connection, "list", DECLARATION, now + WEEK, "system:op") == first
        found = feeds.feed_by_name(connection, "list")
        assert (found.parser, found.group, found.lifetime) == ("ip_port", "list", WEEK)
        assert feeds.declare(connection, "list", DECLARATION | {"group": "copies"}, now + WEEK, "system:op") == first
        assert feeds.feed_by_name(connection, "list").group == "copies"
        [declared, changed] = told(connection, "feed")
        [row] = rows(connection, select(feed_table))
    assert (declared["what"], changed["what"], changed["at"]) == ("feed.declared", "feed.changed", now + WEEK)
    assert declared["data"].split('"sha256":')[1].rstrip("}") in changed["data"]
    assert "licence" not in declared["data"]
    assert row["rights"] == (
        '{"attach_raw":false,"export":false,"name_in_letter":false,"quote":true,"retain_days":30,"share":false}'
    )
    assert feeds.declaration_of(row["declaration"])["lifetime"] == 7 * 86_400


def test_a_feed_without_a_lifetime_is_refused(db: Database, now: datetime) -> None:
    for wrong, kind in (({"lifetime": "7d"}, TypeError), ({"parser": None}, DBAPIError)):
        with pytest.raises(kind), db.write() as connection:
            feeds.declare(connection, "list", DECLARATION | wrong, now, "tocsin")
    with db.read() as connection:
        assert told(connection, "feed") == []


def test_the_same_bytes_are_the_same_snapshot_of_a_feed(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        assert ingest.find_or_add(connection, 1, bytes(32), "renamed.txt", 100, now, "tocsin") == one
        other_feed = feeds.declare(connection, "other", DECLARATION, now, "tocsin")
        assert ingest.find_or_add(connection, other_feed, bytes(32), "list.txt", 100, now, "tocsin") != one
        assert ingest.find_or_add(connection, 1, bytes([1]) * 32, "list.txt", 100, now, "tocsin") != one
        assert [row["what"] for row in told(connection, "snapshot")] == ["snapshot.received"] * 3
        with pytest.raises(NotFound):
            ingest.snapshot(connection, 99)


def test_lines_are_added_with_the_count_that_says_how_far_we_came(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        held = lease(connection, one, now)
        ingest.add_lines(connection, held, 2, [seen(1, now)], [Reject(2, "port-bad", b"x")], {"http_proxy": "p"}, WEEK)
        ingest.add_lines(connection, held, 9, [seen(7, now), seen(9, now)], [], {}, WEEK)
        found = ingest.snapshot(connection, one)
        stored = rows(connection, select(observations).order_by(observations.c.line))
    assert (found.lines, found.observations, found.rejects, found.verdict) == (9, 3, 1, Verdict.READING)
    assert [(row["line"], row["topic"], row["expires_at"]) for row in stored] == [
        (1, "p", now + WEEK),
        (7, "", now + WEEK),
        (9, "", now + WEEK),
    ]
    assert (stored[0]["raw"], stored[0]["address"], stored[0]["observed_at"]) == (
        b"raw\x00\xff",
        ip_address("198.51.100.1"),
        now,
    )


def test_a_chunk_is_stored_whole_or_not_at_all(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        held = lease(connection, one, now)
        ingest.add_lines(connection, held, 5, [seen(5, now)], [], {}, WEEK)
    with pytest.raises(DBAPIError), db.write() as connection:
        ingest.add_lines(connection, held, 6, [seen(6, now), seen(5, now)], [], {}, WEEK)
    with db.read() as connection:
        assert ingest.snapshot(connection, one).lines == 5
        assert connection.execute(select(func.count()).select_from(observations)).scalar_one() == 1


def test_without_the_lease_or_after_the_verdict_nothing_is_added(db: Database, now: datetime, one: int) -> None:
    later = now + timedelta(seconds=31)
    with db.write() as connection:
        lost = lease(connection, one, now)
        assert ingest.take(connection, one, lost.worker_id, now) is None  # not even for the same worker
        held = lease(connection, one, later)
        with pytest.raises(LeaseLost):
            ingest.add_lines(connection, lost, 1, [seen(1, now)], [], {}, WEEK)
        with pytest.raises(LeaseLost):
            ingest.judge(connection, lost, Verdict.ACCEPTED, "", now, "tocsin")
        ingest.judge(connection, held, Verdict.HELD, "empty", now, "tocsin")
        with pytest.raises(LeaseLost):
            ingest.add_lines(connection, held, 1, [], [Reject(1, "port-bad", b"")], {}, WEEK)
        for table in (observations, rejects):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
        assert ingest.snapshot(connection, one).lines == 0


def test_a_snapshot_taken_anew_ends_the_older_lease_of_the_same_worker(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        old = lease(connection, one, now)
        ingest.give_back(connection, old)
        new = ingest.take(connection, one, old.worker_id, now)
        assert new is not None
        with pytest.raises(LeaseLost):
            ingest.add_lines(connection, old, 1, [seen(1, now)], [], {}, WEEK)
        ingest.add_lines(connection, new, 1, [seen(1, now)], [], {}, WEEK)


def test_a_persons_decision_is_told_without_their_words(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        with pytest.raises(RefusedBySafety, match="cannot become accepted"):
            ingest.release_snapshot(connection, one, "good", now, "person:3")
        ingest.judge(connection, lease(connection, one, now), Verdict.HELD, "too-many-rejects", now, "tocsin")
        ingest.release_snapshot(connection, one, "Ms Tremblay said it is good", now, "person:3")
        ingest.void_snapshot(connection, one, "Ms Tremblay was wrong", now, "person:4")
        with pytest.raises(RefusedBySafety, match="cannot become voided"):
            ingest.void_snapshot(connection, one, "again", now, "person:4")
        _, held, released, voided = told(connection, "snapshot")
        assert ingest.snapshot(connection, one).reason == "Ms Tremblay was wrong"
        kept = connection.execute(select(texts.c.value).order_by(texts.c.value)).scalars().all()
    assert (held["what"], held["why"], held["data"]) == (
        "snapshot.held",
        "too-many-rejects",
        '{"lines":0,"observations":0,"rejects":0}',
    )
    assert [(row["what"], row["by"]) for row in (released, voided)] == [
        ("snapshot.released", "person:3"),
        ("snapshot.voided", "person:4"),
    ]
    assert "Tremblay" not in released["data"] + voided["data"]
    assert kept == ["Ms Tremblay said it is good", "Ms Tremblay was wrong"]


def test_only_accepted_snapshots_with_lines_left_are_unapplied(db: Database, now: datetime, one: int) -> None:
    with db.write() as connection:
        assert ingest.unapplied(connection) == []
        connection.execute(text("UPDATE snapshots SET verdict = 'accepted', lines = 3, applied_line = 2"))
        assert ingest.unapplied(connection) == [one]
        connection.execute(text("UPDATE snapshots SET applied_line = 3"))
        assert ingest.unapplied(connection) == []


def test_rows_in_bulk_are_those_of_single_inserts(db: Database, now: datetime) -> None:
    feed = {"name": "a", "rights": "{}", "declaration": 'tab\t, \\N, "quoted", l’été, NUL-free', "declared_at": now}
    with db.write() as connection:
        bulk.insert_rows(connection, feed_table, tuple(feed), [tuple(feed.values())])
        bulk.insert_rows(connection, feed_table, tuple(feed), [])
        connection.execute(feed_table.insert().values(**feed | {"name": "b"}))
        one, two = rows(connection, select(feed_table).order_by(feed_table.c.name))
        assert {key for key in one if one[key] != two[key]} == {"id", "name"}
    with pytest.raises(DBAPIError), db.write() as connection:
        bulk.insert_rows(connection, feed_table, tuple(feed), [tuple(feed.values())])
    naive = tuple((feed | {"name": "c", "declared_at": now.replace(tzinfo=None)}).values())
    with pytest.raises(ValueError, match="without a zone"), db.write() as connection:
        bulk.insert_rows(connection, feed_table, tuple(feed), [naive])
    with db.read() as connection:
        assert connection.execute(select(func.count()).select_from(feed_table)).scalar_one() == 2


def test_bulk_rows_may_leave_addresses_and_times_empty(db: Database, now: datetime) -> None:
    names = ("reason", "by", "at", "asn", "first_address", "last_address", "until")
    with db.write() as connection:
        bulk.insert_rows(connection, exclusions, names, [("own", "person:3", now, 64_496, None, None, None)])
        [row] = rows(connection, select(exclusions))
    assert (row["first_address"], row["until"], row["asn"], row["at"]) == (None, None, 64_496, now)
