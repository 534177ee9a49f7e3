"""Feeds: where listings come from, as declared in the settings.

Reads and writes: feeds, and an event for each declaration that is new or has changed.  Safe to repeat: an unchanged
declaration writes nothing.  The event carries only the declaration's hash, so it can be compared and never tells more
than it should.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import NotFound
from pipeline.store import events
from pipeline.store.tables import feeds

RIGHTS = ("name_in_letter", "quote", "attach_raw", "export", "share")


@dataclass(frozen=True, slots=True)
class Feed:
    """One declared feed.  `declaration` is all of it, lengths of time in seconds."""

    id: int
    name: str
    parser: str
    group: str  # feeds of one group are one source
    declaration: Mapping[str, Any]

    @property
    def lifetime(self) -> timedelta:
        """For how long one of its entries counts when it is not repeated."""
        return timedelta(seconds=self.declaration["lifetime"])


def declare(connection: Connection, name: str, declaration: Mapping[str, Any], now: datetime, by: str) -> int:
    """Store what the settings say about a feed, and return the feed's id.

    `declaration` has the keys of a feed in the settings (parser, lawful_basis, lifetime ...); a timedelta in it is kept
    as whole seconds.  Raises KeyError if `parser`, `lifetime` or `retain` is missing.
    """
    plain = {key: _plain(value) for key, value in declaration.items()}
    if not isinstance(plain["lifetime"], int):
        raise TypeError(f"a lifetime is a timedelta or whole seconds, not {plain['lifetime']!r:.40}")
    values = _values(name, plain)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(feeds).values(name=name, declared_at=now, **values).on_conflict_do_nothing()
    feed_id = connection.execute(made.returning(feeds.c.id)).scalar()
    if feed_id is not None:
        entry = events.Entry("feed.declared", "feed", feed_id, data={"sha256": _digest(values["declaration"])})
    else:
        query = select(feeds.c.id, feeds.c.declaration).where(feeds.c.name == name).with_for_update()
        feed_id, before = connection.execute(query).one()
        if before == values["declaration"]:
            return int(feed_id)
        connection.execute(update(feeds).where(feeds.c.id == feed_id).values(declared_at=now, **values))
        hashes = {"before": _digest(before), "sha256": _digest(values["declaration"])}
        entry = events.Entry("feed.changed", "feed", feed_id, data=hashes)
    events.write(connection, [entry], now, by)
    return int(feed_id)


def _plain(value: object) -> object:
    return int(value.total_seconds()) if isinstance(value, timedelta) else value


def _values(name: str, plain: Mapping[str, Any]) -> dict[str, str]:
    rights: dict[str, Any] = {right: bool(plain.get(right, False)) for right in RIGHTS}
    rights["retain_days"] = plain["retain"] // 86_400
    return {
        "parser": plain["parser"],
        "access": plain.get("access", "file"),
        "independence_group": plain.get("group") or name,
        "lawful_basis": plain.get("lawful_basis", ""),
        "rights": events.canonical(rights),
        "declaration": events.canonical(plain),
    }


def _digest(declaration: str) -> str:
    return hashlib.sha256(declaration.encode()).hexdigest()


def feed_by_name(connection: Connection, name: str) -> Feed:
    """Return the feed of that name.  Raises NotFound, with the names that there are."""
    row = connection.execute(select(feeds).where(feeds.c.name == name)).one_or_none()
    if row is None:
        known = connection.execute(select(feeds.c.name).order_by(feeds.c.name).limit(20)).scalars().all()
        raise NotFound(
            f"There is no feed called {name}",
            f"declared are: {', '.join(known)}" if known else "none is declared yet",
            f"Declare it in config.toml under [feeds.{name}], or correct the name.",
        )
    return Feed(row.id, row.name, row.parser, row.independence_group, declaration_of(row.declaration))


def declaration_of(stored: str) -> dict[str, Any]:
    """Return a stored declaration as declare() was given it, lengths of time in whole seconds."""
    declaration: dict[str, Any] = json.loads(stored)
    return declaration
