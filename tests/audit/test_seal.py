"""The log is sealed chunk by chunk, once, whoever seals and whatever befalls them, and no change of it goes unseen."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from pipeline.audit import chain as form
from pipeline.audit.seal import MOST, seal
from pipeline.domain import IntegrityFailure
from pipeline.store import seals
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database
from tests.sealed import chain, happen, heads_again, until_sealable, write

LATER = timedelta(minutes=1)
SOON = timedelta(milliseconds=200)  # a writer that had to wait for a sealer is refused after that


@pytest.fixture
def clock(now: datetime) -> Callable[[], datetime]:
    return lambda: now


def heads(db: Database) -> list[str]:
    return [bytes(one["head"]).hex() for one in chain(db)]


def test_nothing_is_sealed_where_nothing_has_happened(
    db: Database, clock: Callable[[], datetime], now: datetime
) -> None:
    assert seal(db, clock) == 0
    write(db, now, 3)
    assert seal(db, clock) == 3
    assert seal(db, clock) == 0
    assert len(chain(db)) == 1


def test_each_seal_goes_on_from_the_one_before(db: Database, clock: Callable[[], datetime], now: datetime) -> None:
    for count in (3, 1, 8):
        write(db, now, count)
        assert seal(db, clock) == count
    found = chain(db)
    assert [(one["number"], one["at"], one["count"]) for one in found] == [(1, now, 3), (2, now, 1), (3, now, 8)]
    assert [bytes(one["previous"]) for one in found] == [form.FIRST, *(bytes(one["head"]) for one in found[:-1])]
    assert heads(db) == heads_again(db)
    with db.read() as connection:
        assert seals.newest_head(connection) == heads(db)[-1]


def test_a_seal_holds_no_more_than_ten_thousand_events(
    db: Database, clock: Callable[[], datetime], now: datetime
) -> None:
    write(db, now, MOST + 1)
    write(db, now, 2)
    assert seal(db, lambda: now) == MOST + 3
    assert chain(db)[0]["count"] == MOST == 10_000
    assert sum(one["count"] for one in chain(db)) == MOST + 3
    assert heads(db) == heads_again(db)


def test_no_more_seals_are_made_than_were_asked_for(db: Database, clock: Callable[[], datetime], now: datetime) -> None:
    write(db, now, MOST + 1)
    assert seal(db, clock, most=0) == 0
    assert [seal(db, clock, most=1) for _ in range(3)] == [MOST, 1, 0]


def test_a_clock_that_was_set_back_does_not_break_the_chain(db: Database, now: datetime) -> None:
    for at in (now, now - 90 * LATER, now - 90 * LATER, now + LATER):
        write(db, at)
        assert seal(db, lambda at=at: at) == 1  # type: ignore[misc]
    assert [one["at"] for one in chain(db)] == [now, now - 90 * LATER, now - 90 * LATER, now + LATER]
    assert heads(db) == heads_again(db)


def test_a_writer_does_not_wait_while_a_seal_is_made(db: Database, now: datetime, database_url: str) -> None:
    """The clock is read between reading the events and writing the seal."""
    with closing(Database(database_url, SOON)) as writer:

        def busy() -> datetime:
            write(writer, now)
            return now

        write(db, now, 2)
        assert seal(db, busy, most=1) == 2
    assert seal(db, lambda: now) == 1
    assert heads(db) == heads_again(db)


def test_of_two_who_seal_the_same_events_one_adds_nothing(db: Database, now: datetime, database_url: str) -> None:
    write(db, now, 4)
    with closing(Database(database_url)) as other:
        theirs: list[int] = []

        def overtaken() -> datetime:
            if not theirs:
                theirs.append(seal(other, lambda: now + LATER))
            return now

        assert seal(db, overtaken) == 0
        assert theirs == [4]
    assert [(one["number"], one["at"], one["count"]) for one in chain(db)] == [(1, now + LATER, 4)]


def test_who_was_overtaken_goes_on_with_what_has_come_since(db: Database, now: datetime, database_url: str) -> None:
    write(db, now, 4)
    with closing(Database(database_url)) as other:
        theirs: list[int] = []

        def overtaken() -> datetime:
            if not theirs:
                theirs.append(seal(other, lambda: now))
                write(other, now, 3)
            return now

        mine = seal(db, overtaken)
    assert mine + seal(db, lambda: now) == 3
    assert heads(db) == heads_again(db)


def test_a_chain_that_no_seal_fits_is_told_and_not_tried_for_ever(db: Database, now: datetime) -> None:
    with db.write() as connection:
        seals.add(connection, seals.Seal(1, now, 1, 1, 1, bytes(32), bytes([1] * 32), bytes([1] * 32)))
    write(db, now, 3)
    with pytest.raises(IntegrityFailure) as refused:
        seal(db, lambda: now)
    assert refused.value.why == "seal 2 does not fit into the chain of seals"
    assert len(chain(db)) == 1


def test_sealers_at_work_beside_writers_leave_no_event_out_and_seal_none_twice(
    db: Database, now: datetime, database_url: str
) -> None:
    done, counts = threading.Event(), []

    def at_work() -> None:
        with closing(Database(database_url)) as mine:
            counted = 0
            while not done.is_set():
                counted += seal(mine, lambda: now)
            counts.append(counted)

    def writing() -> None:
        with closing(Database(database_url)) as mine:
            for _ in range(30):
                with mine.write() as connection:
                    happen(connection, now, 3)

    sealers = [threading.Thread(target=at_work) for _ in range(2)]
    writers = [threading.Thread(target=writing) for _ in range(2)]
    for thread in sealers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sealers:
        thread.join()
    assert len(counts) == 2
    until_sealable(db)
    assert sum(counts) + seal(db, lambda: now) == 180
    assert sum(one["count"] for one in chain(db)) == 180
    assert heads(db) == heads_again(db)


CHILD = """
import os, signal, sys
from pipeline.audit.seal import seal
from pipeline.store.db import Database

def die():
    os.kill(os.getpid(), signal.SIGKILL)

seal(Database(sys.argv[1]), die)
"""


def test_who_is_killed_with_a_seal_in_hand_has_done_nothing_and_the_next_seals_it_all(
    db: Database, now: datetime, database_url: str
) -> None:
    write(db, now, 5)
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, database_url], env=os.environ | {"PYTHONPATH": root}, check=False, timeout=60
    )
    assert ran.returncode == -signal.SIGKILL
    assert chain(db) == []
    assert seal(db, lambda: now) == 5
    assert [one["count"] for one in chain(db)] == [5]
    assert heads(db) == heads_again(db)


def unlocked(connection: Connection) -> None:
    """Drop the triggers, as the owner of the database can."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
    else:
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER events_no_{verb}"))


def forgeries() -> Iterator[tuple[str, Callable[[Connection], object]]]:
    e = t.events
    for name, value in {
        "at": datetime(2026, 3, 1, 10, 0, 0, 1, tzinfo=UTC),
        "what": "letter.refused",
        "subject": "case",
        "subject_id": 99,
        "campaign_id": None,
        "by": "person:1",
        "why": "y",
        "data": '{"a":1}',
    }.items():
        yield name, lambda c, name=name, value=value: c.execute(update(e).where(e.c.id == 4).values({name: value}))  # type: ignore[misc]
    yield "removed", lambda c: c.execute(e.delete().where(e.c.id == 4))
    yield "swapped", swapped
    yield "slipped in", slipped_in


def swapped(connection: Connection) -> None:
    for old, new in ((4, 1000), (5, 4), (1000, 5)):
        connection.execute(update(t.events).where(t.events.c.id == old).values(id=new))


def slipped_in(connection: Connection) -> None:
    """One more event, before the second: what it says is true of its own hash."""
    row = dict(connection.execute(select(t.events).where(t.events.c.id == 2)).mappings().one())
    connection.execute(insert(t.events).values(**(row | {"id": -1})))


@pytest.mark.parametrize("forge", [pytest.param(act, id=name) for name, act in forgeries()])
def test_no_sealed_event_can_be_changed_removed_moved_or_added_unseen(
    db: Database, now: datetime, forge: Callable[[Connection], object]
) -> None:
    write(db, now, 3)
    seal(db, lambda: now)
    write(db, now, 3)
    seal(db, lambda: now)
    before = heads(db)
    assert before == heads_again(db)
    with db.write() as connection:
        unlocked(connection)
        forge(connection)
    again = heads_again(db)
    assert again[-1] != before[-1]
    assert heads(db) == before


def test_the_head_is_the_hash_of_six_lines(now: datetime) -> None:
    lines = form.form(7, now, 12, b"\x0a" * 32, b"\xb0" * 32)
    assert lines == (
        f"tocsin-seal 1\nnumber 7\nat 2026-03-01T10:00:00.000000Z\ncount 12\nprevious {'0a' * 32}\nroot {'b0' * 32}\n"
    )
    ran = subprocess.run(["sha256sum"], input=lines.encode(), capture_output=True, check=True, timeout=60)
    assert ran.stdout.split()[0].decode() == form.head(7, now, 12, b"\x0a" * 32, b"\xb0" * 32).hex()
    with pytest.raises(ValueError, match="zone"):
        form.head(7, now.replace(tzinfo=None), 12, b"\x0a" * 32, b"\xb0" * 32)
