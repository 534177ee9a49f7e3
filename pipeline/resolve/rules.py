"""What a look-up goes by: the order of the chain, who is asked where, and what people have said.

Pure records; the run makes them once from the settings and from what is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pipeline.domain import Address
from pipeline.resolve import servers
from pipeline.resolve.by_route import Route
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.spoken import Spoken

ENOUGH = 40  # confidence of a contact at which the chain ends; one that the registry has marked has less


@dataclass(frozen=True, slots=True)
class Rules:
    """`registries`: base URLs by version of IP.  `autnums`: IANA's file for AS numbers.  `spoken`: what people said of
    contacts.  `dead`: mailboxes that came back.  `check_mail`: is the DNS asked?
    `routes`: by country (ISO 3166 alpha-2); the run keeps them and `spoken` as people have them now.
    `countries`: of addresses whose registry says none, as statistics have it; the run adds those that it takes up."""

    registries: Mapping[int, servers.Index]
    chain: tuple[str, ...] = ("network", "whois")
    caps: ScopeCaps = field(default_factory=ScopeCaps)
    patience: timedelta = timedelta(days=365)
    whois_hosts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    autnums: Mapping[str, Any] = field(default_factory=dict)
    origin_zone: str = ""
    origin6_zone: str = ""
    directory_zone: str = ""
    check_mail: bool = False
    use_search: bool = False
    allow_loopback: bool = False  # referrals to this host are followed: the sandbox
    dead: frozenset[str] = frozenset()
    spoken: Spoken = field(default_factory=Spoken)
    routes: dict[str, Route] = field(default_factory=dict)
    countries: dict[Address, str] = field(default_factory=dict)

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(zone for zone in (self.origin_zone, self.origin6_zone, self.directory_zone) if zone)
