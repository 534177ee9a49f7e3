"""Template revisions: the sources of letters as they were, for ever.

Reads and writes: template_revisions (the database refuses any change of a row), waves.revisions.  Importing the same
sources again adds nothing.  A letter is rendered from one set of revisions, named by their ids.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from pipeline.domain import NotFound
from pipeline.store import events
from pipeline.store.db import rows
from pipeline.store.tables import template_revisions, waves

Revisions = dict[str, str]  # name of a source -> its text


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import of a letter brought: the sources that were new or had changed, with their SHA-256.

    `id` is the highest of its revisions; it stands for the letter as it was from then on.
    """

    letter: str
    id: int
    at: datetime
    by: str
    sources: Mapping[str, str]  # name -> hex SHA-256


def bring_in(connection: Connection, letter: str, sources: Mapping[str, str], now: datetime, by: str) -> list[str]:
    """Store the sources of a letter that are new or have changed; returns their names."""
    there = newest(connection, letter)
    changed = [name for name, text in sorted(sources.items()) if there.get(name, (0, None))[1] != text]
    for name in changed:
        digest = hashlib.sha256(sources[name].encode()).digest()
        row = insert(template_revisions).values(
            letter=letter, name=name, source=sources[name], sha256=digest, by=by, at=now
        )
        revision = connection.execute(row.returning(template_revisions.c.id)).scalar_one()
        data = {"letter": letter, "name": name, "sha256": digest.hex()}
        events.write(connection, [events.Entry("template.imported", "template", revision, data=data)], now, by)
    return changed


def last(connection: Connection, letter: str) -> int:
    """Return the id of a letter's newest revision; 0 if there is none."""
    query = select(func.max(template_revisions.c.id)).where(template_revisions.c.letter == letter)
    return connection.execute(query).scalar_one() or 0


def imports(connection: Connection, letter: str = "") -> list[Imported]:
    """Return the imports of a letter, or of all letters, the oldest first."""
    columns = [template_revisions.c[name] for name in ("id", "letter", "name", "sha256", "by", "at")]
    query = select(*columns).order_by(template_revisions.c.id)
    found: dict[tuple[str, datetime, str], list[dict[str, Any]]] = {}
    for row in rows(connection, query.where(template_revisions.c.letter == letter) if letter else query):
        found.setdefault((row["letter"], row["at"], row["by"]), []).append(row)
    return [
        Imported(name, here[-1]["id"], at, by, {row["name"]: bytes(row["sha256"]).hex() for row in here})
        for (name, at, by), here in found.items()
    ]


def as_of(connection: Connection, letter: str, revision: int) -> Revisions:
    """Return the sources of a letter as they were with a revision.  Raises NotFound if it is none of that letter."""
    known = select(template_revisions.c.id).where(
        template_revisions.c.letter == letter, template_revisions.c.id == revision
    )
    if connection.execute(known).first() is None:
        raise NotFound(
            f"The letter {letter} has no revision {revision}", "a revision is a number", "Run: tocsin template list"
        )
    return {name: source for name, (_, source) in newest(connection, letter, revision).items()}


def newest(connection: Connection, letter: str, until: int | None = None) -> dict[str, tuple[int, str]]:
    """Return {name: (revision id, source)} of the newest revision of each source; none above the id `until`."""
    known = template_revisions.c.letter == letter
    if until is not None:
        known &= template_revisions.c.id <= until
    last = select(func.max(template_revisions.c.id)).where(known).group_by(template_revisions.c.name)
    query = select(template_revisions.c.id, template_revisions.c.name, template_revisions.c.source)
    return {
        row.name: (row.id, row.source) for row in connection.execute(query.where(template_revisions.c.id.in_(last)))
    }


def of_wave(connection: Connection, wave_id: int, letter: str) -> Revisions:
    """Return the sources a wave is rendered from, fixed at the first call.  Raises NotFound if none was imported."""
    query = select(waves.c.revisions).where(waves.c.id == wave_id).with_for_update()
    ids = json.loads(connection.execute(query).scalar_one())
    if not ids:
        found = newest(connection, letter)
        if not found:
            raise NotFound(
                f"There is no letter {letter}",
                "letters are rendered from imported revisions only",
                "Run: tocsin template import",
            )
        ids = sorted(revision for revision, _ in found.values())
        connection.execute(update(waves).where(waves.c.id == wave_id).values(revisions=json.dumps(ids)))
    return by_ids(connection, ids)


def by_ids(connection: Connection, ids: list[int]) -> Revisions:
    """Return the sources of these revisions."""
    query = select(template_revisions.c.name, template_revisions.c.source).where(template_revisions.c.id.in_(ids))
    return {row["name"]: row["source"] for row in rows(connection, query)}
