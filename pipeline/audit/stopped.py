"""What stops, or has stopped, writing about a record: holds, the do-not-write list, exclusions.  Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit.held import reason
from pipeline.audit.record import Record, actor
from pipeline.audit.say import Line, Word, say

Row = Mapping[str, Any]


def stop_lines(record: Record) -> Iterator[Line]:
    for row in record.holds:
        yield Line(say("Hold on {what}, by {by}: {reason}", what=_held(record, row), by=actor(record.names, row["by"]),
                       reason=reason(row)), row["at"])  # fmt: skip
        if row["released_at"] is not None:
            by = actor(record.names, row["released_by"])
            yield Line(say("Released, by {by}.", by=by), row["released_at"], depth=1)
    for row in record.suppressions:
        yield Line(say("On the do-not-write list: {place}, by {by}: {reason}.", place=_place(row),
                       by=actor(record.names, row["by"]), reason=Word("reason", row["reason"])), row["at"])  # fmt: skip
        if row["lifted_at"] is not None:
            yield Line(say("Taken off the list."), row["lifted_at"], depth=1)
    for row in record.exclusions:
        yield Line(say("Excluded: {place}, by {by}: {reason}.", place=_place(row), by=actor(record.names, row["by"]),
                       reason=Word("reason", row["reason"])), row["at"])  # fmt: skip
        if row["until"] is not None:
            yield Line(say("Until {at}.", at=row["until"]), depth=1)
        if row["lifted_at"] is not None:
            yield Line(say("Lifted."), row["lifted_at"], depth=1)


def _held(record: Record, row: Row) -> object:
    if row["domain"]:
        return row["domain"]
    if row["contact_id"] is not None:
        return next((c["mailbox"] for c in record.contacts if c["id"] == row["contact_id"]), "?")
    if row["wave_id"] is not None:
        number = next((w["number"] for w in record.waves if w["id"] == row["wave_id"]), "?")
        return say("wave {wave}", wave=number)
    if row["campaign_id"] is not None:
        name = next((c["name"] for c in record.campaigns if c["id"] == row["campaign_id"]), "?")
        return say("campaign {campaign}", campaign=name)
    return say("everything")


def _place(row: Row) -> object:
    if row["first_address"] is not None:
        first, last = row["first_address"], row["last_address"]
        return first if first == last else say("{first} to {last}", first=first, last=last)
    return row.get("mailbox") or row.get("domain") or f"AS{row.get('asn')}"
