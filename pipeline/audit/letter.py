"""The exact bytes of a letter: as its last attempt sent them, or as they are stored where it was never tried.

Reads: letters, attempts, bodies, the log of how a letter shrank.  Writes nothing.  What is returned has the SHA-256 that
the attempt wrote down before its first byte left; anything else is an integrity failure, never printed.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit.record import Record
from pipeline.domain import IntegrityFailure, NotFound
from pipeline.store import who as store
from pipeline.store.db import Connection


def letter_bytes(connection: Connection, record: Record, letter: Mapping[str, Any]) -> bytes:
    """Return head + body of the letter's last attempt, one whose final dot was written if there is one, or its body.

    Raises NotFound if the body is no longer kept, IntegrityFailure if no stored body has the hash that was written down.
    """
    tried = [row for row in record.attempts if row["letter_id"] == letter["id"]]
    sent = [row for row in tried if row["dot_at"] is not None] or tried
    head, wanted = (bytes(sent[-1]["head"]), bytes(sent[-1]["sha256"])) if sent else (b"", bytes(letter["sha256"]))
    found = False
    for digest in dict.fromkeys(_bodies(record, letter)):
        body = _stored(connection, digest)
        if body is None:
            continue
        found = True
        if hashlib.sha256(head + body).digest() == wanted:
            return head + body
    if not found:
        raise NotFound(
            f"The bytes of letter {letter['id']} are no longer kept", "retention has emptied them", "The hashes remain."
        )
    raise IntegrityFailure(
        f"The stored bytes of letter {letter['id']} are not those that were written down",
        "no stored body has the hash of its last attempt",
        "Run: tocsin audit verify",
    )


def _stored(connection: Connection, digest: bytes) -> bytes | None:
    """Return a body, empty if what is stored is damaged, None if it is no longer kept."""
    compressed = store.body(connection, digest)
    if not compressed:
        return None
    try:
        return zlib.decompress(compressed)
    except zlib.error:
        return b""


def _bodies(record: Record, letter: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the hashes of every body the letter ever had, the present one first: a letter may shrink between attempts."""
    yield bytes(letter["sha256"])
    yield bytes(letter["approved_sha256"])
    for event in record.events:
        if event["what"] == "letter.shrunk" and event["subject_id"] == letter["id"]:
            data = json.loads(event["data"])
            yield from (bytes.fromhex(data["from"]), bytes.fromhex(data["to"]))
