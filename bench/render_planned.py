"""Databases with waves planned, to measure writing letters: every contact has a network of its own and two addresses.

Writes a SQLite file of the shipped schema, with the shipped first letter, and a campaign whose letters go to providers
in both languages with CSV and XARF.  Rows of cases are added in bulk, as ingest, resolve and verify would have left them;
notices are made by the store's planner.  Addresses are those set apart for measurements (RFC 2544), reused on other ports.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.stages import clock, set_up
from pipeline.config import shipped
from pipeline.domain import CaseState, ContactState, Exposure, Verdict
from pipeline.store import events, migrate, plan, tables
from pipeline.store.bulk import insert_rows
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys

KEYS = Keys(bytes(range(32)))
FORM = {"audience": "provider", "attachments": ["csv", "xarf"]}  # of the campaign's settings
ADDRESSES = 2  # of a letter
POOL, POOL_SIZE = int(IPv4Address("198.18.0.0")), 2**17
SEEN_FOR = timedelta(days=9)


@dataclass(frozen=True, slots=True)
class Planned:
    """A database file and its campaign."""

    path: Path
    campaign_id: int
    feed_id: int

    @contextmanager
    def open(self) -> Iterator[Database]:
        db = Database(f"sqlite:///{self.path}")
        try:
            yield db
        finally:
            db.close()


def new(path: Path) -> Planned:
    """Make the database, import the letter, create the campaign."""
    db = Database(f"sqlite:///{path}")
    campaign_id, feed_id = prepare(db)
    db.close()
    return Planned(path, campaign_id, feed_id)


def prepare(db: Database) -> tuple[int, int]:
    """Bring an empty database to the shipped schema, with the letter and a campaign; returns the campaign and its feed."""
    migrate.upgrade(db, shipped("migrations"))
    feed, campaign_id, _ = set_up(db, clock())
    with db.write() as connection:
        held = select(tables.campaigns.c.settings).where(tables.campaigns.c.id == campaign_id)
        settings = json.loads(connection.execute(held).scalar_one()) | FORM
        connection.execute(tables.campaigns.update().values(settings=events.canonical(settings)))
    return campaign_id, feed.id


def plan_wave(planned: Planned, number: int, count: int) -> int:
    """Plan wave `number` of `count` notices, to contacts that had none before; returns its id."""
    with planned.open() as db, db.write() as connection:  # a connection of its own: bulk adding gives it a large cache
        return add_wave(connection, planned.campaign_id, planned.feed_id, number, count)


def add_wave(connection: Connection, campaign_id: int, feed_id: int, number: int, count: int) -> int:
    """Plan wave `number` of `count` notices in the caller's transaction; returns its id."""
    now = clock()
    first = _add_contacts(connection, count, now)
    cases = _add_cases(connection, campaign_id, feed_id, number, first, count, now)
    wave_id = plan.add_wave(connection, campaign_id, number, "first", {}, now, "system:bench")
    order = {contact: KEYS.order("00", contact) for contact in cases}
    plan.add_notices(connection, wave_id, campaign_id, cases, order, KEYS)
    return wave_id


def _add_contacts(connection: Connection, count: int, now: datetime) -> int:
    """Add contacts, each with a network; contact, network and their link have the same id.  Returns the first."""
    first = (connection.execute(select(tables.contacts.c.id).order_by(tables.contacts.c.id.desc())).scalar() or 0) + 1
    ids = range(first, first + count)
    boxes = ((n, f"abuse@isp{n}.example", f"abuse@isp{n}.example", ContactState.UNTESTED.value, now) for n in ids)
    insert_rows(connection, tables.contacts, ("id", "mailbox", "spelling", "state", "created_at"), boxes)
    names = ("id", "first_address", "last_address", "outcome", "name", "holder", "country", "valid_from", "expires_at")
    until = now + timedelta(days=30)
    blocks = (
        (n, _address(n, 0)[0], _address(n, 1)[0], "contacts", f"ISP{n}-NET", f"Provider {n} Inc.", "CA", now, until)
        for n in ids
    )
    insert_rows(connection, tables.netblocks, names, blocks)
    names = ("id", "netblock_id", "contact_id", "candidate", "tier", "rank", "confidence", "source", "valid_from")
    links = ((n, n, n, f"abuse@isp{n}.example", 1, 0, 90, "role", now) for n in ids)
    insert_rows(connection, tables.netblock_contacts, names, links)
    return first


def _add_cases(
    connection: Connection, campaign_id: int, feed_id: int, number: int, first: int, count: int, now: datetime
) -> dict[int, list[tuple[int, int, int, str]]]:
    """Add what was observed, and the cases with their checks; returns contact -> [(case, check, level, quoted)]."""
    snapshot = {
        "feed_id": feed_id,
        "sha256": number.to_bytes(32, "big"),
        "name": "hits.csv",
        "received_at": now,
        "verdict": Verdict.ACCEPTED.value,
    }
    made = connection.execute(tables.snapshots.insert().values(snapshot).returning(tables.snapshots.c.id))
    snapshot_id = int(made.scalar_one())
    places = [(n, n * ADDRESSES + i, *_address(n, i)) for n in range(first, first + count) for i in range(ADDRESSES)]
    lines = {case: line for line, (_, case, _, _) in enumerate(places, start=1)}
    targets = ((case, address, port, "tcp", "http", "open_proxy", now, now) for _, case, address, port in places)
    insert_rows(connection, tables.targets, TARGET, targets)
    observed = (
        (snapshot_id, lines[case], address, port, "tcp", "http", "http_connect", "open_proxy", 50, now, now + SEEN_FOR)
        for _, case, address, port in places
    )
    insert_rows(connection, tables.observations, OBSERVATION, observed)
    state = (Exposure.OPEN.value, now, 1, CaseState.RESOLVED.value, now)
    cases = ((case, campaign_id, case, address, n, n, *state) for n, case, address, _ in places)
    insert_rows(connection, tables.cases, CASE, cases)
    quoted = {case: f"[[{snapshot_id},{line}]]" for case, line in lines.items()}
    transcript = events.canonical({"groups": ["bench"], "level": "E1", "quoted": [], "reasons": [], "zones": []})
    checks = ((case, case, "passive", Exposure.OPEN.value, 1, now, transcript) for case in quoted)
    insert_rows(connection, tables.checks, CHECK, checks)
    found: dict[int, list[tuple[int, int, int, str]]] = {}
    for n, case, _, _ in places:
        found.setdefault(n, []).append((case, case, 1, quoted[case]))
    return found


TARGET = ("id", "address", "port", "transport", "service", "topic", "first_seen_at", "last_seen_at")
OBSERVATION = ("snapshot_id", "line", *TARGET[1:5], "claim", "topic", "confidence", "observed_at", "expires_at")
PLACE = ("id", "campaign_id", "target_id", "block", "netblock_id", "netblock_contact_id")
CASE = (*PLACE, "exposure", "exposure_at", "level", "state", "created_at")
CHECK = ("id", "case_id", "method", "verdict", "level", "at", "transcript")


def _address(contact: int, place: int) -> tuple[IPv4Address, int]:
    """Return the address and port of a contact's n-th target; no two contacts have the same."""
    round_, offset = divmod(contact * ADDRESSES + place, POOL_SIZE)
    return IPv4Address(POOL + offset), 8080 + round_


def letters(db: Database, wave_id: int) -> list[dict[str, Any]]:
    """Return the letters of a wave: id, sha256, bytes."""
    columns = (tables.letters.c.id, tables.letters.c.sha256, tables.letters.c.body_hash, tables.letters.c.bytes)
    with db.read() as connection:
        query = select(*columns).where(tables.letters.c.wave_id == wave_id).order_by(tables.letters.c.id)
        return [dict(row) for row in connection.execute(query).mappings()]
