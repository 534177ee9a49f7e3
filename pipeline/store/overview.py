"""Figures for people: how the database is, what feeds have brought, where a campaign stands.

Reads only.  Every figure is counted when it is asked for; the biggest, a campaign's cases by state, reads every case once.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from pipeline.store.db import Database, rows
from pipeline.store.tables import cases, events, feeds, letters, snapshots, waves


def condition(db: Database) -> dict[str, Any]:
    """Return kind, version, size in bytes, and whether a commit survives a power cut (`durable`, with the settings)."""
    with db.read() as connection:
        if db.dialect == "sqlite":
            found = {
                name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")
            }
            version = str(connection.execute(text("SELECT sqlite_version()")).scalar())
            size = db.file.stat().st_size if db.file else 0
            durable = found == {"journal_mode": "wal", "synchronous": 2}
        else:
            found = {
                name: connection.execute(text(f"SHOW {name}")).scalar() for name in ("fsync", "synchronous_commit")
            }
            version = str(connection.execute(text("SHOW server_version")).scalar())
            size = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
            durable = found["fsync"] == "on" and found["synchronous_commit"] != "off"
    return {"kind": db.dialect, "version": version, "bytes": size, "durable": durable, **found}


def newest_event(connection: Connection) -> datetime | None:
    """Return the time of the last event in the log."""
    return connection.execute(select(events.c.at).order_by(events.c.id.desc()).limit(1)).scalar()


def feeds_known(connection: Connection) -> list[dict[str, Any]]:
    """Return every feed that was ever declared, by name, with its snapshots, observations, rejects and last delivery."""
    query = (
        select(
            feeds.c.name,
            feeds.c.parser,
            feeds.c.access,
            feeds.c.independence_group.label("group"),
            func.count(snapshots.c.id).label("snapshots"),
            func.coalesce(func.sum(snapshots.c.observations), 0).label("observations"),
            func.coalesce(func.sum(snapshots.c.rejects), 0).label("rejects"),
            func.max(snapshots.c.received_at).label("last_received_at"),
        )
        .outerjoin(snapshots, snapshots.c.feed_id == feeds.c.id)
        .group_by(feeds.c.id, feeds.c.name, feeds.c.parser, feeds.c.access, feeds.c.independence_group)
        .order_by(feeds.c.name)
    )
    return [
        {**row, "observations": int(row["observations"]), "rejects": int(row["rejects"])}
        for row in rows(connection, query)
    ]


def deliveries(connection: Connection, feed: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest snapshots, of one feed or of all (empty name), newest first."""
    columns = ("id", "name", "bytes", "received_at", "lines", "observations", "rejects", "verdict", "reason")
    query = select(feeds.c.name.label("feed"), *(snapshots.c[c] for c in columns), snapshots.c.sha256).join(feeds)
    if feed:
        query = query.where(feeds.c.name == feed)
    return rows(connection, query.order_by(snapshots.c.id.desc()).limit(limit))


def case_counts(connection: Connection) -> dict[int, int]:
    """Return {campaign id: number of its cases}."""
    query = select(cases.c.campaign_id, func.count()).group_by(cases.c.campaign_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def standing(connection: Connection, campaign_id: int) -> dict[str, Any]:
    """Return a campaign's cases by state and by exposure, and its waves with their letters by state."""
    by_state = select(cases.c.state, func.count()).where(cases.c.campaign_id == campaign_id).group_by(cases.c.state)
    by_exposure = select(cases.c.exposure, func.count()).where(cases.c.campaign_id == campaign_id)
    by_letter = select(letters.c.wave_id, letters.c.state, func.count()).where(letters.c.campaign_id == campaign_id)
    in_waves: dict[int, dict[str, int]] = {}
    for wave_id, state, count in connection.execute(by_letter.group_by(letters.c.wave_id, letters.c.state)):
        in_waves.setdefault(wave_id, {})[state] = count
    of_campaign = select(waves.c.id, waves.c.number, waves.c.kind, waves.c.state, waves.c.created_at)
    return {
        "cases": dict(tuple(row) for row in connection.execute(by_state)),
        "exposures": dict(tuple(row) for row in connection.execute(by_exposure.group_by(cases.c.exposure))),
        "waves": [
            {**{k: v for k, v in row.items() if k != "id"}, "letters": in_waves.get(row["id"], {})}
            for row in rows(connection, of_campaign.where(waves.c.campaign_id == campaign_id).order_by(waves.c.number))
        ],
    }
