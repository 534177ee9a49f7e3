"""Text from a feed to one address that a letter can be about, or the reason why not.

Reads: data/special_purpose.csv, once.  Writes: nothing.  Strict: no leading zeros, no other digits than 0 to 9, no
range, no scope; an IPv4 address inside IPv6 (::ffff:192.0.2.1) is that IPv4 address, before anything is compared.
Standards: RFC 6890 and IANA's registries (special-purpose space), RFC 4291 2.5.5.2, RFC 7526 (6to4).
"""

import csv
from collections.abc import Callable
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton  # the parser alone: a tenth of the time of `ipaddress`

from pipeline.data import load
from pipeline.domain import Address
from pipeline.ingest.rejects import Reason

LONGEST = 45  # characters: 8 groups, the last two as IPv4
MAPPED = bytes(10) + b"\xff\xff"
SIX_TO_FOUR = IPv6Network("2002::/16")  # a tunnel's end: the host is the IPv4 address inside, behind any port

Network = IPv4Network | IPv6Network
AddressRule = Callable[[str], Address | Reason]


@cache
def special_purpose(path: Path = load.HERE / "special_purpose.csv") -> tuple[tuple[Network, Reason], ...]:
    """Return the special-purpose ranges, the most specific first, each with the reason to reject its addresses."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(ip_network(row["network"]), _reason(row["name"])) for row in csv.DictReader(file)]
    rows.append((SIX_TO_FOUR, Reason.ADDRESS_SPECIAL))
    return tuple(sorted(rows, key=lambda row: row[0].prefixlen, reverse=True))


def address_rule(allow_documentation: bool = False) -> AddressRule:
    """Return a function from text to an address, or to the reason why it is none that we write about.

    `allow_documentation` lets 192.0.2.0/24 and its like through (the sandbox).
    """
    ranges = special_purpose()
    v4 = [(*_ends(network), reason) for network, reason in ranges if network.version == 4]
    v6 = [(*_ends(network), reason) for network, reason in ranges if network.version == 6]
    # One flag per /16: most addresses lie in a /16 without any special range and need no search.
    touched = bytearray(65_536)
    for first, last, _ in v4:
        for block in range(first >> 16, (last >> 16) + 1):
            touched[block] = 1
    allowed = Reason.ADDRESS_DOCUMENTATION if allow_documentation else None

    def within(number: int, rows: list[tuple[int, int, Reason]]) -> Reason | None:
        reason = next((reason for first, last, reason in rows if first <= number <= last), None)
        return None if reason is allowed else reason

    def rule(text: str) -> Address | Reason:
        try:
            packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
        except (OSError, ValueError):
            return _why_not(text)
        if len(packed) == 16:
            if not packed.startswith(MAPPED):
                number = int.from_bytes(packed, "big")
                return within(number, v6) or IPv6Address(number)
            packed = packed[12:]
        number = int.from_bytes(packed, "big")
        if touched[number >> 16]:
            return within(number, v4) or IPv4Address(number)
        return IPv4Address(number)

    return rule


def _why_not(text: str) -> Reason:
    if not text:
        return Reason.ADDRESS_MISSING
    head, slash, length = text[: LONGEST + 4].partition("/")
    if slash and length.isascii() and length.isdigit():
        try:
            inet_pton(AF_INET6 if ":" in head else AF_INET, head)
        except (OSError, ValueError):
            return Reason.ADDRESS_BAD
        return Reason.ADDRESS_NETWORK
    return Reason.ADDRESS_BAD


def _reason(name: str) -> Reason:
    if name.startswith("Documentation"):
        return Reason.ADDRESS_DOCUMENTATION
    return Reason.ADDRESS_MULTICAST if name == "Multicast" else Reason.ADDRESS_SPECIAL


def _ends(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)
