import email
import email.policy
import quopri
from email.message import EmailMessage
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render import mime
from tests.render.written import headers


def _parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    for value in message.values():
        assert not getattr(value, "defects", ())
    return message


LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from(" .=F\u00a0é"),
    max_size=200,
)


def test_a_message_has_these_headers_in_this_order_and_no_others() -> None:
    data = mime.build(headers(in_reply_to="<b@agency.example>"), "Text\n")
    assert data == (
        b"From: Example Agency <letters@agency.example>\r\n"
        b"Reply-To: replies@agency.example\r\n"
        b"To: abuse@net.example\r\n"
        b"Subject: A subject\r\n"
        b"Message-ID: <a.1@agency.example>\r\n"
        b"In-Reply-To: <b@agency.example>\r\n"
        b"References: <b@agency.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Language: en\r\n"
        b"\r\n"
        b"Text\r\n"
    )
    alone = mime.build(headers(), "Text\n")
    assert b"In-Reply-To" not in alone
    assert b"References" not in alone


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("From here\n", b"=46rom here\r\n"),
        (">From here\n", b">From here\r\n"),
        ("Fromage\n", b"Fromage\r\n"),
        (".\n", b"=2E\r\n"),
        ("..\n.x\n", b"=2E.\r\n=2Ex\r\n"),
        ("end \n", b"end=20\r\n"),
        ("  two  spaces\n", b"  two  spaces\r\n"),
        ("a=b\n", b"a=3Db\r\n"),
        ("é\u00a0:\n", b"=C3=A9=C2=A0:\r\n"),
        ("no newline", b"no newline\r\n"),
        ("\n\n", b"\r\n\r\n"),
        ("x" * 75 + "\n", b"x" * 75 + b"\r\n"),
        ("x" * 76 + "\n", b"x" * 75 + b"=\r\nx\r\n"),
        ("x" * 75 + ".\n", b"x" * 75 + b"=\r\n=2E\r\n"),
        ("x" * 75 + "From me\n", b"x" * 75 + b"=\r\n=46rom me\r\n"),
        ("x" * 70 + "é\n", b"x" * 70 + b"=\r\n=C3=A9\r\n"),
    ],
)
def test_quoted_printable_guards_what_relays_and_mailbox_files_change(text: str, encoded: bytes) -> None:
    assert mime.quoted_printable(text) == encoded


@given(st.lists(LINES, max_size=5).map("\n".join))
def test_quoted_printable_reads_back_as_it_was_in_short_ascii_lines(text: str) -> None:
    data = mime.quoted_printable(text)
    lines = data.split(b"\r\n")
    assert quopri.decodestring(data.replace(b"\r\n", b"\n")).decode() == text.removesuffix("\n") + "\n"
    assert max(map(len, lines)) <= 76
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert not [line for line in lines if line.startswith((b"From ", b".")) or line.endswith((b" ", b"\t"))]


@given(LINES, LINES)
def test_subject_and_senders_name_read_back_as_they_were(subject: str, name: str) -> None:
    data = mime.build(headers(subject=subject, from_name=name), "x\n")
    head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 76 or line.startswith((b'From: "', b' "')) for line in head)  # a quoted name stays whole
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert message["Subject"] == " ".join(filter(None, subject.split(" ")))
    assert message["From"].addresses[0].addr_spec == "letters@agency.example"
    assert len(message.keys()) == 9


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Agency", "From: Agency <letters@agency.example>"),
        ("Agency, Inc.", 'From: "Agency, Inc." <letters@agency.example>'),
        ('The "A" \\ B', r'From: "The \"A\" \\ B" <letters@agency.example>'),
        ("Agence de sécurité", "From: Agence de =?utf-8?q?s=C3=A9curit=C3=A9?= <letters@agency.example>"),
        ("Sûreté, Inc.", "From: =?utf-8?q?S=C3=BBret=C3=A9=2C_Inc=2E?= <letters@agency.example>"),
        ("=?utf-8?q?x?=", "From: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <letters@agency.example>"),
        ("", "From: <letters@agency.example>"),
    ],
)
def test_a_name_is_atoms_or_quoted_or_encoded(name: str, line: str) -> None:
    assert mime.build(headers(from_name=name), "x\n").decode().split("\r\n")[0] == line


def test_a_word_that_looks_encoded_is_encoded_so_that_it_reads_as_written() -> None:
    subject = "see =?utf-8?q?evil?= here"
    assert _parsed(mime.build(headers(subject=subject), "x\n"))["Subject"] == subject


def test_long_headers_are_folded_between_words() -> None:
    subject = "mots en français, et d'autres mots " * 8
    data = mime.build(headers(subject=subject.strip()), "x\n")
    folded = data[data.index(b"Subject:") : data.index(b"\r\nMessage-ID")].split(b"\r\n")
    assert len(folded) > 3
    assert all(len(line) <= 76 for line in folded)
    assert all(line.startswith(b" ") for line in folded[1:])
    assert _parsed(data)["Subject"] == subject.strip()


@pytest.mark.parametrize(
    "field", ["from_name", "from_mailbox", "reply_to", "to", "subject", "message_id", "content_language", "in_reply_to"]
)
def test_no_header_can_be_injected(field: str) -> None:
    good = getattr(headers(in_reply_to="<b@agency.example>"), field)
    controls = ("\r", "\n", "\r\nBcc: a@b.example", "\x00", "\x0b", "\x85", "\u2028", "\ud800")
    for control, place in product(controls, (0, 3, len(good))):
        text = good[:place] + control + good[place:]
        with pytest.raises(ValueError, match=r"."):
            mime.build(headers(**{"in_reply_to": "<b@agency.example>", field: text}), "x\n")


@pytest.mark.parametrize("control", ["\r", "\x00", "\t", "\x1b", "\u2029"])
def test_the_text_has_no_control_character_but_newline(control: str) -> None:
    with pytest.raises(ValueError, match="control"):
        mime.build(headers(), f"a{control}b\n")


@pytest.mark.parametrize(
    ("mailbox", "spelled"),
    [
        ("Abuse@Net.Example", "Abuse@Net.Example"),
        ("abuse@exämple.example", "abuse@xn--exmple-cua.example"),
        ("abuse@xn--exmple-cua.example", "abuse@xn--exmple-cua.example"),
        ("a.b+c@net.example", "a.b+c@net.example"),
        ("a..b@net.example", '"a..b"@net.example'),
        ('"a b"@net.example', '"a b"@net.example'),
        ("réseau@exämple.example", "réseau@xn--exmple-cua.example"),
    ],
)
def test_a_mailbox_is_spelled_as_servers_know_it(mailbox: str, spelled: str) -> None:
    assert mime.mailbox(mailbox) == spelled


@pytest.mark.parametrize(
    "mailbox",
    [
        "",
        "abuse",
        "@net.example",
        "abuse@",
        "abuse@localhost",
        "abuse@net..example",
        "abuse@-net.example",
        "abuse@net example",
        "abuse@net.example>",
        "abuse@net.example, b@net.example",
        "a b@net.example",
        'a"b@net.example',
        '"a"b"@net.example',
        "a\u202eb@net.example",
        "a\u00a0b@net.example",
        "ü" * 33 + "@net.example",  # 66 bytes
        "=?utf-8?q?a?=@net.example",  # some readers would decode it
        "abuse@straße.example",  # one standard reads strasse, the other keeps the letter: two different names
        "x" * 65 + "@net.example",
        "a@" + "x" * 60 + ("." + "x" * 60) * 4 + ".example",
    ],
)
def test_what_is_no_mailbox_or_would_reach_another_is_refused(mailbox: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mime.mailbox(mailbox)
