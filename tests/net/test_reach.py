"""Which addresses a connection may be made to, when the address came from outside."""

from ipaddress import ip_address

import pytest

from pipeline.net.reach import reachable


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "127.0.0.1",
        "0.0.0.0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "3fff::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::1",  # NAT64 of somebody's own, RFC 8215
        "::10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:10.0.0.1",
        "5f00::1",
        "4000::1",
        "2002:a00:1::1",
        "2001::1",
    ],
)
def test_private_and_special_addresses_are_not_reached(address: str) -> None:
    assert not reachable(ip_address(address), allow_loopback=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2600::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses_are_reached(address: str) -> None:
    assert reachable(ip_address(address), allow_loopback=False)


@pytest.mark.parametrize(("address", "free"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False)])
def test_allowing_loopback_allows_nothing_else(address: str, free: bool) -> None:
    assert reachable(ip_address(address), allow_loopback=True) is free


def test_nat64_does_not_lead_to_loopback_even_where_loopback_is_allowed() -> None:
    assert not reachable(ip_address("64:ff9b::127.0.0.1"), allow_loopback=True)
