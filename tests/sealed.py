"""Seals in tests: events that may be sealed, and the whole chain computed again from what the log holds."""

import time
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select, text

from pipeline.store import events
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database, rows

SEALABLE = "SELECT max(tx) < pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM events"


def happen(connection: Connection, now: datetime, count: int, why: str = "x") -> None:
    """Write events of which no two are alike."""
    first = connection.execute(select(func.count()).select_from(t.events)).scalar_one()
    entries = [events.Entry("letter.handed", "letter", first + number, 1, why) for number in range(1, count + 1)]
    events.write(connection, entries, now, "tocsin")


def write(db: Database, now: datetime, count: int = 1, why: str = "x") -> None:
    """Write events in a transaction of their own, and wait until they may be sealed.

    On PostgreSQL any older transaction holds them back, also one of another database of the server; none is open for long.
    """
    with db.write() as connection:
        happen(connection, now, count, why)
    until_sealable(db)


def until_sealable(db: Database) -> None:
    """Wait until every event may be sealed: once that is so, it stays so."""
    if db.dialect == "sqlite":
        return
    for _ in range(1000):
        with db.read() as connection:
            if connection.execute(text(SEALABLE)).scalar() is not False:
                return
        time.sleep(0.01)
    raise AssertionError("another transaction stays open")


def chain(db: Database) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, select(t.seals).order_by(t.seals.c.number))


def heads_again(db: Database) -> list[str]:
    """The heads as they follow from the columns of the events, by the words of RFC 6962 and docs/explanation/record.md."""
    with db.read() as connection:
        order = func.coalesce(t.events.c.tx, t.events.c.id)
        log = rows(connection, select(t.events).order_by(order, t.events.c.id))
    found: list[str] = []
    head = "00" * 32
    for one in chain(db):
        under, log = log[: one["count"]], log[one["count"] :]
        lines = (
            f"tocsin-seal 1\nnumber {len(found) + 1}\nat {events.stamp(one['at'])}\ncount {len(under)}\n"
            f"previous {head}\nroot {tree([leaf_again(event) for event in under]).hex()}\n"
        )
        head = sha256(lines.encode()).hexdigest()
        found.append(head)
    return found


def leaf_again(event: dict[str, Any]) -> bytes:
    names = ("what", "subject", "subject_id", "campaign_id", "by", "why", "data")
    return events.leaf(events.stamp(event["at"]), *(event[name] for name in names))


def tree(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()
