"""The look-up of an address as a report, heading by heading, and as plain data.  Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.audit import lookup, lookup_asked, lookup_chosen, lookup_days
from pipeline.audit.lookup import LookUp, Part, Point
from pipeline.audit.record import plain_row
from pipeline.audit.say import Say, say

HEADINGS: tuple[tuple[Say, Callable[[LookUp], Iterator[Point]]], ...] = (
    (say("The address"), lookup.address_points),
    (say("What made us look"), lookup.report_points),
    (say("Which registry answers for it"), lookup.registry_points),
    (say("What was asked, and what came back"), lookup_asked.asked_points),
    (say("Whose network it is"), lookup.network_points),
    (say("Who may be written to, best first"), lookup_chosen.weighed_points),
    (say("Which mailboxes were read and must not be written to"), lookup_chosen.rejected_points),
    (say("What people decided"), lookup_chosen.word_points),
    (say("Who was chosen, and why"), lookup_chosen.chosen_points),
    (say("In which language"), lookup_chosen.language_points),
    (say("What was written"), lookup_chosen.letter_points),
    (say("What was read at other times"), lookup_days.earlier_points),
    (say("How long this holds, and what comes next"), lookup_days.validity_points),
)


def title(found: LookUp) -> Say:
    return say("How the contact of {address} was found", address=found.address)


def report(found: LookUp) -> list[Part]:
    """Return the report: what there is nothing to say about has no heading."""
    parts = [Part(title, tuple(points(found))) for title, points in HEADINGS]
    return [part for part in parts if part.points]


def plain(found: LookUp) -> dict[str, Any]:
    """Return everything for JSON: the rows as stored, JSON columns parsed, bytes as text or base64."""
    rows = ("claims", "targets", "cases", "networks", "steps", "candidates", "words", "letters", "languages")
    return {
        "address": found.address,
        "asked_about": found.asked,
        "carrier": found.carrier,
        "at": found.at,
        "special": _one(found.special),
        "registry": _one(found.listed),
        "registries_known": found.has_list,
        "network": found.network["id"] if found.network is not None else None,
        "route": _one(found.route),
        "expected_languages": {name: dict(row) for name, row in found.expected.items()},
        "suppressed": found.suppressed,
        "names": found.names,
        **{name: [plain_row(row) for row in getattr(found, name)] for name in rows},
    }


def _one(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return plain_row(dict(row)) if row is not None else None
