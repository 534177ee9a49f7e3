"""A name server for the sandbox: DNSBL zones, origin zones and plain records from a table, over UDP and TCP on loopback.

Reads: the table it is given (zones and records may be changed while it runs).  Writes: one line of `log` for each
question.  Standards: RFC 1035, RFC 5782 (zones and test points), RFC 7766.  It answers for every name: what the table
does not know does not exist.  An alias is followed, as a recursive server does, and a circle of them is shown as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, MutableSequence
from datetime import datetime
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from pipeline.domain import Clock
from pipeline.sandbox.dns_tables import (
    DnsTable,
    Listed,
    OriginZone,
    Zone,
    ZoneFault,
    faulty,
    known,
    listing,
    origin_texts,
)
from pipeline.sandbox.streams import listening

__all__ = ["DnsTable", "Listed", "Log", "OriginZone", "Zone", "ZoneFault", "answer", "serve"]

Log = MutableSequence[tuple[datetime, str]]
TTL = 300  # seconds
LONGEST_CHAIN = 8  # aliases
LARGEST_UDP = 512  # bytes, RFC 1035 4.2.1: nobody here asks with EDNS


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
            texts = origin_texts(origin, asked.name)
            if texts is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            is_text = asked.rdtype == dns.rdatatype.TXT
            return _wire(response, asked.rdtype, tuple(map(_quoted, texts or ())) if is_text else (), transport)
    name = _follow(table, response)
    found = known(table, name)
    if not found:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return _wire(response, asked.rdtype, found.get(dns.rdatatype.to_text(asked.rdtype), ()), transport, name)


def _follow(table: DnsTable, response: dns.message.Message) -> dns.name.Name:
    """Put the aliases of the name that was asked into the answer, and return the last one's name."""
    name, kind = response.question[0].name, response.question[0].rdtype
    for _ in range(LONGEST_CHAIN):
        aliases = known(table, name).get("CNAME")
        if not aliases or kind == dns.rdatatype.CNAME:
            break
        alias = dns.rrset.from_text(name, TTL, "IN", "CNAME", aliases[0])
        if alias in response.answer:
            break  # a circle
        response.answer.append(alias)
        name = dns.name.from_text(aliases[0])
    return name


def _zone_answer(zone: Zone, response: dns.message.Message, transport: str) -> bytes | None:
    kind = response.question[0].rdtype
    found = faulty(zone.fault)
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
            found = listing(zone, response.question[0].name)
        case None | ZoneFault.TRUNCATED:
            found = listing(zone, response.question[0].name)
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
