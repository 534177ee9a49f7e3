"""What a file of contacts says, row by row: preferences, words on contacts, routes; and what is wrong with a row.  Pure.

Files (contact_files.py) give records of texts; here they become rows with checked values, or problems by row and column.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.domain import Address
from pipeline.resolve import contact_values as values
from pipeline.resolve.contact_values import Wrong

Record = Mapping[str, str]  # column -> text, as it stands in the file


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """What one contact asked for."""

    mailbox: str
    spelling: str
    language: str = ""
    format: str = ""
    cadence_days: int = 0
    inhibited_until: datetime | None = None
    until: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pgp_key: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class WordRow:
    """A word on a contact.  `kind`: use or reject; `range` None: wherever the mailbox is named."""

    kind: str
    mailbox: str
    spelling: str
    range: tuple[Address, Address] | None
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Who hears of a country's cases."""

    country: str
    route: str
    mailbox: str
    title: str
    reason: str


Row = PreferenceRow | WordRow | RouteRow


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row, or the whole file (`row` empty), cannot be taken.  `code` is explained by the command line."""

    row: str  # a line's number; in TOML the table and its number
    column: str
    code: str
    value: str = ""


COLUMNS = (
    *("kind", "mailbox", "network", "country", "route", "title", "language", "format", "cadence_days"),
    *("inhibited_until", "until", "headers", "pgp_key", "source", "reason"),
)

PARSERS: dict[str, Callable[[str], Any]] = {
    "mailbox": values.mailbox,
    "network": values.network,
    "country": values.country,
    "route": values.route,
    "title": values.words,
    "language": values.language,
    "format": values.format_,
    "cadence_days": values.days,
    "inhibited_until": values.moment,
    "until": values.moment,
    "headers": values.headers,
    "pgp_key": values.public_key,
    "source": values.words,
    "reason": values.words,
}

NEEDED = {
    "preference": ("mailbox",),
    "use": ("mailbox", "network", "reason"),
    "reject": ("mailbox", "reason"),
    "route": ("country", "route", "reason"),
}
TAKEN = {
    "preference": (
        *("mailbox", "language", "format", "cadence_days", "inhibited_until", "until", "headers", "pgp_key", "source"),
    ),
    "use": ("mailbox", "network", "reason", "until"),
    "reject": ("mailbox", "network", "reason", "until"),
    "route": ("country", "route", "mailbox", "title", "reason"),
}
KINDS = tuple(TAKEN)


def row_of(where: str, record: Record, now: datetime) -> tuple[Row | None, list[Problem]]:
    """Return the row that a record makes, or all that is wrong with it."""
    kind = record.get("kind", "").strip().lower()
    if kind not in TAKEN:
        return None, [Problem(where, "kind", "kind" if kind else "missing", record.get("kind", ""))]
    given = {name: text for name, text in record.items() if text.strip() and name != "kind"}
    problems = [Problem(where, name, "not_here", given[name]) for name in given if name not in TAKEN[kind]]
    problems += [Problem(where, name, "missing") for name in NEEDED[kind] if name not in given]
    found: dict[str, Any] = {}
    for name in (name for name in given if name in TAKEN[kind]):
        try:
            found[name] = PARSERS[name](given[name])
        except Wrong as wrong:
            shown = "" if name == "pgp_key" else given[name]
            problems.append(Problem(where, name, wrong.code, shown))
    if "until" in found and found["until"] <= now:
        problems.append(Problem(where, "until", "past", given["until"]))
    if kind == "route" and found.get("route", "direct") != "direct" and "mailbox" not in given:
        problems.append(Problem(where, "mailbox", "missing"))
    return (None, problems) if problems else (_made(kind, found), [])


def _made(kind: str, found: dict[str, Any]) -> Row:
    mailbox, spelling = found.pop("mailbox", ("", ""))
    if kind == "route":
        return RouteRow(found["country"], found["route"], mailbox, found.get("title", ""), found["reason"])
    if kind == "preference":
        return PreferenceRow(mailbox, spelling, **found)
    return WordRow(kind, mailbox, spelling, found.get("network"), found["reason"], found.get("until"))


def key(row: Row) -> tuple[object, ...]:
    """Return what may stand once in a file: a contact's preferences, a word on a mailbox in a range, a country's route."""
    if isinstance(row, RouteRow):
        return "route", row.country
    if isinstance(row, PreferenceRow):
        return "preference", row.mailbox
    return row.kind, row.mailbox, row.range


def record_of(row: Row) -> dict[str, str]:
    """Return a row as texts, those of its columns that say something: what `row_of` reads."""
    if isinstance(row, RouteRow):
        said: dict[str, object] = {"kind": "route", "country": row.country, "route": row.route}
        said |= {"mailbox": row.mailbox, "title": row.title, "reason": row.reason}
    elif isinstance(row, WordRow):
        said = {"kind": row.kind, "mailbox": row.spelling, "network": _network(row.range)}
        said |= {"until": row.until, "reason": row.reason}
    else:
        said = {"kind": "preference", "mailbox": row.spelling, "language": row.language, "format": row.format}
        said |= {"cadence_days": row.cadence_days or "", "inhibited_until": row.inhibited_until, "until": row.until}
        said |= {"headers": "\n".join(f"{name}: {value}" for name, value in row.headers.items())}
        said |= {"pgp_key": row.pgp_key, "source": row.source}
    return {name: _text(value) for name, value in said.items() if value not in ("", None)}


def _network(range_: tuple[Address, Address] | None) -> str:
    if range_ is None:
        return ""
    first, last = range_
    size = int(last) - int(first) + 1
    if size & size - 1 == 0 and int(first) % size == 0:
        return f"{first}/{first.max_prefixlen - size.bit_length() + 1}"
    return f"{first}-{last}"


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds" if not value.microsecond else "auto").replace("+00:00", "Z")
    return str(value)
