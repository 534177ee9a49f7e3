"""Letters that are still to go, as a plan looks at them; and a person's word on one.

Reads: letters, holds, budgets.  Writes: the state of a letter that a person settles; the reason stands in its event as a
kept text.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from pipeline.domain import Event, LetterState, NotFound, RefusedBySafety
from pipeline.store import events, lives
from pipeline.store.db import rows
from pipeline.store.send import DUE, Due, held_among, noticed
from pipeline.store.tables import attempts, budgets, contacts, letters, notices

STILL_UNDER_WAY = timedelta(minutes=10)  # after its final dot; RFC 5321 4.5.3.2.6
PAGE = 1000  # letters that are looked at together


@dataclass(frozen=True, slots=True)
class ToGo:
    """A letter that is still to go, its languages, when it is due, and whether a hold covers it."""

    due: Due
    locales: str
    due_at: datetime | None
    held: bool


def to_go_count(connection: Connection, wave_id: int) -> int:
    """Return how many letters of a wave are still to go."""
    query = select(func.count()).where(letters.c.wave_id == wave_id, letters.c.state.in_(DUE))
    return int(connection.execute(query).scalar_one())


def to_go(
    connection: Connection, wave_id: int, now: datetime, but: Collection[int] = (), size: int = PAGE
) -> Iterator[list[ToGo]]:
    """Yield the letters of a wave that are still to go, by their ids, a page of `size` at a time; nothing is locked.

    Holds with an id in `but` are left aside.
    """
    columns = (
        *("id", "wave_id", "campaign_id", "notice_id", "contact_id", "state", "recipient", "sha256", "approved_sha256"),
        *("attempts", "country", "locales", "due_at"),
    )
    query = (
        select(*(letters.c[name] for name in columns), contacts.c.mailbox)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .where(letters.c.wave_id == wave_id, letters.c.state.in_(DUE))
        .order_by(letters.c.id)
        .limit(size)
    )
    last = 0
    while page := rows(connection, query.where(letters.c.id > last)):
        last = page[-1]["id"]
        held = held_among(connection, [row["id"] for row in page], now, but)
        yield [ToGo(_due(row), row["locales"], row["due_at"], row["id"] in held) for row in page]


def _due(row: dict[str, Any]) -> Due:
    return Due(
        id=row["id"],
        wave_id=row["wave_id"],
        campaign_id=row["campaign_id"],
        notice_id=row["notice_id"],
        contact_id=row["contact_id"],
        state=LetterState(row["state"]),
        mailbox=row["mailbox"],
        recipient=row["recipient"],
        sha256=bytes(row["sha256"]),
        approved_sha256=bytes(row["approved_sha256"]),
        attempts=row["attempts"],
        country=row["country"],
    )


def spent(connection: Connection, kind: str, now: datetime) -> dict[str, tuple[datetime | None, str, int]]:
    """Return what is stored of the budgets in use of a kind, such as `mail:`: {key: (next slot, day, acts of that day)}.

    In use are those that have no slot now, or that have seen acts today; nothing is locked.
    """
    query = select(budgets.c.key, budgets.c.next_at, budgets.c.day, budgets.c.used)
    today = and_(budgets.c.day == f"{now:%Y-%m-%d}", budgets.c.used > 0)
    found = connection.execute(query.where(budgets.c.key.startswith(kind), or_(budgets.c.next_at > now, today)))
    return {row.key: (row.next_at, row.day, row.used) for row in found}


def must_exist(connection: Connection, letter_id: int) -> None:
    """Raise NotFound unless there is such a letter."""
    if connection.execute(select(letters.c.id).where(letters.c.id == letter_id)).scalar() is None:
        raise NotFound(f"There is no letter {letter_id}", "", "Find it with: tocsin who MAILBOX")


def reference_of(connection: Connection, letter_id: int) -> str:
    """Return the reference of a letter's notice.  Raises NotFound unless there is such a letter."""
    must_exist(connection, letter_id)
    query = select(notices.c.reference).join(letters, letters.c.notice_id == notices.c.id)
    return str(connection.execute(query.where(letters.c.id == letter_id)).scalar_one())


def settle(connection: Connection, letter_id: int, event: Event, reason: str, now: datetime, by: str) -> None:
    """Move an uncertain letter by a person's word; one that is to be sent again is due at once.

    The cases in one that arrived are NOTICED, as those of every letter that was handed over.

    Raises NotFound if there is no such letter, ForbiddenMove if it is not uncertain, RefusedBySafety if it is to be sent
    again while its last attempt may still be under way.
    """
    must_exist(connection, letter_id)
    if event is Event.LETTER_RESEND:
        _nothing_under_way(connection, letter_id, now)
    values = {"due_at": now} if event is Event.LETTER_RESEND else {}
    kept = {"reason": events.keep_text(connection, "reason", reason, now)}
    lives.advance(connection, [letter_id], event, now, by, why="asked", data=lambda _: kept, values=values)
    if event is Event.LETTER_HANDED:
        noticed(connection, [letter_id], now, by)


def _nothing_under_way(connection: Connection, letter_id: int, now: datetime) -> None:
    """A worker that is thought dead may be frozen, its connection open: until that is closed the letter may yet arrive."""
    query = select(func.max(attempts.c.dot_at)).where(attempts.c.letter_id == letter_id)
    dot_at = connection.execute(query).scalar()
    if dot_at is not None and now - dot_at <= STILL_UNDER_WAY:
        raise RefusedBySafety(
            f"Letter {letter_id} cannot be sent again yet",
            "its last attempt may still be under way",
            f"Look into the relay's log after {events.stamp(dot_at + STILL_UNDER_WAY)}, then settle it.",
        )
