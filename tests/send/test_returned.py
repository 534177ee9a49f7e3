"""A test letter that came back: what its way kept, changed and added; whether our signature would still hold."""

import pytest

from pipeline.render.body_hash import body_hash
from pipeline.send.dkim import header_block, signature_lines
from pipeline.send.returned import Body, Signature, compare
from tests.conftest import NOW
from tests.send.signers import passes, signers

LETTER = (
    b"Date: Sun, 01 Mar 2026 10:00:00 +0000\r\nFrom: Agency <a@agency.example>\r\nTo: t@outside.example\r\n"
    b"Subject: A test letter\r\nMessage-ID: <test.1@agency.example>\r\n\r\nGood day,\r\n\r\nthis is a test.\r\n"
)
SIGNED = signature_lines(header_block(LETTER), body_hash(LETTER), signers(), NOW) + LETTER
TRACE = b"Return-Path: <bounces@agency.example>\r\nReceived: from a by b;\r\n\tSun, 01 Mar 2026 10:00:01 +0000\r\n"


def changed(old: bytes, new: bytes) -> bytes:
    assert old in SIGNED
    return SIGNED.replace(old, new)


def holds(message: bytes) -> bool:
    """What another program says of the signature."""
    return all(passes(message, signers()))


@pytest.mark.parametrize(
    ("arrived", "body", "signature"),
    [
        (SIGNED, Body.SAME, Signature.KEPT),
        (TRACE + SIGNED, Body.SAME, Signature.KEPT),
        (SIGNED + b"\r\n\r\n", Body.SAME, Signature.KEPT),
        (changed(b"Good day,", b"Good  day, "), Body.BLANKS, Signature.KEPT),
        (changed(b"Subject: A test", b"SUBJECT:  A\r\n test"), Body.SAME, Signature.KEPT),
        (SIGNED + b"-- \r\nScanned by a gateway\r\n", Body.CHANGED, Signature.BROKEN),
        (changed(b"Subject: A", b"Subject: [LIST] A"), Body.SAME, Signature.BROKEN),
        (b"Subject: another\r\n" + SIGNED, Body.SAME, Signature.BROKEN),
        (b"From: x@other.example\r\n" + SIGNED, Body.SAME, Signature.BROKEN),
        (changed(b"To: t@outside.example\r\n", b""), Body.SAME, Signature.BROKEN),
    ],
)
def test_a_signature_holds_as_another_program_finds_it(arrived: bytes, body: Body, signature: Signature) -> None:
    found = compare(SIGNED, arrived)
    assert (found.body, found.signature) == (body, signature)
    assert holds(arrived) is (signature is Signature.KEPT)


def test_a_letter_saved_with_other_line_ends_is_the_same() -> None:
    for end in (b"\n", b"\r"):
        found = compare(SIGNED, (TRACE + SIGNED).replace(b"\r\n", end))
        assert (found.ours, found.body, found.lost, found.signature) == (True, Body.SAME, (), Signature.KEPT)


def test_what_was_added_and_lost_is_named_and_the_envelope_shown() -> None:
    found = compare(SIGNED, TRACE + changed(b"To: t@outside.example\r\n", b""))
    assert (found.added, found.lost) == (("return-path", "received"), ("to",))
    assert found.return_path == "bounces@agency.example"


def test_another_letter_is_not_ours_and_a_letter_without_a_signature_has_none() -> None:
    assert not compare(SIGNED, changed(b"<test.1@", b"<test.2@")).ours
    assert not compare(SIGNED, b"").ours
    assert compare(LETTER, TRACE + LETTER).signature is Signature.NONE


@pytest.mark.parametrize(
    "arrived",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\xff" * 900,
        b":\r\n" * 900,
        b"A: b\r\n" * 9_000,
        b"Return-Path: \x1b[31m<a\x00@b>\r\n\r\n",
    ],
)
def test_whatever_comes_back_makes_it_neither_raise_nor_show_control_characters(arrived: bytes) -> None:
    found = compare(SIGNED, arrived)
    assert found.return_path.isprintable()
    assert len(found.added) <= 50
