"""Events of the log as sentences, with their reasons and the personal values that they stand for.

Pure.  An event that is not known is shown as it stands; a value that has been purged is said to be purged.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.held import LETTERS_REASON, own_code
from pipeline.audit.record import PROGRAM, Record, Rows, actor
from pipeline.audit.say import Exact, Line, Say, Word, say

Row = Mapping[str, Any]


def event_lines(record: Record) -> Iterator[Line]:
    if "events" in record.cut:
        yield Line(say("Only the newest events are told here; --json has them all."))
    for row in record.events:
        yield from lines_of(row, record.texts, record.names, known(record.campaigns, record.waves))


def known(campaigns: Rows, waves: Rows) -> dict[tuple[str, int], str]:
    """Return what people call campaigns and waves: a campaign's name, a wave's number in it."""
    found = {("campaign", row["id"]): row["name"] for row in campaigns}
    return found | {("wave", row["id"]): f"{row['campaign']}/{row['number']}" for row in waves}


def lines_of(
    row: Row, texts: Mapping[str, str | None], names: Mapping[str, str], called: Mapping[tuple[str, int], str]
) -> Iterator[Line]:
    """Yield one event: what happened, and below it who did it, why, and the values it stands for."""
    yield Line(event(row, called), row["at"])
    if row["by"] != "tocsin":
        yield Line(say("done by {by}", by=actor(names, row["by"])), depth=1)
    yield from (Line(detail, depth=1) for detail in event_details(texts, row))


def event(row: Row, called: Mapping[tuple[str, int], str]) -> Say | Exact:
    """Return one event as a sentence."""
    values = {"id": called.get((row["subject"], row["subject_id"]), row["subject_id"])}
    if row["subject"] == "route":
        values["country"] = json.loads(row["data"]).get("country", "")
    return meaning(codes.EVENTS, row["what"], values)


def event_details(texts: Mapping[str, str | None], row: Row) -> Iterator[Say | Exact]:
    """Return an event's reason, the personal values it stands for, and, of an event that is not known, all its data."""
    if row["why"]:
        yield say("why: {why}", why=event_why(row["what"], row["why"]))
    data = json.loads(row["data"])
    for key, value in data.items():
        if not isinstance(value, str) or value not in texts or _is_own_code(row, texts[value]):
            continue
        if texts[value] is None:
            yield say("{key} was purged; only its hash is kept: {hash}", key=meaning(codes.KEPT, key), hash=value)
        else:
            yield say(
                "kept beside the log, {key}: {text}", key=meaning(codes.KEPT, key), text=Exact(texts[value] or "")
            )
    if row["what"] not in codes.EVENTS and data:
        yield say("data: {data}", data=Exact(row["data"]))


def _is_own_code(row: Row, kept: str | None) -> bool:
    """True for the reason of a hold that the program placed, where it is a code of ours and not a relay's words."""
    return row["by"] in PROGRAM and row["what"] == "hold.placed" and kept in (LETTERS_REASON, own_code(row["why"]))


def event_why(what: str, why: str) -> object:
    """Return the reason of an event: `why` is a code whose kind follows from the event, or words that stand as they are."""
    if what == "case.checked":
        return Word("exposure", why)
    if what == "case.no_contact":
        outcome, _, more = why.partition(":")
        return say("special-purpose addresses ({kind})", kind=more) if more else meaning(codes.OUTCOMES, outcome)
    if what in ("suppression.added", "exclusion.added", "letter.suppressed"):
        return Word("reason", why)
    table = codes.LETTER_REASONS | codes.SNAPSHOT_REASONS | codes.WHYS
    return meaning(table, why) if why in table else Exact(why)
