"""Text to an address: strict, folded, and never one that belongs to nobody."""

from ipaddress import ip_address

import pytest

from pipeline.ingest.addresses import address_rule, special_purpose
from pipeline.ingest.rejects import Reason

BAD, SPECIAL = Reason.ADDRESS_BAD, Reason.ADDRESS_SPECIAL
MULTICAST, DOCUMENTATION = Reason.ADDRESS_MULTICAST, Reason.ADDRESS_DOCUMENTATION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.255", "203.0.113.255"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8::192.0.2.1", "2001:db8::c000:201"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:0201", "192.0.2.1"),
    ],
)
def test_an_address_is_read_and_a_mapped_one_is_folded_to_ipv4(text: str, expected: str) -> None:
    assert address_rule(allow_documentation=True)(text) == ip_address(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.ADDRESS_MISSING),
        ("192.0.2.01", BAD),
        ("0192.0.2.1", BAD),
        ("192.0.2", BAD),
        ("192.0.2.256", BAD),
        ("0xc0000201", BAD),
        ("3221225985", BAD),
        ("１９２.0.2.1", BAD),
        ("192.0.2.1\0", BAD),
        ("192.0.2.1 ", BAD),
        ("host.example", BAD),
        ("2001:db8::1%eth0", BAD),
        ("2001:db8:::1", BAD),
        ("x" * 100_000, BAD),
        ("192.0.2.0/24", Reason.ADDRESS_NETWORK),
        ("192.0.2.1/32", Reason.ADDRESS_NETWORK),
        ("2001:db8::/32", Reason.ADDRESS_NETWORK),
        ("host.example/24", BAD),
        ("192.0.2.0/", BAD),
    ],
)
def test_what_is_not_exactly_one_address_is_rejected(text: str, reason: Reason) -> None:
    assert address_rule(allow_documentation=True)(text) is reason


# What `ipaddress` calls global and is not (224.0.0.1, ff02::1, fec0::1, 2002:..., 64:ff9b::...) is in the table too.
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0", SPECIAL),
        ("0.4.104.59", SPECIAL),
        ("10.0.0.1", SPECIAL),
        ("100.64.0.1", SPECIAL),
        ("127.0.0.7", SPECIAL),
        ("169.254.1.1", SPECIAL),
        ("172.31.255.255", SPECIAL),
        ("192.0.0.1", SPECIAL),
        ("192.88.99.28", SPECIAL),
        ("192.168.0.1", SPECIAL),
        ("198.19.255.255", SPECIAL),
        ("224.0.0.1", MULTICAST),
        ("239.255.255.255", MULTICAST),
        ("240.0.0.1", SPECIAL),
        ("255.255.255.255", SPECIAL),
        ("::", SPECIAL),
        ("::1", SPECIAL),
        ("::192.0.2.1", SPECIAL),
        ("::ffff:10.0.0.1", SPECIAL),
        ("::ffff:224.0.0.1", MULTICAST),
        ("64:ff9b::8.8.8.8", SPECIAL),
        ("100::1", SPECIAL),
        ("2001:0:5ef5:79fd::1", SPECIAL),
        ("2002:0a00:1::1", SPECIAL),
        ("4000::1", SPECIAL),
        ("fc00::1", SPECIAL),
        ("fe80::1", SPECIAL),
        ("fec0::1", SPECIAL),
        ("ff02::1", MULTICAST),
        ("192.0.2.1", DOCUMENTATION),
        ("198.51.100.1", DOCUMENTATION),
        ("203.0.113.1", DOCUMENTATION),
        ("2001:db8::1", DOCUMENTATION),
    ],
)
def test_space_that_belongs_to_nobody_is_rejected_by_its_kind(text: str, reason: Reason) -> None:
    assert address_rule()(text) is reason
    lenient = address_rule(allow_documentation=True)(text)
    assert (lenient is reason) is (reason is not DOCUMENTATION)


def test_the_neighbours_of_every_special_range_are_judged_as_the_table_says() -> None:
    rule = address_rule()
    table = special_purpose()
    for network, reason in table:
        first, last = network.network_address, network.broadcast_address
        inner = [other for other, _ in table if other.version == network.version and first in other]
        assert rule(str(first)) is (reason if inner[0] == network else dict(table)[inner[0]])
        for neighbour in (int(first) - 1, int(last) + 1):
            if 0 <= neighbour < 1 << network.max_prefixlen:
                address = type(first)(neighbour)
                special = any(other.version == network.version and address in other for other, _ in table)
                assert isinstance(rule(str(address)), Reason) is special
