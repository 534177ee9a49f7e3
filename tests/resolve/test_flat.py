"""Which of overlapping networks answers for an address."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Address
from pipeline.resolve.flat import Flat, narrowest

LAST4, LAST6 = (1 << 32) - 1, (1 << 128) - 1


@dataclass(frozen=True)
class Net:
    name: str
    version: int
    first: int
    last: int


def net(name: str, first: str, last: str) -> Net:
    start, end = ip_address(first), ip_address(last)
    return Net(name, start.version, int(start), int(end))


OUTER = net("outer", "192.0.2.0", "192.0.2.255")
INNER = net("inner", "192.0.2.64", "192.0.2.127")
ACROSS = net("across", "192.0.2.120", "192.0.2.200")  # begins in INNER and ends behind it; wider than INNER
SIX = net("six", "2001:db8::", "2001:db8::ffff")


def names(found: dict[Address, Net]) -> dict[str, str]:
    return {str(address): network.name for address, network in found.items()}


def oracle(version: int, number: int, networks: Sequence[Net]) -> Net | None:
    """Look at every network: the narrowest that holds the number, of equal ones the first given."""
    around = [one for one in networks if one.version == version and one.first <= number <= one.last]
    return min(around, key=lambda one: one.last - one.first, default=None)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.1.255", None),
        ("192.0.2.0", "outer"),
        ("192.0.2.63", "outer"),
        ("192.0.2.64", "inner"),
        ("192.0.2.120", "inner"),
        ("192.0.2.127", "inner"),
        ("192.0.2.128", "across"),
        ("192.0.2.200", "across"),
        ("192.0.2.201", "outer"),
        ("192.0.2.255", "outer"),
        ("192.0.3.0", None),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("2001:db8::", "six"),
        ("2001:db8::ffff", "six"),
        ("2001:db8::1:0", None),
    ],
)
def test_the_narrowest_network_answers_up_to_its_very_ends(address: str, name: str | None) -> None:
    table = Flat([OUTER, ACROSS, INNER, SIX])
    one = ip_address(address)
    found = table.find(one.version, int(one))
    assert (found.name if found else None) == name
    assert names(table.assign([one])) == ({address: name} if name else {})


def test_of_equally_wide_networks_the_first_given_answers() -> None:
    old, new = net("old", "192.0.2.0", "192.0.2.15"), net("new", "192.0.2.0", "192.0.2.15")
    shifted = net("shifted", "192.0.2.8", "192.0.2.23")
    addresses = [ip_address("192.0.2.5"), ip_address("192.0.2.9"), ip_address("192.0.2.20")]
    assert list(names(narrowest(addresses, [new, old, shifted])).values()) == ["new", "new", "shifted"]
    assert list(names(narrowest(addresses, [shifted, old, new])).values()) == ["old", "shifted", "shifted"]


def test_one_number_in_two_families_is_two_addresses() -> None:
    low = Net("low", 6, 0, LAST4)
    four, six = IPv4Address(7), IPv6Address(7)
    both: list[Address] = [four, six]
    assert narrowest(both, [low]) == {six: low}
    assert narrowest(both, [Net("four", 4, 7, 7)]) == {four: Net("four", 4, 7, 7)}


def test_the_ends_of_the_number_space_are_found() -> None:
    all4, all6 = Net("all4", 4, 0, LAST4), Net("all6", 6, 0, LAST6)
    addresses: list[Address] = [IPv4Address(0), IPv4Address(LAST4), IPv6Address(0), IPv6Address(LAST6)]
    assert [one.name for one in narrowest(addresses, [all4, all6]).values()] == ["all4", "all4", "all6", "all6"]


def test_no_networks_and_ranges_that_end_before_they_begin_answer_for_nothing() -> None:
    address = ip_address("192.0.2.5")
    backwards = Net("backwards", 4, int(address) + 1, int(address))
    assert narrowest([address], []) == narrowest([], [OUTER]) == narrowest([address], [backwards]) == {}
    assert Flat([]).find(4, 0) is None
    assert narrowest([address], [backwards, OUTER]) == {address: OUTER}


def test_an_address_given_twice_is_one_answer_and_the_order_stays() -> None:
    given_ = [ip_address(text) for text in ("192.0.2.70", "192.0.2.1", "192.0.2.70", "192.0.2.66")]
    assert list(names(narrowest(iter(given_), [OUTER, INNER]))) == ["192.0.2.70", "192.0.2.1", "192.0.2.66"]


NUMBERS = st.integers(0, 40) | st.integers(LAST4 - 3, LAST4)
NETS = st.lists(
    st.builds(
        lambda version, one, other: (version, min(one, other), max(one, other)),
        st.sampled_from((4, 6)),
        NUMBERS,
        NUMBERS,
    ),
    max_size=25,
)


def made(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def every(numbers: Iterable[int]) -> list[Address]:
    return [made(version, number) for number in numbers for version in (6, 4)]


@settings(max_examples=300, deadline=None)
@given(NETS, st.lists(NUMBERS, max_size=60))
def test_whatever_overlaps_the_table_says_what_looking_at_every_network_says(
    ranges: list[tuple[int, int, int]], numbers: list[int]
) -> None:
    networks = [Net(str(place), *one) for place, one in enumerate(ranges)]
    addresses = every(numbers)
    expected = {}
    for address in addresses:
        if (one := oracle(address.version, int(address), networks)) is not None:
            expected[address] = one
    assert narrowest(addresses, networks) == expected
    table = Flat(networks)
    assert {a: table.find(a.version, int(a)) for a in addresses} == {a: expected.get(a) for a in addresses}
