"""Asking WHOIS servers: what every misbehaviour becomes, against a real server on loopback."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address

import pytest

from pipeline.domain import Answer, Clock, PermanentFailure, TemporaryFailure, WhoisQuestion, WhoisReply
from pipeline.net import whois
from pipeline.net.whois import WhoisSettings
from pipeline.sandbox import whois_server
from pipeline.sandbox.networks import Network, RangeTable, WhoisFault
from pipeline.sandbox.thread import in_thread
from pipeline.sandbox.whois_server import WhoisTable

SETTINGS = WhoisSettings(timeout=10.0, allow_loopback=True)
HASTY = replace(SETTINGS, timeout=0.4)
Asked = Callable[..., list[WhoisReply]]
Log = list[tuple[datetime, str]]


@contextmanager
def server(clock: Clock, log: Log, fault: WhoisFault | None = None, registry: str = "ripencc") -> Iterator[int]:
    first, last = ip_address("192.0.2.0"), ip_address("192.0.2.255")
    network = Network(
        first, last, "ripencc", "TEST-NET", holder="株式会社 Holder", abuse="abuse@holder.example", whois_fault=fault
    )
    with in_thread(whois_server.serve(WhoisTable(RangeTable([network])), registry, clock, log)) as port:
        yield port


def answer_to(ask: Asked, clock: Clock, fault: WhoisFault | None, settings: WhoisSettings = SETTINGS) -> Answer:
    with server(clock, [], fault) as port:
        return ask(whois.edge(settings, clock), [WhoisQuestion(1, "127.0.0.1", port, "-r 192.0.2.7")])[0].answer


def test_the_whole_text_comes_back_with_its_key_and_its_time(ask: Asked, clock: Clock, now: datetime) -> None:
    log: Log = []
    with server(clock, log) as port:
        reply = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(("v4", 7), "localhost", port, "-r 192.0.2.7")])[0]
    assert (reply.key, reply.answer.status, reply.answer.failure) == (("v4", 7), 200, None)
    assert b"abuse-mailbox:  abuse@holder.example\n" in reply.answer.body
    assert (reply.answer.source, reply.answer.at) == (f"whois://localhost:{port}/-r 192.0.2.7", now)
    assert log == [(now, "-r 192.0.2.7")]


def test_a_referral_is_handed_back_in_the_text_and_not_followed(ask: Asked, clock: Clock) -> None:
    log: Log = []
    with server(clock, log, registry="arin") as port:
        answer = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(1, "127.0.0.1", port, "n + 192.0.2.7")])[0].answer
    assert b"ReferralServer: whois://whois.ripencc.example\n" in answer.body
    assert len(log) == 1


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (WhoisFault.QUOTA, b"%ERROR:201: access denied"),
        (WhoisFault.CRLF, b"abuse@holder.example\r\n"),
        (WhoisFault.ISO_2022_JP, b"\x1b$B"),
    ],
)
def test_what_the_text_says_is_left_to_the_reader(ask: Asked, clock: Clock, fault: WhoisFault, part: bytes) -> None:
    answer = answer_to(ask, clock, fault)
    assert (answer.status, answer.failure) == (200, None)
    assert part in answer.body


def test_a_server_that_hangs_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.SILENT, HASTY)
    assert answer.failure == TemporaryFailure("timeout", "no complete answer in time")
    assert (answer.status, answer.body) == (0, b"")


def test_a_server_that_drips_for_ever_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.DRIPS, HASTY)
    assert answer.failure == TemporaryFailure("timeout", "no complete answer in time")
    assert (answer.status, answer.body[:1]) == (0, b"%")


def test_five_megabytes_are_not_read_to_the_end(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.TOO_LARGE)
    assert isinstance(answer.failure, PermanentFailure)
    assert (answer.failure.code, answer.status, len(answer.body)) == ("too-large", 0, SETTINGS.read_cap)


def test_the_bytes_of_another_charset_come_untouched(ask: Asked, clock: Clock) -> None:
    body = answer_to(ask, clock, WhoisFault.ISO_2022_JP).body
    assert "株式会社 Holder".encode("iso-2022-jp") in body
    assert body.decode("iso-2022-jp").count("株式会社") == 2


def test_a_reset_is_a_failure_and_half_a_text_is_not_an_answer(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.RESET)
    assert answer.failure == TemporaryFailure("cut", "ConnectionResetError")
    assert answer.status == 0


def test_a_text_that_ends_in_the_middle_of_a_mailbox_is_not_an_answer(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.ENDS_EARLY)
    assert answer.failure == TemporaryFailure("cut", "ended in the middle of a line")
    assert answer.status == 0
    assert answer.body.endswith(b"@hol")  # of abuse@holder.example: kept, and not read


def test_more_than_the_cap_is_a_failure(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, None, replace(SETTINGS, read_cap=100))
    assert (answer.failure, len(answer.body)) == (PermanentFailure("too-large", "100 bytes or more"), 100)


def test_a_server_that_closes_at_once_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    answer = answer_to(ask, clock, WhoisFault.CLOSES)
    assert (answer.status, answer.failure) == (0, TemporaryFailure("empty", "closed without a word"))


def test_a_question_is_one_line_ended_by_cr_lf(clock: Clock, listener: socket.socket) -> None:
    with whois.edge(SETTINGS, clock) as edge:
        edge.ask(WhoisQuestion(1, "127.0.0.1", listener.getsockname()[1], "192.0.2.7"))
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b"192.0.2.7\r\n"
        assert edge.take(timeout=20)[0].answer.failure == TemporaryFailure("empty", "closed without a word")


def test_a_refused_connection_is_a_temporary_failure(ask: Asked, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(1, "127.0.0.1", port, "192.0.2.7")])[0].answer
    assert answer.failure == TemporaryFailure("connect", "connection refused")


@pytest.mark.parametrize(
    "text", ["", "192.0.2.7\r\nfoo", "192.0.2.7\n", "a\tb", "\u202e192.0.2.7", "é 192.0.2.7", "x" * 201]
)
def test_only_one_line_of_printable_ascii_is_asked(ask: Asked, clock: Clock, text: str) -> None:
    log: Log = []
    with server(clock, log) as port:
        answer = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(1, "127.0.0.1", port, text)])[0].answer
    assert answer.failure is not None
    assert (answer.failure.code, answer.requests, log) == ("bad-question", 0, [])


@pytest.mark.parametrize("port", [0, 65_536, -1])
def test_a_port_that_is_none_is_not_asked(ask: Asked, clock: Clock, port: int) -> None:
    answer = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(1, "127.0.0.1", port, "192.0.2.7")])[0].answer
    assert answer.failure is not None
    assert answer.failure.code == "bad-question"


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("10.0.0.1", SETTINGS),
        ("192.0.2.1", SETTINGS),
        ("::ffff:10.0.0.1", SETTINGS),
        ("127.0.0.1", WhoisSettings()),
        ("localhost", WhoisSettings()),
    ],
)
def test_no_connection_is_made_to_a_private_address(
    ask: Asked, clock: Clock, host: str, settings: WhoisSettings
) -> None:
    log: Log = []
    with server(clock, log) as port:
        answer = ask(whois.edge(settings, clock), [WhoisQuestion(1, host, port, "192.0.2.7")])[0].answer
    assert answer.failure == PermanentFailure("forbidden-address", "private or special address")
    assert log == []


def test_a_name_that_is_not_one_is_a_failure(ask: Asked, clock: Clock) -> None:
    answer = ask(whois.edge(SETTINGS, clock), [WhoisQuestion(1, "x" * 70 + ".example", 43, "192.0.2.7")])[0].answer
    assert isinstance(answer.failure, TemporaryFailure)


def test_a_question_waits_for_its_slot(ask: Asked, clock: Clock) -> None:
    with server(clock, []) as port:
        delays = {"third": 0.4, "first": 0.0, "second": 0.2}
        questions = [WhoisQuestion(key, "127.0.0.1", port, "192.0.2.7", delay) for key, delay in delays.items()]
        replies = ask(whois.edge(replace(SETTINGS, concurrency=1), clock), questions)
    assert [reply.key for reply in replies] == ["first", "second", "third"]
