"""Campaigns, and the cases that every campaign has for the targets of its topics.

Reads and writes: campaigns, cases at their birth, an event for each.  Safe to repeat: names are unique, an unchanged
campaign writes nothing, and a case is unique by campaign and target, so the missing ones are made and no other.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, literal, literal_column, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import CaseState, ConfigurationError, Event, NotFound, RefusedBySafety
from pipeline.store import bulk, events, golive
from pipeline.store.tables import campaigns, cases, targets
from pipeline.store.tables import events as event_log
from pipeline.store.types import Instant

# The first address of a target's /16, or /32 in IPv6: one unit of asking registries.
BLOCK = {
    "sqlite": "CAST(CASE WHEN substr(targets.address, 1, 12) = x'00000000000000000000FFFF' "
    "THEN substr(targets.address, 1, 14) || x'0000' "
    "ELSE substr(targets.address, 1, 4) || x'000000000000000000000000' END AS BLOB)",
    "postgresql": "CASE family(targets.address) WHEN 4 THEN targets.address & inet '255.255.0.0' "
    "ELSE targets.address & inet 'ffff:ffff::' END",
}
EVENT_COLUMNS = ("at", "what", "subject", "subject_id", "campaign_id", "by", "why", "data", "leaf")


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign.  `settings` is everything a letter says about who writes; `order_seed` is hex."""

    id: int
    name: str
    mode: str  # training or live
    topics: tuple[str, ...]
    minimum_level: int
    settings: Mapping[str, Any]
    order_seed: str
    created_by: str
    created_at: datetime
    closed_at: datetime | None


def create(
    connection: Connection,
    name: str,
    settings: Mapping[str, Any],
    topics: Sequence[str],
    minimum_level: int,
    order_seed: str,
    now: datetime,
    by: str,
) -> int:
    """Add a campaign, in training mode, and return its id.  Raises ConfigurationError if the name is taken."""
    values = _values(settings, topics, minimum_level)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(campaigns).values(
        name=name, order_seed=order_seed, created_by=by, created_at=now, mode="training", **values
    )
    campaign_id = connection.execute(row.on_conflict_do_nothing().returning(campaigns.c.id)).scalar()
    if campaign_id is None:
        raise ConfigurationError(
            f"There is already a campaign called {name}", "names are unique", "Choose another name."
        )
    data = {"sha256": _digest(values), "topics": sorted(topics), "minimum_level": minimum_level}
    events.write(
        connection, [events.Entry("campaign.created", "campaign", campaign_id, campaign_id, data=data)], now, by
    )
    return int(campaign_id)


def change(
    connection: Connection,
    campaign_id: int,
    settings: Mapping[str, Any],
    topics: Sequence[str],
    minimum_level: int,
    now: datetime,
    by: str,
) -> bool:
    """Give a campaign new settings; False, and no event, if they are what they were.  A live one is in training again.

    Raises NotFound, or RefusedBySafety for a closed campaign.
    """
    query = select(campaigns).where(campaigns.c.id == campaign_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}", "", "Run: tocsin campaign list")
    if row["closed_at"] is not None:
        raise RefusedBySafety(
            f"The campaign {row['name']} is closed", "its record may not change", "Create another one."
        )
    values = _values(settings, topics, minimum_level)
    before = {key: row[key] for key in values}
    if before == values:
        return False
    connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(**values))
    golive.end(connection, campaign_id, "changed", now, by)  # two people said yes to the settings as they were
    data = {
        "before": _digest(before),
        "sha256": _digest(values),
        "topics": sorted(topics),
        "minimum_level": minimum_level,
    }
    events.write(
        connection, [events.Entry("campaign.changed", "campaign", campaign_id, campaign_id, data=data)], now, by
    )
    return True


def _values(settings: Mapping[str, Any], topics: Sequence[str], minimum_level: int) -> dict[str, Any]:
    named = events.canonical(sorted(set(topics)))
    return {"settings": events.canonical(settings), "topics": named, "minimum_level": minimum_level}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(events.canonical(values).encode()).hexdigest()


def by_name(connection: Connection, name: str) -> Campaign:
    """Return the campaign of that name.  Raises NotFound, with the names that there are."""
    row = connection.execute(select(campaigns).where(campaigns.c.name == name)).one_or_none()
    if row is None:
        known = connection.execute(select(campaigns.c.name).order_by(campaigns.c.id).limit(20)).scalars().all()
        why = f"there are: {', '.join(known)}" if known else "there is none yet"
        raise NotFound(f"There is no campaign called {name}", why, "Run: tocsin campaign create, or correct the name.")
    return _campaign(row)


def every(connection: Connection, *, open_only: bool = False) -> list[Campaign]:
    """Return all campaigns, or those that are not closed, oldest first."""
    wanted = campaigns.c.closed_at.is_(None) if open_only else true()
    return [_campaign(row) for row in connection.execute(select(campaigns).where(wanted).order_by(campaigns.c.id))]


def _campaign(row: Row[Any]) -> Campaign:
    values = dict(row._mapping)
    values |= {"topics": tuple(json.loads(row.topics)), "settings": json.loads(row.settings)}
    return Campaign(**values)


def open_cases(connection: Connection, campaign_id: int, now: datetime, by: str, limit: int) -> int:
    """Make up to `limit` of the cases that an open campaign lacks for targets of its topics; return how many.

    Call it, each time in a transaction of its own, until it returns 0.  A closed campaign gets none.
    """
    query = select(campaigns.c.topics).where(campaigns.c.id == campaign_id, campaigns.c.closed_at.is_(None))
    topics = connection.execute(query).scalar()
    if topics is None:
        return 0
    wanted = targets.c.topic.in_(json.loads(topics))
    # Ids rise, so nearly all that is missing lies beyond the last target that has a case; gaps (a topic added later,
    # transactions that overlapped) are looked for once nothing lies there.
    last = select(func.coalesce(func.max(cases.c.target_id), 0)).where(cases.c.campaign_id == campaign_id)
    made = _bear(connection, campaign_id, wanted & (targets.c.id > last.scalar_subquery()), now, limit)
    if not made:
        there = exists().where(cases.c.campaign_id == campaign_id, cases.c.target_id == targets.c.id)
        made = _bear(connection, campaign_id, wanted & ~there, now, limit)
    bulk.insert_rows(connection, event_log, EVENT_COLUMNS, _seen(made, campaign_id, now, by))
    return len(made)


def _bear(
    connection: Connection, campaign_id: int, wanted: ColumnElement[bool], now: datetime, limit: int
) -> Sequence[Row[Any]]:
    """Make cases for the first wanted targets, unless they have one; return their ids and their targets' ids."""
    missing = (
        select(
            literal(campaign_id),
            targets.c.id,
            literal_column(BLOCK[connection.dialect.name]),
            literal(CaseState.SEEN.value),
            literal(now, Instant()),
            literal(now, Instant()),
        )
        .where(wanted)
        .order_by(targets.c.id)
        .limit(limit)
    )
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    columns = ["campaign_id", "target_id", "block", "state", "due_at", "created_at"]
    born = dialect.insert(cases).from_select(columns, missing).on_conflict_do_nothing()
    return connection.execute(born.returning(cases.c.id, cases.c.target_id)).all()


def _seen(born: Sequence[Row[Any]], campaign_id: int, now: datetime, by: str) -> Iterator[tuple[object, ...]]:
    """Yield the event of each new case as a row of `events`, as events.write would write it."""
    at, what = events.stamp(now), Event.CASE_SEEN.value
    for case in born:
        data = f'{{"target":{case.target_id}}}'
        leaf = events.leaf(at, what, "case", case.id, campaign_id, by, "", data)
        yield now, what, "case", case.id, campaign_id, by, "", data, leaf
