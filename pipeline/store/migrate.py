"""Bring a database to this release's schema.

Writes: the schema and the table alembic_version, one migration per transaction; an empty database gets all of them in one.
Safe to repeat: a database that is already there is left alone; what dies is rolled back and the next run goes on from it.
Alembic's settings are built here, there is no alembic.ini.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from pipeline.domain import ConfigurationError
from pipeline.store.db import Database
from pipeline.store.tables import metadata


def config(folder: Path) -> Config:
    """Return Alembic's settings for the migrations in `folder`."""
    settings = Config()
    settings.set_main_option("script_location", str(folder))
    settings.set_main_option("file_template", "%%(rev)s")
    settings.attributes["metadata"] = metadata
    return settings


def revisions(folder: Path) -> list[str]:
    """Return the names of all migrations, oldest first."""
    script = ScriptDirectory.from_config(config(folder))
    return [revision.revision for revision in script.walk_revisions()][::-1]


def current(db: Database) -> str | None:
    """Return the name of the last migration that the database has had, or None for an empty one."""
    with db.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(db: Database, folder: Path) -> None:
    """Raise ConfigurationError, with the way out, unless the database's schema is this release's."""
    known, at = revisions(folder), current(db)
    if at == known[-1]:
        return
    if at is None:
        raise ConfigurationError(
            "The database has no tables yet", f"{db.engine.url!r} is empty", "Run: tocsin db upgrade"
        )
    if at not in known:
        raise ConfigurationError(
            "The database was made by a newer release of Tocsin",
            f"its schema is {at}, and the newest that this release knows is {known[-1]}",
            "Install the newer release, or restore a backup made before the upgrade.",
        )
    raise ConfigurationError(
        "The database was made by an older release of Tocsin",
        f"its schema is {at}, this release needs {known[-1]}",
        "Make a backup, then run: tocsin db upgrade",
    )


def upgrade(db: Database, folder: Path, to: str = "head") -> list[str]:
    """Run the missing migrations and return their names.  Raises ConfigurationError for a newer database."""
    known, before = revisions(folder), current(db)
    if before is not None and before not in known:
        require_current(db, folder)
    settings = config(folder)
    settings.attributes["at_once"] = before is None  # what is half made would pass for an older release's
    with db.engine.connect() as connection:
        settings.attributes["connection"] = connection.execution_options(tocsin_write=True)
        command.upgrade(settings, to)
        connection.commit()
    after = current(db)
    start = known.index(before) + 1 if before else 0
    return known[start : known.index(after) + 1] if after else []


def new_revision(folder: Path, slug: str) -> None:
    """Write the next migration (named UTC minute + slug) from the difference between the last one and tables.py."""
    name = f"{datetime.now(UTC):%Y%m%d%H%M}_{slug}"
    settings = config(folder)
    scratch = create_engine("sqlite://")
    with scratch.connect() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        command.revision(settings, message=slug.replace("_", " "), rev_id=name, autogenerate=True)


if __name__ == "__main__":  # make migration SLUG=what_it_does
    new_revision(Path("migrations"), sys.argv[1])
