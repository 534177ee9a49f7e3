"""The final dot is the caller's: nothing of a message is written before its Go, and nothing after a Stop."""

import socket
import threading

import pytest

from pipeline.domain import Go, Ready, Result, Stop
from pipeline.net.smtp import Answer, Message, RelaySettings, edge
from pipeline.sandbox.mail_rules import Rule
from tests.net.handed import TEXT, TO, Sink, collect, hand_over, letter, settings_for


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
        3: ("mail", 0),  # its commands left with the message of the first, and were not answered yet
        4: ("connect", 0),
    }
    assert [kept.message_id for kept in server.messages()] == ["<1@agency.example>"]


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule("answer", "body", "421 4.4.2 You are too slow"), 421),
        (Rule("answer", "body", "451 4.3.0 Later"), 451),
        (Rule("answer", "body", "554 5.7.1 No"), 554),
        (Rule("answer", "body", "250 2.0.0 As if it were kept"), 250),
        (Rule("raw", "body", "\x00\xffwho goes there\r\n"), 0),
    ],
    ids=["421", "4xx", "5xx", "2xx", "garbage"],
)
def test_what_the_relay_says_while_we_wait_for_go_ends_the_letter_before_its_dot(
    sink: Sink, rule: Rule, code: int
) -> None:
    server = sink({TO: rule})
    with edge(settings_for(server)) as wire:
        wire.ask(letter())
        answers: list[Answer] = []
        while len(answers) < 2:
            answers += wire.take(5)
        wire.tell_all([Go(1)])  # too late: it is ignored
    assert isinstance(answers[1], Result)
    assert (answers[1].stage, answers[1].reply, answers[1].dot_written) == ("data", code, False)
    assert server.messages() == []


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("rule", [Rule("drop", "body"), Rule("answer", "body", "552 5.3.4 Too long")])
def test_a_long_message_that_is_refused_half_way_never_gets_its_dot(sink: Sink, rule: Rule) -> None:
    server = sink({TO: rule})
    long = letter(data=TEXT % 1 + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 500_000)
    [result] = hand_over(settings_for(server), long)
    assert (result.stage, result.dot_written) == ("data", False)
    assert result.reply in (0, int(rule.reply[:3] or 0))  # what it said may be lost where it hangs up


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
