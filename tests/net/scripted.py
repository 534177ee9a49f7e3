"""A relay that is a script, and breaks off its script at one command of the second of three letters.

The sandbox's mail server is too strict to say 354 where nobody is to receive a message, and breaks no TLS in mid-sentence.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from pipeline.domain import Go, Ready, Result, Send
from pipeline.net.smtp import RelaySettings, edge

COMMANDS = ["mail", "rcpt", "data", "dot"]
USUAL = {
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 Go on\r\n",
    "dot": b"250 2.0.0 Kept\r\n",
    "rset": b"250 2.0.0 Forgotten\r\n",
    "quit": b"221 2.0.0 Bye\r\n",
}
FINE = ("dot", 250, True)
FAULTS = [
    *(None, b"\x00\xff what?\r\n", b"250-yes\r\n550 no\r\n", b"421 4.3.2 Bye\r\n"),
    *(b"451 4.3.0 Later\r\n", b"554 5.7.1 No\r\n", b"", b"250-first"),
]
NAMES = ["drop", "garbage", "two codes", "421", "4xx", "5xx", "stall", "half a reply"]


@dataclass
class Relay:
    """Answers as usual, but at one command of the second letter it says `reply`: None hangs up, one without its end is
    followed by silence.  Where TLS breaks: "no tls", bytes that are none; "half a record", which the end of the connection
    cuts off; "close", the orderly end of TLS.  `eager`: it says 354 though nobody is to receive the message."""

    at: str = ""
    reply: bytes | str | None = ""
    pipelining: bool = True
    eager: bool = False
    apart: bool = False  # replies leave byte by byte
    also: dict[str, bytes] = field(default_factory=dict)  # replies to other commands of the second letter
    one_each: bool = False  # it hangs up after each letter
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    kept: list[int] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                with contextlib.suppress(OSError), contextlib.ExitStack() as open_ones:
                    _Dialogue(self, open_ones.enter_context(connection), open_ones).run()


class _Dialogue:
    def __init__(self, relay: Relay, connection: socket.socket, open_ones: contextlib.ExitStack) -> None:
        self.relay, self.connection, self.open_ones = relay, connection, open_ones
        self.beneath = connection
        self.number, self.named, self.taken = 0, False, False  # the letter, and what was accepted of it

    def run(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(b"220 relay.example\r\n")
        lines = self.open_ones.enter_context(self.connection.makefile("rb"))
        while line := lines.readline():
            verb = line.strip().split(b" ")[0].decode("latin-1").lower()
            if verb == "ehlo":
                if self.relay.at == "ehlo again" and self.beneath is not self.connection:
                    self.answer("ehlo again")
                else:
                    self.say(self.offers())
            elif verb == "starttls":
                assert self.relay.tls is not None
                self.say(b"220 2.0.0 Go on\r\n")
                self.beneath = self.open_ones.enter_context(self.connection.dup())
                self.connection = self.relay.tls.wrap_socket(self.connection, server_side=True)
                self.open_ones.enter_context(self.connection)
                lines = self.open_ones.enter_context(self.connection.makefile("rb"))
            elif verb == "data":
                self.message(lines.readline)
            else:
                if verb == "mail":
                    self.number, self.taken = int(line.split(b"<v")[1].split(b"@")[0]), False
                self.envelope(verb)

    def envelope(self, verb: str) -> None:
        if verb == "rcpt" and not self.named:
            self.relay.commands.append(verb)
            self.say(b"503 5.5.1 MAIL first\r\n")
            return
        accepted = self.answer(verb)[:1] == b"2"
        self.named = accepted if verb == "mail" else self.named
        self.taken = accepted if verb == "rcpt" else self.taken

    def offers(self) -> bytes:
        lines = [b"relay.example"] + [b"PIPELINING"] * self.relay.pipelining
        lines += [b"STARTTLS"] * (self.relay.tls is not None and self.beneath is self.connection)
        return b"".join(b"250-%s\r\n" % line for line in lines[:-1]) + b"250 %s\r\n" % lines[-1]

    def message(self, readline: Callable[[], bytes]) -> None:
        if not (self.taken or self.relay.eager):
            self.relay.commands.append("data")
            self.say(b"554 5.5.1 No valid recipients\r\n")
        elif self.answer("data")[:3] == b"354":
            body = b""
            while (line := readline()) != b".\r\n":
                if not line:
                    raise ConnectionResetError
                body += line
            if not self.taken:
                self.relay.commands.append("lone dot" if not body else "a message for nobody")
                self.say(b"554 5.5.1 No recipients\r\n")
            elif self.answer("dot")[:1] == b"2":
                self.relay.kept.append(self.number)
                if self.relay.one_each:
                    raise ConnectionResetError

    def answer(self, command: str) -> bytes:
        self.relay.commands.append(command)
        reply = self.relay.reply
        if command != self.relay.at or (self.number != 2 and command in USUAL and command != "quit"):
            reply = self.relay.also.get(command, USUAL[command]) if self.number == 2 else USUAL[command]
        elif reply is None:
            raise ConnectionResetError
        elif isinstance(reply, str):
            self.break_tls(reply)
        self.say(reply)
        if not reply.endswith(b"\n"):
            self.wait_until_left()
        if reply[:3] == b"421":
            raise ConnectionResetError
        return reply

    def break_tls(self, how: str) -> NoReturn:
        if how == "close":
            assert isinstance(self.connection, ssl.SSLSocket)
            self.connection.unwrap()
        elif how == "half a record":
            self.beneath.sendall(b"\x17\x03\x03\x00\x40" + b"x" * 20)
        else:
            self.beneath.sendall(b"this is no TLS")
            self.wait_until_left()
        raise ConnectionResetError

    def wait_until_left(self) -> NoReturn:
        while self.beneath.recv(65_536):
            pass
        raise ConnectionResetError

    def say(self, reply: bytes) -> None:
        for piece in [bytes([byte]) for byte in reply] if self.relay.apart else [reply]:
            self.connection.sendall(piece)


Start = Callable[..., Relay]


def fates(
    relay: Relay, timeout: float = 20.0, dot_timeout: float = 20.0, letters_each: int = 100
) -> dict[int, tuple[str, int, bool]]:
    """Hand over three letters on one connection; returns where each ended, with which reply, and if its dot was written."""
    settings = RelaySettings(
        "127.0.0.1",
        relay.port,
        tls="required" if relay.tls else "none",
        ehlo_name="out.agency.example",
        connections=1,
        max_letters_per_connection=letters_each,
        timeout=timeout,
        dot_timeout=dot_timeout,
        backoff=0.01,
    )
    results: dict[int, Result] = {}
    with edge(settings) as wire:
        for number in (1, 2, 3):
            data = b"Message-ID: <%d@agency.example>\r\n\r\nHello\r\n" % number
            wire.tell_all([Send(number, number, f"v{number}@agency.example", "abuse@isp.example", data)])
        while len(results) < 3:
            answers = wire.take(30)
            assert answers, f"only {results}"
            wire.tell_all([Go(answer.letter_id) for answer in answers if isinstance(answer, Ready)])
            results |= {answer.letter_id: answer for answer in answers if isinstance(answer, Result)}
    return {number: (result.stage, result.reply, result.dot_written) for number, result in results.items()}
