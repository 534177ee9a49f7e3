"""Decide which address a registry can be asked about, and which lie in space that nobody answers for.

Reads: data/special_purpose.csv, once (`date` is the month of the assignment, as the registry gives it).  Writes:
nothing; the answer depends on the address alone.
Standards: the IANA special-purpose address registries (RFC 6890), multicast (RFC 5771, RFC 4291 section 2.7); embedded
IPv4 by RFC 4291 section 2.5.5.2 (mapped), RFC 3056 (6to4), RFC 6052 (64:ff9b::/96), RFC 4380 section 4 (Teredo).
"""

import csv
import functools
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address, IPv6Address, ip_network

from ipwhois.utils import ipv4_is_defined, ipv6_is_defined

from pipeline.domain import Address

DOCUMENTATION = "documentation"


@dataclass(frozen=True, slots=True)
class SpecialRange:
    """One row of data/special_purpose.csv; `first` and `last` are the range's ends as numbers, inclusive."""

    first: int
    last: int
    reason: str
    network: str
    name: str  # as the registry has it
    source: str  # which registry, and the RFC that the entry rests on


Table = tuple[SpecialRange, ...]  # of one address family, narrowest first


def lookup_address(address: Address, *, allow_documentation: bool = False) -> tuple[Address | None, str]:
    """Return (the address to ask a registry about, ""), or (None, why nobody is to be asked).

    An IPv4 address inside a mapped, 6to4, NAT64 or Teredo address is the one to ask about: its owner is to be told.
    `allow_documentation` lets RFC 5737, RFC 3849 and RFC 9637 space through, for the sandbox and for tests.
    """
    inner = embedded_ipv4(address) or address
    reason = special_purpose(inner)
    if reason == "" or (allow_documentation and reason == DOCUMENTATION):
        return inner, ""
    return None, reason


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address carries, or None.  Teredo gives its client, un-obfuscated."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if int(address) >> 32 == 0x0064FF9B << 64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.teredo[1] if address.teredo is not None else None


def special_purpose(address: Address, table: Table | None = None) -> str:
    """Return why the address is special-purpose ("private", "multicast", ...), or "" where it is not.

    Our own table decides; what it does not list is put to ipwhois as a second opinion, which knows no CGNAT, AS112 or
    3fff::/20 but is right wherever it says that a range is defined.  `table`: another one of the address's family.
    """
    row = special_range(address, table)
    if row is not None:
        return row.reason
    number = int(address)
    width = 8 if address.version == 4 else 64  # no range that ipwhois alone would name is smaller than that
    return _second_opinion(address.version, number >> width << width)


def special_range(address: Address, table: Table | None = None) -> SpecialRange | None:
    """Return the narrowest special-purpose range around the address, or None."""
    rows = ranges(address.version) if table is None else table
    number = int(address)
    return next((row for row in rows if row.first <= number <= row.last), None)


def carrier(address: Address) -> str:
    """Return how an IPv6 address carries an IPv4 one: mapped, 6to4, nat64, teredo; or an empty text."""
    if isinstance(address, IPv4Address) or embedded_ipv4(address) is None:
        return ""
    if address.ipv4_mapped is not None:
        return "mapped"
    return "6to4" if address.sixtofour is not None else "teredo" if address.teredo is not None else "nat64"


@functools.lru_cache(maxsize=65536)
def _second_opinion(version: int, number: int) -> str:
    address: Address = IPv4Address(number) if version == 4 else IPv6Address(number)
    verdict = ipv4_is_defined(str(address)) if version == 4 else ipv6_is_defined(str(address))
    return str(verdict.ietf_name).lower().replace(" ", "-") if verdict.is_defined else ""


@functools.cache
def ranges(version: int) -> Table:
    """Return the rows of one address family, narrowest first, so that the most specific reason is found."""
    text = resources.files("pipeline").joinpath("data/special_purpose.csv").read_text(encoding="utf-8")
    rows = []
    for row in csv.DictReader(text.splitlines()):
        network = ip_network(row["network"])
        if network.version == version:
            first, last = int(network.network_address), int(network.broadcast_address)
            rows.append(SpecialRange(first, last, row["reason"], row["network"], row["name"], row["source"]))
    return tuple(sorted(rows, key=lambda row: row.last - row.first))
