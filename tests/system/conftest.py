"""What system tests share: a process that forks commands, and databases of each kind, new or in the midst of a campaign."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.databases import administer, named
from tests.system import campaign, forked
from tests.system.campaign import LIST_2, NAME
from tests.system.forked import Commands

NewDatabase = Callable[[Path], str]  # for an installation in a folder; returns its URL


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    with forked.commands() as running:
        yield running


@dataclass(frozen=True)
class Databases:
    """Where databases of one kind are made, and a migrated one without a row."""

    template: str  # a file, or the name of a database
    server: str = ""  # of PostgreSQL; empty for SQLite
    made: list[str] = field(default_factory=list)

    def new(self, folder: Path) -> str:
        return self.copy(self.template, folder)

    def copy(self, origin: str, folder: Path) -> str:
        """Return the URL of a copy of a database that nobody is connected to."""
        if not self.server:
            with closing(sqlite3.connect(origin)) as source, closing(sqlite3.connect(folder / "tocsin.db")) as copy:
                source.backup(copy)
            return f"sqlite:///{folder / 'tocsin.db'}"
        self.made.append(f"site_{uuid.uuid4().hex}")
        administer(self.server, f"CREATE DATABASE {self.made[-1]} TEMPLATE {origin}")
        return named(self.server, self.made[-1])


@pytest.fixture(scope="session")
def sqlite(sqlite_template: Path) -> Databases:
    return Databases(str(sqlite_template))


@pytest.fixture(scope="session")
def postgresql(postgres_template: tuple[str, str]) -> Iterator[Databases]:
    server, template = postgres_template
    databases = Databases(template, server)
    yield databases
    for name in databases.made:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Databases of each kind in turn."""
    found: Databases = request.getfixturevalue(request.param)
    return found


def approved_in(databases: Databases, commands: Commands, folder: Path) -> NewDatabase:
    """Make copies of a database with a small campaign: eight networks, and a wave of eight letters that is approved."""
    with campaign.site(commands, databases.new) as site:
        site.prepare()
        site.must("ingest", site.file(LIST_2), "--feed", "scan")
        for line in (("resolve",), ("verify",), ("wave", "plan", NAME), ("render",), ("approve", "accept", NAME)):
            site.must(*line)
        site.db.close()
        copied = databases.copy(str(site.db.engine.url.database), folder)
    origin = str(make_url(copied).database)
    return lambda folder: databases.copy(origin, folder)


@pytest.fixture(scope="session")
def sqlite_approved(sqlite: Databases, commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    return approved_in(sqlite, commands, tmp_path_factory.mktemp("approved"))


@pytest.fixture(scope="session")
def postgresql_approved(
    postgresql: Databases, commands: Commands, tmp_path_factory: pytest.TempPathFactory
) -> NewDatabase:
    return approved_in(postgresql, commands, tmp_path_factory.mktemp("approved"))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_approved(request: pytest.FixtureRequest) -> NewDatabase:
    """Such databases of each kind in turn."""
    found: NewDatabase = request.getfixturevalue(f"{request.param}_approved")
    return found
