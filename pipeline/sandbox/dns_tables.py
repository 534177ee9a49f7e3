"""What the sandbox's name server knows: zones with their faults, origin zones, plain records; and how each is looked up.

Pure.  Reads and writes nothing.  Standards: RFC 5782 (2.1 and 2.4 names, 5 test points), RFC 1035.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import dns.name

from pipeline.domain import Address

_TEST_POINTS: tuple[Address, ...] = (IPv4Address("127.0.0.2"), IPv6Address("::ffff:7f00:2"))
MAIL_SERVER = "10 mail.sandbox.example."


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


def known(table: DnsTable, asked: dns.name.Name) -> dict[str, tuple[str, ...]]:
    """Return the records of a name by their type."""
    found = {kind: texts for (name, kind), texts in table.records.items() if dns.name.from_text(name) == asked}
    if not found and asked.to_text(omit_final_dot=True).lower() in table.mail_domains:
        return {"MX": (MAIL_SERVER,)}
    return found


def origin_texts(zone: OriginZone, name: dns.name.Name) -> tuple[str, ...] | None:
    """Return the texts of the longest prefix around the address that stands in `name`, None if there is none."""
    address = _reversed_address(zone.name, name)
    around = [prefix for prefix in zone.texts if address is not None and address in prefix]
    return zone.texts[max(around, key=lambda prefix: prefix.prefixlen)] if around else None


def faulty(fault: ZoneFault | None) -> Listed | None:
    """Return what a faulty zone says of every address, None if it says nothing."""
    match fault:
        case ZoneFault.WORLD:
            return Listed(("127.0.0.2",), "this zone has been shut down")
        case ZoneFault.ERROR_CODE:
            return Listed(("127.255.255.254",), "public resolver")
        case ZoneFault.OUTSIDE:
            return Listed(("203.0.113.80",))
        case _:
            return None


def listing(zone: Zone, name: dns.name.Name) -> Listed | None:
    """Return what a sound zone says of the address that stands in `name`, None if it is not listed."""
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
