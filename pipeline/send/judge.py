"""Put letters to the gate, with suppressions, exclusions, evidence and wishes as they are at this moment.

Asked in the transaction that claims letters, and by the plan of a wave, which is thereby judged by the very same rules.
Reads: suppressions, exclusions, notice_cases, cases, attempts, contact_preferences.  Writes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import NO_WISH, Address, CaseState, Exposure, LetterState, Wish
from pipeline.send.gate import CaseNow, Decision, decide
from pipeline.send.work import SendSettings
from pipeline.store import preferences
from pipeline.store import send as store
from pipeline.store.db import Connection


def judge(
    connection: Connection,
    waves: Mapping[int, Mapping[str, Any]],
    found: Sequence[store.Due],
    settings: SendSettings,
    now: datetime,
    judged: set[int],
    *,
    lock: bool = True,
) -> list[tuple[store.Due, Decision]]:
    """Return each letter with the gate's decision; `waves` has the mode of each letter's wave.

    Of several letters to a contact that asked for few, one is judged at a time: the next, once that one is on record, is
    left out.  `judged` collects the contacts of which that is so.  With `lock` nobody else may judge letters to them
    until the transaction ends.
    """
    closed = store.closed_ranges(connection, now)
    cases = store.cases_of(connection, [due.notice_id for due in found])
    suppressed = store.suppressed(connection, [due.mailbox for due in found], now)
    first = store.first_attempts(connection, [due.id for due in found if due.state is LetterState.DEFERRED])
    wishes = _wishes(connection, {due.contact_id for due in found}, now, lock=lock)
    decisions = []
    for due in found:
        wish = wishes.get(due.contact_id, NO_WISH)
        if wish.cadence:
            if due.contact_id in judged:
                continue
            judged.add(due.contact_id)
        decision = decide(
            due.mailbox,
            [_as_it_stands(case, closed) for case in cases[due.notice_id]],
            training=waves[due.wave_id]["mode"] == "training",
            guests=settings.guests,
            suppressed=suppressed.get(due.mailbox, ""),
            first_attempt_at=first.get(due.id),
            now=now,
            fresh_for=settings.fresh_for,
            wish=wish,
        )
        decisions.append((due, decision))
    return decisions


def _as_it_stands(case: Mapping[str, Any], closed: Sequence[tuple[Address, Address]]) -> CaseNow:
    excluded = store.within(case["address"], closed)
    return CaseNow(case["id"], CaseState(case["state"]), Exposure(case["exposure"]), case["exposure_at"], excluded)


def _wishes(connection: Connection, contact_ids: Collection[int], now: datetime, *, lock: bool) -> dict[int, Wish]:
    """Return what those contacts asked for that asked for anything, and when a letter last left for those that want few."""
    asked = preferences.of_many(connection, contact_ids, now)
    few = sorted(contact for contact, wish in asked.items() if wish.cadence_days)
    last = store.last_left(connection, few, lock=lock)
    return {
        contact: Wish(wish.inhibited_until, timedelta(days=wish.cadence_days), last.get(contact))
        for contact, wish in asked.items()
    }
