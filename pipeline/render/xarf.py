"""Each target of a letter as a report in XARF, version 4, which abuse desks' programs read.

Pure; the same letter gives the same reports, ids included.  A report claims no more than the letter: what we observed or
confirmed is an open service, what others list is a listing.  No evidence item is attached: the letter's record holds it;
no confidence is given, as it would be an invented number; and a port that nobody named is left out.  ASCII, lines that
end in CRLF: so a report stands in the mail as it is.
Standard: XARF 4.2 (xarf.org), schemas xarf-core, vulnerability-open-service, reputation-blocklist; RFC 9562 (UUID).
"""

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from pipeline.domain import ConfigurationError
from pipeline.render import header_fields
from pipeline.render.evidence import Group, Wording, targets
from pipeline.render.values import TEST, Finding, LetterValues, utc_second

VERSION = "4.2.0"
MAX_ORGANISATION = 200  # characters, by the schema
MAX_DESCRIPTION = 1_000  # likewise

_TAG = re.compile(r"[a-z0-9][a-z0-9_+-]*:[a-z0-9][a-z0-9_+-]*")
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
    the letter's languages, what it is and how certain.  Raises ConfigurationError if the campaign's contact mailbox
    cannot be written to.
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
    mailbox = _mailbox(values.face.contact_mailbox)  # its domain as it stands in the DNS (RFC 5890)
    agency = {
        "contact": mailbox,
        "domain": mailbox.rpartition("@")[2],
        "org": (name.get("en") or next(iter(name.values())))[:MAX_ORGANISATION],
    }
    shared = json.dumps(agency)
    return {"xarf_version": json.dumps(VERSION), "reporter": shared, "sender": shared}


def _report(values: LetterValues, constant: dict[str, str], group: Group, heading: str, finding: Finding) -> bytes:
    description = f"{heading} [{values.reference}]"
    report: dict[str, Any] = {
        "report_id": _id(values, finding),
        "timestamp": utc_second(finding.last_seen),
        "source_identifier": str(finding.address),
        "evidence_source": _SOURCE[group.wording],
        "tags": _tags(values, finding),
        **_kind(group, finding),
    }
    if len(description) <= MAX_DESCRIPTION:  # a part of it could lose how certain it is
        report["description"] = description
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


def _tags(values: LetterValues, finding: Finding) -> list[str]:
    """Return what a desk files a report by; a training letter's is marked, and so is that of a letter sent as a test."""
    tags = [f"reference:{values.reference.lower()}", f"topic:{finding.topic.lower()}"]
    tags += ["status:training"] if values.training else []
    tags += ["status:test"] if values.kind == TEST else []
    return [tag for tag in tags if _TAG.fullmatch(tag)]


def _mailbox(text: str) -> str:
    try:
        return header_fields.mailbox(text)
    except ValueError as error:
        raise ConfigurationError(
            f"The campaign's contact_mailbox cannot be written to: {text}", str(error), "mend campaign.contact_mailbox"
        ) from error


def _id(values: LetterValues, finding: Finding) -> str:
    """Return a UUID of version 4 made of what the report is about: nobody guesses it who does not know the reference."""
    about = "\n".join((values.reference, str(finding.address), str(finding.port), finding.service, finding.topic))
    return str(uuid.UUID(bytes=hashlib.sha256(about.encode()).digest()[:16], version=4))


def _name(number: int, finding: Finding) -> str:
    return f"xarf-{number:04}-{str(finding.address).replace(':', '-')}.json"
