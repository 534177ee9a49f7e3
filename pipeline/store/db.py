"""The two databases behind one door: connections, transactions, and what their failures mean to a person.

SQLite: WAL, synchronous=FULL, foreign keys, recursive triggers (REPLACE fires delete triggers), 30 s of waiting for the
lock, BEGIN IMMEDIATE for every write.  PostgreSQL: READ COMMITTED.  No transaction stays open across a wait.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, TypeVar

from sqlalchemy import Connection as Connection  # for stages, which do not import sqlalchemy
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from pipeline.domain import ConfigurationError, TocsinError, TryAgain

T = TypeVar("T")

WAIT = timedelta(seconds=30)  # for SQLite's write lock
CHUNK = 900  # values in one IN list: under every limit of both databases


class Database:
    """One database.  `write()` and `read()` give a connection inside one transaction that ends with the block."""

    def __init__(self, url: str, wait: timedelta = WAIT) -> None:
        self.engine = _engine(url, wait)
        self.dialect = self.engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; it commits at the end of the block, or rolls back if an exception leaves it."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(tocsin_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read transaction: one state throughout the block on SQLite, committed rows on PostgreSQL."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self.engine.dispose()

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None."""
        name = self.engine.url.database
        return Path(name) if self.dialect == "sqlite" and name else None


def _engine(url: str, wait: timedelta) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "The database URL cannot be read",
            "database.url must look like sqlite:///path/tocsin.db or postgresql://user@host/name",
            "Correct database.url in config.toml.",
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigurationError(
            f"The database {parsed.get_backend_name()} is not supported",
            "Tocsin runs on SQLite files and on PostgreSQL",
            "Correct database.url in config.toml.",
        )
    engine = create_engine(parsed, connect_args={"timeout": wait.total_seconds(), "check_same_thread": False})
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours (_sqlite_begin)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("tocsin_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


BY_KEYS = " ".join(f"SET LOCAL {how} = off;" for how in ("enable_seqscan", "enable_mergejoin", "enable_hashjoin"))


def by_keys(connection: Connection) -> None:
    """Say that this transaction names all its rows by keys, so that PostgreSQL uses their indexes.

    It keeps the plan of a statement, and one that was made when a table was empty reads the whole of it: a long run would
    slow down with each row that it adds, until statistics come.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(BY_KEYS)


MEANINGS = (
    ("database is locked", "another program holds the database's write lock", "Wait, or end that program; then again."),
    ("database or disk is full", "the disk is full", "Make room, then run the same command again: nothing is lost."),
    ("No space left", "the disk is full", "Make room, then run the same command again: nothing is lost."),
    ("disk I/O error", "the disk does not answer", "Check the disk, then run the same command again."),
    ("could not connect", "the database server does not answer", "Start it, or correct database.url."),
    ("connection failed", "the database server does not answer", "Start it, or correct database.url."),
    ("connection is bad", "the database server does not answer", "Start it, or correct database.url."),
    ("server closed the connection", "the database server went away", "Run the same command again when it is back."),
    ("terminating connection", "the database server went away", "Run the same command again when it is back."),
    ("the connection is lost", "the database server went away", "Run the same command again when it is back."),
    ("the connection is closed", "the database server went away", "Run the same command again when it is back."),
)


def explain(error: DBAPIError) -> TocsinError | None:
    """Return what a database error means to a person, or None if it is a bug of ours."""
    words = str(error.orig)
    for sign, why, next_step in MEANINGS:
        if sign in words:
            return TryAgain("The database could not be used", why, next_step)
    if "unable to open database file" in words or "not a database" in words:
        return ConfigurationError("The database cannot be opened", words, "Check database.url and the file's rights.")
    if "no such table" in words or "does not exist" in words:
        return ConfigurationError("The database has no tables yet", words, "Run: tocsin db upgrade")
    return None


def is_database_error(error: BaseException) -> bool:
    return isinstance(error, DBAPIError)


def rows(connection: Connection, statement: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Run a query and return its rows as dictionaries."""
    found = connection.execute(statement, parameters)
    names = tuple(found.keys())  # a third of the time that a mapping for each row takes
    return [dict(zip(names, row, strict=True)) for row in found]
