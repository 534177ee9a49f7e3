"""A clock that is set while a wave is being sent, and a relay that is down for an hour: on both databases."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.domain import TryAgain
from pipeline.sandbox.mail_rules import Rule
from pipeline.store import holds
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.holds import Scope
from pipeline.store.lives import LeaseLost
from tests.seed import wave_of_letters
from tests.send.conftest import Clock, Post, states

COUNT = 24
HOUR = timedelta(hours=1)


@dataclass
class Ticking:
    """A clock that moves a little whenever somebody looks at it."""

    now: datetime

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=3)
        return self.now


def set_clock(p: Post, step: timedelta, after: int) -> Any:
    """Return a progress that sets the clock once, when so many letters are done."""
    waits = [True]

    def progress(_what: str, done: int, _total: int) -> None:
        if done >= after and waits:
            waits.clear()
            p.clock.now += step

    return progress


@pytest.mark.parametrize("step", [-HOUR, timedelta(days=1)], ids=["back an hour", "forward a day"])
@pytest.mark.parametrize("rate", [0.0, 25.0])
def test_a_clock_that_is_set_in_mid_wave_sends_no_letter_twice_and_keeps_none_waiting(
    db: Database, post: Any, step: timedelta, rate: float
) -> None:
    with post() as p:
        approved_at = p.clock()
        p.clock = Ticking(approved_at + 2 * HOUR)
        p.rate = rate
        wave_of_letters(db, approved_at, COUNT)
        outcome = p.send(db, progress=set_clock(p, step, after=COUNT // 2))
        assert outcome.tally == {"handed": COUNT}
        assert Counter(p.recipients()) == {f"abuse@isp{n}.example": 1 for n in range(1, COUNT + 1)}
    with db.read() as connection:
        found = connection.execute(select(t.attempts.c.number, t.attempts.c.dot_at).order_by(t.attempts.c.dot_at))
        attempts = found.all()
    assert {row.number for row in attempts} == {1}
    if rate:
        dots = [row.dot_at for row in attempts]
        for first in dots:  # committed 250 ms before they are written, at most
            assert sum(first <= dot < first + timedelta(seconds=0.2) for dot in dots) <= rate * 0.45 + 1


def test_a_clock_that_is_set_back_lifts_no_hold(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock() - 2 * HOUR, 2)
        with db.write() as connection:
            holds.hold(connection, Scope(), "stop", p.clock(), "person:1")
        p.clock.now -= HOUR
        p.send(db)
        assert p.recipients() == []
    assert states(db) == ["approved"] * 2


def test_a_clock_that_is_set_forward_while_another_sends_sends_nothing_twice(db: Database, post: Any) -> None:
    """To the other worker all of this one's letters look abandoned; whoever was overtaken ends before its next dot."""
    with post() as p:
        wave_of_letters(db, p.clock(), COUNT)
        second = Post(p.server, Clock(p.clock() + timedelta(days=1)), connections=p.connections)
        waits = [True]

        def progress(_what: str, done: int, _total: int) -> None:
            if done >= 10 and waits:
                waits.clear()
                second.send(db)

        with pytest.raises(LeaseLost):
            p.send(db, progress=progress)
        found = Counter(states(db))
        assert found.keys() <= {"handed", "uncertain"}
        assert found["uncertain"] <= p.connections
        assert set(Counter(p.recipients()).values()) == {1}
        assert len(p.recipients()) >= found["handed"]


def test_a_relay_that_is_down_for_an_hour_costs_no_letter_anything_and_then_each_leaves_once(
    db: Database, post: Any
) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), COUNT)
        port, p.server.port = p.server.port, 1
        for _ in range(12):
            with pytest.raises(TryAgain, match="The relay refuses us") as told:
                p.send(db)
            assert "127.0.0.1:1 at connect" in told.value.why
            assert set(states(db)) == {"approved"}
            p.clock.now += timedelta(minutes=5)
        with db.read() as connection:
            tried = connection.execute(select(t.attempts.c.letter_id, t.attempts.c.outcome, t.attempts.c.dot_at)).all()
        assert {(row.outcome, row.dot_at) for row in tried} == {("released", None)}
        p.server.port = port
        assert p.send(db).tally == {"handed": COUNT}
        assert Counter(p.recipients()) == {f"abuse@isp{n}.example": 1 for n in range(1, COUNT + 1)}


def test_a_relay_that_says_not_now_for_an_hour_is_asked_less_and_less_and_it_is_said_when_it_goes_on(
    db: Database, post: Any
) -> None:
    later = Rule("answer", "rcpt", "451 4.3.0 Try again later")
    with post({"*": later}) as p:
        wave_of_letters(db, p.clock(), 3)
        began, waits = p.clock(), []
        while p.clock() - began < HOUR:
            outcome = p.send(db)
            assert (outcome.left, outcome.why) == (3, "4.3.0")
            waits.append(outcome.wait - p.clock())
            p.clock.now = outcome.wait
        assert waits == [timedelta(minutes=5 * 2**n) for n in range(len(waits))]
        p.server.rules.rules = {}
        assert p.send(db).tally == {"handed": 3}
        assert len(p.recipients()) == 3
