"""Handing letters to a relay: what each misbehaviour at each command ends as, and what arrives, byte for byte."""

import contextlib
import hashlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain import ConfigurationError, Go, Ready, Result, Send, Stop
from pipeline.net.edge import Edge
from pipeline.net.smtp import Answer, Message, RelaySettings, edge, relay
from pipeline.sandbox.mail_rules import ACCEPT, POLICY, REFUSE, Rule
from pipeline.sandbox.mail_server import OFFERS, MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.send.replies import Kind, judge
from tests.system.presence import needs

TEXT = b"From: a@agency.example\r\nMessage-ID: <%d@agency.example>\r\n\r\nHello\r\n"
TO = "abuse@isp.example"

Decide = Callable[[Ready], Message]


def settings_for(server: MailServer, **changes: object) -> RelaySettings:
    settings = RelaySettings(
        server.host, server.port, ehlo_name="out.agency.example", timeout=20.0, dot_timeout=20.0, backoff=0.01
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


def letter(number: int = 1, recipient: str = TO, data: bytes | None = None, **more: object) -> Send:
    data = TEXT % number if data is None else data
    return Send(number, 1000 + number, f"v{number}@agency.example", recipient, data, **more)  # type: ignore[arg-type]


def go(ready: Ready) -> Message:
    return Go(ready.letter_id)


def hand_over(settings: RelaySettings, *letters: Send, decide: Decide = go) -> list[Result]:
    """Send the letters, answer each Ready, and return the results in the order they came."""
    with edge(settings) as wire:
        wire.tell_all(letters)
        return collect(wire, len(letters), decide)


def collect(wire: Edge[Message, Answer], wanted: int, decide: Decide = go) -> list[Result]:
    results: list[Result] = []
    for _ in range(2000):
        answers = wire.take(0.05)
        wire.tell_all([decide(answer) for answer in answers if isinstance(answer, Ready)])
        results += [answer for answer in answers if isinstance(answer, Result)]
        if len(results) >= wanted:
            return results
    raise AssertionError(f"{len(results)} results of {wanted}")


@pytest.fixture(params=["uvloop", "asyncio"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is run on the loop of uvloop, and on the one that is used where uvloop cannot be had."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Callable[..., MailServer]]:
    with contextlib.ExitStack() as stack:

        def start(rules: dict[str, Rule] | None = None, folder: str = "sink", **settings: object) -> MailServer:
            maildir = tmp_path / folder / "mail"
            return stack.enter_context(in_thread(serve(rules or {}, maildir, **settings)))  # type: ignore[arg-type]

        yield start


Sink = Callable[..., MailServer]


# --- every misbehaviour at every command ------------------------------------------------------------------------------

COMMANDS = ["connect", "ehlo", "mail", "rcpt", "data", "dot"]


def unknown(result: Result, server: MailServer) -> tuple[str, int, str, bool, int]:
    assert result.text
    return result.stage, result.reply, result.enhanced, result.dot_written, len(server.messages())


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize(
    "rule",
    [
        Rule("drop"),
        Rule("raw", reply="\x00\xffwho goes there\r\n"),
        Rule("raw", reply="\r\n"),
        Rule("raw", reply="199 what\r\n"),
        Rule("raw", reply="2" * 100_000),
        Rule("raw", reply="250-more\r\n" * 10_000),
    ],
)
def test_no_reply_that_can_be_understood_is_reply_0_at_its_command(sink: Sink, at: str, rule: Rule) -> None:
    server = sink({"*": replace(rule, at=at, keep=True)})
    [result] = hand_over(settings_for(server), letter())
    dot = at == "dot"  # kept, and we cannot know
    assert unknown(result, server) == (at, 0, "", dot, dot)


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("rule", [Rule("stall"), Rule("slow", seconds=0.2), Rule("raw", reply="250-first line\r\n250")])
def test_no_reply_in_time_is_reply_0_at_its_command(sink: Sink, rule: Rule) -> None:
    servers = {at: sink({"*": replace(rule, at=at, keep=True)}, folder=at) for at in COMMANDS}

    def attempt(at: str) -> tuple[str, int, str, bool, int]:
        [result] = hand_over(settings_for(servers[at], timeout=1.0, dot_timeout=1.0), letter())
        return unknown(result, servers[at])

    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        outcomes = list(pool.map(attempt, COMMANDS))
    assert outcomes == [(at, 0, "", at == "dot", at == "dot") for at in COMMANDS]


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
def test_a_reply_with_two_codes_is_none(sink: Sink, at: str) -> None:
    server = sink({"*": Rule("raw", at, "250-yes\r\n550 no\r\n")})
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply) == (at, 0)


@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize(
    ("reply", "code", "enhanced", "text"),
    [
        ("451 4.3.0 Not\tnow", 451, "4.3.0", "Not now"),
        ("554 5.7.1 Go away", 554, "5.7.1", "Go away"),
        ("550 4.7.1 Codes that differ", 550, "", "4.7.1 Codes that differ"),
        ("421-4.3.2 Shutting\r\n421 4.3.2 down", 421, "4.3.2", "Shutting down"),
        ("550 \x1b[2J" + "x" * 900, 550, "", "[2J" + "x" * 497),
        ("550", 550, "", ""),
    ],
)
def test_a_refusal_is_reported_with_its_command_and_codes(
    sink: Sink, at: str, reply: str, code: int, enhanced: str, text: str
) -> None:
    server = sink({"*": Rule("answer", at, reply)})
    [result] = hand_over(settings_for(server), letter())
    assert result == Result(1, 1001, at, code, enhanced, text, at == "dot", f"127.0.0.1:{server.port}", "")
    assert server.messages() == []


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("at", COMMANDS)
def test_a_reply_that_comes_byte_by_byte_is_a_reply(sink: Sink, at: str) -> None:
    server = sink({"*": Rule("slow", at, seconds=0.001)})
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply, result.enhanced, result.text) == ("dot", 250, "2.0.0", "Kept")
    assert len(server.messages()) == 1


@pytest.mark.parametrize("offers", [OFFERS, ()])
@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
def test_a_refusal_leaves_the_connection_to_the_next_letter(sink: Sink, at: str, offers: tuple[str, ...]) -> None:
    server = sink({"*": Rule("answer", at, "550 5.0.0 No", times=1)}, offers=offers)
    first, second = hand_over(settings_for(server, connections=1), letter(1), letter(2, "b@isp.example"))
    assert (first.stage, first.reply) == (at, 550)
    # the rule is counted per mailbox, and before RCPT there is none
    assert (second.stage, second.reply) == (("dot", 250) if at == "mail" else (at, 550))
    assert server.connections == 1
    said = [line for _, line in server.commands].count("DATA")
    assert said == (2 if offers else {"mail": 1, "rcpt": 0}.get(at, 2))  # with PIPELINING it is said before we know


@pytest.mark.parametrize(
    "rule",
    [
        Rule("raw", "rcpt", "421 4.3.2 Bye\r\n"),  # and the server does not close it
        Rule("raw", "dot", "421 4.3.2 Bye\r\n"),
        Rule("answer", "data", "421 4.3.2 Bye"),
        Rule("drop", "dot"),
        Rule("stall", "rcpt"),
    ],
)
def test_a_connection_that_is_closed_or_silent_is_not_used_again(sink: Sink, rule: Rule) -> None:
    server = sink({"bad@isp.example": rule})
    settings = settings_for(server, connections=1, timeout=1.0)
    results = hand_over(settings, letter(1, "bad@isp.example"), letter(2))
    assert [result.stage == "dot" and result.reply == 250 for result in results] == [False, True]
    assert server.connections == 2
    assert [kept.recipient for kept in server.messages()] == [TO]


@pytest.mark.parametrize("reply", ["250 2.0.0 Yes?", "334 go on"])
def test_no_message_follows_a_data_that_was_not_answered_with_354(sink: Sink, reply: str) -> None:
    server = sink({"*": Rule("answer", "data", reply)})
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply, result.dot_written) == ("data", int(reply[:3]), False)
    assert "Hello" not in [line for _, line in server.commands]


def test_an_interim_code_after_the_dot_is_reported_as_it_is(sink: Sink) -> None:
    server = sink({"*": Rule("answer", "dot", "354 once more")})
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply, result.dot_written) == ("dot", 354, True)


# --- the dot is the caller's ------------------------------------------------------------------------------------------


def test_nothing_is_written_before_go(sink: Sink) -> None:
    server = sink()
    seen: list[int] = []

    def decide(ready: Ready) -> Message:
        seen.append(len(server.messages()))
        assert (ready.letter_id, ready.attempt_id) == (1, 1001)
        return Go(ready.letter_id)

    [result] = hand_over(settings_for(server), letter(), decide=decide)
    assert seen == [0]
    assert result.reply == 250
    assert len(server.messages()) == 1


def test_a_go_may_come_before_its_time_and_then_it_is_too_late_for_a_stop(sink: Sink) -> None:
    server = sink()
    with edge(settings_for(server, connections=2)) as wire:
        wire.tell_all([letter(1), letter(2, "b@isp.example")])
        ready: list[Answer] = []
        while len(ready) < 2:
            ready += wire.take(5)
        wire.tell_all([Go(1, 0.4), Stop(1), Go(2, 0.2)])
        results = collect(wire, 2)
    assert [(result.letter_id, result.reply) for result in results] == [(2, 250), (1, 250)]
    assert [kept.recipient for kept in server.messages()] == ["b@isp.example", TO]


def test_a_connection_that_ends_before_the_time_of_a_go_ends_the_letter_without_its_dot(sink: Sink) -> None:
    server = sink({TO: Rule("stall", "body", seconds=0.3)})  # and then it hangs up
    [result] = hand_over(settings_for(server), letter(), decide=lambda ready: Go(ready.letter_id, 3600.0))
    assert (result.stage, result.reply, result.dot_written) == ("data", 0, False)


def test_stop_after_ready_delivers_nothing(sink: Sink) -> None:
    server = sink()
    results = hand_over(
        settings_for(server, connections=2),
        *(letter(n) for n in range(1, 7)),
        decide=lambda ready: Stop(ready.letter_id) if ready.letter_id % 2 else Go(ready.letter_id),
    )
    stopped = [result for result in results if result.letter_id % 2]
    assert {(r.stage, r.reply, r.dot_written, r.text) for r in stopped} == {
        ("data", 0, False, "stopped before the message")
    }
    assert sorted(kept.message_id for kept in server.messages()) == [f"<{n}@agency.example>" for n in (2, 4, 6)]


def test_stop_before_the_start_ends_the_wait(sink: Sink) -> None:
    server = sink()
    with edge(settings_for(server)) as wire:
        wire.ask(letter(delay=3600.0))
        wire.tell_all([Stop(1)])
        [result] = collect(wire, 1)
    assert (result.stage, result.reply, result.dot_written) == ("connect", 0, False)
    assert result.text == "stopped before it started"
    assert server.connections == 0


@pytest.mark.usefixtures("each_loop")
def test_leaving_the_block_stops_what_has_no_go_and_finishes_what_has(sink: Sink) -> None:
    server = sink({TO: Rule("stall", "dot", seconds=0.2)})
    with edge(settings_for(server, connections=2)) as wire:
        for each in (letter(1), letter(2, "b@isp.example"), letter(3), letter(4, delay=3600.0)):
            wire.ask(each)
        ready: list[Answer] = []
        while len(ready) < 2:
            ready += wire.take(5)
        wire.tell_all([Go(1)])
    results = {result.letter_id: result for result in wire.take(0) if isinstance(result, Result)}
    assert {n: (r.stage, r.reply) for n, r in results.items()} == {
        1: ("dot", 250),
        2: ("data", 0),
        3: ("data", 0),  # its commands left with the message of the first
        4: ("connect", 0),
    }
    assert [kept.message_id for kept in server.messages()] == ["<1@agency.example>"]


@pytest.mark.usefixtures("each_loop")
def test_what_the_relay_says_while_we_wait_for_go_ends_the_letter_before_its_dot(sink: Sink) -> None:
    server = sink({TO: Rule("answer", "body", "421 4.4.2 You are too slow")})
    with edge(settings_for(server)) as wire:
        wire.ask(letter())
        answers: list[Answer] = []
        while len(answers) < 2:
            answers += wire.take(5)
        wire.tell_all([Go(1)])  # too late: it is ignored
    assert isinstance(answers[1], Result)
    assert (answers[1].stage, answers[1].reply, answers[1].dot_written) == ("data", 421, False)


@pytest.mark.usefixtures("each_loop")
def test_a_long_message_that_is_refused_half_way_never_gets_its_dot(sink: Sink) -> None:
    server = sink({TO: Rule("drop", "body")})
    long = letter(data=TEXT % 1 + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 500_000)
    [result] = hand_over(settings_for(server), long)
    assert (result.stage, result.reply, result.dot_written) == ("data", 0, False)


@pytest.mark.usefixtures("each_loop")
def test_a_relay_that_stops_reading_in_the_middle_never_gets_the_dot() -> None:
    over = threading.Event()

    def converse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            for reply in (b"220 hi", b"250 hello", b"250 from", b"250 to", b"354 go on"):
                connection.sendall(reply + b"\r\n")
                connection.recv(4096)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay_thread = threading.Thread(target=converse, args=(listener,))
        relay_thread.start()
        settings = RelaySettings("127.0.0.1", listener.getsockname()[1], timeout=1.0)
        [result] = hand_over(settings, letter(data=b"y" * 30_000_000 + b"\r\n"))
        over.set()
        relay_thread.join()
    assert (result.stage, result.reply, result.dot_written) == ("data", 0, False)
    assert result.text == "the message was not taken within 1 s"


def test_go_before_ready_and_a_letter_sent_twice_at_once_are_bugs(sink: Sink) -> None:
    server = sink()
    for second in (Go(1), letter(1)):
        wire = edge(settings_for(server)).__enter__()
        wire.ask(letter(1, delay=3600.0))
        wire.tell_all([second])
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            wire.__exit__(None, None, None)


# --- what arrives -----------------------------------------------------------------------------------------------------

HEAD = b"From: a@agency.example\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"one\r\n.\r\ntwo\r\n",
        HEAD + b".\r\n..\r\n...\r\n.x\r\n",
        b".begins with a dot\r\n",
        b".\r\n",
        b"\r\n",
        HEAD + b"ends with a dot.\r\n.\r\n",
        HEAD + b"From the start\r\n>From a line\r\n\tFrom \r\n",
        HEAD + bytes(range(128, 256)) + b"\r\n",
        HEAD + "é\r\n.ü\r\n".encode(),
        HEAD + b"z" * 200_000 + b"\r\n" + b"." * 3000 + b"\r\n",
        HEAD + b"\r\n.".join([b"y" * 65_535] * 4) + b"\r\n",
        HEAD + b"QUIT\r\nDATA\r\nRSET\r\n",
        HEAD + b"trailing blanks \t\r\n\r\n\r\n",
        HEAD + b"\x00\x01\x1b\x7f\r\n",
    ],
)
def test_a_message_arrives_byte_for_byte(sink: Sink, data: bytes) -> None:
    server = sink()
    [result] = hand_over(settings_for(server), letter(data=data))
    assert result.reply == 250
    [kept] = server.messages()
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    assert kept.path.read_bytes() == b"Return-Path: <v1@agency.example>\r\nX-Envelope-To: abuse@isp.example\r\n" + data


@pytest.mark.parametrize("data", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\nb\r\n", b"no end", b"", b"a\r\r\n", b"a\n\r\n"])
def test_a_message_with_other_line_ends_is_not_offered(sink: Sink, data: bytes) -> None:
    server = sink()
    results = hand_over(settings_for(server, connections=1), letter(data=data), letter(2))
    assert (results[0].stage, results[0].reply, results[0].enhanced) == ("mail", 554, "5.6.0")
    assert results[0].text.startswith("made by us: ")
    assert results[1].reply == 250
    assert server.connections == 1


@pytest.mark.parametrize(
    ("recipient", "enhanced"),
    [
        ("ünï@isp.example", "5.6.7"),
        ("abuse@ïsp.example", "5.1.3"),
        ("abuse@\u212aelvin.example", "5.1.3"),
        ("abuse", "5.1.3"),
        ("@isp.example", "5.1.3"),
        ("abuse@", "5.1.3"),
        ("a b@isp.example", "5.1.3"),
        ("a@b@isp.example", "5.1.3"),
        ("abuse@isp..example", "5.1.3"),
        ("abuse@-isp.example", "5.1.3"),
        ("abuse@isp.example>\r\nRCPT TO:<x@isp.example", "5.1.3"),
        ("abuse@isp.example\r\n", "5.1.3"),
        ('"a\r\nb"@isp.example', "5.1.3"),
        ('"a\udcffb"@isp.example', "5.1.3"),
        ("a" * 65 + "@isp.example", "5.1.3"),
        ("a@" + ".".join(["b" * 60] * 5), "5.1.3"),
        ("<abuse@isp.example>", "5.1.3"),
        ("abuse@isp.example NOTIFY=NEVER", "5.1.3"),
    ],
)
def test_a_recipient_that_cannot_be_said_is_refused_by_us_and_leaves_the_connection_usable(
    sink: Sink, recipient: str, enhanced: str
) -> None:
    server = sink()
    bad, good = hand_over(settings_for(server, connections=1), letter(1, recipient), letter(2))
    assert (bad.stage, bad.reply, bad.enhanced, bad.dot_written) == ("rcpt", 553, enhanced, False)
    assert bad.text.startswith("made by us: ")
    assert good.reply == 250
    assert server.connections == 1
    assert [line for _, line in server.commands if line.startswith("RCPT")] == [
        "RCPT TO:<abuse@isp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;abuse@isp.example"
    ]


@pytest.mark.parametrize("recipient", ['"a b>c"@isp.example', "o'neil+tag@isp.example", "a.b@xn--sp-1ja.example"])
def test_an_unusual_recipient_arrives_as_written(sink: Sink, recipient: str) -> None:
    server = sink()
    [result] = hand_over(settings_for(server), letter(1, recipient))
    assert result.reply == 250
    assert [kept.recipient for kept in server.messages()] == [recipient]


def test_a_sender_that_cannot_be_said_is_our_own_fault(sink: Sink) -> None:
    server = sink()
    for sender in ("", "ü@agency.example", "a@b>\r\nDATA"):
        [result] = hand_over(settings_for(server), replace(letter(), sender=sender))
        assert (result.stage, result.reply, result.enhanced) == ("mail", 553, "5.1.7")


def test_parameters_are_used_only_where_they_are_offered(sink: Sink) -> None:
    server = sink(offers=())
    assert hand_over(settings_for(server), letter(envid="9"))[0].reply == 250
    assert [line for _, line in server.commands] == [
        "EHLO out.agency.example",
        "MAIL FROM:<v1@agency.example>",
        "RCPT TO:<abuse@isp.example>",
        "DATA",
        "QUIT",
    ]


def test_dsn_and_size_are_asked_for_where_offered(sink: Sink) -> None:
    server = sink()
    assert hand_over(settings_for(server), letter(1, "a+b=c@isp.example", envid="N 1+2="))[0].reply == 250
    mail, rcpt = [line for _, line in server.commands][1:3]
    assert mail == f"MAIL FROM:<v1@agency.example> SIZE={len(TEXT % 1)} RET=HDRS ENVID=N+201+2B2+3D"
    assert rcpt == "RCPT TO:<a+b=c@isp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@isp.example"


def test_8bitmime_is_said_only_of_a_message_that_needs_it_and_such_a_message_is_sent_nowhere_else(sink: Sink) -> None:
    eight_bit = letter(1, data=HEAD + b"\xc3\xa9\r\n")
    server = sink()
    assert hand_over(settings_for(server), eight_bit)[0].reply == 250
    assert "BODY=8BITMIME" in [line for _, line in server.commands][1]
    plain = sink(offers=("PIPELINING",))
    [result] = hand_over(settings_for(plain), eight_bit)
    assert (result.stage, result.reply, result.enhanced) == ("mail", 554, "5.6.3")


def test_a_local_part_outside_ascii_goes_where_smtputf8_is_offered(sink: Sink) -> None:
    server = sink(offers=(*OFFERS, "SMTPUTF8"))
    [result] = hand_over(settings_for(server), letter(1, "ünï@isp.example"))
    assert result.reply == 250
    assert [kept.recipient for kept in server.messages()] == ["ünï@isp.example"]
    assert [line for _, line in server.commands][2] == "RCPT TO:<ünï@isp.example> NOTIFY=FAILURE,DELAY"


INTERNATIONAL = (
    "From: a@agency.example\r\nTo: ünï@isp.example\r\nMessage-ID: <1@agency.example>\r\n\r\nHello\r\n".encode()
)


def test_a_header_outside_ascii_goes_where_smtputf8_is_offered_and_arrives_as_written(sink: Sink) -> None:
    server = sink(offers=("PIPELINING", "SMTPUTF8", "8BITMIME"))
    to_it, beside = hand_over(
        settings_for(server, connections=1),
        letter(1, "ünï@isp.example", data=INTERNATIONAL),
        letter(2, data=INTERNATIONAL),
    )
    assert (to_it.reply, beside.reply) == (250, 250)
    assert {kept.sha256 for kept in server.messages()} == {hashlib.sha256(INTERNATIONAL).hexdigest()}
    mails = [line for _, line in server.commands if line.startswith("MAIL")]
    assert mails == [f"MAIL FROM:<v{n}@agency.example> BODY=8BITMIME SMTPUTF8" for n in (1, 2)]


def test_where_smtputf8_is_not_offered_a_letter_that_needs_it_is_refused_for_good_and_nothing_of_it_is_said(
    sink: Sink,
) -> None:
    for number, offers in enumerate(((), OFFERS)):
        server = sink(offers=offers, folder=f"sink{number}")
        first, second, good = hand_over(
            settings_for(server, connections=1),
            letter(1, "ünï@isp.example", data=INTERNATIONAL),
            letter(2, data=INTERNATIONAL),
            letter(3),
        )
        assert (first.stage, first.reply, first.enhanced) == ("rcpt", 553, "5.6.7")
        assert first.text == "made by us: the relay does not offer SMTPUTF8"
        assert judge(first.stage, first.reply, first.enhanced, first.text, first.dot_written).kind is Kind.REFUSED
        assert (second.stage, second.reply, second.enhanced) == ("mail", 554, "5.6.7")
        assert good.reply == 250
        named = [line.split(" NOTIFY")[0] for _, line in server.commands if line.startswith("RCPT")]
        assert named == ["RCPT TO:<abuse@isp.example>"]


# --- many letters, few connections ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_loop")
def test_fifty_letters_over_four_connections_arrive_once_each(sink: Sink) -> None:
    server = sink()
    letters = [letter(n, f"abuse@isp{n}.example") for n in range(1, 51)]
    results = hand_over(settings_for(server), *letters)
    assert sorted(result.letter_id for result in results) == list(range(1, 51))
    assert {(r.stage, r.reply, r.dot_written) for r in results} == {("dot", 250, True)}
    arrived = Counter((kept.recipient, kept.sha256) for kept in server.messages())
    assert arrived == Counter((each.recipient, hashlib.sha256(each.data).hexdigest()) for each in letters)
    assert server.connections <= 4


@pytest.mark.usefixtures("each_loop")
def test_a_connection_carries_no_more_letters_than_set(sink: Sink) -> None:
    server = sink()
    hand_over(settings_for(server, connections=1, max_letters_per_connection=4), *(letter(n) for n in range(10)))
    mails = Counter(number for number, line in server.commands if line.startswith("MAIL"))
    assert list(mails.values()) == [4, 4, 2]
    assert [line for _, line in server.commands].count("QUIT") == 3


def test_a_connection_is_not_used_beyond_its_age_or_after_the_relay_closed_it(sink: Sink) -> None:
    server = sink()
    hand_over(settings_for(server, connections=1, max_age=0.0), *(letter(n) for n in range(3)))
    assert server.connections == 3
    server.rules.rules = {"*": Rule("raw", "dot", "250 2.0.0 Kept\r\n421 4.4.2 Idle for too long\r\n")}
    results = hand_over(settings_for(server, connections=1), *(letter(n) for n in range(3)))
    assert [(result.stage, result.reply) for result in results] == [("dot", 250)] * 3
    assert server.connections == 6


def test_letters_wait_for_their_slot(sink: Sink) -> None:
    server = sink()
    settings = settings_for(server, connections=1)
    results = hand_over(settings, letter(1, delay=0.3), letter(2, delay=0.15), letter(3))
    assert [result.letter_id for result in results] == [3, 2, 1]


def test_a_relay_that_is_down_gives_each_letter_one_result_and_is_not_hammered() -> None:
    with socket.socket() as taken:  # bound, and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        down = RelaySettings("127.0.0.1", taken.getsockname()[1], timeout=1.0, backoff=0.02, longest_backoff=0.04)
        results = hand_over(down, *(letter(n) for n in range(8)))
        assert sorted(result.letter_id for result in results) == list(range(8))
        assert {(r.stage, r.reply, r.dot_written, r.tls) for r in results} == {("connect", 0, False, "")}
        with edge(replace(down, backoff=3600.0, longest_backoff=3600.0)) as wire:
            for n in range(5):
                wire.ask(letter(n))
            [first] = collect(wire, 1)
            assert wire.take(0.1) == []  # the others wait for the relay to have had its rest
        assert first.text != "stopped before it started"
        assert [r.text for r in wire.take(0) if isinstance(r, Result)] == ["stopped before it started"] * 4


def test_one_mailbox_that_misbehaves_does_not_touch_the_others(sink: Sink) -> None:
    server = sink({"no@isp.example": REFUSE, "policy@isp.example": POLICY, "gone@isp.example": Rule("drop", "dot")})
    recipients = ["a@isp.example", "no@isp.example", "gone@isp.example", "policy@isp.example", "b@isp.example"]
    results = hand_over(settings_for(server), *(letter(n, to) for n, to in enumerate(recipients)))
    assert {recipients[r.letter_id]: (r.stage, r.reply) for r in results} == {
        "a@isp.example": ("dot", 250),
        "no@isp.example": ("rcpt", 550),
        "gone@isp.example": ("dot", 0),
        "policy@isp.example": ("rcpt", 550),
        "b@isp.example": ("dot", 250),
    }


# --- TLS and AUTH -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, and server.pem (key and certificate) for 127.0.0.1, good for two days."""
    openssl = needs("openssl", shutil.which("openssl"))
    folder = tmp_path_factory.mktemp("ca")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san.txt"]
    commands = [
        ["req", "-x509", *curve, "-days", "2", "-subj", "/CN=Sandbox CA", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *curve, "-subj", "/CN=mx.sandbox.example", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", *signed, "-out", "server.crt"],
    ]
    (folder / "san.txt").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in commands:
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())
    return folder


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")
    return context


@pytest.mark.usefixtures("each_loop")
def test_a_verified_relay_gets_the_letters_over_tls(sink: Sink, tls: ssl.SSLContext, authority: Path) -> None:
    server = sink(tls=tls)
    verified = settings_for(server, tls="verified", ca_file=str(authority / "ca.pem"), connections=2)
    data = HEAD + b"line\r\n" * 50_000
    results = hand_over(verified, letter(1, data=data), *(letter(n) for n in range(2, 9)))
    assert {(result.reply, result.tls) for result in results} == {(250, "TLSv1.3")}
    assert hashlib.sha256(data).hexdigest() in {kept.sha256 for kept in server.messages()}
    assert len(server.messages()) == 8


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("rule", [Rule("drop", "dot"), Rule("stall", "data"), Rule("answer", "rcpt", "421 4.3.2 Bye")])
def test_trouble_over_tls_ends_as_without(sink: Sink, tls: ssl.SSLContext, rule: Rule) -> None:
    server = sink({"*": rule}, tls=tls)
    [result] = hand_over(settings_for(server, tls="required", timeout=1.0), letter())
    code = int(rule.reply[:3] or 0)
    assert (result.stage, result.reply, result.tls) == (rule.at, code, "TLSv1.3")


def test_stop_over_tls_delivers_nothing(sink: Sink, tls: ssl.SSLContext) -> None:
    server = sink(tls=tls)
    settings = settings_for(server, tls="required")
    [result] = hand_over(settings, letter(), decide=lambda ready: Stop(ready.letter_id))
    assert (result.stage, result.reply, result.dot_written) == ("data", 0, False)
    assert server.messages() == []


def test_a_certificate_that_is_not_trusted_or_not_for_this_host_is_refused(
    sink: Sink, tls: ssl.SSLContext, authority: Path
) -> None:
    server = sink(tls=tls)
    untrusted = settings_for(server, tls="verified")
    other_name = replace(untrusted, host="localhost", ca_file=str(authority / "ca.pem"))
    for settings in (untrusted, other_name):
        [result] = hand_over(settings, letter())
        assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)
        assert "certificate" in result.text.lower()
    assert server.messages() == []
    [result] = hand_over(replace(untrusted, tls="required"), letter())
    assert (result.reply, result.tls) == (250, "TLSv1.3")


@pytest.mark.parametrize("mode", ["required", "verified"])
def test_a_relay_without_starttls_gets_nothing_when_tls_is_required(sink: Sink, mode: str) -> None:
    server = sink()
    [result] = hand_over(settings_for(server, tls=mode), letter())
    assert (result.stage, result.reply) == ("tls", 0)
    assert not any(line.startswith("MAIL") for _, line in server.commands)


@pytest.mark.parametrize("reply", ["454 4.7.0 TLS not available", "502 5.5.1 no"])
def test_a_refused_starttls_is_not_followed_by_clear_text(sink: Sink, tls: ssl.SSLContext, reply: str) -> None:
    server = sink({"*": Rule("answer", "starttls", reply)}, tls=tls)
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply) == ("tls", int(reply[:3]))
    assert not any(line.startswith("MAIL") for _, line in server.commands)


@pytest.mark.usefixtures("each_loop")
def test_what_is_said_in_clear_after_starttls_is_thrown_away(sink: Sink, tls: ssl.SSLContext) -> None:
    server = sink({"*": Rule("raw", "starttls", "220 Go on\r\n250 2.0.0 injected\r\n")}, tls=tls)
    [result] = hand_over(settings_for(server, tls="required"), letter())
    assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)


def test_the_password_opens_the_relay_and_a_wrong_one_is_told_without_showing_it(
    sink: Sink, tls: ssl.SSLContext
) -> None:
    server = sink(tls=tls, users={"agency": "s3cret"})
    known = settings_for(server, tls="required", username="agency", password="s3cret")
    assert hand_over(known, letter())[0].reply == 250
    assert "s3cret" not in repr(known)
    [result] = hand_over(replace(known, password="other"), letter())
    assert (result.stage, result.reply, result.enhanced) == ("auth", 535, "5.7.8")


def test_an_echo_of_the_password_does_not_reach_the_result(sink: Sink) -> None:
    echo = "535 5.7.8 AUTH PLAIN AGFnZW5jeQBzM2NyZXQ= (s3cret) not known"
    server = sink({"*": Rule("answer", "auth", echo)}, users={"agency": "s3cret"})
    [result] = hand_over(settings_for(server, tls="none", username="agency", password="s3cret"), letter())
    assert result.text == "AUTH PLAIN [hidden] ([hidden]) not known"


def test_the_password_is_never_sent_in_clear_unless_tls_is_none(sink: Sink) -> None:
    server = sink(users={"agency": "s3cret"})
    settings = settings_for(server, username="agency", password="s3cret")
    [result] = hand_over(settings, letter())
    assert (result.stage, result.reply) == ("auth", 0)
    assert not any(line.startswith("AUTH") for _, line in server.commands)
    assert hand_over(replace(settings, tls="none"), letter())[0].reply == 250


def test_a_bad_certificate_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigurationError, match=name):
            relay(RelaySettings("127.0.0.1", 25, tls="verified", ca_file=str(tmp_path / name)))


def test_without_a_name_we_say_our_address(sink: Sink) -> None:
    server = sink({"*": ACCEPT})
    hand_over(settings_for(server, ehlo_name=""), letter())
    assert server.commands[0] == (1, "EHLO [127.0.0.1]")
