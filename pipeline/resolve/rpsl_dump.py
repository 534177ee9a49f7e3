"""Pick out of a registry's RPSL dump what finds a contact: networks by block, and the objects that they refer to.

Pure.  A dump has some hundred million lines: regular expressions go over whole chunks, nothing is done line by line.  What
nobody needs (addresses of people, telephone numbers, maintainers, dates) is dropped here.  Ranges are only placed; they are
read when somebody asks about them.  Standard: RFC 2622 section 2 (objects, continuation lines, comments).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from pipeline.domain import Address
from pipeline.resolve import scope

MAX_OBJECT = 65_536  # bytes; a longer one is skipped
BLOCK_BITS = {4: 16, 6: 96}  # host bits of a block: an IPv4 /16, an IPv6 /32
MOST_BLOCKS = 16  # that one range is stored in; a wider one stands apart
WIDE: dict[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}  # stands for the block of those
MOST_WIDE = 50_000  # of one dump: they are read at every look-up

NETWORKS = {"inetnum": 4, "inet6num": 6}

_KEPT = (
    *("inetnum", "inet6num", "netname", "descr", "country", "org", "abuse-c", "mnt-irt", "admin-c", "tech-c"),
    *("remarks", "source", "organisation", "org-name", "role", "nic-hdl", "irt", "abuse-mailbox", "e-mail", "trouble"),
)
# every attribute but these, and every comment, with its continuation lines
_DROPPED = re.compile(rf"\n(?!(?:{'|'.join(_KEPT)}):|[ \t+\n])[^\n]+(?:\n[ \t+][^\n]*)*".encode())
# RIPE NCC adds this to every object of its dumps
_NOTICE = b"""
remarks:        ****************************
remarks:        * THIS OBJECT IS MODIFIED
remarks:        * Please note that all data that is generally regarded as personal
remarks:        * data has been removed from this object.
remarks:        * To view the original object, please query the RIPE Database at:
remarks:        * http://www.ripe.net/whois
remarks:        ****************************"""

_V4 = re.compile(rb"inetnum:[ \t]*(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}[ \t]*-[ \t]*\1\.\d{1,3}\.\d{1,3}(?![^\s#])")
_HEX = rb"[0-9A-Fa-f]{1,4}"
_V6 = re.compile(
    rb"inet6num:[ \t]*(" + _HEX + rb":" + _HEX + rb"):[0-9A-Fa-f:]*/(?:3[2-9]|[4-9]\d|1[01]\d|12[0-8])(?!\d)"
)
_RANGE = re.compile(rb"(inet6?num):[ \t]*([^\n#]{1,100})")
# what networks refer to; persons are nobody's abuse desk
_OBJECT = re.compile(rb"(organisation|role|irt):[ \t]*([^\s#\x00-\x1f]{0,100})")
_HANDLE = re.compile(rb"\nnic-hdl:[ \t]*([^\s#\x00-\x1f]{1,100})")
_FIRST = re.compile(rb"(?:\A|\n)(?:[%#][^\n]*\n|[ \t\r]*\n)*[a-z0-9][a-z0-9-]{1,60}:[ \t]")
_SOURCE = re.compile(rb"\nsource:[ \t]*([A-Za-z0-9-]{1,30})")


def is_one(head: bytes) -> bool:
    """True if the text that begins like this is of RPSL objects."""
    return _FIRST.match(b"\n" + head) is not None


def source(head: bytes) -> str:
    """Return the `source:` of the first object that has one, in lower case, or ""."""
    match = _SOURCE.search(head)
    return match.group(1).decode().lower() if match is not None else ""


def whole_objects(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text in pieces of whole objects, each after a line end.

    Of an object that does not end, no more than its head is held: it is too long to be kept.
    """
    rest = b"\n"
    for chunk in chunks:
        text = rest + chunk
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        end = text.rfind(b"\n\n")
        if end > 0:
            yield text[:end].rstrip(b"\n")
            rest = text[end:]
        elif len(text) > 4 * MAX_OBJECT:
            rest = text[: 2 * MAX_OBJECT] + text[-1:]
        else:
            rest = text
    yield rest.rstrip(b"\n")


@dataclass(slots=True)
class Picked:
    """What was picked so far.  `networks`: by the beginning of their addresses, as they stand; `size`: bytes in all."""

    networks: dict[bytes, list[bytes]] = field(default_factory=dict)
    apart: list[tuple[scope.Range, bytes]] = field(default_factory=list)  # in several blocks, or written otherwise
    objects: list[tuple[str, bytes]] = field(default_factory=list)  # class:handle, in lower case
    classes: set[str] = field(default_factory=set)
    kept: int = 0
    skipped: int = 0
    size: int = 0


def pick(text: bytes, into: Picked) -> None:
    """Add what is needed of a piece of whole objects to `into`."""
    text = _DROPPED.sub(b"", text.replace(_NOTICE, b""))
    networks, match_v4, match_v6 = into.networks, _V4.match, _V6.match
    others = []
    size = kept = 0
    for one in text.split(b"\n\n"):
        match = match_v4(one) or match_v6(one)
        if match is None or len(one) > MAX_OBJECT:
            others.append(one)
            continue
        size += len(one)
        kept += 1
        place = match[1]
        if place in networks:
            networks[place].append(one)
        else:
            networks[place] = [one]
    into.size += size
    into.kept += kept
    for one in others:
        _pick_other(one.strip(b"\n"), into)


def _pick_other(one: bytes, into: Picked) -> None:
    """An object that is no network inside one block, or that stands behind a comment."""
    if one.startswith((b"inetnum:", b"inet6num:")):
        match = _RANGE.match(one)
        found = scope.read_range(match.group(2).decode("ascii", "replace")) if match is not None else None
        if match is None or found is None or len(one) > MAX_OBJECT or NETWORKS[match[1].decode()] != found[0].version:
            into.skipped += 1
            return
        into.apart.append((found, one))
        into.classes.add(match[1].decode())
    elif (match := _OBJECT.match(one)) is not None:
        name = match.group(1).decode()
        handle = _HANDLE.search(one) if name == "role" else None
        key = handle.group(1) if handle is not None else b"" if name == "role" else match.group(2)
        if not key or len(one) > MAX_OBJECT:
            into.skipped += 1
            return
        into.objects.append((f"{name}:{key.decode('latin-1').lower()}", one))
        into.classes.add(name)
    else:
        return
    into.kept += 1
    into.size += len(one)


def by_block(picked: Picked) -> dict[Address, list[bytes]]:
    """Return the picked networks by the blocks that they lie in; what cannot lie anywhere counts as skipped."""
    found: dict[Address, list[bytes]] = {}
    for place, ones in picked.networks.items():
        block = _block_named(place)
        if block is None:
            picked.skipped += len(ones)
            picked.kept -= len(ones)
            continue
        found.setdefault(block, []).extend(ones)
        picked.classes.add("inetnum" if block.version == 4 else "inet6num")
    for within, one in picked.apart:
        for block in blocks_of(within):
            found.setdefault(block, []).append(one)
    return found


def _block_named(place: bytes) -> Address | None:
    """The block of the addresses that begin like this: "192.0" or "2001:db8"."""
    try:
        if b":" in place:
            high, low = place.split(b":")
            return IPv6Address((int(high, 16) << 16 | int(low, 16)) << 96)
        high, low = place.split(b".")
        return IPv4Address(bytes((int(high), int(low), 0, 0)))
    except ValueError:  # an octet above 255
        return None


def blocks_of(within: scope.Range) -> list[Address]:
    """Return the blocks that a range reaches into, or what stands for all of them if they are many."""
    kind, bits = type(within[0]), BLOCK_BITS[within[0].version]
    first, last = int(within[0]) >> bits, int(within[1]) >> bits
    if last - first >= MOST_BLOCKS:
        return [WIDE[within[0].version]]
    return [kind(number << bits) for number in range(first, last + 1)]
