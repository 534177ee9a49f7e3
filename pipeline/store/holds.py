"""Holds: stops set by a person, or by the brakes, on everything, a campaign, a wave, a contact or a domain.

Reads and writes: holds, and an event for each that is placed or released; contacts' mailboxes, domains and reasons stand in
events only as ids and kept texts.  Safe to repeat: a hold in force is not placed again.  store/send.py reads holds again in
the transaction that claims a letter: after a hold commits, at most one letter per open connection still completes.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from pipeline.domain import NotFound
from pipeline.store import campaigns, events, waves
from pipeline.store.db import rows
from pipeline.store.tables import campaigns as campaign_table
from pipeline.store.tables import contacts, holds
from pipeline.store.tables import events as event_table
from pipeline.store.tables import waves as wave_table

PLACED_BY_PROGRAM = ("system:brakes", "system:canary")
PLACING = and_(  # joins a hold to the event that placed it
    event_table.c.subject == "hold", event_table.c.subject_id == holds.c.id, event_table.c.what == "hold.placed"
)
WHY = (event_table.c.why.label("code"), event_table.c.data)  # of that event


@dataclass(frozen=True, slots=True)
class Scope:
    """What a hold stops: everything where nothing is set, else what fits all of it.  A wave comes with its campaign."""

    campaign_id: int | None = None
    wave_id: int | None = None
    contact_id: int | None = None
    domain: str = ""


def hold(
    connection: Connection,
    scope: Scope,
    reason: str,
    now: datetime,
    by: str,
    *,
    why: str = "asked",
    data: Mapping[str, Any] | None = None,
) -> int | None:
    """Stop; returns the hold's id, or None if one of exactly this scope is in force already.

    One that the program placed (store/brakes.py: `why` is its code, `data` the numbers) does not stand for a person's: what
    a person holds stays held when the other is released.
    """
    if of_scope(connection, scope, but_by=() if by in PLACED_BY_PROGRAM else PLACED_BY_PROGRAM):
        return None
    values = {**asdict(scope), "reason": reason, "by": by, "at": now}
    hold_id = int(connection.execute(insert(holds).values(**values).returning(holds.c.id)).scalar_one())
    _tell(connection, "hold.placed", [hold_id], scope, reason, now, by, why, data)
    return hold_id


def release(connection: Connection, scope: Scope, reason: str, now: datetime, by: str) -> list[int]:
    """End every hold of exactly this scope and return their ids.  Raises NotFound if none is in force."""
    ids = of_scope(connection, scope)
    if not ids:
        raise NotFound(
            "No such hold is in force", "a hold is ended by the same options that placed it", "Run: tocsin holds"
        )
    end(connection, ids, scope, reason, now, by)
    return ids


def end(
    connection: Connection, ids: Sequence[int], scope: Scope, reason: str, now: datetime, by: str, why: str = "asked"
) -> None:
    """End these holds, all of one scope; `why` is a code, `reason` a person's words."""
    connection.execute(update(holds).where(holds.c.id.in_(ids)).values(released_at=now, released_by=by))
    _tell(connection, "hold.released", ids, scope, reason, now, by, why)


def scope_of(connection: Connection, campaign: str, wave: int, mailbox: str, domain: str) -> Scope:
    """Return the scope that names stand for; empty ones (0 for the wave's number) set nothing.

    The mailbox and the domain are in lower case, the domain an A-label.  Raises NotFound for what does not exist.
    """
    return Scope(
        campaigns.by_name(connection, campaign).id if campaign else None,
        int(waves.find(connection, campaign, wave)["id"]) if wave else None,
        _contact(connection, mailbox) if mailbox else None,
        domain,
    )


def _contact(connection: Connection, mailbox: str) -> int:
    found = connection.execute(select(contacts.c.id).where(contacts.c.mailbox == mailbox)).scalar()
    if found is None:
        raise NotFound(
            f"There is no contact {mailbox}",
            "no registry has named it",
            "Correct it; a mailbox can be suppressed unseen.",
        )
    return int(found)


def held(connection: Connection) -> list[dict[str, Any]]:
    """Return the holds in force, oldest first, with the campaign's name, the wave's number and the contact's mailbox.

    `code` and `data` are of the event that placed it: why, and for the program's own holds the numbers.
    """
    query = (
        select(
            holds.c.id,
            holds.c.reason,
            holds.c.by,
            holds.c.at,
            holds.c.domain,
            campaign_table.c.name.label("campaign"),
            wave_table.c.number.label("wave"),
            contacts.c.mailbox,
            *WHY,
        )
        .outerjoin(campaign_table, campaign_table.c.id == holds.c.campaign_id)
        .outerjoin(wave_table, wave_table.c.id == holds.c.wave_id)
        .outerjoin(contacts, contacts.c.id == holds.c.contact_id)
        .outerjoin(event_table, PLACING)
        .where(holds.c.released_at.is_(None))
        .order_by(holds.c.id)
    )
    return [{**row, "data": numbers(row["data"])} for row in rows(connection, query)]


def numbers(data: str | None) -> dict[str, int]:
    """Return the numbers in the data of the event that placed a hold; a person's hold has none."""
    return {name: value for name, value in json.loads(data or "{}").items() if name in ("count", "of")}


def of_scope(connection: Connection, scope: Scope, but_by: Collection[str] = ()) -> list[int]:
    """Return the ids of the holds of exactly this scope that are in force, but for those placed by some."""
    same = [holds.c[n] == v if v is not None else holds.c[n].is_(None) for n, v in asdict(scope).items()]
    query = select(holds.c.id).where(*same, holds.c.released_at.is_(None), holds.c.by.not_in(but_by))
    query = query.order_by(holds.c.id)
    return list(connection.execute(query.with_for_update()).scalars())


def _tell(
    connection: Connection,
    what: str,
    ids: Sequence[int],
    scope: Scope,
    reason: str,
    now: datetime,
    by: str,
    why: str = "asked",
    more: Mapping[str, Any] | None = None,
) -> None:
    data = {"wave": scope.wave_id, "contact": scope.contact_id, **(more or {})}
    kept = {"reason": events.keep_text(connection, "reason", reason, now)} if reason else {}
    if scope.domain:
        kept["domain"] = events.keep_text(connection, "domain", scope.domain, now)
    entries = [events.Entry(what, "hold", i, scope.campaign_id, why, {**data, **kept}) for i in ids]
    events.write(connection, entries, now, by)
