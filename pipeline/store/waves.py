"""Waves and their approval: the manifest that people approve, approvals, release, end.

Reads and writes: waves, letters, approvals.  An approval binds to the hash of the manifest: every recipient, the hash of
every letter's bytes, and the limits.  Nothing but the shrink rule may change a letter afterwards.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, insert, select, update

from pipeline.domain import Event, LetterState, NotFound, RefusedBySafety, WaveState
from pipeline.store import events, lives
from pipeline.store.db import CHUNK, rows
from pipeline.store.tables import approvals, campaigns, letters, persons, waves

UNSETTLED = (
    LetterState.DRAFTED,
    LetterState.APPROVED,
    LetterState.CLAIMED,
    LetterState.DEFERRED,
    LetterState.UNCERTAIN,  # a person may have it sent again: its wave must still be open then
)
_NOT_LEFT = (LetterState.DRAFTED.value, LetterState.APPROVED.value, LetterState.DEFERRED.value)
_CANCELLED = letters.c.wave_id.in_(select(waves.c.id).where(waves.c.state == WaveState.CANCELLED))


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word on a wave's manifest."""

    by: str
    accepted: bool
    method: str  # ssh, password, training
    manifest_sha256: bytes
    signature: str
    principal: str
    at: datetime


def find(connection: Connection, campaign: str, number: int | None) -> dict[str, Any]:
    """Return a wave with its campaign's name and mode; the newest one if no number is given.  Raises NotFound."""
    query = (
        select(waves, campaigns.c.name.label("campaign"), campaigns.c.mode)
        .join(campaigns)
        .where(campaigns.c.name == campaign)
        .order_by(waves.c.number.desc())
        .limit(1)
    )
    found = rows(connection, query if number is None else query.where(waves.c.number == number))
    if not found:
        which = "any wave" if number is None else f"wave {number}"
        raise NotFound(
            f"There is not {which} of the campaign {campaign}", "", "Run: tocsin wave plan, or tocsin status"
        )
    return found[0]


def by_id(connection: Connection, wave_id: int) -> dict[str, Any]:
    """Return a wave with its campaign's name and mode."""
    query = select(waves, campaigns.c.name.label("campaign"), campaigns.c.mode).join(campaigns)
    return rows(connection, query.where(waves.c.id == wave_id))[0]


def locked(connection: Connection, wave_id: int) -> dict[str, Any]:
    """Return a wave as `by_id` does, and let nobody else move it until the transaction ends."""
    connection.execute(select(waves.c.id).where(waves.c.id == wave_id).with_for_update())
    return by_id(connection, wave_id)


def manifest_lines(connection: Connection, wave: dict[str, Any]) -> Iterator[str]:
    """Yield the manifest's lines: the campaign, the limits, then letter, Message-ID, sha256, recipient of each letter."""
    yield "Tocsin wave manifest 1"
    yield f"campaign {wave['campaign']}"
    yield f"wave {wave['number']} {wave['kind']}"
    yield f"mode {wave['mode']}"
    yield f"limits {wave['limits']}"
    query = (
        select(letters.c.id, letters.c.message_id, letters.c.approved_sha256, letters.c.recipient)
        .where(letters.c.wave_id == wave["id"])
        .order_by(letters.c.id)
    )
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):  # a wave may have a million
        yield f"letter {row.id} {row.message_id} {bytes(row.approved_sha256).hex()} {row.recipient}"


def manifest(connection: Connection, wave: dict[str, Any]) -> bytes:
    """Return the manifest: what an approval signs."""
    return "".join(f"{line}\n" for line in manifest_lines(connection, wave)).encode()


def seal_manifest(connection: Connection, wave_id: int, now: datetime, by: str) -> bytes:
    """Move a wave whose letters are all written to RENDERED, with the hash of its manifest, and return that hash."""
    sealed = hashlib.sha256()
    for line in manifest_lines(connection, by_id(connection, wave_id)):
        sealed.update(f"{line}\n".encode())
    digest = sealed.digest()
    lives.advance(
        connection,
        [wave_id],
        Event.WAVE_RENDERED,
        now,
        by,
        data=lambda _: {"manifest": digest.hex()},
        values={"manifest_sha256": digest},
    )
    return digest


def approvals_of(connection: Connection, wave_id: int) -> list[Approval]:
    """Return every word given on a wave, oldest first."""
    query = (
        select(approvals, persons.c.principal)
        .outerjoin(persons, persons.c.id == approvals.c.person_id)
        .where(approvals.c.wave_id == wave_id)
        .order_by(approvals.c.id)
    )
    return [
        Approval(
            row["by"],
            bool(row["accepted"]),
            row["method"],
            bytes(row["manifest_sha256"]),
            row["signature"],
            row["principal"] or "",
            row["at"],
        )
        for row in rows(connection, query)
    ]


def words_given(connection: Connection, wave_id: int) -> int:
    """Return how many words have been given on a wave."""
    return int(connection.execute(WORDS_GIVEN, {"wave": wave_id}).scalar_one())


WORDS_GIVEN = select(func.count()).where(approvals.c.wave_id == bindparam("wave"))  # asked in every round of sending


def record(
    connection: Connection,
    wave: dict[str, Any],
    *,
    accepted: bool,
    by: str,
    person_id: int | None,
    method: str,
    signature: str,
    reason: str,
    now: datetime,
) -> None:
    """Keep one person's word on a wave, with its event.  Raises RefusedBySafety for what the rules forbid.

    Nobody approves what they made or edited last; only training mode takes the system's user and self-approval.  The
    reason is kept as a text: approvals are only ever added, and could not be emptied of it.
    """
    training = wave["mode"] == "training"
    if (state := wave["state"]) != WaveState.RENDERED:
        raise RefusedBySafety(
            f"Wave {wave['number']} is {state}", "only a rendered wave can be approved", "Run: tocsin render"
        )
    if not training and (method == "training" or person_id is None):
        raise RefusedBySafety(
            "The system's user cannot approve a live campaign",
            "two registered people must, each with a signature or a password",
            "Run: tocsin person add, then approve with --as NAME",
        )
    if not training and by in (wave["made_by"], wave["edited_by"]):
        raise RefusedBySafety("Nobody approves what they made", f"{by} made this wave", "Ask another approver")
    digest = bytes(wave["manifest_sha256"])
    kept = events.keep_text(connection, "reason", reason, now) if reason else ""
    connection.execute(
        insert(approvals).values(
            wave_id=wave["id"],
            person_id=person_id,
            by=by,
            accepted=int(accepted),
            method=method,
            manifest_sha256=digest,
            signature=signature,
            reason=kept,
            at=now,
        )
    )
    what = "wave.accepted_by" if accepted else "wave.rejected_by"
    data = {"manifest": digest.hex(), "method": method, "wave": wave["number"]}
    if kept:
        data["reason"] = kept
    events.write(connection, [events.Entry(what, "wave", wave["id"], wave["campaign_id"], "", data)], now, by)


def approve(connection: Connection, wave: dict[str, Any], now: datetime, by: str) -> int:
    """Move a wave and its drafted letters to APPROVED; returns how many letters."""
    lives.advance(connection, [wave["id"]], Event.WAVE_APPROVED, now, by)
    drafted = select(letters.c.id).where(letters.c.wave_id == wave["id"], letters.c.state == LetterState.DRAFTED)
    ids = list(connection.execute(drafted).scalars())
    lives.advance(connection, ids, Event.LETTER_APPROVED, now, by, values={"due_at": now})
    return len(ids)


def finish(connection: Connection, now: datetime, by: str) -> list[int]:
    """Move every SENDING wave that has no letter left to send to DONE, and return their ids."""
    left = exists().where(letters.c.wave_id == waves.c.id, letters.c.state.in_([s.value for s in UNSETTLED]))
    query = select(waves.c.id).where(waves.c.state == WaveState.SENDING, ~left)
    ids = list(connection.execute(query.with_for_update()).scalars())
    lives.advance(connection, ids, Event.WAVE_DONE, now, by)
    return ids


def sending(connection: Connection) -> list[dict[str, Any]]:
    """Return the waves that are being sent, oldest first."""
    return rows(connection, SENDING)


SENDING = (  # asked in every round of sending
    select(waves, campaigns.c.name.label("campaign"), campaigns.c.mode)
    .join(campaigns)
    .where(waves.c.state == WaveState.SENDING)
    .order_by(waves.c.id)
)


def all_open(connection: Connection) -> list[dict[str, Any]]:
    """Return the waves that are neither done nor cancelled, oldest first."""
    query = select(waves, campaigns.c.name.label("campaign"), campaigns.c.mode).join(campaigns)
    ended = (WaveState.DONE.value, WaveState.CANCELLED.value)
    return rows(connection, query.where(waves.c.state.not_in(ended)).order_by(waves.c.id))


def counts(connection: Connection, wave_id: int) -> dict[str, int]:
    """Return how many letters of a wave are in each state."""
    query = select(letters.c.state, func.count()).where(letters.c.wave_id == wave_id).group_by(letters.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def cancel(connection: Connection, wave: dict[str, Any], now: datetime, by: str, reason: str) -> int:
    """Cancel a wave: what has not left is withdrawn; returns how many letters.  The log keeps the reason as a text.

    What a sender has in hand is stopped before its final dot, as by a hold, and withdrawn once it has come back.
    """
    count = _withdraw(connection, letters.c.wave_id == wave["id"], now, by)
    kept = {"reason": events.keep_text(connection, "reason", reason, now)}
    lives.advance(connection, [wave["id"]], Event.WAVE_CANCELLED, now, by, why="asked", data=lambda _: kept)
    return count


def withdraw_cancelled(connection: Connection, now: datetime, by: str) -> int:
    """Withdraw what came back of cancelled waves; returns how many letters."""
    return _withdraw(connection, _CANCELLED, now, by)


def any_left(connection: Connection) -> bool:
    """True if there is something to send, or to be settled of a wave that was cancelled while it was sent."""
    came_back = and_(_CANCELLED, letters.c.state.in_([*_NOT_LEFT, LetterState.CLAIMED.value]))
    return bool(sending(connection)) or connection.execute(select(exists().where(came_back))).scalar_one()


def _withdraw(connection: Connection, which: ColumnElement[bool], now: datetime, by: str) -> int:
    """Withdraw letters, but for those that a sender writes down at this moment: each would wait for the other."""
    query = select(letters.c.id).where(which, letters.c.state.in_(_NOT_LEFT)).order_by(letters.c.id)
    ids = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
    values = {"reason": "cancelled", "due_at": None}
    lives.advance(connection, ids, Event.LETTER_WITHDRAWN, now, by, why="cancelled", values=values)
    return len(ids)


def edited(connection: Connection, wave_id: int, by: str) -> None:
    """Remember who edited a wave last: that person does not approve it."""
    connection.execute(update(waves).where(waves.c.id == wave_id).values(edited_by=by))
