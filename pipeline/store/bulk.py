"""Many rows into one table, by what each database is best at.

Writes: the rows, in the caller's transaction.  Not safe to repeat by itself: the caller's transaction also notes how far
it came.  PostgreSQL: COPY in binary.  SQLite: one prepared INSERT, and a page cache that holds the indices' upper pages.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.store.types import Address, Instant, address_bytes, microseconds

SQLITE_PRAGMAS = ("cache_size=-65536", "wal_autocheckpoint=20000")  # 64 MiB; 80 MB of log between checkpoints


def insert_rows(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to `table`; each has the values of the columns `names`, in that order, as the domain has them.

    Raises DBAPIError as any statement does (a key that is there already, a full disk, a server that went away), and
    ValueError for a time without a zone.
    """
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, rows)
    else:
        _insert(connection, table, names, rows)


def _copy(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f'COPY "{table.name}" ({columns}) FROM STDIN (FORMAT BINARY)'
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    driver: Any = connection.connection.driver_connection
    instants = [place for place, name in enumerate(names) if isinstance(table.c[name].type, Instant)]
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([table.c[name].type.compile(dialect).lower() for name in names])
            for row in rows:
                for place in instants:
                    if row[place] is not None and row[place].tzinfo is None:
                        microseconds(row[place])  # refuses it
                copy.write_row(row)
    except psycopg.Error as error:
        wrapped: DBAPIError = OperationalError(statement, None, error)
        raise wrapped from error


def _insert(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    by_column: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if not by_column:
        return
    for place, name in enumerate(names):
        kind, column = table.c[name].type, by_column[place]
        if isinstance(kind, Address):
            by_column[place] = [None if value is None else address_bytes(value) for value in column]
        elif isinstance(kind, Instant):
            known = {value: None if value is None else microseconds(value) for value in set(column)}  # few differ
            by_column[place] = [known[value] for value in column]
    for pragma in SQLITE_PRAGMAS:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608 - names of tables.py
    connection.exec_driver_sql(statement, list(zip(*by_column, strict=True)))
