"""Statements of the paper queue: letters that no mailbox took, whose they are by post, and that they were printed.

Reads: letters of approved waves, contacts, cases, networks, suppressions, exclusions, holds.  Writes: an event for each
letter that was printed, which is the only mark of it: twice is once.  An event holds the file's name and hash; the
postal address stays in the networks alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from pipeline.domain import Address, CaseState, ContactState, Exposure, LetterState, WaveState
from pipeline.store import events as log
from pipeline.store import send
from pipeline.store.db import chunks, rows
from pipeline.store.preferences import of_many
from pipeline.store.tables import (
    cases,
    contacts,
    events,
    letters,
    netblock_contacts,
    netblocks,
    notice_cases,
    notices,
    targets,
    waves,
)

PRINTED = "letter.printed"
ALREADY = "printed"  # why a letter is not printed: it was
THANKS = "thanks"
STOPS = SUPPRESSED, HELD, INHIBITED = ("suppressed", "held", "inhibited")

_NOT_TAKEN = (LetterState.REFUSED, LetterState.BOUNCED, LetterState.EXPIRED)
_TO_A_DEAD_MAILBOX = (LetterState.APPROVED, LetterState.DEFERRED, LetterState.HANDED, LetterState.ACCEPTED)
_AGREED = (WaveState.APPROVED, WaveState.SENDING, WaveState.DONE)
_OVER = (CaseState.FIXED, CaseState.DORMANT, CaseState.EXCLUDED)

Target = tuple[Address, int, str, str]


@dataclass(frozen=True, slots=True)
class Unposted:
    """A letter that should go by post."""

    id: int
    notice_id: int
    campaign_id: int
    contact_id: int
    mailbox: str
    reference: str
    locales: tuple[str, ...]
    kind: str  # of its wave


@dataclass(frozen=True, slots=True)
class Postal:
    """Where a network's holder gets mail, as a registry has it.  `lines` has no name; `country` is its code, or empty."""

    holder: str
    lines: tuple[str, ...]
    country: str


def due(connection: Connection, after: int, limit: int) -> list[Unposted]:
    """Return up to `limit` letters that no mailbox took and nobody printed, in the order of their ids, above `after`."""
    query = _letters().where(letters.c.id > after, _unposted(), ~_printed().exists())
    return [_letter(row) for row in rows(connection, query.order_by(letters.c.id).limit(limit))]


def due_count(connection: Connection) -> int:
    """Return how many letters `due` has in all."""
    query = select(func.count()).select_from(letters).join(contacts).join(waves)
    return int(connection.execute(query.where(_unposted(), ~_printed().exists())).scalar_one())


def printed(connection: Connection, after: int, limit: int) -> list[tuple[Unposted, datetime, Mapping[str, Any]]]:
    """Return up to `limit` letters that were printed, with when, and the event's file, sha256, pages."""
    query = (
        _letters()
        .add_columns(events.c.at.label("printed_at"), events.c.data)
        .join(events, _is_printed())
        .where(letters.c.id > after)
        .order_by(letters.c.id)
        .limit(limit)
    )
    return [(_letter(row), row["printed_at"], json.loads(row["data"])) for row in rows(connection, query)]


def stopped(connection: Connection, found: Sequence[Unposted], now: datetime) -> dict[int, str]:
    """Return {letter: why} of those that must not go now: suppressed, held, or the contact wants none before a day."""
    silent = send.suppressed(connection, [letter.mailbox for letter in found], now)
    held = send.held_among(connection, [letter.id for letter in found], now)
    wishes = of_many(connection, [letter.contact_id for letter in found], now)
    why: dict[int, str] = {}
    for letter in found:
        wish = wishes.get(letter.contact_id)
        if letter.mailbox in silent:
            why[letter.id] = SUPPRESSED
        elif letter.id in held:
            why[letter.id] = HELD
        elif wish and wish.inhibited_until and wish.inhibited_until > now:
            why[letter.id] = INHIBITED
    return why


def over(connection: Connection, letter: Unposted, now: datetime) -> set[Target]:
    """Return the targets of a letter that it must not speak of any more: excluded since, or no longer open.

    A letter of thanks speaks of what is no longer open.
    """
    ranges = send.closed_ranges(connection, now)
    query = (
        select(targets.c.address, targets.c.port, targets.c.service, targets.c.topic, cases.c.state, cases.c.exposure)
        .join_from(notice_cases, cases, cases.c.id == notice_cases.c.case_id)
        .join(targets, targets.c.id == cases.c.target_id)
        .where(notice_cases.c.notice_id == letter.notice_id, notice_cases.c.dropped_at.is_(None))
    )
    return {
        (row["address"], row["port"], row["service"], row["topic"])
        for row in rows(connection, query)
        if row["state"] == CaseState.EXCLUDED
        or send.within(row["address"], ranges)
        or (letter.kind != THANKS and (row["state"] in _OVER or row["exposure"] != Exposure.OPEN))
    }


def addresses(connection: Connection, notice_ids: Sequence[int]) -> dict[int, set[Postal]]:
    """Return the postal addresses of the networks that each notice speaks of, those that have one."""
    found: dict[int, set[Postal]] = {notice: set() for notice in notice_ids}
    columns = (netblocks.c.holder, netblocks.c.postal, netblocks.c.country)
    for chunk in chunks(notice_ids):
        query = (
            select(notice_cases.c.notice_id, *columns)
            .distinct()
            .join_from(notice_cases, cases, cases.c.id == notice_cases.c.case_id)
            .outerjoin(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
            .join(netblocks, netblocks.c.id == func.coalesce(netblock_contacts.c.netblock_id, cases.c.netblock_id))
            .where(notice_cases.c.notice_id.in_(chunk), notice_cases.c.dropped_at.is_(None), netblocks.c.postal != "")
        )
        for row in rows(connection, query):
            lines = tuple(line for line in row["postal"].split("\n") if line)
            found[row["notice_id"]].add(Postal(row["holder"], lines, row["country"]))
    return found


def record(
    connection: Connection, letter: Unposted, *, file: str, sha256: bytes, pages: int, now: datetime, by: str
) -> str:
    """Note that a letter was printed, unless it must not go or another run has printed it: return why not, or nothing."""
    connection.execute(select(letters.c.id).where(letters.c.id == letter.id).with_for_update())
    if connection.execute(select(letters.c.id).where(letters.c.id == letter.id, _printed().exists())).scalar():
        return ALREADY
    if why := stopped(connection, [letter], now).get(letter.id):
        return why
    data = {"file": file, "sha256": sha256.hex(), "pages": pages}
    log.write(connection, [log.Entry(PRINTED, "letter", letter.id, letter.campaign_id, "", data)], now, by)
    return ""


def _letters() -> Select[Any]:
    return (
        select(
            letters.c.id,
            letters.c.notice_id,
            letters.c.campaign_id,
            letters.c.contact_id,
            letters.c.locales,
            contacts.c.mailbox,
            notices.c.reference,
            waves.c.kind,
        )
        .select_from(letters)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .join(notices, notices.c.id == letters.c.notice_id)
        .join(waves, waves.c.id == letters.c.wave_id)
    )


def _letter(row: Mapping[str, Any]) -> Unposted:
    kept = {
        name: row[name] for name in ("id", "notice_id", "campaign_id", "contact_id", "mailbox", "reference", "kind")
    }
    return Unposted(**kept, locales=tuple(row["locales"].split(",")))


def _unposted() -> ColumnElement[bool]:
    """The condition that a letter goes by post (of contact and wave joined to it)."""
    dead = and_(contacts.c.state == ContactState.DEAD, letters.c.state.in_(_TO_A_DEAD_MAILBOX))
    return and_(waves.c.state.in_(_AGREED), or_(letters.c.state.in_(_NOT_TAKEN), dead))


def _is_printed() -> ColumnElement[bool]:
    return and_(events.c.subject == "letter", events.c.subject_id == letters.c.id, events.c.what == PRINTED)


def _printed() -> Select[Any]:
    return select(events.c.id).where(_is_printed())
