"""What is said on one connection after its EHLO: replies, decisions and the time in; bytes and events out.  Pure.

Where PIPELINING is offered, the message, its final dot and MAIL, RCPT, DATA of the next letter leave in one write: one
round trip a letter (RFC 2920).  Where it is not, the same commands leave one at a time and mean the same.
A final dot is written after `go` and never else.  Once a conversation is `over`, the transport has to be aborted.
Safe to repeat: a letter that ended without `dot_written`, or Unspoken, was not delivered.
Standards: RFC 5321 (4.2 replies, 4.2.3 421, 4.5.2 dots, 4.5.3.2 time-outs), RFC 2920, RFC 1047.
"""

from collections import deque
from math import inf

from pipeline.domain import Said
from pipeline.net.smtp_event import Asked, Command, Ended, Event, Letter, Unspoken
from pipeline.net.smtp_wire import LONGEST_REPLY, Reply, next_reply

_said = tuple.__new__  # a third of the time that Said(...) takes, four times a letter
_CHUNK = 65_536  # bytes of a message in one write; the dot is in the last one, so a longer one can still be abandoned


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
        self._reset = False  # a transaction may be open that leads nowhere
        self.withdrawn = False  # the letter was taken back: where the relay comes to it, all we can do is to close
        self._since = 0.0  # when the wait for the next reply began
        self._began, self._said = 0.0, list[Said]()  # of the letter: when its MAIL was written, and what was replied
        self._dotted = self._began, self._said  # the same of the one whose dot waits for its reply

    @property
    def free(self) -> bool:
        """True if the next letter may be offered now; not behind a dot from behind which one was taken back."""
        last = self._expected[-1][0] if self._expected else ""
        return not (self.over or self._letter or (last and (last != "dot" or self.withdrawn)))

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
        self._told = self._taken = self._asked = self.withdrawn = False
        self._said = []
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
        self._dotted = self._began, self._said
        self._unsaid.append(("dot", letter.letter_id, b".\r\n"))
        self._say(now)

    def kept_waiting(self, now: float) -> float:
        """Return for how many seconds a letter has stood behind a dot that has no reply; 0 if none does."""
        return now - self._since if self._stands_behind() else 0.0

    def withdraw(self, now: float, why: str) -> Unspoken | None:
        """Take back the letter that stands behind a dot without a reply; None if there is none.

        It was not delivered, and may be said elsewhere.  What the relay says of it from now on is only listened to, and if
        it waits for the message in the end, the connection is closed; the dot before it has had its reply by then.
        """
        letter = self._letter
        if letter is None or not self._stands_behind():
            return None
        taken = Unspoken(letter.letter_id, self._vain(now, why))
        self._letter, self._behind, self._told, self.withdrawn = None, False, True, True
        self._unsaid.clear()
        self._reset = bool(taken.said)
        return taken

    def _stands_behind(self) -> bool:
        return self._behind and self._letter is not None and self._expected[0][0] == "dot"

    def _vain(self, now: float, why: str) -> tuple[Said, ...]:
        """Return that what was written of the letter was in vain; nothing if nothing was."""
        unsaid = any(command == "mail" for command, _, _ in self._unsaid)
        return () if unsaid else (Said("taken back", int((now - self._began) * 1000), 0, "", why),)

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
                self._hear(found[0], events, now)
        except ValueError as error:
            self._end(f"not understood: {error}", events, now)
        if at:
            del received[:at]
            self._wait(now)
        if received and not (self.over or self._expected):
            self._end("the relay spoke out of turn", events, now)
        elif len(received) > LONGEST_REPLY:
            self._end("not understood: too long", events, now)
        self._say(now)
        return events

    def tick(self, now: float) -> list[Event]:
        """End the conversation if a reply is overdue."""
        if now < self.deadline:
            return []
        if self._rest is not None:
            return self.end(f"the message was not taken within {self._command_time:g} s", now)
        return self.end(f"no reply within {self._patience():g} s", now)

    def end(self, why: str, now: float) -> list[Event]:
        """The connection is gone, or has to be given up."""
        return [] if self.over else self._end(why, [], now)

    def _say(self, now: float) -> None:
        """Say what may be said now: all of it, or one command at a time."""
        unsaid, expected, waits = self._unsaid, self._expected, bool(self._expected)
        while unsaid and (self._pipelining or not expected):
            command, letter_id, words = unsaid.popleft()
            if command == "mail":
                self._began = now
            self._out.append(words)
            expected.append((command, letter_id))
        if not waits:
            self._wait(now)

    def _wait(self, now: float) -> None:
        """The time for the next reply begins to run; without one to wait for, it is the caller's."""
        self._since, self.deadline = now, now + self._patience() if self._expected else inf

    def _patience(self) -> float:
        return self._dot_time if self._expected[0][0] == "dot" else self._command_time

    def _hear(self, reply: Reply, events: list[Event], now: float) -> None:
        if not self._expected:  # unasked: nothing that comes after it could be told apart from an answer
            self._end("the relay spoke out of turn", events, now, reply)
            return
        command, letter_id = self._expected.popleft()
        if letter_id is not None:
            self._note(command, reply, now)
        if letter_id is None:
            listens = _refused(reply) if command == "lone dot" else reply.code // 100 == 2 and command != "quit"
        elif command == "dot":
            events.append(Ended(letter_id, "dot", reply, True, tuple(self._dotted[1])))
            listens = reply.code // 100 == 2 or _refused(reply)
        elif command == "data":
            listens = self._data(letter_id, reply, events)
        else:
            listens = self._envelope(command, letter_id, reply, events)
        if not listens:
            self._end(f"the relay said {reply.code} to {command}", events, now)

    def _note(self, command: Command, reply: Reply, now: float) -> None:
        began, said = self._dotted if command == "dot" else (self._began, self._said)
        took = int((now - began) * 1000)
        said.append(_said(Said, (command, took, reply.code, reply.enhanced, reply.text)))

    def _envelope(self, command: Command, letter_id: int, reply: Reply, events: list[Event]) -> bool:
        if reply.code == 421 and self._behind:  # said of the connection: another one will do
            return False
        self._behind = False
        if reply.code // 100 == 2:
            self._taken = command == "rcpt"
            return True
        if not self._told:
            self._told, self._reset = True, command == "rcpt"
            events.append(Ended(letter_id, command, reply, False, tuple(self._said)))
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
            events.append(Ended(letter_id, "data", reply, False, tuple(self._said)))
        return _refused(reply)

    def _end(self, why: str, events: list[Event], now: float, said: Reply | None = None) -> list[Event]:
        """Nothing more will be said: what had its dot written is unknown, everything else was not delivered."""
        self.over, self.deadline = why, inf
        nothing = Reply(0, "", why)
        for command, letter_id in self._expected:
            if command == "dot" and letter_id is not None:
                self._note("dot", nothing, now)
                events.append(Ended(letter_id, "dot", nothing, True, tuple(self._dotted[1])))
        letter = self._letter
        if letter is not None and self._behind:
            events.append(Unspoken(letter.letter_id, self._vain(now, why)))
        elif letter is not None and not self._told:
            waits = [command for command, number in self._expected if number == letter.letter_id]
            stage, reply = waits[0] if waits else "data", said or nothing
            self._note(stage, reply, now)
            events.append(Ended(letter.letter_id, stage, reply, False, tuple(self._said)))
        self._letter = self._rest = None
        for left in (self._expected, self._unsaid, self._out, self._received):
            left.clear()
        return events


def _refused(reply: Reply) -> bool:
    """True for a refusal after which the relay still listens (421 closes, RFC 5321 4.2.3)."""
    return reply.code >= 400 and reply.code != 421
