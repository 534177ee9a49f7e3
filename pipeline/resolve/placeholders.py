"""Know the mailboxes that are nobody's abuse desk, and the registries' own desks, handles and empty networks.

Reads: data/placeholders.toml, once.  Writes: nothing; each answer depends on its argument alone.
"""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Registry:
    """One [[registry]] of data/placeholders.toml; every text in lower case but `country`."""

    name: str
    domains: tuple[str, ...]
    handles: frozenset[str]
    names: tuple[str, ...]
    hosts: frozenset[str]
    country: str


@dataclass(frozen=True, slots=True)
class Placeholders:
    local_parts: frozenset[str]
    beginnings_of_nobody: tuple[str, ...]  # of local parts
    addresses: frozenset[str]
    network_names: frozenset[str]
    network_prefixes: tuple[str, ...]
    registries: tuple[Registry, ...]
    of_domain: dict[str, str]  # these three: to the registry's name
    of_handle: dict[str, str]
    of_host: dict[str, str]
    beginnings: tuple[str, ...]  # of the registries' names as holders
    of_beginning: tuple[tuple[str, str], ...]
    of_name: dict[str, str]


@functools.cache
def _known() -> Placeholders:
    text = resources.files("pipeline").joinpath("data/placeholders.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    registries = tuple(
        Registry(
            name=row["name"],
            domains=tuple(row["domains"]),
            handles=frozenset(row["handles"]),
            names=tuple(row["names"]),
            hosts=frozenset(row["hosts"]),
            country=row.get("country", ""),
        )
        for row in data["registry"]
    )
    return Placeholders(
        local_parts=frozenset(data["nobody"]["local_parts"]),
        beginnings_of_nobody=tuple(data["nobody"]["beginnings"]),
        addresses=frozenset(data["nobody"]["addresses"]),
        network_names=frozenset(data["networks"]["names"]),
        network_prefixes=tuple(data["networks"]["prefixes"]),
        registries=registries,
        of_domain={domain: one.name for one in registries for domain in one.domains},
        of_handle={handle: one.name for one in registries for handle in [*one.handles, *_desks(one)]},
        of_host={host: one.name for one in registries for host in one.hosts},
        beginnings=tuple(name for one in registries for name in one.names),
        of_beginning=tuple((name, one.name) for one in registries for name in one.names),
        of_name={name: one.name for one in registries for name in one.names},
    )


def _desks(registry: Registry) -> list[str]:
    """The handles that a national registry's own IRT object may have by APNIC's naming: IRT-KRNIC-KR, IRT-VNNIC-AP."""
    return [f"irt-{registry.name}-{end}" for end in (registry.country.lower(), "ap") if registry.country]


_JOINTS = str.maketrans("", "", ".-_")


def is_nobody(mailbox: str) -> bool:
    """True if nobody reads the mailbox (lower case): no-reply names, bit buckets, known dead ends."""
    known = _known()
    local = mailbox.partition("@")[0]
    if not local.isalpha():
        local = local.partition("+")[0].translate(_JOINTS)
    return local in known.local_parts or mailbox in known.addresses or local.startswith(known.beginnings_of_nobody)


def registry_of_mailbox(mailbox: str) -> str:
    """Return the registry whose domain the mailbox (lower case) is in, or ""."""
    of_domain = _known().of_domain
    domain = mailbox.rpartition("@")[2]
    while domain:
        if domain in of_domain:
            return of_domain[domain]
        domain = domain.partition(".")[2]
    return ""


def registry_of_handle(handle: str) -> str:
    """Return the registry whose own desk the contact handle names, or ""."""
    return _known().of_handle.get(handle.strip().lower(), "") if handle else ""


def registry_of_host(host: str) -> str:
    """Return the registry that runs a WHOIS or RDAP host, or ""."""
    return _known().of_host.get(host.strip().lower().rstrip("."), "") if host else ""


def registries_named(*texts: str) -> frozenset[str]:
    """Return the registries that one of the texts (the names of a network's holder) begins with the name of."""
    beginnings = _known().beginnings
    lowered = [begun for text in texts if (begun := text.strip().lower()).startswith(beginnings)]
    return frozenset(
        [
            registry
            for text in lowered
            for name, registry in _known().of_beginning
            if text[0] == name[0] and _begins_with_word(text, name)
        ]
    )


def registries_called(name: str) -> frozenset[str]:
    """Return the registry whose whole name this is, alone in a set, or the empty set."""
    registry = _known().of_name.get(name.strip().lower(), "") if name else ""
    return frozenset([registry]) if registry else _NO_REGISTRIES


_NO_REGISTRIES: frozenset[str] = frozenset()


def _begins_with_word(text: str, name: str) -> bool:
    return text.startswith(name) and (name.endswith("cent") or not text[len(name) : len(name) + 1].isalnum())


def is_empty_network(name: str) -> bool:
    """True for the objects that registries answer with when they know nothing of an address."""
    lowered = name.strip().lower()
    return lowered in _known().network_names or lowered.startswith(_known().network_prefixes)


def national_country(registry: str) -> str:
    """Return the country of a national registry, or ""."""
    return next((known.country for known in _known().registries if known.name == registry), "")
