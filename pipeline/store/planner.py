"""The planner's lock: one process at a time plans and takes over what a dead predecessor held.

SQLite: flock on a file beside the database (never a pid file: the kernel frees it with the process).  PostgreSQL: an
advisory lock of a connection kept for it.  Nothing is written.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pipeline.store.db import Database

LOCK = 0x746F6373696E  # "tocsin"


@contextmanager
def planner_lock(db: Database) -> Iterator[bool]:
    """Hold the planner's lock for the block if it is free; yields whether we have it."""
    if db.file is not None:
        with db.file.with_suffix(db.file.suffix + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        return
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar())
        try:
            yield taken
        finally:
            if taken:
                _unlock(connection)


def _unlock(connection: Connection) -> None:
    """Give the lock back: the session returns to the pool, and would keep it."""
    try:
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
    except DBAPIError as error:
        if not error.connection_invalidated:  # else the server ended the session, and its lock with it
            raise
