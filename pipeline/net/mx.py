"""Ask how mail for a domain is routed, before anybody is written to there.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 5321 5.1 (MX, else the domain's own address),
RFC 7505 (null MX: the domain takes no mail).  What could not be found out is UNKNOWN, never "no mail".
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass
from enum import StrEnum

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.mxbase

from pipeline.net.edge import Edge, Handler, many
from pipeline.net.nameserver import DnsSettings, NoAnswer, ask


class MailRoute(StrEnum):
    MX = "mx"
    ADDRESS = "address"  # no MX, but an address record: the domain itself takes its mail
    NULL_MX = "null_mx"  # says that it takes none
    NONE = "none"  # no such domain, or nothing in it that could take mail
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MxQuestion:
    """One domain (A-labels), no sooner than `delay` seconds from now.  `key` comes back."""

    key: Hashable
    domain: str
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class MxReply:
    """`hosts` are in order of preference, without a final dot; empty unless the route is MX or ADDRESS."""

    key: Hashable
    domain: str
    route: MailRoute
    hosts: tuple[str, ...] = ()
    why: str = ""


def edge(settings: DnsSettings, size: int = 1_000) -> Edge[MxQuestion, MxReply]:
    """Return an edge, ready for `with`, that holds at most `size` questions that are not dealt with."""
    return Edge(many(lambda: _asking(settings)), size)


@contextlib.asynccontextmanager
async def _asking(settings: DnsSettings) -> AsyncIterator[Handler[MxQuestion, MxReply]]:
    turns = asyncio.Semaphore(settings.concurrency)

    async def answer(question: MxQuestion) -> MxReply:
        await asyncio.sleep(question.delay)
        async with turns:
            try:
                route, hosts, why = await _route(question.domain, settings)
            except NoAnswer as error:
                route, hosts, why = MailRoute.UNKNOWN, (), error.why
            except (dns.exception.DNSException, UnicodeError):
                route, hosts, why = MailRoute.NONE, (), "not a domain name"
        return MxReply(question.key, question.domain, route, hosts, why)

    yield answer


async def _route(domain: str, settings: DnsSettings) -> tuple[MailRoute, tuple[str, ...], str]:
    name = dns.name.from_text(domain)
    decided = mail_route(await ask(name, dns.rdatatype.MX, settings))
    if decided is not None:
        return decided
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        message = await ask(name, kind, settings)
        if message.rcode() != dns.rcode.NOERROR:
            return MailRoute.UNKNOWN, (), dns.rcode.to_text(message.rcode())
        if any(rrset.rdtype == kind for rrset in message.answer):
            return MailRoute.ADDRESS, (domain.rstrip("."),), ""
    return MailRoute.NONE, (), "neither MX nor address"


def mail_route(message: dns.message.Message) -> tuple[MailRoute, tuple[str, ...], str] | None:
    """Return what an answer to an MX question says: route, hosts, why; None if the address records decide."""
    if message.rcode() == dns.rcode.NXDOMAIN:
        return MailRoute.NONE, (), "no such domain"
    if message.rcode() != dns.rcode.NOERROR:
        return MailRoute.UNKNOWN, (), dns.rcode.to_text(message.rcode())
    records = [r for rrset in message.answer for r in rrset if isinstance(r, dns.rdtypes.mxbase.MXBase)]
    if not records:
        return None
    named = sorted((r.preference, r.exchange.to_text(True).lower()) for r in records if r.exchange != dns.name.root)
    if not named:
        return MailRoute.NULL_MX, (), "null MX"
    return MailRoute.MX, tuple(host for _, host in named), ""
