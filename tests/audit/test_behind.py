"""What a relay's log says of a letter is told in plain words, and what it does not say is said to be unknown."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.audit import query
from pipeline.audit.behind import MOST, behind_lines
from pipeline.audit.now import meanings, now_lines
from pipeline.audit.record import Record
from pipeline.audit.who import who
from pipeline.domain import LetterState
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.keys import is_reference
from tests.audit import world
from tests.seed import add

MX = "mx.isp.example[203.0.113.5]:25"


def asked(db: Database, now: datetime, state: LetterState, *told: dict[str, Any]) -> Record:
    """Return the record of a letter that was handed over, is in a state by now, and of which a relay's log tells."""
    made = world.story(db, now)
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == made.letter).values(state=state.value))
        for number, row in enumerate(told):
            values = {"relay": "mx1/postfix", "queue_id": "4F2B91C0A7", "line": "ab" * 32, "mark": bytes([number]) * 32}
            at = now + timedelta(hours=7, minutes=number)
            add(connection, t.deliveries, letter_id=made.letter, at=at, read_at=at, **{**values, **row})
    wanted = query.parse(made.reference, is_reference, lambda text: None)
    assert wanted is not None
    with db.read() as connection:
        return who(connection, wanted, whole=False)


@pytest.mark.parametrize(
    ("state", "told", "code"),
    [
        (LetterState.HANDED, (), "letter.handed"),
        (LetterState.HANDED, ({"status": "queued"},), "letter.handed.queued"),
        (LetterState.HANDED, ({"status": "queued"}, {"status": "deferred", "words": "full"}), "letter.handed.deferred"),
        (LetterState.HANDED, ({"status": "passed", "host": "filter[127.0.0.1]:25"},), "letter.handed.passed"),
        (LetterState.ACCEPTED, ({"status": "sent", "host": MX, "words": "250 Ok"},), "letter.accepted.told"),
        (LetterState.ACCEPTED, ({"status": "sent", "host": MX},), "letter.accepted"),
        (LetterState.ACCEPTED, ({"status": "deferred", "words": "full"},), "letter.accepted"),
        (LetterState.BOUNCED, ({"status": "bounced", "host": MX, "words": "550 no"},), "letter.bounced.told"),
        (LetterState.UNCERTAIN, (), "letter.uncertain"),
    ],
)
def test_a_letter_stands_in_the_words_of_the_newest_step_that_fits_its_state(
    db: Database, now: datetime, state: LetterState, told: tuple[dict[str, Any], ...], code: str
) -> None:
    record = asked(db, now, state, *told)
    found = [(named, values) for named, values in meanings(record, now) if named.startswith("letter.")]
    assert [named for named, _ in found] == [code]
    sentence = [line.say for line in now_lines(record, now)]
    assert sentence
    if told and code.endswith((".told", ".deferred")):
        assert found[0][1]["words"] == told[-1]["words"]


def test_the_steps_behind_the_relay_are_told_with_the_other_servers_words(db: Database, now: datetime) -> None:
    record = asked(
        db, now, LetterState.ACCEPTED, {"status": "queued"}, {"status": "sent", "host": MX, "words": "250 Ok"}
    )
    lines = list(behind_lines(record, record.letters[0]))
    assert [line.depth for line in lines] == [0, 0, 1, 1]
    assert [str(getattr(line.say, "values", {}).get("words", "")) for line in lines] == ["", "", "", "250 Ok"]
    assert record.deliveries[1]["host"] == MX


def test_of_many_tries_the_newest_are_told_and_how_many_came_before(db: Database, now: datetime) -> None:
    record = asked(db, now, LetterState.HANDED, *({"status": "deferred"} for _ in range(MOST + 3)))
    lines = list(behind_lines(record, record.letters[0]))
    assert len(lines) == MOST + 1
    assert lines[0].say.values["count"] == 3  # type: ignore[union-attr]
