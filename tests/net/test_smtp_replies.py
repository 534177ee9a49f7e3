"""What each misbehaviour of a relay at each command ends as."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pipeline.domain import Result
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import OFFERS, MailServer
from tests.net.handed import TO, Sink, hand_over, letter, settings_for

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
    known = Result(1, 1001, at, code, enhanced, text, at == "dot", f"127.0.0.1:{server.port}", "")
    assert replace(result, connection=None, said=()) == known
    assert result.said[-1]._replace(milliseconds=0) == (at, 0, code, enhanced, text)
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
