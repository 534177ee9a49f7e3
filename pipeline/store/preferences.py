"""What contacts asked for: language, format, cadence, a PGP key, headers, no letter before a date; and who said so.

Reads and writes: contact_preferences, contacts that no registry has named yet, and an event for each change.  A contact
has one set of preferences; the log keeps the former ones.  Events carry codes, dates and digests: who said so and header
values stand in them only as kept texts.  Safe to repeat: setting the same again changes nothing.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, delete, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import ContactState, NotFound
from pipeline.store import events
from pipeline.store.db import chunks, rows
from pipeline.store.many import among
from pipeline.store.tables import contact_preferences, contacts
from pipeline.store.types import Instant


@dataclass(frozen=True, slots=True)
class Preference:
    """What one contact asked for.  An empty value: nothing was asked, and the campaign decides.

    `language` holds one or two of en, fr, fr_CA, in their order, separated by commas.  `until`: all of it ends then.
    """

    language: str = ""
    format: str = ""  # inline, csv, xarf
    cadence_days: int = 0
    pgp_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    inhibited_until: datetime | None = None
    until: datetime | None = None
    source: str = ""


ASKED = tuple(f.name for f in fields(Preference) if f.name != "source")


def keep_contact(connection: Connection, mailbox: str, spelling: str, now: datetime) -> int:
    """Return the id of the contact with this mailbox; one that nobody has named yet is made."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"mailbox": mailbox, "spelling": spelling, "state": ContactState.UNTESTED.value, "created_at": now}
    connection.execute(dialect.insert(contacts).values(**values).on_conflict_do_nothing())
    return int(connection.execute(select(contacts.c.id).where(contacts.c.mailbox == mailbox)).scalar_one())


def contact(connection: Connection, mailbox: str) -> dict[str, Any]:
    """Return a contact's row.  Raises NotFound if there is none."""
    found = rows(connection, select(contacts).where(contacts.c.mailbox == mailbox))
    if not found:
        raise NotFound(
            f"There is no contact {mailbox}",
            "no registry has named it, and nobody has set anything for it",
            "Correct it, or see what is on record: tocsin who MAILBOX",
        )
    return found[0]


def of(connection: Connection, contact_id: int) -> Preference | None:
    """Return a contact's preferences, ended ones too, or None."""
    query = select(contact_preferences).where(contact_preferences.c.contact_id == contact_id)
    found = rows(connection, query)
    return _preference(found[0]) if found else None


def in_force(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition that a row of contact_preferences holds now."""
    return or_(contact_preferences.c.until.is_(None), contact_preferences.c.until > now)


def of_many(connection: Connection, contact_ids: Collection[int], now: datetime) -> dict[int, Preference]:
    """Return the preferences in force of those contacts that have any."""
    found: dict[int, Preference] = {}
    for chunk in chunks(sorted(contact_ids)):
        given = {"contacts": list(chunk), "now": now}
        found_rows = rows(connection, _of_many(connection.dialect.name), **given)
        found.update((row["contact_id"], _preference(row)) for row in found_rows)
    return found


@cache  # asked in every round of sending
def _of_many(dialect: str) -> Select[Any]:
    held = in_force(bindparam("now", type_=Instant()))
    return select(contact_preferences).where(held, among(dialect, contact_preferences.c.contact_id, "contacts"))


def every(connection: Connection) -> dict[tuple[str, str], Preference]:
    """Return all preferences, ended ones too, by (mailbox, spelling), in the order of mailboxes."""
    query = select(contacts.c.mailbox, contacts.c.spelling, contact_preferences).join(
        contact_preferences, contact_preferences.c.contact_id == contacts.c.id
    )
    found = rows(connection, query.order_by(contacts.c.mailbox))
    return {(row["mailbox"], row["spelling"]): _preference(row) for row in found}


def with_headers(connection: Connection, now: datetime) -> dict[str, dict[str, str]]:
    """Return {mailbox: {name: value}} of the contacts that ask for headers now, in the order of mailboxes."""
    query = select(contacts.c.mailbox, contact_preferences.c.headers).join(
        contact_preferences, contact_preferences.c.contact_id == contacts.c.id
    )
    query = query.where(in_force(now), contact_preferences.c.headers != "{}").order_by(contacts.c.mailbox)
    return {row["mailbox"]: json.loads(row["headers"]) for row in rows(connection, query)}


def put(connection: Connection, contact_id: int, wanted: Preference, now: datetime, by: str) -> dict[str, Any]:
    """Give a contact these preferences in place of the former ones; returns what changed: {name: new value}.

    Preferences that are all empty are the same as none.
    """
    before = of(connection, contact_id) or Preference()
    changed = {name: getattr(wanted, name) for name in ASKED if getattr(wanted, name) != getattr(before, name)}
    if not changed and wanted.source in ("", before.source):
        return {}
    connection.execute(delete(contact_preferences).where(contact_preferences.c.contact_id == contact_id))
    if wanted != Preference(source=wanted.source):
        values = {name: getattr(wanted, name) for name in (*ASKED, "source")}
        values["headers"] = events.canonical(dict(wanted.headers))
        connection.execute(insert(contact_preferences).values(contact_id=contact_id, at=now, **values))
    _tell(connection, contact_id, changed, wanted.source, now, by)
    return changed or {"source": wanted.source}


def _preference(row: Mapping[str, Any]) -> Preference:
    return Preference(
        row["language"],
        row["format"],
        row["cadence_days"],
        row["pgp_key"],
        json.loads(row["headers"]),
        row["inhibited_until"],
        row["until"],
        row["source"],
    )


def _tell(
    connection: Connection, contact_id: int, changed: Mapping[str, Any], source: str, now: datetime, by: str
) -> None:
    data: dict[str, Any] = {}
    for name, value in changed.items():
        if name == "pgp_key":
            data[name] = hashlib.sha256(value.encode()).hexdigest() if value else ""
        elif name == "headers":
            data[name] = events.keep_text(connection, "headers", events.canonical(dict(value)), now) if value else ""
        else:
            data[name] = events.stamp(value) if isinstance(value, datetime) else value
    if source:
        data["source"] = events.keep_text(connection, "source", source, now)
    events.write(connection, [events.Entry("contact.preferences", "contact", contact_id, None, "asked", data)], now, by)
