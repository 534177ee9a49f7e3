"""However many letters are under way, of no connection are two dots on record without a reply: a death leaves no more
letters in doubt than there are connections."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from pipeline.domain import ForbiddenMove, Go, Send, Stop
from pipeline.sandbox.mail_rules import Rule
from pipeline.send.claim import Claimed, claim
from pipeline.send.run import recover, send
from pipeline.store import holds, workers
from pipeline.store import send as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.lives import Lease
from tests.seed import wave_of_letters
from tests.send.conftest import states

OPEN = select(func.count()).where(t.attempts.c.dot_at.is_not(None), t.attempts.c.ended_at.is_(None))
RULES = {
    "at once": {},
    "slowly": {"*": Rule("stall", "dot", seconds=0.02)},
    "or hangs up": {f"abuse@isp{n}.example": Rule("drop", "dot", keep=bool(n % 2)) for n in range(3, 40, 5)},
}


class Counted:
    """An edge that counts, whenever it is told of a round, the dots on record that have no reply."""

    def __init__(self, db: Database, wire: Any) -> None:
        self.db, self.wire, self.most = db, wire, 0

    def take(self, timeout: float) -> Any:
        return self.wire.take(timeout)

    def tell_all(self, messages: list[Send | Go | Stop]) -> None:
        with self.db.read() as connection:
            self.most = max(self.most, connection.execute(OPEN).scalar_one())
        self.wire.tell_all(messages)


@pytest.mark.parametrize("answers", RULES)
def test_at_most_one_dot_of_each_connection_is_on_record_without_a_reply(db: Database, post: Any, answers: str) -> None:
    with post(RULES[answers]) as p:
        p.connections = 3
        wave_of_letters(db, p.clock(), 40)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
        with p.edge() as edge:
            wire = Counted(db, edge)
            send(p.sending(db, wire, worker))
        assert 1 <= wire.most <= 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_dot_that_is_committed_while_another_worker_takes_over_is_seen_by_that_one(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
            run = p.sending(db, None, worker)
            [letter] = claim(run, connection, Claimed(), p.clock()).letters
        later = p.clock() + timedelta(seconds=31)  # nothing was heard of the first worker for that long

        def second() -> None:
            with db.write() as connection:
                recover(connection, later)

        with db.write() as connection:
            lease = Lease(worker, {letter.letter_id: run.under_way[letter.letter_id].claim})
            store.write_dot(connection, [letter.attempt_id], lease, p.clock())
            other = threading.Thread(target=second)
            other.start()
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while other.is_alive() and not connection.execute(waiting).scalar():
                other.join(0.01)
        other.join()
    assert states(db) == ["uncertain"]


def test_no_dot_is_written_of_a_letter_that_a_hold_covers_by_now(db: Database, post: Any) -> None:
    with post() as p:
        p.connections = 3
        wave_of_letters(db, p.clock(), 3)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
            run = p.sending(db, None, worker)
            letters = claim(run, connection, Claimed(), p.clock()).letters
            held = letters[1]
            contact = select(t.letters.c.contact_id).where(t.letters.c.id == held.letter_id)
            scope = holds.Scope(contact_id=connection.execute(contact).scalar_one())
            holds.hold(connection, scope, "asked", p.clock(), "person:1")
            lease = Lease(worker, {i: letter.claim for i, letter in run.under_way.items()})
            free = store.write_dot(connection, [letter.attempt_id for letter in letters], lease, p.clock())
            dots = connection.execute(select(t.attempts.c.letter_id).where(t.attempts.c.dot_at.is_not(None))).scalars()
            assert free == set(dots) == {letter.letter_id for letter in letters} - {held.letter_id}
            assert len(free) == 2


def test_a_letter_that_is_under_way_is_claimed_by_nobody_and_none_with_it(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
            one, two = connection.execute(select(t.letters.c.id).order_by(t.letters.c.id)).scalars()
            assert store.claim(connection, [one], worker, p.clock(), "tocsin").claims == {one: 1}
        for others, error in (([two, one], ForbiddenMove), ([two, 99], LookupError)):
            with pytest.raises(error), db.write() as connection:
                store.claim(connection, others, worker, p.clock(), "tocsin")
        assert states(db) == ["claimed", "approved"]
