"""The sandbox's WHOIS servers: the form of their texts; their faults are tried with the edge in tests/net."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from pipeline.sandbox import whois_server
from pipeline.sandbox.networks import Network, RangeTable, WhoisFault
from pipeline.sandbox.whois_server import WhoisTable

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
OUTER = Network(
    ip_address("192.0.2.0"),
    ip_address("192.0.2.255"),
    "ripencc",
    "OUTER-NET",
    holder="Université",
    country="FR",
    language="fr",
    abuse="abuse@outer.example",
)
INNER = Network(ip_address("192.0.2.64"), ip_address("192.0.2.79"), "ripencc", "INNER-NET")
NORTH = Network(
    ip_address("198.51.100.0"), ip_address("198.51.100.130"), "arin", "NORTH", holder="North", abuse="abuse@n.example"
)
SIX = Network(
    ip_address("2001:db8::"),
    ip_address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    "apnic",
    "SIX",
    abuse="a@six.example",
)


def ask(registry: str, question: str, table: WhoisTable | None = None, log: whois_server.Log | None = None) -> str:
    table = table or WhoisTable(RangeTable([OUTER, INNER, NORTH, SIX]))

    async def asking() -> str:
        async with whois_server.serve(table, registry, lambda: NOW, [] if log is None else log) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question.encode() + b"\r\n")
            text = await reader.read()
            writer.close()
            return text.decode()

    return asyncio.run(asking())


def test_rpsl_says_the_abuse_contact_in_its_head_and_at_its_role() -> None:
    text = ask("ripencc", "-r 192.0.2.7")
    assert "% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@outer.example'\n" in text
    assert "inetnum:        192.0.2.0 - 192.0.2.255\n" in text
    assert "org-name:       Université\n" in text
    assert "abuse-c:        OUTER-NET-ABUSE\n" in text
    assert "abuse-mailbox:  abuse@outer.example\n" in text
    assert "\r" not in text


def test_the_narrowest_network_answers_and_may_have_no_abuse_contact() -> None:
    text = ask("ripencc", "192.0.2.70")
    assert "netname:        INNER-NET\n" in text
    assert "abuse" not in text.lower()


def test_an_ipv6_network_is_written_as_a_prefix() -> None:
    assert "inet6num:       2001:db8::/32\n" in ask("apnic", "2001:db8::7")


def test_arin_writes_its_own_form() -> None:
    text = ask("arin", "n + 198.51.100.7")
    assert "NetRange:       198.51.100.0 - 198.51.100.130\n" in text
    assert "CIDR:           198.51.100.0/25, 198.51.100.128/31, 198.51.100.130/32\n" in text
    assert "OrgAbuseEmail:  abuse@n.example\n" in text


def test_arin_refers_to_the_registry_that_knows() -> None:
    table = WhoisTable(RangeTable([OUTER]), referrals={"ripencc": "127.0.0.1:4343"})
    text = ask("arin", "n + 192.0.2.7", table)
    assert "ReferralServer: whois://127.0.0.1:4343\n" in text
    assert "abuse@" not in text


@pytest.mark.parametrize(
    ("registry", "question", "words"),
    [
        ("arin", "n + 203.0.113.1", "No match found."),
        ("ripencc", "203.0.113.1", "%ERROR:101"),
        ("ripencc", "198.51.100.7", "%ERROR:101"),
        ("ripencc", "", "%ERROR:101"),
        ("ripencc", "hello", "%ERROR:101"),
    ],
)
def test_what_is_not_known_is_said_so(registry: str, question: str, words: str) -> None:
    assert words in ask(registry, question)


def test_a_fault_of_the_registry_goes_before_the_answer_and_questions_are_written_down() -> None:
    log: whois_server.Log = []
    table = WhoisTable(RangeTable([OUTER]), faults={"ripencc": WhoisFault.QUOTA})
    assert "%ERROR:201" in ask("ripencc", "-r 192.0.2.7", table, log)
    assert [*log] == [(NOW, "-r 192.0.2.7")]


def test_an_endless_line_is_not_read() -> None:
    assert ask("ripencc", "x" * 100_000) == ""


def test_a_postal_address_stands_in_the_organisation() -> None:
    ends = (ip_address("203.0.113.0"), ip_address("203.0.113.255"))
    lines = ("1 Example Street", "Exampleville QC H0H 0H0", "Canada")
    arin = Network(*ends, "arin", "N", holder="Holder", country="CA", region="QC", postal=lines)
    ripe = Network(*ends, "ripencc", "N", holder="Holder", country="CA", region="QC", postal=lines)
    said = ask("arin", "203.0.113.7", WhoisTable(RangeTable([arin])))
    parts = ("Address:        1 Example Street", "City:           Exampleville", "StateProv:      QC")
    assert "\n".join((*parts, "PostalCode:     H0H 0H0", "Country:        CA")) in said
    said = ask("ripencc", "203.0.113.7", WhoisTable(RangeTable([ripe])))
    assert "\n".join(f"address:        {line}" for line in lines) in said
