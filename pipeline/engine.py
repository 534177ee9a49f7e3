"""Who works what is due: this process, inline.

`working` makes this process a worker: a row in `workers`, a heartbeat that also seals the event log, and the planner's lock
where it is free, which voids what a dead predecessor held.  `until_done` runs stages in order, over and over, until none
finds anything due.  It is safe to kill at any line: leases of a worker that is not heard of are void, and every stage takes
up what it left.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from pipeline.audit.seal import seal
from pipeline.domain import Clock, IntegrityFailure
from pipeline.store import workers
from pipeline.store.db import Database, is_database_error
from pipeline.store.planner import planner_lock

BEAT_SECONDS = 5.0
SEALS_A_BEAT = 10  # of up to 10,000 events: half a second, so that the next beat is not late


class Stopped(BaseException):
    """Ctrl-C or SIGTERM: what is under way is finished or given back, then the process ends."""


def _unless_stopped(record: logging.LogRecord) -> bool:
    """Drop what the pool says of a connection that it was putting back when a person stopped us: it ends that one."""
    return not (record.exc_info and isinstance(record.exc_info[1], Stopped))


logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(_unless_stopped)


class Stop:
    """Raises Stopped when a person stops the process: at once, or at the end of a block that is not to be broken."""

    def __init__(self) -> None:
        self.asked = False
        self._unbroken = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if again or not self._unbroken:
            raise Stopped

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """Let the block come to its end before the process is stopped; a second Ctrl-C does not wait for it."""
        self._unbroken = True
        try:
            yield
        finally:
            self._unbroken = False
        if self.asked:
            raise Stopped


@dataclass(frozen=True, slots=True)
class Stage:
    """A name, and a function that works everything due now for this worker and returns how many rows it moved."""

    name: str
    work: Callable[[int], int]


@contextmanager
def working(db: Database, clock: Clock, beat_seconds: float = BEAT_SECONDS) -> Iterator[int]:
    """Be a worker for the block, with a heartbeat every few seconds; yields the worker's id.

    The event log is sealed at each beat and at the end.  Raises IntegrityFailure, at the end, if it cannot be.
    """
    with planner_lock(db) as planner:
        with db.write() as connection:
            worker_id = workers.register(connection, socket.gethostname(), os.getpid(), planner=planner, now=clock())
        stop = threading.Event()
        given = (db, worker_id, clock, beat_seconds, stop)
        heart = threading.Thread(target=_beat, args=given, name="heartbeat", daemon=True)
        heart.start()
        try:
            yield worker_id
        finally:
            stop.set()
            heart.join()
            with db.write() as connection:
                workers.end(connection, worker_id, clock())
            seal(db, clock, SEALS_A_BEAT)


def _beat(db: Database, worker_id: int, clock: Clock, seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        try:
            with db.write() as connection:
                alive = workers.beat(connection, worker_id, clock())
            if not alive:
                return  # another planner has taken over: every later write of ours finds its claim raised
            seal(db, clock, SEALS_A_BEAT)
        except IntegrityFailure:
            continue  # the heart goes on; the end of the work meets it too, and tells it
        except Exception as error:
            if not is_database_error(error):
                raise
            # a lock, a full disk, a server that is away: the stage meets it too, and tells it


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into Stopped for the block, so that a stage ends with its state saved."""
    stop = Stop()
    wanted = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, stop)) for number in wanted]
    try:
        yield stop
    except Exception as error:
        if stop.asked:  # what broke when it was torn off in the middle is no failure of its own
            raise Stopped from error
        raise
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def until_done(stages: Sequence[Stage], worker_id: int) -> dict[str, int]:
    """Run the stages in order until none of them finds anything due; return how many rows each has moved."""
    moved = dict.fromkeys((stage.name for stage in stages), 0)
    while True:
        found = 0
        for stage in stages:
            count = stage.work(worker_id)
            moved[stage.name] += count
            found += count
        if not found:
            return moved
