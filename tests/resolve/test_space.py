"""Which addresses a registry can be asked about."""

from ipaddress import IPv4Address, ip_address

import pytest

from pipeline.resolve import space
from pipeline.resolve.space import embedded_ipv4, lookup_address, special_purpose


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0", "this-network"),
        ("10.255.255.255", "private"),
        ("100.64.0.1", "shared"),
        ("127.0.0.1", "loopback"),
        ("169.254.0.1", "link-local"),
        ("172.31.255.255", "private"),
        ("192.0.0.9", "protocol"),
        ("192.0.2.1", "documentation"),
        ("192.31.196.1", "as112"),
        ("192.52.193.1", "protocol"),
        ("192.88.99.1", "relay-anycast"),
        ("192.168.1.1", "private"),
        ("192.175.48.1", "as112"),
        ("198.19.255.255", "benchmark"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("64:ff9b:1::1", "private"),
        ("100::1", "discard"),
        ("100:0:0:1::1", "discard"),
        ("2001:1::1", "protocol"),
        ("2001:2::1", "benchmark"),
        ("2001:4:112::1", "as112"),
        ("2001:10::1", "orchid"),
        ("2001:20::1", "orchid"),
        ("2001:db8::1", "documentation"),
        ("2620:4f:8000::1", "as112"),
        ("3fff:fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("5f00::1", "segment-routing"),
        ("fc00::1", "private"),
        ("fe80::1", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
    ],
)
def test_special_purpose_space_is_never_asked_about(text: str, reason: str) -> None:
    assert lookup_address(ip_address(text)) == (None, reason)


@pytest.mark.parametrize(
    "text",
    [
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2620:4f:8001::1",
        "3fff:1000::1",
    ],
)
def test_the_neighbours_of_special_space_are_asked_about(text: str) -> None:
    assert lookup_address(ip_address(text)) == (ip_address(text), "")


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2002:c000:201:1::1", "192.0.2.1"),
        ("64:ff9b::c000:201", "192.0.2.1"),
        # RFC 4380 section 4: the client's address stands there with every bit turned
        ("2001:0:cb00:7101:0:fbff:3fff:fdfe", "192.0.2.1"),
        ("2001:db8::c000:201", None),
        ("192.0.2.1", None),
    ],
)
def test_the_ipv4_address_inside_is_found(text: str, inner: str | None) -> None:
    assert embedded_ipv4(ip_address(text)) == (IPv4Address(inner) if inner else None)


def test_the_address_inside_is_the_one_that_is_looked_up() -> None:
    assert lookup_address(ip_address("::ffff:9.9.9.9")) == (ip_address("9.9.9.9"), "")
    assert lookup_address(ip_address("2002:a00:1::")) == (None, "private")


@pytest.mark.parametrize("text", ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"])
def test_documentation_space_passes_only_where_it_is_allowed(text: str) -> None:
    assert lookup_address(ip_address(text), allow_documentation=True) == (ip_address(text), "")
    assert lookup_address(ip_address(text)) == (None, "documentation")


def test_allowing_documentation_space_allows_nothing_else() -> None:
    assert lookup_address(ip_address("10.0.0.1"), allow_documentation=True) == (None, "private")


def test_what_only_the_second_opinion_knows_is_still_special() -> None:
    assert special_purpose(ip_address("10.9.8.7"), table=()) == "private-use-networks"
    assert special_purpose(ip_address("9.9.9.9"), table=()) == ""


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("::ffff:198.51.100.1", "mapped"),
        ("2002:c633:6401::1", "6to4"),
        ("64:ff9b::198.51.100.2", "nat64"),
        ("2001:0:53aa:64c::39cc:9bff", "teredo"),
        ("2001:db8::1", ""),
        ("192.0.2.1", ""),
    ],
)
def test_how_an_ipv4_address_is_carried_is_told(text: str, how: str) -> None:
    assert space.carrier(ip_address(text)) == how


def test_the_registrys_entry_of_a_special_purpose_range_is_told() -> None:
    row = space.special_range(ip_address("192.0.2.7"))
    assert row is not None
    assert (row.network, row.name) == ("192.0.2.0/24", "Documentation (TEST-NET-1)")
    assert "RFC 5737" in row.source
    assert space.special_range(ip_address("192.0.3.1")) is None
