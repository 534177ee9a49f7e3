"""A scenario: the small Internet of the sandbox, written down in one folder.

    scenario.toml     title = "..."                      what it is about, one line
                      starts = 2026-03-02T08:00:00Z      the moment it begins, in UTC
                      [registries.arin]                  optional, for each of arin, ripencc, apnic, lacnic, afrinic:
                      rdap_fault = "rate-limited:3"      what goes wrong with the whole server (see networks.csv)
                      whois_fault = "quota"
                      [zones."relays.dnsbl.example"]     each zone that zones.csv names, and any that is empty
                      fault = "servfail"                 optional, a word of ZoneFault
                      test_points = true                 whether it has those of RFC 5782; true if not said
                      [[records]]                        other DNS records
                      name = "mail.example"
                      type = "MX"
                      data = ["10 mx.mail.example."]
    networks.csv      network (FIRST-LAST, a prefix or one address), registry, handle; and, each of them optional:
                      name, holder, country, region, language, abuse (a mailbox, empty for none), bootstrap (the
                      registry that the bootstrap files name for it, if another), fault (a word of RdapFault;
                      rate-limited:3 stops after three), whois_fault (a word of WhoisFault), postal (the
                      holder's address, " / " between its lines, the country last).  A network inside another one is
                      its child.
    autnums.csv       optional: first, last, registry, handle; and name, holder, country, abuse
    announced.csv     optional: prefix, origins (AS numbers, several with spaces between), registry, country (optional)
    directory.csv     optional: prefix, mailboxes (several with spaces between): what a public directory says of it
    zones.csv         zone, address, codes (127.0.0.x, several with spaces between), text (optional)
    mail.csv          mailbox (@domain: all others there; *: all the rest), behaviour (a word of MailBehaviour),
                      times (optional)
                      A domain that stands in these tables takes mail (it has an MX), unless [[records]] has records of it:
                      an MX of "0 ." says that it takes none (RFC 7505).
    recorded/         optional: recorded answers of registries (pipeline/sandbox/recorded.py)
    hits/*            optional: the feeds to bring in; only their paths are read here

Reads: the folder.  Writes: nothing.  Tables: pipeline/sandbox/tables.py.  Whatever is wrong is a ConfigurationError that
names the file, the line where there is one, and what.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pipeline.domain import Address, ConfigurationError
from pipeline.sandbox import heading, recorded, routing
from pipeline.sandbox.dns_server import DnsTable, Listed, Zone
from pipeline.sandbox.networks import REGISTRIES, Autnum, Network, RangeTable, WhoisFault
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.tables import Row, mailbox, rows
from pipeline.sandbox.whois_server import WhoisTable

CODES = IPv4Network("127.0.0.0/8")


class MailBehaviour(StrEnum):
    """What the mail server of the sandbox does with a letter to a mailbox."""

    ACCEPT = "accept"
    REFUSE = "refuse"  # 550 to RCPT
    DEFER = "defer"  # 451 to RCPT, `times` times (0: always), then accepts
    BOUNCE = "bounce"  # accepts, and sends a DSN that says failed
    GREYLIST = "greylist"  # 450 to the first try


@dataclass(frozen=True, slots=True)
class MailRule:
    mailbox: str  # lower-cased; @domain for every other mailbox of that domain; * for all the rest
    behaviour: MailBehaviour
    times: int = 0


@dataclass(frozen=True, slots=True)
class ListedAddress:
    zone: str
    address: Address
    codes: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that was read, checked, in the order in which it stands in the files."""

    heading: heading.Heading
    networks: tuple[Network, ...]
    autnums: tuple[Autnum, ...]
    listed: tuple[ListedAddress, ...]
    mail: tuple[MailRule, ...]
    recorded: recorded.Recorded | None
    hits: tuple[Path, ...]
    announced: tuple[routing.Announced, ...] = ()
    directed: tuple[routing.Directed, ...] = ()

    def dns_table(self) -> DnsTable:
        """Return a fresh table for the name server: the zones with their listings, the records, and who takes mail."""
        zones = {setup.name: Zone(setup.name, {}, setup.fault, setup.test_points) for setup in self.heading.zones}
        for entry in self.listed:
            zones[entry.zone].listed[entry.address] = Listed(entry.codes, entry.text)
        records = {(record.name, record.kind): record.data for record in self.heading.records}
        origins = routing.zones(self.announced, self.directed, self.heading.starts)
        return DnsTable(tuple(zones.values()), records, origins, self.mail_domains())

    def mail_domains(self) -> frozenset[str]:
        """Return the domains of all mailboxes in the tables, in lower case."""
        holders = [network.abuse for network in self.networks] + [block.abuse for block in self.autnums]
        named = [each for entry in self.directed for each in entry.mailboxes]
        everyone = [*holders, *named, *(rule.mailbox for rule in self.mail)]
        return frozenset(each.rpartition("@")[2].lower() for each in everyone if "@" in each)

    def rdap_table(self) -> RdapTable:
        """Return a fresh table for the RDAP server, with the faults of whole registries."""
        faults = {setup.registry: setup.rdap_fault for setup in self.heading.registries if setup.rdap_fault is not None}
        return RdapTable(RangeTable(self.networks), self.autnums, self.recorded, faults)

    def whois_table(self) -> WhoisTable:
        """Return a fresh table for the WHOIS servers, one for all of them."""
        faults = {
            setup.registry: setup.whois_fault for setup in self.heading.registries if setup.whois_fault is not None
        }
        return WhoisTable(RangeTable(self.networks), faults)


_NETWORK = ("name", "holder", "country", "region", "language", "abuse", "bootstrap", "fault", "whois_fault", "postal")
_AUTNUM = ("name", "holder", "country", "abuse")


def load(folder: Path) -> Scenario:
    """Read and check a scenario folder.  Raises ConfigurationError."""
    head = heading.read(folder / "scenario.toml")
    zones = frozenset(zone.name for zone in head.zones)
    return Scenario(
        heading=head,
        networks=_networks(folder / "networks.csv"),
        autnums=_autnums(folder / "autnums.csv"),
        announced=routing.announced(folder / "announced.csv"),
        directed=routing.directed(folder / "directory.csv"),
        listed=tuple(
            _listed(row, zones) for row in rows(folder / "zones.csv", ("zone", "address", "codes"), ("text",))
        ),
        mail=tuple(_mail(row) for row in rows(folder / "mail.csv", ("mailbox", "behaviour"), ("times",))),
        recorded=recorded.load(folder / "recorded") if (folder / "recorded").is_dir() else None,
        hits=tuple(sorted(path for path in (folder / "hits").glob("*") if path.is_file())),
    )


def _networks(path: Path) -> tuple[Network, ...]:
    networks = tuple(_network(row) for row in rows(path, ("network", "registry", "handle"), _NETWORK))
    try:
        RangeTable(networks)
    except ValueError as error:
        raise ConfigurationError(f"{path.name}: {error}", next_step=f"correct {path}") from error
    return networks


def _network(row: Row) -> Network:
    start, end = row.addresses("network")
    try:
        fault = heading.rdap_fault(row.cells["fault"]) if row.cells["fault"] else None
    except ValueError as error:
        raise row.wrong("fault", "is no fault of an RDAP server") from error
    return Network(
        start=start,
        end=end,
        registry=row.choice("registry", REGISTRIES),
        handle=row.text("handle"),
        name=row.optional("name"),
        holder=row.optional("holder"),
        country=row.optional("country"),
        region=row.optional("region"),
        language=row.optional("language"),
        abuse=mailbox(row, "abuse", row.text("abuse")) if row.cells["abuse"] else "",
        bootstrap=row.choice("bootstrap", REGISTRIES) if row.cells["bootstrap"] else "",
        fault=fault,
        whois_fault=WhoisFault(row.choice("whois_fault", list(WhoisFault))) if row.cells["whois_fault"] else None,
        postal=tuple(filter(None, (line.strip() for line in row.optional("postal").split(" / ")))),
    )


def _autnums(path: Path) -> tuple[Autnum, ...]:
    if not path.exists():
        return ()
    return tuple(_autnum(row) for row in rows(path, ("first", "last", "registry", "handle"), _AUTNUM))


def _autnum(row: Row) -> Autnum:
    first = row.integer("first", 0, 2**32 - 1)
    return Autnum(
        start=first,
        end=row.integer("last", first, 2**32 - 1),
        registry=row.choice("registry", REGISTRIES),
        handle=row.text("handle"),
        name=row.optional("name"),
        holder=row.optional("holder"),
        country=row.optional("country"),
        abuse=mailbox(row, "abuse", row.text("abuse")) if row.cells["abuse"] else "",
    )


def _listed(row: Row, zones: frozenset[str]) -> ListedAddress:
    codes = row.text("codes").split()
    try:
        if not all(IPv4Address(code) in CODES for code in codes):
            raise row.wrong("codes", "are not all in 127.0.0.0/8")
    except ValueError as error:
        raise row.wrong("codes", "are not all addresses") from error
    return ListedAddress(row.choice("zone", zones), row.address("address"), tuple(codes), row.optional("text"))


def _mail(row: Row) -> MailRule:
    behaviour = MailBehaviour(row.choice("behaviour", list(MailBehaviour)))
    times = row.integer("times", 0, 1_000) if row.cells["times"] else 0
    if times and behaviour is not MailBehaviour.DEFER:
        raise row.wrong("times", "belongs to defer alone")
    named = row.cells["mailbox"]
    if named.startswith("@"):  # all others there
        mailbox(row, "mailbox", f"any{named}")
    elif named != "*":
        mailbox(row, "mailbox", row.text("mailbox"))
    return MailRule(named.lower(), behaviour, times)
