"""The bytes of one SMTP connection: whole replies in, commands and messages out, on a transport that was taken over.

Nothing here raises because of what the other side does: what is no reply, or no reply in time, is a Reply with code 0.
Standards: RFC 5321 (4.2 replies, 4.5.2 dot-stuffing).
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass

LONGEST_REPLY = 32_768  # bytes; a real EHLO has a few thousand
LONGEST_TEXT = 500  # characters kept of a reply
_UNASKED = 8  # replies that nobody asked for, before we stop listening

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\n]*))?\r?\n")
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said.  `code` 0: nothing that could be understood, and `text` says why."""

    code: int
    enhanced: str = ""
    text: str = ""


class Wire(asyncio.Protocol):
    """The bytes of a connection: reads whole replies, and knows whether all that was written has left this process."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._replies: deque[Reply] = deque()
        self._over = ""  # why no more replies will come
        self._full = False
        self._news = self._loop.create_future()
        self.closed = self._loop.create_future()
        # The loop tells us to pause as soon as it has to keep bytes back; 1 and not 0, which its TLS takes for "always".
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def quiet(self) -> bool:
        """True if the relay has neither spoken nor hung up since its last reply was read."""
        return not (self._replies or self._received or self._over or self._transport.is_closing())

    def news(self) -> asyncio.Future[None]:
        """A future that is done at the next thing that happens."""
        if self._news.done():
            self._news = self._loop.create_future()
        return self._news

    def write(self, data: bytes | memoryview) -> None:
        if not self._over:
            self._transport.write(data)

    async def written(self, seconds: float) -> bool:
        """Wait until all bytes have been handed to the system; returns False if the relay spoke, hung up or was too
        slow before that."""
        await asyncio.sleep(0)  # so that what has come in by now is seen
        try:
            async with asyncio.timeout(seconds):
                while self._full and self.quiet:
                    await self.news()
        except TimeoutError:
            self._end(f"the message was not taken within {seconds:g} s")
        return self.quiet

    async def reply(self, seconds: float) -> Reply:
        """Return the next reply, or one with code 0 if there is none within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not (self._replies or self._over):
                    await self.news()
        except TimeoutError:
            self._end(f"no reply within {seconds:g} s")
        return self._replies.popleft() if self._replies else Reply(0, "", self._over)

    def abort(self) -> None:
        self._end("closed by us")
        self._transport.abort()

    def _end(self, why: str) -> None:
        self._over = self._over or why
        self._tell()

    def _tell(self) -> None:
        if not self._news.done():
            self._news.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._received += data
        try:
            while (found := next_reply(self._received)) is not None:
                reply, length = found
                self._replies.append(reply)
                del self._received[:length]
                if len(self._replies) > _UNASKED:
                    raise ValueError("replies that nobody asked for")
        except ValueError as error:
            self._end(f"not understood: {error}")
        self._tell()

    def eof_received(self) -> bool:
        self._end("the relay closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {cleaned(str(exc))}" if exc else "the relay closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._tell()


def next_reply(received: bytes | bytearray) -> tuple[Reply, int] | None:
    """Return the first reply in `received` and its length, or None if it is not complete yet (RFC 5321 4.2.1).

    Raises ValueError for what is no reply: no code, a code below 200 or above 599, lines with different codes, no end.
    """
    lines: list[str] = []
    codes: set[bytes] = set()
    at = 0
    while (end := received.find(b"\n", at)) >= 0:
        match = _LINE.match(received, at)
        if match is None:
            raise ValueError(cleaned(received[at:end].decode("utf-8", "replace"))[:80])
        at = match.end()
        if at > LONGEST_REPLY:
            raise ValueError("too long")
        codes.add(match[1])
        lines.append(cleaned((match[3] or b"").decode("utf-8", "replace")))
        if match[2] != b"-":
            if len(codes) > 1:
                raise ValueError("one reply with several codes")
            return reply_of(int(match[1]), lines), at
    if len(received) > LONGEST_REPLY:
        raise ValueError("too long")
    return None


def reply_of(code: int, lines: list[str]) -> Reply:
    """Return the reply of a code and its cleaned lines; the enhanced code (RFC 2034) is taken out of them."""
    match = _ENHANCED.match(lines[0])
    enhanced = match[1] if match and match[1][0] == str(code)[0] else ""
    if enhanced:
        lines = [line.removeprefix(enhanced).lstrip() for line in lines]
    return Reply(code, enhanced, " ".join(filter(None, lines))[:LONGEST_TEXT])


def cleaned(text: str) -> str:
    """Return text from outside as one line without anything that does not print."""
    return "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_TEXT]).strip()[:LONGEST_TEXT]


def dot_stuffed(data: bytes) -> memoryview:
    """Return the message with every line that begins with a dot given one more (RFC 5321 4.5.2)."""
    return memoryview((b"." if data.startswith(b".") else b"") + data.replace(b"\r\n.", b"\r\n.."))
