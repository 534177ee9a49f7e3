"""Write down what the relay said: before the final dot of a letter, and after it.

Reads: holds, what was tried before.  Writes, within the caller's transaction: the time of the final dot before it is
written, replies, letters moved by them, cases NOTICED, slower budgets.  Safe to repeat: a reply is written with the claim
under which its letter was sent.  Standards: RFC 5321 4.2.1, 4.5.4.1; RFC 3463.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import Event, Go, Ready, Result, Stop
from pipeline.send.replies import Judgement, Kind, Scope, judge, next_attempt
from pipeline.send.spacing import FURTHEST
from pipeline.send.work import BY, Sending
from pipeline.store import budgets, connections, lives
from pipeline.store import send as store
from pipeline.store.db import Connection
from pipeline.store.lives import Lease


def commit_dots(run: Sending, connection: Connection, ready: Sequence[Ready], now: datetime) -> list[Go | Stop]:
    """Commit to the final dots of letters whose relay said 354 and whose slots have come, but for those that a hold has
    come to cover.

    The others wait: for a hold nothing has been said of them, and the next round asks again.
    """
    for said in ready:
        if letter := run.under_way.get(said.letter_id):  # else it has ended since
            letter.attempt_id, letter.asked = said.attempt_id, True
    _give_new_slots(run, connection, now)
    waiting = [(letter.slot, letter_id) for letter_id, letter in run.under_way.items() if letter.asked]
    granted, run.dots_at = run.spacing.due(waiting, now)
    held = store.held_among(connection, [letter_id for letter_id, _ in granted], now) if granted else set()
    go = {letter_id: run.under_way[letter_id] for letter_id, _ in granted if letter_id not in held}
    if go:
        lease = Lease(run.worker_id, {letter_id: letter.claim for letter_id, letter in go.items()})
        store.write_dot(connection, [letter.attempt_id for letter in go.values()], lease, now)
    for letter_id, _ in granted:
        run.under_way[letter_id].asked = False
    return [
        Stop(letter_id) if letter_id in held else Go(letter_id, (at - now).total_seconds()) for letter_id, at in granted
    ]


def _give_new_slots(run: Sending, connection: Connection, now: datetime) -> None:
    """Letters whose slots passed long ago take new ones, of the paces that all workers share.

    Where those have none soon (the relay asked us to slow down), they keep theirs: the relay waits for them.
    """
    late = [letter for letter in run.under_way.values() if letter.asked and run.spacing.late(letter.slot, now)]
    if late:
        slots = budgets.reserve(connection, run.shared, len(late), now, FURTHEST, narrow=0).slots
        for letter, slot in zip(sorted(late, key=lambda letter: letter.slot), slots, strict=False):
            letter.slot = slot


def write_replies(run: Sending, connection: Connection, results: Sequence[Result], now: datetime) -> None:
    """Write down how transactions ended, and move their letters, those of one fate together."""
    if not results:
        return
    fates: dict[tuple[Kind, str, datetime | None], list[int]] = defaultdict(list)
    said = {result.letter_id: result for result in results}
    kinds: dict[int, Kind] = {}
    for result in results:
        judgement = judge(result.stage, result.reply, result.enhanced, result.text, result.dot_written)
        kinds[result.letter_id] = judgement.kind
        why = result.enhanced or str(result.reply or result.stage)
        due_at = _due_again(connection, result.letter_id, judgement, now)
        fates[judgement.kind, why, due_at].append(result.letter_id)
        _hear_of_the_relay(run, connection, result, judgement, now)
        run.tally[judgement.kind.value] += 1
    connections.write(connection, [result.connection for result in results], run.connections)
    store.record_replies(connection, [_reply(run, result, kinds[result.letter_id], now) for result in results])
    lease = Lease(run.worker_id, {letter: run.under_way[letter].claim for letter in said})
    for (kind, why, due_at), ids in fates.items():
        _move(connection, kind, why, due_at, ids, said, lease, now)
    for letter in said:
        run.under_way.pop(letter)


def _move(
    connection: Connection,
    kind: Kind,
    why: str,
    due_at: datetime | None,
    ids: Sequence[int],
    said: Mapping[int, Result],
    lease: Lease,
    now: datetime,
) -> None:
    """Move letters that ended alike; what was handed over makes its cases NOTICED."""

    def data(letter: int) -> dict[str, Any]:
        return {"attempt": said[letter].attempt_id, "stage": said[letter].stage, "reply": said[letter].reply}

    values = {"worker_id": None, "due_at": due_at, "reason": why}
    event = Event(f"letter.{kind.value}")
    lives.advance(connection, ids, event, now, BY, why=why, data=data, lease=lease, values=values)
    if kind is Kind.DEFERRED and due_at is None:
        lives.advance(connection, ids, Event.LETTER_EXPIRED, now, BY, why="five_days")
    if kind is Kind.HANDED:
        store.noticed(connection, ids, now, BY)


def _reply(run: Sending, result: Result, kind: Kind, now: datetime) -> dict[str, Any]:
    return {
        "attempt": result.attempt_id,
        "ended_at": now,
        "relay": result.relay,
        "tls": result.tls,
        "stage": result.stage,
        "reply": result.reply,
        "enhanced": result.enhanced,
        "reply_text": result.text,
        "outcome": kind.value,
        "connection_id": run.connections[result.connection] if result.connection else None,
        "said": connections.said_text(result.said),
    }


def _due_again(connection: Connection, letter_id: int, judgement: Judgement, now: datetime) -> datetime | None:
    """Return when a letter is due again: by RFC 5321 4.5.4.1 if deferred (None: give it up), soon if released."""
    if judgement.kind is Kind.DEFERRED:
        first, count = store.tries(connection, letter_id)
        return next_attempt(first, now, count)
    if judgement.kind is Kind.RELEASED:
        return now + timedelta(seconds=30 if judgement.scope in (Scope.RELAY, Scope.US) else 0)
    return None


def _hear_of_the_relay(
    run: Sending, connection: Connection, result: Result, judgement: Judgement, now: datetime
) -> None:
    """Slow down where the relay asks for it, and count what it says against us rather than against a letter."""
    run.pacing.slow(connection, result.letter_id, judgement.scope, result.reply, run.settings.relay, now)
    if judgement.kind is Kind.RELEASED and judgement.scope is Scope.LETTER:
        return  # we stopped it ourselves
    about_us = judgement.scope is Scope.US or (judgement.kind is Kind.RELEASED and judgement.scope is Scope.RELAY)
    run.refusals_of_us = run.refusals_of_us + 1 if about_us else 0
    run.last_words = f"{result.relay} at {result.stage}: {result.reply or ''} {result.enhanced} {result.text}".strip()
