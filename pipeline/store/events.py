"""The event log: what happened, when, by whom, about which row, why.

Writes: events, and texts for the personal values that events must not carry.  Events are only ever added, in the
transaction of the change that they tell of; the database refuses anything else.  `why` is a code: sentences are made
when shown, in the reader's language.  leaf = SHA-256(0x00 || columns joined by U+001F), RFC 6962 section 2.1.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from pipeline.store import many
from pipeline.store.db import chunks
from pipeline.store.tables import events, texts

SEPARATOR = "\x1f"
COLUMNS = ("at", "what", "subject", "subject_id", "campaign_id", "by", "why", "data", "leaf")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to be written.  `data` holds ids, numbers, codes and digests: never a personal value."""

    what: str
    subject: str  # case, letter, wave, snapshot, campaign ...
    subject_id: int
    campaign_id: int | None = None
    why: str = ""
    data: Mapping[str, Any] | None = None


def canonical(data: Mapping[str, Any] | Sequence[Any] | None) -> str:
    """Return canonical JSON: sorted keys, no blanks, UTF-8 as it stands.  Raises TypeError for what JSON cannot hold."""
    return json.dumps({} if data is None else data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def stamp(at: datetime) -> str:
    """Return the text of a time as it enters a leaf: ISO 8601, UTC, microseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def leaf(
    at: str, what: str, subject: str, subject_id: int, campaign_id: int | None, by: str, why: str, data: str
) -> bytes:
    """Return the leaf hash of an event's stored columns."""
    campaign = "" if campaign_id is None else str(campaign_id)
    text = SEPARATOR.join((at, what, subject, str(subject_id), campaign, by, why, data))
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def write(connection: Connection, entries: Iterable[Entry], now: datetime, by: str) -> int:
    """Add events to the log and return how many.  `by`: `person:ID`, `system:NAME` or `tocsin`."""
    at = stamp(now)
    values = []
    for entry in entries:
        data = canonical(entry.data)
        row = (entry.what, entry.subject, entry.subject_id, entry.campaign_id, by, entry.why, data)
        values.append((now, *row, leaf(at, *row)))
    for chunk in chunks(values, 5_000):
        many.add(connection, events, COLUMNS, chunk)
    return len(values)


def keep_text(connection: Connection, kind: str, value: str, now: datetime) -> str:
    """Store a personal value beside the log and return the hex digest that stands for it in events."""
    salt = secrets.token_bytes(16)
    digest = hashlib.sha256(salt + value.encode()).digest()
    connection.execute(insert(texts).values(sha256=digest, salt=salt, kind=kind, value=value, at=now))
    return digest.hex()


def read_text(connection: Connection, digest: str) -> str | None:
    """Return the value that a digest stands for, or None once it has been purged."""
    found = connection.execute(select(texts.c.value).where(texts.c.sha256 == bytes.fromhex(digest))).scalar()
    return None if found is None else str(found)
