"""Some rows in one statement: added, changed, or named by their ids.

For rounds of a few dozen rows, where what costs is the number of statements and the making of their texts: each text is
made once for a table and its columns, and stays the same whatever the number of rows, so that it stays prepared.
PostgreSQL: arrays, one statement and one answer for all.  SQLite: the rows one after the other by one prepared statement;
ids as a JSON list.  (bulk.py adds rows by the ten thousand.)  Writes: the rows, in the caller's transaction.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeDecorator

from pipeline.store.types import Instant, microseconds


def add(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    unless_there: bool = False,
) -> int:
    """Add rows; each has the values of the columns `names`, in that order.  Raises ValueError for a time without a zone.

    `unless_there`: a row whose key is taken already is left as it is.  Returns how many were added.
    """
    if not rows:
        return 0
    statement = _insert(table, tuple(names), connection.dialect.name)
    return _run(connection, statement + " ON CONFLICT DO NOTHING" * unless_there, table, names, rows)


def change(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]], *, key: str = "id"
) -> None:
    """Change rows by their keys: each of `rows` has the values of the columns `names` and, after them, the key."""
    if rows:
        statement = _update(table, tuple(names), key, connection.dialect.name)
        _run(connection, statement, table, (*names, key), rows)


def add_with_ids(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[int]:
    """Add rows and return their ids, in the same order, which is theirs.

    SQLite gives the ids that its own INSERT would give: nobody else writes while this transaction is open.
    """
    if not rows:
        return []
    if connection.dialect.name == "postgresql":
        statement = f"{_insert(table, tuple(names), 'postgresql')} RETURNING id"
        found = connection.exec_driver_sql(statement, _columns(connection, table, names, rows)).scalars()
        return sorted(found)  # ids are given in the order in which rows are added
    last = connection.exec_driver_sql(f'SELECT max(id) FROM "{table.name}"').scalar() or 0  # noqa: S608
    ids = range(last + 1, last + 1 + len(rows))
    add(connection, table, (*names, "id"), [(*row, i) for row, i in zip(rows, ids, strict=True)])
    return list(ids)


def among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that a column of integers or texts has one of the values of the parameter `name`, a list.

    For statements that are made once and kept: store/any_of.py takes values of any type, for statements made each time.
    """
    if dialect == "postgresql":
        kind = Text() if isinstance(column.type, Text) else BigInteger()
        return column == any_(bindparam(name, type_=ARRAY(kind)))
    listed = func.json_each(bindparam(name, type_=_Listed())).table_valued("value")
    return column.in_(select(listed.c.value))


class _Listed(TypeDecorator[list[int] | list[str]]):
    """A list as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[int] | list[str] | None, dialect: Dialect) -> Any:
        return json.dumps(value or [])


@cache
def _insert(table: Table, names: tuple[str, ...], dialect: str) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    if dialect != "postgresql":
        return f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608 - tables.py
    source = f"{_unnested(table, names)} WITH ORDINALITY AS new ({columns}, place)"
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {source} ORDER BY place'  # noqa: S608


@cache
def _update(table: Table, names: tuple[str, ...], key: str, dialect: str) -> str:
    if dialect != "postgresql":
        changed = ", ".join(f'"{name}" = ?' for name in names)
        return f'UPDATE "{table.name}" SET {changed} WHERE "{key}" = ?'  # noqa: S608
    columns = (*names, key)
    new = ", ".join(f'"{name}"' for name in columns)
    changed = ", ".join(f'"{name}" = new."{name}"' for name in names)
    source = f"{_unnested(table, columns)} AS new ({new})"
    return f'UPDATE "{table.name}" SET {changed} FROM {source} WHERE "{table.name}"."{key}" = new."{key}"'  # noqa: S608


def _unnested(table: Table, names: Sequence[str]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = (f"%b::{table.c[name].type.compile(dialect).lower()}[]" for name in names)
    return f"unnest({', '.join(arrays)})"


def _run(
    connection: Connection, statement: str, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> int:
    columns = _columns(connection, table, names, rows)
    one = connection.dialect.name == "postgresql"
    return connection.exec_driver_sql(statement, columns if one else list(zip(*columns, strict=True))).rowcount


def _columns(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[list[Any], ...]:
    """Return the values by column, as the driver takes them."""
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    for place, name in enumerate(names):
        if isinstance(table.c[name].type, Instant):
            known = {at: None if at is None else microseconds(at) for at in set(columns[place])}  # few differ
            if connection.dialect.name != "postgresql":
                columns[place] = [known[at] for at in columns[place]]
    return tuple(columns)
