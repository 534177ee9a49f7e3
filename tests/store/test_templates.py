"""Revisions on both databases: what is imported stays as it was, and can be had again as of any time."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from pipeline.domain import NotFound
from pipeline.store import tables as t
from pipeline.store import templates
from pipeline.store.db import Database


def _bring_in(db: Database, sources: dict[str, str], now: datetime, letter: str = "first") -> list[str]:
    with db.write() as connection:
        return templates.bring_in(connection, letter, sources, now, "test")


def test_only_what_is_new_or_has_changed_is_a_revision(db: Database, now: datetime) -> None:
    assert _bring_in(db, {"a": "1", "b": "1"}, now) == ["a", "b"]
    assert _bring_in(db, {"a": "1", "b": "2"}, now + timedelta(hours=1)) == ["b"]
    assert _bring_in(db, {"a": "1", "b": "2"}, now + timedelta(hours=2)) == []
    _bring_in(db, {"a": "9"}, now, "last")
    with db.read() as connection:
        found = templates.imports(connection)
        assert [(one.letter, list(one.sources)) for one in found] == [
            ("first", ["a", "b"]),
            ("first", ["b"]),
            ("last", ["a"]),
        ]
        assert [one.at for one in found] == [now, now + timedelta(hours=1), now]
        assert templates.imports(connection, "last") == found[2:]


def test_a_letter_can_be_had_as_it_was(db: Database, now: datetime) -> None:
    _bring_in(db, {"a": "1", "b": "1"}, now)
    _bring_in(db, {"a": "1", "b": "2", "c": "1"}, now + timedelta(hours=1))
    with db.read() as connection:
        old, new = (one.id for one in templates.imports(connection))
        assert templates.as_of(connection, "first", old) == {"a": "1", "b": "1"}
        assert templates.as_of(connection, "first", new) == {"a": "1", "b": "2", "c": "1"}
        for letter, revision in (("first", 99), ("last", old)):
            with pytest.raises(NotFound, match=f"has no revision {revision}"):
                templates.as_of(connection, letter, revision)


def test_a_revision_cannot_be_changed(db: Database, now: datetime) -> None:
    _bring_in(db, {"a": "1"}, now)
    with pytest.raises(DBAPIError, match="append-only"), db.write() as connection:
        connection.execute(update(t.template_revisions).values(source="2"))
