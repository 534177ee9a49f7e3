"""Read a registry's ranges, and cut the range that an answer may be used for from the one that is registered.

An answer is the most specific network for the address that was asked, and for no other: a neighbour in the same /16
may have a /24 of its own.  So what is cached is never wider than a cap around that address.
Pure.  Standards: RFC 9083 section 5.4 (startAddress, endAddress); the cidr0 extension of the registries.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from pipeline.domain import Address

Range = tuple[Address, Address]  # inclusive, both of one family, first <= last

_OCTET = r"(0|[1-9][0-9]{0,2})"
_V4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")

_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,7}", re.IGNORECASE)

SLOW_REGISTRIES = frozenset({"lacnic", "registro.br", "nic.br", "nic.mx"})  # about ten questions a minute


@dataclass(frozen=True, slots=True)
class ScopeCaps:
    """The widest prefix that one answer may speak for, by address family: 20 means never more than a /20.

    `slow_*` holds for LACNIC and its national registries, whose limits make finer questions unaffordable; `block_*`
    for a registry's own block, where the neighbour's range may be delegated although this address is not.
    """

    v4: int = 20
    v6: int = 40
    slow_v4: int = 18
    slow_v6: int = 36
    block_v4: int = 24
    block_v6: int = 48

    def __post_init__(self) -> None:
        for cap in (self.v4, self.slow_v4, self.block_v4):
            if not 9 <= cap <= 32:
                raise ValueError(f"an IPv4 cap lies between /9 and /32, not /{cap}")
        for cap in (self.v6, self.slow_v6, self.block_v6):
            if not 13 <= cap <= 128:
                raise ValueError(f"an IPv6 cap lies between /13 and /128, not /{cap}")

    def prefix(self, version: int, registry: str, is_block: bool) -> int:
        """Return the cap, a prefix length, for an answer of `registry`."""
        if is_block:
            return self.block_v4 if version == 4 else self.block_v6
        if registry in SLOW_REGISTRIES:
            return self.slow_v4 if version == 4 else self.slow_v6
        return self.v4 if version == 4 else self.v6


def cached_range(registered: Range, queried: Address, prefix: int) -> Range:
    """Return the part of `registered` that lies in the `prefix` around `queried`, which it covers."""
    kind = type(queried)
    host_bits = queried.max_prefixlen - prefix
    start = int(queried) >> host_bits << host_bits
    end = start + (1 << host_bits) - 1
    first, last = registered
    return (first if int(first) >= start else kind(start)), (last if int(last) <= end else kind(end))


def covers(stated: Range, queried: Address) -> bool:
    """True if the queried address lies in the range."""
    first, last = stated
    return first.version == queried.version and int(first) <= int(queried) <= int(last)


def size(stated: Range) -> int:
    """The number of addresses in the range."""
    return int(stated[1]) - int(stated[0]) + 1


def is_wide(stated: Range) -> bool:
    """True for a range as wide as what IANA gives to a registry: an IPv4 /8, an IPv6 /12, or wider."""
    return size(stated) >= 1 << (24 if stated[0].version == 4 else 116)


def read_address(text: str) -> Address | None:
    """Return the address that stands in a registry's text, or None.

    Zero-padded octets ("074.125.000.000") are decimal here, never octal; a length ("/32") behind it is dropped.
    """
    bare = text.strip()[:64].partition("/")[0].strip()
    return plain_address(bare) or _padded(bare)


def plain_address(text: str) -> Address | None:
    """Return the address if the text is one and nothing else, with no zero before an octet and no zone; else None.

    ipaddress' own reading costs three times as much for IPv4, and an exception first for IPv6.
    """
    if ":" not in text:
        octets = _V4.fullmatch(text)
        if octets is None:
            return None
        try:
            return IPv4Address(bytes(map(int, octets.groups())))
        except ValueError:  # an octet above 255
            return None
    if len(text) > 45 or "%" in text:
        return None
    try:
        return IPv6Address(_packed(text) or text)
    except ValueError:
        return None


def _packed(text: str) -> bytes:
    """The sixteen bytes of an IPv6 address in the two plain forms, "2001:db8::" and all eight groups; else b""."""
    head, gap, tail = text.partition("::")
    groups = head.split(":")
    if tail or _GROUPS.fullmatch(head) is None or (len(groups) > 7 if gap else len(groups) != 8):
        return b""
    return bytes.fromhex("".join([group.zfill(4) for group in groups])).ljust(16, b"\0")


def _padded(text: str) -> IPv4Address | None:
    octets = text.split(".")
    if len(octets) != 4 or not all(octet.isascii() and octet.isdigit() and len(octet) <= 3 for octet in octets):
        return None
    try:
        return IPv4Address(".".join(str(int(octet)) for octet in octets))
    except ValueError:
        return None


def read_range(text: str) -> Range | None:
    """Return the range that "a - b", "a/length" or LACNIC's "177.224/13" states, or None."""
    text = text[:256]
    first_text, dash, last_text = text.partition("-")
    if dash:
        first, last = read_address(first_text), read_address(last_text)
        return ordered(first, last)
    start, slash, length = text.strip().partition("/")
    if slash and "." in start and ":" not in start:
        start += ".0" * (3 - start.count("."))
    elif slash and start.isdigit():
        start += ".0.0.0"
    address = read_address(start)
    if address is None:
        return None
    return prefix_range(address, length.split()[0]) if slash and length.strip() else (address, address)


def ordered(first: Address | None, last: Address | None) -> Range | None:
    """Return (first, last), or None unless both are there, of one family and in order."""
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return None
    return first, last


def prefix_range(address: Address, length: object) -> Range | None:
    """Return the range of a prefix; `length` is a number or, as some registries write it, its text."""
    if isinstance(length, str):
        length = int(length) if length.isascii() and length.isdigit() and len(length) < 5 else None
    if type(length) is not int or not 0 <= length <= address.max_prefixlen:  # True is an int, too
        return None
    host_bits = address.max_prefixlen - length
    first = int(address) >> host_bits << host_bits
    kind: type[IPv4Address] | type[IPv6Address] = type(address)
    return kind(first), kind(first + (1 << host_bits) - 1)


def joined(parts: Iterable[Range], queried: Address) -> Range | None:
    """Return the one run of touching ranges that covers `queried`, or None."""
    around: tuple[int, int] | None = None
    ranges = sorted((int(a), int(b)) for a, b in parts if a.version == queried.version)
    for first, last in ranges:
        if around is not None and first <= around[1] + 1:
            around = (around[0], max(around[1], last))
        elif around is not None and around[0] <= int(queried) <= around[1]:
            break
        else:
            around = (first, last)
    kind = type(queried)
    found = (kind(around[0]), kind(around[1])) if around is not None else None
    return found if found is not None and covers(found, queried) else None
