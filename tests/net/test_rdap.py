"""Asking RDAP servers: what every misbehaviour of a registry becomes, against a real server on loopback."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from pipeline.domain import Clock, PermanentFailure, RdapQuestion, RdapReply, TemporaryFailure
from pipeline.net import rdap
from pipeline.net.http import HttpSettings
from pipeline.sandbox import rdap_server
from pipeline.sandbox.networks import Fault, Network, RangeTable, RdapFault
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread

SETTINGS = HttpSettings("tocsin-test/1", timeout=10.0, body_cap=100_000, allow_plain_http_to_loopback=True)
HASTY = HttpSettings("tocsin-test/1", timeout=0.4, allow_plain_http_to_loopback=True)
Asked = Callable[..., list[RdapReply]]
Log = list[tuple[datetime, str]]


@contextmanager
def registry(clock: Clock, log: Log, fault: Fault | None = None) -> Iterator[str]:
    """A registry with one network, and that fault on it; gives the URL that asks for an address in it."""
    first, last = ip_address("192.0.2.0"), ip_address("192.0.2.255")
    network = Network(first, last, "ripencc", "TEST-NET", abuse="abuse@holder.example", fault=fault)
    table = RdapTable(RangeTable([network]))
    with in_thread(rdap_server.serve(table, clock, log)) as port:
        yield f"http://127.0.0.1:{port}/ripencc/ip/192.0.2.7"


def reply_to(ask: Asked, clock: Clock, kind: RdapFault, settings: HttpSettings = SETTINGS) -> RdapReply:
    with registry(clock, [], Fault(kind)) as url:
        return ask(rdap.edge(settings, clock), [RdapQuestion("key", url)])[0]


def test_an_answer_comes_back_with_its_key_its_bytes_and_its_time(ask: Asked, clock: Clock, now: datetime) -> None:
    log: Log = []
    with registry(clock, log) as url:
        reply = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(("v4", 7), url)])[0]
    assert (reply.key, reply.location, reply.answer.failure) == (("v4", 7), "", None)
    assert (reply.answer.status, reply.answer.content_type) == (200, "application/rdap+json")
    assert b"abuse@holder.example" in reply.answer.body
    assert (reply.answer.source, reply.answer.at, reply.answer.requests) == (url, now, 1)
    assert log == [(now, "/ripencc/ip/192.0.2.7")]


def test_a_redirect_is_handed_back_and_not_followed(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with registry(clock, log) as url:
        elsewhere = url.replace("/ripencc/", "/arin/")
        reply = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, elsewhere)])[0]
    assert (reply.answer.status, reply.location, reply.answer.failure) == (302, url, None)
    assert len(log) == 1


def test_a_redirect_loop_costs_one_request(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with registry(clock, log, Fault(RdapFault.REDIRECT_LOOP)) as url:
        reply = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url)])[0]
    assert (reply.location, len(log)) == (url, 1)


@pytest.mark.parametrize(
    ("kind", "location", "code"),
    [
        (RdapFault.REDIRECT_PRIVATE, "http://10.0.0.1/ip/192.0.2.1", "forbidden-scheme"),
        (RdapFault.REDIRECT_MAPPED, "https://[::ffff:a00:1]/ip/192.0.2.1", "forbidden-address"),
        (RdapFault.REDIRECT_PLAIN, "http://registry.example/ip/192.0.2.1", "forbidden-scheme"),
    ],
)
def test_a_redirect_into_a_private_network_or_to_plain_http_is_refused_when_it_is_asked(
    ask: Asked, clock: Clock, kind: RdapFault, location: str, code: str
) -> None:
    reply = reply_to(ask, clock, kind)
    assert (reply.answer.status, reply.location, reply.answer.failure) == (302, location, None)
    failure = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, location)])[0].answer.failure
    assert isinstance(failure, PermanentFailure)
    assert failure.code == code


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fe80::1]", "2130706433", "0"])
def test_no_connection_is_made_to_a_private_address(ask: Asked, clock: Clock, host: str) -> None:
    failure = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, f"https://{host}/ip/192.0.2.1")])[0].answer.failure
    assert failure is not None
    assert failure.code in ("forbidden-address", "bad-url", "dns")


def test_the_address_connected_to_counts_not_the_name(ask: Asked, clock: Clock) -> None:
    """A name of the outside may resolve to loopback or to a private network, and to another one each time."""
    strict = HttpSettings("tocsin-test/1", timeout=5.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}/ip/192.0.2.1"
        answer = ask(rdap.edge(strict, clock), [RdapQuestion(1, url)])[0].answer
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert answer.failure == PermanentFailure("forbidden-address", "private or special address")


def test_429_says_when_to_come_back_and_the_answer_comes_after_it(ask: Asked, clock: Clock) -> None:
    with registry(clock, [], Fault(RdapFault.RATE_LIMITED, times=2)) as url:
        answers = [ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url)])[0].answer for _ in range(3)]
    refused = TemporaryFailure("429", "HTTP 429", timedelta(seconds=1))
    assert [answer.failure for answer in answers] == [refused, refused, None]


def test_429_for_ever_is_a_temporary_failure_each_time(ask: Asked, clock: Clock) -> None:
    with registry(clock, [], Fault(RdapFault.RATE_LIMITED)) as url:
        replies = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(n, url) for n in range(5)])
    assert {reply.answer.status for reply in replies} == {429}
    assert all(isinstance(reply.answer.failure, TemporaryFailure) for reply in replies)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (RdapFault.RATE_LIMITED, TemporaryFailure("429", "HTTP 429", timedelta(seconds=1))),
        (RdapFault.RATE_LIMITED_UNTIL, TemporaryFailure("429", "HTTP 429", timedelta(minutes=2))),
        (RdapFault.UNAVAILABLE, TemporaryFailure("503", "HTTP 503", timedelta(minutes=2))),
        (RdapFault.BUSY, TemporaryFailure("503", "HTTP 503")),
    ],
)
def test_a_refusal_says_when_to_come_back_in_seconds_as_a_date_or_not_at_all(
    ask: Asked, clock: Clock, kind: RdapFault, failure: TemporaryFailure
) -> None:
    assert reply_to(ask, clock, kind).answer.failure == failure


def test_501_is_a_permanent_failure_that_keeps_its_object(ask: Asked, clock: Clock) -> None:
    answer = reply_to(ask, clock, RdapFault.NOT_IMPLEMENTED).answer
    assert answer.failure == PermanentFailure("501", "HTTP 501")
    assert b'"errorCode": 501' in answer.body


def test_403_in_html_is_a_temporary_failure_that_keeps_the_page(ask: Asked, clock: Clock) -> None:
    answer = reply_to(ask, clock, RdapFault.FORBIDDEN).answer
    assert answer.failure == TemporaryFailure("403", "HTTP 403")
    assert (answer.content_type, answer.body) == ("text/html; charset=utf-8", b"<html><h1>Forbidden</h1></html>")


@pytest.mark.parametrize(
    ("kind", "status", "part"),
    [
        (RdapFault.NOT_FOUND, 404, b'"errorCode": 404'),
        (RdapFault.RATE_NOTICE, 200, b"Rate Limit Notice"),
        (RdapFault.INVALID_JSON, 200, b'{"objectClassName": "ip network",'),
        (RdapFault.WRONG_NETWORK, 200, b"198.51.100.248"),
        (RdapFault.WRONG_TYPE, 200, b"abuse@holder.example"),
        (RdapFault.NULL_MEMBERS, 200, b'"entities": null'),
    ],
)
def test_what_the_body_says_is_left_to_the_reader(
    ask: Asked, clock: Clock, kind: RdapFault, status: int, part: bytes
) -> None:
    answer = reply_to(ask, clock, kind).answer
    assert (answer.status, answer.failure) == (status, None)
    assert part in answer.body


@pytest.mark.parametrize(
    ("kind", "settings", "failure"),
    [
        (RdapFault.CUT_BODY, SETTINGS, TemporaryFailure("cut", "ClientPayloadError")),
        (RdapFault.SLOW_BODY, HASTY, TemporaryFailure("timeout", "no complete answer in time")),
        (RdapFault.NO_ANSWER, HASTY, TemporaryFailure("timeout", "no complete answer in time")),
        (RdapFault.TOO_LARGE, SETTINGS, PermanentFailure("too-large", "more than 100000 bytes")),
        (RdapFault.GZIP_BOMB, SETTINGS, PermanentFailure("too-large", "more than 100000 bytes")),
    ],
)
def test_a_body_that_does_not_come_whole_is_a_failure_without_a_body(
    ask: Asked, clock: Clock, kind: RdapFault, settings: HttpSettings, failure: Any
) -> None:
    answer = reply_to(ask, clock, kind, settings).answer
    assert (answer.failure, answer.body) == (failure, b"")


def test_a_gzip_bomb_is_not_inflated_beyond_the_cap(ask: Asked, clock: Clock) -> None:
    bomb = gzip.compress(b" " * (64 << 20), 9, mtime=0)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    with speaking(head.encode() + bomb) as (url, _):
        tracemalloc.start()
        try:
            answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url)])[0].answer
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert answer.failure == PermanentFailure("too-large", "more than 100000 bytes")
    assert peak < 8 << 20


def test_a_refused_connection_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, f"http://127.0.0.1:{port}/ip/192.0.2.1")])[0].answer
    assert answer.failure == TemporaryFailure("connect", "ClientConnectorError")
    assert answer.status == 0


@contextmanager
def speaking(words: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each connection with `words` and closes; gives its URL and the requests that came."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def answer() -> None:
            with suppress(OSError), listener.accept()[0] as connection:  # the client may leave before the end
                requests.append(connection.recv(65_536))
                connection.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/ip/192.0.2.1", requests
        thread.join()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (b"", "cut"),
        (b"SSH-2.0-server\r\n", "not-http"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "not-http"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "content-encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "content-encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", "cut"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://[x\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"HTTP/1.1 429 No\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000, "429"),
    ],
)
def test_what_is_not_rdap_at_all_is_a_failure(ask: Asked, clock: Clock, words: bytes, code: str) -> None:
    with speaking(words) as (url, _):
        failure = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url)])[0].answer.failure
    assert failure is not None
    assert failure.code == code


def test_a_server_that_speaks_no_tls_where_it_should_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    with speaking(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as (url, _):
        answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url.replace("http:", "https:"))])[0].answer
    assert (answer.status, answer.failure) == (0, TemporaryFailure("tls", "ClientConnectorSSLError"))


def test_a_lost_connection_is_not_asked_again_by_itself(clock: Clock, listener: socket.socket) -> None:
    with rdap.edge(SETTINGS, clock) as edge:
        edge.ask(RdapQuestion(1, f"http://127.0.0.1:{listener.getsockname()[1]}/ip/192.0.2.1"))
        connection, _ = listener.accept()
        connection.recv(65_536)
        connection.close()
        assert edge.take(timeout=20)[0].answer.failure == TemporaryFailure("cut", "ServerDisconnectedError")
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_request_says_who_asks_and_carries_nothing_else_of_ours(
    ask: Asked, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, requests):
        ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url + "?apikey=secret#here")])
    first, *headers = requests[0].decode().strip().split("\r\n")
    assert first == "GET /ip/192.0.2.1?apikey=secret HTTP/1.1"
    names = {header.partition(":")[0]: header.partition(": ")[2] for header in headers}
    assert (names.pop("User-Agent"), names.pop("Accept")) == ("tocsin-test/1", "application/rdap+json")
    assert set(names) == {"Host", "Accept-Encoding"}


def test_a_form_is_posted_once_with_its_own_media_type(ask: Asked, clock: Clock) -> None:
    """The pages of some national registries answer a form, in HTML."""
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>") as (url, requests):
        question = RdapQuestion(1, url, form="query=192.0.2.1&ip=", accept="text/html")
        answer = ask(rdap.edge(SETTINGS, clock), [question])[0].answer
    assert (answer.status, answer.content_type, answer.body, answer.failure) == (200, "text/html", b"<p/>", None)
    head, _, form = requests[0].decode().partition("\r\n\r\n")
    first, *headers = head.split("\r\n")
    names = {header.partition(":")[0]: header.partition(": ")[2] for header in headers}
    assert (first, form) == ("POST /ip/192.0.2.1 HTTP/1.1", "query=192.0.2.1&ip=")
    assert (names["Accept"], names["Content-Type"]) == ("text/html", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("form", ["a=b\r\nc", "\x00", "é=1", "x" * 3_000])
def test_a_form_that_is_not_plain_is_not_sent(ask: Asked, clock: Clock, form: str) -> None:
    log: Log = []
    with registry(clock, log) as url:
        answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url, form=form)])[0].answer
    assert (answer.failure, log) == (PermanentFailure("bad-form", "not a plain form"), [])


def test_a_media_type_with_a_line_break_sends_nothing(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with registry(clock, log) as url:
        answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url, accept="a/b\r\nX: y")])[0].answer
    assert isinstance(answer.failure, PermanentFailure)
    assert log == []


def test_a_key_in_a_url_is_not_kept_with_the_answer(ask: Asked, clock: Clock) -> None:
    with registry(clock, []) as url:
        answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url + "?apikey=secret")])[0].answer
    assert answer.source == url


def test_cookies_are_not_sent_back(clock: Clock, listener: socket.socket) -> None:
    words = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    requests: list[bytes] = []
    with rdap.edge(SETTINGS, clock) as edge:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/ip/192.0.2.1"
        for _ in range(2):
            edge.ask(RdapQuestion(1, url))
            connection, _ = listener.accept()
            with connection:
                requests.append(connection.recv(65_536))
                connection.sendall(words)
            assert edge.take(timeout=20)[0].answer.failure is None
    assert len(requests) == 2
    assert b"Cookie" not in requests[1]


def test_a_connection_is_used_again_for_the_next_question(clock: Clock, listener: socket.socket) -> None:
    words = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with rdap.edge(SETTINGS, clock) as edge:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/ip/192.0.2.1"
        edge.ask(RdapQuestion(1, url))
        connection, _ = listener.accept()
        with connection:
            for _ in range(2):
                connection.recv(65_536)
                connection.sendall(words)
                assert edge.take(timeout=20)[0].answer.status == 200
                edge.ask(RdapQuestion(2, url))
            connection.recv(65_536)
            connection.sendall(words)
            assert edge.take(timeout=20)[0].answer.status == 200


def test_a_gzip_body_comes_back_inflated(ask: Asked, clock: Clock) -> None:
    words = gzip.compress(b'{"handle": null}', mtime=0)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(words)}\r\n\r\n"
    with speaking(head.encode() + words) as (url, requests):
        answer = ask(rdap.edge(SETTINGS, clock), [RdapQuestion(1, url)])[0].answer
    assert (answer.body, answer.failure) == (b'{"handle": null}', None)
    assert b"Accept-Encoding: gzip\r\n" in requests[0]


def test_questions_whose_slots_have_passed_keep_the_pace_of_their_budget(ask: Asked, clock: Clock) -> None:
    arrivals: list[float] = []

    def stamp() -> datetime:
        arrivals.append(time.monotonic())
        return clock()

    first, last = ip_address("192.0.2.0"), ip_address("192.0.2.255")
    table = RdapTable(RangeTable([Network(first, last, "ripencc", "TEST-NET")]))
    with in_thread(rdap_server.serve(table, stamp, [])) as port:
        url = f"http://127.0.0.1:{port}/ripencc/ip/192.0.2.7"
        ask(rdap.edge(SETTINGS, clock), [RdapQuestion(n, url, apart=0.03) for n in range(8)])
    assert max(arrivals) - min(arrivals) >= 6.5 * 0.03 - 0.005


def test_a_question_waits_for_its_slot(ask: Asked, clock: Clock) -> None:
    one_by_one = replace(SETTINGS, concurrency=1)
    with registry(clock, []) as url:
        delays = {"third": 0.4, "first": 0.0, "second": 0.2}
        replies = ask(rdap.edge(one_by_one, clock), [RdapQuestion(key, url, delay) for key, delay in delays.items()])
    assert [reply.key for reply in replies] == ["first", "second", "third"]


def test_no_more_requests_are_under_way_to_one_host_than_allowed(ask: Asked, clock: Clock) -> None:
    """With a turn for one, a host that never answers holds up the next question to it, and no other host."""
    alone = replace(SETTINGS, timeout=1.0, concurrency=1)
    silent: Log = []
    with registry(clock, silent, Fault(RdapFault.NO_ANSWER)) as stuck, registry(clock, []) as quick:
        questions = [RdapQuestion("stuck", stuck), RdapQuestion("waits", stuck), RdapQuestion("quick", quick)]
        with rdap.edge(alone, clock) as edge:
            for question in questions:
                edge.ask(question)
            assert [reply.key for reply in edge.take(timeout=20)] == ["quick"]
            assert len(silent) <= 1
            assert [reply.key for reply in edge.take(timeout=20)] == ["stuck"]
            assert [reply.key for reply in edge.take(timeout=20)] == ["waits"]


def test_a_bootstrap_file_is_fetched_with_its_expiry(clock: Clock, now: datetime) -> None:
    with registry(clock, []) as url:
        root = url.partition("/ripencc/")[0]
        document = rdap.fetch_json(f"{root}/bootstrap/ipv4.json", SETTINGS, clock)
    assert document.value["services"] == [[["192.0.2.0/24"], [f"{root}/ripencc/"]]]
    assert (document.expires_at, document.answer.failure) == (now + timedelta(days=1), None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", "invalid-json"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"[" * 90_000, "invalid-json"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff", "invalid-json"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"", "cut"),
    ],
)
def test_a_bootstrap_file_that_is_not_one_is_a_failure(clock: Clock, words: bytes, code: str) -> None:
    with speaking(words) as (url, _):
        document = rdap.fetch_json(url, SETTINGS, clock)
    assert document.answer.failure is not None
    assert (document.answer.failure.code, document.value, document.expires_at) == (code, None, None)


def test_a_bootstrap_file_over_plain_http_is_refused_unless_it_is_allowed(clock: Clock) -> None:
    document = rdap.fetch_json("http://127.0.0.1:9/bootstrap/ipv4.json", HttpSettings("tocsin-test/1"), clock)
    assert document.answer.failure == PermanentFailure("forbidden-scheme", "only https is asked")
