"""Many letters over few connections: once each, and no connection longer than it should be used."""

import hashlib
import socket
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.domain import Result
from pipeline.net.smtp import RelaySettings, edge
from pipeline.sandbox.mail_rules import POLICY, REFUSE, Rule
from tests.net.handed import Sink, collect, hand_over, letter, settings_for


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
