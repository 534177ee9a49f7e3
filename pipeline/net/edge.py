"""An edge: an event loop in a thread of its own, joined to the caller by a queue each way.

The caller stays plain and synchronous: it puts questions in and takes answers out, and does its database work between
the two.  Nothing here knows what a question is.  A caller that stops early loses nothing that it had not been handed.
Waking the other thread costs more than most of what is done there, so each side is woken once for all that waits.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

Handler = Callable[[Q], Awaitable[A]]
Questions = asyncio.Queue[list[Q | None]]  # each list is what came at once, in its order; None: the caller leaves
Tell = Callable[[A], None]
Main = Callable[[Questions[Q], Tell[A]], Coroutine[None, None, None]]
NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Edge(Generic[Q, A]):
    """Runs `main(questions, answer)` on its own loop until the caller leaves the `with` block.

    `main` reads questions until it gets None, and calls `answer(a)` for each answer.  An exception in `main` rises in
    the caller at its next `take`, and at the end of the block.  `size` bounds what was asked and is not dealt with.
    """

    def __init__(self, main: Main[Q, A], size: int, new_loop: NewLoop = asyncio.new_event_loop) -> None:
        self._main = main
        self._new_loop = new_loop
        self._asked: deque[Q | None] = deque()  # not yet fetched by the loop
        self._called = False  # the loop was told to fetch them
        self._said: list[A] = []  # not yet handed to the caller's thread
        self._answers: queue.SimpleQueue[list[A]] = queue.SimpleQueue()
        self._free = threading.Semaphore(size)
        self._failed: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge", daemon=True)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self._work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, where it rises
            self._failed = error
            self._answers.put([])  # a caller that waits hears of it now
        finally:
            self._ready.set()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._questions: Questions[Q] = asyncio.Queue()
        self._task = asyncio.current_task()
        self._ready.set()

        def answer(a: A) -> None:
            if not self._said:
                self._loop.call_soon(self._hand_over)
            self._said.append(a)

        try:
            await self._main(self._questions, answer)
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        """Hand the caller all that was answered in this turn of the loop."""
        if self._said:
            said, self._said = self._said, []
            self._answers.put(said)

    def _fetch(self) -> None:
        """Fetch what the caller has asked; the flag falls first, so that whatever is not seen here calls again."""
        self._called = False
        asked: list[Q | None] = []
        while self._asked:
            asked.append(self._asked.popleft())
        if asked:
            self._questions.put_nowait(asked)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already: main ended or failed
            if kind is None:
                self._send([None])
            elif self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        if kind is None:
            self._raise()

    def _raise(self) -> None:
        if self._failed is not None and not isinstance(self._failed, asyncio.CancelledError):
            raise self._failed

    def room(self) -> bool:
        """True if `ask` would not wait."""
        if self._free.acquire(blocking=False):
            self._free.release()
            return True
        return False

    def ask(self, question: Q) -> None:
        """Hand over one question; waits while `size` of them are unanswered."""
        while not self._free.acquire(timeout=0.2):
            self._raise()
        self.tell_all([question])

    def tell_all(self, messages: Sequence[Q]) -> None:
        """Hand over messages in their order, whatever the room: whoever uses this alone counts what is under way."""
        try:
            if messages:
                self._send(messages)
        except RuntimeError:  # the loop is closed: main has ended; why it failed says more than that
            self._thread.join()
            self._raise()
            raise

    def _send(self, messages: Sequence[Q | None]) -> None:
        self._asked.extend(messages)
        if not self._called or self._loop.is_closed():
            self._called = True
            self._loop.call_soon_threadsafe(self._fetch)

    def take(self, timeout: float) -> list[A]:
        """Return the answers that are there, waiting at most `timeout` seconds for the first one."""
        taken: list[A] = []
        try:
            wait = timeout > 0 and self._failed is None
            taken += self._answers.get(timeout=timeout) if wait else self._answers.get_nowait()
            while not self._answers.empty():
                taken += self._answers.get_nowait()
        except queue.Empty:
            pass
        if not taken:
            self._raise()
        return taken

    def done(self, count: int = 1) -> None:
        """Say that `count` questions are fully dealt with, which makes room for as many."""
        self._free.release(count)


async def each(questions: Questions[Q]) -> AsyncIterator[Q]:
    """Yield the questions, one at a time, until the caller leaves its block."""
    while True:
        for question in await questions.get():
            if question is None:
                return
            yield question


def quick_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop: uvloop's, or asyncio's where uvloop cannot be had."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def alone(work: Coroutine[Any, Any, A]) -> A:
    """Return what a coroutine returns, run on a loop in a thread of its own: Ctrl-C ends the wait, and cancels it."""

    async def main(_questions: Questions[None], answer: Tell[A]) -> None:
        answer(await work)

    with Edge(main, 1) as edge:
        while not (answers := edge.take(0.5)):
            pass
    return answers[0]


def many(open_handler: Callable[[], AbstractAsyncContextManager[Handler[Q, A]]]) -> Main[Q, A]:
    """Return a `main` that answers each question in a task of its own, all under one opened handler (a session)."""

    async def main(questions: Questions[Q], answer: Tell[A]) -> None:
        async with open_handler() as handler, asyncio.TaskGroup() as group:

            async def one(question: Q) -> None:
                answer(await handler(question))

            async for question in each(questions):
                group.create_task(one(question))

    return main


@contextlib.asynccontextmanager
async def plain(handler: Handler[Q, A]) -> AsyncIterator[Handler[Q, A]]:
    """Wrap a handler that needs nothing opened, for `many`."""
    yield handler
