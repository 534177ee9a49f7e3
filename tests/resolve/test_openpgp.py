"""A text is one armoured public key, or it is refused; a private one is known whatever it calls itself."""

import base64
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.resolve.openpgp import MAX_KEY, NotAKey, public_key
from tests.resolve.keys import PRIVATE, PUBLIC


def armoured(*packets: bytes, kind: str = "PUBLIC") -> str:
    body = base64.b64encode(b"".join(packets)).decode()
    return f"-----BEGIN PGP {kind} KEY BLOCK-----\n\n{body}\n-----END PGP {kind} KEY BLOCK-----\n"


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, len(body)]) + body


PRIMARY, USER = packet(6, b"\x04key"), packet(13, b"desk")


def test_a_key_comes_back_in_one_form_whatever_its_line_ends_comments_and_edges() -> None:
    plain = PUBLIC.strip()
    assert public_key(PUBLIC) == plain
    commented = PUBLIC.replace("BLOCK-----\n\n", "BLOCK-----\nComment: of the desk\nVersion: 1\n\n", 1)
    for text in (PUBLIC.replace("\n", "\r\n"), f"\n\n{PUBLIC}  \n", commented):
        assert public_key(text) == plain
    without_checksum = "\n".join(line for line in plain.split("\n") if not line.startswith("="))
    assert public_key(without_checksum) == plain


def test_old_and_new_packet_heads_are_understood() -> None:
    old = bytes([0x80 | 6 << 2, 4]) + b"\x04key"
    two_octets = bytes([0x80 | 6 << 2 | 1, 0, 4]) + b"\x04key"
    five = bytes([0xC6, 255, 0, 0, 0, 4]) + b"\x04key"
    long = bytes([0xC0 | 13, 192, 8]) + b"x" * 200
    for made in (PRIMARY, old, two_octets, five):
        assert public_key(armoured(made, USER, long))


@pytest.mark.parametrize(
    "text",
    [
        PRIVATE,
        PRIVATE.replace("PRIVATE", "PUBLIC"),
        armoured(PRIMARY, USER, packet(7, b"\x04secret")),
        armoured(packet(5, b"\x04secret")),
        PUBLIC + PRIVATE,
    ],
)
def test_a_private_key_is_known_whatever_it_calls_itself(text: str) -> None:
    with pytest.raises(NotAKey) as refused:
        public_key(text)
    assert refused.value.private


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a key",
        PUBLIC * 2,
        PUBLIC + "and more",
        PUBLIC.replace("PUBLIC KEY BLOCK", "MESSAGE"),
        PUBLIC.replace("mDME", "mDMF", 1),  # the checksum is of other bytes
        PUBLIC[: len(PUBLIC) // 2],
        armoured(PRIMARY, b"\xcd\x09desk"),  # longer than what is there
        armoured(USER, PRIMARY),
        armoured(PRIMARY, PRIMARY),
        armoured(PRIMARY, packet(11, b"text")),  # literal data
        armoured(packet(6, b"\x09key")),  # a version that nobody has defined
        armoured(packet(6, b"")),
        armoured(b"\xc6\xe1\x04"),  # a partial length
        armoured(b"\x9b\x04key"),  # a length that nobody said
        armoured(b"\x04"),
        armoured(),
        PUBLIC + " " * MAX_KEY,
    ],
)
def test_what_is_no_single_public_key_is_refused(text: str) -> None:
    with pytest.raises(NotAKey) as refused:
        public_key(text)
    assert not refused.value.private


@given(st.binary(max_size=60))
@example(b"\xc6")
def test_no_packets_raise_anything_else(data: bytes) -> None:
    with suppress(NotAKey):
        assert public_key(armoured(data))
