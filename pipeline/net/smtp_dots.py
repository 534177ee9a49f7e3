"""The final dots that are committed and not written: each at its slot, never in a burst, and none long after its slot.

Pure: times in (seconds of time.monotonic), what may be written out.  Where this process stood still, or the system woke it
late, slots have passed.  What is only a little late is written, though in no second more than the pace and two; what is
later than `Go.late` allows is not written at all: others have taken later slots since, and it takes a new one.
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

from pipeline.domain import Go

T = TypeVar("T")

SPARE = 2  # letters in a second above the pace, with which what is late is caught up
SECOND = 1.002  # and a little: the way to the relay does not take the same time always


@dataclass(slots=True)
class Dots(Generic[T]):
    """Dots in the order of their slots.  In any second lie at most the pace and two of those that were written."""

    _waiting: list[tuple[float, int, Go, T]] = field(default_factory=list)  # a heap, by slot and then as they came
    _added: int = 0
    _written: deque[float] = field(default_factory=deque)  # when those of the last second were, as far as they count

    def add(self, go: Go, now: float, letter: T) -> None:
        """A dot is committed."""
        self._added += 1
        heappush(self._waiting, ((go.since or now) + go.delay, self._added, go, letter))

    def take(self, now: float) -> tuple[Go, T, bool] | None:
        """Return the next dot whose time has come, and whether it may be written still; None if there is none now."""
        if not self._waiting:
            return None
        at, _, go, letter = self._waiting[0]
        if now > at + go.late:
            heappop(self._waiting)
            return go, letter, False
        if self._free_at(at, go) > now:
            return None
        heappop(self._waiting)
        return go, letter, True

    def written(self, go: Go, now: float) -> None:
        """A dot that was taken is written."""
        if go.rate:
            self._written.append(now)
            while len(self._written) > _most(go.rate):
                self._written.popleft()

    def wait(self, now: float) -> float | None:
        """Return in how many seconds the next dot is to be taken; None if none waits."""
        if not self._waiting:
            return None
        at, _, go, _ = self._waiting[0]
        return max(min(self._free_at(at, go), at + go.late) - now, 0.0)

    def _free_at(self, at: float, go: Go) -> float:
        full = go.rate and len(self._written) >= _most(go.rate)
        return max(at, self._written[-_most(go.rate)] + SECOND) if full else at


def _most(rate: float) -> int:
    """Return how many dots a second may have."""
    return int(rate + SPARE + 1e-6)
