"""What must not be written to (suppressions), and what is left alone altogether (exclusions).

Reads and writes: suppressions, exclusions, and an event for each that is added or lifted.  Nothing is ever deleted: what is
lifted keeps its row and both its times.  Events carry ids and codes; mailboxes, domains, networks and notes stand in them
only as kept texts.  Safe to repeat: what is in force already is not added again.

store/send.py reads both again in the transaction that claims a letter: what is written here holds from its commit on.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, summarize_address_range
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, insert, or_, select, update

from pipeline.domain import Address, NotFound
from pipeline.store import events
from pipeline.store.db import rows
from pipeline.store.tables import exclusions, suppressions


class Stop(StrEnum):
    SUPPRESSION = "suppression"
    EXCLUSION = "exclusion"


TABLES: dict[Stop, Table] = {Stop.SUPPRESSION: suppressions, Stop.EXCLUSION: exclusions}
COMMANDS = {Stop.SUPPRESSION: "suppress", Stop.EXCLUSION: "exclude"}


class Reason(StrEnum):
    """Why something is suppressed or excluded."""

    ASKED = "asked"  # they asked
    COMPLAINT = "complaint"
    WRONG = "wrong"  # not theirs, or never was as reported
    DEAD = "dead"  # the mailbox does not exist
    OWN = "own"  # the agency's own, or a partner's
    LAW = "law"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """What a suppression or an exclusion covers: one of its fields is set.  A domain covers those below it."""

    mailbox: str = ""  # lower-cased local part @ A-label
    domain: str = ""  # A-label
    range: tuple[Address, Address] | None = None  # inclusive
    asn: int | None = None

    def __str__(self) -> str:
        if self.range is not None:
            return shown_range(*self.range)
        return self.mailbox or self.domain or f"AS{self.asn}"


def shown_range(first: Address, last: Address) -> str:
    """Return an inclusive range as a network where it is one, else as FIRST-LAST."""
    networks: list[IPv4Network | IPv6Network] = list(summarize_address_range(first, last))
    if first == last:
        return str(first)
    return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def suppress(connection: Connection, place: Place, reason: Reason, note: str, now: datetime, by: str) -> int | None:
    """Never write to this place again; returns the suppression's id, or None if one is in force already."""
    return _add(connection, Stop.SUPPRESSION, place, reason, note, now, by, {})


def exclude(
    connection: Connection, place: Place, reason: Reason, note: str, until: datetime | None, now: datetime, by: str
) -> int | None:
    """Leave this place alone altogether, until a time if one is given; as `suppress`."""
    return _add(connection, Stop.EXCLUSION, place, reason, note, now, by, {"until": until})


def lift(connection: Connection, kind: Stop, place: Place, note: str, now: datetime, by: str) -> list[int]:
    """End every stop of exactly this place and return their ids.  Raises NotFound if none is in force."""
    ids = liftable(connection, kind, place, now)
    table = TABLES[kind]
    connection.execute(update(table).where(table.c.id.in_(ids)).values(lifted_at=now))
    data = {"note": events.keep_text(connection, "note", note, now)} if note else {}
    entries = [events.Entry(f"{kind.value}.lifted", kind.value, i, None, "asked", data) for i in ids]
    events.write(connection, entries, now, by)
    return ids


def liftable(connection: Connection, kind: Stop, place: Place, now: datetime) -> list[int]:
    """Return the ids of the stops that `lift` would end.  Raises NotFound if there is none."""
    ids = of_place(connection, kind, place, now)
    if not ids:
        which = kind.value
        raise NotFound(
            f"No {which} of {place} is in force",
            "what is lifted must be named as it was added",
            f"Run: tocsin {COMMANDS[kind]} list",
        )
    return ids


def of_place(connection: Connection, kind: Stop, place: Place, now: datetime) -> list[int]:
    """Return the ids of the stops of exactly this place that are in force."""
    table = TABLES[kind]
    query = select(table.c.id).where(_in_force(kind, now), *_exactly(table, place)).order_by(table.c.id)
    return list(connection.execute(query).scalars())


def listed(connection: Connection, kind: Stop, now: datetime, *, every: bool = False) -> list[dict[str, Any]]:
    """Return the stops of one kind, newest first, those in force or `every` one, each with its `place` as text."""
    table = TABLES[kind]
    query = select(table).order_by(table.c.id.desc())
    found = rows(connection, query if every else query.where(_in_force(kind, now)))
    return [{**row, "place": str(_place(row))} for row in found]


def _in_force(kind: Stop, now: datetime) -> ColumnElement[bool]:
    if kind is Stop.SUPPRESSION:
        return suppressions.c.lifted_at.is_(None)
    until = exclusions.c.until
    return and_(exclusions.c.lifted_at.is_(None), or_(until.is_(None), until > now))


def _add(
    connection: Connection,
    kind: Stop,
    place: Place,
    reason: Reason,
    note: str,
    now: datetime,
    by: str,
    more: dict[str, datetime | None],
) -> int | None:
    if of_place(connection, kind, place, now):
        return None
    table = TABLES[kind]
    values = {**_columns(place), **more, "reason": reason.value, "by": by, "at": now}
    row_id = int(connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())
    data = {"place": events.keep_text(connection, "place", str(place), now)}
    if note:
        data["note"] = events.keep_text(connection, "note", note, now)
    if until := more.get("until"):
        data["until"] = events.stamp(until)
    entry = events.Entry(f"{kind.value}.added", kind.value, row_id, None, reason.value, data)
    events.write(connection, [entry], now, by)
    return row_id


def _columns(place: Place) -> dict[str, object]:
    if place.range is not None:
        return {"first_address": place.range[0], "last_address": place.range[1]}
    if place.asn is not None:
        return {"asn": place.asn}
    return {"mailbox": place.mailbox} if place.mailbox else {"domain": place.domain}


def _exactly(table: Table, place: Place) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in _columns(place).items()]


def _place(row: dict[str, Any]) -> Place:
    if row["first_address"] is not None:
        return Place(range=(row["first_address"], row["last_address"]))
    return Place(row.get("mailbox", ""), row.get("domain", ""), None, row.get("asn"))
