"""Which letters go by post, on both databases: those of approved waves that no mailbox took and nobody printed yet."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from pipeline.domain import LetterState, WaveState
from pipeline.store import preferences, printing
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference
from pipeline.store.printing import Unposted
from tests.seed import wave_of_letters

NEVER = {LetterState.SUPPRESSED, LetterState.WITHDRAWN, LetterState.DRAFTED, LetterState.CLAIMED, LetterState.UNCERTAIN}
TAKEN_BY_NONE = {LetterState.REFUSED, LetterState.BOUNCED, LetterState.EXPIRED}


def put(db: Database, *, letter: LetterState, wave: WaveState = WaveState.SENDING, contact: str = "untested") -> None:
    with db.write() as connection:
        connection.execute(update(t.letters).values(state=letter.value))
        connection.execute(update(t.waves).values(state=wave.value))
        connection.execute(update(t.contacts).values(state=contact))


def due(db: Database) -> list[Unposted]:
    with db.read() as connection:
        found = printing.due(connection, 0, 100)
        assert printing.due_count(connection) == len(found)
        return found


def record(db: Database, letter: Unposted, now: datetime) -> str:
    with db.write() as connection:
        return printing.record(
            connection, letter, file="X.pdf", sha256=b"\x01" * 32, pages=3, now=now, by="system:test"
        )


@pytest.mark.parametrize("state", LetterState)
def test_a_letter_goes_by_post_if_no_mailbox_took_it(db: Database, now: datetime, state: LetterState) -> None:
    wave_of_letters(db, now, 2)
    put(db, letter=state)
    assert len(due(db)) == (2 if state in TAKEN_BY_NONE else 0)


@pytest.mark.parametrize("state", LetterState)
def test_a_letter_to_a_dead_mailbox_goes_by_post_unless_it_must_not_or_is_on_its_way(
    db: Database, now: datetime, state: LetterState
) -> None:
    wave_of_letters(db, now, 1)
    put(db, letter=state, contact="dead")
    assert len(due(db)) == (0 if state in NEVER else 1)


@pytest.mark.parametrize("state", WaveState)
def test_only_letters_of_approved_waves_go_by_post(db: Database, now: datetime, state: WaveState) -> None:
    wave_of_letters(db, now, 1)
    put(db, letter=LetterState.REFUSED, wave=state)
    assert len(due(db)) == (1 if state in (WaveState.APPROVED, WaveState.SENDING, WaveState.DONE) else 0)


def test_a_printed_letter_is_not_due_again_and_is_told_of(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    put(db, letter=LetterState.BOUNCED)
    first, second = due(db)
    assert record(db, first, now) == ""
    assert due(db) == [second]
    with db.read() as connection:
        [(letter, at, data)] = printing.printed(connection, 0, 10)
        assert printing.printed(connection, first.id, 10) == []
    assert (letter, at, data) == (first, now, {"file": "X.pdf", "sha256": "01" * 32, "pages": 3})


def test_a_letter_is_noted_as_printed_once(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    put(db, letter=LetterState.BOUNCED)
    [letter] = due(db)
    assert [record(db, letter, now), record(db, letter, now)] == ["", printing.ALREADY]


def test_what_must_not_go_now_is_said_with_its_reason_and_not_noted(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 4)
    put(db, letter=LetterState.REFUSED)
    found = due(db)
    with db.write() as connection:
        values = {"mailbox": "", "domain": "isp1.example", "reason": "asked", "by": "person:1", "at": now}
        connection.execute(insert(t.suppressions).values(**values))
        values = {"contact_id": found[1].contact_id, "reason": "wait", "by": "person:1", "at": now}
        connection.execute(insert(t.holds).values(**values))
        wish = Preference(inhibited_until=now + timedelta(days=1), source="asked")
        preferences.put(connection, found[2].contact_id, wish, now, "person:1")
    with db.read() as connection:
        assert printing.stopped(connection, found, now) == {1: "suppressed", 2: "held", 3: "inhibited"}
        assert printing.stopped(connection, found, now + timedelta(days=2)) == {1: "suppressed", 2: "held"}
    assert [record(db, letter, now) for letter in found] == ["suppressed", "held", "inhibited", ""]
    assert len(due(db)) == 3


def test_addresses_are_those_of_the_networks_a_notice_speaks_of(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2, cases=2)
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(postal="1 Road\nTown", holder="Holder", country="US"))
        dropped = t.notice_cases.c.notice_id == 2
        connection.execute(update(t.notice_cases).where(dropped).values(dropped_at=now, dropped_why="fixed"))
    with db.read() as connection:
        found = printing.addresses(connection, [1, 2])
    assert found == {1: {printing.Postal("Holder", ("1 Road", "Town"), "US")}, 2: set()}


def test_targets_that_are_excluded_or_no_longer_open_are_over(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1, cases=5)
    put(db, letter=LetterState.REFUSED)
    [letter] = due(db)
    with db.write() as connection:
        case = t.cases.c.id
        connection.execute(update(t.cases).where(case == 1).values(state="fixed"))
        connection.execute(update(t.cases).where(case == 2).values(exposure="unknown"))
        connection.execute(update(t.cases).where(case == 3).values(state="excluded"))
        address = connection.execute(t.targets.select().where(t.targets.c.id == 4)).one().address
        connection.execute(update(t.cases).where(case == 5).values(state="exhausted"))
        around = {"first_address": address, "last_address": address, "reason": "asked", "by": "person:1", "at": now}
        connection.execute(insert(t.suppressions).values(**around))
    with db.read() as connection:
        over = sorted(str(target[0]) for target in printing.over(connection, letter, now))
        assert over == ["198.18.0.50", "198.18.0.51", "198.18.0.52", "198.18.0.53"]
        thanks = {str(target[0]) for target in printing.over(connection, replace(letter, kind="thanks"), now)}
        assert thanks == {"198.18.0.52", "198.18.0.53"}
