"""Who announces which addresses in the sandbox, and whom its directory of abuse contacts names: two zones of TXT records.

Reads: announced.csv and directory.csv of a scenario, each of them optional.  Writes: nothing.  The texts are those of Team
Cymru's origin zones ("64496 64497 | 192.0.2.0/24 | CA | arin | 2026-03-02") and of Abusix's (the mailboxes alone).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

from pipeline.sandbox.dns_server import OriginZone
from pipeline.sandbox.networks import REGISTRIES, Prefix
from pipeline.sandbox.tables import Row, mailbox, rows

ORIGIN, ORIGIN6, DIRECTORY = "origin.routing.example", "origin6.routing.example", "contacts.directory.example"
MOST_ORIGINS = 8


@dataclass(frozen=True, slots=True)
class Announced:
    """One prefix and the ASes that announce it.  A prefix may stand on several lines."""

    prefix: Prefix
    origins: tuple[int, ...]
    registry: str
    country: str


@dataclass(frozen=True, slots=True)
class Directed:
    """One prefix and the mailboxes that the directory names for it."""

    prefix: Prefix
    mailboxes: tuple[str, ...]


def announced(path: Path) -> tuple[Announced, ...]:
    """Read announced.csv; nothing where there is none.  Raises ConfigurationError."""
    if not path.exists():
        return ()
    return tuple(_announced(row) for row in rows(path, ("prefix", "origins", "registry"), ("country",)))


def directed(path: Path) -> tuple[Directed, ...]:
    """Read directory.csv; nothing where there is none.  Raises ConfigurationError."""
    if not path.exists():
        return ()
    return tuple(_directed(row) for row in rows(path, ("prefix", "mailboxes")))


def zones(announcements: Iterable[Announced], entries: Iterable[Directed], since: datetime) -> tuple[OriginZone, ...]:
    """Return fresh zones: who announces an address of IPv4, of IPv6, and the directory of both.

    They are there without entries as well: an address that nobody announces is one that they do not know.
    """
    by_version, directory = {4: OriginZone(ORIGIN), 6: OriginZone(ORIGIN6)}, OriginZone(DIRECTORY)
    for one in announcements:
        numbers = " ".join(map(str, one.origins))
        text = f"{numbers} | {one.prefix} | {one.country} | {one.registry} | {since:%Y-%m-%d}"
        texts = by_version[one.prefix.version].texts
        texts[one.prefix] = (*texts.get(one.prefix, ()), text)
    for entry in entries:
        before = directory.texts.get(entry.prefix, ())
        directory.texts[entry.prefix] = (*before, ",".join(entry.mailboxes))
    return (*by_version.values(), directory)


def _announced(row: Row) -> Announced:
    words = row.text("origins").split()
    if len(words) > MOST_ORIGINS or not all(w.isascii() and w.isdigit() and int(w) < 1 << 32 for w in words):
        raise row.wrong("origins", f"are not 1 to {MOST_ORIGINS} AS numbers")
    return Announced(
        _prefix(row), tuple(map(int, words)), row.choice("registry", REGISTRIES), row.optional("country").upper()
    )


def _directed(row: Row) -> Directed:
    return Directed(_prefix(row), tuple(mailbox(row, "mailboxes", text) for text in row.text("mailboxes").split()))


def _prefix(row: Row) -> Prefix:
    try:
        return ip_network(row.text("prefix"))
    except ValueError as error:
        raise row.wrong("prefix", "is no prefix") from error
