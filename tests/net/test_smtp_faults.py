"""Each fault at each command of a letter that stands between two others on one connection costs those two nothing.

The commands of the second letter leave in the write of the first one's message, so what goes wrong with it goes wrong right
after another one's dot.  The relay is a script of this file: the sandbox's is too strict to say 354 where nobody is to
receive a message, and nobody's breaks TLS in mid-sentence.
"""

import asyncio
import contextlib
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from pipeline.domain import Go, Ready, Result, Send
from pipeline.net.edge import Questions, quick_loop
from pipeline.net.smtp import Answer, Message, RelaySettings, _Relay, edge
from pipeline.net.smtp_session import system_clock
from tests.system.presence import needs

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


@dataclass
class Relay:
    """Answers as usual, but at one command of the second letter it says `reply`: None hangs up, one without its end is
    followed by silence, "tls" by bytes that are no TLS.  `eager`: it says 354 though nobody is to receive the message."""

    at: str = ""
    reply: bytes | str | None = ""
    pipelining: bool = True
    eager: bool = False
    apart: bool = False  # replies leave byte by byte
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
        if command != self.relay.at or self.number != 2:
            reply = USUAL[command]
        elif reply is None:
            raise ConnectionResetError
        elif isinstance(reply, str):
            self.beneath.sendall(b"this is no TLS")
            self.wait_until_left()
        self.say(reply)
        if not reply.endswith(b"\n"):
            self.wait_until_left()
        if reply[:3] == b"421":
            raise ConnectionResetError
        return reply

    def wait_until_left(self) -> NoReturn:
        while self.beneath.recv(65_536):
            pass
        raise ConnectionResetError

    def say(self, reply: bytes) -> None:
        for piece in [bytes([byte]) for byte in reply] if self.relay.apart else [reply]:
            self.connection.sendall(piece)


Start = Callable[..., Relay]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def started(*given: object, **more: object) -> Relay:
            relay = Relay(*given, **more)  # type: ignore[arg-type]
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            relay.port = listener.getsockname()[1]
            thread = threading.Thread(target=relay.accept, args=(listener,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return relay

        yield started


def fates(relay: Relay, timeout: float = 20.0, dot_timeout: float = 20.0) -> dict[int, tuple[str, int, bool]]:
    """Hand over three letters on one connection; returns where each ended, with which reply, and if its dot was written."""
    settings = RelaySettings(
        "127.0.0.1",
        relay.port,
        tls="required" if relay.tls else "none",
        ehlo_name="out.agency.example",
        connections=1,
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


@pytest.mark.parametrize("apart", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [b"451 4.3.0 Later\r\n", b"554-5.7.1 No\r\n554 5.7.1 never\r\n"], ids=["4xx", "5xx"])
def test_a_refusal_leaves_the_connection_to_the_next_letter(
    start: Start, at: str, reply: bytes, pipelining: bool, apart: bool
) -> None:
    relay = start(at, reply, pipelining, apart=apart)
    assert fates(relay) == {1: FINE, 2: (at, int(reply[:3]), at == "dot"), 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 3], 1)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize(
    "reply",
    [None, b"\x00\xff what?\r\n", b"2" * 90_000, b"250-yes\r\n550 no\r\n", b"421 4.3.2 Bye\r\n"],
    ids=["drop", "garbage", "endless", "two codes", "421"],
)
def test_what_ends_the_connection_ends_one_letter(start: Start, at: str, reply: bytes | None, pipelining: bool) -> None:
    relay = start(at, reply, pipelining)
    code = 421 if reply and reply.startswith(b"421") else 0
    assert fates(relay) == {1: FINE, 2: (at, code, at == "dot"), 3: FINE}
    assert set(relay.kept) - ({2} if at == "dot" else set()) == {1, 3}  # what ended at its dot may have been kept


@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [b"", b"250-first line\r\n250"], ids=["stall", "half a reply"])
def test_silence_ends_one_letter(start: Start, at: str, reply: bytes) -> None:
    relay = start(at, reply)
    assert fates(relay, timeout=0.5, dot_timeout=0.5) == {1: FINE, 2: (at, 0, at == "dot"), 3: FINE}
    assert relay.kept == [1, 3]


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("second", [b"250 2.0.0 Kept\r\n", b"354 Go on\r\n", b"550 5.1.1 No\r\n"])
def test_one_reply_too_many_makes_no_letter_look_sent_that_was_not(
    start: Start, at: str, second: bytes, pipelining: bool
) -> None:
    """All replies after it are one too early: what is believed of them must still be true."""
    relay = start(at, USUAL[at] + second, pipelining)
    found = fates(relay)
    assert found[1] == FINE
    sure = {number for number, fate in found.items() if fate == FINE}
    unsent = {number for number, (_, reply, dot) in found.items() if not dot or reply >= 400}
    assert sure <= set(relay.kept)
    assert not unsent & set(relay.kept)
    assert len(relay.kept) == len(set(relay.kept))


def test_where_nobody_is_to_receive_it_and_yet_354_is_said_a_lone_dot_is_the_message(start: Start) -> None:
    relay = start("rcpt", b"550 5.1.1 No\r\n", eager=True)
    assert fates(relay) == {1: FINE, 2: ("rcpt", 550, False), 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 3], 1)
    at = relay.commands.index("lone dot")
    assert relay.commands[at - 3 : at + 2] == ["mail", "rcpt", "data", "lone dot", "mail"]
    assert "a message for nobody" not in relay.commands


def test_a_relay_that_hangs_up_after_each_letter_costs_no_letter_its_attempt(start: Start) -> None:
    relay = start(one_each=True)
    assert fates(relay) == {1: FINE, 2: FINE, 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 2, 3], 3)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A relay's certificate, which nobody vouches for."""
    openssl = needs("openssl", shutil.which("openssl"))
    folder = tmp_path_factory.mktemp("tls")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=relay.example", "-keyout", "key.pem", "-out", "relay.pem"]
    subprocess.run([openssl, *words, *names], cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "relay.pem", folder / "key.pem")
    return context


@pytest.fixture(params=["uvloop", "asyncio"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [None, b"421 4.3.2 Bye\r\n"], ids=["drop", "421"])
def test_what_ends_a_connection_with_tls_ends_one_letter(
    start: Start, tls: ssl.SSLContext, at: str, reply: bytes | None
) -> None:
    relay = start(at, reply, tls=tls)
    assert fates(relay) == {1: FINE, 2: (at, 421 if reply else 0, at == "dot"), 3: FINE}
    assert relay.kept == [1, 3]


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("at", COMMANDS)
def test_where_tls_breaks_nothing_is_believed_that_was_not_read(start: Start, tls: ssl.SSLContext, at: str) -> None:
    """A reply that came in one packet with what broke is lost with it."""
    relay = start(at, "tls", tls=tls)
    found = fates(relay)
    unknown = ("dot", 0, True)
    assert found[1] in (FINE, unknown)
    assert found[2] == unknown if at == "dot" else found[2] in [(command, 0, False) for command in COMMANDS[:3]]
    assert found[3] == FINE
    assert relay.kept == [1, 3]


@pytest.mark.parametrize("loop", [quick_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_what_the_relay_said_before_a_dot_is_read_before_the_dot_is_written(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """A reply that lies unread when the dot leaves would be taken for the answer to it."""
    received: list[bytes] = []
    accepted: list[socket.socket] = []

    def converse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        accepted.append(connection)
        with connection:
            for reply in (b"220 hi", b"250 hello", b"250 from", b"250 to", b"354 go on"):
                connection.sendall(reply + b"\r\n")
                received.append(connection.recv(4096))

    async def main(port: int) -> list[Result]:
        results: list[Result] = []

        def answer(said: Answer) -> None:
            if isinstance(said, Ready):  # nothing is read in this turn of the loop
                accepted[0].sendall(b"250 2.0.0 As if it were kept\r\n")
                [line] = handed._lines._open
                assert select.select([line._transport.get_extra_info("socket").fileno()], [], [], 20)[0]
                handed._take(Go(said.letter_id))
            else:
                results.append(said)

        settings = RelaySettings("127.0.0.1", port, tls="none", ehlo_name="out.agency.example", backoff=0.01)
        handed = _Relay(settings, None, system_clock, answer)
        questions: Questions[Message] = asyncio.Queue()
        questions.put_nowait([Send(1, 1, "v1@agency.example", "abuse@isp.example", b"Subject: x\r\n\r\nHello\r\n")])
        work = asyncio.create_task(handed.work(questions))
        while not results:
            await asyncio.sleep(0.01)
        questions.put_nowait([None])
        await work
        return results

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=converse, args=(listener,))
        thread.start()
        with asyncio.Runner(loop_factory=loop) as runner:
            [result] = runner.run(main(listener.getsockname()[1]))
        thread.join()
    assert (result.stage, result.dot_written) == ("data", False)
    assert b"Hello" not in b"".join(received)
