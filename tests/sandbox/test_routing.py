"""The sandbox's names, asked over the wire and read by the rules: origins, a directory, a host's name, ways of mail."""

from collections.abc import Hashable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from pipeline.domain import Answer, NameKind, NameQuestion, WhoisQuestion
from pipeline.net import names, whois
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.net.whois import WhoisSettings
from pipeline.resolve import directory, host_name, mail_route, origin, referral
from pipeline.sandbox import dns_server, routing, scenario
from pipeline.sandbox import town as town_server
from pipeline.sandbox.dns_server import DnsTable
from pipeline.sandbox.thread import in_thread

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DEMO = Path(scenario.__file__).with_name("demo")
GOOD = Path(__file__).with_name("scenario")
HOSTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("7.2.0.192.in-addr.arpa", "PTR"): ("mail.isp.example.",),
    ("mail.isp.example", "A"): ("192.0.2.7",),
    ("8.2.0.192.in-addr.arpa", "PTR"): ("mail.stranger.example.",),  # whose address is another
    ("mail.stranger.example", "A"): ("198.51.100.8",),
}


def asked(table: DnsTable, kind: NameKind, name: str) -> Answer:
    with in_thread(dns_server.serve(table, lambda: NOW, [])) as port:
        settings = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=5.0, tries=1)
        with names.edge(settings, lambda: NOW) as edge:
            edge.ask(NameQuestion("key", kind, name))
            (reply,) = edge.take(20.0)
            edge.done()
    return reply.answer


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", [64496, 64498]),
        ("192.0.2.70", [64498, 64499]),  # two records of the narrower prefix
        ("2001:db8::7", [64499]),
        ("198.51.100.7", []),
    ],
)
def test_who_announces_an_address_is_asked_and_read(address: str, expected: list[int]) -> None:
    queried = ip_address(address)
    name = origin.question(queried, routing.ORIGIN, routing.ORIGIN6)
    found = origin.asns(asked(scenario.load(GOOD).dns_table(), NameKind.TXT, name), queried)
    assert [number for number, _ in found] == expected


def test_a_directory_is_asked_and_read() -> None:
    name = directory.question(ip_address("192.0.2.7"), routing.DIRECTORY)
    found = directory.mailboxes(asked(scenario.load(GOOD).dns_table(), NameKind.TXT, name))
    assert [(each.mailbox, each.rejected) for each in found] == [
        ("abuse@universite.example", ""),
        ("desk@directory.example", ""),
    ]


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.7", ["abuse@isp.example"]), ("192.0.2.8", []), ("192.0.2.9", [])]
)
def test_only_a_name_that_leads_back_to_the_address_counts(address: str, expected: list[str]) -> None:
    found = host_name.mailboxes(asked(DnsTable(records=HOSTS), NameKind.HOST, address))
    assert [each.mailbox for each in found] == expected


def test_every_mailbox_of_the_demonstration_takes_mail_but_two() -> None:
    demo = scenario.load(DEMO)
    mailboxes = sorted({network.abuse for network in demo.networks if network.abuse})
    table = demo.dns_table()
    with in_thread(dns_server.serve(table, lambda: NOW, [])) as port:
        settings = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=5.0, tries=2)
        with names.edge(settings, lambda: NOW) as edge:
            for mailbox in mailboxes:
                edge.ask(NameQuestion(mailbox, NameKind.MAIL, mailbox.rpartition("@")[2]))
            answers: dict[Hashable, bytes] = {}
            while len(answers) < len(mailboxes):
                for reply in edge.take(20.0):
                    answers[reply.key] = reply.answer.body
                    edge.done()
    refused = [mailbox for mailbox in mailboxes if mail_route.route(answers[mailbox]) not in mail_route.TAKES_MAIL]
    assert refused == ["abuse@island.example", "abuse@tablebay.example"]


def test_each_of_those_two_has_somebody_behind_it() -> None:
    demo = scenario.load(DEMO)
    networks = demo.rdap_table().networks
    bay = networks.find(ip_address("203.0.113.194"))
    assert bay is not None
    above = networks.parent(bay)
    assert above is not None
    assert above.abuse == "abuse@karoo.example"
    (island,) = [one for one in demo.announced if one.prefix == ip_network("203.0.113.16/28")]
    (block,) = [block for block in demo.autnums if block.start in island.origins]
    assert block.abuse == "abuse@levant.example"


def test_arins_whois_server_refers_to_the_registry_that_has_the_network(tmp_path: Path) -> None:
    town = town_server.serve(scenario.load(GOOD), tmp_path, lambda: NOW)
    with in_thread(town) as running, whois.edge(WhoisSettings(allow_loopback=True), lambda: NOW) as edge:
        line = referral.text("arin", referral.WHOIS, ip_address("192.0.2.7"))
        edge.ask(WhoisQuestion("key", "127.0.0.1", running.whois["arin"], line))
        (reply,) = edge.take(20.0)
        edge.done()
        ports = dict(running.whois)
    assert referral.find(reply.answer, "arin", allow_loopback=True) == ("127.0.0.1", ports["ripencc"], "whois")
    assert referral.find(reply.answer, "arin") is None
