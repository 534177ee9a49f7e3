"""Which addresses an outgoing connection may be made to, when the address came from outside (a URL, a referral, a name).

Pure.  A registry's redirect or a name's record may point anywhere; nothing of ours may be sent into a private network
by it (RFC 1918, RFC 6890 and the IANA special-purpose registries).  Loopback is for the sandbox and must be asked for.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from pipeline.domain import Address

# Ranges that this Python's `is_global` lets through although nobody can be asked there.
_NOT_A_HOST = (
    IPv4Network("192.88.99.0/24"),  # 6to4 relay anycast, RFC 7526
    IPv6Network("2001::/32"),  # Teredo, RFC 4380: the address inside is somebody else's
    IPv6Network("2002::/16"),  # 6to4, RFC 3056
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
_UNICAST = IPv6Network("2000::/3")  # all that IANA has ever given out as global unicast, RFC 4291 2.4
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: what counts is the IPv4 address inside


class ForbiddenAddress(OSError):
    """The address is private or special: no connection was attempted.  The text is always the same."""

    def __init__(self) -> None:
        super().__init__("not a public address")


def reachable(address: Address, allow_loopback: bool) -> bool:
    """Return True if a connection to `address` may be made: a public unicast address, or loopback where allowed."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return reachable(address.ipv4_mapped, allow_loopback)
        if address in _NAT64:
            return reachable(IPv4Address(int(address) & 0xFFFFFFFF), allow_loopback=False)
    if address.is_loopback:
        return allow_loopback
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_A_HOST)
