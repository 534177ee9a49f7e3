"""Statements of the render stage: notices without a letter, what is known of them, and their letters.

Reads: waves PLANNED, notices, their cases, checks, observations, networks.  Writes: bodies, letters (unique by notice:
twice is once), the language of a contact in its campaign.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Event, LetterState, WaveState
from pipeline.store import events, preferences, workers
from pipeline.store.db import chunks, rows
from pipeline.store.lives import Lease
from pipeline.store.send import LEFT, keep_bodies
from pipeline.store.tables import (
    attempts,
    campaign_contacts,
    campaigns,
    cases,
    checks,
    contact_preferences,
    contacts,
    feeds,
    letters,
    netblock_contacts,
    netblocks,
    notice_cases,
    notices,
    observations,
    snapshots,
    targets,
    waves,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that is to be written, and to whom."""

    id: int
    wave_id: int
    campaign_id: int
    contact_id: int
    number: int
    reference: str
    mailbox: str
    spelling: str
    preference: str
    format: str
    headers: str  # JSON: name -> value
    send_order: int


@dataclass(frozen=True, slots=True)
class Written:
    """A notice's letter.  `body_hash` is what DKIM signs of its body; without one it is made when it is signed.

    `country` is where most of its cases' networks are registered: letters leave in the working hours there.
    """

    notice: Notice
    body: bytes
    message_id: str
    locales: str
    language_rule: str
    form: str
    body_hash: bytes | None = None
    country: str = ""


def planned_waves(connection: Connection) -> list[int]:
    """Return the ids of waves that are to be rendered, oldest first."""
    query = select(waves.c.id).where(waves.c.state == WaveState.PLANNED).order_by(waves.c.id)
    return list(connection.execute(query).scalars())


def claim(
    connection: Connection, wave_id: int, worker_id: int, now: datetime, limit: int
) -> tuple[Lease, list[Notice]]:
    """Take a lease on up to `limit` notices of a wave that have no letter, and return them."""
    written = select(letters.c.id).where(letters.c.notice_id == notices.c.id).exists()
    due = (notices.c.wave_id == wave_id) & ~written
    lease = workers.claim(connection, notices, due, worker_id, now, limit, notices.c.id)
    return lease, notices_by_id(connection, list(lease.claims), now)


def notices_by_id(connection: Connection, ids: Sequence[int], now: datetime) -> list[Notice]:
    """Return notices with their contacts and the language these prefer now, in the order of their ids."""
    query = (
        select(
            notices.c.id,
            notices.c.wave_id,
            notices.c.campaign_id,
            notices.c.contact_id,
            notices.c.number,
            notices.c.reference,
            contacts.c.mailbox,
            contacts.c.spelling,
            func.coalesce(contact_preferences.c.language, "").label("preference"),
            func.coalesce(contact_preferences.c.format, "").label("format"),
            func.coalesce(contact_preferences.c.headers, "{}").label("headers"),
            campaign_contacts.c.send_order,
        )
        .join(contacts, contacts.c.id == notices.c.contact_id)
        .join(
            campaign_contacts,
            (campaign_contacts.c.contact_id == notices.c.contact_id)
            & (campaign_contacts.c.campaign_id == notices.c.campaign_id),
        )
        .outerjoin(
            contact_preferences, (contact_preferences.c.contact_id == notices.c.contact_id) & preferences.in_force(now)
        )
        .where(notices.c.id.in_(ids))
        .order_by(notices.c.id)
    )
    return [Notice(**row) for row in rows(connection, query)]


def left(connection: Connection, wave_id: int) -> int:
    """Return how many notices of a wave have no letter yet."""
    written = select(letters.c.id).where(letters.c.notice_id == notices.c.id).exists()
    query = select(func.count()).where(notices.c.wave_id == wave_id, ~written)
    return int(connection.execute(query).scalar_one())


def findings(connection: Connection, notice_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return what each notice tells: its cases with target, level, check, network, in address order.

    The network is the one of the case's contact; of a case that has lost its contact since, the one it lies in.
    """
    query = (
        select(
            notice_cases.c.notice_id,
            notice_cases.c.level,
            notice_cases.c.quoted,
            checks.c.transcript,
            checks.c.method,
            checks.c.verdict,
            checks.c.at.label("checked_at"),
            targets.c.address,
            targets.c.port,
            targets.c.service,
            targets.c.topic,
            func.coalesce(netblocks.c.name, "").label("network"),
            *(func.coalesce(netblocks.c[name], "").label(name) for name in ("holder", "country", "region")),
        )
        .join(cases, cases.c.id == notice_cases.c.case_id)
        .join(targets, targets.c.id == cases.c.target_id)
        .join(checks, checks.c.id == notice_cases.c.check_id)
        .outerjoin(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
        .outerjoin(netblocks, netblocks.c.id == func.coalesce(netblock_contacts.c.netblock_id, cases.c.netblock_id))
        .where(notice_cases.c.notice_id.in_(notice_ids), notice_cases.c.dropped_at.is_(None))
        .order_by(notice_cases.c.notice_id, targets.c.address, targets.c.port, targets.c.service)
    )
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(connection, query):
        found[row["notice_id"]].append(row)
    return found


def firsts(connection: Connection, notice_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return, of each notice, the first one to the same contact in the same campaign whose letter left: reference,
    message_id, handed_at."""
    before, sent = notices.alias("before"), func.coalesce(func.min(attempts.c.dot_at), letters.c.created_at)
    query = (
        select(notices.c.id, before.c.reference, letters.c.message_id, sent.label("handed_at"))
        .join(
            before,
            (before.c.campaign_id == notices.c.campaign_id)
            & (before.c.contact_id == notices.c.contact_id)
            & (before.c.number < notices.c.number),
        )
        .join(letters, letters.c.notice_id == before.c.id)
        .outerjoin(attempts, attempts.c.letter_id == letters.c.id)
        .where(notices.c.id.in_(notice_ids), letters.c.state.in_(LEFT))
        .group_by(notices.c.id, before.c.number, before.c.reference, letters.c.message_id, letters.c.created_at)
        .order_by(before.c.number.desc())
    )
    return {row["id"]: row for row in rows(connection, query)}  # the lowest number comes last, and stays


def quoted(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the observations (snapshot, line) that letters speak of, with their feed's rights and title."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for chunk in chunks(keys, 400):
        query = (
            select(
                observations.c.snapshot_id,
                observations.c.line,
                observations.c.claim,
                observations.c.observed_at,
                feeds.c.name,
                feeds.c.rights,
                feeds.c.declaration,
            )
            .join(snapshots, snapshots.c.id == observations.c.snapshot_id)
            .join(feeds, feeds.c.id == snapshots.c.feed_id)
            .where(tuple_(observations.c.snapshot_id, observations.c.line).in_(chunk))
        )
        for row in rows(connection, query):
            found[row["snapshot_id"], row["line"]] = row
    return found


def add_letters(connection: Connection, written: Sequence[Written], lease: Lease, now: datetime, by: str) -> None:
    """Store letters as DRAFTED and give their notices back; notices that another worker took since are left alone."""
    held = select(notices.c.id, notices.c.claim).where(
        notices.c.worker_id == lease.worker_id, notices.c.id.in_([item.notice.id for item in written])
    )
    mine = {row.id for row in connection.execute(held.with_for_update()) if lease.claims[row.id] == row.claim}
    written = [item for item in written if item.notice.id in mine]
    if not written:
        return
    digests = keep_bodies(connection, [item.body for item in written], now)
    values = [_letter(item, digest, now) for item, digest in zip(written, digests, strict=True)]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = (
        dialect.insert(letters)
        .on_conflict_do_nothing()
        .returning(letters.c.id, letters.c.campaign_id, letters.c.sha256)
    )
    made = connection.execute(row, values).all()
    entries = [
        events.Entry(
            Event.LETTER_DRAFTED.value,
            "letter",
            letter.id,
            letter.campaign_id,
            "",
            {"sha256": bytes(letter.sha256).hex()},
        )
        for letter in made
    ]
    events.write(connection, entries, now, by)
    connection.execute(SPOKEN_TO, sorted(map(_language, written), key=itemgetter("campaign", "contact")))
    workers.release(connection, notices, Lease(lease.worker_id, {i: lease.claims[i] for i in mine}))


def _letter(item: Written, digest: bytes, now: datetime) -> dict[str, Any]:
    return {
        "notice_id": item.notice.id,
        "wave_id": item.notice.wave_id,
        "campaign_id": item.notice.campaign_id,
        "contact_id": item.notice.contact_id,
        "state": LetterState.DRAFTED.value,
        "sha256": digest,
        "approved_sha256": digest,
        "bytes": len(item.body),
        "body_hash": item.body_hash,
        "recipient": item.notice.spelling,
        "message_id": item.message_id,
        "locales": item.locales,
        "language_rule": item.language_rule,
        "country": item.country,
        "form": item.form,
        "send_order": item.notice.send_order,
        "created_at": now,
    }


SPOKEN_TO = (  # workers that write at once go through contacts in one order, so that neither waits for the other
    update(campaign_contacts)
    .where(
        campaign_contacts.c.campaign_id == bindparam("campaign"), campaign_contacts.c.contact_id == bindparam("contact")
    )
    .values(locales=bindparam("said_in"), language_rule=bindparam("rule"))
)


def _language(item: Written) -> dict[str, Any]:
    notice = item.notice
    to = {"campaign": notice.campaign_id, "contact": notice.contact_id}
    return {**to, "said_in": item.locales, "rule": item.language_rule}


def letter_of(connection: Connection, notice_id: int) -> dict[str, Any]:
    """Return the letter of a notice: id, wave, created_at, locales, message_id."""
    return rows(connection, select(letters).where(letters.c.notice_id == notice_id))[0]


def quoted_keys(text: str) -> list[tuple[int, int]]:
    """Return the (snapshot, line) pairs of a notice case's `quoted`."""
    return [(snapshot, line) for snapshot, line in json.loads(text)]


def campaign_of(connection: Connection, wave_id: int) -> Mapping[str, Any]:
    """Return the wave's campaign: name, mode, settings, kind."""
    query = select(campaigns.c.name, campaigns.c.mode, campaigns.c.settings, waves.c.kind)
    query = query.join_from(waves, campaigns).where(waves.c.id == wave_id)
    return rows(connection, query)[0]
