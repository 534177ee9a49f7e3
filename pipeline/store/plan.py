"""Statements of wave planning: cases ready for a notice, and the wave with its notices.

Reads: cases RESOLVED and open, their contacts, checks, suppressions and exclusions.  Writes: a wave, its notices and
notice_cases, the order of writing.  A notice is unique by campaign, contact and number: planning twice adds nothing twice.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import CaseState, Event, Exposure, LetterState, WaveState
from pipeline.store import events
from pipeline.store.db import chunks, rows
from pipeline.store.keys import Keys
from pipeline.store.tables import (
    campaign_contacts,
    cases,
    checks,
    contacts,
    letters,
    netblock_contacts,
    notice_cases,
    notices,
    targets,
    waves,
)

NEVER_LEFT = (LetterState.WITHDRAWN.value, LetterState.SUPPRESSED.value)
UNFINISHED = (WaveState.PLANNED.value, WaveState.RENDERED.value, WaveState.APPROVED.value, WaveState.SENDING.value)


def waiting(connection: Connection, campaign_id: int) -> Iterator[dict[str, Any]]:
    """Yield every open, resolved case with its contact and its newest check."""
    older = checks.alias("older")
    newest = select(func.max(older.c.id)).where(older.c.case_id == cases.c.id).scalar_subquery()
    told = (
        select(notices.c.id)
        .select_from(notices)
        .outerjoin(letters, letters.c.notice_id == notices.c.id)
        .join(waves, waves.c.id == notices.c.wave_id)
        .where(
            notices.c.campaign_id == campaign_id,
            notices.c.contact_id == contacts.c.id,
            or_(
                letters.c.state.not_in(NEVER_LEFT),
                and_(letters.c.id.is_(None), waves.c.state.in_(UNFINISHED)),
            ),
        )
        .exists()
    )
    query = (
        select(
            cases.c.id,
            cases.c.level,
            cases.c.exposure_at,
            checks.c.id.label("check_id"),
            checks.c.transcript,
            contacts.c.id.label("contact_id"),
            contacts.c.mailbox,
            contacts.c.state.label("contact_state"),
            targets.c.address,
            told.label("told"),
        )
        .select_from(cases)
        .join(checks, checks.c.id == newest)
        .join(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
        .join(contacts, contacts.c.id == netblock_contacts.c.contact_id)
        .join(targets, targets.c.id == cases.c.target_id)
        .where(
            cases.c.campaign_id == campaign_id, cases.c.state == CaseState.RESOLVED, cases.c.exposure == Exposure.OPEN
        )
        .order_by(cases.c.id)
    )
    for row in connection.execute(query).mappings():
        yield dict(row)


def quoted(transcript: str) -> str:
    """Return the observations that a check counted, [[snapshot, line], ...], as JSON."""
    return events.canonical(json.loads(transcript).get("quoted", []))


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
    for chunk in chunks(list(planned)):
        natural = {contact: (campaign_id, contact, numbers[contact]) for contact in chunk}
        connection.execute(
            insert(notices),
            [
                {
                    "wave_id": wave_id,
                    "campaign_id": campaign_id,
                    "contact_id": contact,
                    "number": key[2],
                    "reference": keys.reference(key),
                    "token_sha256": hashlib.sha256(keys.notice_token(key).encode()).digest(),
                    "key_id": keys.key_id,
                }
                for contact, key in natural.items()
            ],
        )
        made = select(notices.c.id, notices.c.contact_id).where(
            notices.c.wave_id == wave_id, notices.c.contact_id.in_(chunk)
        )
        ids = {row.contact_id: row.id for row in connection.execute(made)}
        lines = [
            {
                "notice_id": ids[contact],
                "case_id": case,
                "level": level,
                "check_id": check,
                "quoted": quoted,
                "token_sha256": hashlib.sha256(keys.case_token(natural[contact], case).encode()).digest(),
            }
            for contact in chunk
            for case, check, level, quoted in planned[contact]
        ]
        connection.execute(insert(notice_cases), lines)
        _order(connection, campaign_id, chunk, order)
    return len(planned)


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
