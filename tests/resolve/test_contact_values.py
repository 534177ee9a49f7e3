"""What people say of contacts takes one form or is refused with a code; nothing of it can steer a letter."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from pipeline.resolve import contact_values as values
from pipeline.resolve.contact_values import Wrong
from tests.resolve.keys import PRIVATE, PUBLIC


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (values.mailbox, " Abuse@BÜCHER.example ", ("abuse@xn--bcher-kva.example", "Abuse@xn--bcher-kva.example")),
        (values.network, "192.0.2.7", (ip_address("192.0.2.7"), ip_address("192.0.2.7"))),
        (values.network, "192.0.2.0/30", (ip_address("192.0.2.0"), ip_address("192.0.2.3"))),
        (values.network, "192.0.2.1 - 192.0.2.9", (ip_address("192.0.2.1"), ip_address("192.0.2.9"))),
        (values.network, "2001:db8::/127", (ip_address("2001:db8::"), ip_address("2001:db8::1"))),
        (values.network, "10.0.0.0/8", (ip_address("10.0.0.0"), ip_address("10.255.255.255"))),
        (values.country, " ca ", "CA"),
        (values.country, "EU", "EU"),
        (values.language, "fr-CA", "fr_CA"),
        (values.language, "FR_ca, en", "fr_CA,en"),
        (values.language, "en; fr", "en,fr"),
        (values.format_, " CSV", "csv"),
        (values.route, "Digest", "digest"),
        (values.days, "30d", 30),
        (values.days, "7", 7),
        (values.moment, "2027-01-01", datetime(2027, 1, 1, tzinfo=UTC)),
        (values.moment, "2027-01-01T02:00:00+02:00", datetime(2027, 1, 1, tzinfo=UTC)),
        (values.words, "  Rés. d'Exemple\u00a0: « essai » ", "Rés. d'Exemple\u00a0: « essai »"),
        (values.header, "X-Desk:  queue 7 ", ("X-Desk", "queue 7")),
        (values.header, "auto-submitted: auto-generated", ("Auto-Submitted", "auto-generated")),
        (values.header, "X-Auto-Response-Suppress: OOF", ("X-Auto-Response-Suppress", "OOF")),
        (values.headers, "X-B: 2\n\nX-A: 1\n", {"X-A": "1", "X-B": "2"}),
        (values.public_key, PUBLIC, PUBLIC.strip()),
    ],
)
def test_what_is_right_takes_one_form(read: Callable[[str], Any], text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("read", "texts", "code"),
    [
        (
            values.mailbox,
            ("isp.example", "a b@isp.example", "a@isp.example\nBcc: x@y.example", "a@[192.0.2.1]"),
            "mailbox",
        ),
        (
            values.network,
            (*("192.0.2.7/24", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "fe80::1%eth0", "", "isp.example"),),
            "network",
        ),
        (values.network, ("0.0.0.0/0", "10.0.0.0-11.0.0.1", "::/0", "2001::/16"), "too_wide"),
        (values.country, ("Canada", "ZZ", "C", ""), "country"),
        (values.language, ("de", "fr,fr_CA", "", "en en", "fr_CH"), "language"),
        (values.format_, ("html", ""), "format"),
        (values.route, ("none", "CERT"), "route"),
        (values.days, ("0", "-1", "1w", "9999", "", "³"), "days"),
        (values.moment, ("soon", "2027-02-30", "30.6.2027"), "time"),
        (values.moment, ("2027-06-30T14:00:00",), "zone"),
        (values.words, ("a\nb", "a\x00b", "a\u202eb", "\ud800"), "control"),
        (values.words, ("x" * 501,), "too_long"),
        (values.header, ("X-Desk", "X-Desk queue"), "header"),
        (
            values.header,
            (
                *("Bcc: a@isp.example", "Subject: x", "x-desk: 1", "X-: 1", "X-A B: 1"),
                *("X-Auto-Response-Other: 1", "X-Tocsin-Reference: 1", "X-Spam-Status: No", "X-Original-To: a"),
                *("\nX-Desk: 1", "X-Desk\n: 1", ": 1"),
            ),
            "header_name",
        ),
        (
            values.header,
            ("X-Desk: ", "X-Desk: a\nBcc: b", "X-Desk: a\rb", f"X-Desk: {'x' * 201}", "X-Desk: é", "Precedence: high"),
            "header_value",
        ),
        (values.headers, ("X-Ab: 1\nX-AB: 2", "X-A: 1\nX-A: 1"), "double_header"),
        (values.headers, ("\n".join(f"X-N{n}: 1" for n in range(11)),), "headers"),
        (values.public_key, ("a key", ""), "pgp_key"),
        (values.public_key, (PRIVATE,), "private_key"),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(read: Callable[[str], Any], texts: tuple[str, ...], code: str) -> None:
    for text in texts:
        with pytest.raises(Wrong) as refused:
            read(text)
        assert refused.value.code == code, text
