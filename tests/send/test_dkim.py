"""What dkimpy, which shares no code with us, makes of our signatures: whole letters pass, and no change does."""

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.render.body_hash import body_hash
from pipeline.send.dkim import DkimKey, DkimKeys, signature_lines
from pipeline.send.head import head
from tests.databases import ROOT
from tests.send.signers import DOMAIN, passes, signers

NOW = datetime(2025, 3, 1, 10, 0, 0, tzinfo=UTC)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SEAL = "5a" * 32
GOLDEN = sorted((ROOT / "tests" / "render" / "golden").glob("*.eml"))
KINDS = [("rsa",), ("ed25519",), ("rsa", "ed25519")]

LETTER = (
    b"From: =?utf-8?q?Agence_d=27exemple?= <letters@agency.example>\r\n"
    b"Reply-To: replies@agency.example\r\n"
    b"To: abuse@isp.example\r\n"
    b"Subject: Two addresses\r\n in your network\r\n"
    b"Message-ID: <1@agency.example>\r\n"
    b"In-Reply-To: <0@agency.example>\r\n"
    b"References: <0@agency.example>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n"
    b"Content-Language: en\r\n"
    b"List-Unsubscribe: <https://agency.example/u/1>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Feedback-ID: 1:first:agency\r\n"
    b"Auto-Submitted: auto-generated\r\n"
    b"\r\n"
    b"192.0.2.1   port 25\r\n\r\nPlease close it. \r\n\r\n"
)


def sent(letter: bytes, keys: DkimKeys, now: datetime = NOW, seal: str = SEAL) -> bytes:
    """The letter as it leaves."""
    top = head(now, seal)
    return signature_lines(top + letter, body_hash(letter), keys, now) + top + letter


def signed_names(message: bytes) -> list[str]:
    """The names in h= of the first signature."""
    found = re.search(rb"\bh=([^;]*);", message.partition(b"bh=")[0])
    assert found is not None
    return re.sub(r"\s", "", found[1].decode()).split(":")


@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_letter_passes_with_every_key(path: Path, kinds: tuple[str, ...]) -> None:
    keys = signers(*kinds)
    assert passes(sent(path.read_bytes(), keys), keys) == [True] * len(kinds)


def test_the_same_letter_key_and_second_give_the_same_bytes() -> None:
    assert sent(LETTER, signers()) == sent(LETTER, signers())
    assert sent(LETTER, signers()) != sent(LETTER, signers(), NOW + timedelta(seconds=1))


def test_rsa_stands_first_and_above_all_else_and_neither_signs_the_other() -> None:
    keys = signers()
    message = sent(LETTER, keys)
    heads = re.findall(rb"^([A-Za-z-]+):(?: v=1; a=([a-z0-9-]+);)?", message.partition(b"\r\n\r\n")[0], re.MULTILINE)
    assert heads[:4] == [
        (b"DKIM-Signature", b"rsa-sha256"),
        (b"DKIM-Signature", b"ed25519-sha256"),
        (b"Date", b""),
        (b"Tocsin-Seal", b""),
    ]
    second = message.index(b"DKIM-Signature:", 1)
    assert passes(message[second:], signers("ed25519")) == [True]
    end = message.index(b"Date:")
    assert passes(message[:second] + message[end:], signers("rsa")) == [True]


def test_every_header_that_matters_is_signed_and_from_and_subject_once_more() -> None:
    names = "from from to subject subject date message-id reply-to in-reply-to references mime-version content-type"
    more = (
        "content-transfer-encoding content-language list-unsubscribe list-unsubscribe-post feedback-id auto-submitted"
    )
    assert signed_names(sent(LETTER, signers("rsa"))) == [*names.split(), *more.split(), "tocsin-seal"]
    short = b"From: a@agency.example\r\nX-Other: 1\r\n\r\nx\r\n"
    assert signed_names(sent(short, signers("rsa"), seal="")) == ["from", "from", "subject", "date"]


def test_the_signature_says_what_it_is_and_when_it_was_made() -> None:
    message = sent(LETTER, signers("ed25519"))
    tags = message.partition(b"Date:")[0].decode()
    assert f"v=1; a=ed25519-sha256; c=relaxed/relaxed; d={DOMAIN};" in tags
    assert f" s=e2026; t={int(NOW.timestamp())};" in tags
    assert f" bh={base64.b64encode(body_hash(LETTER)).decode()};" in tags
    assert not re.search(r"[;\s][lxizq]=", tags)


@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
def test_lines_are_short_and_folded_as_headers_are(kinds: tuple[str, ...]) -> None:
    lines = sent(LETTER, signers(*kinds)).partition(b"Date:")[0].split(b"\r\n")
    assert lines.pop() == b""
    assert all(0 < len(line) <= 76 for line in lines)
    assert [line for line in lines if line[:1] != b" "] == [
        line for line in lines if line.startswith(b"DKIM-Signature:")
    ]


CHANGES = {
    "a byte of the body": (b"port 25", b"port 26"),
    "a line more in the body": (b"Please", b"Do not.\r\nPlease"),
    "the body's end": (b"Please close it. \r\n\r\n", b"Please close it. \r\n\r\nx"),
    "the date": (b"10:00:00 +0000", b"10:00:01 +0000"),
    "the seal": (b"5a5a", b"5a5b"),
    "the subject": (b"in your network", b"in our network"),
    "the recipient": (b"To: abuse@", b"To: abuses@"),
    "the author": (b"<letters@agency", b"<letter@agency"),
    "where replies go": (b"Reply-To: replies@agency", b"Reply-To: replies@isp"),
    "the type": (b"text/plain", b"text/html"),
    "a second author": (b"From: =?", b"From: x@isp.example\r\nFrom: =?"),
    "a second author below": (b"Reply-To:", b"From: x@isp.example\r\nReply-To:"),
    "a second subject": (b"Subject: Two", b"Subject: Win\r\nSubject: Two"),
    "where unsubscribing leads": (b"/u/1", b"/u/2"),
    "the signing time": (b"t=1740823200", b"t=1740823201"),
    "the selector's domain": (b"d=agency.example", b"d=isp.example"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_letter_that_was_changed_does_not_pass(change: str) -> None:
    keys = signers()
    message, (old, new) = sent(LETTER, keys), CHANGES[change]
    assert old in message
    assert passes(message.replace(old, new), keys) == [False, False]


def test_what_relays_do_to_blanks_and_folds_breaks_nothing() -> None:
    keys = signers()
    message = sent(LETTER, keys)
    changed = message.replace(b"Two addresses\r\n in your", b"Two \t addresses in\r\n\tyour").replace(b"To: ", b"to:  ")
    changed = b"Received: by mx.isp.example\r\n" + changed.replace(b"close it. \r\n\r\n", b"close  it.\r\n")
    assert changed != message
    assert passes(changed, keys) == [True, True]


def test_a_key_that_is_not_the_published_one_does_not_pass() -> None:
    keys = signers()
    assert passes(sent(LETTER, keys), DkimKeys("isp.example", keys.keys)) == [False, False]
    stranger = DkimKeys(DOMAIN, (DkimKey("s2026", generate_private_key(65537, 2048)), DkimKey("e2026", OTHER)))
    assert passes(sent(LETTER, keys), stranger) == [False, False]
    assert passes(sent(LETTER, stranger), stranger) == [True, True]


def test_a_letter_without_an_author_and_a_time_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="From"):
        signature_lines(b"To: a@isp.example\r\n\r\nFrom: a@agency.example", bytes(32), signers(), NOW)
    with pytest.raises(ValueError, match="zone"):
        signature_lines(LETTER, bytes(32), signers(), NOW.replace(tzinfo=None))


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)  # a letter has no controls
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["To", "Subject", "X-Note", "Content-Language", "References"]), VALUES.map(lambda v: f"x{v}")
    ),
    max_size=6,
    unique_by=lambda field: field[0],
)


@given(FIELDS, st.lists(VALUES, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_headers_and_any_text_pass_as_they_were_signed(fields: list[tuple[str, str]], lines: list[str]) -> None:
    heads = "".join(f"{name}: {value}\r\n" for name, value in [("From", "a@agency.example"), *fields])
    letter = (heads + "\r\n" + "".join(f"{line}\r\n" for line in lines)).encode()
    keys = signers("ed25519")
    assert passes(sent(letter, keys), keys) == [True]
