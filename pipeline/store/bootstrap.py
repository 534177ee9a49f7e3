"""IANA's lists of registries, kept until they expire, and after that for when IANA cannot be reached.

Reads and writes: bootstrap_files.  Keeping a list again replaces the one before.  Standard: RFC 9224 section 8 (Expires).
"""

import json
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store.tables import bootstrap_files

DEFAULT = timedelta(hours=24)  # where nobody said until when the list holds
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=30)
MOST_BYTES = 1 << 24  # of a list, when it is read again


@dataclass(frozen=True, slots=True)
class Kept:
    """One list as it was fetched.  `value` is its JSON object, or None where what is stored is none."""

    value: dict[str, Any] | None
    fetched_at: datetime
    expires_at: datetime


def kept(connection: Connection, url: str, now: datetime) -> dict[str, Any] | None:
    """Return the list that was fetched from `url`, or None if there is none that still holds."""
    found = last(connection, url)
    return found.value if found is not None and found.expires_at > now else None


def last(connection: Connection, url: str) -> Kept | None:
    """Return the list that was last fetched from `url`, expired or not."""
    columns = (bootstrap_files.c.body, bootstrap_files.c.fetched_at, bootstrap_files.c.expires_at)
    row = connection.execute(select(*columns).where(bootstrap_files.c.url == url)).one_or_none()
    return Kept(_parsed(row.body), row.fetched_at, row.expires_at) if row is not None else None


def keep(connection: Connection, url: str, body: bytes, fetched_at: datetime, expires_at: datetime | None) -> datetime:
    """Keep a list, and return until when: as its server said, but one hour at least and thirty days at most."""
    until = fetched_at + min(max((expires_at or fetched_at + DEFAULT) - fetched_at, SHORTEST), LONGEST)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"body": zlib.compress(body), "fetched_at": fetched_at, "expires_at": until}
    insert = dialect.insert(bootstrap_files).values(url=url, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["url"], set_=values))
    return until


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(zlib.decompressobj().decompress(bytes(body), MOST_BYTES))
    except (zlib.error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
