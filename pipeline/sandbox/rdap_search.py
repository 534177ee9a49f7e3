"""Searches along the hierarchy of the sandbox's networks, as the registries that offer them answer.

Pure.  Standard: RFC 9910 (rirSearch1): up and top give one network, down and bottom a list; none: 404 with an empty list.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict

from pipeline.domain import Address
from pipeline.sandbox import rdap_objects
from pipeline.sandbox.networks import Network, RangeTable, prefixes
from pipeline.sandbox.rdap_objects import Json

RELATIONS = ("rdap-up", "rdap-top", "rdap-down", "rdap-bottom")
CONFORMANCE = ["rirSearch1", "ips"]


class Hierarchy:
    """The networks of a table by their place, and which lie directly below which."""

    def __init__(self, table: RangeTable) -> None:
        self._table = table
        self._sorted = sorted(table.networks, key=lambda network: (_key(network.start), -int(network.end)))
        self._starts = [_key(network.start) for network in self._sorted]
        self._below: dict[str, list[Network]] = defaultdict(list)
        for network in self._sorted:
            if (parent := table.parent(network)) is not None:
                self._below[parent.handle].append(network)

    def find(self, relation: str, first: Address, last: Address) -> list[Network]:
        """Return the networks that stand in one of RELATIONS to a range; none or one for up and top."""
        around = self._table.find(first, last)
        match relation:
            case "rdap-up":
                is_range = around is not None and (around.start, around.end) == (first, last)
                up = self._table.parent(around) if around is not None and is_range else around
                return [up] if up is not None else []
            case "rdap-top":
                return self._lineage(around)[-1:]
            case "rdap-down":
                below = [one for one in self._beginning_in(first, last) if self._table.parent(one) == around]
                return [one for one in below if _key(one.end) <= _key(last)]
            case _:
                begun = [one for one in self._lineage(self._table.find(first)) if _key(one.start) < _key(first)]
                return [
                    one for one in (*begun[::-1], *self._beginning_in(first, last)) if self._shows(one, first, last)
                ]

    def _lineage(self, network: Network | None) -> list[Network]:
        """A network and those around it, outwards."""
        found = []
        while network is not None:
            found.append(network)
            network = self._table.parent(network)
        return found

    def _beginning_in(self, first: Address, last: Address) -> list[Network]:
        return self._sorted[bisect_left(self._starts, _key(first)) : bisect_right(self._starts, _key(last))]

    def _shows(self, network: Network, first: Address, last: Address) -> bool:
        """Is the network the most specific one for any address of the range?"""
        taken = sum(_common(one, first, last) for one in self._below[network.handle])
        return taken < _common(network, first, last)


def _key(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _common(network: Network, first: Address, last: Address) -> int:
    """How many addresses of the range lie in the network."""
    return max(min(int(network.end), int(last)) - max(int(network.start), int(first)) + 1, 0)


def announced(answer: Json, network: Network, base: str) -> Json:
    """Return the object of /ip with what a registry adds that offers searches: the extension, and links to them."""
    [prefix, *others] = prefixes(network)
    own = answer["links"][0]["value"]
    relations = RELATIONS if "parentHandle" in answer else ("rdap-down", "rdap-bottom")
    links = [
        {"value": own, "rel": relation, "href": f"{base}ips/rirSearch1/{relation}/{prefix}", "type": _TYPE}
        for relation in (() if others else relations)  # a range that is no prefix cannot be searched from
    ]
    conformance = [*answer["rdapConformance"], *CONFORMANCE]
    return answer | {"rdapConformance": conformance, "links": [*answer["links"], *links]}


_TYPE = "application/rdap+json"


def listed(found: list[Network], table: RangeTable, base: str, most: int) -> Json:
    """Return the answer that lists networks; of more than `most` it says that it is cut."""
    objects = [rdap_objects.ip_network(network, table.parent(network), base) for network in found[:most]]
    conformance: list[str] = ["rdap_level_0", "cidr0", "nro_rdap_profile_0", *CONFORMANCE]
    answer: Json = {
        "rdapConformance": conformance,
        "ipSearchResults": [{key: value for key, value in one.items() if key != "rdapConformance"} for one in objects],
    }
    if len(found) > most:
        cut = {"title": "Search Policy", "type": "result set truncated due to excessive load"}
        answer["notices"] = [cut | {"description": [f"This list ends after {most} networks."]}]
    return answer
