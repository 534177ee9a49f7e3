"""Ask DNSBL zones about addresses, and ask whether a zone can be believed at all.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 5782 (2.1 IPv4, 2.4 IPv6, 5 test points).
Three-valued: only NXDOMAIN is NOT_LISTED; everything that is neither a code in 127.0.0.0/8 nor NXDOMAIN is UNKNOWN.
A zone is named by its display name; the name that is asked, which may carry a key, is never shown.
"""

import asyncio
import contextlib
import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rdtypes.txtbase

from pipeline.domain import Address, Listing, ZoneAnswer, ZoneQuestion
from pipeline.net.edge import Edge, Handler, alone, many
from pipeline.net.nameserver import DnsSettings, Nameserver, NoAnswer, ask

CODES = IPv4Network("127.0.0.0/8")
ERRORS = IPv4Network("127.255.255.0/24")  # "you may not ask", said as if it were a listing
LONGEST_TEXT = 255  # characters


@dataclass(frozen=True, slots=True)
class ZoneSource:
    """Where a zone is really asked: the name in the query (a secret), and servers of its own (none: the usual ones)."""

    query_name: str = field(repr=False)
    nameservers: tuple[Nameserver, ...] = ()


@dataclass(frozen=True, slots=True)
class Points:
    """Addresses that a zone must list and others that it must not (RFC 5782 section 5)."""

    listed: tuple[Address, ...]
    unlisted: tuple[Address, ...]


RFC5782_IPV4 = Points((IPv4Address("127.0.0.2"),), (IPv4Address("127.0.0.1"),))
RFC5782_IPV6 = Points((IPv6Address("::ffff:7f00:2"),), (IPv6Address("::ffff:7f00:1"),))


@dataclass(frozen=True, slots=True)
class ZoneHealth:
    """Whether a zone may be believed, and if not, everything that speaks against it."""

    zone: str
    healthy: bool
    reasons: tuple[str, ...] = ()


def edge(
    settings: DnsSettings, sources: Mapping[str, ZoneSource] | None = None, size: int = 1_000
) -> Edge[ZoneQuestion, ZoneAnswer]:
    """Return an edge, ready for `with`, that holds at most `size` questions that are not dealt with.

    A zone that `sources` does not name is asked by its own name at the usual nameservers.
    """
    return Edge(many(lambda: _asking(settings, sources or {})), size)


@contextlib.asynccontextmanager
async def _asking(
    settings: DnsSettings, sources: Mapping[str, ZoneSource]
) -> AsyncIterator[Handler[ZoneQuestion, ZoneAnswer]]:
    turns = asyncio.Semaphore(settings.concurrency)

    async def answer(question: ZoneQuestion) -> ZoneAnswer:
        await asyncio.sleep(question.delay)
        async with turns:
            return await _answer(question, settings, sources.get(question.zone, ZoneSource(question.zone)))

    yield answer


async def _answer(question: ZoneQuestion, settings: DnsSettings, source: ZoneSource) -> ZoneAnswer:
    zone, address = question.zone, question.address
    try:
        name = query_name(address, source.query_name)
        listing, codes, why = verdict(await ask(name, dns.rdatatype.A, settings, source.nameservers))
    except NoAnswer as error:
        return ZoneAnswer(zone, address, Listing.UNKNOWN, why=error.why)
    except dns.exception.DNSException:  # its text would show the name
        return ZoneAnswer(zone, address, Listing.UNKNOWN, why="zone name is not usable")
    text = ""
    if listing is Listing.LISTED and question.want_text:
        try:
            text = listing_text(await ask(name, dns.rdatatype.TXT, settings, source.nameservers))
        except NoAnswer:
            text = ""  # the listing stands without its reason
    return ZoneAnswer(zone, address, listing, codes, text, why)


def query_name(address: Address, zone: str) -> dns.name.Name:
    """Return the name to ask: the octets, or 32 nibbles, reversed, then the zone (RFC 5782 2.1 and 2.4)."""
    parts = str(address).split(".") if isinstance(address, IPv4Address) else list(address.packed.hex())
    return dns.name.from_text(".".join([*reversed(parts), zone.strip(".")]))


def verdict(message: dns.message.Message) -> tuple[Listing, tuple[str, ...], str]:
    """Return what an answer to an A question says: the listing, its codes in numeric order, and why it is UNKNOWN."""
    rcode = message.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Listing.UNKNOWN, (), dns.rcode.to_text(rcode)
    try:
        found = message.resolve_chaining().answer if isinstance(message, dns.message.QueryMessage) else None
    except dns.exception.DNSException:
        return Listing.UNKNOWN, (), "contradictory answer"
    if rcode == dns.rcode.NXDOMAIN:
        return Listing.NOT_LISTED, (), ""
    addresses = sorted(IPv4Address(a.address) for a in found or () if isinstance(a, dns.rdtypes.IN.A.A))
    if not addresses:
        return Listing.UNKNOWN, (), "NOERROR without an address"
    if any(address not in CODES for address in addresses):
        return Listing.UNKNOWN, (), "answer outside 127.0.0.0/8"
    codes = tuple(str(address) for address in addresses)
    if any(address in ERRORS for address in addresses):
        return Listing.UNKNOWN, (), "error code " + ", ".join(codes)
    return Listing.LISTED, codes, ""


def listing_text(message: dns.message.Message) -> str:
    """Return the zone's words on a listing on one line, without control or invisible characters, at most 255 of them."""
    texts = [
        b"".join(record.strings).decode("utf-8", "replace")
        for rrset in message.answer
        for record in rrset
        if isinstance(record, dns.rdtypes.txtbase.TXTBase)
    ]
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in " / ".join(sorted(texts)))
    return " ".join(visible.split())[:LONGEST_TEXT].rstrip()


def check_zone(
    zone: str,
    settings: DnsSettings,
    sources: Mapping[str, ZoneSource] | None = None,
    points: tuple[Points, ...] = (RFC5782_IPV4,),
) -> ZoneHealth:
    """Ask a zone about its test points and say whether it may be believed (RFC 5782 section 5).  Waits for the answers.

    Zones that answer otherwise by design get `points` of their own; one that lists IPv6 gets RFC5782_IPV6 as well.
    Raises ValueError without a point that must be listed and one that must not: either alone proves nothing.
    """
    listed = {address for pair in points for address in pair.listed}
    unlisted = {address for pair in points for address in pair.unlisted}
    if not listed or not unlisted:
        raise ValueError("a zone check needs a point that must be listed and one that must not")
    answers = alone(_ask_all(zone, sorted(listed | unlisted, key=str), settings, sources or {}))
    reasons = tuple(reason for answer in answers if (reason := _objection(answer, answer.address in listed)))
    return ZoneHealth(zone, not reasons, reasons)


async def _ask_all(
    zone: str, addresses: list[Address], settings: DnsSettings, sources: Mapping[str, ZoneSource]
) -> list[ZoneAnswer]:
    async with _asking(settings, sources) as answer:
        return await asyncio.gather(*(answer(ZoneQuestion(zone, address)) for address in addresses))


def _objection(answer: ZoneAnswer, must_be_listed: bool) -> str:
    """Return what speaks against the zone in its answer for one test point, or an empty text."""
    if answer.listing is Listing.UNKNOWN:
        return f"{answer.address}: {answer.why}"
    if must_be_listed and answer.listing is Listing.NOT_LISTED:
        return f"{answer.address} must be listed and is not"
    if not must_be_listed and answer.listing is Listing.LISTED:
        return f"{answer.address} must not be listed and is ({', '.join(answer.codes)})"
    return ""
