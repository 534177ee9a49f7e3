"""Commit to the final dots of letters whose relay waits for the message, each at its slot.

Reads: holds, budgets.  Writes, within the caller's transaction: slots of the paces that all letters share, the time of each
dot before it is written.  Safe to repeat: what is not committed was not taken, and no dot is written without its commit.
Standards: RFC 5321 4.2.1.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pipeline.domain import Go, Ready, Stop
from pipeline.send.spacing import AGAIN
from pipeline.send.work import Sending, UnderWay
from pipeline.store import budgets
from pipeline.store import send as store
from pipeline.store.db import Connection
from pipeline.store.lives import Lease

PATIENCE = timedelta(seconds=5)  # no relay is kept waiting for a slot that is further away


def commit_dots(run: Sending, connection: Connection, ready: Sequence[Ready], now: datetime) -> list[Go | Stop]:
    """Commit to the dots of letters that have slots, but for those that a hold has come to cover.

    The others wait, and the next round asks again; but where there is no slot for long, because the relay asked us to slow
    down, they are stopped.
    """
    for said in ready:
        if letter := run.under_way.get(said.letter_id):  # else it has ended since
            letter.taken = letter.taken and not letter.gone  # it could not be written at its slot
            letter.attempt_id, letter.asked, letter.gone = said.attempt_id, True, False
    asked = {letter_id: letter for letter_id, letter in run.under_way.items() if letter.asked}
    run.dots_at = None
    if not asked:
        return []
    stopped = _take_slots(run, connection, sorted(asked.values(), key=lambda letter: letter.slot), now)
    granted = [letter_id for letter_id, letter in asked.items() if letter.taken or not run.spacing.apart]
    go = _free_to_go(run, connection, {letter_id: asked[letter_id] for letter_id in granted}, now)
    over = asked if stopped else granted
    for letter_id in over:
        asked[letter_id].asked, asked[letter_id].gone = False, letter_id in go
    return [_go(run, letter_id, asked[letter_id], now) if letter_id in go else Stop(letter_id) for letter_id in over]


def _free_to_go(run: Sending, connection: Connection, granted: Mapping[int, UnderWay], now: datetime) -> set[int]:
    """Write the dots of letters that have slots, and return those letters of which that was done: no hold covers them."""
    if not granted:
        return set()
    lease = Lease(run.worker_id, {letter_id: letter.claim for letter_id, letter in granted.items()})
    return store.write_dot(connection, [letter.attempt_id for letter in granted.values()], lease, now)


def _take_slots(run: Sending, connection: Connection, asked: Sequence[UnderWay], now: datetime) -> bool:
    """Let letters take the slots that come soon, and find out when to ask for more; True if there are none for long."""
    spacing = run.spacing
    if not spacing.apart:
        return False
    soon = now + spacing.lead
    for letter in asked:
        letter.taken = letter.taken and (soon - letter.slot).total_seconds() <= spacing.late
    without = [letter for letter in asked if not letter.taken]
    if not without:
        return False
    ledger = budgets.Ledger(connection, run.shared)
    count = min(len(without), spacing.share(ledger.room(run.shared, soon, spacing.ahead)))
    found = ledger.reserve(run.shared, count, soon, spacing.ahead, narrow=0)
    ledger.write()
    for letter, slot in zip(without, found.slots, strict=False):
        letter.slot, letter.taken = slot, True
    if len(found.slots) == len(without):
        return False
    following = found.slots[-1] + spacing.apart if found.slots else (found.wait or soon) + spacing.ahead
    run.dots_at = max(following - spacing.ahead / 2 - spacing.lead, now + AGAIN)
    return run.dots_at - now > PATIENCE


def _go(run: Sending, letter_id: int, letter: UnderWay, now: datetime) -> Go:
    if not run.spacing.apart:
        return Go(letter_id)
    delay = max((letter.slot - now).total_seconds(), 0.0)
    return Go(letter_id, delay, run.began, run.spacing.late, run.spacing.rate)
