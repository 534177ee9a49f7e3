"""The file scenario.toml: what a scenario is about, what goes wrong with whole servers and zones, and further records.

Reads: one TOML file; its keys are described in pipeline/sandbox/scenario.py.  Writes: nothing.  A key that nobody knows
is an error, and every error names the file and the key.
"""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.exception
import dns.name
import dns.rrset

from pipeline.domain import ConfigurationError
from pipeline.sandbox.dns_server import ZoneFault
from pipeline.sandbox.networks import REGISTRIES, Fault, RdapFault, WhoisFault


@dataclass(frozen=True, slots=True)
class RegistrySetup:
    registry: str
    rdap_fault: Fault | None
    whois_fault: WhoisFault | None


@dataclass(frozen=True, slots=True)
class ZoneSetup:
    name: str
    fault: ZoneFault | None
    test_points: bool


@dataclass(frozen=True, slots=True)
class DnsRecord:
    name: str
    kind: str
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    starts: datetime
    registries: tuple[RegistrySetup, ...]
    zones: tuple[ZoneSetup, ...]
    records: tuple[DnsRecord, ...]


def read(path: Path) -> Heading:
    """Read and check scenario.toml.  Raises ConfigurationError."""
    try:
        whole = _Table(path, "", tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:  # a TOMLDecodeError and a UnicodeDecodeError are ValueErrors
        raise ConfigurationError(f"{path.name} cannot be read", str(error), f"write {path} as TOML") from error
    whole.only(("title", "starts", "registries", "zones", "records"))
    registries = {name: whole.table("registries").table(name) for name in whole.table("registries").keys}
    whole.table("registries").only(REGISTRIES)
    zones = {name: whole.table("zones").table(name) for name in whole.table("zones").keys}
    return Heading(
        title=whole.text("title"),
        starts=whole.instant("starts"),
        registries=tuple(_registry(name, table) for name, table in registries.items()),
        zones=tuple(_zone(name, table) for name, table in zones.items()),
        records=_records(whole.tables("records")),
    )


def rdap_fault(text: str) -> Fault:
    """Return the fault that a word of RdapFault stands for; rate-limited:3 stops after three.  Raises ValueError."""
    word, colon, times = text.partition(":")
    kind = RdapFault(word)
    if not colon:
        return Fault(kind)
    if kind is not RdapFault.RATE_LIMITED or not (times.isascii() and times.isdigit() and 0 < len(times) < 5):
        raise ValueError(f"{text!r} is not a fault that is counted")
    return Fault(kind, int(times))


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file; every reader checks its value's kind."""

    path: Path
    at: str
    cells: Any

    def wrong(self, key: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path.name}, {self.at}{key}: {problem}", next_step=f"correct {self.path}")

    @property
    def keys(self) -> list[str]:
        return list(self.cells)

    def only(self, known: Collection[str]) -> None:
        for key in self.cells:
            if key not in known:
                raise self.wrong(key, "is none of " + ", ".join(known))

    def text(self, key: str) -> str:
        value = self.cells.get(key)
        if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
            raise self.wrong(key, "must be a text of 1 to 200 printable characters")
        return value

    def word(self, key: str) -> str:
        """An optional text: empty if it is not there."""
        return self.text(key) if key in self.cells else ""

    def flag(self, key: str, default: bool) -> bool:
        value = self.cells.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def instant(self, key: str) -> datetime:
        value = self.cells.get(key)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.wrong(key, "must be a time with its zone, such as 2026-03-02T08:00:00Z")
        return value.astimezone(UTC)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.cells.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
            raise self.wrong(key, "must be a list of texts")
        return tuple(value)

    def table(self, key: str) -> "_Table":
        value = self.cells.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return _Table(self.path, f"{self.at}{key}.", value)

    def tables(self, key: str) -> list["_Table"]:
        value = self.cells.get(key, [])
        if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
            raise self.wrong(key, "must be a list of tables")
        return [_Table(self.path, f"{self.at}{key}[{number}].", table) for number, table in enumerate(value)]


def _registry(name: str, table: _Table) -> RegistrySetup:
    table.only(("rdap_fault", "whois_fault"))
    rdap, whois = table.word("rdap_fault"), table.word("whois_fault")
    try:
        return RegistrySetup(name, rdap_fault(rdap) if rdap else None, WhoisFault(whois) if whois else None)
    except ValueError as error:
        raise table.wrong("rdap_fault or whois_fault", str(error)) from error


def _zone(name: str, table: _Table) -> ZoneSetup:
    table.only(("fault", "test_points"))
    fault = table.word("fault")
    try:
        dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise table.wrong("name", str(error)) from error
    try:
        return ZoneSetup(name, ZoneFault(fault) if fault else None, table.flag("test_points", True))
    except ValueError as error:
        raise table.wrong("fault", str(error)) from error


def _records(tables: list[_Table]) -> tuple[DnsRecord, ...]:
    found: dict[tuple[str, str], DnsRecord] = {}
    for table in tables:
        record = _record(table)
        if (record.name, record.kind) in found:
            raise table.wrong("name", f"{record.name} {record.kind} stands twice: write its data in one list")
        found[record.name, record.kind] = record
    return tuple(found.values())


def _record(table: _Table) -> DnsRecord:
    table.only(("name", "type", "data"))
    record = DnsRecord(table.text("name"), table.text("type").upper(), table.texts("data"))
    try:
        dns.rrset.from_text_list(record.name, 0, "IN", record.kind, record.data)
    except (ValueError, dns.exception.DNSException) as error:
        raise table.wrong("data", f"no record of type {record.kind}: {error}") from error
    return record
