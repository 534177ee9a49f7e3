"""Statements of the verify stage: cases to be checked, what was observed of their addresses, and what a check found.

Reads: cases due, targets, observations of accepted snapshots, feeds.  Writes: checks, the exposure of cases, the level of
targets, sweeps (a zone's answers as a snapshot with its observations).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from pipeline.domain import Address, CaseState, Exposure, Observation, Verdict
from pipeline.store import events, workers
from pipeline.store.any_of import any_of
from pipeline.store.bulk import insert_rows
from pipeline.store.db import chunks
from pipeline.store.lives import Lease
from pipeline.store.tables import campaigns, cases, checks, feeds, observations, snapshots, targets

ZONE_PARSER = "dnsbl"
CHECKED_STATES = (CaseState.RESOLVED.value, CaseState.NOTICED.value, CaseState.EXHAUSTED.value)


@dataclass(frozen=True, slots=True)
class DueCase:
    """A case whose exposure is to be looked at, with its target and what its campaign demands."""

    id: int
    campaign_id: int
    target_id: int
    exposure: Exposure
    address: Address
    port: int
    service: str
    topic: str
    minimum_level: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.  `transcript` is canonical JSON."""

    case: DueCase
    verdict: Exposure
    level: int | None
    transcript: str
    due_at: datetime | None


def claim_due(
    connection: Connection, state: str, start: Address | None, worker_id: int, now: datetime, limit: int
) -> tuple[Lease, list[DueCase]]:
    """Take a lease on up to `limit` cases in one of CHECKED_STATES that are due for a check; return them by address.

    They are taken from the block `start` on, as the index has them: what a run has checked is not read again.
    """
    due = _due(now) & (cases.c.state == state)
    if start is not None:
        due &= cases.c.block >= start
    lease = workers.claim(connection, cases, due, worker_id, now, limit, cases.c.block, cases.c.id)
    mine = (cases.c.id, cases.c.campaign_id, cases.c.target_id, cases.c.exposure)
    about = (targets.c.address, targets.c.port, targets.c.service, targets.c.topic)
    query = (
        select(*mine, *about, campaigns.c.minimum_level)
        .join(targets, targets.c.id == cases.c.target_id)
        .join(campaigns, campaigns.c.id == cases.c.campaign_id)
    )
    found = [
        DueCase(**{**row._mapping, "exposure": Exposure(row.exposure)})
        for chunk in chunks(list(lease.claims))
        for row in connection.execute(query.where(any_of(connection, cases.c.id, chunk)))
    ]
    return lease, sorted(found, key=lambda case: (case.address.version, int(case.address), case.id))


def _due(now: datetime) -> ColumnElement[bool]:
    open_campaigns = select(campaigns.c.id).where(campaigns.c.closed_at.is_(None))
    return (cases.c.due_at <= now) & cases.c.campaign_id.in_(open_campaigns)


def due_count(connection: Connection, now: datetime) -> int:
    """Return how many cases are due for a check."""
    query = select(func.count()).select_from(cases).where(cases.c.state.in_(CHECKED_STATES), _due(now))
    return int(connection.execute(query).scalar_one())


OBSERVED = ("snapshot_id", "line", "address", "port", "service", "claim", "observed_at", "expires_at")


def observed(connection: Connection, addresses: Iterable[Address]) -> dict[Address, list[dict[str, Any]]]:
    """Return the observations of accepted snapshots about each address, with their feed's name and declaration."""
    found: dict[Address, list[dict[str, Any]]] = defaultdict(list)
    query = (
        select(*(observations.c[name] for name in OBSERVED), snapshots.c.feed_id)
        .join(snapshots, snapshots.c.id == observations.c.snapshot_id)
        .where(observations.c.topic != "", snapshots.c.verdict == Verdict.ACCEPTED)
    )
    known = {row.id: {"feed": row.name, "declaration": row.declaration} for row in connection.execute(FEEDS)}
    for chunk in chunks(sorted(set(addresses), key=lambda address: address.packed)):
        for row in connection.execute(query.where(any_of(connection, observations.c.address, chunk))):
            found[row[2]].append({**dict(zip(OBSERVED, row, strict=False)), **known[row[-1]]})
    return found


FEEDS = select(feeds.c.id, feeds.c.name, feeds.c.declaration)


def last_deliveries(connection: Connection) -> dict[str, datetime]:
    """Return when each feed last delivered something that was accepted; a sweep is no delivery of the whole zone."""
    query = (
        select(feeds.c.name, func.max(snapshots.c.received_at))
        .join(snapshots, snapshots.c.feed_id == feeds.c.id)
        .where(snapshots.c.verdict == Verdict.ACCEPTED, feeds.c.parser != ZONE_PARSER)
        .group_by(feeds.c.name)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def add_sweep(
    connection: Connection,
    feed_id: int,
    name: str,
    asked: int,
    listed: Sequence[tuple[Observation, str, datetime]],
    now: datetime,
) -> int:
    """Keep what a zone said of several addresses: a snapshot, and an observation (with its topic and end) per listing."""
    text = "\n".join(f"{o.line} {o.address} {o.claim} {o.raw!r}" for o, _, _ in listed)
    digest = hashlib.sha256(f"{name} {events.stamp(now)} {asked}\n{text}".encode()).digest()
    row = insert(snapshots).values(
        feed_id=feed_id,
        sha256=digest,
        name=name,
        received_at=now,
        lines=asked,
        observations=len(listed),
        verdict=Verdict.ACCEPTED.value,
        applied_line=asked,
    )
    snapshot_id = int(connection.execute(row.returning(snapshots.c.id)).scalar_one())
    columns = (
        *("snapshot_id", "line", "address", "port", "transport", "service", "claim", "topic"),
        *("confidence", "observed_at", "expires_at", "raw"),
    )
    lines = (
        (
            *(snapshot_id, o.line, o.address, o.port, o.transport, o.service, o.claim, topic),
            *(o.confidence, o.observed_at, end, o.raw),
        )
        for o, topic, end in listed
    )
    insert_rows(connection, observations, columns, lines)
    return snapshot_id


def record(connection: Connection, findings: Sequence[Finding], lease: Lease, now: datetime, by: str) -> None:
    """Write checks and exposures, and give the cases back; cases that another worker has taken since are left alone."""
    held = select(cases.c.id, cases.c.claim).where(cases.c.worker_id == lease.worker_id)
    mine: set[int] = set()
    for ids in chunks(list(lease.claims)):
        found = connection.execute(held.where(any_of(connection, cases.c.id, ids)).with_for_update())
        mine |= {row.id for row in found if lease.claims[row.id] == row.claim}
    kept = [finding for finding in findings if finding.case.id in mine]
    columns = ("case_id", "method", "verdict", "level", "at", "transcript")
    made = ((f.case.id, "passive", f.verdict.value, f.level, now, f.transcript) for f in kept)
    insert_rows(connection, checks, columns, made)
    _set_exposures(connection, kept, now)
    log = (
        events.Entry(
            "case.checked",
            "case",
            finding.case.id,
            finding.case.campaign_id,
            finding.verdict.value,
            {"before": finding.case.exposure.value, "level": finding.level},
        )
        for finding in kept
    )
    events.write(connection, log, now, by)


def _set_exposures(connection: Connection, findings: Sequence[Finding], now: datetime) -> None:
    groups: dict[tuple[str, int | None, datetime | None], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.verdict.value, finding.level, finding.due_at].append(finding)
    for chunk in chunks(sorted(finding.case.target_id for finding in findings)):  # campaigns share targets
        connection.execute(
            select(targets.c.id).where(any_of(connection, targets.c.id, chunk)).order_by(targets.c.id).with_for_update()
        )
    for (verdict, level, due_at), members in groups.items():
        for some in chunks(members):
            changed = update(cases).where(any_of(connection, cases.c.id, [finding.case.id for finding in some]))
            values = {"exposure": verdict, "exposure_at": now, "level": level, "due_at": due_at, "worker_id": None}
            connection.execute(changed.values(**values))
            seen = update(targets).where(any_of(connection, targets.c.id, [finding.case.target_id for finding in some]))
            connection.execute(seen.where(targets.c.level.is_distinct_from(level)).values(level=level))


def recheck(connection: Connection, campaign_id: int, older_than: timedelta, now: datetime) -> int:
    """Make the campaign's cases due whose last check is older than that; returns how many."""
    due = update(cases).where(
        cases.c.campaign_id == campaign_id,
        cases.c.state.in_(CHECKED_STATES),
        (cases.c.exposure_at.is_(None)) | (cases.c.exposure_at <= now - older_than),
    )
    return connection.execute(due.values(due_at=now)).rowcount


def zone_feed(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declaration of a zone as a feed (store/feeds.py)."""
    return {"parser": ZONE_PARSER, "claims": {}, "retain": timedelta(days=730), **declaration}
