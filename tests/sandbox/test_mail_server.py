"""The sandbox's mail server: it keeps what it accepts, and misbehaves as its rules say and in no other way."""

import asyncio
import contextlib
import email
import hashlib
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest

from pipeline.domain import RefusedBySafety
from pipeline.sandbox.mail_rules import BOUNCE, FULL, GREYLIST, POLICY, REFUSE, Rule, RuleBook, defer
from pipeline.sandbox.mail_server import OFFERS, MailServer, serve
from pipeline.sandbox.maildir import kept
from pipeline.sandbox.thread import in_thread

FROM = "v1@agency.example"
TO = "abuse@isp.example"
TEXT = b"From: a@agency.example\r\nMessage-ID: <1@agency.example>\r\nSubject: Test\r\n\r\nHello\r\n"

Sink = Callable[..., MailServer]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with contextlib.ExitStack() as stack:

        def start(rules: dict[str, Rule] | None = None, **settings: object) -> MailServer:
            return stack.enter_context(in_thread(serve(rules or {}, tmp_path / "mail", **settings)))  # type: ignore[arg-type]

        yield start


def attempt(server: MailServer, recipient: str = TO, data: bytes = TEXT, sender: str = FROM) -> str:
    """Send one message with the standard library's client and return the last reply, or "closed"."""
    try:
        with smtplib.SMTP(server.host, server.port, "client.example", timeout=20) as client:
            client.ehlo()
            for reply in (client.mail(sender), client.rcpt(recipient)):
                if reply[0] != 250:
                    return text(reply)
            try:
                return text(client.data(data))
            except smtplib.SMTPDataError as error:
                return text((error.smtp_code, error.smtp_error))
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        return "closed"


def text(reply: tuple[int, bytes | str]) -> str:
    words = reply[1] if isinstance(reply[1], str) else reply[1].decode()
    return f"{reply[0]} {words}"


def converse(server: MailServer, lines: bytes) -> list[str]:
    """Write everything at once, read until the server hangs up, and return the replies after the greeting."""
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(lines)
        received = b""
        with contextlib.suppress(ConnectionResetError):  # it hung up before it had read everything
            while chunk := connection.recv(65536):
                received += chunk
    return received.decode().split("\r\n")[1:-1]


def test_what_is_accepted_is_kept_as_received_with_its_envelope(sink: Sink) -> None:
    server = sink()
    assert attempt(server) == "250 2.0.0 Kept"
    [message] = server.messages()
    assert message[:3] == (TO, "<1@agency.example>", hashlib.sha256(TEXT).hexdigest())
    assert message.path.parent == server.maildir / "new"
    assert (
        message.path.read_bytes() == b"Return-Path: <v1@agency.example>\r\nX-Envelope-To: abuse@isp.example\r\n" + TEXT
    )
    assert list((server.maildir / "tmp").iterdir()) == []


def test_doubles_are_two_messages(sink: Sink) -> None:
    server = sink(fsync=True)
    attempt(server)
    attempt(server)
    assert [message.message_id for message in server.messages()] == ["<1@agency.example>"] * 2


def test_each_recipient_has_a_copy(sink: Sink) -> None:
    server = sink()
    converse(
        server,
        b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@isp.example>\r\nRCPT TO:<a@isp.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
    )
    assert [message.recipient for message in server.messages()] == ["b@isp.example", "a@isp.example"]


@pytest.mark.parametrize(
    ("rule", "replies"),
    [
        (REFUSE, ["550 5.1.1 No such mailbox here"] * 2),
        (POLICY, ["550 5.7.1 Not wanted here, by policy"] * 2),
        (FULL, ["452 4.2.2 The mailbox is full"] * 2),
        (defer(2), ["451 4.2.2 The mailbox is busy, try later"] * 2 + ["250 2.0.0 Kept"] * 2),
        (GREYLIST, ["450 4.7.1 Greylisted, come back later", "250 2.0.0 Kept"]),
        (Rule("greylist", "rcpt", "450 4.7.1 Later", seconds=3600), ["450 4.7.1 Later"] * 2),
        (Rule("answer", "data", "451 4.3.0 Not now"), ["451 4.3.0 Not now"]),
        (Rule("answer", "dot", "554 5.7.1 Spam"), ["554 5.7.1 Spam"]),
        (Rule("answer", "dot", "451 4.3.0 Not now", times=1), ["451 4.3.0 Not now", "250 2.0.0 Kept"]),
        (Rule("drop", "rcpt", times=1), ["closed", "250 2.0.0 Kept"]),
        (Rule("drop", "body"), ["closed"]),
        (Rule("stall", "rcpt", seconds=0.01), ["250 2.0.0 Kept"]),
        (Rule("slow", "dot", seconds=0.001), ["250 2.0.0 Kept"]),
    ],
)
def test_a_mailbox_answers_by_its_rule_and_its_neighbour_does_not(sink: Sink, rule: Rule, replies: list[str]) -> None:
    server = sink({TO: rule})
    assert [attempt(server) for _ in replies] == replies
    accepted = replies.count("250 2.0.0 Kept")
    assert attempt(server, "b@isp.example") == "250 2.0.0 Kept"
    assert [message.recipient for message in server.messages()] == [TO] * accepted + ["b@isp.example"]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("rule", ["drop", "answer"])
def test_a_message_that_is_not_answered_with_250_is_kept_only_if_the_rule_says_so(
    sink: Sink, rule: str, keep: bool
) -> None:
    server = sink({TO: Rule(rule, "dot", "451 4.3.0 Lost", keep=keep)})
    assert attempt(server) == ("closed" if rule == "drop" else "451 4.3.0 Lost")
    assert len(server.messages()) == keep


@pytest.mark.parametrize("at", ["connect", "ehlo", "mail"])
def test_before_rcpt_only_the_rule_for_all_applies(sink: Sink, at: str) -> None:
    server = sink({TO: Rule("drop", at), "*": Rule("answer", at, "421 4.3.2 Closed for today")})
    replies = converse(server, b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n")
    assert at == "connect" or replies[-1] == "421 4.3.2 Closed for today"
    assert "221 2.0.0 Bye" not in replies


def test_a_mailbox_goes_before_its_domain_and_the_domain_before_all() -> None:
    book = RuleBook({TO: FULL, "@isp.example": REFUSE, "*": POLICY})
    assert [book.applies("rcpt", to) for to in (TO, "b@isp.example", "c@other.example")] == [FULL, REFUSE, POLICY]
    assert book.applies("dot", TO) is None


def test_raw_bytes_are_sent_as_they_are(sink: Sink) -> None:
    server = sink({TO: Rule("raw", "rcpt", "\xff\x00 what?\n")})
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@isp.example>\r\nQUIT\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.endswith(b"250 2.1.0 Ok\r\n\xff\x00 what?\n221 2.0.0 Bye\r\n")


def test_a_stalled_dialogue_does_not_keep_the_server_from_ending(sink: Sink, tmp_path: Path) -> None:
    with in_thread(serve({"*": Rule("stall", "connect")}, tmp_path / "mail")) as server:
        connection = socket.create_connection((server.host, server.port), timeout=20)
        for _ in range(1000):
            if server.connections:
                break
            time.sleep(0.01)
    with connection, contextlib.suppress(ConnectionError):
        assert connection.recv(100) == b""


# --- bounces ----------------------------------------------------------------------------------------------------------


def bounces(server: MailServer) -> list[Message]:
    return [email.message_from_bytes(each.path.read_bytes()) for each in kept(server.bounces)]


def test_a_bounce_is_a_notification_that_names_letter_envelope_and_recipient(sink: Sink) -> None:
    server = sink({TO: BOUNCE})
    commands = [
        b"EHLO c",
        b"MAIL FROM:<v1@agency.example> RET=HDRS ENVID=N+2B1",
        b"RCPT TO:<abuse@isp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;Abuse@isp.example",
        b"DATA",
    ]
    replies = converse(server, b"\r\n".join(commands) + b"\r\n" + TEXT + b".\r\nQUIT\r\n")
    assert replies[-2] == "250 2.0.0 Kept"
    assert len(server.messages()) == 1
    [bounce] = bounces(server)
    assert (bounce["Return-Path"], bounce["X-Envelope-To"], bounce["To"]) == ("<>", FROM, FROM)
    assert (bounce.get_content_type(), bounce.get_param("report-type")) == ("multipart/report", "delivery-status")
    parts = bounce.get_payload()
    assert isinstance(parts, list)
    [human, status, headers] = parts
    assert isinstance(human, Message)
    assert isinstance(status, Message)
    assert isinstance(headers, Message)
    assert TO in human.as_string()
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    [about_message, about_recipient] = blocks
    assert isinstance(about_message, Message)
    assert isinstance(about_recipient, Message)
    assert about_message["Original-Envelope-Id"] == "N+1"
    assert {name: about_recipient[name] for name in ("Original-Recipient", "Final-Recipient", "Action", "Status")} == {
        "Original-Recipient": "rfc822;Abuse@isp.example",
        "Final-Recipient": "rfc822; abuse@isp.example",
        "Action": "failed",
        "Status": "5.1.1",
    }
    assert about_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 No such mailbox here"
    assert headers.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <1@agency.example>" in headers.get_payload()
    assert not any(part.defects for part in bounce.walk())


def test_nobody_is_told_who_did_not_want_it_or_cannot_be(sink: Sink) -> None:
    server = sink({TO: BOUNCE})
    attempt(server, sender="")
    converse(
        server,
        b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<abuse@isp.example> NOTIFY=NEVER\r\nDATA\r\n\r\n.\r\nQUIT\r\n",
    )
    assert len(server.messages()) == 2
    assert bounces(server) == []


# --- strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        (b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>", "503 5.5.1 Nested MAIL"),
        (b"RCPT TO:<a@b.example>", "503 5.5.1 MAIL first"),
        (b"MAIL FROM:<a@b.example>\r\nDATA", "554 5.5.1 No valid recipients"),
        (b"MAIL FROM:<a@b.example>\r\nRSET\r\nRCPT TO:<a@b.example>", "503 5.5.1 MAIL first"),
        (b"MAIL FROM: <a@b.example>", "501 5.5.4 Syntax"),
        (b"MAIL FROM:<a@b.example> SMTPUTF8", "555 5.5.4 That parameter was not offered"),
        (b"MAIL FROM:<a@b.example> FOO=1", "555 5.5.4 That parameter was not offered"),
        (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<\xc3\xbc@b.example>", "553 5.6.7 SMTPUTF8 was not asked for"),
        (b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n\xe9\r\n.", "554 5.6.3 8-bit data was not announced"),
        (b"MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b.example>\r\nDATA\r\n\xe9\r\n.", "250 2.0.0 Kept"),
        (b"STARTTLS", "502 5.5.1 Not implemented"),
        (b"AUTH PLAIN AAAA", "502 5.5.1 Not implemented"),
        (b"WHAT", "502 5.5.1 Not implemented"),
    ],
)
def test_a_client_that_breaks_the_protocol_is_told_so(sink: Sink, commands: bytes, reply: str) -> None:
    replies = converse(sink(), b"EHLO c\r\n" + commands + b"\r\nQUIT\r\n")
    assert replies[-2:] == [reply, "221 2.0.0 Bye"]


@pytest.mark.parametrize("name", ["MAIL FROM:<> RET=HDRS", "MAIL FROM:<> BODY=8BITMIME", "MAIL FROM:<> SIZE=1"])
def test_a_server_that_offers_nothing_takes_no_parameter(sink: Sink, name: str) -> None:
    assert converse(sink(offers=()), f"EHLO c\r\n{name}\r\nQUIT\r\n".encode())[1].startswith("555")


def test_credentials_are_checked_and_nonsense_is_not_known(sink: Sink) -> None:
    server = sink(users={"a": "b"})
    commands = [
        b"EHLO c",
        b"AUTH PLAIN AGEAYg==",
        b"AUTH PLAIN AGEAYw==",
        b"AUTH PLAIN !",
        b"AUTH PLAIN",
        b"/w==",
        b"QUIT",
    ]
    replies = converse(server, b"\r\n".join(commands) + b"\r\n")
    assert [reply[:3] for reply in replies[-6:]] == ["235", "535", "535", "334", "535", "221"]


def test_a_message_that_is_too_big_and_a_line_that_is_too_long_end_the_dialogue(sink: Sink) -> None:
    server = sink(offers=("SIZE 5000",))
    start = b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@isp.example>\r\nDATA\r\n"
    assert converse(server, start + b"x\r\n" * 2000)[-1] == "552 5.3.4 Too big"
    assert converse(server, b"NOOP " + b"x" * 4200 + b"\r\n")[-1] == "500 5.5.2 Line too long"
    assert server.messages() == []


@pytest.mark.parametrize(
    ("written", "received"),
    [
        (b".\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...x\r\n..\r\na\r\n.\r\n", b"..x\r\n.\r\na\r\n"),
        (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
    ],
)
def test_dots_are_taken_off_and_only_a_dot_between_crlf_ends_a_message(
    sink: Sink, written: bytes, received: bytes
) -> None:
    server = sink()
    converse(server, b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@isp.example>\r\nDATA\r\n" + written + b"QUIT\r\n")
    assert [message.sha256 for message in server.messages()] == [hashlib.sha256(received).hexdigest()]


def test_it_offers_what_it_is_told_to(sink: Sink) -> None:
    replies = converse(sink(offers=(*OFFERS, "SMTPUTF8")), b"EHLO c\r\nQUIT\r\n")
    assert replies == ["250-mx.sandbox.example", *(f"250-{offer}" for offer in OFFERS), "250 SMTPUTF8", "221 2.0.0 Bye"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    async def start() -> None:
        async with serve({}, tmp_path / "mail", host):
            pass

    with pytest.raises(RefusedBySafety, match="does not listen"):
        asyncio.run(start())
