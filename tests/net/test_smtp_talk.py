"""What is said on one connection, against a server of a few lines that misbehaves: what it kept, and what we were told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Said
from pipeline.net.smtp_event import Asked, Ended, Event, Letter, Unspoken
from pipeline.net.smtp_talk import Conversation


def letter(n: int, message: bytes = b"") -> Letter:
    message = message or b"X: %d\r\n\r\nHello\r\n" % n
    return Letter(n, b"MAIL FROM:<v%d@a.example>\r\n" % n, b"RCPT TO:<b@isp.example>\r\n", message)


@dataclass
class Server:
    """Answers by script: {(letter, command): reply}; `eager`: DATA gets its 354 without a recipient."""

    script: dict[tuple[int, str], bytes] = field(default_factory=dict)
    eager: bool = False
    kept: list[bytes] = field(default_factory=list)
    closed: bool = False
    commands: list[str] = field(default_factory=list)
    _in: bytes = b""
    _n: int = 0
    _mail: bool = False
    _rcpt: bool = False
    _body: list[bytes] | None = None

    def take(self, data: bytes) -> bytes:
        self._in += data
        out = b""
        while not self.closed and b"\r\n" in self._in:
            line, _, self._in = self._in.partition(b"\r\n")
            out += self._line(line)
        return out

    def _line(self, line: bytes) -> bytes:
        if self._body is not None:
            if line != b".":
                self._body.append(line + b"\r\n")
                return b""
            body, self._body = b"".join(self._body), None
            taken, self._mail, self._rcpt = self._rcpt, False, False
            if not taken:
                return b"554 5.5.1 no recipients\r\n"
            reply = self._reply("dot", b"250 2.0.0 kept")
            if reply[:1] == b"2":
                self.kept.append(body)
            return reply
        word = line[:4].decode()
        self.commands.append(word)
        if word == "RSET":
            self._mail = self._rcpt = False
            return self._reply("rset", b"250 ok")
        if word == "MAIL":
            if self._mail:
                return b"503 nested MAIL\r\n"
            self._n = int(line.split(b"<v")[1].split(b"@")[0])
            reply = self._reply("mail", b"250 2.1.0 ok")
            self._mail = reply[:1] == b"2"
            return reply
        if word == "RCPT":
            if not self._mail:
                return b"503 MAIL first\r\n"
            reply = self._reply("rcpt", b"250-2.1.5 well\r\n250 2.1.5 ok")
            self._rcpt = reply[:1] == b"2"
            return reply
        if word == "DATA":
            if not self._rcpt and not self.eager:
                return b"554 5.5.1 no valid recipients\r\n"
            reply = self._reply("data", b"354 go on")
            if reply[:3] == b"354":
                self._body = []
            return reply
        self.closed = True
        return b"221 bye\r\n"

    def _reply(self, command: str, usual: bytes) -> bytes:
        reply = self.script.get((self._n, command), usual)
        if reply == b"drop":
            self.closed = True
            return b""
        self.closed = reply[:3] == b"421"
        return reply + b"\r\n"


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


Fate = tuple[str, int, bool] | None  # the command, the reply, whether the dot was written; None: it was not spoken of


def fates(events: Sequence[Event]) -> dict[int, Fate]:
    return {
        event.letter_id: (event.stage, event.reply.code, event.dot_written) if isinstance(event, Ended) else None
        for event in events
        if not isinstance(event, Asked)
    }


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


REPLIES = st.sampled_from(
    [
        b"250 ok",
        b"354 go",
        b"421 bye",
        b"450 4.2.0 later",
        b"550 5.1.1 no",
        b"drop",
        b"250-a\r\n250 b",
        b"199 x",
        b"250 ok\r\n250 twice",
        b"354 go\r\n250 early",
        b"250-a\r\n550 b",
    ]
)
SCRIPTS = st.dictionaries(
    st.tuples(st.integers(1, 5), st.sampled_from(["mail", "rcpt", "data", "dot", "rset"])), REPLIES, max_size=6
)


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


# --- a letter behind a dot that hangs ---------------------------------------------------------------------------------


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
