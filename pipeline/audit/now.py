"""What a record means now: for every case and every letter one plain sentence, and what stands against writing.

Pure.  Codes first (`meanings`), for programs; sentences (`now_lines`) are made from them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pipeline.audit import codes
from pipeline.audit.behind import stands
from pipeline.audit.record import Kind, Record
from pipeline.audit.say import Line

Row = Mapping[str, Any]

MEANINGS = {
    "case.none": "{address}: no campaign has a case about it.",
    "case.excluded": "{address}, campaign {campaign}: excluded; nothing is written about it.",
    "case.seen": "{address}, campaign {campaign}: no contact has been looked for yet.",
    "case.no_contact": "{address}, campaign {campaign}: its network has no contact.",
    "case.resolved": "{address}, campaign {campaign}: a contact is known; no letter is known to have been handed over.",
    "case.noticed": "{address}, campaign {campaign}: a letter about it was handed over.",
    "case.exhausted": "{address}, campaign {campaign}: every contact was tried, and none is left.",
    "case.fixed": "{address}, campaign {campaign}: fixed.",
    "case.dormant": "{address}, campaign {campaign}: no source reports it any longer; that does not mean fixed.",
    "letter.drafted": "Letter {letter} is written and waits for approval; nothing has left.",
    "letter.approved": "Letter {letter} is approved and has not left.",
    "letter.claimed": "Letter {letter} is being sent now.",
    "letter.handed": "Letter {letter} was handed to our relay; the recipient's own server's answer is not known."
    " No relay's log that tells of it has been read.",
    "letter.handed.queued": "Letter {letter} was in our relay's queue; the recipient's own server's answer is not known.",
    "letter.handed.passed": "Letter {letter} was passed on by our relay to {host}; the recipient's own server's answer"
    " is not known.",
    "letter.handed.deferred": "Letter {letter} is with our relay, which could not pass it on and tries again: {words}",
    "letter.accepted": "Letter {letter} was accepted by their server; whether anybody has read it is not known.",
    "letter.accepted.told": "Letter {letter} was accepted by their server, {host}: {words}. Whether anybody has read it"
    " is not known.",
    "letter.deferred": "Letter {letter} was not taken; it will be tried again at {at}.",
    "letter.refused": "Letter {letter} was refused; the recipient does not have it.",
    "letter.uncertain": "Letter {letter}: whether it arrived is not known; it is not sent again by itself.",
    "letter.bounced": "Letter {letter} was returned; the recipient does not have it.",
    "letter.bounced.told": "Letter {letter} was returned; the recipient does not have it: {words}",
    "letter.suppressed": "Letter {letter} was not sent: its recipient is on the do-not-write list.",
    "letter.withdrawn": "Letter {letter} was withdrawn and not sent.",
    "letter.expired": "Letter {letter} was given up after five days of trying.",
    "letter.none": "No letter about it was ever written.",
    "notice.unwritten": "Notice {reference} is planned; its letter is not written yet.",
    "stop.hold": "A hold is in force: nothing is sent that it covers.",
    "stop.suppression": "An entry of the do-not-write list is in force.",
    "stop.exclusion": "An exclusion is in force.",
    "contact.rejected": "{mailbox} is not written to: it was rejected wherever it was named.",
    "contact.unwritten": "{mailbox} is known as a contact, and nothing was written to it.",
}


def meanings(record: Record, now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """Return codes of MEANINGS with their values: cases, notices and letters, stops."""
    return [*_cases(record), *_letters(record), *_contacts(record), *_stops(record, now)]


def now_lines(record: Record, now: datetime) -> Iterator[Line]:
    """Yield the meanings as lines."""
    for code, values in meanings(record, now):
        yield Line(codes.meaning(MEANINGS, code, values))


def _cases(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    addresses = {row["id"]: row["address"] for row in record.targets}
    with_case = {row["target_id"] for row in record.cases}
    for case in record.cases:
        where = {"address": addresses[case["target_id"]], "campaign": case["campaign"], "case": case["id"]}
        yield f"case.{case['state']}", where
    if record.kind is Kind.ADDRESS and not with_case:
        yield "case.none", {"address": record.addresses[0]}
    if record.kind is Kind.ADDRESS and not record.letters:
        yield "letter.none", {"address": record.addresses[0]}


def _letters(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    written = {row["notice_id"]: row for row in record.letters}
    for notice in record.notices:
        letter = written.get(notice["id"])
        if letter is None:
            yield "notice.unwritten", {"reference": notice["reference"]}
        else:
            values = {"letter": letter["id"], "reference": notice["reference"], "recipient": letter["recipient"]}
            code, told = stands(record, letter)
            yield code, {**values, "at": letter["due_at"], **told}


def _contacts(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    if record.kind is Kind.EMAIL and not record.notices:
        known = any(row["mailbox"] == record.query for row in record.contacts)
        if known or record.candidates:
            yield ("contact.unwritten" if known else "contact.rejected"), {"mailbox": record.query}


def _stops(record: Record, now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in record.holds:
        if row["released_at"] is None:
            yield "stop.hold", {"hold": row["id"]}
    for row in record.suppressions:
        if row["lifted_at"] is None:
            yield "stop.suppression", {"suppression": row["id"]}
    for row in record.exclusions:
        if row["lifted_at"] is None and (row["until"] is None or row["until"] > now):
            yield "stop.exclusion", {"exclusion": row["id"], "until": row["until"]}
