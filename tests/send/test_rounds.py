"""A round of sending is one commit and one word to the edge: what is under way, what a hold lets through, the pace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert, select

from pipeline.domain import Go, Ready, Result, Send, Stop, TryAgain
from pipeline.sandbox.mail_rules import Rule
from pipeline.send.claim import Claimed, claim
from pipeline.send.dots import commit_dots
from pipeline.send.run import send
from pipeline.store import budgets, workers
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database, rows
from tests.seed import wave_of_letters
from tests.send.conftest import states


class Overheard:
    """An edge whose rounds are written down, with what the database held when they were told."""

    def __init__(self, db: Database, wire: Any) -> None:
        self.db, self.wire = db, wire
        self.rounds: list[list[Send | Go | Stop]] = []
        self.most = 0  # letters that were in the edge at once
        self.under_way: set[int] = set()

    def take(self, timeout: float) -> Any:
        answers = self.wire.take(timeout)
        self.under_way -= {answer.letter_id for answer in answers if isinstance(answer, Result)}
        return answers

    def tell_all(self, messages: list[Send | Go | Stop]) -> None:
        if messages:
            self.rounds.append(messages)
        self.under_way |= {message.letter_id for message in messages if isinstance(message, Send)}
        self.most = max(self.most, len(self.under_way))
        tried = {row["letter_id"]: row for row in rows_of(self.db, select(t.attempts))}
        for message in messages:
            assert message.letter_id in tried, "its attempt is committed before the edge hears of it"
            assert not isinstance(message, Go) or tried[message.letter_id]["dot_at"] is not None
        self.wire.tell_all(messages)


def overheard(p: Any, db: Database, **changes: Any) -> Overheard:
    """Run the stage over an edge that is overheard."""
    with db.write() as connection:
        worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
    with p.edge() as edge:
        wire = Overheard(db, edge)
        send(p.sending(db, wire, worker, **changes))
    return wire


def test_two_letters_are_under_way_for_each_connection_and_letters_are_told_before_dots(
    db: Database, post: Any
) -> None:
    with post() as p:
        p.connections = 2
        wave_of_letters(db, p.clock(), 12)
        wire = overheard(p, db)
        assert wire.most == 4
        for messages in wire.rounds:
            kinds = [isinstance(message, Send) for message in messages]
            assert kinds == sorted(kinds, reverse=True)
        mails = [number for number, line in p.server.commands if line.startswith("MAIL")]
        assert len(mails) == 12
        assert p.server.connections <= 2
    assert states(db) == ["handed"] * 12


def test_after_a_hold_commits_at_most_one_letter_of_each_connection_arrives(db: Database, post: Any) -> None:
    with post() as p:
        p.connections = 2
        wave_of_letters(db, p.clock(), 30)
        arrived: list[int] = []

        def hold(_what: str, done: int, _total: int) -> None:
            """Between two rounds: there are letters in the edge, some waiting for their dots."""
            if done >= 5 and not arrived:
                with db.write() as connection:
                    connection.execute(insert(t.holds).values(reason="stop", by="person:1", at=p.clock()))
                arrived.append(len(p.server.messages()))

        wire = overheard(p, db, progress=hold)
        assert wire.most == 4
        assert len(p.recipients()) <= arrived[0] + 2
        assert any(isinstance(message, Stop) for messages in wire.rounds for message in messages)
    assert set(states(db)) == {"handed", "approved"}
    assert not [row for row in rows_of(db, select(t.attempts)) if row["dot_at"] and row["outcome"] == "released"]


def test_once_the_relay_refuses_us_the_letters_that_wait_for_it_are_stopped_rather_than_tried(
    db: Database, post: Any
) -> None:
    with post() as p:
        p.connections = 8
        wave_of_letters(db, p.clock(), 40)
        p.server.port = 1  # where nobody listens: each try makes the next one wait twice as long
        with pytest.raises(TryAgain, match="The relay refuses us"):
            p.send(db)
    said = [row["reply_text"] for row in rows_of(db, select(t.attempts.c.reply_text))]
    assert sum(text == "stopped before it started" for text in said) >= 8
    assert set(states(db)) == {"approved"}


@dataclass
class Ticking:
    """A clock that moves a little whenever somebody looks at it."""

    now: datetime

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=3)
        return self.now


def test_dots_have_slots_of_their_own_however_early_the_relay_waits_for_them(db: Database, post: Any) -> None:
    with post() as p:
        p.clock = Ticking(p.clock())
        p.rate = 20.0
        wave_of_letters(db, p.clock.now, 15)
        wire = overheard(p, db)
        assert len(p.recipients()) == 15
    dots = {row["letter_id"]: row["dot_at"] for row in rows_of(db, select(t.attempts))}
    gos = {message.letter_id: message for messages in wire.rounds for message in messages if isinstance(message, Go)}
    slots = sorted(dots[letter] + timedelta(seconds=go.delay) for letter, go in gos.items())
    assert len(slots) == 15
    assert all(later - earlier >= timedelta(milliseconds=50) for earlier, later in pairwise(slots))
    assert all((go.rate, go.late) == (20.0, 0.15) for go in gos.values())


def test_a_letter_that_ends_while_it_waits_for_its_slot_is_not_sent(db: Database, post: Any) -> None:
    """Its dot may be committed to by then, a little ahead of the slot; it is not written."""
    with post({"abuse@isp2.example": Rule("answer", "body", "450 4.2.1 not now")}) as p:
        p.clock = Ticking(p.clock())
        p.rate = 20.0
        wave_of_letters(db, p.clock.now, 2)
        overheard(p, db)
        assert p.recipients() == ["abuse@isp1.example"]
    tried = select(t.attempts.c.stage, t.attempts.c.reply, t.attempts.c.outcome).where(t.attempts.c.letter_id == 2)
    assert rows_of(db, tried) == [{"stage": "data", "reply": 450, "outcome": "deferred"}]


def rows_of(db: Database, statement: Any) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, statement)


@dataclass
class Paced:
    """One worker with letters claimed at 10 a second, and a transaction; `others` takes what other workers take."""

    run: Any
    connection: Connection
    asked: list[Ready]

    def others(self, count: int, at: datetime) -> tuple[datetime, ...]:
        return budgets.reserve(self.connection, self.run.shared, count, at, timedelta(seconds=9)).slots


@contextmanager
def claimed(db: Database, post: Any, rate: float = 10.0, count: int = 2) -> Iterator[Paced]:
    with post() as p:
        p.rate = rate
        wave_of_letters(db, p.clock(), count)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
            run = p.sending(db, None, worker)
            letters = claim(run, connection, Claimed(), p.clock()).letters
            yield Paced(run, connection, [Ready(letter.letter_id, letter.attempt_id) for letter in letters])


def after(messages: Sequence[Go | Stop]) -> dict[int, float]:
    assert all(isinstance(message, Go) for message in messages)
    return {message.letter_id: message.delay for message in messages if isinstance(message, Go)}


def test_a_claim_takes_no_slot_from_others_however_long_its_relay_lets_it_wait(
    db: Database, post: Any, now: datetime
) -> None:
    with claimed(db, post) as one:
        assert one.others(1, now) == (now,)
        later = now + timedelta(seconds=10)
        assert one.others(1, later) == (later,)
        assert after(commit_dots(one.run, one.connection, one.asked[:1], later)) == {1: 0.1}
        assert one.others(1, later) == (later + timedelta(milliseconds=200),)


def test_letters_that_find_no_slot_soon_wait_and_are_asked_about_again(db: Database, post: Any, now: datetime) -> None:
    with claimed(db, post) as one:
        one.others(8, now)
        assert commit_dots(one.run, one.connection, one.asked, now) == []
        assert one.run.dots_at is not None
        assert now < one.run.dots_at < now + timedelta(seconds=0.8)
        assert after(commit_dots(one.run, one.connection, [], one.run.dots_at)).keys() == {1}


def test_a_dot_that_could_not_be_written_at_its_slot_takes_another_one(db: Database, post: Any, now: datetime) -> None:
    with claimed(db, post) as one:
        assert after(commit_dots(one.run, one.connection, one.asked[:1], now)) == {1: 0.0}
        assert commit_dots(one.run, one.connection, [], now) == []
        later = now + timedelta(seconds=3)
        one.others(1, later)
        assert after(commit_dots(one.run, one.connection, one.asked[:1], later)) == {1: 0.1}


def test_where_the_relay_asks_us_to_slow_down_no_letter_stays_open_there(
    db: Database, post: Any, now: datetime
) -> None:
    with claimed(db, post) as one:
        budgets.postpone(one.connection, "mail:relay:relay", now + timedelta(minutes=1))
        assert commit_dots(one.run, one.connection, one.asked, now) == [Stop(1), Stop(2)]


def test_slots_of_a_pace_below_one_a_second_are_taken_by_the_claim(db: Database, post: Any, now: datetime) -> None:
    with claimed(db, post, rate=0.5) as one:
        assert one.others(1, now) == (now + timedelta(seconds=4),)
        assert after(commit_dots(one.run, one.connection, one.asked, now)) == {1: 0.0, 2: 2.0}
