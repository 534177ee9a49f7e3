"""How far an answer reaches, and how registries write ranges."""

from ipaddress import ip_address

import pytest

from pipeline.resolve.scope import (
    Range,
    ScopeCaps,
    cached_range,
    is_wide,
    joined,
    plain_address,
    prefix_range,
    read_address,
    read_range,
)


def span(first: str, last: str) -> Range:
    return ip_address(first), ip_address(last)


@pytest.mark.parametrize(
    ("registered", "queried", "prefix", "cached"),
    [
        (span("0.0.0.0", "255.255.255.255"), "203.0.113.9", 20, span("203.0.112.0", "203.0.127.255")),
        (span("203.0.113.0", "203.0.113.127"), "203.0.113.9", 20, span("203.0.113.0", "203.0.113.127")),
        (span("203.0.113.5", "203.0.255.255"), "203.0.113.9", 24, span("203.0.113.5", "203.0.113.255")),
        (span("203.0.0.0", "203.0.113.10"), "203.0.113.9", 24, span("203.0.113.0", "203.0.113.10")),
        (
            span("2001:db8::", "2001:dbf:ffff::"),
            "2001:db8:55::1",
            40,
            span("2001:db8::", "2001:db8:ff:" + "ffff:" * 4 + "ffff"),
        ),
        (span("203.0.113.9", "203.0.113.9"), "203.0.113.9", 20, span("203.0.113.9", "203.0.113.9")),
    ],
)
def test_the_cached_range_is_the_registered_one_cut_to_the_cap(
    registered: Range, queried: str, prefix: int, cached: Range
) -> None:
    assert cached_range(registered, ip_address(queried), prefix) == cached


def test_slow_registries_have_wider_caps_and_registry_blocks_narrower_ones() -> None:
    caps = ScopeCaps()
    assert (caps.prefix(4, "arin", False), caps.prefix(6, "arin", False)) == (20, 40)
    assert caps.prefix(4, "lacnic", False) < 20
    assert caps.prefix(6, "lacnic", False) < 40
    assert caps.prefix(4, "lacnic", True) == 24
    assert caps.prefix(6, "arin", True) == 48


@pytest.mark.parametrize(
    "caps", [{"v4": 8}, {"v4": 0}, {"v4": 33}, {"v6": 12}, {"v6": 0}, {"slow_v4": 8}, {"block_v6": 0}]
)
def test_a_cap_that_would_cache_a_whole_registry_block_is_refused(caps: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cap lies between"):
        ScopeCaps(**caps)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.000.002.010", "192.0.2.10"),  # decimal, not octal
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.0/32", "192.0.2.0"),
        ("2001:0DB8:010C::", "2001:db8:10c::"),
        ("192.0.2", None),
        ("192.0.2.256", None),
        ("192.0.2.0001", None),
        ("192.0.2.１", None),
        ("", None),
        ("none", None),
        (":" * 60, None),
    ],
)
def test_an_address_is_read_as_registries_write_it(text: str, address: str | None) -> None:
    assert read_address(text) == (ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.0 - 192.0.2.255", span("192.0.2.0", "192.0.2.255")),
        ("192.0.2.0-192.0.2.255", span("192.0.2.0", "192.0.2.255")),
        ("192.0.2.64/28", span("192.0.2.64", "192.0.2.79")),
        ("192.0/16", span("192.0.0.0", "192.0.255.255")),
        ("192/8", span("192.0.0.0", "192.255.255.255")),
        ("2001:db8:1::/48", span("2001:db8:1::", "2001:db8:1:" + "ffff:" * 4 + "ffff")),
        ("192.0.2.7", span("192.0.2.7", "192.0.2.7")),
        ("192.0.2.9 - 192.0.2.1", None),
        ("192.0.2.0 - 2001:db8::", None),
        ("192.0.2.0/33", None),
        ("192.0.2.0/x", None),
        ("NET-192-0-2-0-1", None),
    ],
)
def test_a_range_is_read_as_registries_write_it(text: str, found: Range | None) -> None:
    assert read_range(text) == found


@pytest.mark.parametrize(
    ("length", "last"), [(26, "192.0.2.63"), ("26", "192.0.2.63"), (None, ""), (True, ""), (99, ""), ("1e1", "")]
)
def test_a_prefix_length_may_be_a_number_or_its_text(length: object, last: str) -> None:
    expected = span("192.0.2.0", last) if last else None
    assert prefix_range(ip_address("192.0.2.0"), length) == expected


def test_touching_parts_are_one_run_and_a_gap_ends_it() -> None:
    parts = [
        span("192.0.2.64", "192.0.2.127"),
        span("192.0.2.0", "192.0.2.63"),
        span("192.0.2.192", "192.0.2.255"),
        span("2001:db8::", "2001:db8::1"),
    ]
    assert joined(parts, ip_address("192.0.2.70")) == span("192.0.2.0", "192.0.2.127")
    assert joined(parts, ip_address("192.0.2.200")) == span("192.0.2.192", "192.0.2.255")
    assert joined(parts, ip_address("192.0.2.150")) is None
    assert joined([], ip_address("192.0.2.150")) is None


def test_a_block_as_wide_as_a_registry_is_known_by_its_size() -> None:
    assert is_wide(span("203.0.0.0", "203.255.255.255"))
    assert not is_wide(span("203.0.0.0", "203.127.255.255"))
    assert is_wide(span("2000::", "200f:" + "ffff:" * 6 + "ffff"))
    assert not is_wide(span("2001:db8::", "2001:db8:" + "ffff:" * 5 + "ffff"))


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("192.0.2.0", True),
        ("0.0.0.0", True),
        ("255.255.255.255", True),
        ("2001:db8::", True),
        ("2001:DB8:0:0:0:0:0:1", True),
        ("::ffff:192.0.2.1", True),
        ("192.000.002.000", False),
        ("192.0.2.256", False),
        ("192.0.2", False),
        ("192.0.2.0/32", False),
        (" 192.0.2.0", False),
        ("192.0.2.0\n", False),
        ("٣.0.2.0", False),
        ("fe80::1%eth0", False),
        ("2001:db8::/32", False),
        ("::" * 40, False),
        ("", False),
    ],
)
def test_an_address_is_plain_if_it_is_written_as_ipaddress_would_read_it(text: str, is_plain: bool) -> None:
    assert plain_address(text) == (ip_address(text) if is_plain else None)
