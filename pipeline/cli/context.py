"""What a command works with: the settings, the database, the clock, and who acts.

Reads: config.toml, the credential file, the environment, the system's user.  With `sandbox = true` the process cannot
reach anything but loopback from here on.
"""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import click

from pipeline import config
from pipeline.cli import show, words
from pipeline.cli.command import given
from pipeline.domain import ConfigurationError, NotFound, RefusedBySafety
from pipeline.net import guard
from pipeline.store import migrate, persons
from pipeline.store.db import Database


@dataclass(frozen=True, slots=True)
class Ground:
    """An opened installation."""

    loaded: config.Loaded
    db: Database

    def by(self) -> str:
        """Return who acts: `person:ID` when registered, else `system:NAME`.  See `actor`."""
        return actor(self.db, given().acting_as, system_user())


def clock() -> datetime:
    """The time now, by the clock of this run; what runs in another thread is handed `given().clock`."""
    return given().clock()


def settings() -> config.Loaded:
    """Read the settings, and shut the network where they say so.  Raises ConfigurationError."""
    loaded = config.load(given().config)
    if loaded.settings.sandbox:
        guard.install()
    return loaded


@contextmanager
def opened() -> Iterator[Ground]:
    """Open the installation for the block.  Raises ConfigurationError unless its schema is this release's."""
    loaded = settings()
    with database(loaded) as db:
        migrate.require_current(db, config.shipped("migrations"))
        yield Ground(loaded, db)


@contextmanager
def database(loaded: config.Loaded) -> Iterator[Database]:
    """Open the database for the block, whatever its schema.  Raises ConfigurationError if its file does not exist."""
    db = Database(loaded.database_url, loaded.settings.database.wait)
    if db.file is not None and not db.file.exists():
        raise ConfigurationError(
            f"There is no database {db.file}", "it is made once, beside the settings", "Run: tocsin init"
        )
    try:
        yield db
    finally:
        db.close()


def system_user() -> str:
    """Return the system's name for who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"


def actor(db: Database, named: str, user: str) -> str:
    """Return who acts, as events say it.  A name given with --as must be a registered person's.

    Raises NotFound for a name that nobody has, RefusedBySafety for a person who has been disabled.
    """
    with db.read() as connection:
        found = persons.by_name(connection, named or user)
    if found is None and named:
        raise NotFound(f"There is no person {named}", "--as takes a registered person", "Run: tocsin person list")
    if found is None:
        return f"system:{user}"
    if found.disabled_at is not None:
        raise RefusedBySafety(
            f"{found.name} may no longer act here", "this person was disabled", "Name another with --as."
        )
    return f"person:{found.id}"


def agreed(execute: bool, question: str) -> bool:
    """Return whether a dangerous act is to be done; False means a dry run, and says so.

    With --execute a person at a terminal is asked; without a terminal --yes must be given.  Raises RefusedBySafety.
    """
    if not execute:
        show.note(words.text("This was a dry run: nothing was changed. Add --execute to do it."))
        return False
    if given().yes:
        return True
    if not sys.stdin.isatty() or given().json:
        raise RefusedBySafety(
            "Nobody could be asked", "without a terminal, --execute needs --yes too", "Add --yes, or use a terminal."
        )
    answer = click.prompt(f"{question} [{words.text('y')}/N]", default="", show_default=False, err=True)
    if answer.strip().lower() in (words.text("y"), words.text("yes")):
        return True
    show.note(words.text("Nothing was changed."))
    return False
