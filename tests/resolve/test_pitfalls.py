"""Pitfalls of registries' answers by their names, in whole runs against local servers.

What one answer says is tested beside its reader (test_rdap_answer, test_whois_answer, test_choose, test_remarks,
test_mailbox, test_space), what goes wrong on the way in test_faults, the chain in test_fallback and test_chain.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.config import Settings
from pipeline.domain import Answer, Candidate, CaseState, NetworkAnswer, Outcome
from pipeline.resolve.scope import ScopeCaps
from pipeline.sandbox import recorded
from pipeline.sandbox.dns_server import DnsTable
from pipeline.sandbox.networks import Autnum, RdapFault, WhoisFault
from pipeline.store import netblocks
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.netblocks import Learnt
from tests import cases as seed
from tests.resolve.small_internet import (
    SETTINGS,
    Internet,
    clock,
    internet,
    network,
    route,
    run,
    whois_saying,
    whole_chain,
    zones,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Json = dict[str, Any]
Record = Callable[..., recorded.Recorded]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Make recorded answers of registries: (registry, prefix or ASn, object)."""

    def made(*answers: tuple[str, str, Json | str]) -> recorded.Recorded:
        lines = ["registry,query,file"]
        for number, (registry, query, body) in enumerate(answers):
            (tmp_path / f"{number}.json").write_text(body if isinstance(body, str) else json.dumps(body))
            lines.append(f"{registry},{query},{number}.json")
        (tmp_path / "index.csv").write_text("\n".join(lines))
        return recorded.load(tmp_path)

    return made


def look_up(db: Database, net: Internet, addresses: Sequence[str], **given: Any) -> list[dict[str, Any]]:
    """Make a case of each address, run, and return the cases with what became of them."""
    seed.cases(db, clock(), 1, map(ip_address, addresses))
    run(db, net, 1, **given)
    return seed.all_cases(db)


def mailboxes(db: Database) -> list[str | None]:
    return [case["mailbox"] for case in seed.all_cases(db)]


def asked(net: Internet) -> list[str]:
    return [path.rpartition("/")[2] for path in net.asked]


def reasons(db: Database) -> dict[str, str]:
    links = t.netblock_contacts.c
    with db.read() as connection:
        return {row.candidate: row.rejected for row in connection.execute(select(links.candidate, links.rejected))}


def cached(db: Database) -> list[str]:
    columns = (t.netblocks.c.first_address, t.netblocks.c.last_address)
    with db.read() as connection:
        return [f"{first}-{last}" for first, last in connection.execute(select(*columns).order_by(t.netblocks.c.id))]


def role(*roles: str, mailbox: str = "", handle: str = "H", inside: Sequence[Json] = (), **more: Any) -> Json:
    card = ["vcard", [["version", {}, "text", "4.0"], *([["email", {}, "text", mailbox]] if mailbox else [])]]
    return {"objectClassName": "entity", "handle": handle, "roles": list(roles), "vcardArray": card} | (
        {"entities": list(inside)} | more
    )


def object_of(first: str, last: str, *entities: Json, **more: Any) -> Json:
    return {
        "objectClassName": "ip network",
        "handle": "NET",
        "startAddress": first,
        "endAddress": last,
        "entities": list(entities),
    } | more


NET = ("192.0.2.0", "192.0.2.255")
ABUSE = role("abuse", mailbox="abuse@one.example")


# --- limits and terms -------------------------------------------------------------------------------------------------


def test_the_limits_that_registries_are_known_to_have_are_the_defaults() -> None:
    rdap, whois, resolve = Settings().rdap, Settings().whois, Settings().resolve
    assert [rdap.rates[f"rdap.{name}.net"] for name in ("arin", "db.ripe", "apnic")] == [2, 2, 2]
    assert rdap.rates["rdap.afrinic.net"] == 1
    for host in ("rdap.lacnic.net", "rdap.registro.br"):
        assert rdap.rates[host] * 60 == pytest.approx(9)
    for name in ("jpnic", "krnic", "twnic", "idnic"):
        assert 0 < rdap.rates[f"{name}.rdap.apnic.net"] * 60 <= 10
    assert 0 < rdap.rate <= 2
    assert 0 < whois.rate * 60 <= 10
    assert resolve.names_rate > 0
    assert (rdap.keep, rdap.keep_negative) == (30 * DAY, 7 * DAY)


def test_opt_in_parts_of_the_chain_are_off_by_default() -> None:
    assert not {"directory", "host_name", "page"} & set(Settings().resolve.chain)


def test_ripes_entities_are_not_asked_for_and_its_whois_without_persons(sqlite: Database) -> None:
    one = network("192.0.2.0/24", "abuse@one.example", RdapFault.FORBIDDEN)
    with internet([one, network("198.51.100.0/24", "abuse@two.example")], whois_networks=[one]) as net:
        look_up(sqlite, net, ["192.0.2.1", "198.51.100.1"])
    assert all("/entity/" not in path for path in net.asked)
    assert [text for _, text in net.whois_log] == ["-r 192.0.2.1"]


NIC_BR = object_of(
    *("192.0.2.0", "192.0.2.255", role("abuse", "technical", handle="PERSON")),
    country="BR",
    remarks=[{"title": "Object truncated", "description": ["object truncated due to server policy"]}],
)


@pytest.mark.parametrize("mailbox", [None, "t@cert.example"])
def test_an_object_that_nic_br_truncated_is_told_to_the_countrys_team_and_else_asked_for_again(
    sqlite: Database, record: Record, mailbox: str | None
) -> None:
    networks = [network("192.0.2.0/24", registry="lacnic")]
    by = {"chain": ("network", "whois", "parent", "cert")}
    if mailbox is not None:
        route(sqlite, "BR", "copy", mailbox)
    with internet(networks, recorded=record(("lacnic", "192.0.2.0/24", NIC_BR))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"], by=by)
    assert case["mailbox"] == mailbox
    with sqlite.read() as connection:
        why = connection.execute(select(t.lookup_steps.c.why).where(t.lookup_steps.c.kind == "network")).scalar_one()
    assert why == "truncated"
    if mailbox is None:
        assert case["state"] == CaseState.NO_CONTACT
        assert 7 * DAY - MINUTE < case["due_at"] - clock() <= 7 * DAY


def test_a_whole_block_that_nic_br_refuses_is_asked_by_whois_and_never_called_without_contact(
    sqlite: Database,
) -> None:
    one = network("192.0.2.0/24", "abuse@one.example", RdapFault.FORBIDDEN, whois_fault=WhoisFault.QUOTA)
    with internet([one], whois_networks=[one]) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"], by={"chain": ("network", "whois", "parent", "origin", "cert")})
    assert (case["state"], case["event"]) == (CaseState.SEEN, None)


# --- cache truth ------------------------------------------------------------------------------------------------------


NARROW = {"by": {"caps": ScopeCaps(v4=28)}}


def test_a_wide_answer_does_not_speak_for_a_neighbour_that_has_a_network_of_its_own(sqlite: Database) -> None:
    networks = [network("192.0.2.0/24", "abuse@wide.example"), network("192.0.2.64/28", "abuse@own.example")]
    with internet(networks) as net:
        look_up(sqlite, net, ["192.0.2.1", "192.0.2.2", "192.0.2.65"], **NARROW)
    assert asked(net) == ["192.0.2.1", "192.0.2.65"]
    assert mailboxes(sqlite) == ["abuse@wide.example", "abuse@wide.example", "abuse@own.example"]
    assert cached(sqlite) == ["192.0.2.0-192.0.2.15", "192.0.2.64-192.0.2.79"]


def test_a_narrower_answer_that_comes_later_wins(sqlite: Database) -> None:
    with internet([network("192.0.2.0/24", "abuse@wide.example")]) as net:
        look_up(sqlite, net, ["192.0.2.1"])
        now, within = clock(), (ip_address("192.0.2.64"), ip_address("192.0.2.79"))
        own = Candidate("abuse@own.example", "abuse@own.example", 1, 0, 90, "role", "")
        later = NetworkAnswer(Outcome.CONTACTS, registered=within, cached=within, candidates=(own,))
        raw = Answer("https://rdap.example/ip/192.0.2.64", 200, "", b"{}", now)
        with sqlite.write() as connection:  # as a search or a dump brings it
            netblocks.learn(connection, [Learnt(later, (own,), raw, now + DAY)], now)
        look_up(sqlite, net, ["192.0.2.65", "192.0.2.80"])
    assert asked(net) == ["192.0.2.1"]
    assert mailboxes(sqlite) == ["abuse@wide.example", "abuse@own.example", "abuse@wide.example"]


@pytest.mark.parametrize("prefix", ["0.0.0.0/0", "192.0.0.0/8"])
def test_what_stands_for_a_registrys_whole_space_is_no_network_and_speaks_for_a_24_at_most(
    sqlite: Database, prefix: str
) -> None:
    mailbox = "abuse@stranger.example" if prefix == "0.0.0.0/0" else ""
    with internet([network(prefix, mailbox)]) as net:
        found = look_up(sqlite, net, ["192.0.2.1", "192.0.2.200", "192.0.3.1"], by={"caps": ScopeCaps()})
    assert [case["event"] for case in found] == [("case.no_contact", "no_contact")] * 3
    assert asked(net) == ["192.0.2.1", "192.0.3.1"]
    assert cached(sqlite) == ["192.0.2.0-192.0.2.255", "192.0.3.0-192.0.3.255"]
    assert set(reasons(sqlite).values()) <= {"registry-contact"}


def test_the_whole_of_ipv6_is_no_network_either(sqlite: Database) -> None:
    with internet([network("::/0", "abuse@stranger.example")]) as net:
        [case] = look_up(sqlite, net, ["2001:db8::1"])
    assert case["mailbox"] is None
    assert cached(sqlite) == ["2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff"]  # a /48


RANGES: dict[str, tuple[Json, str]] = {
    "not-a-prefix": (object_of("192.0.2.3", "192.0.2.100", ABUSE), "192.0.2.3-192.0.2.100"),
    "padded-octets": (object_of("192.000.002.000", "192.000.002.063", ABUSE), "192.0.2.0-192.0.2.63"),
    "several-prefixes": (
        object_of(
            *("192.0.2.0", "192.0.2.95", ABUSE),
            cidr0_cidrs=[{"v4prefix": "192.0.2.0", "length": 26}, {"v4prefix": "192.0.2.64", "length": 27}],
        ),
        "192.0.2.0-192.0.2.95",
    ),
    "prefixes-that-disagree": (
        object_of(*NET, ABUSE, cidr0_cidrs=[{"v4prefix": "192.0.2.0", "length": "25"}]),
        "192.0.2.0-192.0.2.127",
    ),
    "no-prefix-that-can-be-read": (
        object_of(*NET, ABUSE, cidr0_cidrs=[None, {"v4prefix": 7}]),
        "192.0.2.0-192.0.2.255",
    ),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_cached_as_it_is_however_it_is_written(sqlite: Database, record: Record, name: str) -> None:
    body, expected = RANGES[name]
    with internet([network("192.0.2.0/24")], recorded=record(("ripencc", "192.0.2.0/24", body))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.7"])
    assert case["mailbox"] == "abuse@one.example"
    assert cached(sqlite) == [expected]


def test_lacnic_may_be_asked_less_and_so_its_answers_speak_for_more(sqlite: Database) -> None:
    with internet([network("2001:db8::/32", "abuse@one.example", registry="lacnic")]) as net:
        look_up(sqlite, net, ["2001:db8::1", "2001:db8:f00::1", "2001:db8:1000::1"])
    assert asked(net) == ["2001:db8::1", "2001:db8:1000::1"]  # /36 and not /40
    assert cached(sqlite)[0] == "2001:db8::-2001:db8:fff:ffff:ffff:ffff:ffff:ffff"


def test_five_hundred_addresses_of_one_network_make_one_question(sqlite: Database) -> None:
    with internet([network("2001:db8::/48", "abuse@one.example")]) as net:
        look_up(sqlite, net, [str(IPv6Address((0x20010DB8 << 96) + n)) for n in range(1, 501)])
    assert asked(net) == ["2001:db8::1"]
    assert set(mailboxes(sqlite)) == {"abuse@one.example"}


def test_a_contact_holds_for_thirty_days_and_its_absence_for_seven(sqlite: Database) -> None:
    with internet([network("192.0.2.0/24", "abuse@one.example"), network("198.51.100.0/24")]) as net:
        with_one, without = look_up(sqlite, net, ["192.0.2.1", "198.51.100.1"])
    assert 30 * DAY - MINUTE < with_one["contact_due_at"] - clock() <= 30 * DAY == SETTINGS.keep
    assert 7 * DAY - MINUTE < without["due_at"] - clock() <= 7 * DAY


# --- choosing the address ---------------------------------------------------------------------------------------------


DESKS = ["IRT-KRNIC-KR", "IRT-JPNIC-JP", "IRT-CNNIC-CN", "IRT-VNNIC-AP", "IRT-APNIC-AP", "IRT-TWNIC-AP", "IANA1-AP"]
DOMAINS = ["irt@nic.or.kr", "hostmaster@nic.or.kr", "helpdesk@apnic.net", "hostmaster@nic.ad.jp"]
NOBODYS = [
    *("nobody@apnic.net", "bitbucket@ripe.net", "unread@ripe.net", "abuse@iana.org", "noreply@one.example"),
    *("abuse@one.invalid", "abuse@localhost", "hm-changed@vnnic.vn"),
]


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        *[(role("abuse", mailbox="desk@one.example", handle=handle), "registry-contact") for handle in DESKS],
        *[(role("abuse", mailbox=mailbox), "registry-contact") for mailbox in DOMAINS],
        *[(role("abuse", mailbox=mailbox), "placeholder") for mailbox in NOBODYS],
        *[(role("abuse", mailbox=words), None) for words in ("none", "no-email", "")],
        (role("registrar", mailbox="abuse@registrar.example"), "registrar"),
        (role("registrar", inside=[role("technical", inside=[role("abuse", mailbox="a@b.example")])]), "registrar"),
        (role("technical", mailbox="jane@one.example"), "technical"),
    ],
)
def test_who_must_not_be_written_to_is_not(sqlite: Database, record: Record, contact: Json, reason: str | None) -> None:
    body = object_of(*NET, contact)
    with internet([network("192.0.2.0/24")], recorded=record(("apnic", "192.0.2.0/24", body))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"], registries=at(net, "apnic"))
    assert (case["mailbox"], case["state"]) == (None, CaseState.NO_CONTACT)
    assert list(reasons(sqlite).values()) == ([reason] if reason else [])


def at(net: Internet, registry: str) -> dict[int, Json]:
    return {4: {"services": [[["192.0.2.0/24"], [f"{net.root}{registry}/"]]]}}


def test_a_registry_that_holds_the_network_itself_is_told(sqlite: Database, record: Record) -> None:
    """As APNIC's own desk is right for 1.1.1.0/24."""
    body = object_of(*NET, role("abuse", mailbox="helpdesk@apnic.net", handle="IRT-APNICRANDNET-AU"), name="APNIC-LABS")
    with internet([network("192.0.2.0/24")], recorded=record(("apnic", "192.0.2.0/24", body))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"], registries=at(net, "apnic"))
    assert case["mailbox"] == "helpdesk@apnic.net"


AFRINIC: dict[str, Json] = {
    "a-remark": object_of(*NET, remarks=[{"description": ["Abuse reports to: abuse@one.example"]}]),
    "an-entity-without-roles": object_of(*NET, role(mailbox="abuse@one.example") | {"roles": None}),
    "the-registrants-mailbox": object_of(*NET, role("registrant", mailbox="abuse@one.example")),
    "a-disguised-remark": object_of(*NET, remarks=[{"description": ["report abuse to abuse (at) one.example"]}]),
}


@pytest.mark.parametrize("name", AFRINIC)
def test_afrinic_names_abuse_desks_in_other_places_than_a_role(sqlite: Database, record: Record, name: str) -> None:
    networks = [network("192.0.2.0/24", registry="afrinic")]
    with internet(networks, recorded=record(("afrinic", "192.0.2.0/24", AFRINIC[name]))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"])
    assert case["mailbox"] == "abuse@one.example"


def test_a_remark_that_says_not_to_write_is_respected(sqlite: Database, record: Record) -> None:
    text = "For whois correction only, do not send abuse reports here: abuse@one.example"
    body = object_of(*NET, remarks=[{"description": [text]}])
    with internet([network("192.0.2.0/24")], recorded=record(("ripencc", "192.0.2.0/24", body))) as net:
        [case] = look_up(sqlite, net, ["192.0.2.1"])
    assert case["mailbox"] is None


@pytest.mark.parametrize("words", ["abuse@one.example is invalid", "Abuse-mailbox validation failed"])
def test_beside_a_contact_that_is_marked_as_dead_the_network_above_is_asked(
    sqlite: Database, record: Record, words: str
) -> None:
    link = {"rel": "up", "type": "application/rdap+json"}
    with internet([network("192.0.2.0/24", "abuse@above.example"), network("192.0.2.0/28")]) as plain:
        up = link | {"href": f"{plain.root}ripencc/ip/192.0.2.0/24"}
        marked = role("abuse", mailbox="abuse@one.example", remarks=[{"description": [words]}])
        body = object_of("192.0.2.0", "192.0.2.15", marked, links=[up])
        with internet([network("192.0.2.0/28")], recorded=record(("ripencc", "192.0.2.0/28", body))) as net:
            [case] = look_up(sqlite, net, ["192.0.2.1"], by={"chain": ("network", "parent")})
    assert case["mailbox"] == "abuse@one.example"
    assert list(reasons(sqlite)) == ["abuse@one.example", "abuse@above.example"]  # next when the first comes back


# --- address space ----------------------------------------------------------------------------------------------------


SPECIAL = [
    *("10.0.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("192.88.99.1", "192.175.48.1", "fe80::1", "2001:db8::1", "3fff::1", "5f00::1", "2001:20::1", "ff02::1"),
    *("::ffff:10.0.0.2", "2002:a00:1::1", "64:ff9b::a00:1", "2001:0:0:0:0:0:f5ff:fffe"),  # 10.0.0.0/8 in each
]


def test_special_purpose_space_is_never_asked_about_whoever_would_answer(sqlite: Database) -> None:
    everywhere = [network("0.0.0.0/0", "abuse@one.example"), network("::/0", "abuse@one.example")]
    with internet(everywhere) as net:
        found = look_up(sqlite, net, SPECIAL, settings=replace(SETTINGS, allow_documentation=False))
    assert net.asked == []
    assert {case["state"] for case in found} == {CaseState.NO_CONTACT}
    assert all(case["event"][1].startswith("special:") and case["due_at"] is None for case in found)


INSIDE = ["::ffff:192.0.2.1", "2002:c000:201::1", "64:ff9b::c000:201", "2001:0:0:0:0:0:3fff:fdfe"]


@pytest.mark.parametrize("text", INSIDE)
def test_the_ipv4_address_inside_another_is_asked_about(sqlite: Database, text: str) -> None:
    with internet([network("192.0.2.0/24", "abuse@one.example"), network("::/0", "abuse@two.example")]) as net:
        [case] = look_up(sqlite, net, [text])
    assert asked(net) == ["192.0.2.1"]
    assert case["mailbox"] == "abuse@one.example"


def test_a_legacy_block_and_an_as_are_followed_to_the_registry_that_has_them_now(sqlite: Database) -> None:
    moved = [
        network("192.0.2.0/24", bootstrap="arin"),
        network("198.51.100.0/24", "abuse@one.example", bootstrap="arin"),
    ]
    autnums = [Autnum(64500, 64500, "apnic", "AS64500", abuse="abuse@as.example")]
    with internet(moved, autnums=autnums, dns=DnsTable(origins=zones({"192.0.2.0/24": "64500"}))) as net:
        by = whole_chain(net, chain=("network", "origin"), check_mail=False)
        by["autnums"] = {"services": [[["64500"], [f"{net.root}arin/"]]]}
        look_up(sqlite, net, ["192.0.2.1", "198.51.100.1"], by=by)
    assert mailboxes(sqlite) == ["abuse@as.example", "abuse@one.example"]
    assert [path.split("/")[1] for path in net.asked if "/autnum/" in path and "bootstrap" not in path] == [
        "arin",
        "apnic",
    ]


# --- referrals --------------------------------------------------------------------------------------------------------


KRNIC = "IPv4 Address       : 192.0.2.0 - 192.0.2.255 (/24)\nOrganization Name  : ISP\nE-Mail  : abuse@isp.example\n"


def test_a_national_registry_is_asked_where_only_its_own_desk_stands_in_the_answer(
    sqlite: Database, record: Record
) -> None:
    body = object_of(*NET, role("abuse", mailbox="irt@nic.or.kr", handle="IRT-KRNIC-KR"))
    said: list[Any] = []
    with (
        internet([network("192.0.2.0/24")], recorded=record(("apnic", "192.0.2.0/24", body))) as net,
        whois_saying({"192.0.2.1": KRNIC}, said) as krnic,
    ):
        [case] = look_up(sqlite, net, ["192.0.2.1"], registries=at(net, "apnic"), by={"whois_hosts": {"krnic": krnic}})
    assert [text for _, text in said] == ["192.0.2.1"]
    assert case["mailbox"] == "abuse@isp.example"
