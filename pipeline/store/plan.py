"""Statements of wave planning: cases ready for a notice, and the wave with its notices.

Reads: cases RESOLVED and open, their contacts and checks; who has been told.  Writes: a wave, its notices and notice_cases,
the order of writing.  A notice is unique by campaign, contact and number: planning twice adds nothing twice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import CaseState, Event, Exposure, LetterState, RefusedBySafety, Tier, Verdict, WaveState
from pipeline.store import events
from pipeline.store.bulk import insert_rows
from pipeline.store.db import chunks, rows
from pipeline.store.keys import Keys
from pipeline.store.tables import (
    attempts,
    campaign_contacts,
    campaigns,
    cases,
    checks,
    contacts,
    letters,
    netblock_contacts,
    netblocks,
    notice_cases,
    notices,
    snapshots,
    targets,
    waves,
)

NEVER_LEFT = (LetterState.WITHDRAWN.value, LetterState.SUPPRESSED.value)
NEVER_HAD = (*NEVER_LEFT, LetterState.REFUSED.value, LetterState.EXPIRED.value)
UNFINISHED = (WaveState.PLANNED.value, WaveState.RENDERED.value, WaveState.APPROVED.value, WaveState.SENDING.value)


def waiting(connection: Connection, campaign_id: int) -> list[dict[str, Any]]:
    """Return every open, resolved case with its contact, how that came to be one, and its newest check."""
    query = _with_contact().where(cases.c.campaign_id == campaign_id, cases.c.state == CaseState.RESOLVED)
    return rows(connection, query.order_by(cases.c.id))


def copied(connection: Connection, campaign_id: int, copies: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return, as `waiting` does, the open cases of countries whose CERT gets a copy: country -> that CERT's contact.

    A case whose own contact the CERT is comes by `waiting` alone.
    """
    told = cases.c.state.in_([CaseState.RESOLVED.value, CaseState.NOTICED.value])
    query = _with_contact().where(cases.c.campaign_id == campaign_id, told, netblocks.c.country.in_(list(copies)))
    certs = {row["id"]: row for row in rows(connection, select(contacts).where(contacts.c.id.in_(copies.values())))}
    found = []
    for row in rows(connection, query.order_by(cases.c.id)):
        cert = certs[copies[row["country"]]]
        if cert["id"] != row["contact_id"]:
            to = {"contact_id": cert["id"], "mailbox": cert["mailbox"], "contact_state": cert["state"]}
            found.append({**row, **to, "tier": int(Tier.CERT), "copy": True})
    return found


def _with_contact() -> Select[Any]:
    older = checks.alias("older")
    newest = select(func.max(older.c.id)).where(older.c.case_id == cases.c.id).scalar_subquery()
    return (
        select(
            cases.c.id,
            cases.c.level,
            cases.c.exposure_at,
            checks.c.id.label("check_id"),
            checks.c.transcript,
            contacts.c.id.label("contact_id"),
            contacts.c.mailbox,
            contacts.c.state.label("contact_state"),
            netblock_contacts.c.tier,
            netblocks.c.valid_to.label("network_until"),
            netblocks.c.expires_at,
            netblocks.c.country,
            cases.c.contact_due_at,
            targets.c.address,
        )
        .select_from(cases)
        .join(checks, checks.c.id == newest)
        .join(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
        .join(contacts, contacts.c.id == netblock_contacts.c.contact_id)
        .join(netblocks, netblocks.c.id == netblock_contacts.c.netblock_id)
        .join(targets, targets.c.id == cases.c.target_id)
        .where(cases.c.exposure == Exposure.OPEN)
    )


def told(connection: Connection, campaign_id: int, kind: str = "first") -> set[int]:
    """Return the contacts that have a notice of the campaign, in waves of this kind: a letter that left or may leave, or
    one to be written."""
    written = notices.join(waves, waves.c.id == notices.c.wave_id)
    written = written.outerjoin(letters, letters.c.notice_id == notices.c.id)
    under_way = or_(letters.c.state.not_in(NEVER_LEFT), and_(letters.c.id.is_(None), waves.c.state.in_(UNFINISHED)))
    query = select(notices.c.contact_id).select_from(written)
    query = query.where(notices.c.campaign_id == campaign_id, waves.c.kind == kind, under_way)
    return set(connection.execute(query).scalars())


def last_letters(connection: Connection, contact_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when each contact had its last letter, of any campaign; one that is under way counts from its making."""
    found: dict[int, datetime] = {}
    sent = func.coalesce(func.max(attempts.c.dot_at), letters.c.created_at)
    for chunk in chunks(contact_ids):
        query = (
            select(letters.c.contact_id, sent.label("at"))
            .select_from(letters.outerjoin(attempts, attempts.c.letter_id == letters.c.id))
            .where(letters.c.contact_id.in_(chunk), letters.c.state.not_in(NEVER_HAD))
            .group_by(letters.c.id, letters.c.contact_id, letters.c.created_at)
        )
        for row in connection.execute(query):
            found[row.contact_id] = max(row.at, found.get(row.contact_id, row.at))
    return found


def beside(connection: Connection, wave_id: int) -> list[dict[str, Any]]:
    """Return the contacts that a wave tells, by mailbox: how they came to be contacts (tiers), and of how many cases."""
    query = (
        select(contacts.c.mailbox, notices.c.contact_id, netblock_contacts.c.tier, func.count().label("cases"))
        .select_from(notices)
        .join(contacts, contacts.c.id == notices.c.contact_id)
        .join(notice_cases, notice_cases.c.notice_id == notices.c.id)
        .join(cases, cases.c.id == notice_cases.c.case_id)
        .outerjoin(
            netblock_contacts,
            and_(
                netblock_contacts.c.id == cases.c.netblock_contact_id,
                netblock_contacts.c.contact_id == notices.c.contact_id,
            ),
        )
        .where(notices.c.wave_id == wave_id, notice_cases.c.dropped_at.is_(None))
        .group_by(contacts.c.mailbox, notices.c.contact_id, netblock_contacts.c.tier)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows(connection, query.order_by(contacts.c.mailbox, netblock_contacts.c.tier)):
        one = found.setdefault(row["mailbox"], {"mailbox": row["mailbox"], "tiers": [], "cases": 0})
        one["cases"] += row["cases"]
        if row["tier"] is not None:
            one["tiers"].append(row["tier"])
    return sorted(found.values(), key=lambda one: (-one["cases"], one["mailbox"]))


def taken_back(connection: Connection) -> set[int]:
    """Return the snapshots that count no longer."""
    query = select(snapshots.c.id).where(snapshots.c.verdict.in_([Verdict.VOIDED.value, Verdict.HELD.value]))
    return set(connection.execute(query).scalars())


def quoted(transcript: str) -> list[list[int]]:
    """Return the observations that a check counted: [[snapshot, line], ...]."""
    found: list[list[int]] = json.loads(transcript).get("quoted", [])
    return found


def lock_campaign(connection: Connection, campaign_id: int) -> None:
    """Let no other planner plan for the campaign until the transaction ends.  Raises RefusedBySafety if it is closed."""
    query = select(campaigns.c.name, campaigns.c.closed_at).where(campaigns.c.id == campaign_id).with_for_update()
    found = connection.execute(query).one()
    if found.closed_at is not None:
        raise RefusedBySafety(
            f"The campaign {found.name} is closed", "its record may not change", "Create another one."
        )


def next_number(connection: Connection, campaign_id: int) -> int:
    """Return the number of the campaign's next wave."""
    last = connection.execute(select(func.max(waves.c.number)).where(waves.c.campaign_id == campaign_id)).scalar()
    return int(last or 0) + 1


def add_wave(
    connection: Connection, campaign_id: int, number: int, kind: str, limits: Mapping[str, Any], now: datetime, by: str
) -> int:
    """Make a PLANNED wave and return its id."""
    row = insert(waves).values(
        campaign_id=campaign_id,
        number=number,
        kind=kind,
        state=WaveState.PLANNED.value,
        limits=events.canonical(limits),
        made_by=by,
        created_at=now,
    )
    wave_id = int(connection.execute(row.returning(waves.c.id)).scalar_one())
    entry = events.Entry(
        Event.WAVE_PLANNED.value, "wave", wave_id, campaign_id, "", {"number": number, "limits": limits}
    )
    events.write(connection, [entry], now, by)
    return wave_id


def add_notices(
    connection: Connection,
    wave_id: int,
    campaign_id: int,
    planned: Mapping[int, Sequence[tuple[int, int, int, str]]],
    order: Mapping[int, int],
    keys: Keys,
) -> int:
    """Make the notices of a wave: contact -> [(case, check, level, quoted)]; returns how many."""
    numbers = _numbers(connection, campaign_id, list(planned))
    natural = {contact: (campaign_id, contact, number) for contact, number in numbers.items()}
    made = (
        (wave_id, *key, keys.reference(key), _digest(keys.notice_token(key)), keys.key_id) for key in natural.values()
    )
    insert_rows(connection, notices, NOTICE_COLUMNS, made)
    found = select(notices.c.contact_id, notices.c.id).where(notices.c.wave_id == wave_id)
    ids = {row.contact_id: row.id for row in connection.execute(found)}
    lines = (
        (ids[contact], case, level, check, quoted, _digest(keys.case_token(natural[contact], case)))
        for contact, members in planned.items()
        for case, check, level, quoted in members
    )
    insert_rows(connection, notice_cases, CASE_COLUMNS, lines)
    for chunk in chunks(list(planned)):
        _order(connection, campaign_id, chunk, order)
    return len(planned)


NOTICE_COLUMNS = ("wave_id", "campaign_id", "contact_id", "number", "reference", "token_sha256", "key_id")
CASE_COLUMNS = ("notice_id", "case_id", "level", "check_id", "quoted", "token_sha256")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _numbers(connection: Connection, campaign_id: int, contact_ids: Sequence[int]) -> dict[int, int]:
    """Return the next notice number of each contact."""
    found = dict.fromkeys(contact_ids, 1)
    for chunk in chunks(contact_ids):
        query = (
            select(notices.c.contact_id, func.max(notices.c.number).label("last"))
            .where(notices.c.campaign_id == campaign_id, notices.c.contact_id.in_(chunk))
            .group_by(notices.c.contact_id)
        )
        found.update((row["contact_id"], row["last"] + 1) for row in rows(connection, query))
    return found


def _order(connection: Connection, campaign_id: int, contact_ids: Sequence[int], order: Mapping[int, int]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = [
        {
            "campaign_id": campaign_id,
            "contact_id": contact,
            "send_order": order[contact],
            "locales": "",
            "language_rule": "",
        }
        for contact in contact_ids
    ]
    connection.execute(dialect.insert(campaign_contacts).on_conflict_do_nothing(), values)
