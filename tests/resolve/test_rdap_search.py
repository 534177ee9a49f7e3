"""Searches along the hierarchy of networks (RFC 9910): URLs, what came back, parts that nobody answered for."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Address, Answer, Outcome, PermanentFailure
from pipeline.resolve import rdap_answer, rdap_search
from pipeline.resolve.rdap_search import MOST_RESULTS, base_of, bottom_url, by_block, down_url, parent_url
from pipeline.resolve.scope import Range, ScopeCaps
from pipeline.store.netblocks import block_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = "https://rdap.example/registry/"
ASKED = BASE + "ip/192.0.2.9"


def of(first: str, last: str) -> Range:
    return ip_address(first), ip_address(last)


def texts(ranges: list[Range]) -> list[tuple[str, str]]:
    return [(str(first), str(last)) for first, last in ranges]


def network(last_octet: int, **more: Any) -> dict[str, Any]:
    """A /29 that begins at 192.0.2.`last_octet`, with an abuse mailbox."""
    card = ["vcard", [["version", {}, "text", "4.0"], ["email", {}, "text", f"abuse@n{last_octet}.example"]]]
    return {
        "objectClassName": "ip network",
        "handle": f"NET-{last_octet}",
        "startAddress": f"192.0.2.{last_octet}",
        "endAddress": f"192.0.2.{last_octet + 7}",
        "ipVersion": "v4",
        "entities": [{"objectClassName": "entity", "handle": "A", "roles": ["abuse"], "vcardArray": card}],
    } | more


def found(*networks: object, status: int = 200, **more: Any) -> Answer:
    body = {"rdapConformance": ["rdap_level_0", "rirSearch1", "ips"], "ipSearchResults": list(networks)} | more
    return sent(json.dumps(body).encode(), status)


def sent(body: bytes, status: int = 200) -> Answer:
    return Answer(BASE + "ips/rirSearch1/rdap-bottom/192.0.2.0/24", status, "application/rdap+json", body, NOW)


# --- what to ask for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"rdapConformance": ["rdap_level_0", "rirSearch1", "ips"]}, True),
        ({"rdapConformance": ["rdap_level_0", "ips"]}, False),
        ({"rdapConformance": ["rirsearch1", None, ["rirSearch1"]]}, False),
        ({"rdapConformance": "rirSearch1"}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_server_offers_searches_where_it_lists_the_extension(answer: object, expected: bool) -> None:
    assert rdap_search.offers(answer) is expected


@pytest.mark.parametrize(
    ("first", "last", "asked"),
    [
        ("192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.4", "192.0.2.12", "192.0.2.0/28"),  # no prefix: the shortest one around it
        ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
    ],
)
def test_a_search_is_asked_for_a_prefix_under_the_paths_of_the_standard(first: str, last: str, asked: str) -> None:
    ends = of(first, last)
    assert bottom_url(BASE, *ends) == f"https://rdap.example/registry/ips/rirSearch1/rdap-bottom/{asked}"
    assert down_url(BASE.rstrip("/"), *ends) == f"https://rdap.example/registry/ips/rirSearch1/rdap-down/{asked}"


def test_the_server_that_answered_is_the_one_to_search_at() -> None:
    assert base_of("https://rdap.example/a/ip/192.0.2.1") == base_of("https://rdap.example/a/ip/192.0.2.0/24")
    assert base_of("https://rdap.example/a/ip/192.0.2.1") == "https://rdap.example/a/"
    assert base_of("https://rdap.example/a/autnum/64496") == base_of("") == ""


def linked(*links: object) -> dict[str, object]:
    return {"links": list(links)}


def link(relation: str, href: object, **more: object) -> dict[str, object]:
    return {"value": ASKED, "rel": relation, "href": href, "type": "application/rdap+json"} | more


UP = BASE + "ip/192.0.2.0/24"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (linked(link("self", ASKED), link("up", UP)), UP),
        (linked(link("rdap-up", UP + "0"), link("rdap-up rdap-active", UP + "1"), link("up", UP)), UP),
        (
            linked(link("rdap-up", UP + "0"), link("rdap-up rdap-active", UP + "1?status=active")),
            UP + "1?status=active",
        ),
        (linked(link("rdap-down", UP), link("RDAP-UP", UP)), UP),
        (linked(link("up", "/registry/ip/192.0.2.0/24")), UP),  # relative to the URL that was asked
        (linked(link("up", "http://rdap.example/registry/ip/192.0.2.0/24")), UP),
        (linked(link("up", "http://rdap.example:80/registry/ip/192.0.2.0/24")), UP),
        (linked(link("up", UP + "#x")), UP),
        (linked(link("up", UP, type="text/html"), link("rdap-up", UP + "0")), UP + "0"),
        (linked({"rel": "up", "href": UP}), UP),  # no type given
        (linked(link("up", "https://[2001:db8::1]/ip/192.0.2.0/24")), "https://[2001:db8::1]/ip/192.0.2.0/24"),
        (linked(link("up", "javascript:alert(1)"), link("rdap-up", UP)), UP),
    ],
)
def test_the_link_to_the_parent_is_found(answer: object, expected: str) -> None:
    assert parent_url(answer, ASKED) == expected


@pytest.mark.parametrize(
    "href",
    [
        ASKED,
        "#",
        "ftp://rdap.example/ip/192.0.2.0/24",
        "http://rdap.example:8080/ip/192.0.2.0/24",
        "https://user@rdap.example/ip/192.0.2.0/24",
        "https://rdap.example/ip/192.0.2.0 /24",
        "https://rdap.example/ip/192.0.2.0\r\nX: y",
        "https://rdap.exämple/ip/192.0.2.0/24",
        "https:\\\\rdap.example/ip/192.0.2.0/24",
        "https://[rdap.example/",
        "https://rdap.example:99999/",
        "https://rdap.example/" + "x" * 2_000,
        7,
        None,
        ["https://rdap.example/"],
    ],
)
def test_a_link_that_is_none_or_leads_nowhere_is_not_followed(href: object) -> None:
    assert parent_url(linked(link("up", href)), ASKED) == ""


def test_plain_http_stays_what_it_was_where_the_question_was_plain_http() -> None:
    asked, up = "http://127.0.0.1:8080/arin/ip/192.0.2.9", "http://127.0.0.1:8080/arin/ip/192.0.2.0/24"
    assert parent_url(linked(link("up", up)), asked) == up


@pytest.mark.parametrize("answer", [None, [], {}, {"links": None}, {"links": {}}, linked(7, None, [], {"rel": ["up"]})])
def test_an_answer_without_links_has_no_parent(answer: object) -> None:
    assert parent_url(answer, ASKED) == ""


# --- what came back --------------------------------------------------------------------------------------------------


def test_each_network_found_is_judged_like_an_answer_of_its_own() -> None:
    bodies = rdap_search.results(found(network(0), network(8)))
    assert bodies is not None
    for octet, body in zip((0, 8), bodies, strict=True):
        one, queried = replace(found(), body=body), ip_address(f"192.0.2.{octet}")
        judged = rdap_answer.read(one, queried, registry="arin", caps=ScopeCaps())
        assert (judged.outcome, judged.handle) == (Outcome.CONTACTS, f"NET-{octet}")
        assert judged.registered == of(f"192.0.2.{octet}", f"192.0.2.{octet + 7}")
        assert judged.candidates[0].mailbox == f"abuse@n{octet}.example"
        assert rdap_search.offers(rdap_search.document(body))


@pytest.mark.parametrize("status", [200, 404])
def test_an_empty_list_says_that_there_are_no_such_networks(status: int) -> None:
    assert rdap_search.results(found(status=status)) == []


def notice(**said: object) -> dict[str, Any]:
    return {"notices": [said]}


CUT_DESK = {
    "entities": [{"roles": ["registrant"], "entities": [{"remarks": [{"type": "object truncated due to load"}]}]}]
}


@pytest.mark.parametrize(
    "answer",
    [
        replace(found(network(0)), failure=PermanentFailure("too-large")),
        replace(found(network(0)), status=429),
        sent(json.dumps({"errorCode": 404, "title": "Not Found"}).encode(), 404),
        found(network(0), status=404),
        sent(json.dumps(network(0)).encode()),
        sent(b"<html>"),
        sent(b""),
        sent(b"[" * 100_000),
        sent(b"\xff\xfe"),
        found(network(0), errorCode=501),
        found(network(0), ipSearchResults={"0": network(0)}),
        found(network(0), None),
        found(network(0), {"objectClassName": "autnum"}),
        found(*[{"objectClassName": "ip network"}] * (MOST_RESULTS + 1)),
        found(network(0), **notice(type="result set truncated due to excessive load")),
        found(network(0), **notice(title="Search Policy", description=["Results truncated at 256"])),
        found(network(0), network(8, remarks=[{"title": "x", "type": "object truncated due to authorization"}])),
        found(network(0, **CUT_DESK)),
        found(network(0), paging_metadata={"totalCount": 2}),
        found(network(0), paging_metadata={"totalCount": "many"}),
        found(network(0), paging_metadata={"links": [{"rel": "next", "href": BASE}]}),
        found(network(0), links=[{"rel": "next", "href": BASE}]),
    ],
)
def test_an_error_a_part_of_a_list_and_what_is_no_list_are_not_used(answer: Answer) -> None:
    assert rdap_search.results(answer) is None


def test_as_many_as_the_cap_and_notices_about_other_things_are_used() -> None:
    answer = found(*[network(0)] * MOST_RESULTS, paging_metadata={"totalCount": MOST_RESULTS}, **notice(title="Terms"))
    assert len(rdap_search.results(answer) or ()) == MOST_RESULTS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    ("objectClassName", "entities", "links", "notices", "remarks", "rdapConformance", "paging_metadata", "rel", "href")
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(MEMBERS, JSON), st.lists(st.dictionaries(MEMBERS, JSON) | JSON, max_size=3), st.text(max_size=30)
)
def test_whatever_comes_is_no_exception(members: dict[str, Any], networks: list[Any], base: str) -> None:
    answer = found(*networks, **members)
    bodies = rdap_search.results(answer)
    assert bodies is None or len(bodies) == len(networks)
    parent_url(members, base)
    parent_url(linked(members), base)
    rdap_search.offers(members)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_no_exception(body: bytes) -> None:
    assert isinstance(rdap_search.document(body), dict)
    rdap_search.results(sent(body))


# --- ranges ----------------------------------------------------------------------------------------------------------

WHOLE = of("192.0.2.0", "192.0.2.255")


@pytest.mark.parametrize(
    ("first", "last", "is_one"),
    [
        ("192.0.2.0", "192.0.2.255", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.0", "192.0.2.254", False),
        ("192.0.2.128", "192.0.3.127", False),
        ("2001:db8::", "2001:db8::ffff", True),
    ],
)
def test_a_range_is_one_prefix_or_not(first: str, last: str, is_one: bool) -> None:
    assert rdap_search.is_prefix(*of(first, last)) is is_one


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        (of("192.0.2.7", "192.0.2.7"), [("192.0.2.7", "192.0.2.7")]),
        (of("198.51.0.0", "198.51.255.255"), [("198.51.0.0", "198.51.255.255")]),
        (
            of("198.50.255.0", "198.52.0.0"),
            [("198.50.255.0", "198.50.255.255"), ("198.51.0.0", "198.51.255.255"), ("198.52.0.0", "198.52.0.0")],
        ),
        (
            of("2001:db7:ffff::", "2001:db8::1"),
            [("2001:db7:ffff::", f"2001:db7:{'ffff:' * 5}ffff"), ("2001:db8::", "2001:db8::1")],
        ),
        (of("::", f"{'ffff:' * 7}ffff"), []),  # more blocks than any answer speaks for
    ],
)
def test_a_range_is_cut_at_the_borders_of_blocks(whole: Range, parts: list[tuple[str, str]]) -> None:
    assert texts(by_block(whole)) == parts


def test_all_of_ipv4_is_cut_into_the_blocks_by_which_known_networks_are_looked_up() -> None:
    parts = by_block(of("0.0.0.0", "255.255.255.255"))
    assert len(parts) == 1 << 16
    assert all(_in_one_block(first, last) for first, last in parts[::97])
    assert all(_in_one_block(first, last) for first, last in by_block(of("2001:db8::", "2001:dff::")))


def _in_one_block(first: Address, last: Address) -> bool:
    return block_of(first) == first == block_of(last)
