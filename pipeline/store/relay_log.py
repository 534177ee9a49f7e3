"""What logs of relays say of letters: queue ids that were theirs, deliveries behind the relay, how far a log has been read.

Reads and writes: queue_ids, deliveries, relay_log_places, kept texts.  Safe to repeat, also by two at once: a delivery is
unique by its letter and what its line says, and is weighed once.  Letters that a sender or another importer holds at this
moment are left for later, never waited for: it may be waiting for ours.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import LetterState
from pipeline.store import events
from pipeline.store.db import chunks, rows
from pipeline.store.tables import deliveries, letters, queue_ids, relay_log_places

LEFT = (LetterState.HANDED, LetterState.ACCEPTED, LetterState.BOUNCED, LetterState.UNCERTAIN)
MOST_WEIGHED = 500  # letters in one transaction


@dataclass(slots=True)
class Held:
    """A queue id that had a letter, from `at` until `ended_at`."""

    letter_id: int
    relay: str
    queue_id: str
    at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """How many deliveries were new, and the letters that somebody held, to be tried again."""

    new: int
    busy: set[int]


def letters_named(connection: Connection, message_ids: Collection[str]) -> dict[str, int]:
    """Return the letters with these Message-IDs."""
    found: dict[str, int] = {}
    for chunk in chunks(sorted(message_ids)):
        query = select(letters.c.message_id, letters.c.id).where(letters.c.message_id.in_(chunk))
        found.update((row.message_id, row.id) for row in connection.execute(query))
    return found


def recipients(connection: Connection, letter_ids: Collection[int]) -> dict[int, str]:
    """Return the recipients of those of the letters that exist."""
    found: dict[int, str] = {}
    for chunk in chunks(sorted(letter_ids)):
        query = select(letters.c.id, letters.c.recipient).where(letters.c.id.in_(chunk))
        found.update((row.id, row.recipient) for row in connection.execute(query))
    return found


def held(connection: Connection, keys: Collection[tuple[str, str]]) -> list[Held]:
    """Return what is known of these queue ids (relay, queue id), oldest first."""
    found: list[Held] = []
    key = tuple_(queue_ids.c.relay, queue_ids.c.queue_id)
    for chunk in chunks(sorted(keys), 400):
        found += [
            Held(row["letter_id"], row["relay"], row["queue_id"], row["at"], row["ended_at"])
            for row in rows(connection, select(queue_ids).where(key.in_(chunk)).order_by(queue_ids.c.id))
        ]
    return found


def add(connection: Connection, queues: Sequence[Held], told: Sequence[Mapping[str, Any]], now: datetime) -> Added:
    """Store queue ids and deliveries, but for those of letters that somebody holds at this moment.

    A delivery has letter_id, at, relay, queue_id, agent, host, dsn, status, words, mark, and `text`, the line to be kept.
    """
    wanted = {one.letter_id for one in queues} | {row["letter_id"] for row in told}
    free = _lock(connection, wanted)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for one in queues:
        if one.letter_id in free:
            _keep(connection, dialect.insert(queue_ids), one)
    mine = [row for row in told if row["letter_id"] in free]
    known, new = _marks(connection, {row["letter_id"] for row in mine}), 0
    for row in sorted(mine, key=lambda row: (row["at"], row["status"] != "queued")):
        if (row["letter_id"], row["mark"]) in known:
            continue
        values = {name: value for name, value in row.items() if name != "text"}
        made = dialect.insert(deliveries).values(**values, line="", read_at=now).on_conflict_do_nothing()
        added = connection.execute(made.returning(deliveries.c.id)).scalar()
        if added is not None:
            line = events.keep_text(connection, "line", row["text"], now)
            connection.execute(update(deliveries).where(deliveries.c.id == added).values(line=line))
            new += 1
    return Added(new, wanted - free)


def _lock(connection: Connection, letter_ids: Collection[int]) -> set[int]:
    """Lock letters that nobody else holds, and return which; waits for none.

    FOR UPDATE, although a foreign key asks for less: for FOR KEY SHARE, PostgreSQL locks the later versions of a row that
    somebody has updated, too, and waits for them whatever SKIP LOCKED says.
    """
    found: set[int] = set()
    for chunk in chunks(sorted(letter_ids)):
        query = select(letters.c.id).where(letters.c.id.in_(chunk)).order_by(letters.c.id)
        found.update(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    return found


def _keep(connection: Connection, insert: postgresql.Insert | sqlite.Insert, one: Held) -> None:
    """Store a queue id, and that it came to its end; what is known already stays."""
    values = {"letter_id": one.letter_id, "relay": one.relay, "queue_id": one.queue_id, "at": one.at}
    connection.execute(insert.values(**values, ended_at=one.ended_at).on_conflict_do_nothing())
    if one.ended_at is not None:
        c = queue_ids.c
        same = and_(c.relay == one.relay, c.queue_id == one.queue_id, c.letter_id == one.letter_id)
        connection.execute(update(queue_ids).where(same, c.ended_at.is_(None)).values(ended_at=one.ended_at))


def _marks(connection: Connection, letter_ids: Collection[int]) -> set[tuple[int, bytes]]:
    found: set[tuple[int, bytes]] = set()
    for chunk in chunks(sorted(letter_ids)):
        query = select(deliveries.c.letter_id, deliveries.c.mark).where(deliveries.c.letter_id.in_(chunk))
        found.update((letter, bytes(mark)) for letter, mark in connection.execute(query))
    return found


# --- what moves letters ----------------------------------------------------------------------------------------------


def waiting(connection: Connection) -> bool:
    """True if a delivery has not been weighed and its letter has left."""
    d = deliveries.c
    joined = select(d.id).select_from(deliveries.join(letters))
    found = joined.where(d.weighed_at.is_(None), letters.c.state.in_(LEFT)).limit(1)
    return connection.execute(found).scalar() is not None


def unweighed(connection: Connection, most: int = MOST_WEIGHED) -> list[dict[str, Any]]:
    """Return the deliveries that have not been weighed, of up to `most` letters that left, each locked; in order of time.

    Each has id, letter_id, campaign_id, state (of its letter), at, status, dsn, line.
    """
    d = deliveries.c
    joined = deliveries.join(letters, letters.c.id == d.letter_id)
    waiting = select(d.letter_id).distinct().select_from(joined)
    waiting = waiting.where(d.weighed_at.is_(None), letters.c.state.in_(LEFT)).order_by(d.letter_id).limit(most)
    mine = _lock(connection, list(connection.execute(waiting).scalars()))
    query = select(d.id, d.letter_id, letters.c.campaign_id, letters.c.state, d.at, d.status, d.dsn, d.line)
    query = query.select_from(joined).where(d.weighed_at.is_(None), letters.c.state.in_(LEFT))
    found = [row for chunk in chunks(sorted(mine)) for row in rows(connection, query.where(d.letter_id.in_(chunk)))]
    return sorted(found, key=lambda row: (row["at"], row["id"]))


def weighed(connection: Connection, delivery_ids: Collection[int], now: datetime) -> None:
    for chunk in chunks(sorted(delivery_ids)):
        connection.execute(update(deliveries).where(deliveries.c.id.in_(chunk)).values(weighed_at=now))


def against(connection: Connection, most: int = 20) -> list[tuple[int, str]]:
    """Return letters, with their states, that a log tells of and that are said not to have left: a person must look."""
    d = deliveries.c
    query = select(d.letter_id, letters.c.state).distinct().select_from(deliveries.join(letters))
    query = query.where(d.weighed_at.is_(None), letters.c.state.not_in([*LEFT, LetterState.CLAIMED]))
    return [(row.letter_id, row.state) for row in connection.execute(query.order_by(d.letter_id).limit(most))]


# --- how far a log has been read -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log has been read: `file` is device:inode, `head` the SHA-256 of its first bytes."""

    file: str
    position: int
    head: bytes
    at: datetime | None = None


def place(connection: Connection, host: str, path: str) -> Place | None:
    """Return how far this host's log at `path` has been read, or None if it never was followed."""
    p = relay_log_places.c
    found = rows(connection, select(relay_log_places).where(p.host == host, p.path == path))
    return Place(found[0]["file"], found[0]["position"], bytes(found[0]["head"]), found[0]["at"]) if found else None


def keep_place(connection: Connection, host: str, path: str, there: Place, now: datetime) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"file": there.file, "position": there.position, "head": there.head, "at": now}
    made = dialect.insert(relay_log_places).values(host=host, path=path, **values)
    connection.execute(made.on_conflict_do_update(index_elements=["host", "path"], set_=values))
