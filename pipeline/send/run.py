"""Send the letters of released waves, one SMTP transaction each.

Reads: letters APPROVED or DEFERRED that are due, in waves SENDING.  Writes: an attempt before the connection is used, the
time of the final dot before it is written, the reply after.  Safe to repeat: nothing is sent twice; an attempt without a
dot goes back, one with a dot and no reply is UNCERTAIN and left for proof or a person.
Standards: RFC 5321 4.2.1, 4.5.4.1; RFC 1047; RFC 3463.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import (
    CaseState,
    Clock,
    Event,
    Exposure,
    Go,
    IntegrityFailure,
    LetterState,
    Progress,
    Ready,
    RefusedBySafety,
    Result,
    Send,
    Stop,
    TryAgain,
    Wire,
)
from pipeline.send.gate import NO_WISH, CaseNow, Decision, Gate, Wish, decide
from pipeline.send.head import head
from pipeline.send.replies import Judgement, Kind, Scope, judge, next_attempt
from pipeline.store import budgets, lives, preferences, waves
from pipeline.store import send as store
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys
from pipeline.store.lives import Lease

BY = "tocsin"
LOOK_AHEAD = 5  # letters put to the gate beyond those that there is room for
AHEAD = timedelta(seconds=2)  # a slot further away than that is not taken yet
PATIENCE = timedelta(minutes=2)  # a pause longer than that ends the run; the next one goes on
LONGEST_DRAIN = 30.0  # seconds given to open transactions when a person stops us
MOST_REFUSALS_OF_US = 3  # in a row: the relay does not want us, whatever the letter


@dataclass(frozen=True, slots=True)
class SendSettings:
    """What this stage needs of the settings.  `sender` is the mailbox that envelope senders are made from."""

    sender: str
    relay: str
    connections: int
    rate: float
    per_day: int
    per_domain_rate: float
    fresh_for: timedelta
    guests: tuple[str, ...]


@dataclass(slots=True)
class Sending:
    """One run: what it was given, and what is under way."""

    db: Database
    wire: Wire[Send | Go | Stop, Ready | Result]
    settings: SendSettings
    keys: Keys
    worker_id: int
    clock: Clock
    progress: Progress
    approved: Callable[[Connection, dict[str, Any]], str]
    rewrite: Callable[[Connection, int], bytes]
    unbroken: Callable[[], AbstractContextManager[None]] = nullcontext  # a round that a stop does not tear apart
    under_way: dict[int, Lease] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    refusals_of_us: int = 0
    last_words: str = ""
    total: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """Letters to hand over now; when to look again, and which budget says so; whether nothing was due at all."""

    letters: tuple[Send, ...] = ()
    wait: datetime | None = None
    why: str = ""
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: letters by what became of them; and when, and why, the rest waits."""

    tally: Mapping[str, int]
    left: int
    wait: datetime | None = None
    why: str = ""


def send(run: Sending) -> Outcome:
    """Send all that is due and not held, at the pace the budgets allow, and say what is left and why.

    Raises RefusedBySafety if a wave's approvals no longer hold, TryAgain if the relay refuses us.
    """
    with run.db.write() as connection:
        recover(connection, run.clock())
        run.total = store.left(connection, [wave["id"] for wave in waves.sending(connection)])
    try:
        wait, why = _work(run)
    except Exception:
        raise
    except BaseException:  # a person stopped us: finish what is open, give back the rest
        _drain(run)
        raise
    with run.db.write() as connection:
        waves.finish(connection, run.clock(), BY)
        ids = [wave["id"] for wave in waves.sending(connection)]
        left = store.left(connection, ids)
        wait = wait or store.next_due(connection, ids)
    return Outcome(dict(run.tally), left, wait, why)


def recover(connection: Connection, now: datetime) -> int:
    """Settle what dead workers left CLAIMED; returns how many letters.

    Without a dot the letter cannot have been accepted: it goes back.  With one it is UNCERTAIN (RFC 1047).
    """
    safe, unknown, open_attempts = store.abandoned(connection, now)
    ended = [{"attempt": attempt_id, "ended_at": now, "outcome": "abandoned"} for attempt_id in open_attempts]
    store.record_replies(connection, ended)
    given_back = {"worker_id": None, "due_at": now}
    lives.advance(connection, safe, Event.LETTER_RELEASED, now, BY, why="worker_died", values=given_back)
    lives.advance(connection, unknown, Event.LETTER_UNCERTAIN, now, BY, why="worker_died", values={"worker_id": None})
    return len(safe) + len(unknown)


def _work(run: Sending) -> tuple[datetime | None, str]:
    """Claim, ask, listen and write until nothing more can go now; returns when to go on, and why then."""
    claimed = Claimed()
    while True:
        with run.unbroken():
            claimed = _round(run, claimed)
        run.progress("letters", sum(run.tally.values()), run.total)
        if run.under_way:
            continue
        if _unwanted(run):
            raise TryAgain("The relay refuses us", run.last_words, "Look at the relay and its log, then run it again.")
        if claimed.exhausted or (claimed.wait is not None and claimed.wait - run.clock() > PATIENCE):
            return claimed.wait, claimed.why


def _round(run: Sending, claimed: Claimed) -> Claimed:
    """Listen once, write down what was heard and who is next, then tell the edge."""
    answers = run.wire.take(_patience(run, claimed))
    with run.db.write() as connection:
        now = run.clock()
        messages = _dots(run, connection, [a for a in answers if isinstance(a, Ready)], now)
        _replies(run, connection, [a for a in answers if isinstance(a, Result)], now)
        claimed = Claimed(exhausted=True) if _unwanted(run) else _claim(run, connection, claimed, now)
    for message in messages:
        run.wire.tell(message)
    for letter in claimed.letters:
        run.wire.ask(letter)
    return claimed


def _unwanted(run: Sending) -> bool:
    return run.refusals_of_us >= MOST_REFUSALS_OF_US


def _patience(run: Sending, claimed: Claimed) -> float:
    """Return how many seconds to listen before looking for more letters."""
    if len(run.under_way) >= run.settings.connections or (run.under_way and claimed.exhausted):
        return 0.5
    if claimed.wait is not None:
        return min(max((claimed.wait - run.clock()).total_seconds(), 0.0), 0.5)
    return 0.02 if run.under_way else 0.0


def _dots(run: Sending, connection: Connection, ready: Sequence[Ready], now: datetime) -> list[Go | Stop]:
    """Commit to the final dots of letters whose relay said 354, but for those that a hold has come to cover."""
    held = store.held_among(connection, [r.letter_id for r in ready], now) if ready else set()
    go = [r for r in ready if r.letter_id not in held]
    if go:
        claims = {r.letter_id: run.under_way[r.letter_id].claims[r.letter_id] for r in go}
        store.write_dot(connection, [r.attempt_id for r in go], Lease(run.worker_id, claims), now)
    return [Stop(r.letter_id) if r.letter_id in held else Go(r.letter_id) for r in ready]


def _replies(run: Sending, connection: Connection, results: Sequence[Result], now: datetime) -> None:
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
    store.record_replies(connection, [_reply(result, kinds[result.letter_id], now) for result in results])
    claims = {letter: run.under_way[letter].claims[letter] for letter in said}
    lease = Lease(run.worker_id, claims)
    for (kind, why, due_at), ids in fates.items():
        _move(connection, kind, why, due_at, ids, said, lease, now)
    for letter in said:
        run.under_way.pop(letter)
    run.wire.done(len(said))


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


def _reply(result: Result, kind: Kind, now: datetime) -> dict[str, Any]:
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
    if judgement.scope is Scope.RELAY and result.reply:
        budgets.postpone(connection, f"mail:relay:{run.settings.relay}", now + timedelta(seconds=60))
    about_us = judgement.scope is Scope.US or (judgement.kind is Kind.RELEASED and judgement.scope is Scope.RELAY)
    run.refusals_of_us = run.refusals_of_us + 1 if about_us else 0
    run.last_words = f"{result.relay} at {result.stage}: {result.reply or ''} {result.enhanced} {result.text}".strip()


def _claim(run: Sending, connection: Connection, before: Claimed, now: datetime) -> Claimed:
    """Claim as many letters as connections are free, each with its gate, its slot and its written intent."""
    room = run.settings.connections - len(run.under_way)
    if room <= 0 or (before.wait is not None and before.wait > now):
        return Claimed((), before.wait, before.why)
    sending = {wave["id"]: wave for wave in waves.sending(connection)}
    for wave in sending.values():
        if objection := run.approved(connection, wave):
            raise RefusedBySafety(
                f"Wave {wave['number']} of {wave['campaign']} may not be sent", objection, "Have it approved again."
            )
    found = store.due(connection, list(sending), now, room + LOOK_AHEAD)
    ready: list[tuple[store.Due, datetime]] = []
    wait, why = None, ""
    for due, decision in _gates(run, connection, sending, found, now):
        if len(ready) == room:
            break
        settled = _settle(run, connection, due, decision, now)
        if settled is None:
            continue
        slot = budgets.reserve(connection, _limits(run, due), 1, now, AHEAD)
        if slot.slots:
            ready.append((settled, slot.slots[0]))
        elif slot.key.startswith("mail:domain:"):
            store.postpone(connection, due.id, slot.wait or now + AHEAD)
        else:
            wait, why = slot.wait, slot.key
            break
    return Claimed(_intend(run, connection, ready, now), wait, why, exhausted=not found)


def _gates(
    run: Sending,
    connection: Connection,
    sending: Mapping[int, dict[str, Any]],
    found: Sequence[store.Due],
    now: datetime,
) -> list[tuple[store.Due, Decision]]:
    """Put each due letter to the gate, with suppressions, exclusions, evidence and wishes as they are now.

    Of several letters to a contact that asked for few, one is judged at a time: the next, once that one is on record.
    """
    closed = store.excluded_ranges(connection, now) + store.suppressed_ranges(connection)
    cases = store.cases_of(connection, [due.notice_id for due in found])
    suppressed = store.suppressed(connection, [due.mailbox for due in found], now)
    first = store.first_attempts(connection, [due.id for due in found if due.state is LetterState.DEFERRED])
    wishes = _wishes(connection, {due.contact_id for due in found}, now)
    decisions, judged = [], set()
    for due in found:
        wish = wishes.get(due.contact_id, NO_WISH)
        if wish.cadence and due.contact_id in judged:
            continue
        judged.add(due.contact_id)
        known = [
            CaseNow(
                case["id"],
                CaseState(case["state"]),
                Exposure(case["exposure"]),
                case["exposure_at"],
                store.within(case["address"], closed),
            )
            for case in cases[due.notice_id]
        ]
        decision = decide(
            due.mailbox,
            known,
            training=sending[due.wave_id]["mode"] == "training",
            guests=run.settings.guests,
            suppressed=suppressed.get(due.mailbox, ""),
            first_attempt_at=first.get(due.id),
            now=now,
            fresh_for=run.settings.fresh_for,
            wish=wish,
        )
        decisions.append((due, decision))
    return decisions


def _wishes(connection: Connection, contact_ids: set[int], now: datetime) -> dict[int, Wish]:
    """Return what those contacts asked for that asked for anything, and when a letter last left for those that want few."""
    asked = preferences.of_many(connection, contact_ids, now)
    last = store.last_left(connection, sorted(contact for contact, wish in asked.items() if wish.cadence_days))
    return {
        contact: Wish(wish.inhibited_until, timedelta(days=wish.cadence_days), last.get(contact))
        for contact, wish in asked.items()
    }


ENDS = {
    Gate.WITHDRAW: Event.LETTER_WITHDRAWN,
    Gate.SUPPRESS: Event.LETTER_SUPPRESSED,
    Gate.EXPIRE: Event.LETTER_EXPIRED,
}


def _settle(
    run: Sending, connection: Connection, due: store.Due, decision: Decision, now: datetime
) -> store.Due | None:
    """Return the letter as it may go, shrunk where cases must leave it, or None once it has been ended instead."""
    if decision.dropped:
        store.drop_cases(connection, due.notice_id, decision.dropped, now)
    if decision.gate in ENDS:
        values = {"reason": decision.reason, "due_at": None}
        lives.advance(connection, [due.id], ENDS[decision.gate], now, BY, why=decision.reason, values=values)
        run.tally[decision.gate.value] += 1
        return None
    if due.sha256 != due.approved_sha256 and not store.shrunk_to(connection, due.id, due.sha256):
        raise IntegrityFailure(
            f"Letter {due.id} is not the one that was approved", "its bytes have changed", "Run: tocsin audit verify"
        )
    if decision.gate is Gate.SHRINK:
        body = run.rewrite(connection, due.notice_id)
        return store.shrink(connection, due, body, decision.dropped or {}, now, BY)
    return due


def _limits(run: Sending, due: store.Due) -> list[Limit]:
    """Return the budgets of one letter, narrowest first."""
    domain = due.mailbox.rsplit("@", 1)[-1]
    return [
        Limit(f"mail:domain:{domain}", run.settings.per_domain_rate),
        Limit(f"mail:relay:{run.settings.relay}", run.settings.rate),
        Limit("mail:all", run.settings.rate, run.settings.per_day),
    ]


def _intend(
    run: Sending, connection: Connection, ready: Sequence[tuple[store.Due, datetime]], now: datetime
) -> tuple[Send, ...]:
    """Claim the letters and write their attempts: committed before the first byte leaves."""
    if not ready:
        return ()
    lease = store.claim(connection, [due.id for due, _ in ready], run.worker_id, now, BY)
    letters, values = [], []
    bodies = store.read_bodies(connection, {due.sha256 for due, _ in ready})
    for due, slot in ready:
        top = head(slot)
        data = top + bodies[due.sha256]
        sender = run.keys.envelope_sender(run.settings.sender, due.id)
        letters.append(Send(due.id, 0, sender, due.recipient, data, max((slot - now).total_seconds(), 0.0)))
        values.append(
            {
                "letter_id": due.id,
                "number": due.attempts + 1,
                "worker_id": run.worker_id,
                "head": top,
                "sha256": hashlib.sha256(data).digest(),
                "sender": sender,
                "recipient": due.recipient,
                "started_at": now,
            }
        )
        run.under_way[due.id] = lease
    ids = store.intend(connection, values)
    return tuple(replace(letter, attempt_id=i, envid=f"{i}") for letter, i in zip(letters, ids, strict=True))


def _drain(run: Sending) -> None:
    """A person stopped us: let transactions whose dot is committed finish, abandon the others, write what happened."""
    waited = 0.0
    for letter_id in run.under_way:
        run.wire.tell(Stop(letter_id))  # too late for those that had their Go
    while run.under_way and waited < LONGEST_DRAIN:
        answers = run.wire.take(0.5)
        waited += 0 if answers else 0.5
        for answer in answers:
            if isinstance(answer, Ready):
                run.wire.tell(Stop(answer.letter_id))
        with run.db.write() as connection:
            _replies(run, connection, [a for a in answers if isinstance(a, Result)], run.clock())
