"""A database of one kind, for tests of whole runs whose statements other tests try on both."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.db import Database
from tests import cases as seed
from tests.resolve.small_internet import clock


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database with a campaign and a worker, both of id 1."""
    shutil.copy(sqlite_template, tmp_path / "tocsin.db")
    db = Database(f"sqlite:///{tmp_path / 'tocsin.db'}")
    seed.campaign(db, clock())
    seed.worker(db, clock())
    yield db
    db.close()
