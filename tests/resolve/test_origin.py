"""Which ASes announce an address, as the origin zones' TXT records say."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Answer, TemporaryFailure
from pipeline.resolve import ipwhois_offline, name_answer, origin
from pipeline.resolve.scope import read_range

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
V4, V6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")
ZONES = ("origin.example", "origin6.example")


def said(body: object, status: int = 200, failure: TemporaryFailure | None = None) -> Answer:
    return Answer("dns:TXT/x", status, "application/json", json.dumps(body).encode(), NOW, failure)


def numbers(*texts: str) -> list[int]:
    return [number for number, _ in origin.asns(said({"txt": texts}))]


def test_the_question_is_the_address_backwards_in_the_zone_of_its_family() -> None:
    assert origin.question(V4, *ZONES) == "7.2.0.192.origin.example"
    assert origin.question(V6, *ZONES) == ("7" + ".0" * 23 + ".8.b.d.0.1.0.0.2" + ".origin6.example")
    assert origin.question(V4, "Origin.Example.", "x") == "7.2.0.192.origin.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64496 | 192.0.2.0/24 | CA | arin | 2004-01-30", [64496]),
        ('"64496 | 192.0.2.0/24 | CA | arin | 2004-01-30"', [64496]),
        ("64496 64497 | 192.0.2.0/24 | CA | arin | 2004-01-30", [64496, 64497]),
        ("{64496,64497} | 192.0.2.0/24 | CA | arin | 2004-01-30", [64496, 64497]),
        ("AS64496 | 192.0.2.0/24 | CA | arin |", [64496]),
        ("1.10 | 192.0.2.0/24 | CA | arin |", [65546]),  # asdot
        ("64496 | 192.0.2.0/24 | | | ", [64496]),  # no registry is named
        ("64496 | 192.0.2.0/24 | ZZ | other | ", [64496]),
        ("64496 | damaged | CA | arin | ", [64496]),
        ("64496 | 192.0.2.0/24", []),
        ("NA | NA | CA | arin | ", []),
        ("64496,x | 192.0.2.0/24 | CA | arin | ", [64496]),
        ("-64496 | 192.0.2.0/24 | CA | arin | ", []),
        ("12345678901 | 192.0.2.0/24 | CA | arin | ", []),
        ("| | | | |", []),
        ("", []),
    ],
)
def test_every_origin_of_a_record_is_read(text: str, expected: list[int]) -> None:
    assert numbers(text) == expected


def test_the_usual_record_is_read_by_ipwhois() -> None:
    read = ipwhois_offline.origin("64496 64497 | 192.0.2.0/24 | ca | arin | 2004-01-30")
    assert (read["asn"], read["asn_cidr"], read["asn_country_code"]) == ("64496 64497", "192.0.2.0/24", "CA")
    assert ipwhois_offline.origin("64496 | 192.0.2.0/24 | CA | elsewhere | 2004-01-30") == {}


def test_the_most_specific_prefix_comes_first_and_an_as_stands_once() -> None:
    texts = [
        "64496 | 192.0.0.0/16 | CA | arin | ",
        "64497 | damaged | CA | arin | ",
        "64498 64496 | 192.0.2.0/24 | CA | arin | ",
    ]
    found = origin.asns(said({"txt": texts}))
    narrow = read_range("192.0.2.0/24")
    assert found == [(64498, narrow), (64496, narrow), (64497, None)]


def test_both_families_are_read() -> None:
    found = origin.asns(said({"txt": ["64496 | 2001:db8::/32 | FR | ripencc | "]}), V6)
    assert found == [(64496, read_range("2001:db8::/32"))]


def test_a_prefix_that_does_not_hold_the_address_is_left_out() -> None:
    texts = ["64496 | 198.51.100.0/24 | CA | arin | ", "64497 | 192.0.2.0/24 | CA | arin | "]
    assert origin.asns(said({"txt": texts}), V4) == [(64497, read_range("192.0.2.0/24"))]
    assert origin.asns(said({"txt": texts}), V6) == []


def test_there_are_never_more_than_four() -> None:
    assert numbers("64496 64497 64498 64499 64500 64501 | 192.0.2.0/24 | CA | arin | ") == [64496, 64497, 64498, 64499]


@pytest.mark.parametrize("number", [0, 23456, 64512, 65534, 65535, 65552, 131071, 4200000000])
def test_a_private_or_reserved_as_has_nobody_to_ask(number: int) -> None:
    assert origin.asns(said({"txt": [f"{number} 3 | 192.0.2.0/24 | CA | arin | "]})) == [
        (3, read_range("192.0.2.0/24"))
    ]


def test_a_number_above_32_bits_has_nobody_to_ask() -> None:
    assert not origin.is_askable(4294967296)
    assert not origin.is_askable(4294967295)
    assert origin.is_askable(131072)
    assert origin.is_askable(4199999999)


@pytest.mark.parametrize(
    "answer",
    [
        said({"txt": []}, 404),
        said({}),
        said([]),
        said({"txt": "64496 | 192.0.2.0/24 | CA | arin | "}),
        said({"txt": [None, 7, ["64496 | 192.0.2.0/24 | CA | arin | "]]}),
        said({"txt": ["64496 | 192.0.2.0/24 | CA | arin | "]}, 0, TemporaryFailure("SERVFAIL")),
        Answer("dns:TXT/x", 200, "", b"[" * 60_000, NOW),
        Answer("dns:TXT/x", 200, "", b"\xff", NOW),
        Answer("dns:TXT/x", 200, "", b"", NOW),
        Answer("dns:TXT/x", 200, "", b'{"txt":["64496 | 192.0.2.0/24 | CA | arin | "]}' + b" " * 70_000, NOW),
    ],
)
def test_what_is_no_answer_names_no_as(answer: Answer) -> None:
    assert origin.asns(answer) == []


def test_a_text_comes_without_control_characters_and_within_bounds() -> None:
    found = name_answer.texts(said({"txt": ["a\r\nb\x1b", "x" * 5000, *["y"] * 100]}), "txt")
    assert found[0] == "a b"
    assert (len(found[1]), len(found)) == (1000, 50)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet='0123456789 AS.,{}|/:abc"\n\x00-', max_size=300), max_size=5))
def test_any_text_gives_at_most_four_askable_numbers(texts: list[str]) -> None:
    found = origin.asns(said({"txt": texts}))
    assert len(found) <= 4
    assert all(origin.is_askable(number) for number, _ in found)
