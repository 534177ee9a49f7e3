"""One connection to the relay: passes bytes to its conversation, and what comes of them to whoever holds the line.

Reads: what the relay says.  Writes: what the conversation wants written, in one write, and nothing else.
Safe to repeat: whether something was delivered is the conversation's to say (smtp_talk.py).
Standards: RFC 5321 4.5.3.2 (time-outs), RFC 2920.
"""

import asyncio
import select
from collections.abc import Callable

from pipeline.domain import Connected
from pipeline.net.smtp_event import Event, Letter, Unspoken
from pipeline.net.smtp_session import RelaySettings
from pipeline.net.smtp_talk import Conversation
from pipeline.net.smtp_wire import cleaned

GOODBYE = 5.0  # seconds in which a relay may answer QUIT


class Line(asyncio.Protocol):
    """A connection that was taken over, ready for letters.  `happened(line, events)` is called for all that comes of it."""

    def __init__(
        self,
        transport: asyncio.Transport,
        extensions: frozenset[str],
        connection: Connected,
        settings: RelaySettings,
        happened: "Callable[[Line, list[Event]], None]",
    ) -> None:
        self.extensions = extensions
        self.connection = connection
        self.leaving = False
        self._talk = Conversation("pipelining" in extensions, settings.timeout, settings.dot_timeout)
        self._transport = transport
        self._settings = settings
        self._happened = happened
        self._loop = asyncio.get_running_loop()
        self._born = self._loop.time()
        self._letters = 0
        self._full = False  # the system takes no more bytes for now
        self._unread = select.poll()
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        # The loop tells us to pause as soon as it has to keep bytes back; 1 and not 0, which its TLS takes for "always".
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def over(self) -> bool:
        return bool(self._talk.over)

    @property
    def free(self) -> bool:
        """True if the next letter may be offered, be it behind the dot of another one."""
        return self._talk.free

    @property
    def idle(self) -> bool:
        return self._talk.idle

    @property
    def worn(self) -> bool:
        """True if it is to carry no further letter; a new connection carries one, whatever its age."""
        worn = self._letters >= self._settings.max_letters_per_connection
        return worn or (self._letters > 0 and self._loop.time() - self._born >= self._settings.max_age)

    @property
    def withdrawn(self) -> bool:
        """True since its last letter was taken back: it is likely to end, by our own doing."""
        return self._talk.withdrawn

    def unread(self) -> bool:
        """True if the relay has said something, or hung up, of which we have not heard yet."""
        return self._transport.is_closing() or bool(self._unread.poll(0))

    def offer(self, letter: Letter) -> None:
        """Say MAIL, RCPT and DATA with the next `flush`."""
        self._letters += 1
        self._talk.offer(letter, self._loop.time())

    def go(self, letter_id: int) -> None:
        """Write the message and its dot with the next `flush`."""
        self._talk.go(letter_id, self._loop.time())

    def kept_waiting(self) -> float:
        """Return for how many seconds a letter has stood behind a dot that has no reply; 0 if none does."""
        return self._talk.kept_waiting(self._loop.time())

    def withdraw(self, why: str) -> Unspoken | None:
        """Take back the letter that stands behind a dot without a reply; None if there is none."""
        return self._talk.withdraw(self._loop.time(), why)

    def quit(self) -> None:
        """Say goodbye; the line ends when that is answered, or after a little while."""
        self.leaving = True
        self._talk.quit(self._loop.time())
        self.flush()
        self._loop.call_later(min(self._settings.timeout, GOODBYE), self.abort)

    def end(self, why: str) -> list[Event]:
        """Close at once: what is not written yet is never written."""
        events = self._talk.end(why, self._loop.time())
        self.abort()
        return events

    def abort(self) -> None:
        self._transport.abort()

    def tick(self) -> None:
        """Give up what is overdue."""
        events = self._talk.tick(self._loop.time())
        if events or self._talk.over:
            self._happened(self, events)

    def flush(self) -> None:
        """Write what is to be written, in one write; a long message waits until the piece before it has left."""
        if out := self._talk.to_write():
            self._transport.write(out)
        if self._talk.writing and not self._full:
            self._loop.call_soon(self._more)  # not at once: a refusal that has come in by now is to be seen

    def _more(self) -> None:
        if not (self._full or self._transport.is_closing()):
            self._talk.drained(self._loop.time())
            self.flush()

    def data_received(self, data: bytes) -> None:
        self._happened(self, self._talk.receive(data, self._loop.time()))

    def eof_received(self) -> bool:
        self._happened(self, self._talk.end("the relay closed the connection", self._loop.time()))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"the connection was lost: {cleaned(str(exc))}" if exc else "the relay closed the connection"
        self._happened(self, self._talk.end(why, self._loop.time()))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._talk.writing:
            self._loop.call_soon(self._more)
