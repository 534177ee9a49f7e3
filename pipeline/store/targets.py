"""Targets: the addresses and services that the observations of an accepted snapshot speak of.

Reads: observations, cases.  Writes: targets, and cases that are seen again, each with its event.  Safe to repeat: targets
are unique, the times they were seen only widen, and a case moves on only for what was observed after it ended.  Two
that apply snapshots at once take turns, one chunk each.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, exists, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.data.topic import ANY, ClaimKind
from pipeline.domain import CaseState, Event, Verdict
from pipeline.store import ingest, lives
from pipeline.store.db import chunks
from pipeline.store.lives import Lease
from pipeline.store.tables import campaigns, cases, events, observations, snapshots, targets

APPLY_LOCK = 0x746F6373696F  # a PostgreSQL advisory lock: one chunk of one snapshot at a time
KEY = ("address", "port", "transport", "service")

o, t = observations.c, targets.c

# Claims with a port go first: a claim without one makes a target only where there is none.  Of these, what names its
# service goes before what leaves it open.  So the order of the lines does not matter.
TURNS: tuple[ColumnElement[bool], ...] = (
    and_(o.topic != "", o.port > 0),
    and_(o.topic != "", o.port == 0, o.service != ANY),
    and_(o.topic != "", o.port == 0, o.service == ANY),
)


def turns_needed(connection: Connection, snapshot_id: int) -> list[int]:
    """Return the numbers of the TURNS that a snapshot has observations for."""
    wanted = [select(exists().where(o.snapshot_id == snapshot_id, turn)).scalar_subquery() for turn in TURNS]
    return [number for number, found in enumerate(connection.execute(select(*wanted)).one()) if found]


def apply_lines(
    connection: Connection,
    lease: Lease,
    turn: int,
    lines: tuple[int, int],
    applied_line: int,
    kinds: Mapping[str, ClaimKind],
    now: datetime,
    by: str,
) -> int:
    """Make or widen the targets that observations of one turn speak of, and return how many are new.

    `lines`: after the first, up to the last.  Fixed and dormant cases that are seen again are moved on.  Raises
    LeaseLost; then nothing is changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPLY_LOCK})
    snapshot_id = ingest.change(connection, lease, Verdict.ACCEPTED, applied_line=applied_line)
    said = and_(o.snapshot_id == snapshot_id, o.line > lines[0], o.line <= lines[1], TURNS[turn])
    about = _speaks_of(kinds) if turn else and_(*(t[name] == o[name] for name in KEY))
    new = _add(connection, said if turn == 0 else said & ~exists().where(about))
    spans = (
        select(
            t.id,
            func.min(o.observed_at).label("first"),
            func.max(o.observed_at).label("last"),
            func.max(o.expires_at).label("until"),
        )
        .join(observations, about)
        .where(said)
        .group_by(t.id)
        .subquery()
    )
    _widen(connection, spans)
    _see_again(connection, snapshot_id, spans, now, by)
    return new


def finish(connection: Connection, lease: Lease) -> None:
    """Note that all targets and cases of a snapshot have been made.  Raises LeaseLost."""
    ingest.change(connection, lease, Verdict.ACCEPTED, applied_line=snapshots.c.lines)


def _speaks_of(kinds: Mapping[str, ClaimKind]) -> ColumnElement[bool]:
    """The condition that a claim without a port speaks of a target: its address and topic, and a service of its kind.

    A target whose service nobody named is spoken of by every claim of its topic (verify/level.py weighs in the same way).
    """
    spoken = [
        and_(o.claim == kind.claim, o.service == kind.service, t.service.in_(sorted(kind.speaks_for)))
        for kind in kinds.values()
        if kind.speaks_for - {kind.service}
    ]
    return and_(t.address == o.address, t.topic == o.topic, or_(t.service == o.service, t.service == ANY, *spoken))


def _add(connection: Connection, said: ColumnElement[bool]) -> int:
    key = [o[name] for name in KEY]
    first, last = func.min(o.observed_at), func.max(o.observed_at)
    rows = select(*key, func.min(o.topic), first, last).where(said).group_by(*key).order_by(*key)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(targets).from_select([*KEY, "topic", "first_seen_at", "last_seen_at"], rows)
    made = made.on_conflict_do_nothing()
    return connection.execute(made, execution_options={"preserve_rowcount": True}).rowcount


def _widen(connection: Connection, spans: Subquery) -> None:
    earlier, later = spans.c.first < t.first_seen_at, spans.c.last > t.last_seen_at
    wider = {
        "first_seen_at": case((earlier, spans.c.first), else_=t.first_seen_at),
        "last_seen_at": case((later, spans.c.last), else_=t.last_seen_at),
    }
    connection.execute(update(targets).where(t.id == spans.c.id, earlier | later).values(**wider))


def _see_again(connection: Connection, snapshot_id: int, spans: Subquery, now: datetime, by: str) -> None:
    """Move on the cases that were FIXED before they were observed, and the DORMANT ones that are listed again."""
    ended = cases.c.state.in_([CaseState.FIXED.value, CaseState.DORMANT.value])
    if not connection.execute(select(exists().where(ended))).scalar():
        return
    query = (
        select(cases.c.id, cases.c.state, spans.c.last, spans.c.until)
        .join(spans, spans.c.id == cases.c.target_id)
        .join(campaigns, campaigns.c.id == cases.c.campaign_id)
        .where(ended, campaigns.c.closed_at.is_(None))
    )
    found = connection.execute(query).all()
    fixed_at = _last_at(connection, [row.id for row in found], Event.CASE_FIXED)
    again = [
        row.id for row in found if (row.until > now if row.state == CaseState.DORMANT else row.last > fixed_at[row.id])
    ]
    told = {"snapshot": snapshot_id}
    moved = {"due_at": now}
    lives.advance(connection, sorted(again), Event.CASE_SEEN_AGAIN, now, by, data=lambda _: told, values=moved)


def _last_at(connection: Connection, case_ids: Sequence[int], event: Event) -> dict[int, datetime]:
    """Return when each case last took an event."""
    at: dict[int, datetime] = {}
    for some in chunks(case_ids):
        about = and_(events.c.subject == "case", events.c.subject_id.in_(some), events.c.what == event.value)
        query = select(events.c.subject_id, func.max(events.c.at)).where(about).group_by(events.c.subject_id)
        at.update((row[0], row[1]) for row in connection.execute(query))
    return at
