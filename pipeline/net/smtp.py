"""Hand letters to one relay over a few connections that are kept open, with the final dot in the caller's hand.

The caller sends Send; when the relay waits for the message it gets Ready; it commits the time of the dot and answers Go
(only then; Go before Ready is a bug, and raises), or Stop at any time; it gets exactly one Result for each Send.  A dot
that could be written only too late (Go.late) is not written: the letter is Ready again, and gets another Go.  Nothing
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
import time
from collections.abc import AsyncIterator
from math import inf
from typing import Any

from pipeline.domain import Clock, Connected, Go, Ready, Result, Said, Send, Stop
from pipeline.net.edge import Edge, Main, Questions, Tell, each, quick_loop
from pipeline.net.smtp_dots import Dots
from pipeline.net.smtp_event import Asked, Ended, Event
from pipeline.net.smtp_line import Line
from pipeline.net.smtp_lines import Heard, Lines, UnderWay
from pipeline.net.smtp_session import RelaySettings, system_clock, tls_context
from pipeline.net.smtp_wire import Reply

__all__ = ["Answer", "Message", "RelaySettings", "edge", "relay"]

Message = Send | Go | Stop
Answer = Ready | Result

NOT_STARTED = Reply(0, "", "stopped before it started")
NOT_SENT = Reply(0, "", "stopped before the message")
A_MOMENT = 0.001  # seconds in which the loop reads what has come in


def edge(settings: RelaySettings, clock: Clock = system_clock) -> Edge[Message, Answer]:
    """Return an edge to this relay, ready for `with`.  Raises ConfigurationError for a bad `ca_file`."""
    return Edge(relay(settings, clock), 2 * settings.connections, quick_loop)


def relay(settings: RelaySettings, clock: Clock = system_clock) -> Main[Message, Answer]:
    """Return the `main` of an Edge that hands letters to this relay.  Raises ConfigurationError for a bad `ca_file`.

    When the caller leaves its block, letters that have had their Go are finished; all others end as if stopped.  `clock`
    tells when a connection was begun.
    """
    context = tls_context(settings)

    async def main(questions: Questions[Message], answer: Tell[Answer]) -> None:
        await _Relay(settings, context, clock, answer).work(questions)

    return main


class _Relay:
    """What the caller says of letters, and what it is told of them."""

    def __init__(
        self, settings: RelaySettings, context: ssl.SSLContext | None, clock: Clock, answer: Tell[Answer]
    ) -> None:
        self._name = settings.name
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        self._lines = Lines(settings, context, clock, self._group, Heard(self._happened, self._result))
        self._letters: dict[int, UnderWay] = {}
        self._emptied = asyncio.Event()  # set when the last letter has ended
        self._dots: Dots[UnderWay] = Dots()
        self._timer: asyncio.TimerHandle | None = None  # of the next dot
        self._leaving = False

    async def work(self, questions: Questions[Message]) -> None:
        self._loop.set_exception_handler(self._broken)
        try:
            async with self._group:
                ticking = self._group.create_task(self._lines.tick())
                messages: AsyncIterator[Message] = each(questions)
                async for message in messages:
                    self._take(message)
                await self._finish()
                ticking.cancel()
        finally:
            self._lines.abort()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A bug in a callback of the loop ends the work as any other, rather than a letter's hope for its Result."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError):
            loop.default_exception_handler(context)
        else:
            self._group.create_task(_rise(error))

    async def _finish(self) -> None:
        """Stop what has no Go, wait for what has, and say goodbye."""
        self._leaving = True
        for letter_id in list(self._letters):
            self._stop(letter_id)
        while self._letters:
            self._emptied.clear()
            await self._emptied.wait()
        await self._lines.goodbye()

    # --- what the caller says ----------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        if isinstance(message, Go):
            self._go(message)
        elif isinstance(message, Stop):
            self._stop(message.letter_id)
        elif message.letter_id in self._letters:
            raise ValueError(f"letter {message.letter_id} is under way already")
        else:
            letter = self._letters[message.letter_id] = UnderWay(message)
            if message.delay > 0:
                self._loop.call_later(message.delay, self._due, letter)
            else:
                self._due(letter)

    def _due(self, letter: UnderWay) -> None:
        if self._is_open(letter):
            self._lines.wait(letter)

    def _is_open(self, letter: UnderWay) -> bool:
        return self._letters.get(letter.send.letter_id) is letter

    def _go(self, go: Go) -> None:
        letter = self._letters.get(go.letter_id)
        if letter is None or letter.gone or letter.stopped:
            return  # it has ended meanwhile
        if letter.line is None or not letter.ready:
            raise ValueError(f"letter {go.letter_id} got its Go before it was ready")
        letter.gone = True
        if go.delay <= 0 and not go.rate and go.late == inf:  # no pace is kept
            self._write(go, letter, letter.line)
        else:
            self._dots.add(go, time.monotonic(), letter)
            self._dots_due()

    def _dots_due(self) -> None:
        """Write the dots whose time has come, and look again when that of the next one has."""
        while (taken := self._dots.take(time.monotonic())) is not None:
            go, letter, in_time = taken
            if in_time and letter.line is not None:
                self._write(go, letter, letter.line)
            elif self._is_open(letter):
                self._too_late(letter)
        if self._timer is not None:
            self._timer.cancel()
        wait = self._dots.wait(time.monotonic())
        self._timer = None if wait is None else self._loop.call_later(max(wait, A_MOMENT / 2), self._dots_due)

    def _write(self, go: Go, letter: UnderWay, line: Line) -> None:
        """Write a letter and its dot, and the commands of the next one with it."""
        if not self._is_open(letter):
            return
        if line.unread():  # said before the dot, it is no answer to it: it is read first, and ends the letter
            self._loop.call_later(A_MOMENT, self._write, go, letter, line)
            return
        line.go(letter.send.letter_id)
        if line.free:
            self._lines.next(line)
        line.flush()
        self._dots.written(go, time.monotonic())

    def _too_late(self, letter: UnderWay) -> None:
        """The time of a dot has passed: the letter waits for another one."""
        letter.gone = False
        if self._leaving:
            self._stop(letter.send.letter_id)
        else:
            self._answer(Ready(letter.send.letter_id, letter.send.attempt_id))

    def _stop(self, letter_id: int) -> None:
        letter = self._letters.get(letter_id)
        if letter is None or letter.gone or letter.stopped:
            return
        letter.stopped = True
        if letter.line is None:
            self._lines.drop(letter)
            self._result(letter, "connect", NOT_STARTED, None, ())
        elif letter.ready:
            self._abandon(letter.line)
        elif taken := letter.line.withdraw(NOT_SENT.text):  # else when the relay answers
            self._result(letter, "mail", NOT_SENT, letter.connection, taken.said)

    def _abandon(self, line: Line) -> None:
        """After 354 there is no other way to say nothing than to close; nobody else's dot waits for its reply then."""
        for event in line.end(NOT_SENT.text):
            self._hear(line, event)
        self._lines.forget(line)

    # --- what the relay says -----------------------------------------------------------------------------------------

    def _happened(self, line: Line, events: list[Event]) -> None:
        """Pass on what came of a line, and have it given the next letter."""
        for event in events:
            self._hear(line, event)
        self._lines.after(line, events)

    def _hear(self, line: Line, event: Event) -> None:
        letter = self._letters.get(event.letter_id)
        if letter is None:
            return  # it was abandoned
        if isinstance(event, Asked):
            letter.ready = True
            if letter.stopped:
                self._abandon(line)
            else:
                self._answer(Ready(event.letter_id, letter.send.attempt_id))
        elif isinstance(event, Ended):
            self._result(letter, event.stage, event.reply, line.connection, event.said, dot=event.dot_written)
        elif letter.stopped:
            self._result(letter, "connect", NOT_STARTED, line.connection, event.said)
        else:  # nothing was answered to it yet: it is said on another line, in the same attempt
            letter.said += event.said
            self._lines.wait_first(letter)

    def _result(
        self,
        letter: UnderWay,
        stage: str,
        reply: Reply,
        connection: Connected | None,
        said: tuple[Said, ...],
        *,
        dot: bool = False,
    ) -> None:
        send = letter.send
        del self._letters[send.letter_id]
        if not self._letters:
            self._emptied.set()
        tls = connection.tls if connection else ""
        written = letter.said + said
        words = reply.code, reply.enhanced, reply.text
        self._answer(Result(send.letter_id, send.attempt_id, stage, *words, dot, self._name, tls, connection, written))


async def _rise(error: BaseException) -> None:
    raise error
