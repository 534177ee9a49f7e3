"""Whatever relays, crashes, clocks and people do, in any order: no letter arrives twice, and none is lost from the record.

A hypothesis machine drives the stage's rounds against a relay that is played by the test, beside an oracle that knows what
really arrived.  Two senders may be at work, one may die or be frozen until it is overtaken, and the clock may step back.
"""

import os
import shutil
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from pipeline.domain import Event, Go, LetterState, Ready, RefusedBySafety, Result, Send, Stop
from pipeline.send.claim import Claimed
from pipeline.send.run import Sending, one_round, recover
from pipeline.store import holds, workers
from pipeline.store import letters as letter_store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.holds import Scope
from pipeline.store.lives import LeaseLost
from tests.databases import administer, named
from tests.seed import KEYS, unlimited, wave_of_letters

SOAK = bool(os.environ.get("TOCSIN_SOAK"))
LETTERS, CONNECTIONS = 5, 2
DOT_TIMEOUT = timedelta(minutes=10)  # RFC 5321 4.5.3.2.6
Fresh = Callable[[], Any]


class Relay:
    """The edge of one sender, and the relay behind it: nothing happens on it but what the machine says."""

    def __init__(self, world: "World", connections: int) -> None:
        self.world = world
        self.room_for = connections
        self.asked: dict[int, Send] = {}  # DATA is not answered yet
        self.ready: dict[int, Send] = {}  # 354 was said
        self.going: dict[int, Send] = {}  # the dot may be written
        self.going_at: dict[int, datetime] = {}
        self.answers: deque[Ready | Result] = deque()

    def room(self) -> bool:
        return True

    def done(self, count: int = 1) -> None:
        """Nothing is counted here."""

    def ask(self, question: Send | Go | Stop) -> None:
        self.tell(question)

    def tell_all(self, messages: Sequence[Send | Go | Stop]) -> None:
        for message in messages:
            self.tell(message)

    def tell(self, message: Send | Go | Stop) -> None:
        if isinstance(message, Send):
            self.world.offered(message)
            self.asked[message.letter_id] = message
        elif isinstance(message, Go):
            letter = self.ready.pop(message.letter_id)
            self.going_at[message.letter_id] = self.world.may_arrive(letter)
            self.going[message.letter_id] = letter
        else:
            for place in (self.asked, self.ready):
                if letter := place.pop(message.letter_id, None):
                    self.end(letter, "data", 0, "stopped before the message", dot=False)

    def take(self, timeout: float) -> Sequence[Ready | Result]:
        taken = list(self.answers)
        self.answers.clear()
        return taken

    def end(self, letter: Send, stage: str, reply: int, text: str, dot: bool, enhanced: str = "") -> None:
        self.answers.append(Result(letter.letter_id, letter.attempt_id, stage, reply, enhanced, text, dot, "relay"))


class World:
    """The oracle: what is true of the letters, whatever anybody has written down."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.arrived: Counter[int] = Counter()
        self.held = False

    def offered(self, letter: Send) -> None:
        """A letter reaches the edge: its attempt is committed, and it has not arrived before."""
        assert self.attempt(letter) == (letter.letter_id, None)
        assert not self.arrived[letter.letter_id]

    def may_arrive(self, letter: Send) -> datetime:
        """The dot may be written: its time, which is returned, is committed, and no hold was in force when it was."""
        letter_id, dot_at = self.attempt(letter)
        assert letter_id == letter.letter_id
        assert dot_at is not None
        assert not self.held
        return dot_at

    def attempt(self, letter: Send) -> tuple[int, datetime | None]:
        with self.db.read() as connection:
            query = select(t.attempts.c.letter_id, t.attempts.c.dot_at).where(t.attempts.c.id == letter.attempt_id)
            found = connection.execute(query).one()
        return found.letter_id, found.dot_at


class Machine(RuleBasedStateMachine):
    """Two senders at most, five letters."""

    fresh: Fresh
    start_at: datetime

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.fresh()
        self.db: Database = self.opened.__enter__()
        self.now = self.start_at
        self.world = World(self.db)
        self.senders: list[tuple[Sending, list[Claimed]]] = []
        self.frozen: set[int] = set()
        wave_of_letters(self.db, self.now, LETTERS)

    # --- senders -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.senders) < 2)
    @rule()
    def begins(self) -> None:
        with self.db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=self.now)
            recover(connection, self.now)
        run = Sending(
            db=self.db,
            wire=Relay(self.world, CONNECTIONS),
            settings=replace(unlimited(CONNECTIONS), fresh_for=timedelta(days=30)),
            keys=KEYS,
            worker_id=worker,
            clock=lambda: self.now,
            progress=lambda what, done, total: None,
            approved=lambda connection, wave: "",
            rewrite=lambda connection, notice: b"",
        )
        self.senders.append((run, [Claimed()]))

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def works(self, data: st.DataObject) -> None:
        """One round: replies, dots and claims in one commit.  A sender that was overtaken meanwhile ends here."""
        run, claimed = data.draw(st.sampled_from(self.senders))
        try:
            claimed[0] = one_round(run, claimed[0])
        except LeaseLost:
            self._die(run, data)

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def works_while_the_relay_waits_for_messages(self, data: st.DataObject) -> None:
        """So that many letters come to their dots, where what matters happens."""
        self.works(data)
        for run, _ in self.senders:
            wire = self.wire(run)
            for letter in list(wire.asked.values()):
                self._is_waited_for(wire, letter)
        if self.senders:
            self.works(data)

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def dies(self, data: st.DataObject) -> None:
        run, _ = data.draw(st.sampled_from(self.senders))
        self._die(run, data)

    def _die(self, run: Sending, data: st.DataObject) -> None:
        """Its connections break: of the letters whose dot could be written, some have arrived."""
        for letter in self.wire(run).going.values():
            if data.draw(st.booleans(), label=f"letter {letter.letter_id} had arrived"):
                self.world.arrived[letter.letter_id] += 1
        self.senders = [one for one in self.senders if one[0] is not run]
        self.frozen.discard(run.worker_id)

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def freezes(self, data: st.DataObject) -> None:
        run, _ = data.draw(st.sampled_from(self.senders))
        self.frozen.add(run.worker_id)

    @rule(seconds=st.sampled_from([-10, 1, 35, 400]), data=st.data())
    def the_clock_steps(self, seconds: int, data: st.DataObject) -> None:
        """Forward, or a little back; the hearts of those that are not frozen beat on.

        A dot that has no reply after ten minutes gets none any more: the connection is closed, by either side.
        """
        self.now += timedelta(seconds=seconds)
        for wire in (self.wire(run) for run, _ in self.senders):
            for letter in [one for one in wire.going.values() if self.now - wire.going_at[one.letter_id] > DOT_TIMEOUT]:
                self._ends_at_the_dot(wire, letter, 0, data.draw(st.booleans(), label="it had arrived"))
        with self.db.write() as connection:
            for run, _ in self.senders:
                if run.worker_id not in self.frozen:
                    workers.beat(connection, run.worker_id, self.now)

    # --- the relay ---------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def waits_for_the_message(self, data: st.DataObject) -> None:
        if found := self._one_of(data, "asked"):
            self._is_waited_for(*found)

    def _is_waited_for(self, wire: Relay, letter: Send) -> None:
        del wire.asked[letter.letter_id]
        wire.ready[letter.letter_id] = letter
        wire.answers.append(Ready(letter.letter_id, letter.attempt_id))

    @rule(data=st.data(), reply=st.sampled_from([450, 550, 421, 0]), stage=st.sampled_from(["mail", "rcpt", "data"]))
    def refuses_before_the_dot(self, data: st.DataObject, reply: int, stage: str) -> None:
        if found := self._one_of(data, "asked"):
            wire, letter = found
            del wire.asked[letter.letter_id]
            wire.end(letter, stage, reply, "as the machine says", dot=False)

    @rule(data=st.data(), reply=st.sampled_from([250, 250, 452, 554, 0]), arrives=st.booleans())
    def answers_the_dot(self, data: st.DataObject, reply: int, arrives: bool) -> None:
        """250 means that it has arrived, a refusal that it has not; without a reply either may be."""
        if found := self._one_of(data, "going"):
            self._ends_at_the_dot(*found, reply, arrives)

    def _ends_at_the_dot(self, wire: Relay, letter: Send, reply: int, arrives: bool) -> None:
        del wire.going[letter.letter_id]
        self.world.arrived[letter.letter_id] += reply == 250 or (reply == 0 and arrives)
        wire.end(letter, "dot", reply, "as the machine says", dot=True)

    @rule(data=st.data())
    def breaks_before_the_dot(self, data: st.DataObject) -> None:
        if found := self._one_of(data, "going"):
            wire, letter = found
            del wire.going[letter.letter_id]
            wire.end(letter, "data", 0, "the connection was lost", dot=False)

    def _one_of(self, data: st.DataObject, place: str) -> tuple[Relay, Send] | None:
        there = [
            (self.wire(run), letter) for run, _ in self.senders for letter in getattr(self.wire(run), place).values()
        ]
        return data.draw(st.sampled_from(there)) if there else None

    # --- people ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def somebody_holds_for_a_while(self, data: st.DataObject) -> None:
        with self.db.write() as connection:
            holds.hold(connection, Scope(), "stop", self.now, "person:1")
        self.world.held = True
        self.works(data)
        with self.db.write() as connection:
            holds.release(connection, Scope(), "go on", self.now, "person:1")
        self.world.held = False

    @rule()
    def somebody_settles_what_is_uncertain(self) -> None:
        """With proof: the relay's log says what has arrived.  It says nothing yet of what may still be under way."""
        for letter, state in self.states().items():
            if state == LetterState.UNCERTAIN:
                outcome = Event.LETTER_HANDED if self.world.arrived[letter] else Event.LETTER_RESEND
                with suppress(RefusedBySafety), self.db.write() as connection:
                    letter_store.settle(connection, letter, outcome, "the log", self.now, "person:1")

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def no_letter_arrives_twice(self) -> None:
        assert all(count <= 1 for count in self.world.arrived.values())

    @invariant()
    def the_record_is_never_surer_than_the_truth(self) -> None:
        for letter, state in self.states().items():
            if state == LetterState.HANDED:
                assert self.world.arrived[letter] == 1
            if state in (LetterState.APPROVED, LetterState.DEFERRED, LetterState.REFUSED, LetterState.EXPIRED):
                assert self.world.arrived[letter] == 0

    def teardown(self) -> None:
        """All senders are dead and their leases void: every letter is settled, due, or said to be unknown."""
        try:
            with self.db.write() as connection:
                recover(connection, self.now + timedelta(minutes=10))
            for letter, state in self.states().items():
                assert state != LetterState.CLAIMED
                if self.world.arrived[letter]:
                    assert state in (LetterState.HANDED, LetterState.UNCERTAIN)
        finally:
            self.db.close()
            self.opened.__exit__(None, None, None)

    def states(self) -> dict[int, str]:
        with self.db.read() as connection:
            return {row.id: row.state for row in connection.execute(select(t.letters.c.id, t.letters.c.state))}

    @staticmethod
    def wire(run: Sending) -> Relay:
        assert isinstance(run.wire, Relay)
        return run.wire


@contextmanager
def sqlite_copy(template: Path, folder: Path) -> Iterator[Database]:
    path = folder / f"{uuid.uuid4().hex}.db"
    shutil.copy(template, path)
    yield Database(f"sqlite:///{path}")
    for each in folder.glob(f"{path.name}*"):
        each.unlink()


@contextmanager
def postgres_copy(server: str, template: str) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield Database(named(server, name))
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_that_may_happen_sends_a_letter_twice_or_loses_one(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, now: datetime
) -> None:
    if kind == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        Machine.fresh = staticmethod(lambda: sqlite_copy(template, tmp_path))
    else:
        server, name = request.getfixturevalue("postgres_template")
        Machine.fresh = staticmethod(lambda: postgres_copy(server, name))
    Machine.start_at = now
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=200 if SOAK else 12,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
