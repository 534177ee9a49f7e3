"""Hand letters to one relay over a few connections that are kept open, with the final dot in the caller's hand.

The caller sends Send; when the relay waits for the message it gets Ready; it commits the time of the dot and answers Go
(only then; Go before Ready is a bug, and raises), or Stop at any time; it gets exactly one Result for each Send.  Nothing
is tried twice here: what to do next is the caller's rule.  A Result with reply 0 says why in `text`; a text that begins
with "stopped" or "made by us" is our own word.
Where there are more letters than connections, the next one's MAIL, RCPT and DATA leave in the write of a dot: the attempt
of a letter is committed before its Send, and the Sends of a round are told before its Gos.
Reads: nothing but the relay.  Writes: the message, byte for byte, to the relay, and only after Go.
Safe to repeat: a Result without `dot_written` was not delivered; with it and reply 0 nobody knows (RFC 1047).
Standards: RFC 5321, 1870 (SIZE), 2920 (PIPELINING), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Edge, Main, Questions, Tell, each, quick_loop
from pipeline.net.smtp_command import letter_of
from pipeline.net.smtp_line import GOODBYE, Line
from pipeline.net.smtp_session import NotOpened, RelaySettings, connected, tls_context
from pipeline.net.smtp_talk import Asked, Ended, Event, Letter, Unspoken
from pipeline.net.smtp_wire import Reply

__all__ = ["Answer", "Message", "RelaySettings", "edge", "relay"]

Message = Send | Go | Stop
Answer = Ready | Result

NOT_STARTED = Reply(0, "", "stopped before it started")
NOT_SENT = Reply(0, "", "stopped before the message")
A_MOMENT = 0.001  # seconds in which the loop reads what has come in


def edge(settings: RelaySettings) -> Edge[Message, Answer]:
    """Return an edge to this relay, ready for `with`.  Raises ConfigurationError for a bad `ca_file`."""
    return Edge(relay(settings), 2 * settings.connections, quick_loop)


def relay(settings: RelaySettings) -> Main[Message, Answer]:
    """Return the `main` of an Edge that hands letters to this relay.  Raises ConfigurationError for a bad `ca_file`.

    When the caller leaves its block, letters that have had their Go are finished; all others end as if stopped.
    """
    context = tls_context(settings)

    async def main(questions: Questions[Message], answer: Tell[Answer]) -> None:
        await _Relay(settings, context, answer).work(questions)

    return main


@dataclass(slots=True, eq=False)
class _UnderWay:
    send: Send
    line: Line | None = None  # on which it was said
    ready: bool = False  # the relay waits for the message
    gone: bool = False  # its Go has come: the dot may be written
    stopped: bool = False


class _Relay:
    """The connections to one relay, and the letters that are under way."""

    def __init__(self, settings: RelaySettings, context: ssl.SSLContext | None, answer: Tell[Answer]) -> None:
        self._settings = settings
        self._context = context
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        self._letters: dict[int, _UnderWay] = {}
        self._waiting: deque[_UnderWay] = deque()  # their time has come, and they have no line
        self._lines: set[Line] = set()  # all that are open, also those that say goodbye
        self._idle: list[Line] = []
        self._opening: asyncio.Task[None] | None = None  # one at a time: a relay that is down is asked by one letter
        self._failures = 0
        self._not_before = 0.0
        self._ending = False
        self._emptied = asyncio.Event()  # set when the last letter or the last line has ended

    async def work(self, questions: Questions[Message]) -> None:
        self._loop.set_exception_handler(self._broken)
        try:
            async with self._group:
                ticking = self._group.create_task(self._tick())
                messages: AsyncIterator[Message] = each(questions)
                async for message in messages:
                    self._take(message)
                await self._finish()
                ticking.cancel()
        finally:
            for line in self._lines:
                line.abort()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A bug in a callback of the loop ends the work as any other, rather than a letter's hope for its Result."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError):
            loop.default_exception_handler(context)
        else:
            self._group.create_task(_rise(error))

    # --- what the caller says ----------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        if isinstance(message, Go):
            self._go(message)
        elif isinstance(message, Stop):
            self._stop(message.letter_id)
        elif message.letter_id in self._letters:
            raise ValueError(f"letter {message.letter_id} is under way already")
        else:
            under_way = self._letters[message.letter_id] = _UnderWay(message)
            if message.delay > 0:
                self._loop.call_later(message.delay, self._due, under_way)
            else:
                self._due(under_way)

    def _due(self, under_way: _UnderWay) -> None:
        if self._is_open(under_way):
            self._waiting.append(under_way)
            self._match()

    def _is_open(self, under_way: _UnderWay) -> bool:
        return self._letters.get(under_way.send.letter_id) is under_way

    def _go(self, go: Go) -> None:
        under_way = self._letters.get(go.letter_id)
        if under_way is None or under_way.gone or under_way.stopped:
            return  # it has ended meanwhile
        if under_way.line is None or not under_way.ready:
            raise ValueError(f"letter {go.letter_id} got its Go before it was ready")
        under_way.gone = True
        if go.delay > 0:
            self._loop.call_later(go.delay, self._write, under_way, under_way.line)
        else:
            self._write(under_way, under_way.line)

    def _write(self, under_way: _UnderWay, line: Line) -> None:
        """Write a letter and its dot, and the commands of the next one with it."""
        if not self._is_open(under_way):
            return
        if line.unread():  # said before the dot, it is no answer to it: it is read first, and ends the letter
            self._loop.call_later(A_MOMENT, self._write, under_way, line)
            return
        line.go(under_way.send.letter_id)
        if line.free:
            self._next(line)
        line.flush()

    def _stop(self, letter_id: int) -> None:
        under_way = self._letters.get(letter_id)
        if under_way is None or under_way.gone or under_way.stopped:
            return
        under_way.stopped = True
        if under_way.line is None:
            if under_way in self._waiting:
                self._waiting.remove(under_way)
            self._result(under_way, "connect", NOT_STARTED, dot=False)
        elif under_way.ready:
            self._abandon(under_way, under_way.line)  # else when the relay answers: another's dot may be before it

    def _abandon(self, under_way: _UnderWay, line: Line) -> None:
        """After 354 there is no other way to say nothing than to close."""
        self._result(under_way, "data", NOT_SENT, dot=False)
        line.end("stopped")
        self._forget(line)
        self._match()

    # --- which letter on which line ----------------------------------------------------------------------------------

    def _match(self) -> None:
        """Give those that wait to lines that have nothing to do, and see to it that there is another line."""
        while self._waiting and self._idle:
            line = self._idle.pop()
            if line.worn or line.unread():
                line.quit()
            elif self._next(line):
                line.flush()
            else:
                self._idle.append(line)
        if self._waiting and self._opening is None and len(self._lines) < self._settings.connections:
            self._opening = self._group.create_task(self._open())

    def _next(self, line: Line) -> bool:
        """Offer the next letter that may be said on this line; returns False if there is none."""
        while self._waiting and not line.worn:
            under_way = self._waiting.popleft()
            under_way.line = line
            letter = letter_of(under_way.send, line.extensions)
            if isinstance(letter, Letter):
                line.offer(letter)
                return True
            self._result(under_way, *letter, dot=False)
        return False

    async def _open(self) -> None:
        """Open lines until there are enough for those that wait; one that fails costs one letter its attempt."""
        try:
            while self._waiting and len(self._lines) < self._settings.connections:
                if (rest := self._not_before - self._loop.time()) > 0:
                    await asyncio.sleep(rest)
                    continue  # what waited may have been stopped
                try:
                    transport, extensions, tls = await connected(self._settings, self._context)
                except NotOpened as error:
                    self._back_off()
                    if self._waiting:
                        self._result(self._waiting.popleft(), error.stage, error.reply, dot=False)
                    continue
                line = Line(transport, extensions, tls, self._settings, self._happened)
                self._lines.add(line)
                if self._next(line):
                    line.flush()
                else:
                    self._idle.append(line)
        finally:
            self._opening = None

    def _back_off(self) -> None:
        self._failures += 1
        wait = min(self._settings.backoff * 2.0 ** min(self._failures - 1, 30), self._settings.longest_backoff)
        self._not_before = self._loop.time() + wait

    # --- what the relay says -----------------------------------------------------------------------------------------

    def _happened(self, line: Line, events: list[Event]) -> None:
        """Pass on what came of a line, and give it the next letter."""
        for event in events:
            under_way = self._letters.get(event.letter_id)
            if under_way is not None:  # else it was abandoned
                self._hear(under_way, line, event)
        if line.over:
            self._lost(line, events)
            return
        if any(isinstance(event, Ended) for event in events):
            self._failures = 0
        if line.free and self._waiting and not line.leaving:
            self._next(line)
        line.flush()
        if line.idle and not line.leaving and line not in self._idle:
            self._idle.append(line)
        if self._waiting:
            self._match()

    def _hear(self, under_way: _UnderWay, line: Line, event: Event) -> None:
        send = under_way.send
        if isinstance(event, Asked):
            under_way.ready = True
            if under_way.stopped:
                self._abandon(under_way, line)
            else:
                self._answer(Ready(send.letter_id, send.attempt_id))
        elif isinstance(event, Ended):
            self._result(under_way, event.stage, event.reply, dot=event.dot_written)
        elif under_way.stopped:
            under_way.line = None
            self._result(under_way, "connect", NOT_STARTED, dot=False)
        else:  # nothing was answered to it yet: it is said on another line, in the same attempt
            under_way.line = None
            self._waiting.appendleft(under_way)

    def _lost(self, line: Line, events: list[Event]) -> None:
        """A line has ended: wait before the next one is opened if it broke in the midst of something."""
        line.abort()
        if line in self._lines and not line.leaving:
            unspoken = bool(events) and all(isinstance(event, Unspoken) for event in events)
            if line not in self._idle and not unspoken:
                self._back_off()
        self._forget(line)
        self._match()

    def _forget(self, line: Line) -> None:
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        self._look_for_the_end()

    def _result(self, under_way: _UnderWay, stage: str, reply: Reply, *, dot: bool) -> None:
        send, line = under_way.send, under_way.line
        del self._letters[send.letter_id]
        self._answer(
            Result(
                send.letter_id,
                send.attempt_id,
                stage,
                reply.code,
                reply.enhanced,
                reply.text,
                dot,
                self._settings.name,
                line.tls if line else "",
            )
        )
        self._look_for_the_end()

    async def _tick(self) -> None:
        """Look for replies that are overdue: often enough to be a tenth late at most."""
        pause = min(self._settings.timeout, self._settings.dot_timeout, 10.0) / 10
        while True:
            await asyncio.sleep(pause)
            for line in list(self._lines):
                line.tick()

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Stop what has no Go, wait for what has, and say goodbye."""
        self._ending = True
        for letter_id in list(self._letters):
            self._stop(letter_id)
        while self._letters:
            self._emptied.clear()
            await self._emptied.wait()
        if self._opening is not None:
            self._opening.cancel()
        for line in [line for line in self._lines if line.idle and not line.leaving]:
            line.quit()
        try:
            async with asyncio.timeout(GOODBYE):
                while any(line.leaving for line in self._lines):
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            pass

    def _look_for_the_end(self) -> None:
        if self._ending:
            self._emptied.set()


async def _rise(error: BaseException) -> None:
    raise error
