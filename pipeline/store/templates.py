"""Template revisions: the sources of letters as they were, for ever.

Reads and writes: template_revisions (the database refuses any change of a row), waves.revisions.  Importing the same
sources again adds nothing.  A letter is rendered from one set of revisions, named by their ids.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from pipeline.domain import NotFound
from pipeline.store import events
from pipeline.store.db import rows
from pipeline.store.tables import template_revisions, waves

Revisions = dict[str, str]  # name of a source -> its text


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


def newest(connection: Connection, letter: str) -> dict[str, tuple[int, str]]:
    """Return {name: (revision id, source)} of the newest revision of each source."""
    last = (
        select(func.max(template_revisions.c.id))
        .where(template_revisions.c.letter == letter)
        .group_by(template_revisions.c.name)
    )
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
