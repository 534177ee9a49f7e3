"""The hash of a body is what DKIM's verifiers make of it, whatever blanks and empty lines it has."""

import base64
import hashlib

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render.body_hash import body_hash, relaxed

HEAD = b"From: a@agency.example\r\nSubject: x\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376 3.4.5
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n", b""),
        (b" \t\r\n \r\n", b""),
        (b"a", b"a\r\n"),
        (b"a \t", b"a\r\n"),
        (b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"\r\n\r\na\r\n \r\n", b"\r\n\r\na\r\n"),
        (b"a\t\tb\r\n", b"a b\r\n"),
        (b"a\x0b\x0c b\r\n", b"a\x0b\x0c b\r\n"),  # blanks are space and tab alone
    ],
)
def test_a_body_is_relaxed_as_the_standard_says(body: bytes, expected: bytes) -> None:
    assert relaxed(body) == expected
    assert body_hash(HEAD + body) == hashlib.sha256(expected).digest()


def test_the_empty_body_has_the_hash_that_the_standard_prints() -> None:
    empty = base64.b64decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")  # RFC 6376 3.4.4
    assert body_hash(HEAD) == body_hash(b"From: a@agency.example\r\n") == empty


lines = st.lists(st.text(" \t.a=é\x0b", max_size=12), max_size=8)


@given(lines, st.booleans())
def test_another_implementation_relaxes_every_body_alike(texts: list[str], ended: bool) -> None:
    body = "\r\n".join(texts).encode() + (b"\r\n" if ended else b"")
    theirs = Relaxed.canonicalize_body(body if ended or not body else body + b"\r\n")
    assert relaxed(body) == theirs


def test_a_header_and_blanks_change_nothing_and_any_other_byte_does() -> None:
    body = b"Bonjour,\r\n\r\n  192.0.2.1 port 25\r\n"
    same = body_hash(HEAD + body)
    assert body_hash(b"X: y\r\n" + HEAD + body.replace(b" port ", b" \tport  ") + b"\r\n\r\n") == same
    for place in range(len(body) + 1):
        assert body_hash(HEAD + body[:place] + b"!" + body[place:]) != same


def test_the_hash_is_the_one_that_another_signer_writes() -> None:
    key = generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    message = HEAD + b"one  two \r\n\r\nthree\r\n\r\n"
    signed = dkim.sign(message, b"s", b"agency.example", key, canonicalize=(b"relaxed", b"relaxed"))
    said = signed.replace(b"\r\n", b"").replace(b" ", b"").partition(b"bh=")[2].partition(b";")[0]
    assert base64.b64decode(said) == body_hash(message)
