"""Raw answers: what registries and the DNS said, byte for byte, kept so that nothing is asked twice and all can be shown.

Reads and writes: raw_answers.  Safe to repeat: one is unique by hash and question; the same words again only move the time
when they were last said.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Answer
from pipeline.store.any_of import any_of
from pipeline.store.db import chunks
from pipeline.store.tables import raw_answers

Key = tuple[bytes, str]  # SHA-256 of the body, the question
SAID_AT = func.coalesce(raw_answers.c.last_at, raw_answers.c.at)


def key_of(answer: Answer) -> Key:
    """Return what an answer is known by."""
    return hashlib.sha256(answer.body).digest(), answer.source


def keep(connection: Connection, answers: Iterable[Answer]) -> dict[Key, int]:
    """Store answers that are new, note when the others were said again, and return their ids."""
    by_key = {key_of(answer): answer for answer in answers}
    ids = _ids(connection, by_key)
    again = [
        {"row": ids[key][0], "said_at": answer.at}
        for key, answer in by_key.items()
        if key in ids and answer.at > ids[key][1]
    ]
    if again:
        changed = update(raw_answers).where(raw_answers.c.id == bindparam("row"))
        connection.execute(changed.values(last_at=bindparam("said_at", type_=raw_answers.c.last_at.type)), again)
    new = [
        {
            "sha256": digest,
            "source": source,
            "content_type": one.content_type,
            "status": one.status,
            "body": zlib.compress(one.body, 3),
            "at": one.at,
        }
        for (digest, source), one in by_key.items()
        if (digest, source) not in ids
    ]
    if new:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(raw_answers).on_conflict_do_nothing(), new)  # another worker's may be there
        ids = _ids(connection, by_key)
    return {key: ids[key][0] for key in by_key}


def _ids(connection: Connection, keys: Collection[Key]) -> dict[Key, tuple[int, datetime]]:
    """Return the id of each that is there, and when it was last said."""
    found: dict[Key, tuple[int, datetime]] = {}
    query = select(raw_answers.c.id, raw_answers.c.sha256, raw_answers.c.source, SAID_AT.label("said_at"))
    for chunk in chunks([source for _, source in keys]):
        for row in connection.execute(query.where(any_of(connection, raw_answers.c.source, chunk))):
            if (key := (bytes(row.sha256), row.source)) in keys:
                found[key] = (row.id, row.said_at)
    return found


def since(
    connection: Connection, questions: Collection[str], registries_said: datetime, names_said: datetime
) -> dict[str, Answer]:
    """Return the newest answer to each question that was answered late enough; the DNS' and redirects count for less long.

    A redirect may lead to a page about repairs: whoever looks again a day later asks anew.
    """
    columns = (raw_answers.c.source, raw_answers.c.status, raw_answers.c.content_type, raw_answers.c.body)
    query = select(*columns, SAID_AT.label("said_at")).order_by(SAID_AT)
    found: dict[str, Answer] = {}
    for chunk in chunks(list(questions)):
        for row in connection.execute(query.where(any_of(connection, raw_answers.c.source, chunk))):
            is_brief = row.source.startswith("dns:") or 300 <= row.status < 400
            if row.said_at > (names_said if is_brief else registries_said):
                body = zlib.decompress(bytes(row.body))
                found[row.source] = Answer(row.source, row.status, row.content_type, body, row.said_at, requests=0)
    return found
