"""Which registry's RDAP server answers for an address, from a bootstrap file that is read once for many addresses.

Pure.  The answers are those of bootstrap.choose, which goes through the whole file for each address.
Standard: RFC 9224 sections 4, 5.1 and 5.2 (longest match).
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pipeline.domain import Address
from pipeline.resolve import bootstrap

Index = dict[int, dict[int, str]]  # prefix length, longest first -> the prefix's leading bits -> base URL


def index(registry_json: Mapping[str, Any], version: int) -> Index:
    """Return an IANA bootstrap file for `version` of IP in a form that `find` searches by at most one step per length."""
    found: Index = {}
    services = registry_json.get("services")
    for service in services if isinstance(services, list) else ():
        entries = service[0] if isinstance(service, list) and service and isinstance(service[0], list) else ()
        for entry in entries:
            try:
                network = ip_network(entry, strict=False) if isinstance(entry, str) else None
            except ValueError:
                continue
            if network is None or network.version != version:
                continue
            url = bootstrap.choose({"services": [[[entry], *service[1:]]]}, network.network_address)
            if url is not None:
                bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
                found.setdefault(network.prefixlen, {}).setdefault(bits, url)
    return dict(sorted(found.items(), reverse=True))


def find(known: Index, address: Address) -> str:
    """Return the base URL to ask about an address, or an empty text: no registry answers for it."""
    number, width = int(address), address.max_prefixlen
    for length, urls in known.items():
        if (url := urls.get(number >> (width - length))) is not None:
            return url
    return ""


def entry(known: Index, address: Address) -> tuple[IPv4Network | IPv6Network, str] | None:
    """Return the entry that decides about an address: its prefix and the base URL; or None."""
    number, width = int(address), address.max_prefixlen
    for length, urls in known.items():
        if (url := urls.get(number >> (width - length))) is not None:
            return ip_network((address, length), strict=False), url
    return None
