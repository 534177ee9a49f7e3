"""A server of a few lines that misbehaves by script, without a connection, and what a conversation with it is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from pipeline.net.smtp_event import Asked, Ended, Event, Letter


def letter(n: int, message: bytes = b"") -> Letter:
    message = message or b"X: %d\r\n\r\nHello\r\n" % n
    return Letter(n, b"MAIL FROM:<v%d@a.example>\r\n" % n, b"RCPT TO:<b@isp.example>\r\n", message)


@dataclass
class Server:
    """Answers by script: {(letter, command): reply}; `eager`: DATA gets its 354 without a recipient."""

    script: dict[tuple[int, str], bytes] = field(default_factory=dict)
    eager: bool = False
    kept: list[bytes] = field(default_factory=list)
    closed: bool = False
    commands: list[str] = field(default_factory=list)
    _in: bytes = b""
    _n: int = 0
    _mail: bool = False
    _rcpt: bool = False
    _body: list[bytes] | None = None

    def take(self, data: bytes) -> bytes:
        self._in += data
        out = b""
        while not self.closed and b"\r\n" in self._in:
            line, _, self._in = self._in.partition(b"\r\n")
            out += self._line(line)
        return out

    def _line(self, line: bytes) -> bytes:
        if self._body is not None:
            if line != b".":
                self._body.append(line + b"\r\n")
                return b""
            body, self._body = b"".join(self._body), None
            taken, self._mail, self._rcpt = self._rcpt, False, False
            if not taken:
                return b"554 5.5.1 no recipients\r\n"
            reply = self._reply("dot", b"250 2.0.0 kept")
            if reply[:1] == b"2":
                self.kept.append(body)
            return reply
        word = line[:4].decode()
        self.commands.append(word)
        if word == "RSET":
            self._mail = self._rcpt = False
            return self._reply("rset", b"250 ok")
        if word == "MAIL":
            if self._mail:
                return b"503 nested MAIL\r\n"
            self._n = int(line.split(b"<v")[1].split(b"@")[0])
            reply = self._reply("mail", b"250 2.1.0 ok")
            self._mail = reply[:1] == b"2"
            return reply
        if word == "RCPT":
            if not self._mail:
                return b"503 MAIL first\r\n"
            reply = self._reply("rcpt", b"250-2.1.5 well\r\n250 2.1.5 ok")
            self._rcpt = reply[:1] == b"2"
            return reply
        if word == "DATA":
            if not self._rcpt and not self.eager:
                return b"554 5.5.1 no valid recipients\r\n"
            reply = self._reply("data", b"354 go on")
            if reply[:3] == b"354":
                self._body = []
            return reply
        self.closed = True
        return b"221 bye\r\n"

    def _reply(self, command: str, usual: bytes) -> bytes:
        reply = self.script.get((self._n, command), usual)
        if reply == b"drop":
            self.closed = True
            return b""
        self.closed = reply[:3] == b"421"
        return reply + b"\r\n"


Fate = tuple[str, int, bool] | None  # the command, the reply, whether the dot was written; None: it was not spoken of


def fates(events: Sequence[Event]) -> dict[int, Fate]:
    return {
        event.letter_id: (event.stage, event.reply.code, event.dot_written) if isinstance(event, Ended) else None
        for event in events
        if not isinstance(event, Asked)
    }


REPLIES = st.sampled_from(
    [
        b"250 ok",
        b"354 go",
        b"421 bye",
        b"450 4.2.0 later",
        b"550 5.1.1 no",
        b"drop",
        b"250-a\r\n250 b",
        b"199 x",
        b"250 ok\r\n250 twice",
        b"354 go\r\n250 early",
        b"250-a\r\n550 b",
    ]
)
SCRIPTS = st.dictionaries(
    st.tuples(st.integers(1, 5), st.sampled_from(["mail", "rcpt", "data", "dot", "rset"])), REPLIES, max_size=6
)
