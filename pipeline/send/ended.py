"""Write down what became of letters: what the relay said, and what follows from it.

Reads: what was tried before.  Writes, within the caller's transaction: replies, letters moved by them, cases NOTICED,
slower budgets.  Safe to repeat: a reply is written with the claim
under which its letter was sent.  Standards: RFC 5321 4.2.1, 4.5.4.1; RFC 3463.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import Event, Result
from pipeline.send.over import hear
from pipeline.send.replies import Judgement, Kind, Scope, judge, next_attempt
from pipeline.send.work import BY, Sending
from pipeline.store import connections, lives
from pipeline.store import send as store
from pipeline.store.db import Connection
from pipeline.store.lives import Lease


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
        due_at = _due_again(run, connection, result.letter_id, judgement, now)
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


def _due_again(
    run: Sending, connection: Connection, letter_id: int, judgement: Judgement, now: datetime
) -> datetime | None:
    """Return when a letter is due again: by RFC 5321 4.5.4.1 if deferred (None: give it up), soon if released.

    At once where another relay may take it: one that goes on refusing us is left alone.
    """
    if judgement.kind is Kind.DEFERRED:
        first, count = store.tries(connection, letter_id)
        return next_attempt(first, now, count)
    if judgement.kind is Kind.RELEASED:
        waits = run.spread is None and judgement.scope in (Scope.RELAY, Scope.US)
        return now + timedelta(seconds=30 if waits else 0)
    return None


def _hear_of_the_relay(
    run: Sending, connection: Connection, result: Result, judgement: Judgement, now: datetime
) -> None:
    """Slow down where the relay asks for it, and count what it says against us rather than against a letter."""
    relay = run.under_way[result.letter_id].relay or run.settings.relay
    run.pacing.slow(connection, result.letter_id, judgement.scope, result.reply, relay, now)
    if run.spread is not None:
        hear(run.spread, connection, relay, judgement, now)
        return
    if judgement.kind is Kind.RELEASED and judgement.scope is Scope.LETTER:
        return  # we stopped it ourselves
    about_us = judgement.scope is Scope.US or (judgement.kind is Kind.RELEASED and judgement.scope is Scope.RELAY)
    run.refusals_of_us = run.refusals_of_us + 1 if about_us else 0
    run.last_words = f"{result.relay} at {result.stage}: {result.reply or ''} {result.enhanced} {result.text}".strip()
