"""The parts of a message: how each is encoded, where it stands, and that nothing but its own key decides the bytes."""

import base64
import email
import email.policy
import hashlib
import os
import re
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render import header_fields, mime
from pipeline.render.mime import Part
from pipeline.render.quoted_printable import exactly
from tests.render.written import headers

HEADERS = headers(content_language="en, fr-CA")
ROOT = Path(__file__).parents[2]


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not [part for part in message.walk() if part.defects]
    return message


def encoding_and_body(data: bytes) -> tuple[str, bytes]:
    """The transfer encoding of a file, and its encoded bytes."""
    file = mime.attachment("a.csv", "text/csv; charset=utf-8", data)
    [line] = [line for line in file.lines if line.startswith("Content-Transfer-Encoding: ")]
    return line.partition(": ")[2], file.body


def letter() -> bytes:
    body = mime.multipart("alternative", [mime.text_part("Bonjour à tous\n"), mime.html_part("<p>Bonjour</p>\n")], "k1")
    files = [mime.attachment(f"report-{n}.json", "application/json", b"{}\r\n") for n in range(3)]
    return mime.build(HEADERS, mime.multipart("mixed", [body, *files], "k1"))


def test_a_letter_with_a_page_and_a_file_is_these_bytes() -> None:
    body = mime.multipart("alternative", [mime.text_part("Text\n", "en"), mime.html_part("<p>é</p>\n", "en")], "key")
    file = mime.attachment("addresses.csv", "text/csv; charset=utf-8; header=present", b"a,b\r\n1,2\r\n")
    outer, inner = ("=_" + hashlib.sha256(f"key\n{path}".encode()).hexdigest()[:32] for path in ("", "0"))
    lines = mime.build(HEADERS, mime.multipart("mixed", [body, file], "key")).decode("ascii").split("\r\n")
    assert lines[lines.index("MIME-Version: 1.0") + 1 :] == [
        "Content-Type: multipart/mixed;",
        f' boundary="{outer}"',
        "Content-Language: en, fr-CA",
        "",
        f"--{outer}",
        "Content-Type: multipart/alternative;",
        f' boundary="{inner}"',
        "",
        f"--{inner}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Language: en",
        "",
        "Text",
        "",
        f"--{inner}",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Language: en",
        "",
        "<p>=C3=A9</p>",
        "",
        f"--{inner}--",
        "",
        f"--{outer}",
        "Content-Type: text/csv; charset=utf-8; header=present",
        "Content-Transfer-Encoding: 7bit",
        'Content-Disposition: attachment; filename="addresses.csv"',
        "",
        "a,b",
        "1,2",
        "",
        f"--{outer}--",
        "",
    ]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"a,b\r\n1,2\r\n", "7bit"),
        (b"x" * 998 + b"\r\n\ttab\r\n\r\n", "7bit"),
        (b"-- \r\n", "quoted-printable"),
        (b"x" * 999 + b"\r\n", "quoted-printable"),
        (b"no line end", "quoted-printable"),
        (b"a\nb\n", "quoted-printable"),
        (b"a\r\nb\r", "quoted-printable"),
        (b"From here\r\n", "quoted-printable"),
        (b"a\r\nFrom here\r\n", "quoted-printable"),
        (b".\r\n", "quoted-printable"),
        (b"a\r\n.b\r\n", "quoted-printable"),
        (b"blank \r\n", "quoted-printable"),
        (b"tab\t\r\n", "quoted-printable"),
        (b"--=_0123456789abcdef0123456789abcdef\r\n", "quoted-printable"),
        (b"a=b and a NUL \x00 among enough letters\r\n", "quoted-printable"),
        ("réseau, Hébergement Exemple inc.\r\n".encode(), "quoted-printable"),
        ("réseau, Hébergement Exemple inc.\r\n".encode("latin-1"), "base64"),
        ("сеть\r\n".encode(), "base64"),
        (bytes(range(256)), "base64"),
        (b"", "quoted-printable"),
    ],
)
def test_a_file_stays_as_it_is_only_where_nothing_on_the_way_would_touch_it(data: bytes, encoding: str) -> None:
    used, body = encoding_and_body(data)
    assert used == encoding
    assert body == data or used != "7bit"


def test_lines_of_a_file_that_mail_would_touch_are_encoded() -> None:
    assert exactly("From a\r\n.b \r\nc\t\r\nd") == b"=46rom a\r\n=2Eb=20\r\nc=09\r\nd=\r\n"
    assert exactly("a\nb\rc\r\n") == b"a=0A=\r\nb=0Dc\r\n"
    assert exactly("x" * 76 + "\r\n") == b"x" * 75 + b"=\r\nx\r\n"
    assert exactly("") == b""


def test_base64_has_lines_of_76_characters() -> None:
    data = bytes(range(256)) * 3
    _, body = encoding_and_body(data)
    lines = body.split(b"\r\n")
    assert lines.pop() == b""
    assert {len(line) for line in lines[:-1]} == {76}
    assert base64.b64decode(b"".join(lines)) == data


FILES = st.lists(
    st.sampled_from([b"From ", b".", b" ", b"\t", b"\r\n", b"\n", b"\r", b"=", b"=_", b"--", "é€".encode(), b"x" * 90])
    | st.binary(max_size=5),
    max_size=30,
).map(b"".join)


@given(FILES)
def test_a_file_comes_back_as_it_was_alone_and_in_a_multipart(data: bytes) -> None:
    file = mime.attachment("a.bin", "application/octet-stream", data)
    alone = mime.build(HEADERS, file)
    among = mime.build(HEADERS, mime.multipart("mixed", [mime.text_part("x\n"), file, file], "key"))
    assert parsed(alone).get_payload(decode=True) == data
    assert [part.get_payload(decode=True) for part in list(parsed(among).walk())[2:]] == [data, data]
    for message in (alone, among):
        lines = message.split(b"\r\n")
        assert message.isascii()
        assert message.endswith(b"\r\n")
        assert not [line for line in lines if line.startswith((b"From ", b".")) or line.endswith((b" ", b"\t"))]
        assert b"\n" not in message.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "a/b", "a\\b", "../a", 'a"b', "a\r\nb", "a\x00", "a;b", "a%b", "a:b", "a.", "a "),
        *("x" * 101, "a\u202eb", "a\ud800", "a\tb", "a*b", "a?b", "a|b"),
    ],
)
def test_what_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        mime.attachment(name, "text/csv", b"")


def test_a_file_name_outside_ascii_is_written_by_rfc_2231_and_reads_back() -> None:
    file = mime.attachment("réseaux 1.csv", "text/csv; charset=utf-8", b"a\r\n")
    assert file.lines[-1] == "Content-Disposition: attachment; filename*=utf-8''r%C3%A9seaux%201.csv"
    assert parsed(mime.build(HEADERS, file)).get_filename() == "réseaux 1.csv"
    long = mime.attachment("é" * 100, "text/csv", b"a\r\n")
    assert max(len(line) for line in long.lines[-1].split("\r\n")) <= 998
    assert parsed(mime.build(HEADERS, long)).get_filename() == "é" * 100


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text", "text/csv;", "text/csv; a", "text/csv\r\nX: y", "Text/csv", 'text/csv; a="b"', "text/csv;a=b"),
        *("multipart/mixed", "message/rfc822"),  # these hold parts, and are never encoded
    ],
)
def test_a_files_type_is_one_that_a_file_may_have(content_type: str) -> None:
    with pytest.raises(ValueError, match="type"):
        mime.attachment("a.csv", content_type, b"")


def test_long_parameters_are_folded() -> None:
    content_type = "application/vnd.example; first=" + "a" * 50 + "; second=" + "b" * 50
    lines = [line for each in mime.attachment("a.csv", content_type, b"").lines for line in each.split("\r\n")]
    assert max(map(len, lines)) <= 76
    assert parsed(mime.build(HEADERS, mime.attachment("a.csv", content_type, b""))).get_param("second") == "b" * 50


# --- boundaries -------------------------------------------------------------------------------------------------------


def test_boundaries_come_from_the_key_and_the_place_and_differ_in_one_letter() -> None:
    def nest(key: str) -> Part:
        part = mime.text_part("x\n")
        for _ in range(3):
            part = mime.multipart("mixed", [part, mime.multipart("mixed", [mime.text_part("y\n")], key)], key)
        return part

    one, again, other = (
        re.findall(r'boundary="(=_[0-9a-f]{32})"', mime.entity(nest(key)).decode()) for key in ("a", "a", "b")
    )
    assert one == again
    assert len(set(one)) == len(one) == 6
    assert not set(one) & set(other)


def test_a_boundary_that_stands_in_a_part_is_not_taken() -> None:
    def boundary_of(subject: str, data: bytes) -> str:
        inside = mime.message_part([header_fields.words("Subject", subject)], mime.text_part("x\n"))
        file = mime.attachment("a.csv", "text/csv", data)
        whole = mime.entity(mime.multipart("mixed", [inside, file], "key"))
        [boundary] = re.findall(r'boundary="(.*)"', whole.decode())
        assert whole.count(f"--{boundary}".encode()) == 3
        return str(boundary)

    first = boundary_of("harmless", b"a\r\n")
    second = boundary_of(first, b"a\r\n")
    assert second != first
    assert boundary_of("harmless", f"a --{first}\r\n".encode()) == second
    assert boundary_of(f"{second} {first}", b"a\r\n") not in (first, second)


def test_another_process_with_another_hash_seed_writes_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.render.test_mime_parts import letter; print(hashlib.sha256(letter()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "11", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == hashlib.sha256(letter()).hexdigest()


# --- multiparts and messages inside -----------------------------------------------------------------------------------


def test_a_multipart_has_its_parameters_in_one_order_folded_and_quoted() -> None:
    part = mime.multipart(
        "signed", [mime.text_part("x\n")], "key", protocol="application/pgp-signature", micalg="pgp-sha512"
    )
    assert part.lines == (
        'Content-Type: multipart/signed; micalg="pgp-sha512";\r\n protocol="application/pgp-signature";',
    )
    message = parsed(mime.build(HEADERS, part))
    assert message.get_param("protocol") == "application/pgp-signature"
    named = mime.multipart("report", [mime.text_part("x\n")], "key", report_type="delivery-status")
    assert parsed(mime.build(HEADERS, named)).get_param("report-type") == "delivery-status"


def test_what_is_no_multipart_is_refused() -> None:
    text = mime.text_part("x\n")
    for subtype, parts, key, parameters in (
        ("mixed", [], "key", {}),
        ("mixed", [text], "", {}),
        ("mi xed", [text], "key", {}),
        ("mixed\r\nX: y", [text], "key", {}),
        ("mixed", [text], "key", {"a": 'b"; c="d'}),
        ("mixed", [text], "key", {"a": "b\r\nX: y"}),
        ("mixed", [text], "key", {"a b": "c"}),
    ):
        with pytest.raises(ValueError, match="multipart"):
            mime.multipart(subtype, parts, key, **parameters)


def test_what_a_signature_covers_is_what_stands_in_the_message() -> None:
    body = mime.multipart("mixed", [mime.text_part("From here\n"), mime.html_part("<p>.</p>\n")], "key")
    signature = mime.attachment("signature.asc", "application/pgp-signature", b"-----BEGIN PGP SIGNATURE-----\r\n")
    assert "Content-Transfer-Encoding: 7bit" in signature.lines
    message = mime.build(HEADERS, mime.multipart("signed", [body, signature], "key", micalg="pgp-sha512"))
    signed = mime.entity(body, (0,))
    [boundary] = re.findall(rb'boundary="(.*)"\r\nContent-Language', message)
    assert message.count(b"--" + boundary + b"\r\n" + signed + b"\r\n--" + boundary + b"\r\n") == 1


def test_a_message_inside_has_its_headers_its_part_and_its_languages() -> None:
    lines = [
        header_fields.originator("From", "Agence d'exemple, réseaux", "letters@agency.example"),
        header_fields.words("Subject", "Un sujet : relais " * 9),
    ]
    inside = mime.message_part(lines, mime.text_part("Bonjour à tous\n"), "fr-CA", "human")
    outer = parsed(mime.build(HEADERS, mime.multipart("mixed", [mime.text_part("x\n"), inside], "key")))
    _, part = outer.iter_parts()
    assert part.items() == [
        ("Content-Type", "message/rfc822"),
        ("Content-Disposition", "inline"),
        ("Content-Translation-Type", "human"),
        ("Content-Language", "fr-CA"),
    ]
    message = part.get_content()
    assert message.keys() == ["From", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    assert message["From"].addresses[0].display_name == "Agence d'exemple, réseaux"
    assert message["Subject"] == ("Un sujet : relais " * 9).strip()
    assert message.get_content() == "Bonjour à tous\r\n"


@pytest.mark.parametrize(
    "line",
    [
        *("", "Subject", "Subject: a\r\nX: b", "Subject: a\r\n", "Subject: a\r\n\r\nb", "Subject: a\nb", "Subject: é"),
        *("Content-Type: text/html", "content-language: en", "MIME-Version: 1.0", " a: b", "A b: c", "A: " + "x" * 996),
        "A:" + " x" * 20_000 + "\x00",
    ],
)
def test_what_is_no_header_line_of_a_message_inside_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="header line"):
        mime.message_part([line], mime.text_part("x\n"))


def test_a_letter_in_two_languages_is_what_rfc_8255_describes() -> None:
    alternative = mime.multipart("alternative", [mime.text_part("Hello\n"), mime.html_part("<p>Hello</p>\n")], "other")
    whole = mime.multilingual(
        mime.text_part("In two languages. En deux langues.\n"),
        [
            ("fr-CA", "Un relais", "Agence d'exemple", mime.text_part("Bonjour à tous\n")),
            ("en", "A relay", "Example Agency", alternative),
        ],
        "key",
        from_mailbox="letters@agency.example",
    )
    message = parsed(mime.build(HEADERS, whole))
    assert message.get_content_type() == "multipart/multilingual"
    assert message.get_content_disposition() == "inline"
    notice, *versions = message.iter_parts()
    assert notice.get_content_type() == "text/plain"
    assert notice.get_content_disposition() == "inline"
    assert notice["Content-Language"] is None  # 3.1: must not
    assert [
        (part.get_content_type(), part["Content-Language"], part["Content-Translation-Type"]) for part in versions
    ] == [
        ("message/rfc822", "fr-CA", "human"),
        ("message/rfc822", "en", "original"),
    ]
    french, english = (part.get_content() for part in versions)
    assert (french["Subject"], english["Subject"]) == ("Un relais", "A relay")
    assert french["From"].addresses[0].display_name == "Agence d'exemple"
    assert {each["From"].addresses[0].addr_spec for each in (french, english)} == {
        message["From"].addresses[0].addr_spec
    }
    assert french.get_content() == "Bonjour à tous\r\n"
    assert [part.get_content_type() for part in english.iter_parts()] == ["text/plain", "text/html"]


def test_a_multilingual_letter_without_its_notice_or_its_languages_is_refused() -> None:
    text, version = mime.text_part("x\n"), ("en", "A subject", "An agency", mime.text_part("x\n"))
    for notice, versions in (
        (mime.text_part("x\n", "en"), [version]),
        (mime.html_part("x\n"), [version]),
        (text, []),
        (text, [version, version]),
    ):
        with pytest.raises(ValueError, match="language"):
            mime.multilingual(notice, versions, "key")
    with pytest.raises(ValueError, match="header line"):  # raw UTF-8 would make it message/global
        mime.multilingual(text, [version], "key", from_mailbox="ünï@agency.example")


def test_a_language_that_is_none_is_refused() -> None:
    for language in ("e", "en,fr", "en\r\nX: y", "x" * 36, "en, "):
        with pytest.raises(ValueError, match="form"):
            mime.text_part("x\n", language)
    with pytest.raises(ValueError, match="translation"):
        mime.message_part([], mime.text_part("x\n"), "en", "good")
