"""Find which registry's RDAP server answers for an address or an AS number.

Reads: an IANA bootstrap file (ipv4.json, ipv6.json or asn.json) as parsed JSON.  Writes: nothing; the answer depends on
the arguments alone.  Standard: RFC 9224 sections 4 (services), 5.1 and 5.2 (longest match), 5.3 (AS numbers).
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from pipeline.domain import Address


def choose(registry_json: Mapping[str, Any], queried: Address | int) -> str | None:
    """Return the base URL to ask about `queried` (an int is an AS number), or None: do not ask anybody.

    The most specific entry wins; https is preferred, and http taken only where the entry has no https.  What has
    not the shape of RFC 9224 is passed over.
    """
    best: tuple[int, str] | None = None
    for entry, urls in _entries(registry_json):
        width = _asn_width(entry, queried) if isinstance(queried, int) else _address_width(entry, queried)
        if width is not None and (best is None or width < best[0]):
            url = _preferred(urls)
            best = (width, url) if url is not None else best
    return best[1] if best is not None else None


def _entries(registry_json: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    services = registry_json.get("services")
    for service in services if isinstance(services, list) else ():
        if isinstance(service, list) and len(service) >= 2 and all(isinstance(part, list) for part in service[:2]):
            yield from ((entry, service[1]) for entry in service[0] if isinstance(entry, str))


def _address_width(entry: str, queried: Address) -> int | None:
    """The number of addresses in the prefix, or None where it does not hold `queried`."""
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return None
    inside = network.version == queried.version and queried in network
    return network.num_addresses if inside else None


def _asn_width(entry: str, queried: int) -> int | None:
    """The number of AS numbers in "64496" or "64496-64511", or None where it does not hold `queried`."""
    first, dash, last = entry.partition("-")
    numbers = (first.strip(), (last if dash else first).strip())
    if not all(number.isascii() and number.isdigit() and len(number) <= 10 for number in numbers):
        return None
    return int(numbers[1]) - int(numbers[0]) + 1 if int(numbers[0]) <= queried <= int(numbers[1]) else None


def _preferred(urls: list[Any]) -> str | None:
    texts = [url for url in urls if isinstance(url, str)]
    for scheme in ("https://", "http://"):
        for url in texts:
            if url.lower().startswith(scheme):
                return url
    return None
