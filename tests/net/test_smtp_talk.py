"""What is said on one connection, against a server of a few lines that misbehaves: what it kept, and what we were told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.net.smtp_event import Asked, Ended, Event, Letter, Unspoken
from pipeline.net.smtp_talk import Conversation
from tests.net.talked import SCRIPTS, Fate, Server, fates, letter


def converse(
    server: Server, letters: list[Letter], pipelining: bool = True, cut: int = 0, join: bool = True
) -> tuple[Conversation, list[Event], list[Letter]]:
    """Run letters over one connection until it ends or they do; returns it, its events, and the letters not offered.

    `cut`: replies come in pieces of so many bytes (0: whole).  `join`: a dot and the next letter leave in one write.
    """
    talk = Conversation(pipelining, 60.0, 600.0)
    waiting, asked = list(letters), None
    events: list[Event] = []
    for _ in range(100 * len(letters)):
        if asked is not None:
            talk.go(asked, 0.0)
            asked = None
            if not join and (out := talk.to_write()):
                events += told(talk, server.take(out), cut)
        if talk.free and waiting:
            talk.offer(waiting.pop(0), 0.0)
        while (out := talk.to_write()) or talk.writing:
            events += told(talk, server.take(out), cut)
            talk.drained(0.0)
        if server.closed:
            events += talk.end("gone", 0.0)
        ended = {event.letter_id for event in events if not isinstance(event, Asked)}
        asked = next((event.letter_id for event in events if event.letter_id not in ended), None)
        if talk.over or (not waiting and talk.idle):
            break
    return talk, events, waiting


def told(talk: Conversation, data: bytes, cut: int) -> list[Event]:
    events: list[Event] = []
    step = cut or max(len(data), 1)
    for i in range(0, len(data), step):
        events += talk.receive(data[i : i + step], 0.0)
    return events


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize(
    ("script", "fate", "alive"),
    [
        ({}, ("dot", 250, True), True),
        ({"mail": b"550 5.1.8 no"}, ("mail", 550, False), None),
        ({"rcpt": b"550-5.1.1 no\r\n550 5.1.1 such"}, ("rcpt", 550, False), True),
        ({"data": b"451 4.3.0 later"}, ("data", 451, False), True),
        ({"data": b"250 what"}, ("data", 250, False), False),
        ({"dot": b"452 4.3.1 full"}, ("dot", 452, True), True),
        ({"dot": b"421 4.3.2 bye"}, ("dot", 421, True), False),
        ({"rcpt": b"421 4.3.2 bye"}, ("rcpt", 421, False), False),
        ({"rcpt": b"drop"}, ("rcpt", 0, False), False),
        ({"dot": b"drop"}, ("dot", 0, True), False),
        ({"data": b"what?"}, ("data", 0, False), False),
    ],
)
def test_each_misbehaviour_ends_its_letter_and_touches_no_other(
    pipelining: bool, cut: int, eager: bool, script: dict[str, bytes], fate: Fate, alive: bool | None
) -> None:
    server = Server({(2, command): reply for command, reply in script.items()}, eager)
    talk, events, _ = converse(server, [letter(1), letter(2), letter(3)], pipelining, cut)
    found = fates(events)
    assert found[1] == ("dot", 250, True)
    assert found[2] == fate
    if alive is not None:
        assert (not talk.over) is alive
        assert found.get(3) == (("dot", 250, True) if alive else None)
    assert all(body.startswith(b"X: ") for body in server.kept)  # no empty letter
    assert len(server.kept) == len(set(server.kept)) == sum(f == ("dot", 250, True) for f in found.values())


def test_a_letter_and_the_next_ones_commands_leave_in_one_write() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    assert talk.to_write() == letter(1).mail + letter(1).rcpt + b"DATA\r\n"
    assert not talk.free
    assert talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0) == [Asked(1)]
    talk.go(1, 0.0)
    talk.offer(letter(2), 0.0)
    assert talk.to_write() == letter(1).message + b".\r\n" + letter(2).mail + letter(2).rcpt + b"DATA\r\n"
    assert (talk.deadline, talk.free, talk.idle) == (600.0, False, False)


def test_the_lone_dot_is_written_only_where_no_recipient_was_taken() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    talk.to_write()
    [ended] = talk.receive(b"250 a\r\n550 no\r\n354 go\r\n", 0.0)
    assert isinstance(ended, Ended)
    assert (ended.stage, ended.reply.code, ended.dot_written) == ("rcpt", 550, False)
    assert talk.to_write() == b".\r\n"
    assert not talk.free
    assert talk.receive(b"554 no recipients\r\n", 0.0) == []
    assert talk.idle
    strange = Conversation(True, 60.0, 600.0)  # MAIL refused, and yet a recipient taken: a lone dot would be a letter
    strange.offer(letter(1), 0.0)
    strange.receive(b"550 no\r\n250 yes\r\n354 go\r\n", 0.0)
    assert strange.over
    assert strange.to_write() == b""


@pytest.mark.parametrize("reply", [b"250 2.0.0 kept\r\n", b"4", b"421 4.4.2 too slow\r\n"])
def test_what_comes_unasked_ends_the_letter_before_its_dot(reply: bytes) -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    talk.to_write()
    talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
    [ended] = talk.receive(reply, 0.0)
    assert isinstance(ended, Ended)
    assert (ended.stage, ended.dot_written) == ("data", False)
    assert talk.over
    with pytest.raises(ValueError, match="before it was asked"):
        talk.go(1, 0.0)


def test_one_reply_too_many_never_makes_a_letter_that_was_not_sent_look_sent() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
    talk.go(1, 0.0)
    talk.offer(letter(2), 0.0)
    talk.to_write()
    events = talk.receive(b"250 kept\r\n250 kept\r\n250 a\r\n250 b\r\n354 c\r\n", 0.0)
    assert fates(events) == {1: ("dot", 250, True), 2: ("data", 250, False)}
    assert talk.over


@pytest.mark.parametrize(("sent", "at", "text"), [("mail", 60.0, "60 s"), ("dot", 600.0, "600 s")])
def test_each_reply_has_its_own_time(sent: str, at: float, text: str) -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    if sent == "dot":
        talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
        assert talk.tick(10_000.0) == []  # the time is ours
        talk.go(1, 0.0)
        talk.offer(letter(2), 500.0)  # which does not begin the dot's time anew
    assert talk.tick(at - 0.1) == []
    ended = talk.tick(at)
    first, *others = ended
    assert isinstance(first, Ended)
    assert (first.stage, first.reply.text, first.dot_written) == (sent, f"no reply within {text}", sent == "dot")
    assert [fates([other]) for other in others] == ([{2: None}] if sent == "dot" else [])


def test_a_long_message_has_its_dot_in_the_last_piece() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1, b"y" * 200_000 + b"\r\n"), 0.0)
    talk.to_write()
    talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
    talk.go(1, 0.0)
    pieces = []
    while talk.writing:
        pieces.append(talk.to_write())
        assert not talk.free
        talk.drained(0.0)
    assert all(not piece.endswith(b".\r\n") for piece in pieces)
    assert talk.to_write().endswith(b"\r\n.\r\n")


def test_a_relay_that_sends_us_away_between_two_letters_costs_the_second_nothing() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
    talk.go(1, 0.0)
    talk.offer(letter(2), 0.0)
    events = talk.receive(b"250 kept\r\n421 4.7.0 that was enough\r\n", 0.0)
    assert fates(events) == {1: ("dot", 250, True), 2: None}
    assert talk.over


def test_a_letter_is_offered_only_to_a_connection_that_is_free() -> None:
    talk = Conversation(True, 60.0, 600.0)
    talk.offer(letter(1), 0.0)
    with pytest.raises(ValueError, match="not free"):
        talk.offer(letter(2), 0.0)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(SCRIPTS, st.booleans(), st.booleans(), st.integers(0, 9), st.booleans())
def test_whatever_the_server_says_each_letter_has_one_fate_and_it_is_true(
    script: dict[tuple[int, str], bytes], pipelining: bool, eager: bool, cut: int, join: bool
) -> None:
    server = Server(script, eager)
    letters = [letter(n) for n in range(1, 6)]
    _, events, waiting = converse(server, letters, pipelining, cut, join)
    ends = [event for event in events if not isinstance(event, Asked)]
    assert len(ends) == len({event.letter_id for event in ends}) == 5 - len(waiting)
    kept = [int(body[3:].split(b"\r\n")[0]) for body in server.kept]
    assert len(kept) == len(set(kept))
    for end in ends:
        if isinstance(end, Unspoken) or not end.dot_written or end.reply.code // 100 in (4, 5):
            assert end.letter_id not in kept
        elif end.reply.code // 100 == 2:
            assert end.letter_id in kept
    assert all(body.startswith(b"X: ") for body in server.kept)
