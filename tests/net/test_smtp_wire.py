"""Reading replies: whatever the bytes and however they are cut, and nothing hostile comes through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.net.smtp_command import wire_form
from pipeline.net.smtp_wire import LONGEST_REPLY, LONGEST_TEXT, Reply, cleaned, next_reply

PIECES = st.sampled_from(
    [b"250", b"550", b"199", b"-", b" ", b"\r\n", b"\n", b"\r", b"2.0.0", b"5.1.1 ", b"\x00", b"\xff"]
)
BYTES = st.lists(PIECES | st.binary(max_size=5), max_size=30).map(b"".join)


@pytest.mark.parametrize(
    ("received", "reply"),
    [
        (b"250 2.1.0 Ok\r\n", Reply(250, "2.1.0", "Ok")),
        (b"250 Ok\n", Reply(250, "", "Ok")),
        (b"250\r\n", Reply(250)),
        (b"250 \r\n", Reply(250)),
        (b"550-5.1.1 No such\r\n550-5.1.1\r\n550 5.1.1 user\r\n", Reply(550, "5.1.1", "No such user")),
        (b"550 5.1.1\r\n", Reply(550, "5.1.1")),
        (b"550 5.1.1x\r\n", Reply(550, "", "5.1.1x")),
        (b"550 2.1.1 a code of another class\r\n", Reply(550, "", "2.1.1 a code of another class")),
        (b"250 5.1.1111 too long\r\n", Reply(250, "", "5.1.1111 too long")),
        ("250 d\u00e9j\u00e0\u202e vu\x07\r\n".encode(), Reply(250, "", "déjà  vu")),
    ],
)
def test_a_reply_is_a_code_an_enhanced_code_and_one_line_of_text(received: bytes, reply: Reply) -> None:
    assert next_reply(received + b"250 next\r\n") == (reply, len(received))


@pytest.mark.parametrize("received", [b"", b"250", b"250 Ok\r", b"250-Ok\r\n", b"250-Ok\r\n250 more"])
def test_a_reply_that_is_not_over_is_waited_for(received: bytes) -> None:
    assert next_reply(received) is None


@pytest.mark.parametrize(
    "received",
    [
        b"\r\n",
        b"Ok\r\n",
        b"25 Ok\r\n",
        b"2500 Ok\r\n",
        b"250Ok\r\n",
        b"+25 Ok\r\n",
        b" 250 Ok\r\n",
        "２５０ Ok\r\n".encode(),
        b"199 Ok\r\n",
        b"600 Ok\r\n",
        b"250-Ok\r\n251 Ok\r\n",
        b"250-Ok\r\n\r\n",
        b"2" * (LONGEST_REPLY + 1),
        b"250 " + b"x" * LONGEST_REPLY + b"\r\n",
        b"250-x\r\n" * LONGEST_REPLY,
    ],
)
def test_what_is_no_reply_is_not_taken_for_one(received: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        next_reply(received)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(BYTES)
def test_whatever_comes_is_a_clean_reply_or_no_reply(received: bytes) -> None:
    found, why = None, ""
    try:
        found = next_reply(received)
    except ValueError as error:
        why = str(error)
    assert why.isprintable()
    if found is not None:
        reply, length = found
        assert 200 <= reply.code < 600
        assert 0 < length <= len(received)
        assert reply.text.isprintable()
        assert len(reply.text) <= LONGEST_TEXT
        assert all(next_reply(received[:cut]) is None for cut in range(length))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" a\tb\r\n ", "a b"),
        ("\x1b[31mred", "[31mred"),
        ("a\u2028b\u200ec\x85d", "a b c d"),
        ("\udcff", ""),
        ("x" * 9999, "x" * 500),
    ],
)
def test_text_from_outside_is_one_line_that_prints(text: str, clean: str) -> None:
    assert cleaned(text) == clean


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"\n"]), max_size=20).map(b"".join))
def test_a_stuffed_message_holds_no_line_of_one_dot_and_is_undone_by_taking_one_off(data: bytes) -> None:
    message = data + b"\r\n"
    stuffed = wire_form(message)
    lines = stuffed.split(b"\r\n")
    assert b"." not in lines
    assert b"\r\n".join(line.removeprefix(b".") for line in lines) == message
