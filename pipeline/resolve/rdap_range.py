"""Read the range of an RDAP network: quickly where it is plainly written, else with ipwhois' normaliser.

Pure.  Padded octets, lengths in addresses, missing members and ranges that contradict each other are all met in answers of
registries.  Standards: RFC 9083 section 5.4 (startAddress, endAddress); the cidr0 extension of the registries.
"""

from typing import Any

from pipeline.domain import Address
from pipeline.resolve import ipwhois_offline, scope
from pipeline.resolve.scope import Range

_MEMBERS = ("handle", "ipVersion", "startAddress", "endAddress", "name", "type", "country", "parentHandle")


def registered(data: dict[str, Any], queried: Address, *, is_quick: bool) -> Range | None:
    """Return the network's range if it covers the address, else None.  Of start-end and cidr0 the narrower one counts.

    Where both are given and one does not cover the address, the answer contradicts itself and is not used.
    """
    between = (_plain(data) if is_quick else None) or _between(data, queried)
    stated = [between] if between is not None else []
    blocks = _cidr0(data.get("cidr0_cidrs"), between, data.get("startAddress"))
    if blocks:
        run = blocks[0] if len(blocks) == 1 else scope.joined(blocks, queried)
        if run is None:
            return None
        stated.append(run)
    if not stated and (by_handle := scope.read_range(text_of(data, "handle"))) is not None:
        stated.append(by_handle)
    if not stated or not all(scope.covers(each, queried) for each in stated):
        return None
    return stated[0] if len(stated) == 1 or stated[0] == stated[1] else min(stated, key=scope.size)


def is_plain(data: dict[str, Any]) -> bool:
    """True if the network's range is so plainly written that ipwhois is not asked about it."""
    return _plain(data) is not None


def _plain(data: dict[str, Any]) -> Range | None:
    """The quick way: the range where both ends are plainly written, as nearly all are; ipwhois could only say the same."""
    start, end = data.get("startAddress"), data.get("endAddress")
    if not (isinstance(start, str) and isinstance(end, str)):
        return None
    return scope.ordered(scope.plain_address(start), scope.plain_address(end))


def _between(data: dict[str, Any], queried: Address) -> Range | None:
    """The range between start and end however they are written: as ipwhois normalises them, else as we read them."""
    normal = _normalised(data, queried)
    first = scope.read_address(text_of(normal, "start_address")) or scope.read_address(text_of(data, "startAddress"))
    last = scope.read_address(text_of(normal, "end_address")) or scope.read_address(text_of(data, "endAddress"))
    return scope.ordered(first, last)


def _cidr0(blocks: object, between: Range | None, start: object) -> list[Range]:
    """The ranges of the prefixes; one that is written as the start of the network is the address that was read there."""
    found = []
    for block in blocks[:256] if isinstance(blocks, list) else ():
        if isinstance(block, dict):
            prefix = text_of(block, "v4prefix") or text_of(block, "v6prefix")
            address = between[0] if between is not None and prefix == start else scope.read_address(prefix)
            part = scope.prefix_range(address, block.get("length")) if address is not None else None
            found.extend([part] if part is not None else [])
    return found


def _normalised(data: dict[str, Any], queried: Address) -> dict[str, Any]:
    """ipwhois' normal form of the network, made of its own texts only, or {} where it cannot read one."""
    members = {key: text_of(data, key) for key in _MEMBERS if isinstance(data.get(key), str)}
    return ipwhois_offline.rdap_network(
        {"handle": "", "ipVersion": f"v{queried.version}", "parentHandle": ""} | members
    )


def text_of(data: dict[str, Any], key: str) -> str:
    """Return a member's text, at most 300 characters of it, or "" where it has none."""
    value = data.get(key)
    return value[:300] if isinstance(value, str) else ""
