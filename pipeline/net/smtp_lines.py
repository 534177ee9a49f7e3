"""The connections to one relay: how many are open, which letter goes on which, and how long to wait after a failure.

A letter waits until a connection is idle, or until one can be opened; one that stands behind a dot without a reply is
taken back after a few seconds if another connection can have it.  A relay that is down is asked by one letter at a time.
Reads: nothing but the relay.  Writes: MAIL, RCPT, DATA and QUIT; a message only by `Line.go`, which is the caller's.
Safe to repeat: what is taken back, or was never said, was not delivered.  Standards: RFC 5321 (4.5.4.1), RFC 2920.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.domain import Clock, Connected, Said, Send
from pipeline.net.smtp_command import letter_of
from pipeline.net.smtp_event import Ended, Event, Letter, Unspoken
from pipeline.net.smtp_line import GOODBYE, Line
from pipeline.net.smtp_session import NotOpened, RelaySettings, connected
from pipeline.net.smtp_wire import Reply

HANGING = "the letter before it had no reply yet"  # why a letter was taken back


@dataclass(slots=True, eq=False)
class UnderWay:
    """A letter that has no result yet."""

    send: Send
    line: Line | None = None  # on which it was said
    ready: bool = False  # the relay waits for the message
    gone: bool = False  # its Go has come: the dot may be written
    stopped: bool = False
    said: tuple[Said, ...] = ()  # on connections before this one

    @property
    def connection(self) -> Connected | None:
        return self.line.connection if self.line else None


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told what comes of the lines: their events; and a letter that is not said at all, with what is known."""

    happened: Callable[[Line, list[Event]], None]
    ended: Callable[[UnderWay, str, Reply, Connected | None, tuple[Said, ...]], None]


class Lines:
    """All connections to one relay, and the letters that wait for one.  `group` holds the task that opens them."""

    def __init__(
        self,
        settings: RelaySettings,
        context: ssl.SSLContext | None,
        clock: Clock,
        group: asyncio.TaskGroup,
        heard: Heard,
    ) -> None:
        self._settings = settings
        self._context = context
        self._clock = clock
        self._group = group
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[UnderWay] = deque()  # their time has come, and they have no line
        self._open: set[Line] = set()  # also those that say goodbye
        self._idle: list[Line] = []
        self._opening: asyncio.Task[None] | None = None  # one at a time
        self._failures = 0
        self._not_before = 0.0
        self._aborted = False
        self._left = asyncio.Event()  # set when a line has ended

    def wait(self, letter: UnderWay) -> None:
        """Say a letter as soon as a line has nothing to do."""
        self._waiting.append(letter)
        self.match()

    def wait_first(self, letter: UnderWay) -> None:
        """Say a letter, which was taken back, before all others: with the next `match`."""
        letter.line = None
        self._waiting.appendleft(letter)

    def drop(self, letter: UnderWay) -> None:
        """A letter waits no more, if it did."""
        if letter in self._waiting:
            self._waiting.remove(letter)

    def match(self) -> None:
        """Give those that wait to lines that have nothing to do, and see to it that there is another line."""
        while self._waiting and self._idle:
            line = self._idle.pop()
            if line.worn or line.unread():
                line.quit()
            elif self.next(line):
                line.flush()
            else:
                self._idle.append(line)
        may_open = not self._aborted and len(self._open) < self._settings.connections
        if self._waiting and self._opening is None and may_open:
            self._opening = self._group.create_task(self._open_lines())

    def next(self, line: Line) -> bool:
        """Offer the next letter that may be said on this line; returns False if there is none."""
        while self._waiting and not line.worn:
            letter = self._waiting.popleft()
            letter.line = line
            words = letter_of(letter.send, line.extensions)
            if isinstance(words, Letter):
                line.offer(words)
                return True
            self._heard.ended(letter, *words, line.connection, ())
        return False

    async def _open_lines(self) -> None:
        """Open lines until there are enough for those that wait; one that fails costs one letter its attempt."""
        try:
            while self._waiting and len(self._open) < self._settings.connections:
                if (rest := self._not_before - self._loop.time()) > 0:
                    await asyncio.sleep(rest)
                    continue  # what waited may have been stopped
                try:
                    transport, extensions, connection = await connected(self._settings, self._context, self._clock)
                except NotOpened as error:
                    self._back_off()
                    if self._waiting:
                        letter = self._waiting.popleft()
                        self._heard.ended(letter, error.stage, error.reply, error.connection, error.said)
                    continue
                line = Line(transport, extensions, connection, self._settings, self._heard.happened)
                self._open.add(line)
                if self.next(line):
                    line.flush()
                else:
                    self._idle.append(line)
        finally:
            self._opening = None

    def _back_off(self) -> None:
        self._failures += 1
        wait = min(self._settings.backoff * 2.0 ** min(self._failures - 1, 30), self._settings.longest_backoff)
        self._not_before = self._loop.time() + wait

    def after(self, line: Line, events: list[Event]) -> None:
        """Once the events of a line were heard: give it the next letter, or see to it that another line comes."""
        if line.over:
            self._lost(line, events)
            return
        if any(isinstance(event, Ended) for event in events):
            self._failures = 0
        if line.free and self._waiting and not line.leaving:
            self.next(line)
        line.flush()
        if line.idle and not line.leaving and line not in self._idle:
            self._idle.append(line)
        if self._waiting:
            self.match()

    def _lost(self, line: Line, events: list[Event]) -> None:
        """A line has ended: wait before the next one is opened if it broke in the midst of something."""
        line.abort()
        if line in self._open and not (line.leaving or line.withdrawn):
            unspoken = bool(events) and all(isinstance(event, Unspoken) for event in events)
            if line not in self._idle and not unspoken:
                self._back_off()
        self.forget(line)

    def forget(self, line: Line) -> None:
        """A line is of no use any more."""
        self._open.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        self._left.set()
        self.match()

    async def tick(self) -> None:
        """Look for replies that are overdue and for letters that wait behind them: a tenth late at most."""
        times = self._settings.timeout, self._settings.dot_timeout, 2 * self._settings.withdraw_after, 10.0
        while True:
            await asyncio.sleep(min(times) / 10)
            for line in list(self._open):
                line.tick()
            self._take_back()

    def _take_back(self) -> None:
        """Give letters that stand behind a dot without a reply to other lines, as many as can take one at once."""
        room = len(self._idle) - len(self._waiting)
        if self._loop.time() >= self._not_before:
            room += self._settings.connections - len(self._open)
        for line in list(self._open):
            if room > 0 and line.kept_waiting() >= self._settings.withdraw_after and (taken := line.withdraw(HANGING)):
                room -= 1
                self._heard.happened(line, [taken])

    async def goodbye(self) -> None:
        """Say QUIT on all lines that have nothing to do, and wait a little for the answers."""
        if self._opening is not None:
            self._opening.cancel()
        for line in [line for line in self._open if line.idle and not line.leaving]:
            line.quit()
        try:
            async with asyncio.timeout(GOODBYE):
                while any(line.leaving for line in self._open):
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            pass

    def abort(self) -> None:
        """Close all lines at once, and open no other: the loop tells of their ends only when the group has finished."""
        self._aborted = True
        for line in self._open:
            line.abort()
