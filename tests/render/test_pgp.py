"""What GnuPG, which shares no code with us, makes of a letter that is signed with OpenPGP: it holds, and no change does."""

import email
import email.policy
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysequoia import CipherSuite, Tsk

from pipeline.domain import ConfigurationError
from pipeline.render import mime
from pipeline.render.mime import Part
from pipeline.render.pgp import crlf, micalg, signed, signer_of
from tests.render.written import headers
from tests.system.presence import needs

HEADERS = headers(from_name="Agence d'exemple", subject="Deux adresses", content_language="en, fr-CA")
TEXT = "Bonjour,\n\nFrom here, a line that ends in a blank: \n.\n\né 192.0.2.1   port 25\n" + "long " * 40 + "\n"
CSV = b'"address","port"\r\n"192.0.2.1","25"\r\n'


@cache
def key(suite: str = "Cv25519") -> Tsk:
    return Tsk.generate("Agency <letters@agency.example>", cipher_suite=getattr(CipherSuite, suite))


def letter() -> Part:
    """Text and page, and files that are left as they are, quoted and in base64."""
    body = mime.multipart("alternative", [mime.text_part(TEXT, "fr-CA"), mime.html_part("<p>é</p>\n")], "k1")
    files = (
        ("a.csv", "text/csv", CSV),
        ("b.json", "application/json", '{"é": 1}\n'.encode()),
        ("c.bin", "application/octet-stream", bytes(300)),
    )
    return mime.multipart("mixed", [body, *(mime.attachment(*file) for file in files)], "k2")


def message(part: Part | None = None, suite: str = "Cv25519") -> bytes:
    return mime.build(HEADERS, signed(part or letter(), signer_of(str(key(suite))), "k3"))


def halves(data: bytes) -> tuple[bytes, bytes]:
    """Cut a message at its outermost boundary, as RFC 2046 5.1.1 has it: (what is signed, the signature)."""
    found = re.search(rb'multipart/signed;[^\0]*?boundary="([^"]+)"', data)
    assert found is not None
    _, first, second, _ = data.split(b"--" + found[1])
    return first.removeprefix(b"\r\n").removesuffix(b"\r\n"), second.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Path]:
    """A keyring with our public keys.  Its path is short: GnuPG's sockets stand in it."""
    program = needs("gpg", shutil.which("gpg"))
    home = Path(tempfile.mkdtemp(prefix="g"))
    home.chmod(0o700)
    for suite in ("Cv25519", "RSA2k"):
        run(program, home, "--import", stdin=str(key(suite).extract_certificate()).encode())
    yield home
    subprocess.run(("gpgconf", "--kill", "all"), env={**os.environ, "GNUPGHOME": str(home)}, timeout=30, check=False)
    shutil.rmtree(home, ignore_errors=True)


def run(program: str, home: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    line = (program, "--homedir", str(home), "--batch", "--no-auto-key-retrieve", "--status-fd", "1", *arguments)
    return subprocess.run(line, input=stdin, capture_output=True, timeout=60, check=False)


def holds(home: Path, data: bytes, signature: bytes) -> bool:
    """Return whether GnuPG takes the signature for one of ours over these bytes."""
    (home / "data").write_bytes(data)
    (home / "data.asc").write_bytes(signature)
    ran = run("gpg", home, "--verify", str(home / "data.asc"), str(home / "data"))
    assert (ran.returncode == 0) == (b"[GNUPG:] GOODSIG " in ran.stdout)
    return ran.returncode == 0


@pytest.mark.parametrize("suite", ["Cv25519", "RSA2k"])
def test_gnupg_takes_the_exact_bytes_that_a_reader_cuts_from_the_message(gnupg: Path, suite: str) -> None:
    assert holds(gnupg, *halves(message(suite=suite)))
    assert holds(gnupg, *halves(message(mime.text_part(TEXT, "en"), suite)))


def test_a_changed_byte_does_not_hold(gnupg: Path) -> None:
    data, signature = halves(message())
    for place in (0, len(data) // 2, len(data) - 1):
        assert not holds(gnupg, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], signature)
    assert not holds(gnupg, data + b"\r\n", signature)
    assert not holds(gnupg, data.removesuffix(b"\r\n"), signature)


def test_another_parser_finds_the_two_parts_and_the_letter_in_the_first() -> None:
    parsed = email.message_from_bytes(message(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert parsed.get_content_type() == "multipart/signed"
    assert dict(parsed["Content-Type"].params).keys() == {"boundary", "micalg", "protocol"}
    assert parsed["Content-Type"].params["micalg"] == "pgp-sha512"
    assert parsed["Content-Type"].params["protocol"] == "application/pgp-signature"
    whole, signature = parsed.iter_parts()
    assert whole.get_content_type() == "multipart/mixed"
    assert [part.get_filename() for part in whole.iter_attachments()] == ["a.csv", "b.json", "c.bin"]
    assert signature.get_content_type() == "application/pgp-signature"
    assert signature.get_filename() == "signature.asc"
    assert not [part for part in parsed.walk() if part.defects]
    text = next(part for part in parsed.walk() if part.get_content_type() == "text/plain")
    assert text.get_content().replace("\r\n", "\n") == TEXT


def test_what_is_signed_survives_mail() -> None:
    """RFC 3156 section 3: 7bit, CRLF, no blanks at the end of a line, no line that begins with From and a blank."""
    data, signature = halves(message())
    for each in (data, signature):
        assert each.isascii()
        assert each.count(b"\r\n") == each.count(b"\r") == each.count(b"\n")
        lines = each.split(b"\r\n")
        assert not [line for line in lines if line != line.rstrip() or line.startswith((b"From ", b"."))]
        assert max(map(len, lines)) <= 998


@pytest.mark.parametrize(
    "body", ["é\r\n".encode(), b"a \r\n", b"a\t\r\n", b"a\nb\r\n", b"a\rb\r\n", b"a\r\nFrom b\r\n", b"\0\r\n"]
)
def test_a_part_that_mail_could_change_is_refused(body: bytes) -> None:
    part = replace(mime.text_part("x"), body=body)
    with pytest.raises(ValueError, match="could change"):
        signed(part, signer_of(str(key())), "k")


@given(
    st.text(st.characters(exclude_categories=["C"]) | st.sampled_from("\n .-="), max_size=300), st.binary(max_size=300)
)
@settings(max_examples=50, deadline=None)
def test_whatever_a_letter_holds_can_be_signed(text: str, data: bytes) -> None:
    whole = mime.multipart("mixed", [mime.text_part(text), mime.attachment("a.bin", "application/x", data)], "k2")
    cut, signature = halves(message(whole))
    assert cut == mime.entity(whole, (0,))
    assert signature.startswith(b"-----BEGIN PGP SIGNATURE-----\r\n")


def test_the_name_of_the_hash_is_that_of_the_signature() -> None:
    assert {micalg(signer_of(str(key(suite)))(b"x")) for suite in ("Cv25519", "RSA2k")} == {"pgp-sha512"}


def test_armour_gets_the_lines_of_mail_once() -> None:
    assert crlf(b"a\n\nb\n") == b"a\r\n\r\nb\r\n" == crlf(crlf(b"a\n\nb\n"))


# --- the key ---------------------------------------------------------------------------------------------------------


def test_a_key_with_a_passphrase_signs_with_it_alone(gnupg: Path) -> None:
    locked = locked_key(gnupg)
    assert signer_of(locked, "correct horse")(b"x").startswith(b"-----BEGIN PGP SIGNATURE-----")
    for wrong in ("", "wrong"):
        with pytest.raises(ConfigurationError, match="pgp_key cannot sign"):
            signer_of(locked, wrong)


def locked_key(home: Path) -> str:
    """A key that GnuPG made and protects, as an agency would export it."""
    secret = ("--pinentry-mode", "loopback", "--passphrase", "correct horse")
    made = run("gpg", home, *secret, "--quick-gen-key", "Locked <locked@agency.example>", "ed25519", "sign", "never")
    assert made.returncode == 0, made.stderr
    exported = run("gpg", home, *secret, "--armor", "--export-secret-keys", "locked@agency.example")
    return exported.stdout.decode()[exported.stdout.decode().index("-----BEGIN") :]


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END"])
def test_what_is_no_key_is_refused_and_never_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a secret key of OpenPGP") as refused:
        signer_of(text)
    assert "AAAA" not in refused.value.what + refused.value.why + refused.value.next_step


def test_the_public_half_and_a_key_cut_short_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a secret key of OpenPGP"):
        signer_of(str(key().extract_certificate()))
    with pytest.raises(ConfigurationError):
        signer_of(str(key())[:200])


def test_blanks_around_a_key_do_no_harm() -> None:
    assert signer_of(f"\n\n{key()}\n\n")(b"x")
