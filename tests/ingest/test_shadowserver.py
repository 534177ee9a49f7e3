"""Report files with tags: what a tag claims, and what looks like a proxy and is none."""

from datetime import UTC, datetime

import pytest

from pipeline.domain import Observation, Reject
from pipeline.ingest.rejects import Reason
from tests.ingest.written import read

HEADER = '"timestamp","ip","protocol","port","hostname","tag","http_code","via"'


def row(tag: str, code: str = "200", address: str = "192.0.2.1") -> str:
    return f'"2026-02-28 10:00:00",{address},tcp,3128,host.example,{tag},{code},"1.1 proxy ""a"", b"'


@pytest.mark.parametrize(
    ("tag", "code", "expected"),
    [
        ("http-connect-proxy", "200", ("http_connect", "http")),
        ("socks4", "", ("socks4", "socks4")),
        ("socks5", "", ("socks5", "socks5")),
        ("ipv6;socks5", "", ("socks5", "socks5")),
        ("SOCKS5", "", ("socks5", "socks5")),
        ("http-connect-proxy-closed", "407", Reason.NOT_OPEN),
        ("http-connect-proxy-closed", "", Reason.NOT_OPEN),
        ("http-connect-proxy", "407", Reason.NOT_OPEN),
        ("openresolver", "", Reason.CLAIM_UNKNOWN),
        ("", "200", Reason.CLAIM_MISSING),
    ],
)
def test_a_tag_is_a_claim_and_a_login_is_no_exposure(tag: str, code: str, expected: object) -> None:
    [found] = read("shadowserver", f"{HEADER}\n{row(tag, code)}")
    assert (found.reason if isinstance(found, Reject) else (found.claim, found.service)) == expected


def test_times_without_a_zone_are_utc_and_ports_come_with_them() -> None:
    [found] = read("shadowserver", f"{HEADER}\n{row('socks5')}", default_observed_at=None)
    assert isinstance(found, Observation)
    assert (found.observed_at, found.port, found.transport) == (datetime(2026, 2, 28, 10, tzinfo=UTC), 3128, "tcp")


def test_columns_may_come_in_any_order_and_in_any_number() -> None:
    text = '"tag","severity","port","ip","timestamp"\nsocks4,medium,1080,192.0.2.1,"2026-02-28 10:00:00"'
    [found] = read("shadowserver", text)
    assert isinstance(found, Observation)
    assert (str(found.address), found.port, found.claim) == ("192.0.2.1", 1080, "socks4")


def test_the_blocklist_report_is_reputation_and_its_networks_are_rejected() -> None:
    text = (
        '"timestamp","ip","hostname","source","reason","asn","tag"\n'
        '"2026-02-28 10:00:00","192.0.2.1",host.example,"A List","Malicious Host",64496,\n'
        '"2026-02-28 10:00:00","192.0.2.0/24",,"A List","Malicious Host",64496,\n'
    )
    found = read("shadowserver", text)
    assert [r.reason if isinstance(r, Reject) else r.claim for r in found] == ["reputation", Reason.ADDRESS_NETWORK]


def test_a_report_without_the_address_column_is_rejected_whole() -> None:
    found = read("shadowserver", '"timestamp","src_ip","tag"\n"2026-02-28",192.0.2.1,socks5')
    assert [r.reason for r in found if isinstance(r, Reject)] == [Reason.HEADER_MISSING] * 2


def test_a_column_that_is_there_twice_is_not_guessed() -> None:
    text = '"timestamp","ip","port","port","tag"\n"2026-02-28",192.0.2.1,80,81,socks5'
    assert [r.reason for r in read("shadowserver", text) if isinstance(r, Reject)] == [Reason.HEADER_MISSING] * 2


def test_a_scan_with_a_source_and_a_reason_is_still_read_by_its_tag() -> None:
    text = '"timestamp","ip","port","source","reason","tag"\n"2026-02-28",192.0.2.1,1080,x,y,socks5'
    [found] = read("shadowserver", text)
    assert isinstance(found, Observation)
    assert found.claim == "socks5"


def test_a_feed_may_declare_further_tags_and_columns() -> None:
    text = '"timestamp","src_ip","tag"\n"2026-02-28",192.0.2.1,open-proxy'
    [found] = read("shadowserver", text, columns={"address": "src_ip"}, claims={"open-proxy": "proxy"})
    assert isinstance(found, Observation)
    assert found.claim == "proxy"
