"""What is picked out of RPSL dumps, however they are cut, spelt or damaged."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.resolve import delegated, dump_answer, rpsl_dump
from pipeline.resolve.rpsl_dump import MAX_OBJECT, MOST_BLOCKS, WIDE, Picked, blocks_of, by_block, whole_objects
from pipeline.resolve.scope import ScopeCaps, read_range
from pipeline.store import netblocks

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)

DUMP = b"""#
# The contents of this file are subject to
# conditions.
#

inetnum:        192.0.2.0 - 192.0.2.127
netname:        EXAMPLE-NET
descr:          First line
                goes on here
+
descr:          second
country:        CA
admin-c:        DUMY-RIPE
phone:          +1 613 555 0100
                extension 5
mnt-by:         EXAMPLE-MNT
created:        2012-08-22T07:52:35Z
source:         RIPE # Filtered
remarks:        ****************************
remarks:        * THIS OBJECT IS MODIFIED
remarks:        * Please note that all data that is generally regarded as personal
remarks:        * data has been removed from this object.
remarks:        * To view the original object, please query the RIPE Database at:
remarks:        * http://www.ripe.net/whois
remarks:        ****************************

inetnum:        198.51.100.0 - 198.51.100.255
netname:        EXAMPLE-NET2
remarks:        abuse: desk@isp.example
source:         RIPE

# a comment between
inet6num:       2001:db8:1::/48
netname:        EXAMPLE-V6
source:         RIPE


person:         Somebody
nic-hdl:        SOME1-RIPE
remarks:        writes poems
source:         RIPE

role:           Abuse desk
address:        a street
e-mail:         desk@isp.example
abuse-mailbox:  abuse@isp.example
nic-hdl:        AR1-RIPE # the desk
source:         RIPE

organisation:   ORG-EX1-RIPE
org-name:       Example Ltd
abuse-c:        AR1-RIPE
source:         RIPE

irt:            IRT-EXAMPLE
abuse-mailbox:  irt@isp.example
source:         APNIC
"""


def picked(text: bytes, cut: int = 1 << 22) -> Picked:
    found = Picked()
    for whole in whole_objects(text[start : start + cut] for start in range(0, len(text), cut)):
        rpsl_dump.pick(whole, found)
    return found


def objects(text: bytes) -> dict[str, bytes]:
    return dict(picked(text).objects)


def test_what_finds_a_contact_is_kept_and_what_nobody_needs_is_not() -> None:
    found = picked(DUMP)
    networks = by_block(found)
    assert networks[ip_address("192.0.0.0")] == [
        b"inetnum:        192.0.2.0 - 192.0.2.127\nnetname:        EXAMPLE-NET\ndescr:          First line\n"
        b"                goes on here\n+\ndescr:          second\ncountry:        CA\nadmin-c:        DUMY-RIPE\n"
        b"source:         RIPE # Filtered"
    ]
    assert networks[ip_address("198.51.0.0")][0].endswith(
        b"remarks:        abuse: desk@isp.example\nsource:         RIPE"
    )
    assert networks[ip_address("2001:db8::")] == [
        b"inet6num:       2001:db8:1::/48\nnetname:        EXAMPLE-V6\nsource:         RIPE"
    ]
    assert sorted(objects(DUMP)) == ["irt:irt-example", "organisation:org-ex1-ripe", "role:ar1-ripe"]
    assert b"street" not in objects(DUMP)["role:ar1-ripe"]
    assert found.classes == {"inetnum", "inet6num", "irt", "organisation", "role"}
    assert (found.kept, found.skipped) == (6, 0)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 500])
def test_it_does_not_matter_where_the_pieces_of_a_file_end(cut: int) -> None:
    for text in (DUMP, DUMP.replace(b"\n", b"\r\n"), DUMP.rstrip(b"\n")):
        assert by_block(picked(text, cut)) == by_block(picked(DUMP))
        assert picked(text, cut).objects == picked(DUMP).objects


def test_an_object_that_is_too_long_is_skipped_and_the_next_one_is_read() -> None:
    line = b"remarks:        " + b"x" * 200 + b"\n"
    long = b"inetnum: 192.0.2.0 - 192.0.2.7\n" + line * (MAX_OBJECT // len(line) + 1)
    short = b"inetnum: 192.0.2.8 - 192.0.2.15\n"
    wide, role = long.replace(b"192.0.2.7", b"198.0.2.7"), b"role: X\nnic-hdl: X-RIPE\n" + long
    found = picked(b"\n".join([long, short, long, wide, role]))
    assert by_block(found) == {ip_address("192.0.0.0"): [short.strip()]}
    assert (found.kept, found.skipped, found.objects) == (1, 4, [])


def test_of_an_object_that_never_ends_only_the_head_is_held() -> None:
    endless = (b"remarks: " + b"y" * 10_000 for _ in range(200))
    pieces = list(
        whole_objects([b"inetnum: 192.0.2.0 - 192.0.2.7\n", *endless, b"\n\ninetnum: 192.0.2.8 - 192.0.2.15\n"])
    )
    assert max(map(len, pieces)) < 5 * MAX_OBJECT
    found = Picked()
    for piece in pieces:
        rpsl_dump.pick(piece, found)
    assert (found.kept, found.skipped) == (1, 1)


@pytest.mark.parametrize(
    "first_line",
    [
        b"inetnum:        999.0.2.0 - 999.0.2.7",
        b"inetnum:        192.0.2.8 - nothing",
        b"inetnum:        2001:db8::/48",
        b"inet6num:       192.0.2.0/24",
        b"inet6num:       2001:db8::/129",
        b"inetnum:",
        b"role:           Without a handle",
        b"organisation:",
    ],
)
def test_an_object_that_cannot_be_placed_is_skipped(first_line: bytes) -> None:
    found = picked(first_line + b"\nsource: RIPE\n\ninetnum: 192.0.2.0 - 192.0.2.7\n")
    assert [len(ones) for ones in by_block(found).values()] == [1]
    assert (found.kept, found.skipped) == (1, 1)


def test_a_network_in_several_blocks_lies_in_each_and_a_wider_one_stands_apart() -> None:
    two, many = b"inetnum: 198.51.0.0 - 198.52.255.255", b"inetnum: 192.0.0.0 - 223.255.255.255"
    networks = by_block(picked(two + b"\n\n" + many + b"\n\ninet6num: 2001:db8::/20\n\ninet6num: 2001:db8::/31\n"))
    assert networks == {
        ip_address("198.51.0.0"): [two],
        ip_address("198.52.0.0"): [two],
        WIDE[4]: [many],
        WIDE[6]: [b"inet6num: 2001:db8::/20"],
        ip_address("2001:db8::"): [b"inet6num: 2001:db8::/31"],
        ip_address("2001:db9::"): [b"inet6num: 2001:db8::/31"],
    }


@pytest.mark.parametrize(
    ("within", "count"),
    [
        ("192.0.2.0 - 192.0.2.0", 1),
        ("192.0.0.0/12", MOST_BLOCKS),
        ("192.0.0.0/11", 1),
        ("2001:db8::/28", 16),
        ("::/0", 1),
    ],
)
def test_a_range_is_stored_in_at_most_sixteen_blocks(within: str, count: int) -> None:
    found = read_range(within)
    assert found is not None
    assert len(blocks_of(found)) == count
    assert all(type(block) in (IPv4Address, IPv6Address) for block in blocks_of(found))


def test_blocks_are_those_that_resolve_works_by() -> None:
    assert rpsl_dump.BLOCK_BITS == netblocks.BLOCK_BITS


def test_addresses_with_padded_octets_and_odd_spaces_are_placed() -> None:
    text = b"inetnum:\t192.000.002.000-192.000.002.255  # all\n\ninet6num: 2001:DB8:0:1::/64\n\ninetnum: 192.0.2/24\n"
    assert {str(block): len(ones) for block, ones in by_block(picked(text)).items()} == {
        "192.0.0.0": 2,
        "2001:db8::": 1,
    }


@pytest.mark.parametrize(
    ("text", "is_rpsl", "source"),
    [
        (DUMP, True, "ripe"),
        (b"organisation:   ORG-X\nsource:         APNIC\n", True, "apnic"),
        (b"<html><body>Not found</body></html>", False, ""),
        (b"2|ripencc|1700000000|1|19830705|20231115|+0100\n", False, ""),
        (b"ip,port,seen\n192.0.2.1,25,now\n", False, ""),
        (b"", False, ""),
        (b"#" * 70_000, False, ""),
    ],
)
def test_a_dump_is_known_by_its_contents(text: bytes, is_rpsl: bool, source: str) -> None:
    assert rpsl_dump.is_one(text) is is_rpsl
    assert rpsl_dump.source(text) == source


PIECES = [
    *(line + b"\n" for line in DUMP.split(b"\n")),
    *(
        b"\n\n",
        b"inetnum: ",
        b"inet6num: ",
        b"192.0.2.0 - 192.0.2.7",
        b"2001:db8::/48",
        b"/",
        b"#",
        b"+",
        b"'",
        b"\x00",
        b"\r",
    ),
    *(
        b"org: ORG-EX1-RIPE\n",
        b"abuse-c: AR1-RIPE\n",
        b"mnt-irt: IRT-EXAMPLE\n",
        b"% Abuse contact for '",
        b"\xff\xfe",
        b"\x1b$B",
    ),
]


PIECE = st.one_of(st.sampled_from(PIECES), st.binary(max_size=20))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, len(DUMP)), st.integers(0, 9), PIECE), max_size=30), st.integers(1, 200))
def test_nothing_that_stands_in_a_file_raises(changes: list[tuple[int, int, bytes]], cut: int) -> None:
    text = DUMP
    for place, gone, piece in changes:
        text = text[:place] + piece + text[place + gone :]
    for read in (rpsl_dump.is_one, rpsl_dump.source, delegated.is_one, delegated.read, delegated.unpacked):
        read(text)
    found = picked(text, cut)
    blocks = by_block(found)
    assert all(isinstance(key, str) and "\x00" not in key for key, _ in found.objects)
    known = dict(found.objects)
    for ones in blocks.values():
        networks = list(dump_answer.networks("apnic", 1, b"\n\n".join(ones)))
        for network in networks:
            kind = IPv4Address if network.version == 4 else IPv6Address
            body = dump_answer.said(network, dump_answer.parents(network, networks), known)
            answer, _ = dump_answer.judge(body, network, kind(network.first), ScopeCaps(), "dump:x", NOW)
            assert answer.registry
