"""A world with a clock of its own: workers of the send stage over the real store, before an edge and a relay that are not.

Nothing sleeps.  A worker runs until it listens or tells; then time goes on to the next thing that happens.  A round takes
as long as it is told to, and meanwhile no other worker writes; an edge may stand still, and so may a whole process.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from typing import Any

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.smtp_dots import Dots
from pipeline.send.run import send
from pipeline.store.db import Database

A_MOMENT = 1e-4  # seconds that the edge takes to hear, and a timer to be late


@dataclass
class Machine:
    """How long things take, in seconds: a round with its commit; until the relay answers commands, and a dot.

    `asleep`: (from, until) in which an edge does not run; with `frozen` its worker does not either.
    """

    round: Callable[[random.Random], float] = lambda _: 0.004
    answer: Callable[[random.Random], float] = lambda _: 0.001
    dot: Callable[[random.Random], float] = lambda _: 0.002
    asleep: Sequence[tuple[float, float]] = ()
    frozen: bool = False

    def awake(self, at: float) -> float:
        return next((until for begun, until in self.asleep if begun <= at < until), at)


class World:
    """What happens, and when; one worker at a time runs, each in a thread."""

    def __init__(self, wall: datetime) -> None:
        self.at = 1000.0
        self.wall = wall - timedelta(seconds=self.at)
        self.written: list[float] = []  # when the relay saw each final dot
        self.locked = 0.0  # until when a worker holds the database
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._added = 0
        self._baton = threading.Semaphore(0)
        self._failed: list[BaseException] = []

    def clock(self) -> datetime:
        return self.wall + timedelta(seconds=self.at)

    def set_back(self, seconds: float) -> None:
        self.wall -= timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.at

    def after(self, at: float, event: Callable[[], None]) -> None:
        self._added += 1
        heappush(self._events, (max(at, self.at), self._added, event))

    def work(self, worker: "Worker", stage: Callable[[], Any]) -> None:
        """Begin a worker's stage, in its own thread, now."""

        def thread() -> None:
            worker.turn.acquire()
            try:
                worker.outcome = stage()
            except BaseException as error:  # noqa: BLE001 - rises in `run`
                self._failed.append(error)
            self._baton.release()

        threading.Thread(target=thread, daemon=True).start()
        self.after(self.at, lambda: self.run_on(worker))

    def run_on(self, worker: "Worker") -> None:
        """Let a worker run until it waits for something, or ends."""
        worker.turn.release()
        self._baton.acquire()

    def wait(self, worker: "Worker") -> None:
        """In a worker's thread: let others run until somebody lets this one run on."""
        self._baton.release()
        worker.turn.acquire()

    def run(self, most: float = 600.0) -> None:
        """Let everything happen, for so many seconds at most."""
        end = self.at + most
        while self._events and not self._failed:
            self.at, _, event = heappop(self._events)
            if self.at > end:
                raise AssertionError("it does not end")
            event()
        for error in self._failed:
            raise error


@dataclass(eq=False)
class Line:
    """One connection: the letter that was offered, and the one whose dot has no reply yet."""

    offered: Send | None = None
    dotted: Send | None = None


@dataclass(eq=False)
class Worker:
    """A wire as the stage sees it, with an edge and a relay behind it."""

    world: World
    machine: Machine
    connections: int
    chance: random.Random
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    outcome: Any = None

    def __post_init__(self) -> None:
        self._lines = [Line() for _ in range(self.connections)]
        self._waiting: deque[Send] = deque()
        self._letters: dict[int, Line | None] = {}
        self._dots: Dots[Send] = Dots()
        self._answers: list[Ready | Result] = []
        self._listening = 0  # counts how often; 0: it does not

    # --- as the stage sees it ----------------------------------------------------------------------------------------

    def take(self, timeout: float) -> list[Ready | Result]:
        """Listen, and then wait for the database."""
        if not self._answers:
            self._sleep(self.world.at + timeout, listening=True)
        while (until := max(self.world.locked, self._awake(self.world.at))) > self.world.at:
            self._sleep(until)
        answers, self._answers = self._answers, []
        return answers

    def tell_all(self, messages: Sequence[Send | Go | Stop]) -> None:
        """The round takes its time, and holds the database; then the edge hears of it."""
        self.world.locked = self.world.at + self.machine.round(self.chance)
        self._sleep(self.world.locked)
        self._sleep(self._awake(self.world.at))
        told = self.machine.awake(self.world.at + A_MOMENT)
        self.world.after(told, partial(self._hear_all, messages))

    def _hear_all(self, messages: Sequence[Send | Go | Stop]) -> None:
        for message in messages:
            self._hear(message)

    def room(self) -> bool:
        return True

    def ask(self, message: Send | Go | Stop) -> None:
        raise AssertionError(message)

    def done(self, count: int = 1) -> None:
        raise AssertionError(count)

    def _awake(self, at: float) -> float:
        return self.machine.awake(at) if self.machine.frozen else at

    def _sleep(self, until: float, *, listening: bool = False) -> None:
        self._slept = object()
        mine = self._slept
        self._listening = listening

        def wake() -> None:
            if self._slept is mine:
                self._slept = None
                self.world.run_on(self)

        self._wake = wake
        self.world.after(until, wake)
        self.world.wait(self)

    # --- the edge ----------------------------------------------------------------------------------------------------

    def _say(self, answer: Ready | Result) -> None:
        self._answers.append(answer)
        if self._listening and self._slept is not None:
            self.world.after(self.world.at + A_MOMENT, self._wake)

    def _then(self, at: float, event: Callable[[], None]) -> None:
        self.world.after(self.machine.awake(at), event)

    def _hear(self, message: Send | Go | Stop) -> None:
        if isinstance(message, Send):
            self._letters[message.letter_id] = None
            self._then(self.world.at + message.delay, lambda: self._due(message))
        elif isinstance(message, Stop):
            self._stop(message.letter_id)
        else:
            line = self._letters[message.letter_id]
            assert line is not None
            assert line.offered is not None
            self._dots.add(message, self.world.at, line.offered)
            self._write()

    def _stop(self, letter_id: int) -> None:
        """A letter that the relay waits for, and that has no Go, ends with its connection; another one is there at once."""
        line = self._letters.pop(letter_id)
        assert line is not None
        assert line.offered is not None
        letter, line.offered = line.offered, None
        self._say(Result(letter_id, letter.attempt_id, "data", 0, "", "stopped before the message", False, "relay", ""))
        self._offer(line)

    def _due(self, letter: Send) -> None:
        self._waiting.append(letter)
        for line in self._lines:
            if line.offered is None and line.dotted is None:
                self._offer(line)

    def _offer(self, line: Line) -> None:
        if self._waiting and line.offered is None:
            line.offered = letter = self._waiting.popleft()
            self._letters[letter.letter_id] = line
            if line.dotted is None:
                self._then(self.world.at + self.machine.answer(self.chance), lambda: self._ready(letter))

    def _ready(self, letter: Send) -> None:
        self._say(Ready(letter.letter_id, letter.attempt_id))

    def _write(self) -> None:
        """Write the dots whose time has come."""
        while (taken := self._dots.take(self.world.at)) is not None:
            go, letter, in_time = taken
            line = self._letters[letter.letter_id]
            assert line is not None
            if not in_time:
                self._ready(letter)
                continue
            assert self.world.at >= go.since + go.delay
            self.world.written.append(self.world.at)
            self._dots.written(go, self.world.at)
            line.offered, line.dotted = None, letter
            self._offer(line)
            self._end_later(line)
        wait = self._dots.wait(self.world.at)
        if wait is not None:
            self._then(self.world.at + wait + A_MOMENT, self._write)

    def _end_later(self, line: Line) -> None:
        self._then(self.world.at + self.machine.dot(self.chance), lambda: self._ended(line))

    def _ended(self, line: Line) -> None:
        letter = line.dotted
        assert letter is not None
        line.dotted = None
        del self._letters[letter.letter_id]
        self._say(Result(letter.letter_id, letter.attempt_id, "dot", 250, "2.0.0", "Ok", True, "relay", ""))
        if line.offered is not None:
            self._ready(line.offered)
        else:
            self._offer(line)


def sent(
    db: Database,
    world: World,
    sending: Callable[..., Any],
    machines: Sequence[Machine],
    connections: int,
    seed: int = 1,
) -> list[float]:
    """Send all that is due, one worker on each machine; returns when the relay saw each dot.

    `sending(wire, place)` makes the run of the worker at this place.
    """
    for place, machine in enumerate(machines):
        worker = Worker(world, machine, connections, random.Random(seed + place))
        run = sending(worker, place)
        world.work(worker, partial(send, run))
    world.run()
    return world.written
