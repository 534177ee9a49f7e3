"""A letter that stands behind the dot of another one, which the relay does not answer: it goes another way, and once.

The relay is a script of this file: it answers the dot of letter 1 when the test lets it, and what came behind it then.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from pipeline.domain import Go, Ready, Result, Stop
from pipeline.net.edge import Edge
from pipeline.net.smtp import Answer, Message, RelaySettings, edge
from tests.net.handed import collect, letter

FINE = ("dot", 250, True)


@dataclass
class Hanging:
    """Answers as usual, but the first dot only once it is `released`; `then` are its replies to MAIL, RCPT and DATA that
    came behind it, one that is empty hangs up instead."""

    pipelining: bool = True
    then: tuple[bytes, ...] = (b"250 2.1.0 Ok", b"250 2.1.5 Ok", b"354 Go on")
    port: int = 0
    connections: int = 0
    kept: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # on the connection that hung, from the release on
    dotted: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self.run, args=(connection,)))
                self.threads[-1].start()

    def run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 relay.example\r\n")
            number, hung, replies = 0, False, list(self.then)
            while line := lines.readline():
                verb = line.strip().split(b" ")[0].decode("latin-1").lower()
                if hung:
                    self.said.append(verb)
                if verb == "mail":
                    number = int(line.split(b"<v")[1].split(b"@")[0])
                reply = self.usual(verb)
                if hung and replies and verb in ("mail", "rcpt", "data"):
                    reply = replies.pop(0)
                connection.sendall(reply + b"\r\n")
                if reply[:3] == b"354":
                    body = b""
                    while (line := lines.readline()) != b".\r\n":
                        if not line:
                            return
                        body += line
                    if number == 1:
                        self.dotted.set()
                        self.released.wait(60)
                        hung = True
                    if hung and not self.then:
                        return
                    if body:
                        self.kept.append(number)
                    connection.sendall(b"250 2.0.0 Kept\r\n" if body else b"554 5.5.1 No recipients\r\n")

    def usual(self, verb: str) -> bytes:
        if verb == "ehlo":
            return b"250-relay.example\r\n250 PIPELINING" if self.pipelining else b"250 relay.example"
        return {"data": b"354 Go on", "quit": b"221 2.0.0 Bye"}.get(verb, b"250 2.0.0 Ok")


Start = Callable[..., Hanging]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def started(pipelining: bool = True, *then: bytes, drops: bool = False) -> Hanging:
            relay = Hanging(pipelining, () if drops else then or Hanging.then)
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            relay.port = listener.getsockname()[1]
            thread = threading.Thread(target=relay.accept, args=(listener,))
            thread.start()
            stack.callback(lambda: [each.join() for each in relay.threads])
            stack.callback(relay.released.set)
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return relay

        yield started


def settings_for(relay: Hanging, connections: int = 2, withdraw_after: float = 0.05) -> RelaySettings:
    return RelaySettings(
        "127.0.0.1",
        relay.port,
        tls="none",
        ehlo_name="out.agency.example",
        connections=connections,
        timeout=30.0,
        dot_timeout=30.0,
        backoff=0.01,
        withdraw_after=withdraw_after,
    )


def put_behind(relay: Hanging, wire: Edge[Message, Answer]) -> None:
    """Letter 1 hangs at its dot, and letter 2 stands behind it."""
    wire.tell_all([letter(1)])
    answers: list[Answer] = []
    while not answers:
        answers = wire.take(20)
    assert isinstance(answers[0], Ready)
    wire.tell_all([letter(2), Go(1)])
    assert relay.dotted.wait(20)


def fate(result: Result) -> tuple[str, int, bool]:
    return result.stage, result.reply, result.dot_written


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
def test_a_letter_behind_a_dot_without_a_reply_goes_over_another_connection_in_the_same_attempt(
    start: Start, pipelining: bool
) -> None:
    relay = start(pipelining)
    with edge(settings_for(relay)) as wire:
        put_behind(relay, wire)
        [second] = collect(wire, 1)  # while the dot of the first still hangs
        relay.released.set()
        [first] = collect(wire, 1)
    assert (second.letter_id, second.attempt_id, fate(second)) == (2, 1002, FINE)
    assert (first.letter_id, fate(first)) == (1, FINE)
    assert relay.kept == [2, 1]
    assert first.connection != second.connection
    commands = [said.command for said in second.said]
    assert commands == ["taken back"] * pipelining + ["mail", "rcpt", "data", "dot"]


@pytest.mark.parametrize(
    ("then", "said", "stays"),
    [
        ((b"250 Ok", b"250 Ok", b"354 Go on"), ["mail", "rcpt", "data"], False),  # it waits for a message that has left
        ((b"250 Ok", b"250 Ok", b"451 4.3.0 Later"), ["mail", "rcpt", "data", "rset"], True),
        ((b"250 Ok", b"550 5.1.1 No", b"554 5.5.1 Nobody"), ["mail", "rcpt", "data", "rset"], True),
        ((b"250 Ok", b"550 5.1.1 No", b"354 Go on"), ["mail", "rcpt", "data", "mail"], True),  # after a lone dot
        ((b"550 5.1.8 No", b"503 No", b"503 No"), ["mail", "rcpt", "data", "rset"], True),
    ],
)
def test_whatever_the_relay_then_says_of_it_no_second_copy_arrives_and_the_connection_is_left_in_order(
    start: Start, then: tuple[bytes, ...], said: list[str], stays: bool
) -> None:
    relay = start(True, *then)
    with edge(settings_for(relay)) as wire:
        put_behind(relay, wire)
        results = collect(wire, 1)
        relay.released.set()
        results += collect(wire, 1)
        wire.tell_all([letter(n) for n in (3, 4, 5, 6)])
        results += collect(wire, 4)
    assert {result.letter_id: fate(result) for result in results} == dict.fromkeys(range(1, 7), FINE)
    assert sorted(relay.kept) == [1, 2, 3, 4, 5, 6]
    assert relay.said[: len(said)] == said
    assert not stays or relay.connections == 2


def test_where_the_relay_hangs_up_instead_the_first_letter_is_unknown_and_the_second_has_left(start: Start) -> None:
    relay = start(drops=True)
    with edge(settings_for(relay)) as wire:
        put_behind(relay, wire)
        [second] = collect(wire, 1)
        relay.released.set()
        [first] = collect(wire, 1)
    assert (fate(first), fate(second)) == (("dot", 0, True), FINE)
    assert relay.kept == [2]


def test_where_no_other_connection_may_be_opened_it_waits(start: Start) -> None:
    relay = start()
    with edge(settings_for(relay, connections=1, withdraw_after=0.001)) as wire:
        put_behind(relay, wire)
        assert wire.take(0.2) == []
        relay.released.set()
        results = collect(wire, 2)
    assert [(result.letter_id, fate(result)) for result in results] == [(1, FINE), (2, FINE)]
    assert (relay.kept, relay.connections) == ([1, 2], 1)


def test_a_stop_of_a_letter_behind_a_dot_does_not_wait_for_the_reply(start: Start) -> None:
    relay = start()
    with edge(settings_for(relay, connections=1)) as wire:
        put_behind(relay, wire)
        wire.tell_all([Stop(2)])
        [second] = collect(wire, 1)
        relay.released.set()
        [first] = collect(wire, 1)
    assert (fate(second), second.text) == (("mail", 0, False), "stopped before the message")
    assert fate(first) == FINE
    assert relay.kept == [1]
