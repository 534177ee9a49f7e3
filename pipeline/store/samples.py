"""What people look at before they approve a wave: its recipients in figures, and letters in full.

Reads: letters and their bodies.  Writes nothing.
"""

import email.policy
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from typing import Any

from sqlalchemy import Connection, func, select

from pipeline.store.db import rows
from pipeline.store.tables import bodies, letters, notice_cases, notices

MOST_DOMAINS = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter: its bytes, and its subject and text as a reader sees them."""

    letter_id: int
    recipient: str
    body: bytes

    @property
    def text(self) -> str:
        message = BytesParser(policy=email.policy.default).parsebytes(self.body)
        content = message.get_body(("plain",))
        text = content.get_content() if content is not None else ""
        return f"{message['Subject']}\n\n{text}".replace("\r\n", "\n")


def summary(connection: Connection, wave_id: int) -> dict[str, Any]:
    """Return the number of letters, and how many by language and by domain (the ten largest)."""
    query = select(letters.c.recipient, letters.c.locales).where(letters.c.wave_id == wave_id)
    languages: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    for row in connection.execute(query):
        languages[row.locales] += 1
        domains[row.recipient.rsplit("@", 1)[-1].lower()] += 1
    return {
        "letters": languages.total(),
        "languages": dict(languages.most_common()),
        "domains": dict(domains.most_common(MOST_DOMAINS)),
        "domains_in_all": len(domains),
    }


def letters_of(connection: Connection, wave_id: int) -> Iterator[Sample]:
    """Yield every letter of a wave, in its order of writing."""
    query = (
        select(letters.c.id, letters.c.recipient, bodies.c.body)
        .join(bodies, bodies.c.sha256 == letters.c.sha256)
        .where(letters.c.wave_id == wave_id)
        .order_by(letters.c.send_order, letters.c.id)
    )
    for row in connection.execute(query):
        yield Sample(row.id, row.recipient, zlib.decompress(row.body))


def one_of_each_language(connection: Connection, wave_id: int, most: int) -> list[Sample]:
    """Return the first letter of each language, at most `most`."""
    found: dict[str, int] = {}
    query = select(letters.c.id, letters.c.locales).where(letters.c.wave_id == wave_id)
    for row in connection.execute(query.order_by(letters.c.send_order, letters.c.id)):
        found.setdefault(row.locales, row.id)
    chosen = list(found.values())[:most]
    query = (
        select(letters.c.id, letters.c.recipient, bodies.c.body)
        .join(bodies, bodies.c.sha256 == letters.c.sha256)
        .where(letters.c.id.in_(chosen))
        .order_by(letters.c.send_order, letters.c.id)
    )
    return [Sample(row.id, row.recipient, zlib.decompress(row.body)) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Glance:
    """A letter at a glance: its reference, its recipient, its subject, and of how many addresses and services it tells."""

    letter: int
    reference: str
    recipient: str
    locales: str
    subject: str
    addresses: int


def at_a_glance(connection: Connection, letter_ids: Sequence[int]) -> list[Glance]:
    """Return these letters, in the order of their ids."""
    told = (
        select(func.count())
        .where(notice_cases.c.notice_id == letters.c.notice_id, notice_cases.c.dropped_at.is_(None))
        .scalar_subquery()
    )
    query = (
        select(
            *(letters.c[name] for name in ("id", "recipient", "locales")),
            notices.c.reference,
            bodies.c.body,
            told.label("told"),
        )
        .join(notices, notices.c.id == letters.c.notice_id)
        .outerjoin(bodies, bodies.c.sha256 == letters.c.sha256)
        .where(letters.c.id.in_(letter_ids))
        .order_by(letters.c.id)
    )
    return [
        Glance(row["id"], row["reference"], row["recipient"], row["locales"], _subject(row["body"]), row["told"])
        for row in rows(connection, query)
    ]


def _subject(body: bytes | None) -> str:
    """Return the subject of a stored letter as a reader sees it; empty where its bytes are no longer kept."""
    if not body:
        return ""
    message = BytesParser(policy=email.policy.default).parsebytes(zlib.decompress(body), headersonly=True)
    return str(message["Subject"] or "")
