"""Ask the DNS for texts and addresses of a name, the way of mail to a domain, the names of an address that lead back to it.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 1035, RFC 5321 5.1, RFC 7505, RFC 1912 2.1
(names and addresses that agree).  What is found comes as canonical JSON, kept like every other raw answer; what the DNS
could not say (SERVFAIL, REFUSED, silence) is a failure, never "nothing".
"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import dns.name
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.PTR
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.txtbase
import dns.reversename

from pipeline.domain import Address, Answer, Clock, NameKind, NameQuestion, NameReply, TemporaryFailure
from pipeline.net.edge import Edge, plain
from pipeline.net.lanes import in_lanes
from pipeline.net.mx import MailRoute, Route, mail_route
from pipeline.net.nameserver import LONGEST_NAME, DnsSettings, NoAnswer, ask, asked_name, hostname, records

MOST_TEXTS = 20
LONGEST_TEXT = 1_000  # characters
MOST_ADDRESSES = 50
MOST_NAMES = 5  # of one address that are looked at


def edge(settings: DnsSettings, clock: Clock, size: int = 1_000) -> Edge[NameQuestion, NameReply]:
    """Return an edge, ready for `with`, that holds at most `size` questions that are not dealt with."""

    async def reply(question: NameQuestion) -> NameReply:
        answer = await _answer(question, _Inquiry(settings), clock)
        return NameReply(question.key, question.kind, question.name, answer)

    return Edge(in_lanes(lambda: plain(reply), lambda _: "", settings.concurrency), size)


@dataclass(slots=True)
class _Inquiry:
    """The questions that one answer takes."""

    settings: DnsSettings
    asked: int = 0

    async def look_up(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Sequence[dns.rdata.Rdata] | None:
        self.asked += 1
        return records(await ask(name, kind, self.settings))


async def _answer(question: NameQuestion, inquiry: _Inquiry, clock: Clock) -> Answer:
    found: dict[str, object] = {}
    failure: TemporaryFailure | None = None
    is_there = False
    try:
        match question.kind:
            case NameKind.TXT:
                found["txt"] = texts = await _texts(question.name, inquiry)
                is_there = bool(texts)
            case NameKind.HOST:
                found["names"] = names = await _host_names(question.name, inquiry)
                is_there = bool(names)
            case NameKind.ADDRESSES:
                found["addresses"] = addresses = await _addresses(question.name, inquiry)
                is_there = bool(addresses)
            case NameKind.MAIL:
                way = await _way_of_mail(question.name, inquiry)
                found = {"route": way.route.value, "hosts": way.hosts, "why": way.why}
                is_there = way.route is not MailRoute.NONE
                if way.route is MailRoute.UNKNOWN:
                    failure = _failure(way.why)
    except NoAnswer as error:
        failure = _failure(error.why)
    source = f"dns:{question.kind.name}/{_visible(question.name, LONGEST_NAME)}"
    status = 0 if failure is not None else 200 if is_there else 404
    body = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() if found else b""
    return Answer(source, status, "application/json", body, clock(), failure, inquiry.asked)


def _failure(why: str) -> TemporaryFailure:
    return TemporaryFailure(why.lower().replace(" ", "-"), why)


async def _texts(text: str, inquiry: _Inquiry) -> list[str]:
    """Return the TXT records of a name, each on one line, sorted: the DNS gives them in any order."""
    name = asked_name(text)
    found = await inquiry.look_up(name, dns.rdatatype.TXT) if name is not None else None
    joined = (b"".join(r.strings) for r in found or () if isinstance(r, dns.rdtypes.txtbase.TXTBase))
    return sorted(_visible(raw[: 4 * LONGEST_TEXT].decode("utf-8", "replace"), LONGEST_TEXT) for raw in joined)[
        :MOST_TEXTS
    ]


def _visible(text: str, longest: int) -> str:
    """Return a text on one line, without control and invisible characters, cut to `longest`."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * longest])
    return " ".join(shown.split())[:longest].rstrip()


async def _way_of_mail(domain: str, inquiry: _Inquiry) -> Route:
    name = asked_name(domain)
    if name is None:
        return Route(MailRoute.NONE, why="not a domain name")
    return await mail_route(name, inquiry.look_up)


async def _host_names(text: str, inquiry: _Inquiry) -> list[str]:
    """Return the names of an address that lead back to it, sorted.  Raises NoAnswer if none does and one could not say."""
    address = _address(text)
    if address is None:
        return []
    found = await inquiry.look_up(dns.reversename.from_address(str(address)), dns.rdatatype.PTR)
    claimed = {hostname(record.target) for record in found or () if isinstance(record, dns.rdtypes.ANY.PTR.PTR)}
    kept: list[str] = []
    doubt: NoAnswer | None = None
    for name in sorted(claimed - {""})[:MOST_NAMES]:
        try:
            if await _leads_to(name, address, inquiry):
                kept.append(name)
        except NoAnswer as error:
            doubt = error
    if doubt is not None and not kept:
        raise doubt
    return kept


async def _addresses(text: str, inquiry: _Inquiry) -> list[str]:
    """Return the addresses of a host, in the order of numbers."""
    name, found = asked_name(text), list[Address]()
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA) if name is not None else ():
        records = await inquiry.look_up(name, kind) if name is not None else None
        found += [
            ip_address(record.address)
            for record in records or ()
            if isinstance(record, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA)
        ]
    return [str(address) for address in sorted(set(found), key=lambda a: (a.version, int(a)))[:MOST_ADDRESSES]]


async def _leads_to(name: str, address: Address, inquiry: _Inquiry) -> bool:
    kind = dns.rdatatype.A if address.version == 4 else dns.rdatatype.AAAA
    found = await inquiry.look_up(dns.name.from_text(name), kind)
    return any(
        isinstance(record, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA) and ip_address(record.address) == address
        for record in found or ()
    )


def _address(text: str) -> Address | None:
    """Return the address that a text is; an IPv4 address written inside an IPv6 one counts as itself."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # without a scope
    return address
