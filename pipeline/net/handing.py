"""Transports without a dialogue: a program or a folder takes a letter whole, or does not take it.

The protocol of the SMTP edge: a Send is Ready as soon as its turn has come; after Go the letter is handed over, each in a
thread of its own, at most `at_once` of them; it gets exactly one Result.  A letter whose turn has not come is not Ready, so
that no more final dots are committed than letters can be on their way.
Reads and writes: nothing; `hand` does.  Safe to repeat: as the transport is.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import monotonic

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Main, Questions, Tell, each

Hand = Callable[[Send], Result]  # may take its time; an exception is a bug, and rises in the caller
STOPPED = "stopped before the message"


@dataclass(slots=True, eq=False)
class _UnderWay:
    send: Send
    ready: bool = False
    gone: bool = False


def handing(hand: Hand, at_once: int, relay: str) -> Main[Send | Go | Stop, Ready | Result]:
    """Return the `main` of an Edge that hands letters over by `hand`, at most `at_once` at a time.

    When the caller leaves its block, letters that have had their Go are finished; all others end as if stopped.
    """

    async def main(questions: Questions[Send | Go | Stop], answer: Tell[Ready | Result]) -> None:
        await _Handing(hand, at_once, relay, answer).work(questions)

    return main


class _Handing:
    """What the caller says of letters, and what it is told of them."""

    def __init__(self, hand: Hand, at_once: int, relay: str, answer: Tell[Ready | Result]) -> None:
        self._hand, self._room, self._relay, self._answer = hand, at_once, relay, answer
        self._loop = asyncio.get_running_loop()
        self._letters: dict[int, _UnderWay] = {}
        self._waiting: deque[_UnderWay] = deque()
        self._emptied = asyncio.Event()  # set when the last letter has ended
        self._group = asyncio.TaskGroup()

    async def work(self, questions: Questions[Send | Go | Stop]) -> None:
        async with self._group:
            messages: AsyncIterator[Send | Go | Stop] = each(questions)
            async for message in messages:
                self._take(message)
            for letter_id in list(self._letters):
                self._stop(letter_id)
            while self._letters:
                self._emptied.clear()
                await self._emptied.wait()

    def _take(self, message: Send | Go | Stop) -> None:
        if isinstance(message, Go):
            self._go(message)
        elif isinstance(message, Stop):
            self._stop(message.letter_id)
        elif message.letter_id in self._letters:
            raise ValueError(f"letter {message.letter_id} is under way already")
        else:
            letter = self._letters[message.letter_id] = _UnderWay(message)
            self._after(message.delay, self._due, letter)

    def _after(self, delay: float, call: Callable[[_UnderWay], None], letter: _UnderWay) -> None:
        if delay > 0:
            self._loop.call_later(delay, call, letter)
        else:
            call(letter)

    def _due(self, letter: _UnderWay) -> None:
        self._waiting.append(letter)
        self._next()

    def _next(self) -> None:
        """Say Ready of the letters whose turn has come."""
        while self._waiting and self._room:
            letter = self._waiting.popleft()
            if self._letters.get(letter.send.letter_id) is letter:  # else it was stopped
                self._room -= 1
                letter.ready = True
                self._answer(Ready(letter.send.letter_id, letter.send.attempt_id))

    def _go(self, go: Go) -> None:
        letter = self._letters.get(go.letter_id)
        if letter is None or letter.gone:
            return  # it has ended meanwhile
        if not letter.ready:
            raise ValueError(f"letter {go.letter_id} got its Go before it was ready")
        letter.gone = True
        passed = monotonic() - go.since if go.since else 0.0
        self._after(go.delay - passed, self._start, letter)

    def _start(self, letter: _UnderWay) -> None:
        """The thread does not keep the process alive: if we have to leave, what it does is not known to us any more."""
        threading.Thread(target=self._hand_over, args=(letter,), name="letter", daemon=True).start()

    def _hand_over(self, letter: _UnderWay) -> None:
        """Runs in the letter's thread."""
        try:
            result: Result | BaseException = self._hand(letter.send)
        except BaseException as error:  # noqa: BLE001 - handed to the loop, where it rises
            result = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._handed, letter, result)

    def _handed(self, letter: _UnderWay, result: Result | BaseException) -> None:
        if isinstance(result, BaseException):
            self._group.create_task(_rise(result))
        else:
            self._end(letter, result)

    def _stop(self, letter_id: int) -> None:
        letter = self._letters.get(letter_id)
        if letter is not None and not letter.gone:
            stage = "mail" if letter.ready else "connect"
            self._end(letter, Result(letter_id, letter.send.attempt_id, stage, 0, "", STOPPED, False, self._relay))

    def _end(self, letter: _UnderWay, result: Result) -> None:
        del self._letters[letter.send.letter_id]
        self._room += letter.ready
        self._answer(result)
        self._next()
        if not self._letters:
            self._emptied.set()


async def _rise(error: BaseException) -> None:
    raise error
