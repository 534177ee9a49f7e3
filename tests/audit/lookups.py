"""Rows of a look-up for tests: the questions behind a network, in order, each with the answer that is kept of it."""

import hashlib
import zlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from pipeline.store import tables as t
from tests.seed import add

RDAP = "https://rdap.registry.example/ip/192.0.2.10"


def step(
    connection: Connection,
    at: datetime,
    netblock_id: int,
    number: int,
    kind: str,
    question: str,
    outcome: str = "contacts",
    why: str = "",
    body: bytes | None = b"{}",
) -> int | None:
    """Add one question of a network's look-up; returns the id of its answer, None where none is kept (`body` None)."""
    answer = None
    if body is not None:
        said: dict[str, Any] = {"content_type": "application/rdap+json", "status": 200, "body": zlib.compress(body)}
        answer = add(connection, t.raw_answers, sha256=hashlib.sha256(body).digest(), source=question, at=at, **said)
    row = {"netblock_id": netblock_id, "number": number, "kind": kind, "question": question, "at": at}
    connection.execute(insert(t.lookup_steps).values(outcome=outcome, why=why, raw_answer_id=answer, **row))
    return answer


def override(connection: Connection, at: datetime, verdict: str, mailbox: str, **values: Any) -> int:
    said = {"reason": "they wrote to us", "by": "system:op", "spelling": mailbox, **values}
    return add(connection, t.overrides, verdict=verdict, mailbox=mailbox, at=at, **said)
