"""What a question names."""

from ipaddress import ip_address

import pytest

from pipeline.audit.query import parse, read_target
from pipeline.audit.record import Kind
from pipeline.store.keys import is_reference
from tests.seed import KEYS

REFERENCE = KEYS.reference((1, 2, 1))


def mailbox_key(text: str) -> str | None:
    return None if " " in text or text.count("@") != 1 else text.lower()


@pytest.mark.parametrize(
    ("text", "kind", "normal"),
    [
        ("192.0.2.7", Kind.ADDRESS, "192.0.2.7"),
        (" 2001:DB8::7 ", Kind.ADDRESS, "2001:db8::7"),
        ("[2001:db8::7]", Kind.ADDRESS, "2001:db8::7"),
        ("::ffff:192.0.2.7", Kind.ADDRESS, "192.0.2.7"),
        ("192.0.2.7/24", Kind.NETWORK, "192.0.2.0/24"),
        ("2001:db8::/32", Kind.NETWORK, "2001:db8::/32"),
        ("Abuse@ISP.example", Kind.EMAIL, "abuse@isp.example"),
        ("<abc@agency.example>", Kind.MESSAGE_ID, "<abc@agency.example>"),
        ("a@b@c", Kind.MESSAGE_ID, "<a@b@c>"),
        (REFERENCE.lower(), Kind.REFERENCE, REFERENCE),
    ],
)
def test_a_question_is_known_by_its_form(text: str, kind: Kind, normal: str) -> None:
    query = parse(text, is_reference, mailbox_key)
    assert query is not None
    assert (query.kind, query.text) == (kind, normal)


@pytest.mark.parametrize(
    "text", ["", "   ", "isp.example", "192.0.2.256", "192.0.2.0/33", "fe80::1%eth0", REFERENCE[:-1] + "-", "x" * 2_000]
)
def test_what_names_nothing_is_no_question(text: str) -> None:
    assert parse(text, is_reference, mailbox_key) is None


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:8080", "192.0.2.7", 8080),
        ("[2001:db8::7]:25", "2001:db8::7", 25),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("2001:db8::7", "2001:db8::7", None),
        ("192.0.2.7:0", "192.0.2.7", 0),
    ],
)
def test_a_target_is_an_address_with_or_without_a_port(text: str, address: str, port: int | None) -> None:
    assert read_target(text) == (ip_address(address), port)


@pytest.mark.parametrize(
    "text", ["", "192.0.2.7:", "192.0.2.7:65536", "[192.0.2.7]:25", "isp.example:25", "192.0.2.0/24", "[2001:db8::7]:x"]
)
def test_what_is_no_target_is_refused(text: str) -> None:
    assert read_target(text) is None
