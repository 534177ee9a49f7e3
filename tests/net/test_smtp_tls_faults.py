"""Where TLS breaks, at its handshake or at any command of a letter: one letter's attempt, and nothing that was not read.

The commands of the second letter leave in the write of the first one's message, so what goes wrong with it goes wrong right
after another one's dot.
"""

import ssl

import pytest

from tests.net.scripted import COMMANDS, FINE, Start, fates


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
