"""What a question names: an address, a network, a mailbox, a reference or a Message-ID.  Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pipeline.audit.record import Kind
from pipeline.domain import Address

MAX_QUERY = 1000  # characters

_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?")
_WITH_PORT = re.compile(r"([0-9.]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Query:
    """One question.  `text` is its normal form; `address` or `network` is set for these two kinds."""

    kind: Kind
    text: str
    address: Address | None = None
    network: IPv4Network | IPv6Network | None = None


def parse(text: str, is_reference: Callable[[str], bool], mailbox_key: Callable[[str], str | None]) -> Query | None:
    """Return what `text` names, or None if it names nothing that could be looked for.

    `mailbox_key` gives the form under which contacts are kept, or None for what is no mailbox.  What has an @ and angle
    brackets is a Message-ID; without them it may be either, and is a mailbox first.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > MAX_QUERY:
        return None
    if is_reference(wanted):
        return Query(Kind.REFERENCE, wanted.upper())
    if "@" in wanted:
        key = None if wanted.startswith("<") else mailbox_key(wanted)
        return Query(Kind.MESSAGE_ID, f"<{wanted.strip('<>')}>") if key is None else Query(Kind.EMAIL, key)
    if address := read_address(wanted.strip("[]")):
        return Query(Kind.ADDRESS, str(address), address=address)
    try:
        network = ip_network(wanted, strict=False) if "/" in wanted else None
    except ValueError:
        return None
    return Query(Kind.NETWORK, str(network), network=network) if network is not None else None


def read_address(text: str) -> Address | None:
    """Return the address that `text` is, or None; an IPv4-mapped one is the IPv4 address (RFC 4291 2.5.5.2)."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def read_target(text: str) -> tuple[Address, int | None] | None:
    """Return (address, port) of `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`, port None if it is not said; else None."""
    wanted = text.strip()
    found = _BRACKETED.fullmatch(wanted) or _WITH_PORT.fullmatch(wanted)
    host, port = (found[1], found[2]) if found else (wanted, None)
    address = read_address(host)
    if address is None or (port is not None and int(port) > 65_535):
        return None
    if found and isinstance(address, IPv4Address) and wanted.startswith("[") and ":" not in host:
        return None
    return address, int(port) if port is not None else None
