"""The longest match over the sandbox's networks."""

from ipaddress import ip_address
from random import Random

import pytest

from pipeline.sandbox.networks import Network, RangeTable, prefixes


def network(first: str, last: str, handle: str = "") -> Network:
    return Network(ip_address(first), ip_address(last), "ripencc", handle or f"{first}-{last}")


OUTER = network("192.0.2.0", "192.0.2.255", "OUTER")
MIDDLE = network("192.0.2.64", "192.0.2.127", "MIDDLE")
INNER = network("192.0.2.64", "192.0.2.64", "INNER")
LAST = network("255.255.255.0", "255.255.255.255", "LAST")
SIX = network("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "SIX")
TABLE = RangeTable([INNER, SIX, OUTER, LAST, MIDDLE])


@pytest.mark.parametrize(
    ("address", "handle"),
    [
        ("192.0.1.255", None),
        ("192.0.2.0", "OUTER"),
        ("192.0.2.63", "OUTER"),
        ("192.0.2.64", "INNER"),
        ("192.0.2.65", "MIDDLE"),
        ("192.0.2.127", "MIDDLE"),
        ("192.0.2.128", "OUTER"),
        ("192.0.2.255", "OUTER"),
        ("192.0.3.0", None),
        ("255.255.255.255", "LAST"),
        ("::", None),
        ("::c000:240", None),
        ("2001:db8::7", "SIX"),
        ("2001:db9::", None),
    ],
)
def test_the_narrowest_network_around_an_address_is_found(address: str, handle: str | None) -> None:
    found = TABLE.find(ip_address(address))
    assert (found.handle if found else None) == handle


@pytest.mark.parametrize(
    ("first", "last", "handle"),
    [
        ("192.0.2.64", "192.0.2.64", "INNER"),
        ("192.0.2.64", "192.0.2.65", "MIDDLE"),
        ("192.0.2.64", "192.0.2.128", "OUTER"),
        ("192.0.2.64", "192.0.3.0", None),
    ],
)
def test_a_range_is_found_in_the_narrowest_network_that_holds_it_whole(
    first: str, last: str, handle: str | None
) -> None:
    found = TABLE.find(ip_address(first), ip_address(last))
    assert (found.handle if found else None) == handle


def test_a_parent_is_the_narrowest_network_around_and_roots_have_none() -> None:
    assert [TABLE.parent(n) for n in (INNER, MIDDLE, OUTER)] == [MIDDLE, OUTER, None]
    assert {n.handle for n in TABLE.roots()} == {"OUTER", "LAST", "SIX"}


def test_bisection_finds_what_looking_at_every_network_finds() -> None:
    chance = Random(7)
    nested = [network("192.0.2.0", "192.0.2.255", "ALL")]
    for n in range(40):
        host = chance.choice(nested)
        low, high = sorted(chance.choices(range(int(host.start), int(host.end) + 1), k=2))
        inner = Network(ip_address(low), ip_address(high), "arin", f"N{n}")
        try:
            RangeTable([*nested, inner])
        except ValueError:
            continue
        nested.append(inner)
    table = RangeTable(nested)
    assert len(nested) > 10
    for number in range(int(nested[0].start), int(nested[0].end) + 1):
        holding = [n for n in nested if int(n.start) <= number <= int(n.end)]
        assert table.find(ip_address(number)) == min(holding, key=lambda n: int(n.end) - int(n.start))


@pytest.mark.parametrize(
    ("networks", "problem"),
    [
        ([OUTER, network("192.0.2.200", "192.0.3.10", "ACROSS")], "overlap"),
        ([OUTER, network("192.0.2.0", "192.0.2.255", "SAME")], "same range"),
        ([OUTER, network("192.0.3.0", "192.0.3.255", "OUTER")], "stands twice"),
    ],
)
def test_networks_that_contradict_each_other_are_refused(networks: list[Network], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RangeTable(networks)


def test_a_range_need_not_be_one_prefix() -> None:
    odd = network("192.0.2.1", "192.0.2.6")
    assert [str(p) for p in prefixes(odd)] == ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6/32"]
    with pytest.raises(ValueError, match="version"):
        prefixes(network("192.0.2.1", "2001:db8::"))
