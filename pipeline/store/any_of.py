"""The condition that a column has one of many values, as each database takes it fastest.

PostgreSQL: one array parameter, so that the statement's text stays the same and is prepared once (a list of 500 values
costs some milliseconds to write and to parse).  SQLite: IN, at most `db.CHUNK` values.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Text, any_, bindparam, cast
from sqlalchemy.dialects.postgresql import ARRAY, INET

from pipeline.store.types import Address


def any_of(connection: Connection, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return `column IN (values)`."""
    if connection.dialect.name != "postgresql":
        return column.in_(values)
    if isinstance(column.type, Address):  # of both families: no array of the driver's holds them together
        texts = bindparam(None, [str(value) for value in values], type_=ARRAY(Text()))
        return column == any_(cast(texts, ARRAY(INET())))
    return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
