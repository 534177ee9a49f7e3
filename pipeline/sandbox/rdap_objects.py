"""RDAP objects made from the sandbox's table, in the shapes that the registries give them.

Pure.  Standards: RFC 9083 (objects), RFC 7095 (jCard), RFC 9224 (bootstrap files), nro_rdap_profile_0.
ARIN nests the abuse role in the registrant; APNIC has an IRT; LACNIC gives one person three roles; the others are flat.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any
from urllib.parse import quote

from pipeline.sandbox.networks import REGISTRIES, Autnum, Network, Prefix, RangeTable, prefixes

Json = dict[str, Any]


def ip_network(network: Network, parent: Network | None, base: str) -> Json:
    """Return the object of /ip for one network; `base` is the registry's base URL, with its final slash."""
    own = f"{base}ip/{network.start}"
    answer: Json = {
        "rdapConformance": ["rdap_level_0", "cidr0", "nro_rdap_profile_0"],
        "objectClassName": "ip network",
        "handle": network.handle,
        "startAddress": str(network.start),
        "endAddress": str(network.end),
        "ipVersion": f"v{network.start.version}",
        "name": network.name or network.handle,
        "type": "ALLOCATED PA" if parent is None else "ASSIGNED PA",
        "status": ["active"],
        "cidr0_cidrs": [_cidr(prefix) for prefix in prefixes(network)],
        "entities": entities(network, base),
        "links": [{"value": own, "rel": "self", "href": own, "type": "application/rdap+json"}],
        "port43": f"whois.{network.registry}.example",
    }
    if network.country:
        answer["country"] = network.country
    if network.language:
        answer["lang"] = network.language
    if parent is not None:
        up = f"{base}ip/{min(prefixes(parent), key=lambda prefix: prefix.prefixlen)}"
        answer["parentHandle"] = parent.handle
        answer["links"].append({"value": own, "rel": "up", "href": up, "type": "application/rdap+json"})
    return answer


def autnum(block: Autnum, base: str) -> Json:
    """Return the object of /autnum for one block of AS numbers."""
    return {
        "rdapConformance": ["rdap_level_0", "nro_rdap_profile_asn_flat_0"],
        "objectClassName": "autnum",
        "handle": block.handle,
        "startAutnum": block.start,
        "endAutnum": block.end,
        "name": block.name or block.handle,
        "status": ["active"],
        "country": block.country,
        "entities": entities(block, base),
    }


def error(status: int, title: str, *description: str) -> Json:
    """Return an error object (RFC 9083 section 6)."""
    return {"rdapConformance": ["rdap_level_0"], "errorCode": status, "title": title, "description": [*description]}


def rate_notice() -> Json:
    """Return what a registry sends with status 200 when it has had enough."""
    notice = {"title": "Rate Limit Notice", "description": ["You have exceeded the query rate; try again later"]}
    return {"rdapConformance": ["rdap_level_0"], "notices": [notice]}


def entities(thing: Network | Autnum, base: str) -> list[Json]:
    """Return the registrant and, where there is an abuse mailbox, who reads it, as this registry places them."""
    card = _jcard(thing.holder or thing.handle, "org", "", _adr(thing))
    registrant = _entity(f"{thing.handle}-HOLDER", ["registrant"], card, base)
    if not thing.abuse:
        return [registrant]
    match thing.registry:
        case "arin":
            abuse = _entity(f"{thing.handle}-ABUSE", ["abuse"], _jcard("Abuse", "group", thing.abuse), base)
            return [{**registrant, "entities": [abuse]}]
        case "apnic":
            irt = _jcard(f"IRT-{thing.handle}", "group", thing.abuse, preferred=True)
            return [_entity(f"IRT-{thing.handle}", ["abuse"], irt, base), registrant]
        case "lacnic":
            person = _jcard("Network operations", "individual", thing.abuse)
            return [registrant, _entity(f"{thing.handle}-NOC", ["administrative", "technical", "abuse"], person, base)]
        case _:
            role = _jcard("Abuse role", "group", thing.abuse, kind_of_mail="abuse")
            return [_entity(f"{thing.handle}-ABUSE", ["abuse"], role, base), registrant]


def _entity(handle: str, roles: list[str], jcard: list[Any], base: str) -> Json:
    own = f"{base}entity/{quote(handle)}"
    return {
        "objectClassName": "entity",
        "handle": handle,
        "roles": roles,
        "vcardArray": jcard,
        "links": [{"value": own, "rel": "self", "href": own, "type": "application/rdap+json"}],
    }


def _jcard(
    name: str,
    kind: str,
    mailbox: str,
    adr: Sequence[Any] = (),
    preferred: bool = False,
    kind_of_mail: str = "",
) -> list[Any]:
    properties: list[Any] = [["version", {}, "text", "4.0"], ["fn", {}, "text", name], ["kind", {}, "text", kind]]
    if adr:
        properties.append([*adr])
    if mailbox:
        parameters = {"type": kind_of_mail} if kind_of_mail else {"pref": "1"} if preferred else {}
        properties.append(["email", parameters, "text", mailbox])
    return ["vcard", properties]


def _adr(thing: Network | Autnum) -> list[Any]:
    """The holder's address in the registry's shape: parts, or a label; ARIN's label has a line for each part."""
    region = thing.region if isinstance(thing, Network) else ""
    parts: list[Any] = ["", "", "", "", region, "", thing.country]
    lines = thing.postal if isinstance(thing, Network) else ()
    if not lines or not isinstance(thing, Network):
        return ["adr", {}, "text", parts] if any(parts) else []
    if thing.registry == "lacnic":
        street = lines[:-1]
        return ["adr", {}, "text", ["", "", [*street] if len(street) > 1 else "".join(street), *parts[3:]]]
    if thing.registry == "arin" and region:
        town, code = thing.town
        lines = (*lines[:-2], town, region, code, lines[-1])
    return ["adr", {"label": "\n".join(filter(None, lines))}, "text", [""] * 7]


def _cidr(prefix: Prefix) -> Json:
    return {f"v{prefix.version}prefix": str(prefix.network_address), "length": prefix.prefixlen}


def bootstrap(version: int, table: RangeTable, root: str, publication: str) -> Json:
    """Return IANA's file for IPv4 (4) or IPv6 (6): the outermost networks by the registry they are listed at."""
    ranges: dict[str, list[Prefix]] = {registry: [] for registry in REGISTRIES}
    for network in table.roots():
        if network.start.version == version:
            ranges[network.bootstrap or network.registry].extend(prefixes(network))
    listed = {registry: _collapsed(found) for registry, found in ranges.items()}
    return _services(f"RDAP bootstrap file for IPv{version} address allocations", listed, root, publication)


def _collapsed(found: list[Prefix]) -> list[str]:
    narrow = collapse_addresses(prefix for prefix in found if isinstance(prefix, IPv4Network))
    wide = collapse_addresses(prefix for prefix in found if isinstance(prefix, IPv6Network))
    return [str(prefix) for prefix in (*narrow, *wide)]


def bootstrap_asn(autnums: Iterable[Autnum], root: str, publication: str) -> Json:
    """Return IANA's file for AS numbers."""
    listed: dict[str, list[str]] = {registry: [] for registry in REGISTRIES}
    for block in autnums:
        listed[block.registry].append(str(block.start) if block.start == block.end else f"{block.start}-{block.end}")
    return _services("RDAP bootstrap file for Autonomous System Number allocations", listed, root, publication)


def _services(description: str, listed: dict[str, list[str]], root: str, publication: str) -> Json:
    services = [[entries, [f"{root}{registry}/"]] for registry, entries in listed.items() if entries]
    return {"version": "1.0", "publication": publication, "description": description, "services": services}
