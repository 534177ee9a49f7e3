"""Where TLS breaks, at its handshake or at any command of a letter: one letter's attempt, and nothing that was not read.

The commands of the second letter leave in the write of the first one's message, so what goes wrong with it goes wrong right
after another one's dot.
"""

import ssl

import pytest

from tests.net.scripted import COMMANDS, FAULTS, FINE, NAMES, Start, fates


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("at", COMMANDS)
@pytest.mark.parametrize("reply", [None, b"421 4.3.2 Bye\r\n"], ids=["drop", "421"])
def test_what_ends_a_connection_with_tls_ends_one_letter(
    start: Start, tls: ssl.SSLContext, at: str, reply: bytes | None
) -> None:
    relay = start(at, reply, tls=tls)
    assert fates(relay) == {1: FINE, 2: (at, 421 if reply else 0, at == "dot"), 3: FINE}
    assert relay.kept == [1, 3]


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("how", ["no tls", "half a record", "close"])
@pytest.mark.parametrize("at", COMMANDS)
def test_where_tls_breaks_nothing_is_believed_that_was_not_read(
    start: Start, tls: ssl.SSLContext, at: str, how: str
) -> None:
    """A reply that came in one packet with what broke is lost with it."""
    relay = start(at, how, tls=tls)
    found = fates(relay)
    unknown = ("dot", 0, True)
    assert found[1] in (FINE, unknown)
    assert found[2] == unknown if at == "dot" else found[2] in [(command, 0, False) for command in COMMANDS[:3]]
    assert found[3] == FINE
    assert relay.kept == [1, 3]


@pytest.mark.parametrize("reply", FAULTS, ids=NAMES)
def test_a_fault_at_the_ehlo_within_tls_gives_every_letter_back(
    start: Start, tls: ssl.SSLContext, reply: bytes | None
) -> None:
    """What was offered in clear counts no more: without this EHLO nothing is known of the relay."""
    relay = start("ehlo again", reply, tls=tls)
    codes = {
        b"421": 421,
        b"451": 451,
        b"554": 554,
        b"250": 550 if reply and b"550" in reply else 0,
    }  # the last one counts
    gone = ("ehlo", codes.get((reply or b"")[:3], 0), False)
    assert fates(relay, timeout=0.3 if reply in (b"", b"250-first") else 20.0) == {1: gone, 2: gone, 3: gone}
    assert relay.kept == []
    assert set(relay.commands) == {"ehlo again"}
