"""Statements of an explained look-up: what was asked about a network, what people decided, and which languages were chosen.

Reads only, by index and by ids; the rest of the story is read by store/who.py.
"""

import zlib
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from pipeline.domain import Address, CaseState, Exposure
from pipeline.store.db import rows
from pipeline.store.tables import (
    campaign_contacts,
    cases,
    contact_preferences,
    lookup_steps,
    netblock_contacts,
    netblocks,
    overrides,
    raw_answers,
    routes,
)
from pipeline.store.who import among

Rows = list[dict[str, Any]]
MOST_BYTES = 1 << 24  # of one answer, when it is read again

STEP = select(
    *(lookup_steps.c[name] for name in ("netblock_id", "number", "kind", "question", "outcome", "why", "at")),
    lookup_steps.c.raw_answer_id.label("answer"),
    raw_answers.c.sha256,
    raw_answers.c.content_type,
    raw_answers.c.status,
    raw_answers.c.body,
    raw_answers.c.at.label("answered_at"),
    raw_answers.c.last_at,
).select_from(lookup_steps.outerjoin(raw_answers))


def steps_of(connection: Connection, netblock_id: int) -> Rows:
    """Return the questions behind a network, in order, each with what is kept of its answer: `bytes` long, or None."""
    found = rows(connection, STEP.where(lookup_steps.c.netblock_id == netblock_id).order_by(lookup_steps.c.number))
    for row in found:
        body = row.pop("body")
        row["bytes"] = None if body is None else len(unpacked(body))
    return found


def answer(connection: Connection, answer_id: int) -> tuple[bytes, bytes]:
    """Return (body as received, the SHA-256 that was written down) of a stored answer."""
    row = connection.execute(
        select(raw_answers.c.body, raw_answers.c.sha256).where(raw_answers.c.id == answer_id)
    ).one()
    return unpacked(row.body), bytes(row.sha256)


def unpacked(body: bytes) -> bytes:
    """Return what was compressed; nothing if it is damaged, so that its hash says so."""
    try:
        return zlib.decompressobj().decompress(bytes(body), MOST_BYTES)
    except zlib.error:
        return b""


def words_about(connection: Connection, address: Address, mailboxes: Collection[str], at: datetime) -> Rows:
    """Return what people had said at that time of ranges around the address, and of these mailboxes anywhere."""
    then = and_(
        overrides.c.at <= at,
        or_(overrides.c.until.is_(None), overrides.c.until > at),
        or_(overrides.c.lifted_at.is_(None), overrides.c.lifted_at > at),
    )
    around = and_(overrides.c.first_address <= address, overrides.c.last_address >= address)
    query = select(overrides).where(then)
    found = [row for row in rows(connection, query.where(around)) if row["first_address"].version == address.version]
    anywhere = query.where(overrides.c.first_address.is_(None))
    found += among(connection, anywhere, overrides.c.mailbox, sorted(mailboxes))
    return sorted(found, key=lambda row: row["id"])


def route_of(connection: Connection, country: str) -> dict[str, Any] | None:
    """Return the route of a country (ISO 3166 alpha-2), or None."""
    found = rows(connection, select(routes).where(routes.c.country == country))
    return found[0] if found else None


def languages(connection: Connection, contact_ids: Collection[int]) -> Rows:
    """Return the languages that were chosen for these contacts, by campaign: locales and the rule, once they are known."""
    names = ("campaign_id", "contact_id", "locales", "language_rule")
    query = select(*(campaign_contacts.c[name] for name in names)).where(campaign_contacts.c.locales != "")
    return among(connection, query, campaign_contacts.c.contact_id, sorted(contact_ids))


def places(connection: Connection, contact_ids: Collection[int]) -> dict[tuple[int, int], list[tuple[str, str]]]:
    """Return where the networks are of the cases that a letter to these contacts would tell of today.

    (campaign id, contact id) -> (country, region) of each case that waits and is open, as render/run.py has them.
    """
    query = (
        select(
            cases.c.campaign_id,
            netblock_contacts.c.contact_id,
            netblocks.c.country,
            netblocks.c.region,
            func.count().label("cases"),
        )
        .select_from(cases)
        .join(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
        .join(netblocks, netblocks.c.id == netblock_contacts.c.netblock_id)
        .where(cases.c.state == CaseState.RESOLVED, cases.c.exposure == Exposure.OPEN)
        .group_by(cases.c.campaign_id, netblock_contacts.c.contact_id, netblocks.c.country, netblocks.c.region)
    )
    found: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for row in among(connection, query, netblock_contacts.c.contact_id, sorted(contact_ids)):
        here = found.setdefault((row["campaign_id"], row["contact_id"]), [])
        here += [(row["country"], row["region"])] * row["cases"]
    return found


def preferences(connection: Connection, contact_ids: Collection[int], at: datetime) -> dict[int, str]:
    """Return the languages that these contacts asked for, where that held at that time."""
    held = or_(contact_preferences.c.until.is_(None), contact_preferences.c.until > at)
    query = select(contact_preferences.c.contact_id, contact_preferences.c.language).where(held)
    found = among(connection, query, contact_preferences.c.contact_id, sorted(contact_ids))
    return {row["contact_id"]: row["language"] for row in found}
