"""Each target of a letter as a report in XARF, version 4, which abuse desks' programs read.

Pure; the same letter gives the same reports, ids included.  A report claims no more than the letter: what we observed or
confirmed is an open service, what others list is a listing.  No evidence item is attached: the letter's record holds it.
Standard: XARF 4.0 (xarf.org), schemas xarf-core, vulnerability-open-service, reputation-blocklist; RFC 9562 (UUID).
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

from pipeline.render.evidence import Group, Wording, targets
from pipeline.render.values import Finding, LetterValues, utc_second

VERSION = "4.0.0"
MAX_ORGANISATION = 200  # characters, by the schema

MAX_DESCRIPTION = 1_000

_SOURCE = {  # in the schema's own words
    Wording.CONFIRMED: "vulnerability_scan",
    Wording.OBSERVED: "researcher_analysis",
    Wording.REPORTED: "threat_intelligence",
}


def reports(
    values: LetterValues, groups: Sequence[Group], headings: Sequence[str], most: int
) -> list[tuple[str, bytes]]:
    """Return (file name, report) for each target in the table's order; none at all if there are more than `most`.

    A part of the list would read like the whole.  What has ended is reported no more.  `headings` say of each group, in
    the letter's languages, what it is and how certain.
    """
    found = [
        (group, heading, finding)
        for group, heading in zip(groups, headings, strict=True)
        if group.wording in _SOURCE
        for finding in targets(group)
    ]
    if len(found) > most:
        return []
    constant = _constant(values)
    return [
        (_name(number, finding), _report(values, constant, group, heading, finding))
        for number, (group, heading, finding) in enumerate(found, 1)
    ]


def _constant(values: LetterValues) -> dict[str, str]:
    """Return what all reports of a letter share, as JSON."""
    name = values.face.agencies[0].name
    mailbox = values.face.contact_mailbox
    agency = {
        "contact": mailbox,
        "domain": mailbox.rpartition("@")[2],
        "org": (name.get("en") or next(iter(name.values())))[:MAX_ORGANISATION],
    }
    shared = json.dumps(agency)
    return {"xarf_version": json.dumps(VERSION), "reporter": shared, "sender": shared}


def _report(values: LetterValues, constant: dict[str, str], group: Group, heading: str, finding: Finding) -> bytes:
    report: dict[str, Any] = {
        "report_id": _id(values, finding),
        "timestamp": utc_second(finding.last_seen),
        "source_identifier": str(finding.address),
        "evidence_source": _SOURCE[group.wording],
        "tags": [f"reference:{values.reference.lower()}", f"topic:{finding.topic}"],
        "description": f"{heading} [{values.reference}]"[:MAX_DESCRIPTION],
        **_kind(group, finding),
    }
    if finding.port:
        report["source_port"] = finding.port
    written = constant | {key: json.dumps(value) for key, value in report.items()}
    lines = ",\r\n".join(f' "{key}": {written[key]}' for key in sorted(written))
    return f"{{\r\n{lines}\r\n}}\r\n".encode()


def _kind(group: Group, finding: Finding) -> dict[str, str]:
    service = finding.service if finding.service != "any" else finding.topic
    if group.wording is Wording.REPORTED:
        return {"category": "reputation", "type": "blocklist", "threat_type": finding.topic}
    return {"category": "vulnerability", "type": "open_service", "service": service}


def _id(values: LetterValues, finding: Finding) -> str:
    """Return a UUID of version 4 made of what the report is about: nobody guesses it who does not know the reference."""
    about = "\n".join((values.reference, str(finding.address), str(finding.port), finding.service, finding.topic))
    return str(uuid.UUID(bytes=hashlib.sha256(about.encode()).digest()[:16], version=4))


def _name(number: int, finding: Finding) -> str:
    return f"xarf-{number:04}-{str(finding.address).replace(':', '-')}.json"
