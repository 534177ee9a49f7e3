"""What is said on one connection after its EHLO: replies, decisions and the time in; bytes and events out.  Pure.

Where PIPELINING is offered, the message, its final dot and MAIL, RCPT, DATA of the next letter leave in one write: one
round trip a letter (RFC 2920).  Where it is not, the same commands leave one at a time and mean the same.
A final dot is written after `go` and never else.  Once a conversation is `over`, the transport has to be aborted.
Safe to repeat: a letter that ended without `dot_written`, or Unspoken, was not delivered.
Standards: RFC 5321 (4.2 replies, 4.2.3 421, 4.5.2 dots, 4.5.3.2 time-outs), RFC 2920, RFC 1047.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Literal

from pipeline.net.smtp_wire import LONGEST_REPLY, Reply, next_reply

Command = Literal["mail", "rcpt", "data", "dot", "lone dot", "rset", "quit"]

_CHUNK = 65_536  # bytes of a message in one write; the dot is in the last one, so a longer one can still be abandoned


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said for one letter: whole commands, and the message dot-stuffed, with CRLF at its end."""

    letter_id: int
    mail: bytes
    rcpt: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """DATA was answered with 354: the relay waits for the message, and the conversation for `go`."""

    letter_id: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a transaction ended: at which command, with which reply (code 0: none), and whether the dot was written."""

    letter_id: int
    stage: Command
    reply: Reply
    dot_written: bool


@dataclass(frozen=True, slots=True)
class Unspoken:
    """The conversation ended before the relay came to this letter: its commands stood behind the dot of another one."""

    letter_id: int


Event = Asked | Ended | Unspoken


class Conversation:
    """At most two letters at once: one whose dot waits for its reply, and behind it one that is on its way to 354."""

    def __init__(self, pipelining: bool, command_time: float, dot_time: float) -> None:
        self.over, self.deadline = "", inf  # why nothing more will be said; when the next reply is overdue
        self._pipelining, self._command_time, self._dot_time = pipelining, command_time, dot_time
        self._expected: deque[tuple[Command, int | None]] = deque()  # replies we wait for, in order
        self._unsaid: deque[tuple[Command, int | None, bytes]] = deque()  # what has to wait for a reply
        self._out: list[bytes | memoryview] = []
        self._received = bytearray()
        self._letter: Letter | None = None  # the one that has no dot yet
        self._behind = False  # it stands behind a dot, and no reply was about it yet
        self._told = False  # its fate is known: what is still expected for it is only listened to
        self._taken = False  # its recipient was accepted
        self._asked = False
        self._rest: memoryview | None = None  # of a long message that is being written
        self._reset = False  # a transaction is open that leads nowhere

    @property
    def free(self) -> bool:
        """True if the next letter may be offered now."""
        return not (self.over or self._letter or (self._expected and self._expected[-1][0] != "dot"))

    @property
    def idle(self) -> bool:
        return self.free and not self._expected

    @property
    def writing(self) -> bool:
        """True in the middle of a long message: `drained` is to be called when what was written has left."""
        return self._rest is not None

    def offer(self, letter: Letter, now: float) -> None:
        """Begin a letter, behind the last one's dot if that is not answered yet.  Raises ValueError if not free."""
        if not self.free:
            raise ValueError(f"letter {letter.letter_id} was offered to a connection that is not free")
        self._letter, self._behind = letter, bool(self._expected)
        self._told = self._taken = self._asked = False
        if self._reset:
            self._unsaid.append(("rset", None, b"RSET\r\n"))
            self._reset = False
        n = letter.letter_id
        self._unsaid += ("mail", n, letter.mail), ("rcpt", n, letter.rcpt), ("data", n, b"DATA\r\n")
        self._say(now)

    def go(self, letter_id: int, now: float) -> None:
        """Write the message and its dot.  Raises ValueError if the relay has not asked for it, or no longer does."""
        if self._letter is None or self._letter.letter_id != letter_id or not self._asked or self.writing:
            raise ValueError(f"letter {letter_id} got its go before it was asked for")
        self._rest = memoryview(self._letter.message)
        self.drained(now)

    def drained(self, now: float) -> None:
        """What was written has left this process: write more of a long message, in the end its dot."""
        if (letter := self._letter) is None or (rest := self._rest) is None:
            return
        self._out.append(rest[:_CHUNK])
        if len(rest) > _CHUNK:
            self._rest = rest[_CHUNK:]
            self.deadline = now + self._command_time
            return
        self._letter, self._rest, self._asked = None, None, False
        self._unsaid.append(("dot", letter.letter_id, b".\r\n"))
        self._say(now)

    def quit(self, now: float) -> None:
        self._unsaid.append(("quit", None, b"QUIT\r\n"))
        self._say(now)

    def to_write(self) -> bytes:
        """Return the bytes to be written now, in one write, and forget them."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take what came in, in whatever pieces."""
        events: list[Event] = []
        at, received = 0, self._received
        received += data
        try:
            while not self.over and (found := next_reply(received, at)) is not None:
                at = found[1]
                self._hear(found[0], events)
        except ValueError as error:
            self._end(f"not understood: {error}", events)
        if at:
            del received[:at]
            self._wait(now)
        if received and not (self.over or self._expected):
            self._end("the relay spoke out of turn", events)
        elif len(received) > LONGEST_REPLY:
            self._end("not understood: too long", events)
        self._say(now)
        return events

    def tick(self, now: float) -> list[Event]:
        """End the conversation if a reply is overdue."""
        if now < self.deadline:
            return []
        if self._rest is not None:
            return self.end(f"the message was not taken within {self._command_time:g} s")
        return self.end(f"no reply within {self._patience():g} s")

    def end(self, why: str) -> list[Event]:
        """The connection is gone, or has to be given up."""
        return [] if self.over else self._end(why, [])

    def _say(self, now: float) -> None:
        """Say what may be said now: all of it, or one command at a time."""
        unsaid, expected, waits = self._unsaid, self._expected, bool(self._expected)
        while unsaid and (self._pipelining or not expected):
            command, letter_id, words = unsaid.popleft()
            self._out.append(words)
            expected.append((command, letter_id))
        if not waits:
            self._wait(now)

    def _wait(self, now: float) -> None:
        """The time for the next reply begins to run; without one to wait for, it is the caller's."""
        self.deadline = now + self._patience() if self._expected else inf

    def _patience(self) -> float:
        return self._dot_time if self._expected[0][0] == "dot" else self._command_time

    def _hear(self, reply: Reply, events: list[Event]) -> None:
        if not self._expected:  # unasked: nothing that comes after it could be told apart from an answer
            self._end("the relay spoke out of turn", events, reply)
            return
        command, letter_id = self._expected.popleft()
        if letter_id is None:
            listens = _refused(reply) if command == "lone dot" else reply.code // 100 == 2 and command != "quit"
        elif command == "dot":
            events.append(Ended(letter_id, "dot", reply, True))
            listens = reply.code // 100 == 2 or _refused(reply)
        elif command == "data":
            listens = self._data(letter_id, reply, events)
        else:
            listens = self._envelope(command, letter_id, reply, events)
        if not listens:
            self._end(f"the relay said {reply.code} to {command}", events)

    def _envelope(self, command: Command, letter_id: int, reply: Reply, events: list[Event]) -> bool:
        if reply.code == 421 and self._behind:  # said of the connection: another one will do
            return False
        self._behind = False
        if reply.code // 100 == 2:
            self._taken = command == "rcpt"
            return True
        if not self._told:
            self._told, self._reset = True, command == "rcpt"
            events.append(Ended(letter_id, command, reply, False))
        if self._unsaid:  # one at a time: nothing more is said of it
            self._unsaid.clear()
            self._letter = None
        return _refused(reply)

    def _data(self, letter_id: int, reply: Reply, events: list[Event]) -> bool:
        if reply.code == 354 and not self._told:
            self._asked = True
            events.append(Asked(letter_id))
            return True
        self._letter = None
        if reply.code == 354 and not self._taken:  # it wants a message for nobody: an empty one, which it must refuse
            self._unsaid.append(("lone dot", None, b".\r\n"))  # RFC 2920 3.1
            self._reset = False
            return True
        if not self._told:
            self._reset = True
            events.append(Ended(letter_id, "data", reply, False))
        return _refused(reply)

    def _end(self, why: str, events: list[Event], said: Reply | None = None) -> list[Event]:
        """Nothing more will be said: what had its dot written is unknown, everything else was not delivered."""
        self.over, self.deadline = why, inf
        for command, letter_id in self._expected:
            if command == "dot" and letter_id is not None:
                events.append(Ended(letter_id, "dot", Reply(0, "", why), True))
        letter = self._letter
        if letter is not None and not self._told:
            waits = [command for command, number in self._expected if number == letter.letter_id]
            ended = Ended(letter.letter_id, waits[0] if waits else "data", said or Reply(0, "", why), False)
            events.append(Unspoken(letter.letter_id) if self._behind else ended)
        self._letter = self._rest = None
        for left in (self._expected, self._unsaid, self._out, self._received):
            left.clear()
        return events


def _refused(reply: Reply) -> bool:
    """True for a refusal after which the relay still listens (421 closes, RFC 5321 4.2.3)."""
    return reply.code >= 400 and reply.code != 421
