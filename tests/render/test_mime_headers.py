"""The headers of a letter that are long, wished for, threaded, or outside ASCII."""

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.data.asked_headers import NotAsked, asked_header, asked_headers, parted
from pipeline.render import header_fields, mime
from tests.render.written import headers


def written(**changes: Any) -> list[str]:
    """The header lines of a letter, as they are folded."""
    return mime.build(headers(**changes), "x\n").partition(b"\r\n\r\n")[0].decode().split("\r\n")


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


# --- encoded words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        (header_fields.words("Subject", "Un relais"), ["Un", "relais"]),
        (
            header_fields.words("Subject", "Réseau été très " + "réseau " * 8),
            [
                "=?utf-8?q?R=C3=A9seau_=C3=A9t=C3=A9_tr=C3=A8s_r=C3=A9seau_?=",
                *["=?utf-8?q?r=C3=A9seau_r=C3=A9seau_r=C3=A9seau_r=C3=A9seau_r=C3=A9seau_?="],
                "=?utf-8?q?r=C3=A9seau_r=C3=A9seau?=",
            ],
        ),
        (
            header_fields.originator("From", "Agence de sécurité, d'été et d'hiver", "a@b.example"),
            ["Agence", "de", "=?utf-8?q?s=C3=A9curit=C3=A9=2C_d=27=C3=A9t=C3=A9?=", "et", "d'hiver", "<a@b.example>"],
        ),
        (
            header_fields.words("Subject", "é" * 12),
            ["=?utf-8?q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9?=", "=?utf-8?q?=C3=A9=C3=A9=C3=A9?="],
        ),
    ],
)
def test_encoded_words_are_cut_at_spaces_and_only_a_word_too_long_for_one_inside(line: str, tokens: list[str]) -> None:
    assert line.replace("\r\n", "").split(" ")[1:] == tokens


WORDS = st.lists(st.text("aé€😀=?_,.\"'", min_size=1, max_size=12), min_size=1, max_size=12).map(" ".join)


@given(WORDS)
@example("======? =======€ ====ééé€😀😀😀")  # a word in three encoded ones
def test_no_word_that_fits_in_an_encoded_word_is_cut_in_a_senders_name(name: str) -> None:
    line = header_fields.originator("From", name, "a@b.example")
    tokens = line.replace("\r\n", "").split(" ")[1:-1]
    for before, after in pairwise(tokens):
        if before.startswith("=?") and after.startswith("=?"):
            ends, begins = (str(make_header(decode_header(token))) for token in (before, after))
            cut = ends.rpartition(" ")[2] + begins.partition(" ")[0]
            too_long = [word for word in name.split(" ") if len(header_fields._q(word)) > 63]
            assert ends.endswith(" ") or begins.startswith(" ") or any(cut in word for word in too_long)
    if not name.isascii():
        message = email.message_from_bytes(f"{line}\r\n\r\n".encode())
        assert str(make_header(decode_header(message["From"]))) == f"{name} <a@b.example>"
    assert all(len(each) <= 76 or each.startswith(('From: "', ' "')) for each in line.split("\r\n"))


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300))
def test_a_subject_is_folded_into_lines_of_76_and_reads_back(subject: str) -> None:
    line = header_fields.words("Subject", subject)
    assert max(map(len, line.split("\r\n"))) <= 76
    message = email.message_from_bytes(f"{line}\r\n\r\n".encode(), policy=email.policy.default)
    assert message["Subject"] == " ".join(filter(None, subject.split(" ")))


# --- threads ----------------------------------------------------------------------------------------------------------


def test_a_letter_that_replies_refers_to_what_it_replies_to() -> None:
    lines = written(in_reply_to="<first@agency.example>")
    assert lines[lines.index("Message-ID: <a.1@agency.example>") + 1 :][:2] == [
        "In-Reply-To: <first@agency.example>",
        "References: <first@agency.example>",
    ]


def test_references_are_those_given_in_their_order_folded() -> None:
    ids = tuple(f"<{n}.{'x' * 40}@agency.example>" for n in range(3))
    data = mime.build(headers(in_reply_to=ids[-1], references=ids), "x\n")
    assert parsed(data)["References"] == " ".join(ids)
    assert b"References: " + ids[0].encode() + b"\r\n " + ids[1].encode() + b"\r\n " in data
    for wrong in (
        "",
        "a@b.example",
        "<a@b.example> <c@d.example>",
        "<a@b.example>\r\nX: y",
        "<=?utf-8?q?a?=@b.example>",
    ):
        with pytest.raises(ValueError, match="form"):
            mime.build(headers(references=(wrong,)), "x\n")


# --- wished headers ---------------------------------------------------------------------------------------------------

WISHED = {
    "Auto-Submitted": "auto-generated",
    "Feedback-ID": "campaign:notice:first:agency",
    "List-Id": "Secure Your Server <operation.agency.example>",
    "List-Unsubscribe": "<https://agency.example/stop/7k3m>, <mailto:stop@agency.example?subject=7k3m>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Precedence": "bulk",
    "X-Auto-Response-Suppress": "OOF, AutoReply",
    "X-XARF": "PLAIN",
}


def test_a_letter_has_no_header_of_mass_mail_unless_it_was_asked_for() -> None:
    names = [line.partition(":")[0] for line in written() if not line.startswith(" ")]
    assert not [name for name in names if name in WISHED or name.startswith(("List-", "X-", "Auto-"))]
    message = parsed(mime.build(headers(extra=WISHED), "x\n"))
    assert [(name, value) for name, value in message.items() if name not in names] == list(WISHED.items())


def test_wished_headers_stand_in_one_order_however_they_came() -> None:
    there, back = dict(sorted(WISHED.items())), dict(sorted(WISHED.items(), reverse=True))
    assert mime.build(headers(extra=there), "x\n") == mime.build(headers(extra=back), "x\n")
    assert asked_headers({"precedence": "list"}) == {"Precedence": "list"}


def test_a_long_address_in_a_wished_header_is_neither_encoded_nor_cut() -> None:
    url = f"<https://agency.example/{'x' * 800}>"
    value = f"{url}, <mailto:stop@agency.example>"
    lines = written(extra={"List-Unsubscribe": value})
    at = lines.index(f"List-Unsubscribe: {url},")
    assert lines[at + 1] == " <mailto:stop@agency.example>"
    message = parsed(mime.build(headers(extra={"List-Unsubscribe": value}), "x\n"))
    assert message["List-Unsubscribe"] == value


def test_what_no_line_can_hold_is_refused() -> None:
    assert len(header_fields.literal("X-Desk", "x" * 990)) == 998
    with pytest.raises(ValueError, match="cannot be folded"):
        header_fields.literal("X-Desk", "x" * 991)
    longest = "X" + ("-" + "a" * 20) * 5
    assert max(map(len, written(extra={longest: "x" * 800}))) == 908
    with pytest.raises(ValueError, match="header_value"):
        mime.build(headers(extra={"X-Desk": "x" * 801}), "x\n")
    for field in ("from_name", "subject"):  # these can always be folded
        assert max(map(len, written(**{field: "x" * 5000}))) <= 76
        assert max(map(len, written(**{field: "word " * 5000}))) <= 76


@pytest.mark.parametrize(
    "name",
    [
        *(
            "From",
            "To",
            "Cc",
            "Bcc",
            "Sender",
            "Reply-To",
            "Subject",
            "Date",
            "Message-ID",
            "In-Reply-To",
            "References",
        ),
        *(
            "Received",
            "Return-Path",
            "Delivered-To",
            "DKIM-Signature",
            "ARC-Seal",
            "Authentication-Results",
            "MIME-Version",
        ),
        *(
            "Content-Type",
            "Content-Language",
            "Content-Disposition",
            "Resent-From",
            "Resent-Date",
            "List-Post",
            "Comments",
        ),
        *("Disposition-Notification-To", "Errors-To", "Received-SPF", "Autocrypt", "OpenPGP", "Importance", "Priority"),
        *(
            "X-Tocsin-Seal",
            "X-Spam-Flag",
            "X-Received",
            "X-Original-To",
            "X-Envelope-From",
            "X-Forwarded-For",
            "X-Mailer",
        ),
        *(
            "X-Authentication-Warning",
            "X-Google-DKIM-Signature",
            "X-MS-Exchange-Organization-SCL",
            "X-From",
            "X-Sender",
        ),
        *("", " ", "X-", "X", "X-A:", "X-A\r\nBcc", "X-é", "X-A ", " X-A", "X-" + "a" * 21, "X-a-b-c-d-e-f"),
    ],
)
def test_what_structure_identity_trace_or_signature_depends_on_cannot_be_asked_for(name: str) -> None:
    for spelled in (name, name.upper(), name.lower()):
        with pytest.raises(NotAsked) as refused:
            asked_header(spelled, "1")
        assert refused.value.code == "header_name"
    with pytest.raises(ValueError, match="header_name"):
        mime.build(headers(extra={name: "1"}), "x\n")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Auto-Submitted", ("", "yes", "auto-replied", "auto-generated; x", "auto-generated\r\nBcc: a@b.example")),
        ("Precedence", ("", "high", "first-class", "bulk list")),
        ("X-Auto-Response-Suppress", ("", "Some", "All,, OOF", "All;OOF")),
        ("List-Unsubscribe", ("", "https://a.example", "<http://a.example>", "<https://a.example/é>", "<https://a b>")),
        ("List-Unsubscribe-Post", ("", "One-Click")),
        ("List-Id", ("", "a list", "<a b>", '"a" <b.example>')),
        ("Feedback-ID", ("", "a b", "a:b:c:d:e", "a:")),
        ("X-Desk", ("", " ", " 7", "7 ", "é", "a\tb", "a\r\n b", "=?utf-8?q?a?=", "\x7f")),
    ],
)
def test_a_wished_header_says_only_what_its_kind_may_say(name: str, values: tuple[str, ...]) -> None:
    for value in values:
        with pytest.raises(NotAsked) as refused:
            asked_header(name, value)
        assert refused.value.code == "header_value", value


def test_of_an_old_wish_what_may_still_be_asked_for_stands_and_the_rest_is_left_out_with_why() -> None:
    old = {"X-From": "1", "X-Desk": "7", "X-DESK": "8", "precedence": "list", "Precedence": "bulk", "X-Long": "x" * 801}
    allowed, refused = parted(old)
    assert allowed == {"Precedence": "bulk", "X-DESK": "8"}
    assert refused == {
        "X-From": "header_name",
        "X-Long": "header_value",
        "X-Desk": "double_header",
        "precedence": "double_header",
    }
    assert mime.build(headers(extra=allowed), "x\n")
    assert parted({f"X-N{n:02}": "1" for n in range(12)})[1] == {"X-N10": "headers", "X-N11": "headers"}
    assert parted({}) == ({}, {})


def test_no_header_is_asked_for_twice_and_none_too_many_times() -> None:
    for wanted in ({"X-Desk": "1", "X-DESK": "2"}, {"Precedence": "bulk", "precedence": "list"}):
        with pytest.raises(NotAsked, match="double_header"):
            asked_headers(wanted)
    with pytest.raises(NotAsked, match="headers"):
        asked_headers({f"X-N{n}": "1" for n in range(11)})


# --- mailboxes outside ASCII ------------------------------------------------------------------------------------------


def test_a_mailbox_outside_ascii_is_raw_utf8_and_asks_for_smtputf8() -> None:
    international = headers(to="réseau@exämple.example", from_name="Agence des réseaux")
    data = mime.build(international, "é\n")
    assert "To: réseau@xn--exmple-cua.example\r\n".encode() in data
    assert [line for line in data.split(b"\r\n") if not line.isascii()] == [
        "To: réseau@xn--exmple-cua.example".encode()
    ]
    read = parsed(data)["To"].addresses[0].addr_spec  # Python reads a header's bytes as surrogates
    assert read.encode("ascii", "surrogateescape").decode() == "réseau@xn--exmple-cua.example"
    assert mime.needs_smtputf8(international)
    assert mime.needs_smtputf8(headers(from_mailbox="réseau@agency.example"))
    assert mime.needs_smtputf8(headers(reply_to="réseau@agency.example"))
    assert "From: Example Agency <réseau@agency.example>" in written(from_mailbox="réseau@agency.example")


def test_no_other_letter_asks_for_smtputf8() -> None:
    plain = headers(to="abuse@exämple.example", from_name="Agence des réseaux", subject="Signalement\u00a0: été")
    assert not mime.needs_smtputf8(plain)
    assert mime.build(plain, "é\n").isascii()
