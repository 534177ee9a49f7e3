"""The registries' statistics of what they delegated."""

from ipaddress import ip_address

import pytest

from pipeline.resolve import delegated
from pipeline.resolve.delegated import packed, read, unpacked, whole_lines

STATISTICS = b"""# comment
2.3|apnic|20260301|6||20260228|+1000
apnic|*|asn|*|1|summary
apnic|*|ipv4|*|4|summary
apnic|*|ipv6|*|1|summary
apnic|AU|asn|64496|1|20110811|allocated|A91A7381|e-stats
apnic|AU|ipv4|192.0.2.0|256|20110811|assigned|A91A7381|e-stats
apnic|au|ipv4|198.51.100.0|192|20110811|allocated|A91A7382
apnic||ipv4|203.0.113.0|64||available|
apnic|ZZ|ipv4|203.0.113.64|64|00000000|reserved
apnic|NZ|ipv6|2001:db8::|32|20110811|allocated|A91A7383
"""


def test_records_of_addresses_are_read_with_ranges_that_need_not_be_prefixes() -> None:
    found, skipped = read(STATISTICS)
    assert [(str(one.within[0]), str(one.within[1]), one.country, one.status, one.holder) for one in found] == [
        ("192.0.2.0", "192.0.2.255", "AU", "assigned", "A91A7381"),
        ("198.51.100.0", "198.51.100.191", "AU", "allocated", "A91A7382"),
        ("203.0.113.0", "203.0.113.63", "", "available", ""),
        ("203.0.113.64", "203.0.113.127", "", "reserved", ""),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "NZ", "allocated", "A91A7383"),
    ]
    assert {one.registry for one in found} == {"apnic"}
    assert skipped == 0


@pytest.mark.parametrize(
    "line",
    [
        b"apnic|AU|ipv4|192.0.2.0|0|20110811|assigned|x",
        b"apnic|AU|ipv4|255.255.255.0|257|20110811|assigned|x",
        b"apnic|AU|ipv4|192.0.2.999|256|20110811|assigned|x",
        b"apnic|AU|ipv4|2001:db8::|32|20110811|assigned|x",
        b"apnic|AU|ipv6|2001:db8::|129|20110811|assigned|x",
        b"apnic|AU|ipv6|2001:db8::1|64|20110811|assigned|x",
        b"apnic|AU|ipv4|192.0.2.0|many|20110811|assigned|x",
        b"apnic|AUS|ipv4|192.0.2.0|256|20110811|assigned|x",
        b"apnic|AU|ipv4|192.0.2.0",
    ],
)
def test_an_unreadable_record_is_counted_and_says_nothing(line: bytes) -> None:
    assert read(line + b"\n") == ([], 1)


def test_line_ends_and_the_ends_of_pieces_do_not_matter() -> None:
    expected = read(STATISTICS)[0]
    for text in (STATISTICS.replace(b"\n", b"\r\n"), STATISTICS.rstrip()):
        for cut in (1, 10, 1000):
            pieces = whole_lines(text[start : start + cut] for start in range(0, len(text), cut))
            assert [one for piece in pieces for one in read(piece)[0]] == expected


def test_of_a_line_that_never_ends_only_the_head_is_held() -> None:
    pieces = list(whole_lines([b"apnic|AU|ipv4|", *([b"1" * 10_000] * 50), b"\n" + STATISTICS]))
    assert max(map(len, pieces)) < 50_000
    assert len([one for piece in pieces for one in read(piece)[0]]) == 5


def test_a_packed_record_is_the_same_when_unpacked() -> None:
    for one in read(STATISTICS)[0]:
        assert unpacked(packed(one)) == one
    odd = read(b"apnic|AU|ipv4|192.0.2.0|1|20110811|assigned|a\x00b\xff c\n")[0][0]
    assert unpacked(packed(odd)) == odd
    assert "\x00" not in odd.holder
    assert [unpacked(line) for line in (b"", b"x|y", b"192.0.2.0|2001:db8::|a|b|c|d")] == [None, None, None]


@pytest.mark.parametrize(
    ("head", "registry"),
    [
        (STATISTICS, "apnic"),
        (b"2|nro|20260301|800000|19820701|20260301|+0000\n", "nro"),
        (b"2|ripencc|1700089199|231890|19830705|20231115|+0100\n", "ripencc"),
        (b"inetnum: 192.0.2.0 - 192.0.2.7\n", ""),
        (b"1|2|3\n", ""),
        (b"", ""),
    ],
)
def test_a_statistics_file_is_known_by_its_header(head: bytes, registry: str) -> None:
    assert delegated.is_one(head) is (registry != "")
    assert delegated.registry(head) == registry


def test_whole_space_fits() -> None:
    found = read(b"iana|ZZ|ipv6|::|0||reserved|\niana|ZZ|ipv4|0.0.0.0|4294967296||reserved|\n")[0]
    assert [one.within[1] for one in found] == [
        ip_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ip_address("255.255.255.255"),
    ]
