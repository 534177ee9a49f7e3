"""The sandbox's searches along the hierarchy (RFC 9910), over loopback, and read by the rules that will read real ones."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest

from pipeline.domain import Answer, Outcome, RdapQuestion
from pipeline.net import rdap
from pipeline.net.http import HttpSettings
from pipeline.resolve import rdap_answer, rdap_search
from pipeline.resolve.flat import Flat
from pipeline.resolve.scope import ScopeCaps
from pipeline.sandbox import rdap_server
from pipeline.sandbox.networks import Fault, Network, RangeTable, RdapFault
from pipeline.sandbox.rdap_search import Hierarchy
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SETTINGS = HttpSettings("tocsin-test/1", timeout=10.0, allow_plain_http_to_loopback=True)


def network(first: str, last: str, handle: str, registry: str = "arin") -> Network:
    mailbox = f"abuse@{handle.lower()}.example"
    return Network(ip_address(first), ip_address(last), registry, handle, holder=handle, country="CA", abuse=mailbox)


BLOCK = network("192.0.0.0", "192.0.3.255", "BLOCK")
PROVIDER = network("192.0.2.0", "192.0.2.255", "PROVIDER")  # its parts leave 192.0.2.128 to .255 to itself
HALF = network("192.0.2.0", "192.0.2.127", "HALF")  # its parts leave nothing
ONE, TWO = network("192.0.2.0", "192.0.2.63", "ONE"), network("192.0.2.64", "192.0.2.127", "TWO")
ODD = network("192.0.2.130", "192.0.2.140", "ODD")  # no prefix
MOVED = network("192.0.2.160", "192.0.2.175", "MOVED", "ripencc")
SIX, SITE = (
    network("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "SIX"),
    network("2001:db8:1::", "2001:db8:1::ff", "SITE"),
)
NETWORKS = [BLOCK, PROVIDER, HALF, ONE, TWO, ODD, MOVED, SIX, SITE]
TABLE = RdapTable(RangeTable(NETWORKS), searches={"arin": 4, "afrinic": 4})


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with in_thread(rdap_server.serve(TABLE, lambda: NOW, [])) as port:
        yield f"http://127.0.0.1:{port}/"


def asked(url: str) -> Answer:
    with rdap.edge(SETTINGS, lambda: NOW) as edge:
        edge.ask(RdapQuestion(1, url))
        [reply] = edge.take(timeout=20)
        return reply.answer


def found(answer: Answer) -> list[dict[str, Any]]:
    return [rdap_search.document(body) for body in rdap_search.results(answer) or ()]


def handles(answer: Answer) -> list[str]:
    return [one["handle"] for one in found(answer)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rdap-bottom/192.0.2.0/24", ["PROVIDER", "ONE", "TWO", "ODD"]),
        ("rdap-bottom/192.0.2.0/25", ["ONE", "TWO"]),
        ("rdap-bottom/192.0.2.64/26", ["TWO"]),
        ("rdap-bottom/192.0.2.128/29", ["PROVIDER", "ODD"]),  # ODD ends behind what was asked for
        ("rdap-bottom/192.0.2.136", ["ODD"]),
        ("rdap-bottom/192.0.2.136/29", ["PROVIDER", "ODD"]),  # ODD begins before it
        ("rdap-bottom/192.0.1.0/24", ["BLOCK"]),
        ("rdap-down/192.0.2.0/24", ["HALF", "ODD"]),
        ("rdap-down/192.0.2.0/25", ["ONE", "TWO"]),
        ("rdap-down/192.0.0.0/22", ["PROVIDER"]),
        ("rdap-down/192.0.0.0/16", ["BLOCK"]),
        ("rdap-down/2001:db8::/32", ["SITE"]),
        ("rdap-bottom/2001:db8::/32", ["SIX", "SITE"]),
    ],
)
def test_down_gives_what_lies_directly_below_and_bottom_what_is_most_specific(
    root: str, path: str, expected: list[str]
) -> None:
    answer = asked(f"{root}arin/ips/rirSearch1/{path}")
    assert (answer.status, handles(answer)) == (200, expected)
    assert all(rdap_search.offers(one) for one in found(answer))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rdap-up/192.0.2.0/26", "HALF"),
        ("rdap-up/192.0.2.7", "ONE"),
        ("rdap-up/192.0.2.0/24", "BLOCK"),
        ("rdap-top/192.0.2.7", "BLOCK"),
        ("rdap-top/192.0.0.0/22", "BLOCK"),
    ],
)
def test_up_and_top_give_one_network(root: str, path: str, expected: str) -> None:
    answer = asked(f"{root}arin/ips/rirSearch1/{path}")
    assert rdap_search.results(answer) is None  # not a list
    assert rdap_search.document(answer.body)["handle"] == expected


@pytest.mark.parametrize("path", ["rdap-down/192.0.2.0/26", "rdap-up/192.0.0.0/22", "rdap-bottom/203.0.113.0/24"])
def test_nothing_found_is_a_404_with_an_empty_list(root: str, path: str) -> None:
    answer = asked(f"{root}arin/ips/rirSearch1/{path}")
    assert (answer.status, rdap_search.results(answer)) == (404, [])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("ripencc/ips/rirSearch1/rdap-bottom/192.0.2.160/28", 501),
        ("arin/ips/rirSearch1/bottom/192.0.2.0/24", 400),
        ("arin/ips/rirSearch1/rdap-bottom/192.0.2.1/24", 400),
        ("arin/ips/rirSearch1/rdap-bottom/hello", 400),
    ],
)
def test_where_searches_are_not_offered_or_not_understood_nothing_is_found(root: str, path: str, status: int) -> None:
    answer = asked(root + path)
    assert (answer.status, rdap_search.results(answer)) == (status, None)


def test_only_registries_that_offer_searches_say_so(root: str) -> None:
    offering, plain = asked(f"{root}arin/ip/192.0.2.7"), asked(f"{root}ripencc/ip/192.0.2.161")
    assert rdap_search.offers(rdap_search.document(offering.body))
    assert not rdap_search.offers(rdap_search.document(plain.body))
    links = {link["rel"]: link["href"] for link in rdap_search.document(offering.body)["links"]}
    assert handles(asked(links["rdap-bottom"])) == ["ONE"]
    odd = rdap_search.document(asked(f"{root}arin/ip/192.0.2.135").body)
    assert {link["rel"] for link in odd["links"]} == {"self", "up"}  # what is no prefix cannot be searched from


def test_the_link_up_leads_from_network_to_network_to_the_outermost_one(root: str) -> None:
    url, way = f"{root}arin/ip/192.0.2.7", []
    while url:
        body = rdap_search.document(asked(url).body)
        way.append(body["handle"])
        url = rdap_search.parent_url(body, url)
    assert way == ["ONE", "HALF", "PROVIDER", "BLOCK"]


def test_a_list_longer_than_the_registry_gives_is_cut_and_not_used() -> None:
    with in_thread(rdap_server.serve(replace(TABLE, searches={"arin": 3}), lambda: NOW, [])) as port:
        url = f"http://127.0.0.1:{port}/arin/ips/rirSearch1/rdap-bottom/192.0.2.0/24"
        answer = asked(url)
        assert len(rdap_search.document(answer.body)["ipSearchResults"]) == 3
        assert rdap_search.results(answer) is None


def test_a_registry_that_refuses_refuses_searches_too() -> None:
    faults = {"arin": Fault(RdapFault.RATE_LIMITED)}
    with in_thread(rdap_server.serve(replace(TABLE, faults=faults), lambda: NOW, [])) as port:
        answer = asked(f"http://127.0.0.1:{port}/arin/ips/rirSearch1/rdap-bottom/192.0.2.0/24")
        assert (answer.status, rdap_search.results(answer)) == (429, None)


def test_one_search_tells_of_every_address_what_a_question_about_it_tells(root: str) -> None:
    """Of addresses that another registry answers for it tells nothing: those are left out here."""
    answer = asked(rdap_search.bottom_url(f"{root}arin/", PROVIDER.start, PROVIDER.end))
    bodies = rdap_search.results(answer) or []
    known = [_Judged(rdap_search.document(body)["handle"], body) for body in bodies]
    table = Flat(known)
    for number in range(int(PROVIDER.start), int(PROVIDER.end) + 1):
        one = ip_address(number)
        expected = TABLE.networks.find(one)
        if expected is not None and expected.registry == "arin":
            near = table.find(4, number)
            assert (near.handle if near else None) == expected.handle


class _Judged:
    """A network of a list, judged like an answer of its own."""

    version = 4

    def __init__(self, handle: str, body: bytes) -> None:
        self.handle = handle
        start = ip_address(rdap_search.document(body)["startAddress"])
        raw = Answer("", 200, "", body, NOW)
        read = rdap_answer.read(raw, start, registry="arin", caps=ScopeCaps())
        assert (read.outcome, read.handle) == (Outcome.CONTACTS, handle)
        assert read.registered is not None
        self.range = read.registered
        self.first, self.last = int(self.range[0]), int(self.range[1])


def test_bottom_lists_the_network_of_every_address_and_no_other() -> None:
    """Compared with looking at each address, in nested networks by chance."""
    chance = Random(9)
    for _ in range(30):
        networks = _nested(chance)
        table = RangeTable(networks)
        hierarchy = Hierarchy(table)
        for _ in range(10):
            prefix = ip_network((0xC0000200 + chance.randrange(256), chance.randint(24, 32)), strict=False)
            expected = {one.handle for address in prefix if (one := table.find(address)) is not None}
            assert {one.handle for one in hierarchy.find("rdap-bottom", prefix[0], prefix[-1])} == expected


def _nested(chance: Random) -> list[Network]:
    """Networks in 192.0.2.0/24, each inside or outside each other, none twice."""
    spans: set[tuple[int, int]] = set()
    for _ in range(12):
        first = chance.randrange(256)
        last = min(first + chance.choice((0, 3, 15, 63, 255)), 255)
        apart = all(last < a or first > b or (a <= first and last <= b) or (first <= a and b <= last) for a, b in spans)
        if apart:
            spans.add((first, last))
    return [network(f"192.0.2.{first}", f"192.0.2.{last}", f"N{first}-{last}") for first, last in sorted(spans)]
