"""Events are only ever added, carry their own hash, and never a personal value."""

import hashlib
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.store import events
from pipeline.store.db import Database, rows


def write_one(db: Database, now: datetime) -> None:
    with db.write() as connection:
        events.write(
            connection, [events.Entry("campaign.created", "campaign", 7, 7, "asked", {"b": 1, "a": "é"})], now, "tocsin"
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET why = 'other'",
        "DELETE FROM events",
        "TRUNCATE events",
        'REPLACE INTO events (id, at, what, subject, subject_id, "by", why, data, leaf) '
        "SELECT id, at, what, subject, subject_id, \"by\", 'other', data, leaf FROM events",
    ],
)
def test_events_cannot_be_changed_or_removed(db: Database, now: datetime, statement: str) -> None:
    write_one(db, now)
    with pytest.raises(DBAPIError), db.write() as connection:
        connection.execute(text(statement))
    with db.read() as connection:
        assert [row["why"] for row in rows(connection, text("SELECT why FROM events"))] == ["asked"]


def test_the_leaf_is_the_hash_of_the_stored_columns(db: Database, now: datetime) -> None:
    write_one(db, now)
    with db.read() as connection:
        [row] = rows(connection, text("SELECT data, leaf FROM events"))
    columns = ("2026-03-01T10:00:00.000000Z", "campaign.created", "campaign", "7", "7", "tocsin", "asked", row["data"])
    assert row["data"] == '{"a":"é","b":1}'
    assert bytes(row["leaf"]) == hashlib.sha256(b"\x00" + "\x1f".join(columns).encode()).digest()


def test_postgresql_events_know_their_transaction(db: Database, now: datetime) -> None:
    write_one(db, now)
    write_one(db, now)
    with db.read() as connection:
        numbers = [row["tx"] for row in rows(connection, text("SELECT tx FROM events ORDER BY id"))]
    if db.dialect == "sqlite":
        assert numbers == [None, None]  # the id serves
    else:
        assert 0 < numbers[0] < numbers[1]


def test_a_kept_text_is_found_by_a_digest_that_does_not_repeat(db: Database, now: datetime) -> None:
    with db.write() as connection:
        one = events.keep_text(connection, "mailbox", "abuse@isp.example", now)
        two = events.keep_text(connection, "mailbox", "abuse@isp.example", now)
        assert one != two
        assert events.read_text(connection, one) == events.read_text(connection, two) == "abuse@isp.example"
        connection.execute(text("UPDATE texts SET value = NULL, salt = NULL"))
        assert events.read_text(connection, one) is None
