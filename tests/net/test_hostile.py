"""Servers that mean harm, by what they do, on real sockets: what they send is bounded, and leads us nowhere.

What honest servers do wrong is in test_rdap and test_whois; which addresses are private, in test_reach.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Answer, Clock, PermanentFailure, RdapQuestion, RdapReply, TemporaryFailure, WhoisQuestion
from pipeline.net import rdap, whois
from pipeline.net.http import HttpSettings
from pipeline.net.whois import WhoisSettings
from pipeline.sandbox.streams import listening
from pipeline.sandbox.thread import in_thread
from tests.namespace import alone

STRICT = HttpSettings("tocsin-test/1", timeout=5.0)
LOCAL = HttpSettings("tocsin-test/1", timeout=10.0, allow_plain_http_to_loopback=True)
HASTY = replace(LOCAL, timeout=0.4)
Asked = Callable[..., list[Any]]
Speak = Callable[[], AsyncIterator[bytes]]


async def once(words: bytes) -> AsyncIterator[bytes]:
    yield words


@contextmanager
def speaking(speak: Speak) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers each request with what `speak` gives, on a connection that it leaves open for the next one;
    gives its port and the first lines that came."""
    came: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                came.append((await reader.readuntil(b"\r\n")).strip())
                if b"HTTP/" in came[-1]:
                    await reader.readuntil(b"\r\n\r\n")
                async for words in speak():
                    writer.write(words)
                    await writer.drain()

    with in_thread(listening(converse, "127.0.0.1", 0)) as port:
        yield port, came


def reply_to(ask: Asked, clock: Clock, words: bytes, settings: HttpSettings = LOCAL) -> RdapReply:
    with speaking(lambda: once(words)) as (port, _):
        reply: RdapReply = ask(rdap.edge(settings, clock), [RdapQuestion(1, f"http://127.0.0.1:{port}/ip/192.0.2.1")])[
            0
        ]
    return reply


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


# --- where a redirect leads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("file:///etc/passwd", "bad-url"),
        ("file://localhost/etc/passwd", "forbidden-scheme"),
        ("gopher://registry.example:70/0whois", "forbidden-scheme"),
        ("ftp://registry.example/ip", "forbidden-scheme"),
        ("javascript:alert(1)", "bad-url"),
        ("https://10.0.0.1/ip", "forbidden-address"),
        ("https://169.254.169.254/latest/meta-data", "forbidden-address"),
        ("https://[::ffff:10.0.0.1]/ip", "forbidden-address"),
        ("https://[::ffff:127.0.0.1]/ip", "forbidden-address"),
        ("https://[64:ff9b::a00:1]/ip", "forbidden-address"),
        ("https://localhost/ip", "forbidden-address"),
        ("https://user@registry.example/ip", "bad-url"),
        ("https://registry.example:secret@10.0.0.1/ip", "bad-url"),
        ("https://registry.example@127.0.0.1/ip", "bad-url"),
    ],
)
def test_a_redirect_to_no_public_web_server_is_not_asked(ask: Asked, clock: Clock, location: str, code: str) -> None:
    reply = reply_to(ask, clock, head(f"Location: {location}", "Content-Length: 0", status="302 Found"))
    assert (reply.answer.status, reply.answer.failure) == (302, None)
    failure = ask(rdap.edge(STRICT, clock), [RdapQuestion(2, reply.location)])[0].answer.failure
    assert isinstance(failure, PermanentFailure)
    assert failure.code == code


INSIDE = {"registry.example": "10.0.0.1", "mapped.example": "::ffff:10.0.0.1", "cloud.example": "169.254.169.254"}


@pytest.mark.parametrize("loopback", ["strict", "with-loopback"])
@pytest.mark.parametrize("kind", ["rdap", "whois"])
def test_a_server_whose_name_leads_into_a_private_network_is_not_connected_to(
    tmp_path: Path, kind: str, loopback: str
) -> None:
    """What the DNS says is checked where the socket is made: it may say something else each time (DNS rebinding)."""
    told = alone(tmp_path, INSIDE, "tests.net.led_inside", kind, loopback, *INSIDE)
    assert told["failures"] == [{"type": "PermanentFailure", "code": "forbidden-address"}] * 3
    assert told["looked_up"] == sorted(INSIDE)  # each once, and what was found then was checked


# --- response splitting -----------------------------------------------------------------------------------------------


SMUGGLED = b'{"handle": "smuggled"}'


def test_a_second_response_behind_the_first_is_never_the_answer_to_the_next_question(ask: Asked, clock: Clock) -> None:
    one = head("Content-Length: 2") + b"{}"
    two = head(f"Content-Length: {len(SMUGGLED)}") + SMUGGLED
    turns = iter([one + two, one])
    with speaking(lambda: once(next(turns))) as (port, came), rdap.edge(replace(LOCAL, concurrency=1), clock) as edge:
        bodies = []
        for n in range(2):
            edge.ask(RdapQuestion(n, f"http://127.0.0.1:{port}/ip/192.0.2.{n}"))
            bodies.append(edge.take(timeout=20)[0].answer.body)
    assert bodies == [b"{}", b"{}"]
    assert [line.split()[1] for line in came] == [b"/ip/192.0.2.0", b"/ip/192.0.2.1"]


@pytest.mark.parametrize("text", ["/ip\r X: y", "/ip\x00", "/ip\x7f", "/ip%0d%0aX:%20y", "/a\tb"])
def test_a_location_with_control_characters_puts_none_into_a_request(ask: Asked, clock: Clock, text: str) -> None:
    reply = reply_to(ask, clock, head(f"Location: {text}", "Content-Length: 0", status="302 Found"))
    assert reply.location.isprintable()
    assert reply.location.endswith("/ip%0D%0AX:%20y") == text.startswith("/ip%")
    assert reply.location or reply.answer.failure is not None


@pytest.mark.parametrize("url", ["/ip\r\nX: y", "/ip HTTP/1.1\r\nHost: x\r\n\r\n", "/ip\x00", "/\u202e", "/é"])
def test_a_url_that_is_no_line_is_not_sent(ask: Asked, clock: Clock, url: str) -> None:
    with speaking(lambda: once(b"")) as (port, came):
        answer = ask(rdap.edge(LOCAL, clock), [RdapQuestion(1, f"http://127.0.0.1:{port}{url}")])[0].answer
    assert (answer.failure, came) == (PermanentFailure("bad-url", "not a plain URL"), [])


# --- lengths that lie, and heads without an end -----------------------------------------------------------------------


BODY = b'{"handle": "NET"}'


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (head("Content-Length: 1000", "Connection: close") + BODY, "timeout"),  # says more than it sends, and waits
        (head("Content-Length: -1") + BODY, "not-http"),
        (head("Content-Length: 1e3") + BODY, "not-http"),
        (head("Content-Length: 99999999999999999999999") + BODY, "not-http"),
        (head("Content-Length: 17", "Content-Length: 3") + BODY, "not-http"),
        (head("Content-Length: 17", "Transfer-Encoding: chunked") + BODY, "not-http"),
        (head("Transfer-Encoding: chunked") + b"zz\r\n" + BODY, "not-http"),
        (head("Transfer-Encoding: chunked") + b"f" * 5_000, "not-http"),
        (head("Content-Length: 999999999") + b" " * 300_000, "too-large"),
    ],
)
def test_a_length_that_lies_is_a_failure_without_a_body(ask: Asked, clock: Clock, words: bytes, code: str) -> None:
    answer = reply_to(ask, clock, words, replace(HASTY, body_cap=100_000)).answer
    assert answer.failure is not None
    assert (answer.failure.code, answer.body) == (code, b"")


def test_of_a_body_longer_than_it_says_nothing_beyond_that_is_read(ask: Asked, clock: Clock) -> None:
    """The client may have noticed that more came, or not yet."""
    answer = reply_to(ask, clock, head(f"Content-Length: {len(BODY)}") + BODY + b'{"handle": "ANOTHER"}').answer
    assert answer.body == (BODY if answer.failure is None else b"")


def test_a_hundred_thousand_headers_are_not_read(ask: Asked, clock: Clock) -> None:
    words = head(*(f"X-{n}: {n}" for n in range(100_000)), f"Content-Length: {len(BODY)}") + BODY
    answer = reply_to(ask, clock, words).answer
    assert (answer.status, answer.body) == (0, b"")
    assert isinstance(answer.failure, TemporaryFailure)
    assert answer.failure.code == "not-http"


async def _for_ever(words: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    while True:
        yield words
        await asyncio.sleep(pause)


async def _dripping(first: bytes, drop: bytes) -> AsyncIterator[bytes]:
    yield first
    async for words in _for_ever(drop, 0.05):
        yield words


@pytest.mark.parametrize(
    "speak",
    [
        lambda: _dripping(b"HTTP/1.1 200 ", b"x"),
        lambda: _dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        lambda: _dripping(head("Content-Length: 100000"), b" "),
        lambda: _dripping(head("Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    ],
    ids=["the-first-line", "headers", "a-body", "chunks"],
)
def test_a_server_that_trickles_is_given_up_when_its_time_is_over(ask: Asked, clock: Clock, speak: Speak) -> None:
    """Each byte comes in time: it is the whole answer that has so many seconds."""
    with speaking(speak) as (port, _):
        answer: Answer = ask(rdap.edge(HASTY, clock), [RdapQuestion(1, f"http://127.0.0.1:{port}/ip/192.0.2.1")])[
            0
        ].answer
    assert answer.failure == TemporaryFailure("timeout", "no complete answer in time")


def test_a_server_that_begins_no_tls_is_given_up_when_its_time_is_over(ask: Asked, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/ip/192.0.2.1"
        answer = ask(rdap.edge(HASTY, clock), [RdapQuestion(1, url)])[0].answer
    assert answer.failure == TemporaryFailure("timeout", "no complete answer in time")


def test_a_body_in_chunks_without_an_end_is_read_up_to_the_cap(ask: Asked, clock: Clock) -> None:
    async def speak() -> AsyncIterator[bytes]:
        yield head("Transfer-Encoding: chunked")
        async for words in _for_ever(b"2000\r\n" + b" " * 0x2000 + b"\r\n"):
            yield words

    with speaking(speak) as (port, _):
        answer = ask(rdap.edge(LOCAL, clock), [RdapQuestion(1, f"http://127.0.0.1:{port}/ip/192.0.2.1")])[0].answer
    assert answer.failure == PermanentFailure("too-large", f"more than {1 << 20} bytes")


def test_a_whois_server_that_sends_for_ever_is_read_up_to_the_cap(ask: Asked, clock: Clock) -> None:
    settings = WhoisSettings(timeout=10.0, allow_loopback=True)
    with speaking(lambda: _for_ever(b"remarks: " + b"x" * 8_000 + b"\n")) as (port, came):
        answer = ask(whois.edge(settings, clock), [WhoisQuestion(1, "127.0.0.1", port, "192.0.2.1")])[0].answer
    assert answer.failure == PermanentFailure("too-large", f"{settings.read_cap} bytes or more")
    assert (len(answer.body), came) == (settings.read_cap, [b"192.0.2.1"])
