"""Persons on the command line: a password never on the line, and who acts is who is registered."""

import sqlite3
from pathlib import Path

import pytest

from pipeline.cli import context
from pipeline.store import persons
from pipeline.store.db import Database
from tests.cli.conftest import Tocsin

PASSWORD = "correct horse battery"


def by(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "tocsin.db") as connection:
        return [row[0] for row in connection.execute('SELECT "by" FROM events ORDER BY id')]


def test_a_password_is_read_from_stdin_and_stored_as_a_hash(tocsin: Tocsin, folder: Path) -> None:
    ran = tocsin("person", "add", "bob", "--role", "officer", "--password", stdin=f"{PASSWORD}\n")
    assert ran.code == 0
    assert PASSWORD not in ran.out + ran.err
    db = Database(f"sqlite:///{folder / 'tocsin.db'}")
    with db.read() as connection:
        found = persons.by_name(connection, "bob")
    db.close()
    assert found is not None
    assert persons.fits(found, PASSWORD)
    assert tocsin("person", "list", "--json").data["persons"][0]["password"] is True


@pytest.mark.parametrize("stdin", ["", "short\n", "\n"])
def test_a_password_that_is_too_short_registers_nobody(tocsin: Tocsin, stdin: str) -> None:
    assert tocsin("person", "add", "bob", "--role", "officer", "--password", stdin=stdin).code == 2
    assert tocsin("person", "list", "--json").data["persons"] == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "-a", "x" * 101])
def test_a_name_that_would_confuse_readers_is_refused(tocsin: Tocsin, name: str) -> None:
    assert tocsin("person", "add", "--role", "officer", "--", name).code == 2


@pytest.mark.parametrize("principal", ["a b", "a,b", "a\nb"])
def test_a_principal_that_no_allowed_signers_file_can_hold_is_refused(tocsin: Tocsin, principal: str) -> None:
    assert tocsin("person", "add", "bob", "--role", "officer", "--principal", principal).code == 2


def test_who_is_not_registered_acts_as_the_systems_user(tocsin: Tocsin, folder: Path) -> None:
    tocsin("hold", "--reason", "wait")
    assert by(folder) == [f"system:{context.system_user()}"]


def test_who_is_registered_under_the_systems_name_acts_as_that_person(tocsin: Tocsin, folder: Path) -> None:
    tocsin("person", "add", context.system_user(), "--role", "officer")
    tocsin("hold", "--reason", "wait")
    assert by(folder)[1:] == ["person:1"]


def test_as_names_a_registered_person_and_nobody_else(tocsin: Tocsin, folder: Path) -> None:
    tocsin("person", "add", "alice", "--role", "officer")
    assert tocsin("--as", "alice", "hold", "--reason", "wait").code == 0
    assert by(folder)[1:] == ["person:1"]
    ran = tocsin("--as", "mallory", "release", "--reason", "go")
    assert (ran.code, "There is no person mallory" in ran.err) == (4, True)


def test_a_disabled_person_acts_no_more(tocsin: Tocsin) -> None:
    tocsin("person", "add", "alice", "--role", "officer")
    assert tocsin("person", "disable", "alice").code == 0
    ran = tocsin("--as", "alice", "hold", "--reason", "wait")
    assert (ran.code, "may no longer act here" in ran.err) == (6, True)
    assert tocsin("--as", "alice", "person", "list").code == 0  # looking is not acting


def test_a_name_is_registered_once(tocsin: Tocsin) -> None:
    assert tocsin("person", "add", "alice", "--role", "officer").code == 0
    assert tocsin("person", "add", "alice", "--role", "auditor").code == 3
    assert tocsin("person", "disable", "nobody").code == 4
