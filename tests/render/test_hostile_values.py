"""Whatever stands in a name, a mailbox, a text, a file or a wished header: a letter has just its own headers and parts."""

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage, Message
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.render import mime
from pipeline.render.mime import Headers

KEY = "<n1.7k3m@agency.example>"

HARMLESS: dict[str, Any] = {
    "from_name": "Example Agency",
    "to": "abuse@net.example",
    "subject": "A report",
    "wish": "7",
    "text": "Text\n",
    "page": "<p>Text</p>\n",
    "table": b"address,port\r\n192.0.2.1,25\r\n",
    "report": b'{"port": 25}\r\n',
}


def _headers(values: dict[str, Any]) -> Headers:
    return Headers(
        from_name=values["from_name"],
        from_mailbox="letters@agency.example",
        reply_to="replies@agency.example",
        to=values["to"],
        subject=values["subject"],
        message_id=KEY,
        content_language="en, fr-CA",
        in_reply_to="<n0.7k3m@agency.example>",
        extra={"X-Desk": values["wish"]},
    )


def _letter(values: dict[str, Any]) -> bytes:
    """A letter with a page, a table and a report."""
    body = mime.multipart("alternative", [mime.text_part(values["text"]), mime.html_part(values["page"])], KEY)
    files = [
        mime.attachment("addresses.csv", "text/csv; charset=utf-8; header=present", values["table"]),
        mime.attachment("report-1.json", "application/json", values["report"]),
    ]
    return mime.build(_headers(values), mime.multipart("mixed", [body, *files], KEY))


def _versions(values: dict[str, Any]) -> bytes:
    """A letter in two languages, each a message of its own, inside a multipart with a file."""
    versions = [
        ("en", values["subject"], values["from_name"], mime.text_part(values["text"])),
        ("fr-CA", values["subject"], values["from_name"], mime.html_part(values["page"])),
    ]
    notice = mime.text_part(values["text"])
    whole = mime.multilingual(notice, versions, KEY, from_mailbox="letters@agency.example")
    file = mime.attachment("addresses.csv", "text/csv; charset=utf-8", values["table"])
    return mime.build(_headers(values), mime.multipart("mixed", [whole, file], KEY))


def _shape(message: Message) -> list[tuple[str, list[str]]]:
    return [(part.get_content_type(), part.keys()) for part in message.walk()]


def _read(data: bytes, harmless: bytes) -> EmailMessage:
    """Return a letter read twice, with the headers and parts of the harmless one and no fault in any of them."""
    old, plain = (email.message_from_bytes(each, policy=email.policy.compat32) for each in (data, harmless))
    assert _shape(old) == _shape(plain)
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert _shape(message) == _shape(plain)
    for part in message.walk():
        assert not part.defects
        assert not [name for name, value in part.items() if value.defects]
        assert not part.preamble
        assert not part.epilogue
    lines = data.split(b"\r\n")
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert not [line for line in lines if line.startswith((b"From ", b".")) or line.endswith((b" ", b"\t"))]
    assert max(map(len, lines)) <= 998
    return message


def _contents(message: EmailMessage) -> list[bytes]:
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [bytes(part.get_payload(decode=True)) for part in leaves]


def _as_lines(text: str) -> bytes:
    return (text.removesuffix("\n") + "\n").replace("\n", "\r\n").encode()


BOUNDARIES = [
    found.decode()
    for data in (_letter(HARMLESS), _versions(HARMLESS))
    for found in re.findall(rb'boundary="([^"]+)"', data)
]
PIECES = [
    *(
        "From ",
        ".",
        "..",
        " ",
        "\u00a0",
        "=",
        "=_",
        "--",
        "--=_",
        "é",
        "=?",
        "?=",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "=0D=0A",
    ),
    *(
        "Bcc: b@b.example",
        "<b@b.example>",
        ">",
        '"',
        "\\",
        ",",
        ";",
        "(",
        "Content-Type: text/html",
        "\u202e",
        "x" * 80,
    ),
    *(f"--{boundary}" for boundary in BOUNDARIES),
    *(f"--{boundary}--" for boundary in BOUNDARIES),
]
VISIBLE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
DELIMITERS = "".join(f"--{boundary}\n\n--{boundary}--\n" for boundary in BOUNDARIES)
WORST = {
    "from_name": "a =?utf-8?q?=0D=0ABcc:_x?= b",
    "subject": f"=?utf-8?q?=0D=0ABcc:_x?= {BOUNDARIES[-1]}",
    "text": DELIMITERS,
    "page": DELIMITERS,
    "table": DELIMITERS.replace("\n", "\r\n").encode(),
    "report": DELIMITERS.encode(),
}
JOINED = st.sampled_from(["", " "])
LINE = st.builds(str.join, JOINED, st.lists(st.sampled_from(PIECES) | st.text(VISIBLE, max_size=9), max_size=6))
TEXT = st.lists(LINE, max_size=5).map("\n".join)
BREAKS = st.sampled_from(
    ["\r", "\n", "\r\n", "\x00", "\x0b", "\x1b", "\x85", "\u2028", "\r\n\r\n", "\r\nBcc: b@b.example"]
)
ANYTHING = st.builds(str.join, JOINED, st.lists(st.sampled_from(PIECES) | BREAKS | st.text(max_size=9), max_size=8))
FILE = st.binary(max_size=80) | ANYTHING.map(lambda text: text.encode("utf-8", "replace"))


@settings(max_examples=80, deadline=None)
@given(
    st.fixed_dictionaries(
        {"from_name": LINE, "subject": LINE, "text": TEXT, "page": TEXT, "table": FILE, "report": FILE}
    )
)
@example(WORST)
def test_texts_files_and_names_read_back_as_given_and_change_no_structure(given_values: dict[str, Any]) -> None:
    values = {**HARMLESS, **given_values}
    message = _read(_letter(values), _letter(HARMLESS))
    assert _contents(message) == [
        *(_as_lines(values[name]) for name in ("text", "page")),
        *(values[name] for name in ("table", "report")),
    ]
    assert message["Subject"] == " ".join(filter(None, values["subject"].split(" ")))
    assert [address.addr_spec for address in message["From"].addresses] == ["letters@agency.example"]
    assert [address.addr_spec for address in message["To"].addresses] == ["abuse@net.example"]


@settings(max_examples=80, deadline=None)
@given(st.fixed_dictionaries({"from_name": LINE, "subject": LINE, "text": TEXT, "page": TEXT, "table": FILE}))
@example(WORST)
def test_versions_in_two_languages_stay_apart_whatever_they_say(given_values: dict[str, Any]) -> None:
    values = {**HARMLESS, **given_values}
    message = _read(_versions(values), _versions(HARMLESS))
    written = [_as_lines(values[name]) for name in ("text", "text", "page")]
    assert _contents(message) == [*written, values["table"]]


@pytest.mark.parametrize("field", sorted(HARMLESS))
@settings(max_examples=40, deadline=None)
@given(value=ANYTHING)
def test_a_value_of_any_kind_is_refused_or_changes_no_structure(field: str, value: str) -> None:
    values = {**HARMLESS, field: value.encode("utf-8", "replace") if isinstance(HARMLESS[field], bytes) else value}
    for write in (_letter, _versions):
        try:
            data = write(values)
        except ValueError:
            assert field not in ("table", "report")
        else:
            _read(data, write(HARMLESS))


@settings(max_examples=100, deadline=None)
@given(st.just("X-Queue") | st.text("X-AaBbCcMmTt:\r\n é_0", max_size=12), ANYTHING | LINE)
@example("X-Queue", "=?utf-8?q?=0D=0ABcc:_x?=")
def test_a_wished_header_is_refused_or_is_one_header_of_its_name(name: str, value: str) -> None:
    headers = _headers(HARMLESS)
    try:
        data = mime.build(replace(headers, extra={name: value}), "x\n")
    except ValueError:
        return
    message = email.message_from_bytes(data, policy=email.policy.default)
    names = email.message_from_bytes(mime.build(headers, "x\n")).keys()
    assert message.keys() == [name if each == "X-Desk" else each for each in names]
    assert message[name] == " ".join(filter(None, value.split(" ")))
