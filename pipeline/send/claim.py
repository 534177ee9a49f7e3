"""Claim the letters that may leave now, each past its gate, with its slot and its written intent.

Reads: letters due in waves SENDING; suppressions, exclusions, evidence and wishes as they are now.  Writes, within the
caller's transaction: letters ended or shrunk at the gate, slots of budgets, claims, attempts before a connection is used.
Safe to repeat: a claimed letter is not due; what is not committed was never handed over.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import Event, IntegrityFailure, RefusedBySafety, Send, TocsinError
from pipeline.send import watch
from pipeline.send.canary import within
from pipeline.send.dkim import header_block, unsigned
from pipeline.send.gate import Decision, Gate
from pipeline.send.head import head
from pipeline.send.judge import judge
from pipeline.send.over import all_rest, routed
from pipeline.send.put_off import in_window
from pipeline.send.turns import Over
from pipeline.send.work import BY, Sending, UnderWay
from pipeline.store import lives, waves
from pipeline.store import send as store
from pipeline.store.db import Connection

LOOK_AHEAD = 5  # letters put to the gate beyond those that there is room for
EARLIER = timedelta(seconds=1)  # than the slot of its dot the envelope of a letter may be said
ENDS = {
    Gate.WITHDRAW: Event.LETTER_WITHDRAWN,
    Gate.SUPPRESS: Event.LETTER_SUPPRESSED,
    Gate.EXPIRE: Event.LETTER_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """Letters to hand over now; when to look again, and which budget says so; whether nothing was due at all.

    `refused`: nothing more may be claimed, and this is why; it is raised once the letters under way have ended, as what
    became of them could not be written down otherwise.
    """

    letters: tuple[Send, ...] = ()
    wait: datetime | None = None
    why: str = ""
    exhausted: bool = False
    refused: TocsinError | None = None


def claim(run: Sending, connection: Connection, before: Claimed, now: datetime) -> Claimed:
    """Claim as many letters as there is room for, each with its gate, its slot and its written intent."""
    if run.spread is not None and (rests := all_rest(run.spread, connection, now)):
        return Claimed((), *rests)
    room = run.room
    if room <= 0 or (before.wait is not None and before.wait > now):
        return Claimed((), before.wait, before.why)
    sending = {wave["id"]: wave for wave in waves.sending(connection)}
    if refused := _refused(run, connection, sending):
        return Claimed(exhausted=True, refused=refused)
    rooms = watch.rooms(run, connection, sending, now)
    open_waves = [wave for wave in sending if rooms.get(wave, 1) > 0]
    found = within(store.due(connection, open_waves, now, room + LOOK_AHEAD), rooms)
    in_hours = in_window(connection, list(sending), found, run.settings.window, now)
    eased = watch.eased(run, sending, now)
    at_dot = run.shared if run.spacing.at_dot else ()
    turns = run.pacing.turns(
        *(connection, run.settings.paces, run.settings.relay, list(sending), in_hours, now, eased, at_dot),
        under_way=run.without_slot,
        over=Over(run.spread, run.over_each) if run.spread is not None else None,
    )
    ready: list[tuple[store.Due, datetime]] = []
    for due, decision in judge(connection, sending, in_hours, run.settings, now, set()):
        if len(ready) == room:
            break
        if turns.must_wait(due):
            continue
        if turns.takes_no_mail(due):
            decision = Decision(Gate.WITHDRAW, "no_mail")
        try:
            settled = _settle(run, connection, due, decision, now)
        except IntegrityFailure as error:
            refused = error
            break
        if settled is None:
            continue
        slot = turns.take(due)
        if slot is not None:
            ready.append((settled, slot))
        elif turns.wait is not None:
            break
    written = _written(run, connection, ready)
    turns.write()
    exhausted = not found and turns.wait is None
    letters = _intend(run, connection, ready, written, now)
    if run.spread is not None:
        letters = routed(run, letters, turns.relays, now)
    return Claimed(letters, turns.wait, turns.why, exhausted, refused)


def _refused(run: Sending, connection: Connection, sending: Mapping[int, Mapping[str, Any]]) -> TocsinError | None:
    """Return why the waves may not be sent as their approvals are now, or nothing at all; None if they may."""
    if run.signing is not None and run.signing.elsewhere is not None and run.signing.elsewhere.lost is not None:
        return run.signing.elsewhere.lost
    for wave in sending.values():
        try:
            objection = run.approved(connection, dict(wave))
        except TocsinError as error:  # the allowed-signers file is gone
            return error
        if objection:
            return RefusedBySafety(
                f"Wave {wave['number']} of {wave['campaign']} may not be sent",
                objection,
                f"Look at it: tocsin send {wave['campaign']} --wave {wave['number']}",
            )
    return None


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
        body_hash = run.signing.body_hash(body) if run.signing is not None else None
        return store.shrink(connection, due, body, decision.dropped or {}, now, BY, body_hash)
    return due


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes that letters are stored as, by their hash, and what waits for the lines on top of each: being signed."""

    bodies: Mapping[bytes, bytes]
    tops: Callable[[], list[bytes]]


def _written(run: Sending, connection: Connection, ready: Sequence[tuple[store.Due, datetime]]) -> Written:
    """Begin to write the lines that are put before letters' stored bytes: signatures, date, seal."""
    if not ready:
        return Written({}, list)
    bodies = store.read_bodies(connection, {due.sha256 for due, _ in ready})
    seal = run.newest_seal(connection)
    tops = [head(slot, seal) for _, slot in ready]
    signing = run.signing
    if signing is None:
        return Written(bodies, lambda: tops)
    lot = []
    for top, (due, slot) in zip(tops, ready, strict=True):
        body = bodies[due.sha256]
        body_hash = due.body_hash or signing.body_hash(body)
        lot.append(unsigned(top + header_block(body), body_hash, signing.keys, slot))
    lines = signing.sign_all(lot)
    return Written(bodies, lambda: [line + top for line, top in zip(lines(), tops, strict=True)])


def _intend(
    run: Sending, connection: Connection, ready: Sequence[tuple[store.Due, datetime]], written: Written, now: datetime
) -> tuple[Send, ...]:
    """Claim the letters and write their attempts: committed before the first byte leaves."""
    if not ready:
        return ()
    lease = store.claim(connection, [due.id for due, _ in ready], run.worker_id, now, BY)
    letters, values = [], []
    for (due, slot), top in zip(ready, written.tops(), strict=True):
        data = top + written.bodies[due.sha256]
        sender = run.keys.envelope_sender(run.settings.sender, due.id)
        delay = max((slot - now - EARLIER).total_seconds(), 0.0)
        letters.append(Send(due.id, 0, sender, due.recipient, data, delay))
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
        run.under_way[due.id] = UnderWay(lease.claims[due.id], slot, taken=not run.spacing.at_dot)
    ids = store.intend(connection, values)
    return tuple(replace(letter, attempt_id=i, envid=f"{i}") for letter, i in zip(letters, ids, strict=True))
