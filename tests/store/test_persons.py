"""People: names are unique, nobody is removed, passwords are proved and never shown, events carry no name."""

import json
from datetime import datetime

import pytest
from sqlalchemy import text

from pipeline.domain import ConfigurationError, NotFound
from pipeline.store import events, persons
from pipeline.store.db import Database, rows
from pipeline.store.persons import Role


def add(db: Database, now: datetime, name: str = "alice", role: Role = Role.APPROVER, password_hash: str = "") -> int:
    with db.write() as connection:
        return persons.add(connection, name, role, password_hash, f"{name}@agency.example", now, "system:root")


def test_a_person_is_found_by_name_with_role_and_proof(db: Database, now: datetime) -> None:
    person_id = add(db, now)
    with db.read() as connection:
        found = persons.by_name(connection, "alice")
        assert found is not None
        assert (found.id, found.role, found.principal) == (person_id, Role.APPROVER, "alice@agency.example")
        assert (found.by, found.created_at, found.disabled_at) == (f"person:{person_id}", now, None)
        assert persons.by_name(connection, "Alice") is None


def test_a_name_is_taken_once_even_by_somebody_who_was_disabled(db: Database, now: datetime) -> None:
    add(db, now)
    with db.write() as connection:
        assert persons.disable(connection, "alice", now, "system:root")
    with pytest.raises(ConfigurationError, match="alice already"):
        add(db, now)


def test_disabling_twice_changes_nothing_and_nobody_unknown_is_disabled(db: Database, now: datetime) -> None:
    add(db, now)
    with db.write() as connection:
        assert persons.disable(connection, "alice", now, "system:root")
        assert not persons.disable(connection, "alice", now, "system:root")
        with pytest.raises(NotFound, match="no person bob"):
            persons.disable(connection, "bob", now, "system:root")
        assert [p.disabled_at for p in persons.everyone(connection)] == [now]
        assert len(rows(connection, text("SELECT id FROM events WHERE what = 'person.disabled'"))) == 1


def test_only_approvers_who_are_not_disabled_count(db: Database, now: datetime) -> None:
    for name, role in (("a", Role.APPROVER), ("b", Role.APPROVER), ("c", Role.OFFICER)):
        add(db, now, name, role)
    with db.write() as connection:
        assert persons.approvers(connection) == 2
        persons.disable(connection, "a", now, "system:root")
        assert persons.approvers(connection) == 1


def test_an_event_names_a_person_only_by_a_kept_text(db: Database, now: datetime) -> None:
    add(db, now)
    with db.read() as connection:
        [row] = rows(connection, text('SELECT what, "by", data FROM events'))
        assert (row["what"], row["by"]) == ("person.added", "system:root")
        assert "alice" not in row["data"]
        data = json.loads(row["data"])
        assert events.read_text(connection, data["name"]) == "alice"
        assert events.read_text(connection, data["principal"]) == "alice@agency.example"


def test_a_password_is_proved_and_never_shown(db: Database, now: datetime) -> None:
    hashed = persons.hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    add(db, now, password_hash=hashed)
    with db.read() as connection:
        found = persons.by_name(connection, "alice")
    assert found is not None
    assert persons.fits(found, "correct horse battery")
    assert not persons.fits(found, "correct horse")
    assert hashed not in repr(found)


def test_who_has_no_password_is_not_proved_by_an_empty_one(db: Database, now: datetime) -> None:
    add(db, now)
    with db.read() as connection:
        found = persons.by_name(connection, "alice")
    assert found is not None
    assert not persons.fits(found, "")
