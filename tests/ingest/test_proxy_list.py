"""Lists with one address a line: what each form means, and what a line says against itself."""

from datetime import UTC, datetime

import pytest

from pipeline.domain import Observation, Reject
from pipeline.ingest.rejects import Reason
from tests.ingest.written import NOW, read


def said(found: list[Observation | Reject]) -> list[object]:
    return [r.reason if isinstance(r, Reject) else (str(r.address), r.port, r.claim) for r in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("192.0.2.1:8080", ("192.0.2.1", 8080, "proxy")),
        ("  192.0.2.1:8080\t", ("192.0.2.1", 8080, "proxy")),
        ("192.0.2.1", ("192.0.2.1", 0, "proxy")),
        ("192.0.2.1:0", ("192.0.2.1", 0, "proxy")),
        ("192.0.2.1:8080 # good", ("192.0.2.1", 8080, "proxy")),
        ("192.0.2.1 8080", ("192.0.2.1", 8080, "proxy")),
        ("192.0.2.1\t8080\tCA", ("192.0.2.1", 8080, "proxy")),
        ("192.0.2.1,8080,CA", ("192.0.2.1", 8080, "proxy")),
        ("[2001:db8::1]:1080", ("2001:db8::1", 1080, "proxy")),
        ("[2001:db8::1]", ("2001:db8::1", 0, "proxy")),
        ("[::ffff:192.0.2.1]:1080", ("192.0.2.1", 1080, "proxy")),
        ("http://192.0.2.1:8080", ("192.0.2.1", 8080, "http_proxy")),
        ("https://192.0.2.1:8080/", ("192.0.2.1", 8080, "http_connect")),
        ("SOCKS4://192.0.2.1:1080", ("192.0.2.1", 1080, "socks4")),
        ("socks4a://192.0.2.1:1080", ("192.0.2.1", 1080, "socks4")),
        ("socks5h://[2001:db8::1]:1080", ("2001:db8::1", 1080, "socks5")),
        ("ftp://192.0.2.1:21", Reason.CLAIM_UNKNOWN),
        ("2001:db8::1:8080", Reason.ADDRESS_UNBRACKETED),
        ("2001:db8::1", Reason.ADDRESS_UNBRACKETED),
        ("192.0.2.1:8080 => success", ("192.0.2.1", 8080, "proxy")),
        ("192.0.2.1:8080 => failure", Reason.NOT_OPEN),
        ("http://user:secret@192.0.2.1:8080", Reason.NEEDS_LOGIN),
        ("user:secret@192.0.2.1:8080", Reason.NEEDS_LOGIN),
        ("192.0.2.1:", Reason.PORT_BAD),
        ("192.0.2.1:http", Reason.PORT_BAD),
        ("192.0.2.1:65536", Reason.PORT_BAD),
        ("192.0.2.1:08080", Reason.PORT_BAD),
        ("192.0.2.1:８０８０", Reason.PORT_BAD),
        ("192.0.2.0/24", Reason.ADDRESS_NETWORK),
        ("192.0.2.0/24:8080", Reason.ADDRESS_NETWORK),
        ("proxy.example:8080", Reason.ADDRESS_BAD),
        ("10.0.0.1:8080", Reason.ADDRESS_SPECIAL),
        ("[]:80", Reason.ADDRESS_BAD),
        (":80", Reason.ADDRESS_MISSING),
        ("<html>", Reason.ADDRESS_BAD),
        ('{"host":"192.0.2.1","port":80}', Reason.ADDRESS_BAD),
    ],
)
def test_a_line_means_this_or_is_rejected_for_that(line: str, expected: object) -> None:
    assert said(read("ip_port", line, default_claim="proxy")) == [expected]


def test_a_feed_may_say_what_a_scheme_claims() -> None:
    found = read("ip_port", "http://192.0.2.1:80\nhttps://192.0.2.1:443", claims={"HTTP": "proxy"})
    assert said(found) == [("192.0.2.1", 80, "proxy"), ("192.0.2.1", 443, "http_connect")]


def test_without_a_scheme_or_a_claim_of_the_feed_nothing_is_claimed() -> None:
    assert said(read("ip_port", "192.0.2.1:80")) == [Reason.CLAIM_MISSING]


def test_comments_and_empty_lines_are_no_entries() -> None:
    text = "# a\n; b\n// c\n\n \n192.0.2.1:80"
    found = read("ip_port", text, default_claim="proxy")
    assert [row.line for row in found] == [6]


def test_a_list_without_any_time_is_rejected_unless_the_feed_gives_one() -> None:
    assert said(read("ip_port", "192.0.2.1:80", default_claim="proxy", default_observed_at=None)) == [
        Reason.TIME_MISSING
    ]


SPYS = """Proxy list (#2) updated at Fri, 27 Feb 26 07:58:01 +0300
Socks proxy=https://list.example/socks.txt
Support by donations:
IP address:Port CountryCode-Anonymity(Noa/Anm/Hia)-SSL_support(S)-Google_passed(+)

192.0.2.1:999 CO-N-S! +\x20
192.0.2.2:80 HK-A -\x20

Free open HTTP/HTTPS(SSL) proxy list  - TXT format - updated hourly."""


def test_the_spys_text_has_a_header_a_footer_and_the_time_of_its_rows() -> None:
    found = read("ip_port", SPYS, default_claim="http_proxy")
    assert said(found) == [("192.0.2.1", 999, "http_proxy"), ("192.0.2.2", 80, "http_proxy")]
    assert {row.observed_at for row in found if isinstance(row, Observation)} == {
        datetime(2026, 2, 27, 4, 58, 1, tzinfo=UTC)
    }


@pytest.mark.parametrize("when", ["Fri, 27 Feb 30 07:58:01 +0300", "never", "Fri, 27 Feb 26 07:58:01 +9999999", "27"])
def test_a_spys_list_with_an_impossible_time_takes_the_feeds(when: str) -> None:
    found = read("ip_port", SPYS.replace("Fri, 27 Feb 26 07:58:01 +0300", when), default_claim="http_proxy")
    assert [row.observed_at for row in found if isinstance(row, Observation)] == [NOW, NOW]


def test_only_so_much_prose_is_taken_for_the_spys_header() -> None:
    found = read("ip_port", SPYS + "\nprose" * 100, default_claim="http_proxy")
    assert sum(isinstance(row, Reject) for row in found) == 84


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 25, "open_relay")),
        ("192.0.2.1\t7", ("192.0.2.1", 25, "open_relay")),
        ("2001:db8::1", ("2001:db8::1", 25, "open_relay")),
        ("192.0.2.0/31", Reason.ADDRESS_NETWORK),
        ("192.0.2.1:80", Reason.ADDRESS_BAD),
    ],
)
def test_a_list_of_bare_addresses_takes_port_and_claim_from_the_feed(line: str, expected: object) -> None:
    assert said(read("ip", line, default_claim="open_relay", default_port=25)) == [expected]
