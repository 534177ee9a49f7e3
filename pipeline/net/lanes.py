"""One lane per host: questions leave at their slots, in order, spaced, and at most so many are under way.

Reads and writes: nothing.  Safe to repeat: it only passes questions on.  A budget gives a question its slot (`delay`), and
the spacing of its host (`apart`).  Where a slow host lets questions pile up, their slots have passed when it recovers: they
then leave one by one in that spacing, never all at once.  A slow host holds up only itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

from pipeline.net.edge import Handler, Main, Questions, Tell, each

MOST_LANES = 1_000  # kept: a redirect may name any host
MOST_BEHIND = 0.1  # seconds of lateness that are passed on to the next question
CATCH_UP = 0.98  # of it is left after each question


class Slotted(Protocol):
    """A question that is not to be asked before `delay` seconds from now."""

    @property
    def delay(self) -> float: ...


Q = TypeVar("Q", bound=Slotted)
A = TypeVar("A")


def in_lanes(
    open_handler: Callable[[], AbstractAsyncContextManager[Handler[Q, A]]],
    host: Callable[[Q], str],
    count: int,
    apart: Callable[[Q], float] = lambda _: 0.0,
) -> Main[Q, A]:
    """Return a `main` that passes each question to the handler in the lane of its host, `count` at once in each.

    `apart` says how many seconds after the one before it in its lane a question may leave at the earliest.
    """

    async def main(questions: Questions[Q], answer: Tell[A]) -> None:
        lanes: dict[str, _Lane[Q, A]] = {}
        async with open_handler() as handler, asyncio.TaskGroup() as group:
            try:
                async for question in each(questions):
                    name = host(question)
                    if name not in lanes:
                        _clear(lanes)
                        lanes[name] = _Lane(handler, answer, group, count, apart)
                    lanes[name].add(question)
                for lane in lanes.values():
                    await lane.empty.wait()
            finally:
                for lane in lanes.values():
                    lane.close()

    return main


def _clear(lanes: "dict[str, _Lane[Q, A]]") -> None:
    """Forget the lanes that are at rest, once there are many."""
    if len(lanes) >= MOST_LANES:
        for name in [name for name, lane in lanes.items() if lane.at_rest()]:
            del lanes[name]


class _Lane(Generic[Q, A]):
    def __init__(
        self,
        handler: Handler[Q, A],
        answer: Tell[A],
        group: asyncio.TaskGroup,
        count: int,
        apart: Callable[[Q], float],
    ) -> None:
        self._handler = handler
        self._answer = answer
        self._group = group
        self._count = count
        self._free = count  # turns
        self._apart = apart
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[float, int, Q]] = []  # by slot, then in the order they came
        self._added = 0
        self._next_at = 0.0  # the loop's time before which the spacing allows no other
        self._behind = 0.0  # seconds by which the last one left after its slot
        self._timer: asyncio.TimerHandle | None = None
        self.empty = asyncio.Event()

    def add(self, question: Q) -> None:
        self._added += 1
        heappush(self._waiting, (self._loop.time() + max(question.delay, 0.0), self._added, question))
        self.empty.clear()
        self._begin()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def at_rest(self) -> bool:
        return self.empty.is_set() and self._free == self._count and self._next_at <= self._loop.time()

    def _begin(self) -> None:
        """Begin what may leave now, one task for each turn that is free, and wake up again for the next."""
        while self._free and (question := self._next()) is not None:
            self._free -= 1
            self._group.create_task(self._work(question))

    async def _work(self, question: Q | None) -> None:
        """Ask one after the other while the slots of those that wait have come."""
        while question is not None:
            self._answer(await self._handler(question))
            question = self._next()
        self._free += 1

    def _next(self) -> Q | None:
        """Return the question that may leave now; if there is none, wake up when there will be one."""
        if not self._waiting:
            self.empty.set()
            return None
        now = self._loop.time()
        slot, _, question = self._waiting[0]
        apart = self._apart(question)
        may_leave = max(slot + self._behind * CATCH_UP, self._next_at) if apart else slot
        if may_leave > now + 1e-6:
            self._wake_at(may_leave)
            return None
        heappop(self._waiting)
        # Half a step may be caught up: a timer that fires a little late must not slow the whole lane.  Else the lane
        # stays a little behind its slots for a while: those of other processes lie between them, and are on time.
        self._next_at = max(self._next_at, now - apart / 2) + apart
        self._behind = min(max(now - slot, 0.0), MOST_BEHIND)
        return question

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            if not self._timer.cancelled() and self._loop.time() < self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._begin)
