"""Statements of the brakes and of a wave's first letters: how letters were answered, and the holds that follow.

Reads: attempts, letters, waves, contacts, suppressions, holds, events.  Writes: holds placed by `system:brakes` (on a
campaign) and `system:canary` (on a wave), and warnings, each with its event.  Safe to repeat: a hold in force is not placed
again, a warning not given again before a person has released what came of it.

What a person has released is not held against a campaign again: letters count from the attempt after that release on.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from pipeline.domain import LetterState
from pipeline.store import events as log
from pipeline.store import holds as stops
from pipeline.store.db import rows
from pipeline.store.holds import Scope
from pipeline.store.tables import attempts, campaigns, contacts, events, holds, letters, suppressions, waves

BRAKES, CANARY = stops.PLACED_BY_PROGRAM
WARNED = "campaign.warned"

JUDGED = tuple(s.value for s in (LetterState.HANDED, LetterState.ACCEPTED, LetterState.REFUSED, LetterState.BOUNCED))
TRIED = (  # a letter that was given back untried is APPROVED again
    *JUDGED,
    *(s.value for s in (LetterState.CLAIMED, LetterState.DEFERRED, LetterState.UNCERTAIN, LetterState.EXPIRED)),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """Letters whose last attempt ended alike.  `recent`: they are among those judged last.  `first`: the oldest attempt."""

    recent: bool
    bounced: bool
    outcome: str
    stage: str
    reply: int
    enhanced: str
    count: int
    first: int


def judged(connection: Connection, campaign_id: int, since: int, recent: int, window: int) -> list[Judged]:
    """Return how the last `window` letters of a campaign were judged, by attempts after `since`, alike ones together.

    It walks back over the newest attempts, so that its cost does not grow with the campaign.
    """
    newest = (
        select(
            attempts.c.id, attempts.c.outcome, attempts.c.stage, attempts.c.reply, attempts.c.enhanced, letters.c.state
        )
        .join(letters, (letters.c.id == attempts.c.letter_id) & (letters.c.attempts == attempts.c.number))
        .where(letters.c.campaign_id == campaign_id, attempts.c.id > since, letters.c.state.in_(JUDGED))
        .order_by(attempts.c.id.desc())
        .limit(window)
        .subquery()
    )
    place = func.row_number().over(order_by=newest.c.id.desc())
    bounced = case((newest.c.state == LetterState.BOUNCED.value, 1), else_=0)
    placed = select(newest, case((place <= recent, 1), else_=0).label("recent"), bounced.label("bounced")).subquery()
    alike = [placed.c[name] for name in ("recent", "bounced", "outcome", "stage", "reply", "enhanced")]
    query = select(*alike, func.count().label("count"), func.min(placed.c.id).label("first")).group_by(*alike)
    return [
        Judged(**{**row, "recent": bool(row["recent"]), "bounced": bool(row["bounced"])})
        for row in rows(connection, query)
    ]


def last_answers(connection: Connection, campaign_id: int, since: int, limit: int) -> list[dict[str, Any]]:
    """Return the last attempts at a campaign's letters that have ended, newest first: outcome, stage, reply and words."""
    columns = ("outcome", "stage", "reply", "enhanced", "reply_text")
    query = (
        select(*(attempts.c[name] for name in columns))
        .join(letters, letters.c.id == attempts.c.letter_id)
        .where(letters.c.campaign_id == campaign_id, attempts.c.id > since, attempts.c.outcome != "")
        .order_by(attempts.c.id.desc())
        .limit(limit)
    )
    return rows(connection, query)


def complaints(connection: Connection, campaign_id: int, first: int) -> int:
    """Return how many contacts complained of a letter of this campaign whose attempt is `first` or a later one.

    Tocsin reads no complaints from mail yet: these are the ones that a person has put on the do-not-write list with the
    reason `complaint`, by mailbox, after the letter to it was sent.
    """
    theirs = (
        select(letters.c.id)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .join(attempts, attempts.c.letter_id == letters.c.id)
        .where(
            contacts.c.mailbox == suppressions.c.mailbox,
            letters.c.campaign_id == campaign_id,
            letters.c.state.in_(JUDGED),
            attempts.c.id >= first,
            attempts.c.started_at <= suppressions.c.at,
        )
    )
    told = select(suppressions.c.mailbox).where(suppressions.c.reason == "complaint", suppressions.c.mailbox != "")
    query = select(func.count()).select_from(told.where(theirs.exists()).distinct().subquery())
    return int(connection.execute(query).scalar_one())


def released_at(connection: Connection, campaign_id: int) -> datetime | None:
    """Return when a person last released a hold that was placed here by the brakes or for a wave's first letters."""
    query = select(func.max(holds.c.released_at)).where(
        holds.c.campaign_id == campaign_id, holds.c.by.in_((BRAKES, CANARY))
    )
    return connection.execute(query).scalar()


def last_attempt(connection: Connection, at: datetime | None) -> int:
    """Return the last attempt that had begun by a time, 0 if none had."""
    if at is None:
        return 0
    query = select(attempts.c.id).where(attempts.c.started_at <= at).order_by(attempts.c.id.desc()).limit(1)
    return int(connection.execute(query).scalar() or 0)


def brake(
    connection: Connection, campaign_id: int, code: str, data: Mapping[str, Any], words: str, now: datetime
) -> int | None:
    """Hold a campaign, with the relay's words as its reason; returns the hold's id, or None if it is held already."""
    _lock(connection, campaign_id)
    return stops.hold(connection, Scope(campaign_id), words or code, now, BRAKES, why=f"brakes.{code}", data=data)


def warn(connection: Connection, campaign_id: int, code: str, data: Mapping[str, Any], now: datetime) -> bool:
    """Leave a warning about a campaign, if none of this kind stands; returns whether it is new."""
    _lock(connection, campaign_id)
    if any(row["code"] == code for row in warnings(connection, [campaign_id])):
        return False
    log.write(
        connection, [log.Entry(WARNED, "campaign", campaign_id, campaign_id, f"brakes.{code}", data)], now, BRAKES
    )
    return True


def warnings(connection: Connection, campaign_ids: Collection[int]) -> list[dict[str, Any]]:
    """Return the warnings that stand about campaigns, oldest first: campaign_id, code, data, at.

    One stands until a person releases a hold that the brakes placed on its campaign.
    """
    found = []
    for campaign_id in sorted(set(campaign_ids)):
        query = select(events.c.why, events.c.data, events.c.at).where(
            events.c.campaign_id == campaign_id, events.c.what == WARNED
        )
        since = released_at(connection, campaign_id)
        for row in connection.execute(query.order_by(events.c.id)):
            if since is None or row.at > since:
                code = row.why.removeprefix("brakes.")
                found.append({"campaign_id": campaign_id, "code": code, "data": json.loads(row.data), "at": row.at})
    return found


def _lock(connection: Connection, campaign_id: int) -> None:
    """Let nobody else hold or warn of this campaign until the transaction ends."""
    query = select(campaigns.c.id).where(campaigns.c.id == campaign_id)
    connection.execute(query.with_for_update(key_share=True))


# --- the first letters of a wave -------------------------------------------------------------------------------------


def sizes(connection: Connection, wave_ids: Sequence[int]) -> dict[int, int]:
    """Return how many letters each wave has."""
    query = select(letters.c.wave_id, func.count()).where(letters.c.wave_id.in_(wave_ids)).group_by(letters.c.wave_id)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def paused(connection: Connection, wave_ids: Sequence[int]) -> dict[int, datetime | None]:
    """Return {wave: when a person let it go on, None: not yet} for waves that were held after their first letters."""
    query = (
        select(holds.c.wave_id, holds.c.released_at)
        .where(holds.c.by == CANARY, holds.c.wave_id.in_(wave_ids))
        .order_by(holds.c.id)
    )
    return {row.wave_id: row.released_at for row in connection.execute(query)}


def first_letters(connection: Connection, wave_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return for each wave how many of its letters were tried, and how many of these are being sent at this moment.

    Until the transaction ends no other worker may ask the same of these waves: their first letters are counted exactly.
    """
    locked = select(waves.c.id).where(waves.c.id.in_(wave_ids)).order_by(waves.c.id)
    connection.execute(locked.with_for_update(key_share=True))
    now = func.count().filter(letters.c.state == LetterState.CLAIMED.value)
    query = (
        select(letters.c.wave_id, func.count(), now)
        .where(letters.c.wave_id.in_(wave_ids), letters.c.state.in_(TRIED))
        .group_by(letters.c.wave_id)
    )
    found = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(query)}
    return {wave: found.get(wave, (0, 0)) for wave in wave_ids}


def pause(connection: Connection, campaign_id: int, wave_id: int, tried: int, of: int, now: datetime) -> int | None:
    """Hold a wave after its first letters; returns the hold's id, or None if it is held already."""
    data = {"count": tried, "of": of}
    return stops.hold(connection, Scope(campaign_id, wave_id), "first letters", now, CANARY, why="canary", data=data)


def go_on(connection: Connection, campaign_id: int, wave_id: int, now: datetime, by: str) -> list[int]:
    """End the hold after a wave's first letters, and none that a person placed; returns the ids of what was ended."""
    ids = list(connection.execute(_pausing(wave_id).with_for_update()).scalars())
    stops.end(connection, ids, Scope(campaign_id, wave_id), "", now, by, why="canary.seen")
    return ids


def pausing(connection: Connection, wave_id: int) -> list[int]:
    """Return the ids of the holds in force that `go_on` would end."""
    return list(connection.execute(_pausing(wave_id)).scalars())


def _pausing(wave_id: int) -> Select[Any]:
    return select(holds.c.id).where(holds.c.wave_id == wave_id, holds.c.by == CANARY, holds.c.released_at.is_(None))


def answered(connection: Connection, wave_id: int) -> list[tuple[str, str]]:
    """Return (mailbox, state) of every letter of a wave that was tried."""
    query = (
        select(contacts.c.mailbox, letters.c.state)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .where(letters.c.wave_id == wave_id, letters.c.state.in_(TRIED))
        .order_by(letters.c.id)
    )
    return [(row[0], row[1]) for row in connection.execute(query)]
