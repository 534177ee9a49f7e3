"""The sandbox's RDAP servers: the form of their answers; their faults are tried with the edge in tests/net."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Answer, RdapQuestion
from pipeline.net import rdap
from pipeline.net.http import HttpSettings
from pipeline.net.rdap import JsonDocument
from pipeline.sandbox import rdap_objects, rdap_server, recorded
from pipeline.sandbox.networks import REGISTRIES, Autnum, Fault, Network, RangeTable, RdapFault
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SETTINGS = HttpSettings("tocsin-test/1", timeout=10.0, allow_plain_http_to_loopback=True)
FORMS = [  # one network per registry: 192.0.2.0/28, 192.0.2.16/28, ...
    Network(
        ip_address(f"192.0.2.{16 * n}"),
        ip_address(f"192.0.2.{16 * n + 15}"),
        registry,
        f"{registry.upper()}-NET",
        holder="Holder",
        country="CA",
        region="QC",
        language="fr",
        abuse="abuse@holder.example",
    )
    for n, registry in enumerate(REGISTRIES)
]
CHILD = Network(ip_address("192.0.2.4"), ip_address("192.0.2.6"), "arin", "CHILD-NET")
LEGACY = Network(ip_address("198.51.100.0"), ip_address("198.51.100.255"), "ripencc", "LEGACY", bootstrap="arin")
SIX = Network(ip_address("2001:db8::"), ip_address("2001:db8:0:ffff::"), "apnic", "SIX")
AUTNUMS = (Autnum(64496, 64511, "arin", "BLOCK"), Autnum(64500, 64500, "ripencc", "ONE", abuse="abuse@one.example"))
TABLE = RdapTable(
    RangeTable([*FORMS, CHILD, LEGACY, SIX]), AUTNUMS, recorded.load(Path(__file__).with_name("scenario") / "recorded")
)


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with in_thread(rdap_server.serve(TABLE, lambda: NOW, [])) as port:
        yield f"http://127.0.0.1:{port}/"


def fetch(url: str) -> JsonDocument:
    return rdap.fetch_json(url, SETTINGS, lambda: NOW)


def asked(url: str) -> tuple[Answer, str]:
    with rdap.edge(SETTINGS, lambda: NOW) as edge:
        edge.ask(RdapQuestion(1, url))
        [reply] = edge.take(timeout=20)
        return reply.answer, reply.location


def roles(entities: list[dict[str, Any]]) -> dict[str, Any]:
    return {role: roles(entity.get("entities", [])) for entity in entities for role in entity["roles"]}


def mailbox(entity: dict[str, Any]) -> tuple[dict[str, str], str]:
    [found] = [(p[1], p[3]) for p in entity["vcardArray"][1] if p[0] == "email"]
    return found


@pytest.mark.parametrize(
    ("registry", "form"),
    [
        ("arin", {"registrant": {"abuse": {}}}),
        ("ripencc", {"abuse": {}, "registrant": {}}),
        ("apnic", {"abuse": {}, "registrant": {}}),
        ("lacnic", {"registrant": {}, "administrative": {}, "technical": {}, "abuse": {}}),
        ("afrinic", {"abuse": {}, "registrant": {}}),
    ],
)
def test_roles_stand_where_each_registry_puts_them(root: str, registry: str, form: dict[str, Any]) -> None:
    network = fetch(f"{root}{registry}/ip/192.0.2.{16 * REGISTRIES.index(registry) + 7}").value
    assert (network["handle"], network["objectClassName"], network["ipVersion"]) == (
        f"{registry.upper()}-NET",
        "ip network",
        "v4",
    )
    assert (network["country"], network["lang"]) == ("CA", "fr")
    assert roles(network["entities"]) == form
    flat = [*network["entities"], *(e for entity in network["entities"] for e in entity.get("entities", []))]
    [abuse] = [entity for entity in flat if "abuse" in entity["roles"]]
    marks = {"ripencc": {"type": "abuse"}, "afrinic": {"type": "abuse"}, "apnic": {"pref": "1"}}.get(registry, {})
    assert mailbox(abuse) == (marks, "abuse@holder.example")


def test_a_child_names_its_parent_and_the_link_up_leads_there(root: str) -> None:
    child = fetch(f"{root}arin/ip/192.0.2.5").value
    assert (child["handle"], child["parentHandle"], child["startAddress"]) == ("CHILD-NET", "ARIN-NET", "192.0.2.4")
    assert [c["length"] for c in child["cidr0_cidrs"]] == [31, 32]
    [up] = [link["href"] for link in child["links"] if link["rel"] == "up"]
    assert fetch(up).value["handle"] == "ARIN-NET"


def test_a_network_without_an_abuse_mailbox_has_no_abuse_role(root: str) -> None:
    assert roles(fetch(f"{root}arin/ip/192.0.2.5").value["entities"]) == {"registrant": {}}


def test_an_ipv6_network_is_answered_for(root: str) -> None:
    six = fetch(f"{root}apnic/ip/2001:db8::7").value
    assert (six["handle"], six["ipVersion"], six["cidr0_cidrs"][0]) == (
        "SIX",
        "v6",
        {"v6prefix": "2001:db8::", "length": 49},
    )


def test_another_registrys_network_is_redirected_to(root: str) -> None:
    answer, location = asked(f"{root}arin/ip/198.51.100.7")
    assert (answer.status, location) == (302, f"{root}ripencc/ip/198.51.100.7")
    assert fetch(location).value["handle"] == "LEGACY"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("arin/ip/203.0.114.1", 404),
        ("arin/ip/hello", 400),
        ("arin/ip/192.0.2.5/24", 400),
        ("arin/autnum/64495", 404),
        ("arin/autnum/x", 400),
        ("other/ip/192.0.2.5", 404),
        ("bootstrap/dns.json", 404),
    ],
)
def test_what_is_not_there_is_an_error(root: str, path: str, status: int) -> None:
    assert asked(root + path)[0].status == status


def test_the_narrowest_block_of_as_numbers_answers(root: str) -> None:
    one = fetch(f"{root}ripencc/autnum/64500").value
    assert (one["handle"], one["startAutnum"], roles(one["entities"])) == (
        "ONE",
        64500,
        {"abuse": {}, "registrant": {}},
    )
    assert fetch(f"{root}arin/autnum/64501").value["handle"] == "BLOCK"
    assert asked(f"{root}arin/autnum/64500")[1] == f"{root}ripencc/autnum/64500"


def test_bootstrap_files_name_the_outermost_networks_by_the_registry_they_are_listed_at(root: str) -> None:
    four = {urls[0]: entries for entries, urls in fetch(f"{root}bootstrap/ipv4.json").value["services"]}
    assert four == {
        f"{root}arin/": ["192.0.2.0/28", "198.51.100.0/24"],
        f"{root}ripencc/": ["192.0.2.16/28"],
        f"{root}apnic/": ["192.0.2.32/28"],
        f"{root}lacnic/": ["192.0.2.48/28"],
        f"{root}afrinic/": ["192.0.2.64/28"],
    }
    assert fetch(f"{root}bootstrap/ipv6.json").value["services"][0][1] == [f"{root}apnic/"]
    autnums = fetch(f"{root}bootstrap/asn.json").value
    assert autnums["services"] == [[["64496-64511"], [f"{root}arin/"]], [["64500"], [f"{root}ripencc/"]]]
    assert autnums["publication"] == "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("path", "status", "kind", "part"),
    [
        ("apnic/ip/203.0.113.7", 200, "application/rdap+json", b"RECORDED"),
        ("apnic/ip/203.0.113.200", 403, "text/html", b"<html>"),
        ("apnic/autnum/64511", 200, "application/json", b"RECORDED"),
    ],
)
def test_a_recorded_answer_goes_before_a_made_one(root: str, path: str, status: int, kind: str, part: bytes) -> None:
    answer, _ = asked(root + path)
    assert (answer.status, answer.content_type) == (status, kind)
    assert part in answer.body


def test_a_fault_of_a_whole_registry_counts_for_all_its_networks_and_for_no_other() -> None:
    faults = {"arin": Fault(RdapFault.RATE_LIMITED, times=2)}
    log: rdap_server.Log = []
    with in_thread(rdap_server.serve(RdapTable(TABLE.networks, faults=faults), lambda: NOW, log)) as port:
        root = f"http://127.0.0.1:{port}/"
        paths = ["ripencc/ip/192.0.2.17", "arin/ip/192.0.2.1", "arin/ip/192.0.2.5", "arin/ip/192.0.2.1"]
        assert [asked(root + path)[0].status for path in paths] == [200, 429, 429, 200]
    assert [path for _, path in log] == ["/" + path for path in paths]


def test_every_fault_can_be_done() -> None:
    """A fault that the server does not know would be an error of its own (500)."""
    hasty = HttpSettings("tocsin-test/1", timeout=0.3, allow_plain_http_to_loopback=True)
    table = RdapTable(TABLE.networks)
    with in_thread(rdap_server.serve(table, lambda: NOW, [])) as port:
        for kind in RdapFault:
            table.faults["arin"] = Fault(kind)
            with rdap.edge(hasty, lambda: NOW) as edge:
                edge.ask(RdapQuestion(1, f"http://127.0.0.1:{port}/arin/ip/192.0.2.1"))
                assert edge.take(timeout=20)[0].answer.status != 500, kind


@pytest.mark.parametrize(
    ("registry", "parameters", "parts"),
    [
        ("arin", {"label": "1 Example Street\nExampleville\nQC\nH0H 0H0\nCanada"}, [""] * 7),
        ("ripencc", {"label": "1 Example Street\nExampleville QC H0H 0H0\nCanada"}, [""] * 7),
        ("lacnic", {}, ["", "", ["1 Example Street", "Exampleville QC H0H 0H0"], "", "QC", "", "CA"]),
    ],
)
def test_a_postal_address_stands_in_the_card_as_its_registry_writes_it(
    registry: str, parameters: dict[str, str], parts: list[Any]
) -> None:
    lines = ("1 Example Street", "Exampleville QC H0H 0H0", "Canada")
    first, last = ip_address("192.0.2.0"), ip_address("192.0.2.15")
    network = Network(first, last, registry, "N", holder="Holder", country="CA", region="QC", postal=lines)
    [registrant] = rdap_objects.entities(network, "http://rdap.example/")
    assert ["adr", parameters, "text", parts] in registrant["vcardArray"][1]
