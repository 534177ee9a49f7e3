"""How mail for a domain is routed, before anybody is written to there.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 5321 5.1 (MX, else the domain's own address),
RFC 7505 (null MX: the domain takes no mail).  What could not be found out is UNKNOWN, never "no mail".
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import dns.name
import dns.rdata
import dns.rdatatype
import dns.rdtypes.mxbase

from pipeline.net.nameserver import NoAnswer, hostname

MOST_HOSTS = 20

LookUp = Callable[[dns.name.Name, dns.rdatatype.RdataType], Awaitable[Sequence[dns.rdata.Rdata] | None]]


class MailRoute(StrEnum):
    MX = "mx"
    ADDRESS = "address"  # no MX, but an address record: the domain itself takes its mail
    NULL_MX = "null_mx"  # says that it takes none
    NONE = "none"  # no such domain, or nothing in it that could take mail
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """`hosts` are in order of preference, without a final dot; empty unless the route is MX or ADDRESS."""

    route: MailRoute
    hosts: tuple[str, ...] = ()
    why: str = ""


async def mail_route(domain: dns.name.Name, look_up: LookUp) -> Route:
    """Return how mail for `domain` is routed.  `look_up` gives records, None for no such name, or raises NoAnswer."""
    try:
        found = await look_up(domain, dns.rdatatype.MX)
        if found is None:
            return Route(MailRoute.NONE, why="no such domain")
        if (by_mx := exchangers(found)) is not None:
            return by_mx
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            if await look_up(domain, kind):
                return Route(MailRoute.ADDRESS, (hostname(domain),))
    except NoAnswer as error:
        return Route(MailRoute.UNKNOWN, why=error.why)
    return Route(MailRoute.NONE, why="neither MX nor address")


def exchangers(found: Sequence[dns.rdata.Rdata]) -> Route | None:
    """Return what MX records say, None if there are none and the address records decide (RFC 5321 5.1, RFC 7505)."""
    records = [record for record in found if isinstance(record, dns.rdtypes.mxbase.MXBase)]
    if not records:
        return None
    real = [record for record in records if record.exchange != dns.name.root]
    if not real:
        return Route(MailRoute.NULL_MX, why="null MX")
    named = sorted((record.preference, name) for record in real if (name := hostname(record.exchange)))
    if not named:
        return Route(MailRoute.NONE, why="no MX names a host")
    return Route(MailRoute.MX, tuple(dict.fromkeys(host for _, host in named))[:MOST_HOSTS])
