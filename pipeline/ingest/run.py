"""Read a file of a feed: its lines become observations, and these call for targets and cases.

Reads: one file, the feed's declaration.  Writes: a snapshot, its observations and rejects, a verdict; then, if it was
accepted, targets and cases.  Safe to repeat and to kill at any line: bytes that are known add nothing, reading and
applying go on from the last chunk that was committed, and a lease keeps a second process off.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.data.topic import Topic, claim_kinds, topic_of
from pipeline.domain import Clock, ConfigurationError, Observation, Progress, Reject, TryAgain, Verdict
from pipeline.ingest.declaration import shape_of
from pipeline.ingest.lines import GZIP, Line, read
from pipeline.ingest.parsers import PARSERS
from pipeline.ingest.verdict import verdict
from pipeline.store import campaigns, targets
from pipeline.store import ingest as store
from pipeline.store.db import Database
from pipeline.store.feeds import Feed
from pipeline.store.lives import Lease, LeaseLost

CHUNK = 20_000  # lines in one transaction
BLOCK = 1 << 20  # bytes hashed at once
BY = "tocsin"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a file.  `new`: this call read it to its end; `targets` and `cases`: those that this call made."""

    snapshot_id: int
    new: bool
    lines: int
    observations: int
    rejects: int
    targets: int
    cases: int
    verdict: Verdict
    reason: str  # a code (empty, too-many-rejects), or the words of the person who released or voided it


@dataclass(frozen=True, slots=True)
class _Work:
    """What both halves need: the leased snapshot, and how to work on it.  `chunk`: lines in one transaction."""

    db: Database
    lease: Lease
    topics: Mapping[str, Topic]
    clock: Clock
    progress: Progress
    by: str
    chunk: int


def ingest(
    db: Database,
    path: Path,
    feed: Feed,
    topics: Mapping[str, Topic],
    *,
    worker_id: int,
    clock: Clock,
    progress: Progress,
    by: str = BY,
    allow_documentation: bool = False,
    chunk: int = CHUNK,
) -> IngestResult:
    """Read the file `path` of `feed`, and if it is accepted make its targets and the cases of all open campaigns.

    Raises NotFound, ConfigurationError or TocsinError if the file or the feed's declaration cannot be used, TryAgain if
    another process has the same file in hand, or it changed while it was read.
    """
    _demand_usable(path, feed, topics, clock(), allow_documentation)
    before = path.stat()
    sha256 = _sha256(path, before.st_size, progress)
    with db.write() as connection:
        snapshot_id = store.find_or_add(connection, feed.id, sha256, path.name, before.st_size, clock(), by)
        found = store.snapshot(connection, snapshot_id)
    if not _unfinished(found):
        return _result(found, False, (0, 0))
    with _leased(db, snapshot_id, worker_id, clock) as lease:
        if lease is None:
            raise TryAgain(
                f"{path.name} is in the hands of another process",
                f"it is at line {found.lines}, and heard of less than 30 s ago",
                "Wait until it is done, or end it; then run the same command again.",
            )
        work = _Work(db, lease, topics, clock, progress, by, chunk)
        found = _snapshot(work, snapshot_id)
        reading = found.verdict is Verdict.READING
        if reading:
            _read(work, found, path, before, feed, allow_documentation)
            _judge(work, snapshot_id, path, before)
        made = _apply(work, _snapshot(work, snapshot_id))
        return _result(_snapshot(work, snapshot_id), reading, made)


def _demand_usable(
    path: Path, feed: Feed, topics: Mapping[str, Topic], now: datetime, allow_documentation: bool
) -> None:
    """Raise what is wrong with the declaration or the head of the file, before anything is written."""
    if feed.parser not in PARSERS:
        raise ConfigurationError(
            f"The feed {feed.name} names the parser {feed.parser!r:.40}, which does not exist",
            f"known are {', '.join(sorted(PARSERS))}",
            f"Correct feeds.{feed.name}.parser.",
        )
    shape_of(feed.declaration, claim_kinds(topics), now, now, allow_documentation)
    next(read(path), None)


def apply_accepted(
    db: Database,
    topics: Mapping[str, Topic],
    *,
    worker_id: int,
    clock: Clock,
    progress: Progress,
    by: str = BY,
    chunk: int = CHUNK,
) -> int:
    """Make what accepted snapshots still lack (a person released them, or a process died); return how many were done."""
    with db.read() as connection:
        waiting = store.unapplied(connection)
    done = 0
    for snapshot_id in waiting:
        with _leased(db, snapshot_id, worker_id, clock) as lease:
            if lease is not None:
                work = _Work(db, lease, topics, clock, progress, by, chunk)
                _apply(work, _snapshot(work, snapshot_id))
                done += 1
    return done


@contextmanager
def _leased(db: Database, snapshot_id: int, worker_id: int, clock: Clock) -> Iterator[Lease | None]:
    """Hold the lease on a snapshot for the block; None if a living worker has it.  Raises TryAgain if it is lost."""
    with db.write() as connection:
        lease = store.take(connection, snapshot_id, worker_id, clock())
    try:
        yield lease
    except LeaseLost as error:
        raise TryAgain(
            "The file was taken out of this process's hands",
            str(error),
            "See what became of it: tocsin snapshot list",
        ) from error
    finally:
        if lease is not None:
            with db.write() as connection:
                store.give_back(connection, lease)


def _snapshot(work: _Work, snapshot_id: int) -> store.Snapshot:
    with work.db.read() as connection:
        return store.snapshot(connection, snapshot_id)


def _unfinished(snapshot: store.Snapshot) -> bool:
    if snapshot.verdict is Verdict.ACCEPTED:
        return snapshot.applied_line < snapshot.lines
    return snapshot.verdict is Verdict.READING


def _result(snapshot: store.Snapshot, new: bool, made: tuple[int, int]) -> IngestResult:
    counts = (snapshot.lines, snapshot.observations, snapshot.rejects)
    return IngestResult(snapshot.id, new, *counts, *made, snapshot.verdict, snapshot.reason)


def _sha256(path: Path, size: int, progress: Progress) -> bytes:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(BLOCK):
            digest.update(piece)
            done += len(piece)
            progress("bytes hashed", done, size)
    return digest.digest()


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def _read(
    work: _Work, snapshot: store.Snapshot, path: Path, stat: os.stat_result, feed: Feed, allow_documentation: bool
) -> None:
    """Store what the lines after the snapshot's last one say, one transaction a chunk."""
    kinds = claim_kinds(work.topics)
    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
    shape = shape_of(feed.declaration, kinds, snapshot.received_at, modified_at, allow_documentation)
    topics = {claim: topic_of(work.topics, claim) for claim in kinds}
    size = 0 if _is_gzip(path) else stat.st_size
    line, offset = 0, 0

    def counted() -> Iterator[Line]:
        nonlocal line, offset
        for one in read(path):
            line, _, offset = one
            yield one

    observed: list[Observation] = []
    rejected: list[Reject] = []

    def keep(upto: int) -> None:
        with work.db.write() as connection:
            store.add_lines(connection, work.lease, upto, observed, rejected, topics, feed.lifetime)
        observed.clear()
        rejected.clear()
        work.progress("bytes read", offset, size)

    for record in PARSERS[feed.parser](counted(), shape):
        if record.line <= snapshot.lines:
            continue  # it was stored before an earlier process stopped
        if isinstance(record, Observation):
            observed.append(record)
        else:
            rejected.append(record)
        if len(observed) + len(rejected) >= work.chunk:
            keep(record.line)
    keep(line)


def _judge(work: _Work, snapshot_id: int, path: Path, before: os.stat_result) -> None:
    """Give the verdict on a file that has been read; raises TryAgain, and voids it, if it changed meanwhile."""
    after = path.stat()
    now = work.clock()
    with work.db.write() as connection:
        if (before.st_ino, before.st_size, before.st_mtime_ns) != (after.st_ino, after.st_size, after.st_mtime_ns):
            store.void_snapshot(connection, snapshot_id, "the file changed while it was read", now, work.by)
        else:
            found = store.snapshot(connection, snapshot_id)
            store.judge(connection, work.lease, *verdict(found.observations, found.rejects), now, work.by)
            return
    raise TryAgain(
        f"{path.name} changed while it was read",
        "it may still be on its way; what was read of it is void",
        "Wait until it is complete, then run the same command again.",
    )


def _apply(work: _Work, snapshot: store.Snapshot) -> tuple[int, int]:
    """Make the targets of an accepted snapshot, then the cases that campaigns lack; return how many of each."""
    if snapshot.verdict is not Verdict.ACCEPTED or not _unfinished(snapshot):
        return 0, 0
    with work.db.read() as connection:
        turns = targets.turns_needed(connection, snapshot.id)
        campaign_ids = [campaign.id for campaign in campaigns.every(connection, open_only=True)]
    new_targets = sum(_apply_turn(work, snapshot, turn) for turn in turns)
    new_cases = 0
    for campaign_id in campaign_ids:
        while made := _open_cases(work, campaign_id):
            new_cases += made
            work.progress("cases made", new_cases, 0)
    with work.db.write() as connection:
        targets.finish(connection, work.lease)
    return new_targets, new_cases


def _apply_turn(work: _Work, snapshot: store.Snapshot, turn: int) -> int:
    """Apply all lines of one turn.  The first turn notes how far it came; the others are short and begin anew.

    The last line counts as applied only once everything is made (targets.finish).
    """
    kinds = claim_kinds(work.topics)
    most = snapshot.lines - 1
    new = 0
    for first in range(snapshot.applied_line if turn == 0 else 0, snapshot.lines, work.chunk):
        last = min(first + work.chunk, snapshot.lines)
        noted = min(last, most) if turn == 0 else most
        with work.db.write() as connection:
            new += targets.apply_lines(connection, work.lease, turn, (first, last), noted, kinds, work.clock(), work.by)
        work.progress("lines applied", last, snapshot.lines)
    return new


def _open_cases(work: _Work, campaign_id: int) -> int:
    with work.db.write() as connection:
        return campaigns.open_cases(connection, campaign_id, work.clock(), work.by, work.chunk)
