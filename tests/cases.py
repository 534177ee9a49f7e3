"""Rows for tests of resolve, verify and plan: campaigns, cases about addresses, what feeds said, workers."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pipeline.domain import Address, CaseState, ContactState, Exposure, Verdict
from pipeline.store import events, feeds, netblocks, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import add

DAY = timedelta(days=1)


def campaign(db: Database, now: datetime, name: str = "one", minimum_level: int = 0) -> int:
    with db.write() as connection:
        return add(
            connection,
            t.campaigns,
            name=name,
            topics='["open_proxy","open_relay"]',
            minimum_level=minimum_level,
            settings="{}",
            order_seed="00",
            created_by="person:1",
            created_at=now,
        )


def worker(db: Database, now: datetime) -> int:
    """A new planner, as after the last one has died: its leases are void."""
    with db.write() as connection:
        return workers.register(connection, "test", os.getpid(), planner=True, now=now)


def another_worker(db: Database, now: datetime) -> int:
    """A worker beside those that live."""
    with db.write() as connection:
        return workers.register(connection, "test", os.getpid(), planner=False, now=now)


def cases(
    db: Database,
    now: datetime,
    campaign_id: int,
    addresses: Iterable[Address],
    *,
    port: int = 8080,
    service: str = "http",
    topic: str = "open_proxy",
    **values: Any,
) -> list[int]:
    """Add a case, SEEN and due unless `values` say otherwise, for each address; returns their ids."""
    with db.write() as connection:
        return [
            add(
                connection,
                t.cases,
                **{
                    "campaign_id": campaign_id,
                    "target_id": _target(connection, now, address, port, service, topic),
                    "block": netblocks.block_of(address),
                    "state": CaseState.SEEN.value,
                    "due_at": now,
                    "created_at": now,
                    **values,
                },
            )
            for address in addresses
        ]


def _target(connection: Connection, now: datetime, address: Address, port: int, service: str, topic: str) -> int:
    key = {"address": address, "port": port, "transport": "tcp", "service": service}
    query = select(t.targets.c.id).where(*(t.targets.c[name] == value for name, value in key.items()))
    found = connection.execute(query).scalar()
    if found is not None:
        return int(found)
    return add(connection, t.targets, **key, topic=topic, first_seen_at=now, last_seen_at=now)


def all_cases(db: Database) -> list[dict[str, Any]]:
    """Return every case, in the order of their ids, with its address, the mailbox of its contact, and its last event."""
    query = (
        select(t.cases, t.targets.c.address, t.contacts.c.mailbox)
        .join(t.targets, t.targets.c.id == t.cases.c.target_id)
        .outerjoin(t.netblock_contacts, t.netblock_contacts.c.id == t.cases.c.netblock_contact_id)
        .outerjoin(t.contacts, t.contacts.c.id == t.netblock_contacts.c.contact_id)
        .order_by(t.cases.c.id)
    )
    last = select(t.events.c.subject_id, t.events.c.what, t.events.c.why).where(t.events.c.subject == "case")
    with db.read() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
        said = {row.subject_id: (row.what, row.why) for row in connection.execute(last.order_by(t.events.c.id))}
    return [{**row, "event": said.get(row["id"])} for row in found]


def again(db: Database, now: datetime, **values: Any) -> None:
    """Make every case SEEN and due, as if nothing had been resolved."""
    with db.write() as connection:
        fresh = {"state": CaseState.SEEN.value, "due_at": now, "netblock_id": None, "netblock_contact_id": None}
        connection.execute(update(t.cases).values(**(fresh | values)))


def feed(db: Database, now: datetime, name: str, lifetime: timedelta = 7 * DAY, **declaration: Any) -> int:
    """Declare a feed and return its id."""
    said = {"parser": "csv", "lifetime": lifetime, "retain": 730 * DAY, **declaration}
    with db.write() as connection:
        return feeds.declare(connection, name, said, now, "test")


def snapshot(
    db: Database,
    feed_id: int,
    at: datetime,
    claims: Iterable[tuple[Address, int, str, str]],
    *,
    lifetime: timedelta = 7 * DAY,
    verdict: Verdict = Verdict.ACCEPTED,
) -> int:
    """Add a delivery that claims (address, port, service, claim) at that time, and return its id."""
    with db.write() as connection:
        row = {"name": "list.csv", "received_at": at, "verdict": verdict.value, "sha256": os.urandom(32)}
        snapshot_id = add(connection, t.snapshots, feed_id=feed_id, **row)
        seen = [
            {
                "snapshot_id": snapshot_id,
                "line": line,
                "address": address,
                "port": port,
                "transport": "tcp",
                "service": service,
                "claim": claim,
                "topic": _topic(claim),
                "confidence": 50,
                "observed_at": at,
                "expires_at": at + lifetime,
                "raw": b"as received",
            }
            for line, (address, port, service, claim) in enumerate(claims, start=1)
        ]
        if seen:
            connection.execute(insert(t.observations), seen)
    return snapshot_id


def _topic(claim: str) -> str:
    return {"open_relay": "open_relay", "reputation": ""}.get(claim, "open_proxy")


def ready(
    db: Database,
    now: datetime,
    campaign_id: int,
    mailbox: str,
    addresses: Iterable[Address],
    *,
    level: int = 1,
    quoted: Sequence[tuple[int, int]] = (),
    contact_state: ContactState = ContactState.UNTESTED,
) -> list[int]:
    """Add cases that are ready for a notice to a contact: RESOLVED, and found OPEN at `now`; returns their ids."""
    with db.write() as connection:
        some = next(iter(addresses := list(addresses)))
        block = add(
            connection,
            t.netblocks,
            first_address=some,
            last_address=some,
            outcome="contacts",
            valid_from=now,
            expires_at=now + 30 * DAY,
        )
        values = {"mailbox": mailbox, "spelling": mailbox, "state": contact_state.value, "created_at": now}
        contact = add(connection, t.contacts, **values)
        place = {"tier": 1, "rank": 0, "confidence": 90, "source": "role", "candidate": mailbox, "valid_from": now}
        link = add(connection, t.netblock_contacts, netblock_id=block, contact_id=contact, **place)
    found = {"state": CaseState.RESOLVED.value, "exposure": Exposure.OPEN.value, "exposure_at": now, "level": level}
    ids = cases(db, now, campaign_id, addresses, netblock_id=block, netblock_contact_id=link, **found)
    check(db, now, ids, level=level, quoted=quoted)
    return ids


def check(
    db: Database, at: datetime, case_ids: Iterable[int], *, level: int = 1, quoted: Sequence[tuple[int, int]] = ()
) -> None:
    """Add a check that found the cases open, and counted the observations (snapshot, line) `quoted`."""
    said = {"groups": [], "level": f"E{level}", "quoted": [list(key) for key in quoted], "reasons": [], "zones": []}
    values = {"method": "passive", "verdict": "open", "level": level, "at": at, "transcript": events.canonical(said)}
    with db.write() as connection:
        connection.execute(insert(t.checks), [{"case_id": id_, **values} for id_ in case_ids])
