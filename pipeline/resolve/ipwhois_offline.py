"""Let ipwhois normalise networks that others have fetched: padded octets, abbreviated prefixes, ranges to CIDRs.

Pure: the ipwhois Net behind it has no resolver, no opener and no address, so it could not ask anybody if it tried.
It is given a few short lines or members at a time, because its patterns take quadratic time on hostile text, and never
entities: it drops contacts without handles, lets one handle overwrite another, and raises on nulls.
"""

from typing import Any

from ipwhois.asn import IPASN
from ipwhois.exceptions import BaseIpwhoisException
from ipwhois.net import Net
from ipwhois.nir import NIR_WHOIS, NIRWhois
from ipwhois.rdap import RDAP
from ipwhois.whois import Whois

_FAILED = (BaseIpwhoisException, ValueError, TypeError, KeyError, AttributeError, IndexError)


def _offline_net() -> Net:
    net = Net.__new__(Net)
    net.address_str = ""
    return net


_NET = _offline_net()  # one for all: it holds no state


def rdap_network(members: dict[str, str]) -> dict[str, Any]:
    """Return ipwhois' form of an RDAP network (start_address, end_address, cidr, name, ...), or {} if it cannot read it.

    `members` holds the network's own texts; handle, ipVersion, startAddress, endAddress and parentHandle must be there.
    """
    response = {**members, "entities": []}
    try:
        found = RDAP(_NET).lookup(response=response, root_ent_check=False, asn_data={"asn_registry": "arin"})
    except _FAILED:
        return {}
    return found["network"] if isinstance(found["network"], dict) else {}


def whois_network(form: str, lines: list[str]) -> dict[str, Any]:
    """Return ipwhois' form of one WHOIS network (cidr, name, country, ...), or {} if it cannot read it.

    `form` is arin, lacnic or ripencc; `lines` are the network's range, name and country lines, each without its end.
    """
    text = "\n".join(line[:300] for line in lines[:10]) + "\n\n"
    try:
        found = Whois(_NET).lookup(
            response=text, is_offline=True, asn_data={"asn_registry": form}, field_list=["name", "country"]
        )
    except _FAILED:
        return {}
    nets = found["nets"]
    return nets[0] if nets and isinstance(nets[0], dict) else {}


def origin(text: str) -> dict[str, str]:
    """Return ipwhois' form of one TXT record of an origin zone (asn, asn_cidr, asn_country_code, ...), or {} if it
    cannot read it.  Several ASes stand in `asn` as one text."""
    try:
        found = IPASN(_NET).parse_fields_dns(text[:1000])
    except _FAILED:
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def national_networks(registry: str, page: str) -> list[dict[str, Any]]:
    """Return ipwhois' form of the networks on a page of JPNIC or KRNIC (cidr, name: the organization, handle: the network's
    name), in the order they stand; none for another registry, or where it cannot read the page.

    It is asked for no contacts: it would fetch JPNIC's, each a page of its own, and they are persons'.
    """
    if registry not in NIR_WHOIS:
        return []
    try:
        found = NIRWhois(_NET).lookup(nir=registry, response=page, is_offline=True, field_list=["name", "handle"])
    except _FAILED:
        return []
    return [net for net in found["nets"] if isinstance(net, dict)]
