"""Statements of the send stage: who may be written to now, intents, dots, replies, and what a dead worker left.

Reads: waves SENDING, letters APPROVED or DEFERRED, notice_cases, cases, holds, suppressions, exclusions.  Writes: attempts,
the letters' and cases' states.  An attempt without `dot_at` cannot have been accepted; one with it and no reply is
UNCERTAIN.  Standards: RFC 5321 4.5.4.1, RFC 1047.
"""

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Address, CaseState, Event, LetterState
from pipeline.store import events as log
from pipeline.store import lives, many
from pipeline.store import send_statements as statements
from pipeline.store.db import chunks, rows
from pipeline.store.lives import Lease
from pipeline.store.send_statements import DUE as DUE
from pipeline.store.tables import (
    attempts,
    bodies,
    contacts,
    events,
    letters,
    notice_cases,
)
from pipeline.store.workers import SILENT_FOR, free

WINDOW = "window"  # why an approved letter waits: the window of its recipient's country is shut
LEVEL = 3  # of zlib: a tenth more bytes than at 6, in a third of the time
LEFT = (  # the contact has it, may have it, or is about to have it
    LetterState.CLAIMED.value,
    LetterState.HANDED.value,
    LetterState.ACCEPTED.value,
    LetterState.UNCERTAIN.value,
    LetterState.BOUNCED.value,
)


@dataclass(frozen=True, slots=True)
class Due:
    """A letter that may be due for sending, with what the gate needs to know.  An older release kept no `body_hash`."""

    id: int
    wave_id: int
    campaign_id: int
    notice_id: int
    contact_id: int
    state: LetterState
    mailbox: str
    recipient: str
    sha256: bytes
    approved_sha256: bytes
    attempts: int
    body_hash: bytes | None = None
    country: str = ""


def due(connection: Connection, wave_ids: Sequence[int], now: datetime, limit: int) -> list[Due]:
    """Return up to `limit` letters that are due, free and not held, in their order of writing, locked."""
    found: list[tuple[int, Due]] = []
    for wave in wave_ids:
        given = {"wave": wave, "now": now, "silent": now - SILENT_FOR, "most": limit}
        found += ((row["send_order"], _due(row)) for row in rows(connection, statements.DUE_OF_WAVE, **given))
    found.sort(key=lambda each: (each[0], each[1].id))
    return [letter for _, letter in found[:limit]]


def _due(row: Mapping[str, Any]) -> Due:
    return Due(
        row["id"],
        row["wave_id"],
        row["campaign_id"],
        row["notice_id"],
        row["contact_id"],
        LetterState(row["state"]),
        row["mailbox"],
        row["recipient"],
        bytes(row["sha256"]),
        bytes(row["approved_sha256"]),
        row["attempts"],
        None if row["body_hash"] is None else bytes(row["body_hash"]),
        row["country"],
    )


def held_among(connection: Connection, letter_ids: Sequence[int], now: datetime, but: Collection[int] = ()) -> set[int]:
    """Return those of the letters that a hold covers now, one with an id in `but` left aside."""
    query = statements.held_among(connection.dialect.name, but=bool(but))
    given = {"ids": list(letter_ids), "now": now} | ({"but": list(but)} if but else {})
    return set(connection.execute(query, given).scalars())


def cases_of(connection: Connection, notice_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the cases still in each notice: id, state, exposure, checked_at, address."""
    found: dict[int, list[dict[str, Any]]] = {notice: [] for notice in notice_ids}
    for row in rows(connection, statements.cases_of(connection.dialect.name), ids=list(notice_ids)):
        found[row["notice_id"]].append(row)
    return found


def excluded_ranges(connection: Connection, now: datetime) -> list[tuple[Address, Address]]:
    """Return the address ranges that are excluded now."""
    found = connection.execute(statements.EXCLUDED, {"now": now})
    return [(row.first_address, row.last_address) for row in found]


def closed_ranges(connection: Connection, now: datetime) -> list[tuple[Address, Address]]:
    """Return the address ranges that are excluded now, and those about which nobody is to be written to."""
    return [(row.first_address, row.last_address) for row in connection.execute(statements.CLOSED, {"now": now})]


def within(address: Address, ranges: Sequence[tuple[Address, Address]]) -> bool:
    """True if an address lies in one of the inclusive ranges."""
    number, version = int(address), address.version
    return any(first.version == version and int(first) <= number <= int(last) for first, last in ranges)


def suppressed(connection: Connection, mailboxes: Sequence[str], now: datetime) -> dict[str, str]:
    """Return {mailbox: reason} for those that a suppression covers, by mailbox or domain (or a domain above it).

    A mailbox that a person rejected wherever it is named is among them, with the reason `rejected`.
    """
    found: dict[str, str] = {}
    by_domain: dict[str, list[str]] = {}
    for mailbox in mailboxes:
        for domain in parents(mailbox):
            by_domain.setdefault(domain, []).append(mailbox)
    given = {"mailboxes": list(mailboxes), "domains": list(by_domain), "now": now}
    rows_found = connection.execute(statements.suppressed(connection.dialect.name), given)
    for row in sorted(rows_found, key=lambda row: -row.word):  # the reason of a suppression goes before a rejection
        covered = [row.mailbox] if row.mailbox else by_domain[row.domain]
        found.update(dict.fromkeys(covered, row.reason))
    return found


def suppressed_ranges(connection: Connection) -> list[tuple[Address, Address]]:
    """Return the address ranges about which nobody is to be written to."""
    return [(row.first_address, row.last_address) for row in connection.execute(statements.SUPPRESSED_RANGES)]


def parents(mailbox: str) -> set[str]:
    """Return the domain of a mailbox and every domain above it."""
    labels = mailbox.rsplit("@", 1)[-1].split(".")
    return {".".join(labels[i:]) for i in range(len(labels))}


def first_attempts(connection: Connection, letter_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when each letter was tried first."""
    if not letter_ids:
        return {}
    query = select(attempts.c.letter_id, attempts.c.started_at).where(
        attempts.c.letter_id.in_(letter_ids), attempts.c.number == 1
    )
    return {row["letter_id"]: row["started_at"] for row in rows(connection, query)}


def last_left(connection: Connection, contact_ids: Sequence[int], *, lock: bool = True) -> dict[int, datetime]:
    """Return when each contact had its last letter, of any campaign, one that is being sent at this moment too.

    With `lock` no other worker may ask the same of these contacts until the transaction ends: two letters cannot both be
    the first.
    """
    found: dict[int, datetime] = {}
    for chunk in chunks(contact_ids):
        locked = select(contacts.c.id).where(contacts.c.id.in_(chunk)).order_by(contacts.c.id)
        if lock:
            connection.execute(locked.with_for_update())
        query = (
            select(letters.c.contact_id, func.max(func.coalesce(attempts.c.dot_at, attempts.c.started_at)).label("at"))
            .join(attempts, attempts.c.letter_id == letters.c.id)
            .where(letters.c.contact_id.in_(chunk), letters.c.state.in_(LEFT))
            .group_by(letters.c.contact_id)
        )
        found.update((row.contact_id, row.at) for row in connection.execute(query))
    return found


def put_off(connection: Connection, wave_ids: Sequence[int], country: str, now: datetime, until: datetime) -> int:
    """Make all letters of waves to a country that are due now due later: its window is shut.  Returns how many.

    What another worker has in hand is left to it: neither waits for the other.  Why a letter was deferred stays with it.
    """
    wanted = select(letters.c.id).where(
        letters.c.wave_id.in_(wave_ids),
        letters.c.state.in_(DUE),
        or_(letters.c.due_at.is_(None), letters.c.due_at <= now),
        letters.c.country == country,
    )
    ids = list(connection.execute(wanted.with_for_update(skip_locked=True)).scalars())
    reason = case((letters.c.state == LetterState.APPROVED, WINDOW), else_=letters.c.reason)
    for chunk in chunks(ids):
        later = update(letters).where(letters.c.id.in_(chunk))
        connection.execute(later.values(due_at=until, reason=reason))
    return len(ids)


def read_bodies(connection: Connection, digests: Collection[bytes]) -> dict[bytes, bytes]:
    """Return stored letters by their SHA-256."""
    found = connection.execute(statements.BODIES, {"digests": list(digests)})
    return {bytes(row.sha256): zlib.decompress(row.body) for row in found}


def claim(connection: Connection, letter_ids: Sequence[int], worker_id: int, now: datetime, by: str) -> Lease:
    """Move due letters to CLAIMED for a worker and return the lease."""
    return lives.take(connection, letter_ids, Event.LETTER_CLAIMED, now, by, worker_id)


def intend(connection: Connection, values: Sequence[Mapping[str, Any]]) -> list[int]:
    """Write attempts before their first byte leaves, and return their ids in the same order."""
    names = tuple(values[0]) if values else ()
    return many.add_with_ids(connection, attempts, names, [tuple(value[name] for name in names) for value in values])


def write_dot(connection: Connection, attempt_ids: Sequence[int], lease: Lease, now: datetime) -> set[int]:
    """Note that the final dots of these attempts may be written from now on, and return the ids of their letters.

    A letter that a hold covers by now, or whose wave was cancelled, is not among them.  Raises LeaseLost, whatever else is
    true of it, for a letter that was taken since.
    """
    dialect, free_to_go = connection.dialect.name, {}
    for row in connection.execute(statements.leases(dialect), {"ids": list(attempt_ids)}):
        if (row.worker_id, row.claim) != (lease.worker_id, lease.claims.get(row.letter_id)):
            raise lives.LeaseLost(f"letter {row.letter_id} has been taken by another worker")
        if not row.stopped:
            free_to_go[row.id] = row.letter_id
    if free_to_go:
        connection.execute(statements.dots(dialect), {"ids": list(free_to_go), "now": now})
    return set(free_to_go.values())


def record_replies(connection: Connection, replies: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of attempts; each has `attempt` (its id) and the same columns."""
    if replies:
        names = [name for name in replies[0] if name != "attempt"]
        changed = [(*(reply[name] for name in names), reply["attempt"]) for reply in replies]
        many.change(connection, attempts, names, changed)


def tries(connection: Connection, letter_id: int) -> tuple[datetime, int]:
    """Return when a letter was tried first, and how many times so far."""
    query = select(attempts.c.started_at).where(attempts.c.letter_id == letter_id).order_by(attempts.c.number)
    found = list(connection.execute(query).scalars())
    return found[0], len(found)


def noticed(connection: Connection, letter_ids: Sequence[int], now: datetime, by: str) -> None:
    """Letters were handed over: the cases still in them are NOTICED.

    A copy for a CERT, in a wave of others, moves no case: its own contact has yet to be told.
    """
    found = connection.execute(statements.told_by(connection.dialect.name), {"ids": list(letter_ids)})
    told = {case: letter for case, state, letter in found if state == CaseState.RESOLVED}
    lives.advance(connection, list(told), Event.CASE_NOTICED, now, by, data=lambda case: {"letter": told[case]})


def drop_cases(connection: Connection, notice_id: int, dropped: Mapping[int, str], now: datetime) -> None:
    """Take cases out of a notice (the shrink rule)."""
    for case_id, why in dropped.items():
        mine = (notice_cases.c.notice_id == notice_id) & (notice_cases.c.case_id == case_id)
        connection.execute(update(notice_cases).where(mine).values(dropped_at=now, dropped_why=why))


def shrink(
    connection: Connection,
    due: Due,
    new: bytes,
    dropped: Mapping[int, str],
    now: datetime,
    by: str,
    body_hash: bytes | None = None,
) -> Due:
    """Put the shrunk letter in the place of the approved one, with an event that holds both hashes.

    The hash that DKIM signs of its body is another one, too; without one here it is made when the letter is signed.
    """
    digest = keep_body(connection, new, now)
    values = {"sha256": digest, "bytes": len(new), "body_hash": body_hash}
    connection.execute(update(letters).where(letters.c.id == due.id).values(**values))
    data = {"from": due.sha256.hex(), "to": digest.hex(), "dropped": {str(case): why for case, why in dropped.items()}}
    log.write(connection, [log.Entry("letter.shrunk", "letter", due.id, due.campaign_id, "", data)], now, by)
    return replace(due, sha256=digest, body_hash=body_hash)


def keep_body(connection: Connection, body: bytes, now: datetime) -> bytes:
    """Store a letter's bytes once, compressed, and return their SHA-256."""
    [digest] = keep_bodies(connection, [body], now)
    return digest


def keep_bodies(connection: Connection, texts: Sequence[bytes], now: datetime) -> list[bytes]:
    """Store letters' bytes, each once, compressed, and return their SHA-256 in the same order."""
    digests = [hashlib.sha256(body).digest() for body in texts]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = [
        {"sha256": digest, "body": zlib.compress(body, LEVEL), "at": now}
        for digest, body in zip(digests, texts, strict=True)
    ]
    if values:
        connection.execute(dialect.insert(bodies).on_conflict_do_nothing(), values)
    return digests


def shrunk_to(connection: Connection, letter_id: int, sha256: bytes) -> bool:
    """True if the log tells how the approved letter shrank to these bytes."""
    query = select(events.c.data).where(
        events.c.subject == "letter",
        events.c.subject_id == letter_id,
        events.c.what == "letter.shrunk",
    )
    return any(f'"to":"{sha256.hex()}"' in data for data in connection.execute(query).scalars())


def abandoned(connection: Connection, now: datetime) -> tuple[list[int], list[int], list[int]]:
    """Return CLAIMED letters of dead workers: (their dot was never written), (it was, no reply), (attempts to close).

    The letters are locked first, and their dots are read by a statement of its own: one that waited for a worker which was
    not dead, and was committing to a dot, would still see what was there before (READ COMMITTED).
    """
    held = select(letters.c.id).where(letters.c.state == LetterState.CLAIMED, free(letters, now)).order_by(letters.c.id)
    ids = list(connection.execute(held.with_for_update()).scalars())
    last = and_(attempts.c.letter_id == letters.c.id, attempts.c.number == letters.c.attempts)
    query = select(letters.c.id, attempts.c.id.label("attempt_id"), attempts.c.dot_at).join(attempts, last)
    found = [row for chunk in chunks(ids) for row in rows(connection, query.where(letters.c.id.in_(chunk)))]
    safe = [row["id"] for row in found if row["dot_at"] is None]
    unknown = [row["id"] for row in found if row["dot_at"] is not None]
    return safe, unknown, [row["attempt_id"] for row in found]


def waits_for(connection: Connection, wave_ids: Sequence[int]) -> str:
    """Return why the letter that is due next waits: `window`, the reply that deferred it, or nothing."""
    query = select(letters.c.reason).where(letters.c.wave_id.in_(wave_ids), letters.c.state.in_(DUE))
    return str(connection.execute(query.order_by(letters.c.due_at).limit(1)).scalar() or "")


def next_due(connection: Connection, wave_ids: Sequence[int]) -> datetime | None:
    """Return when the next letter of these waves is due, or None if none is left to send."""
    query = select(letters.c.due_at).where(letters.c.wave_id.in_(wave_ids), letters.c.state.in_(DUE))
    return connection.execute(query.order_by(letters.c.due_at).limit(1)).scalar()


def left(connection: Connection, wave_ids: Sequence[int]) -> int:
    """Return how many letters of these waves are still to be sent."""
    query = select(func.count()).where(letters.c.wave_id.in_(wave_ids), letters.c.state.in_(DUE))
    return int(connection.execute(query).scalar_one())
