"""The sandbox's name server, asked by dnspython; the faults of zones are tried with the edge in tests/net."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, Listed, OriginZone, Zone, ZoneFault

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ZONE = Zone("dnsbl.example", {ip_address("192.0.2.7"): Listed(("127.0.0.2", "127.0.0.9"), "because")})
TABLE = DnsTable(
    (ZONE, Zone("truncated.example", ZONE.listed, ZoneFault.TRUNCATED)),
    {
        ("holder.example", "MX"): ("10 mx.holder.example.",),
        ("mx.holder.example", "A"): ("192.0.2.25",),
        ("mx.holder.example", "AAAA"): ("2001:db8::25",),
        ("25.2.0.192.in-addr.arpa", "PTR"): ("mx.holder.example.",),
        ("long.example", "TXT"): (" ".join(['"' + "x" * 200 + '"'] * 4),),
        ("alias.example", "CNAME"): ("holder.example.",),
        ("astray.example", "CNAME"): ("gone.example.",),
        ("circle.example", "CNAME"): ("again.example.",),
        ("again.example", "CNAME"): ("circle.example.",),
    },
    (
        OriginZone(
            "origin.example",
            {ip_network("192.0.2.0/24"): ("wide", "second"), ip_network("192.0.2.0/25"): ("narrow",)},
        ),
        OriginZone("origin6.example", {ip_network("2001:db8::/32"): ("six",)}),
    ),
    frozenset({"isp.example", "holder.example"}),
)
NIBBLES = ".".join(reversed(ip_address("2001:db8::7").packed.hex()))


def ask(name: str, kind: str, tcp: bool = False, log: dns_server.Log | None = None) -> dns.message.Message:
    async def asking() -> dns.message.Message:
        async with dns_server.serve(TABLE, lambda: NOW, [] if log is None else log) as port:
            over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
            return await over(dns.message.make_query(name, kind), "127.0.0.1", 10, port)

    return asyncio.run(asking())


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "rcode", "data"),
    [
        ("holder.example", "MX", dns.rcode.NOERROR, ["10 mx.holder.example."]),
        ("HOLDER.example", "MX", dns.rcode.NOERROR, ["10 mx.holder.example."]),
        ("ISP.example", "MX", dns.rcode.NOERROR, ["10 mail.sandbox.example."]),
        ("isp.example", "A", dns.rcode.NOERROR, []),
        ("www.isp.example", "MX", dns.rcode.NXDOMAIN, []),
        ("mx.holder.example", "A", dns.rcode.NOERROR, ["192.0.2.25"]),
        ("mx.holder.example", "AAAA", dns.rcode.NOERROR, ["2001:db8::25"]),
        ("25.2.0.192.in-addr.arpa", "PTR", dns.rcode.NOERROR, ["mx.holder.example."]),
        ("holder.example", "A", dns.rcode.NOERROR, []),
        ("gone.example", "A", dns.rcode.NXDOMAIN, []),
        ("7.2.0.192.dnsbl.example", "A", dns.rcode.NOERROR, ["127.0.0.2", "127.0.0.9"]),
        ("7.2.0.192.dnsbl.example", "TXT", dns.rcode.NOERROR, ['"because"']),
        ("8.2.0.192.dnsbl.example", "A", dns.rcode.NXDOMAIN, []),
        ("2.0.0.127.dnsbl.example", "A", dns.rcode.NOERROR, ["127.0.0.2"]),
        ("1.0.0.127.dnsbl.example", "A", dns.rcode.NXDOMAIN, []),
        ("x.2.0.192.dnsbl.example", "A", dns.rcode.NXDOMAIN, []),
        ("alias.example", "MX", dns.rcode.NOERROR, ["10 mx.holder.example.", "holder.example."]),
        ("alias.example", "CNAME", dns.rcode.NOERROR, ["holder.example."]),
        ("astray.example", "MX", dns.rcode.NXDOMAIN, ["gone.example."]),
        ("circle.example", "A", dns.rcode.NOERROR, ["again.example.", "circle.example."]),
        ("7.2.0.192.origin.example", "TXT", dns.rcode.NOERROR, ['"narrow"']),
        ("200.2.0.192.origin.example", "TXT", dns.rcode.NOERROR, ['"second"', '"wide"']),
        ("7.2.0.192.origin.example", "A", dns.rcode.NOERROR, []),
        ("7.100.51.198.origin.example", "TXT", dns.rcode.NXDOMAIN, []),
        ("origin.example", "TXT", dns.rcode.NXDOMAIN, []),
        (f"{NIBBLES}.origin6.example", "TXT", dns.rcode.NOERROR, ['"six"']),
    ],
)
def test_names_have_the_records_of_the_table(name: str, kind: str, rcode: int, data: list[str], tcp: bool) -> None:
    answer = ask(name, kind, tcp)
    assert answer.rcode() == rcode
    assert sorted(record.to_text().lower() for rrset in answer.answer for record in rrset) == data


def test_what_does_not_fit_into_a_datagram_is_marked_truncated() -> None:
    short, whole = ask("long.example", "TXT"), ask("long.example", "TXT", tcp=True)
    assert (bool(short.flags & dns.flags.TC), short.answer) == (True, [])
    assert (bool(whole.flags & dns.flags.TC), len(whole.answer)) == (False, 1)


def test_each_question_is_written_down() -> None:
    log: dns_server.Log = []
    ask("holder.example", "MX", log=log)
    ask("7.2.0.192.truncated.example", "A", tcp=True, log=log)
    assert [*log] == [(NOW, "holder.example. MX udp"), (NOW, "7.2.0.192.truncated.example. A tcp")]


def test_a_listing_may_end_while_the_server_runs() -> None:
    fixed = Zone("dnsbl.example", dict(ZONE.listed))

    async def asking() -> list[int]:
        query = dns.message.make_query("7.2.0.192.dnsbl.example", "A")
        async with dns_server.serve(DnsTable((fixed,)), lambda: NOW, []) as port:
            before = await dns.asyncquery.udp(query, "127.0.0.1", 10, port)
            del fixed.listed[ip_address("192.0.2.7")]
            after = await dns.asyncquery.udp(query, "127.0.0.1", 10, port)
        return [before.rcode(), after.rcode()]

    assert asyncio.run(asking()) == [dns.rcode.NOERROR, dns.rcode.NXDOMAIN]


def test_what_is_not_a_question_gets_no_answer_and_does_no_harm() -> None:
    async def asking() -> int:
        async with dns_server.serve(TABLE, lambda: NOW, []) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00\x03abc")
            await writer.drain()
            writer.close()
            query = dns.message.make_query("holder.example", "MX")
            return (await dns.asyncquery.tcp(query, "127.0.0.1", 10, port)).rcode()

    assert asyncio.run(asking()) == dns.rcode.NOERROR


def test_another_address_of_loopback_may_be_used() -> None:
    async def asking() -> int:
        async with dns_server.serve(TABLE, lambda: NOW, [], host="127.0.0.53") as port:
            return (
                await dns.asyncquery.udp(dns.message.make_query("gone.example", "A"), "127.0.0.53", 10, port)
            ).rcode()

    assert asyncio.run(asking()) == dns.rcode.NXDOMAIN
