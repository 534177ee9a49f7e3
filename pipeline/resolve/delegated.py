"""Read statistics of what registries have delegated: which range, by which registry, in which country.

Pure.  Standards: the registries' "RIR Statistics Exchange Format" and its extended form (one more column); the NRO's file,
which has the lines of all five registries, is read as well.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from pipeline.resolve.scope import Range

MAX_LINE = 8_192  # bytes; a longer one is skipped
REGISTRIES = frozenset({"arin", "ripencc", "apnic", "lacnic", "afrinic", "iana"})

_HEADER = re.compile(rb"(?:[%#][^\n]*\n|\s)*[\d.]{1,6}\|([a-z.]{3,12})\|\d{1,20}\|\d+\|\d*\|\d*\|")
_RECORD = re.compile(
    rb"^([a-z.]{3,12})\|([A-Za-z*]{0,2})\|(ipv4|ipv6)\|([0-9A-Fa-f.:]{2,39})\|(\d{1,10})\|\d{0,8}\|([a-z]{1,20})"
    rb"(?:\|([^|\r\n]{0,200})[^\r\n]*)?\r?$",
    re.MULTILINE,
)
_OF_ADDRESSES = re.compile(rb"^[a-z.]{3,12}\|[^|\r\n]*\|ipv[46]\|(?!\*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Delegation:
    """One record.  `country` is ISO 3166 alpha-2 or empty; `status`: allocated, assigned, available or reserved."""

    within: Range
    registry: str
    country: str
    status: str
    holder: str  # the registry's opaque identifier, or empty


def is_one(head: bytes) -> bool:
    """True if a text that begins like this is such a file."""
    return _HEADER.match(head) is not None


def registry(head: bytes) -> str:
    """Return the registry that the header names: arin, ripencc, apnic, lacnic, afrinic, or nro for all of them."""
    match = _HEADER.match(head)
    return match.group(1).decode() if match is not None else ""


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text in pieces of whole lines; of a line that does not end only the head is held."""
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
        rest = text[end : end + 2 * MAX_LINE]
    yield rest


def read(text: bytes) -> tuple[list[Delegation], int]:
    """Return the records about addresses in a piece of whole lines, and how many others were unreadable.

    Header, summary, comments and the records about AS numbers are passed over.
    """
    found = [one for groups in _RECORD.findall(text) if (one := _delegation(*groups)) is not None]
    return found, len(_OF_ADDRESSES.findall(text)) - len(found)


def _delegation(
    by: bytes, country: bytes, family: bytes, start: bytes, value: bytes, status: bytes, holder: bytes
) -> Delegation | None:
    within = _range(family, start.decode(), int(value))
    if within is None:
        return None
    code = country.decode().upper()
    known = code if len(code) == 2 and code.isalpha() and code != "ZZ" else ""
    return Delegation(within, by.decode(), known, status.decode(), _shown(holder))


def _shown(holder: bytes) -> str:
    return "".join(char for char in holder.decode("utf-8", "replace") if char.isprintable())


def _range(family: bytes, start: str, value: int) -> Range | None:
    """The range of a record: `value` is a number of addresses in IPv4 (any number), a prefix length in IPv6."""
    try:
        first = ip_address(start)
    except ValueError:
        return None
    if isinstance(first, IPv4Address) and family == b"ipv4":
        last = int(first) + value - 1
        return (first, IPv4Address(last)) if int(first) <= last < 1 << 32 else None
    if isinstance(first, IPv6Address) and family == b"ipv6" and value <= 128:
        size = 1 << (128 - value)
        return None if int(first) % size else (first, IPv6Address(int(first) + size - 1))
    return None


def packed(one: Delegation) -> bytes:
    """Return the record as one line, from which `unpacked` makes it again."""
    first, last = one.within
    return f"{first}|{last}|{one.registry}|{one.country}|{one.status}|{one.holder}".encode()


def unpacked(line: bytes) -> Delegation | None:
    """Return the record that `packed` made a line of; None for anything else."""
    parts = line.decode("utf-8", "replace").split("|", 5)
    try:
        first, last = ip_address(parts[0]), ip_address(parts[1])
        return Delegation(_pair(first, last), parts[2], parts[3], parts[4], parts[5])
    except (ValueError, IndexError):
        return None


def _pair(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address) -> Range:
    if first.version != last.version:
        raise ValueError("two families")
    return first, last
