"""Going live: sheets, the words of people on them, what was said and tested for the checklist; and the campaign's mode.

Reads and writes: golive_sheets, golive_words, golive_facts (only ever added to), campaigns.mode, an event for each.  A
word binds to a sheet's hash, and the sheet to the settings of the campaign and of mail.  An end makes every word before
it void.  Safe to repeat: a sheet is kept once, a person counts once, going live twice changes nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import NotFound, RefusedBySafety
from pipeline.store import events
from pipeline.store.db import rows
from pipeline.store.tables import campaigns, golive_facts, golive_sheets, golive_words, persons, relay_log_places
from pipeline.store.tables import events as event_log


@dataclass(frozen=True, slots=True)
class Word:
    """One person's yes to a sheet; `manifest_sha256` is the sheet's (send/approval.py weighs it as it does a wave's)."""

    by: str
    accepted: bool
    method: str  # ssh, password
    manifest_sha256: bytes
    signature: str
    principal: str


def binding(connection: Connection, campaign_id: int, mail: Mapping[str, Any]) -> bytes:
    """Return the hash of a campaign's settings as they are now, and those of mail (`mail`, as JSON can hold them)."""
    query = select(campaigns.c.settings, campaigns.c.topics, campaigns.c.minimum_level)
    row = connection.execute(query.where(campaigns.c.id == campaign_id)).one()
    return hashlib.sha256(events.canonical([*row, mail]).encode()).digest()


def makers(connection: Connection, campaign_id: int) -> list[str]:
    """Return who made a campaign and who changed its settings last: neither counts among those who say yes to them."""
    changed = event_log.c.campaign_id == campaign_id, event_log.c.what == "campaign.changed"
    last = select(event_log.c.by).where(*changed).order_by(event_log.c.id.desc()).limit(1)
    made = select(campaigns.c.created_by).where(campaigns.c.id == campaign_id)
    return [*connection.execute(made).scalars(), *connection.execute(last).scalars()]


def keep_sheet(connection: Connection, campaign_id: int, sheet: bytes, bound: bytes, now: datetime) -> bytes:
    """Keep a sheet, once, and return its hash."""
    digest = hashlib.sha256(sheet).digest()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(golive_sheets).values(
        sha256=digest, campaign_id=campaign_id, binding_sha256=bound, sheet=sheet.decode(), at=now
    )
    connection.execute(row.on_conflict_do_nothing())
    return digest


def words(connection: Connection, campaign_id: int, bound: bytes) -> list[tuple[bytes, list[Word]]]:
    """Return each sheet of a campaign that binds to `bound`, with the words on it that no end has made void.

    A sheet whose text is not the one that its hash was made of is left out.
    """
    query = (
        select(golive_words, golive_sheets.c.sheet, persons.c.principal)
        .join(golive_sheets, golive_sheets.c.sha256 == golive_words.c.sheet_sha256)
        .join(persons, persons.c.id == golive_words.c.person_id)
        .where(golive_words.c.campaign_id == campaign_id, golive_sheets.c.campaign_id == campaign_id)
        .where(golive_sheets.c.binding_sha256 == bound, golive_words.c.accepted == 1)
        .where(golive_words.c.id > _last_end(connection, campaign_id))
        .order_by(golive_words.c.id)
    )
    found: dict[bytes, list[Word]] = {}
    for row in rows(connection, query):
        sheet, digest = row["sheet"].encode(), bytes(row["sheet_sha256"])
        if hashlib.sha256(sheet).digest() == digest:
            word = Word(row["by"], True, row["method"], digest, row["signature"], row["principal"])
            found.setdefault(sheet, []).append(word)
    return list(found.items())


def given(connection: Connection, campaign_id: int) -> int:
    """Return the id of the newest word or end of a campaign: it rises with each."""
    query = select(func.coalesce(func.max(golive_words.c.id), 0)).where(golive_words.c.campaign_id == campaign_id)
    return int(connection.execute(query).scalar_one())


def _last_end(connection: Connection, campaign_id: int) -> int:
    ends = golive_words.c.campaign_id == campaign_id, golive_words.c.accepted == 0
    return int(connection.execute(select(func.coalesce(func.max(golive_words.c.id), 0)).where(*ends)).scalar_one())


def give(
    connection: Connection,
    campaign_id: int,
    sheet_sha256: bytes,
    person_id: int,
    method: str,
    signature: str,
    now: datetime,
) -> None:
    """Keep one person's yes to a sheet, with its event.  Raises RefusedBySafety for what the rules forbid."""
    campaign = _locked(connection, campaign_id)
    _may_go(campaign)
    by = f"person:{person_id}"
    if by in makers(connection, campaign_id):
        raise RefusedBySafety(
            "Nobody says yes to settings that they made",
            f"{by} gave the campaign its settings",
            "Ask another approver.",
        )
    before = select(golive_words.c.id).where(
        golive_words.c.campaign_id == campaign_id,
        golive_words.c.sheet_sha256 == sheet_sha256,
        golive_words.c.person_id == person_id,
        golive_words.c.id > _last_end(connection, campaign_id),
    )
    if connection.execute(before).first() is not None:
        raise RefusedBySafety(
            "This person has said yes already", "a campaign goes live by different people", "Ask another approver."
        )
    values = {"campaign_id": campaign_id, "sheet_sha256": sheet_sha256, "person_id": person_id, "by": by}
    connection.execute(insert(golive_words).values(accepted=1, method=method, signature=signature, at=now, **values))
    data = {"sheet": sheet_sha256.hex(), "method": method}
    entry = events.Entry("campaign.golive_accepted", "campaign", campaign_id, campaign_id, data=data)
    events.write(connection, [entry], now, by)


def go(connection: Connection, campaign_id: int, sheet_sha256: bytes, now: datetime, by: str) -> None:
    """Make a campaign live.  Whoever calls has weighed the words on that sheet in this transaction."""
    _may_go(_locked(connection, campaign_id))
    connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(mode="live"))
    data = {"sheet": sheet_sha256.hex()}
    events.write(connection, [events.Entry("campaign.live", "campaign", campaign_id, campaign_id, data=data)], now, by)


def end(connection: Connection, campaign_id: int, why: str, now: datetime, by: str, reason: str = "") -> bool:
    """Put a live campaign back into training mode, and make every word so far void; False if it is in training mode.

    `why` is a code: changed, asked.  The log keeps `reason` as a text.
    """
    if _locked(connection, campaign_id)["mode"] != "live":
        return False
    connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(mode="training"))
    row = insert(golive_words).values(campaign_id=campaign_id, by=by, accepted=0, method="end", at=now)
    connection.execute(row)
    data = {"reason": events.keep_text(connection, "reason", reason, now)} if reason else {}
    entry = events.Entry("campaign.training", "campaign", campaign_id, campaign_id, why, data)
    events.write(connection, [entry], now, by)
    return True


def say(
    connection: Connection,
    campaign_id: int | None,
    item: str,
    said: str,
    now: datetime,
    by: str,
    data: Mapping[str, Any] | None = None,
) -> str:
    """Keep what a person said for an item of the checklist, or what a test found; returns the digest of what was said."""
    kept = events.keep_text(connection, "reason", said, now) if said else ""
    row = insert(golive_facts).values(
        campaign_id=campaign_id, item=item, by=by, said=kept, data=events.canonical(data), at=now
    )
    fact = connection.execute(row.returning(golive_facts.c.id)).scalar_one()
    entry = events.Entry("golive.said", "golive_fact", fact, campaign_id, item, {"reason": kept} if kept else {})
    events.write(connection, [entry], now, by)
    return kept


def facts(connection: Connection, campaign_id: int | None, since: datetime) -> dict[str, dict[str, Any]]:
    """Return the newest fact of each item since then: of a campaign, or of the whole installation."""
    whole = golive_facts.c.campaign_id.is_(None)
    whose = whole if campaign_id is None else golive_facts.c.campaign_id == campaign_id
    query = select(golive_facts).where(whose, golive_facts.c.at >= since).order_by(golive_facts.c.id)
    return {row["item"]: row for row in rows(connection, query)}


def log_is_read(connection: Connection) -> bool:
    """True if a log of a relay has been read: letters that are handed over get their server's answer from it."""
    return connection.execute(select(relay_log_places.c.id).limit(1)).first() is not None


def _locked(connection: Connection, campaign_id: int) -> Mapping[str, Any]:
    query = select(campaigns.c.name, campaigns.c.mode, campaigns.c.closed_at).where(campaigns.c.id == campaign_id)
    row = connection.execute(query.with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}", "", "Run: tocsin campaign list")
    return dict(row)


def _may_go(campaign: Mapping[str, Any]) -> None:
    if campaign["closed_at"] is not None:
        raise RefusedBySafety(
            f"The campaign {campaign['name']} is closed", "its record may not change", "Create another one."
        )
    if campaign["mode"] == "live":
        raise RefusedBySafety(f"The campaign {campaign['name']} is live already", "", "Run: tocsin wave plan")
