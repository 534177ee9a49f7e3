"""Each fault at each command before the first letter: the letter goes back, and nothing is said that should not be.

connect, EHLO, STARTTLS and its handshake, EHLO once more, AUTH.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from pipeline.net.smtp import RelaySettings
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer
from pipeline.send.replies import Kind, judge
from tests.net.handed import Sink, hand_over, letter, settings_for

SETUP = {"connect": "connect", "ehlo": "ehlo", "starttls": "tls", "auth": "auth"}  # command: the stage it belongs to


def over_tls(server: MailServer, timeout: float = 20.0) -> RelaySettings:
    return settings_for(server, tls="required", username="agency", password="s3cret", timeout=timeout)


@pytest.mark.parametrize("at", SETUP)
@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule("drop"), 0),
        (Rule("stall"), 0),
        (Rule("answer", reply="451 4.3.0 Later"), 451),
        (Rule("answer", reply="554 5.7.1 No"), 554),
        (Rule("answer", reply="421 4.3.2 Bye"), 421),
        (Rule("raw", reply="\x00\xffwho goes there\r\n"), 0),
        (Rule("raw", reply="2" * 90_000), 0),
    ],
    ids=["drop", "stall", "4xx", "5xx", "421", "garbage", "endless"],
)
def test_a_fault_before_the_first_letter_gives_it_back(
    sink: Sink, tls: ssl.SSLContext, at: str, rule: Rule, code: int
) -> None:
    server = sink({"*": Rule(rule.do, at, rule.reply)}, tls=tls, users={"agency": "s3cret"})
    [result] = hand_over(over_tls(server, timeout=0.5 if rule.do == "stall" else 20.0), letter())
    assert (result.stage, result.reply, result.dot_written) == (SETUP[at], code, False)
    assert result.text
    assert judge(result.stage, result.reply, result.enhanced, result.text, result.dot_written).kind is Kind.RELEASED
    said = [line.split(" ")[0] for _, line in server.commands]
    assert "MAIL" not in said
    assert at == "auth" or "AUTH" not in said
    assert [one.command for one in result.said] == [SETUP[at]]


@pytest.mark.parametrize("at", SETUP)
def test_slow_bytes_before_the_first_letter_are_waited_for(sink: Sink, tls: ssl.SSLContext, at: str) -> None:
    server = sink({"*": Rule("slow", at, seconds=0.001)}, tls=tls, users={"agency": "s3cret"})
    [result] = hand_over(over_tls(server), letter())
    assert (result.stage, result.reply, result.tls) == ("dot", 250, "TLSv1.3")


HANDSHAKES = {
    "drop": b"",
    "garbage": b"this is no TLS\r\n" * 10,
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",  # fatal: handshake_failure
    "half a record": b"\x16\x03\x03\x01\x00" + b"\x02" * 20,
    "a reply in clear": b"250 2.0.0 Ok\r\n" * 4,
}


@contextmanager
def relay_with(handshake: bytes, *, hangs: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """A relay that answers STARTTLS and the TLS hello with `handshake`, and then closes; yields its port, what it heard."""
    heard: list[bytes] = []
    over = threading.Event()

    def converse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            for reply in (b"220 hi", b"250-relay.example\r\n250 STARTTLS", b"220 go on"):
                connection.sendall(reply + b"\r\n")
                heard.append(connection.recv(4096))
            connection.sendall(handshake)
            if hangs:
                over.wait(60)
            connection.shutdown(socket.SHUT_WR)
            while rest := connection.recv(4096):
                heard.append(rest)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=converse, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            over.set()
            thread.join()


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("policy", ["opportunistic", "verified"])
@pytest.mark.parametrize("handshake", HANDSHAKES)
def test_a_handshake_that_breaks_is_not_followed_by_clear_text(
    handshake: str, policy: Literal["opportunistic", "verified"]
) -> None:
    with relay_with(HANDSHAKES[handshake]) as (port, heard):
        settings = RelaySettings("127.0.0.1", port, tls=policy, ehlo_name="out.agency.example", timeout=20.0)
        [result] = hand_over(settings, letter())
    assert (result.stage, result.reply, result.dot_written, result.tls) == ("tls", 0, False, "")
    assert result.connection is not None
    assert (result.connection.tls, result.connection.address) == ("", "127.0.0.1")
    assert not any(b"MAIL" in each or b"AUTH" in each for each in heard)


def test_a_handshake_that_stalls_ends_with_the_time_for_a_reply() -> None:
    with relay_with(b"", hangs=True) as (port, _):
        settings = RelaySettings("127.0.0.1", port, tls="required", ehlo_name="out.agency.example", timeout=0.5)
        [result] = hand_over(settings, letter())
    assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)
