"""A name server for the sandbox: DNSBL zones, origin zones and plain records from a table, over UDP and TCP on loopback.

Reads: the table it is given (zones and records may be changed while it runs).  Writes: one line of `log` for each
question.  Standards: RFC 1035, RFC 5782 (zones and test points), RFC 7766.  It answers for every name: what the table
does not know does not exist.  An alias is followed, as a recursive server does, and a circle of them is shown as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, MutableSequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from pipeline.domain import Address, Clock
from pipeline.sandbox.streams import listening

Log = MutableSequence[tuple[datetime, str]]
TTL = 300  # seconds
LONGEST_CHAIN = 8  # aliases
MAIL_SERVER = "10 mail.sandbox.example."
LARGEST_UDP = 512  # bytes, RFC 1035 4.2.1: nobody here asks with EDNS


class ZoneFault(StrEnum):
    """What a zone does in place of answering."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    SILENT = "silent"
    WORLD = "list-the-world"  # every address is listed, 127.0.0.1 included
    ERROR_CODE = "error-code"  # 127.255.255.254 for every address
    TRUNCATED = "truncated"  # TC and nothing over UDP; whole over TCP
    NO_RECORD = "no-record"  # NOERROR without any
    OUTSIDE = "outside"  # an address outside 127.0.0.0/8, as a parked domain gives
    WRONG_QUESTION = "wrong-question"  # answers something that was not asked
    WRONG_ID = "wrong-id"  # answers under another number than the question's


@dataclass(frozen=True, slots=True)
class Listed:
    codes: tuple[str, ...]  # 127.0.0.x, as text
    text: str = ""  # its TXT record, none if empty


@dataclass(slots=True)
class Zone:
    """One DNSBL.  `test_points`: it lists 127.0.0.2 and ::FFFF:7F00:2 (RFC 5782 section 5)."""

    name: str
    listed: dict[Address, Listed] = field(default_factory=dict)
    fault: ZoneFault | None = None
    test_points: bool = True


@dataclass(slots=True)
class OriginZone:
    """A zone with texts for every address, asked like a DNSBL: who announces it (Cymru), whom to tell of abuse (Abusix).

    Of the prefixes around an address the longest one answers.
    """

    name: str
    texts: dict[IPv4Network | IPv6Network, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DnsTable:
    """`records` holds the texts of the records of a (name, type), such as ("mail.example", "MX"): ("10 mx.example.",).

    `mail_domains` (lower case) have the sandbox's mail server as their MX, unless they stand in `records`.
    """

    zones: tuple[Zone, ...] = ()
    records: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    origins: tuple[OriginZone, ...] = ()
    mail_domains: frozenset[str] = frozenset()


@contextlib.asynccontextmanager
async def serve(table: DnsTable, clock: Clock, log: Log, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Answer until left; gives the port, which is the same for UDP and TCP.  Each question adds (time, "NAME TYPE udp")."""

    def respond(wire: bytes, transport: str) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if len(query.question) != 1:
            return None
        asked = query.question[0]
        log.append((clock(), f"{asked.name} {dns.rdatatype.to_text(asked.rdtype)} {transport}"))
        return answer(table, query, transport)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:  # until the client closes
            size = int.from_bytes(await reader.readexactly(2))
            wire = respond(await reader.readexactly(size), "tcp")
            if wire is not None:
                writer.write(len(wire).to_bytes(2) + wire)
                await writer.drain()

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(16):
            used = await stack.enter_async_context(listening(converse, host, port))
            try:
                datagrams = await _datagrams(respond, host, used)
            except OSError:  # that port of UDP is another one's
                if port:
                    raise
                continue
            stack.callback(datagrams.close)
            break
        else:
            raise OSError("no port is free for both UDP and TCP")
        yield used


async def _datagrams(respond: Callable[[bytes, str], bytes | None], host: str, port: int) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond), local_addr=(host, port))
    return transport


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Callable[[bytes, str], bytes | None]) -> None:
        self._respond = respond

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the real one is no subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        wire = self._respond(data, "udp")
        if wire is not None:
            self._transport.sendto(wire, addr)


def answer(table: DnsTable, query: dns.message.Message, transport: str) -> bytes | None:
    """Return the answer to `query` as bytes, or None for silence."""
    asked = query.question[0]
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    for zone in table.zones:
        if asked.name.is_subdomain(dns.name.from_text(zone.name)):
            return _zone_answer(zone, response, transport)
    for origin in table.origins:
        if asked.name.is_subdomain(dns.name.from_text(origin.name)):
            texts = _origin(origin, asked.name)
            if texts is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            is_text = asked.rdtype == dns.rdatatype.TXT
            return _wire(response, asked.rdtype, tuple(map(_quoted, texts or ())) if is_text else (), transport)
    name = _follow(table, response)
    known = _known(table, name)
    if not known:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return _wire(response, asked.rdtype, known.get(dns.rdatatype.to_text(asked.rdtype), ()), transport, name)


def _known(table: DnsTable, asked: dns.name.Name) -> dict[str, tuple[str, ...]]:
    """Return the records of a name by their type."""
    found = {kind: texts for (name, kind), texts in table.records.items() if dns.name.from_text(name) == asked}
    if not found and asked.to_text(omit_final_dot=True).lower() in table.mail_domains:
        return {"MX": (MAIL_SERVER,)}
    return found


def _follow(table: DnsTable, response: dns.message.Message) -> dns.name.Name:
    """Put the aliases of the name that was asked into the answer, and return the last one's name."""
    name, kind = response.question[0].name, response.question[0].rdtype
    for _ in range(LONGEST_CHAIN):
        aliases = _known(table, name).get("CNAME")
        if not aliases or kind == dns.rdatatype.CNAME:
            break
        alias = dns.rrset.from_text(name, TTL, "IN", "CNAME", aliases[0])
        if alias in response.answer:
            break  # a circle
        response.answer.append(alias)
        name = dns.name.from_text(aliases[0])
    return name


def _origin(zone: OriginZone, name: dns.name.Name) -> tuple[str, ...] | None:
    """Return the texts of the longest prefix around the address that stands in `name`, None if there is none."""
    address = _reversed_address(zone.name, name)
    around = [prefix for prefix in zone.texts if address is not None and address in prefix]
    return zone.texts[max(around, key=lambda prefix: prefix.prefixlen)] if around else None


def _zone_answer(zone: Zone, response: dns.message.Message, transport: str) -> bytes | None:
    kind = response.question[0].rdtype
    found = _faulty(zone.fault)
    match zone.fault:
        case ZoneFault.SILENT:
            return None
        case ZoneFault.SERVFAIL | ZoneFault.REFUSED:
            response.set_rcode(dns.rcode.from_text(zone.fault.value))
        case ZoneFault.TRUNCATED if transport == "udp":
            response.flags |= dns.flags.TC
            return response.to_wire()
        case ZoneFault.WRONG_QUESTION:
            response.question = [
                dns.rrset.RRset(dns.name.from_text("other.example"), response.question[0].rdclass, kind)
            ]
        case ZoneFault.WRONG_ID:
            response.id ^= 1
            found = _listing(zone, response.question[0].name)
        case None | ZoneFault.TRUNCATED:
            found = _listing(zone, response.question[0].name)
            if found is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
        case _:
            pass
    texts: tuple[str, ...] = ()
    if found is not None and kind == dns.rdatatype.A:
        texts = found.codes
    elif found is not None and found.text and kind == dns.rdatatype.TXT:
        texts = (_quoted(found.text),)
    return _wire(response, kind, texts, transport)


def _faulty(fault: ZoneFault | None) -> Listed | None:
    match fault:
        case ZoneFault.WORLD:
            return Listed(("127.0.0.2",), "this zone has been shut down")
        case ZoneFault.ERROR_CODE:
            return Listed(("127.255.255.254",), "public resolver")
        case ZoneFault.OUTSIDE:
            return Listed(("203.0.113.80",))
        case _:
            return None


def _listing(zone: Zone, name: dns.name.Name) -> Listed | None:
    address = _reversed_address(zone.name, name)
    if address is None:
        return None
    if zone.test_points and address in _TEST_POINTS:
        return zone.listed.get(address, Listed(("127.0.0.2",), "test point"))
    return zone.listed.get(address)


def _reversed_address(zone: str, name: dns.name.Name) -> Address | None:
    """Return the address whose octets or nibbles stand, reversed, before the zone's name (RFC 5782 2.1 and 2.4)."""
    labels = [label.decode("ascii", "replace") for label in name.relativize(dns.name.from_text(zone)).labels]
    labels.reverse()
    try:
        return IPv4Address(".".join(labels)) if len(labels) == 4 else IPv6Address(bytes.fromhex("".join(labels)))
    except ValueError:
        return None


_TEST_POINTS: tuple[Address, ...] = (IPv4Address("127.0.0.2"), IPv6Address("::ffff:7f00:2"))


def _quoted(text: str) -> str:
    """Return `text` as the strings of one TXT record, each of at most 255 bytes (RFC 1035 3.3.14)."""
    raw = text.encode()
    pieces = [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in piece) + '"' for piece in pieces)


def _wire(
    response: dns.message.Message,
    kind: dns.rdatatype.RdataType,
    texts: tuple[str, ...],
    transport: str,
    name: dns.name.Name | None = None,
) -> bytes:
    """Return the message with the records of `name` (or of the name that was asked) as bytes."""
    if texts:
        response.answer.append(dns.rrset.from_text_list(name or response.question[0].name, TTL, "IN", kind, texts))
    wire = response.to_wire()
    if transport == "udp" and len(wire) > LARGEST_UDP:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire()
    return wire
