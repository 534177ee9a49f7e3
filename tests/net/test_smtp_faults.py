"""Each fault at each command of a letter that stands between two others on one connection costs those two nothing.

The commands of the second letter leave in the write of the first one's message, so what goes wrong with it goes wrong right
after another one's dot.
"""

import asyncio
import select
import socket
import threading
from collections.abc import Callable

import pytest

from pipeline.domain import Go, Ready, Result, Send
from pipeline.net.edge import Questions, quick_loop
from pipeline.net.smtp import Answer, Message, RelaySettings, _Relay
from pipeline.net.smtp_session import system_clock
from tests.net.scripted import COMMANDS, FAULTS, FINE, NAMES, USUAL, Start, fates


@pytest.mark.parametrize("apart", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [b"451 4.3.0 Later\r\n", b"554-5.7.1 No\r\n554 5.7.1 never\r\n"], ids=["4xx", "5xx"])
def test_a_refusal_leaves_the_connection_to_the_next_letter(
    start: Start, at: str, reply: bytes, pipelining: bool, apart: bool
) -> None:
    relay = start(at, reply, pipelining, apart=apart)
    assert fates(relay) == {1: FINE, 2: (at, int(reply[:3]), at == "dot"), 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 3], 1)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize(
    "reply",
    [None, b"\x00\xff what?\r\n", b"2" * 90_000, b"250-yes\r\n550 no\r\n", b"421 4.3.2 Bye\r\n"],
    ids=["drop", "garbage", "endless", "two codes", "421"],
)
def test_what_ends_the_connection_ends_one_letter(start: Start, at: str, reply: bytes | None, pipelining: bool) -> None:
    relay = start(at, reply, pipelining)
    code = 421 if reply and reply.startswith(b"421") else 0
    assert fates(relay) == {1: FINE, 2: (at, code, at == "dot"), 3: FINE}
    assert set(relay.kept) - ({2} if at == "dot" else set()) == {1, 3}  # what ended at its dot may have been kept


@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [b"", b"250-first line\r\n250"], ids=["stall", "half a reply"])
def test_silence_ends_one_letter(start: Start, at: str, reply: bytes) -> None:
    relay = start(at, reply)
    assert fates(relay, timeout=0.5, dot_timeout=0.5) == {1: FINE, 2: (at, 0, at == "dot"), 3: FINE}
    assert relay.kept == [1, 3]


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "one at a time"])
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("second", [b"250 2.0.0 Kept\r\n", b"354 Go on\r\n", b"550 5.1.1 No\r\n"])
def test_one_reply_too_many_makes_no_letter_look_sent_that_was_not(
    start: Start, at: str, second: bytes, pipelining: bool
) -> None:
    """All replies after it are one too early: what is believed of them must still be true."""
    relay = start(at, USUAL[at] + second, pipelining)
    found = fates(relay)
    assert found[1] == FINE
    sure = {number for number, fate in found.items() if fate == FINE}
    unsent = {number for number, (_, reply, dot) in found.items() if not dot or reply >= 400}
    assert sure <= set(relay.kept)
    assert not unsent & set(relay.kept)
    assert len(relay.kept) == len(set(relay.kept))


REFUSED = {"rcpt": b"550 5.1.1 No\r\n"}


@pytest.mark.parametrize("reply", FAULTS, ids=NAMES)
def test_a_transaction_that_cannot_be_reset_ends_the_connection_and_nothing_of_the_next_letter_is_lost(
    start: Start, reply: bytes | None
) -> None:
    """RSET leaves in one group with the next letter's commands: that letter was not accepted, and goes back."""
    relay = start("rset", reply, also=REFUSED)
    assert fates(relay, timeout=0.5) == {1: FINE, 2: ("rcpt", 550, False), 3: ("mail", 0, False)}
    assert relay.kept == [1]
    assert "rset" in relay.commands


@pytest.mark.parametrize("reply", FAULTS, ids=NAMES)
def test_whatever_is_said_to_quit_touches_no_letter(start: Start, reply: bytes | None) -> None:
    relay = start("quit", reply)
    assert fates(relay, timeout=0.3, letters_each=1) == {1: FINE, 2: FINE, 3: FINE}
    assert relay.kept == [1, 2, 3]
    assert relay.connections == 3
    assert "quit" in relay.commands


def test_where_nobody_is_to_receive_it_and_yet_354_is_said_a_lone_dot_is_the_message(start: Start) -> None:
    relay = start("rcpt", b"550 5.1.1 No\r\n", eager=True)
    assert fates(relay) == {1: FINE, 2: ("rcpt", 550, False), 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 3], 1)
    at = relay.commands.index("lone dot")
    assert relay.commands[at - 3 : at + 2] == ["mail", "rcpt", "data", "lone dot", "mail"]
    assert "a message for nobody" not in relay.commands


def test_a_relay_that_hangs_up_after_each_letter_costs_no_letter_its_attempt(start: Start) -> None:
    relay = start(one_each=True)
    assert fates(relay) == {1: FINE, 2: FINE, 3: FINE}
    assert (relay.kept, relay.connections) == ([1, 2, 3], 3)


@pytest.mark.parametrize("loop", [quick_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_what_the_relay_said_before_a_dot_is_read_before_the_dot_is_written(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """A reply that lies unread when the dot leaves would be taken for the answer to it."""
    received: list[bytes] = []
    accepted: list[socket.socket] = []

    def converse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        accepted.append(connection)
        with connection:
            for reply in (b"220 hi", b"250 hello", b"250 from", b"250 to", b"354 go on"):
                connection.sendall(reply + b"\r\n")
                received.append(connection.recv(4096))

    async def main(port: int) -> list[Result]:
        results: list[Result] = []

        def answer(said: Answer) -> None:
            if isinstance(said, Ready):  # nothing is read in this turn of the loop
                accepted[0].sendall(b"250 2.0.0 As if it were kept\r\n")
                [line] = handed._lines._open
                assert select.select([line._transport.get_extra_info("socket").fileno()], [], [], 20)[0]
                handed._take(Go(said.letter_id))
            else:
                results.append(said)

        settings = RelaySettings("127.0.0.1", port, tls="none", ehlo_name="out.agency.example", backoff=0.01)
        handed = _Relay(settings, None, system_clock, answer)
        questions: Questions[Message] = asyncio.Queue()
        questions.put_nowait([Send(1, 1, "v1@agency.example", "abuse@isp.example", b"Subject: x\r\n\r\nHello\r\n")])
        work = asyncio.create_task(handed.work(questions))
        while not results:
            await asyncio.sleep(0.01)
        questions.put_nowait([None])
        await work
        return results

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=converse, args=(listener,))
        thread.start()
        with asyncio.Runner(loop_factory=loop) as runner:
            [result] = runner.run(main(listener.getsockname()[1]))
        thread.join()
    assert (result.stage, result.dot_written) == ("data", False)
    assert b"Hello" not in b"".join(received)
