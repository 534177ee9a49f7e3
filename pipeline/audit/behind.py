"""What became of a letter behind our relay, as the relay's log tells it, and how its state is said because of it.

Pure.  The words of other servers are shown as they are kept.  Where no log tells of a letter, their server's answer is not
known; that a log does not tell of it proves nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit.codes import meaning
from pipeline.audit.record import Record
from pipeline.audit.say import Exact, Line, counted, say

Row = Mapping[str, Any]

MOST = 20  # steps of one letter that people are told

TOLD = {
    "queued": "By its log, the relay {relay} had it in its queue, as {queue_id}.",
    "passed": "By its log, the relay {relay} passed it on; whether the recipient's own server has it is not said.",
    "sent": "By the log of the relay {relay}, it was accepted by the recipient's own server.",
    "deferred": "By its log, the relay {relay} could not pass it on, and tries again.",
    "bounced": "By its log, the relay {relay} was refused for good, and returned it.",
    "expired": "By its log, the relay {relay} gave it up, and returned it.",
}


def behind_lines(record: Record, letter: Row) -> Iterator[Line]:
    """Yield what the relay's log says of a letter, in order of time, the newest steps where there are many."""
    told = [row for row in record.deliveries if row["letter_id"] == letter["id"]]
    if len(told) > MOST:
        early = len(told) - MOST
        yield Line(
            counted("The relay's log has {count} earlier step.", "The relay's log has {count} earlier steps.", early)
        )
    for row in told[-MOST:]:
        yield Line(meaning(TOLD, row["status"], {"relay": row["relay"], "queue_id": row["queue_id"] or "-"}), row["at"])
        if row["host"]:
            yield Line(say("the other server: {host}", host=Exact(row["host"])), depth=1)
        if words := _words(row):
            yield Line(say("its words: {words}", words=words), depth=1)


def stands(record: Record, letter: Row) -> tuple[str, dict[str, Any]]:
    """Return the code of now.MEANINGS that says how a letter stands, with what the relay's log adds to it."""
    state, code = letter["state"], f"letter.{letter['state']}"
    fitting = {"handed": ("queued", "passed", "deferred"), "accepted": ("sent",), "bounced": ("bounced", "expired")}
    told = [r for r in record.deliveries if r["letter_id"] == letter["id"] and r["status"] in fitting.get(state, ())]
    if not told:
        return code, {}
    row = told[-1]
    said = {"host": row["host"] or "-", "words": _words(row), "told_at": row["at"]}
    if state == "handed":
        return f"{code}.{row['status']}", said
    return (f"{code}.told", said) if row["words"] else (code, {})


def _words(row: Row) -> Exact:
    return Exact(row["words"] or row["dsn"])
