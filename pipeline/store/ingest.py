"""Snapshots: one delivery of a feed, with what its lines said and what a rule or a person says of it.

Reads: feeds.  Writes: snapshots, observations, rejects, events; a void makes cases due.  Safe to repeat: a snapshot is
unique by feed and SHA-256, and each chunk of lines is one transaction with the counter that says how far we came, under
the worker's lease.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import CaseState, NotFound, Observation, RefusedBySafety, Reject, Verdict
from pipeline.store import bulk, events, workers
from pipeline.store.lives import Lease, LeaseLost
from pipeline.store.tables import cases, observations, rejects, snapshots, targets

OBSERVATION_COLUMNS = (
    "snapshot_id",
    "line",
    "address",
    "port",
    "transport",
    "service",
    "claim",
    "topic",
    "confidence",
    "observed_at",
    "expires_at",
    "raw",
)
REJECT_COLUMNS = ("snapshot_id", "line", "reason", "raw")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One delivery of a feed.  `lines`: read and stored so far; `applied_line`: targets and cases made up to there."""

    id: int
    feed_id: int
    name: str
    received_at: datetime
    lines: int
    observations: int
    rejects: int
    applied_line: int
    verdict: Verdict
    reason: str


def find_or_add(
    connection: Connection, feed_id: int, sha256: bytes, name: str, size: int, now: datetime, by: str
) -> int:
    """Return the id of the snapshot of these bytes from this feed, added if they are new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(snapshots).values(
        feed_id=feed_id, sha256=sha256, name=name, bytes=size, received_at=now, verdict=Verdict.READING.value
    )
    added = connection.execute(row.on_conflict_do_nothing().returning(snapshots.c.id)).scalar()
    if added is None:
        there = (snapshots.c.feed_id == feed_id) & (snapshots.c.sha256 == sha256)
        return int(connection.execute(select(snapshots.c.id).where(there)).scalar_one())
    data = {"feed": feed_id, "sha256": sha256.hex(), "bytes": size}
    events.write(connection, [events.Entry("snapshot.received", "snapshot", added, data=data)], now, by)
    return int(added)


def snapshot(connection: Connection, snapshot_id: int) -> Snapshot:
    """Return a snapshot.  Raises NotFound."""
    columns = [snapshots.c[name] for name in Snapshot.__slots__]
    row = connection.execute(select(*columns).where(snapshots.c.id == snapshot_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no snapshot {snapshot_id}", "", "Run: tocsin snapshot list")
    return Snapshot(**{**row, "verdict": Verdict(row["verdict"])})


def take(connection: Connection, snapshot_id: int, worker_id: int, now: datetime) -> Lease | None:
    """Take the lease on a snapshot, or return None if a living worker has it."""
    lease = workers.claim(connection, snapshots, snapshots.c.id == snapshot_id, worker_id, now, 1, snapshots.c.id)
    return lease if lease.claims else None


def give_back(connection: Connection, lease: Lease) -> None:
    """End a lease on a snapshot, unless another worker has taken it since."""
    workers.release(connection, snapshots, lease)


def unapplied(connection: Connection) -> list[int]:
    """Return the accepted snapshots whose targets and cases have not all been made, oldest first."""
    wanted = (snapshots.c.verdict == Verdict.ACCEPTED.value) & (snapshots.c.applied_line < snapshots.c.lines)
    return list(connection.execute(select(snapshots.c.id).where(wanted).order_by(snapshots.c.id)).scalars())


def change(connection: Connection, lease: Lease, standing: Verdict, **values: object) -> int:
    """Change columns of the leased snapshot, which must still stand at a verdict; return its id.  Raises LeaseLost."""
    [(snapshot_id, claim)] = lease.claims.items()
    mine = and_(
        snapshots.c.id == snapshot_id,
        snapshots.c.worker_id == lease.worker_id,
        snapshots.c.claim == claim,
        snapshots.c.verdict == standing.value,
    )
    if connection.execute(update(snapshots).where(mine).values(**values)).rowcount != 1:
        raise LeaseLost(f"snapshot {snapshot_id} has been taken by another worker, or voided")
    return snapshot_id


def add_lines(
    connection: Connection,
    lease: Lease,
    last_line: int,
    observed: Sequence[Observation],
    rejected: Sequence[Reject],
    topics: Mapping[str, str],
    lifetime: timedelta,
) -> None:
    """Store what the lines up to `last_line` said, and that they have been read.

    `topics`: claim -> topic; a claim that is not in it is a reputation.  Raises LeaseLost; then nothing is stored.
    """
    counts = {
        "observations": snapshots.c.observations + len(observed),
        "rejects": snapshots.c.rejects + len(rejected),
    }
    snapshot_id = change(connection, lease, Verdict.READING, lines=last_line, **counts)
    seen = (
        (
            snapshot_id,
            one.line,
            one.address,
            one.port,
            one.transport,
            one.service,
            one.claim,
            topics.get(one.claim, ""),
            one.confidence,
            one.observed_at,
            one.observed_at + lifetime,
            one.raw,
        )
        for one in observed
    )
    bulk.insert_rows(connection, observations, OBSERVATION_COLUMNS, seen)
    refused = ((snapshot_id, one.line, str(one.reason), one.raw) for one in rejected)
    bulk.insert_rows(connection, rejects, REJECT_COLUMNS, refused)


def judge(connection: Connection, lease: Lease, verdict: Verdict, reason: str, now: datetime, by: str) -> None:
    """End the reading of a snapshot: ACCEPTED, or HELD with the code of the reason.  Raises LeaseLost."""
    snapshot_id = change(connection, lease, Verdict.READING, verdict=verdict.value, reason=reason)
    read = snapshot(connection, snapshot_id)
    data = {"lines": read.lines, "observations": read.observations, "rejects": read.rejects}
    entry = events.Entry(f"snapshot.{verdict.value}", "snapshot", snapshot_id, why=reason, data=data)
    events.write(connection, [entry], now, by)


def release_snapshot(connection: Connection, snapshot_id: int, reason: str, now: datetime, by: str) -> None:
    """Let a held snapshot act, on a person's word.  Raises NotFound, or RefusedBySafety if it is not held."""
    _decide(connection, snapshot_id, (Verdict.HELD,), Verdict.ACCEPTED, "snapshot.released", reason, now, by)


def void_snapshot(connection: Connection, snapshot_id: int, reason: str, now: datetime, by: str) -> None:
    """Take a snapshot back, on a person's word: nothing it says counts any more.

    Its observations stay, as a record.  Cases at addresses that it spoke of become due, to be judged without it.  Raises
    NotFound, or RefusedBySafety if it is voided already.
    """
    before = (Verdict.READING, Verdict.HELD, Verdict.ACCEPTED)
    _decide(connection, snapshot_id, before, Verdict.VOIDED, "snapshot.voided", reason, now, by)
    t, o = targets.c, observations.c
    spoken_of = select(t.id).join(observations, and_(t.address == o.address, t.topic == o.topic))
    judged = [state.value for state in (CaseState.RESOLVED, CaseState.NOTICED, CaseState.EXHAUSTED)]
    again = cases.c.state.in_(judged) & cases.c.target_id.in_(spoken_of.where(o.snapshot_id == snapshot_id))
    connection.execute(update(cases).where(again).values(due_at=now))


def _decide(
    connection: Connection,
    snapshot_id: int,
    before: Sequence[Verdict],
    after: Verdict,
    what: str,
    reason: str,
    now: datetime,
    by: str,
) -> None:
    query = select(snapshots.c.verdict).where(snapshots.c.id == snapshot_id).with_for_update()
    connection.execute(query)  # its verdict stands still from here on
    found = snapshot(connection, snapshot_id)
    if found.verdict not in before:
        raise RefusedBySafety(
            f"Snapshot {snapshot_id} cannot become {after.value}",
            f"it is {found.verdict.value}",
            f"Only what is {' or '.join(before)} can.",
        )
    connection.execute(
        update(snapshots).where(snapshots.c.id == snapshot_id).values(verdict=after.value, reason=reason)
    )
    data = {"before": found.verdict.value, "reason": events.keep_text(connection, "reason", reason, now)}
    events.write(connection, [events.Entry(what, "snapshot", snapshot_id, data=data)], now, by)
