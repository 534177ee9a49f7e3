"""A person's word on a letter or a wave: it stands beside the log, never in it."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from pipeline.domain import Event, ForbiddenMove, LetterState, NotFound, RefusedBySafety, WaveState
from pipeline.store import events, letters, waves, workers
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database, rows
from tests.seed import add, reject, wave_of_letters

REASON = "Marie of the relay's desk: not in their log"


def told(connection: Connection, what: str) -> list[str]:
    """Return the kept reasons of the events of one kind, and see that the log itself has none."""
    found = rows(connection, select(t.events).where(t.events.c.what == what))
    texts = {bytes(row["sha256"]).hex(): row["value"] for row in rows(connection, select(t.texts))}
    assert not [row for row in found if "Marie" in row["why"] + row["data"]]
    return [texts[json.loads(row["data"])["reason"]] for row in found]


@pytest.mark.parametrize(
    ("event", "state", "due"),
    [
        (Event.LETTER_HANDED, LetterState.HANDED, False),
        (Event.LETTER_REFUSED, LetterState.REFUSED, False),
        (Event.LETTER_RESEND, LetterState.APPROVED, True),
    ],
)
def test_a_settled_letter_keeps_its_reason_beside_the_log(
    db: Database, now: datetime, event: Event, state: LetterState, due: bool
) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        connection.execute(t.letters.update().values(state=LetterState.UNCERTAIN.value, due_at=None))
        letters.settle(connection, 1, event, REASON, now, "person:1")
        letter = connection.execute(select(t.letters.c.state, t.letters.c.due_at)).one()
        assert (letter.state, letter.due_at) == (state, now if due else None)
        assert told(connection, event.value) == [REASON]


@pytest.mark.parametrize(("event", "state"), [(Event.LETTER_HANDED, "noticed"), (Event.LETTER_REFUSED, "resolved")])
def test_the_cases_of_a_letter_that_arrived_by_a_persons_word_are_noticed(
    db: Database, now: datetime, event: Event, state: str
) -> None:
    wave_of_letters(db, now, 1, cases=2)
    with db.write() as connection:
        connection.execute(t.letters.update().values(state=LetterState.UNCERTAIN.value, due_at=None))
        letters.settle(connection, 1, event, REASON, now, "person:1")
        assert list(connection.execute(select(t.cases.c.state)).scalars()) == [state, state]


def test_only_an_uncertain_letter_that_exists_is_settled(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        with pytest.raises(NotFound):
            letters.settle(connection, 2, Event.LETTER_HANDED, REASON, now, "person:1")
        with pytest.raises(ForbiddenMove):
            letters.settle(connection, 1, Event.LETTER_RESEND, REASON, now, "person:1")


def test_a_letter_that_may_still_be_under_way_is_not_sent_again(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        connection.execute(t.letters.update().values(state=LetterState.UNCERTAIN.value))
        worker = workers.register(connection, "test", 1, planner=False, now=now)
        values = {"letter_id": 1, "number": 1, "worker_id": worker, "head": b"", "sha256": b"", "started_at": now}
        add(connection, t.attempts, **values, sender="bounces@agency.example", recipient="a@isp.example", dot_at=now)
        for after in (timedelta(0), letters.STILL_UNDER_WAY):
            with pytest.raises(RefusedBySafety):
                letters.settle(connection, 1, Event.LETTER_RESEND, REASON, now + after, "person:1")
        later = now + letters.STILL_UNDER_WAY + timedelta(seconds=1)
        letters.settle(connection, 1, Event.LETTER_RESEND, REASON, later, "person:1")
        assert connection.execute(select(t.letters.c.state)).scalar_one() == LetterState.APPROVED


def test_a_rejected_and_a_cancelled_wave_keep_their_reasons_beside_the_log(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 1, state=WaveState.PLANNED)
    with db.write() as connection:
        waves.seal_manifest(connection, wave, now, "tocsin")
        reject(connection, wave, REASON, now)
        waves.cancel(connection, waves.by_id(connection, wave), now, "person:2", REASON)
        assert told(connection, "wave.rejected_by") == told(connection, "wave.cancelled") == [REASON]
        kept = connection.execute(select(t.approvals.c.reason)).scalar_one()
        assert events.read_text(connection, kept) == REASON


def test_a_reason_stands_nowhere_but_in_the_texts_that_can_be_emptied(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 1, state=WaveState.PLANNED)
    with db.write() as connection:
        connection.execute(t.letters.update().values(state=LetterState.UNCERTAIN.value))
        waves.seal_manifest(connection, wave, now, "tocsin")
        reject(connection, wave, REASON, now)
        letters.settle(connection, 1, Event.LETTER_REFUSED, REASON, now, "person:1")
        waves.cancel(connection, waves.by_id(connection, wave), now, "person:2", REASON)
        found = {
            (table.name, name)
            for table in t.metadata.sorted_tables
            for row in rows(connection, select(table))
            for name, value in row.items()
            if "Marie" in str(value)
        }
    assert found == {("texts", "value")}
