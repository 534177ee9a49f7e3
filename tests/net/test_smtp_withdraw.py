"""A letter behind a dot that hangs is taken back: what is then said of it is thrown away, and it leaves once (pure)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Said
from pipeline.net.smtp_event import Asked, Ended, Event, Letter, Unspoken
from pipeline.net.smtp_talk import Conversation
from tests.net.talked import SCRIPTS, Server, fates, letter


def behind(pipelining: bool = True) -> Conversation:
    """A conversation with letter 1 at its dot since the time 10, and letter 2 behind it."""
    talk = Conversation(pipelining, 60.0, 600.0)
    talk.offer(letter(1), 9.0)
    for reply in (b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"):
        talk.receive(reply, 9.5)
    talk.go(1, 10.0)
    talk.offer(letter(2), 10.0)
    talk.to_write()
    return talk


@pytest.mark.parametrize("pipelining", [True, False])
def test_how_long_a_letter_stands_behind_a_dot_is_known_until_the_relay_says_something_of_the_dot(
    pipelining: bool,
) -> None:
    talk = behind(pipelining)
    assert talk.kept_waiting(15.0) == 5.0
    talk.receive(b"250 kept\r\n", 16.0)
    assert talk.kept_waiting(30.0) == 0.0
    assert talk.withdraw(30.0, "why") is None


def test_only_a_letter_behind_a_dot_without_a_reply_can_be_taken_back() -> None:
    talk = Conversation(True, 60.0, 600.0)
    assert talk.withdraw(0.0, "why") is None
    talk.offer(letter(1), 0.0)
    assert talk.withdraw(0.0, "why") is None  # it may be at any command by now
    talk.receive(b"250 a\r\n250 b\r\n354 c\r\n", 0.0)
    assert talk.withdraw(0.0, "why") is None
    talk.go(1, 0.0)
    assert talk.withdraw(0.0, "why") is None  # its own dot is written
    assert behind().withdraw(15.0, "why") is not None


def test_what_was_written_of_a_letter_that_is_taken_back_is_recorded_and_nothing_if_nothing_was() -> None:
    assert behind().withdraw(15.0, "why") == Unspoken(2, (Said("taken back", 5000, 0, "", "why"),))
    assert behind(pipelining=False).withdraw(15.0, "why") == Unspoken(2, ())


@pytest.mark.parametrize(
    ("replies", "then"),
    [
        (b"250 a\r\n250 b\r\n354 c\r\n", "over"),  # it waits for a message that goes another way
        (b"250 a\r\n250 b\r\n451 later\r\n", "reset"),
        (b"250 a\r\n550 no\r\n554 nobody\r\n", "reset"),
        (b"250 a\r\n550 no\r\n354 c\r\n", "lone dot"),
        (b"550 no\r\n503 no\r\n503 no\r\n", "reset"),
        (b"421 bye\r\n", "over"),
        (b"what?\r\n", "over"),
    ],
)
def test_what_the_relay_says_of_a_letter_taken_back_is_listened_to_and_leaves_no_transaction_open(
    replies: bytes, then: str
) -> None:
    talk = behind()
    talk.withdraw(15.0, "why")
    assert not talk.free
    assert talk.tick(609.9) == []  # the dot has all its time
    [ended] = talk.receive(b"250 kept\r\n" + replies, 20.0)
    assert fates([ended]) == {1: ("dot", 250, True)}
    if then == "over":
        assert (bool(talk.over), talk.to_write()) == (True, b"")
        return
    if then == "lone dot":
        assert talk.to_write() == b".\r\n"
        assert talk.receive(b"554 nobody\r\n", 20.0) == []
    assert talk.idle
    talk.offer(letter(3), 20.0)
    commands = letter(3).mail + letter(3).rcpt + b"DATA\r\n"
    assert talk.to_write() == (b"RSET\r\n" if then == "reset" else b"") + commands


def test_without_pipelining_nothing_was_said_of_it_and_the_connection_goes_on_with_the_next() -> None:
    talk = behind(pipelining=False)
    talk.withdraw(15.0, "why")
    assert not talk.free  # not behind that dot again
    assert fates(talk.receive(b"250 kept\r\n", 20.0)) == {1: ("dot", 250, True)}
    talk.offer(letter(3), 20.0)
    assert talk.to_write() == letter(3).mail


def test_the_dot_before_it_is_as_unknown_as_ever_where_the_relay_hangs_up() -> None:
    talk = behind()
    talk.withdraw(15.0, "why")
    assert fates(talk.end("gone", 20.0)) == {1: ("dot", 0, True)}


@settings(max_examples=400, deadline=None, derandomize=True)
@given(SCRIPTS, st.booleans(), st.booleans(), st.data())
def test_whatever_is_taken_back_each_letter_has_one_fate_on_all_connections_and_it_is_true(
    script: dict[tuple[int, str], bytes], pipelining: bool, eager: bool, data: st.DataObject
) -> None:
    """Replies come in any pieces; a letter behind a dot may be taken back at any moment, and is said elsewhere."""
    waiting, kept, ends = [letter(n) for n in range(1, 6)], list[bytes](), list[Ended]()
    for _ in range(12):
        if waiting:
            server = Server(script, eager)
            ends += one_connection(server, waiting, pipelining, data)
            kept += server.kept
    numbers = [int(body[3:].split(b"\r\n")[0]) for body in kept]
    assert len(numbers) == len(set(numbers))
    assert sorted(end.letter_id for end in ends) == sorted({1, 2, 3, 4, 5} - {left.letter_id for left in waiting})
    for end in ends:
        if not end.dot_written or end.reply.code // 100 in (4, 5):
            assert end.letter_id not in numbers
        elif end.reply.code // 100 == 2:
            assert end.letter_id in numbers
    assert all(body.startswith(b"X: ") for body in kept)


def one_connection(server: Server, waiting: list[Letter], pipelining: bool, data: st.DataObject) -> list[Ended]:
    """Run one connection until it ends or has nothing more to do; what came to no end waits again."""
    talk, ends, unheard = Conversation(pipelining, 60.0, 600.0), list[Ended](), b""
    letters = {each.letter_id: each for each in waiting}
    asked: int | None = None
    while not talk.over and (unheard or waiting or not talk.idle):
        events: list[Event] = []
        if asked is not None and not unheard:  # what the relay said before a dot is heard before it is written
            talk.go(asked, 0.0)
            asked = None
        if talk.free and waiting:
            talk.offer(waiting.pop(0), 0.0)
        while (out := talk.to_write()) or talk.writing:
            unheard += server.take(out)
            talk.drained(0.0)
        if talk.kept_waiting(1.0) and data.draw(st.booleans()) and (taken := talk.withdraw(1.0, "why")):
            events.append(taken)
        if unheard:
            cut = data.draw(st.sampled_from([1, 9, 10_000]))
            said, unheard = unheard[:cut], unheard[cut:]
            events += talk.receive(said, 0.0)
        elif asked is None:
            events += talk.end("gone" if server.closed else "silence", 0.0)
        for event in events:
            if isinstance(event, Asked):
                asked = event.letter_id
            elif isinstance(event, Unspoken):
                waiting.insert(0, letters[event.letter_id])
            else:
                ends.append(event)
                asked = None if asked == event.letter_id else asked
    return ends
