"""The story of one letter: how it stands, why and what comes next; what was written, each attempt, what stops it, the log.

Pure.  The sentences of its state are those of `who`; nothing is said to have arrived that is only known to have left.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.audit.logged import event_lines
from pipeline.audit.now import now_lines
from pipeline.audit.record import Record
from pipeline.audit.say import Chapter, Line, counted, say
from pipeline.audit.stopped import stop_lines
from pipeline.audit.written import letter_reason, written_lines

Row = Mapping[str, Any]

GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 4.5.4.1, as send/gate.py has it


def letter_story(record: Record, letter: Row, now: datetime) -> list[Chapter]:
    """Return the chapters of a letter's story, empty ones left out.  `record` is that of its notice (who.py)."""
    chapters = (
        (say("How it stands"), (*now_lines(_only(record, letter), now), *next_lines(record, letter, now))),
        (say("What was written, and what came of it"), written_lines(record, replies=True)),
        (say("What stops it, or has stopped it"), stop_lines(record)),
        (say("Everything in order, from the log"), event_lines(_only(record, letter))),
    )
    made = [Chapter(title, tuple(lines)) for title, lines in chapters]
    return [chapter for chapter in made if chapter.lines]


def next_lines(record: Record, letter: Row, now: datetime) -> Iterator[Line]:
    """Yield why a letter is in its state, where a reason is kept, and what moves it on: a time, or a command."""
    wave = next(row for row in record.waves if row["id"] == letter["wave_id"])
    named = f"{wave['campaign']} --wave {wave['number']}"
    tried = [row for row in record.attempts if row["letter_id"] == letter["id"]]
    later = letter["due_at"] is not None and letter["due_at"] > now
    if letter["state"] == "drafted":
        yield Line(
            say("It leaves once its wave is approved and released: {command}", command=f"tocsin wave show {named}")
        )
    elif letter["state"] == "approved" and wave["state"] == "approved":
        yield Line(say("It leaves once its wave is released: {command}", command=f"tocsin send {named} --execute"))
    elif letter["state"] == "approved" and later and letter["reason"]:
        why = letter_reason(letter["reason"])
        yield Line(say("It leaves at {at} at the earliest: {why}.", at=letter["due_at"], why=why))
    elif letter["state"] == "approved" and later:
        yield Line(say("It leaves at {at} at the earliest.", at=letter["due_at"]))
    elif letter["state"] == "approved":
        yield Line(say("It is due: it leaves as soon as letters are sent, at the pace the limits allow."))
    elif letter["state"] == "deferred" and tried:
        count, until = len(tried), tried[0]["started_at"] + GIVE_UP_AFTER
        yield Line(
            counted(
                "It was tried {count} time, and is given up at {until}.",
                "It was tried {count} times, and is given up at {until}.",
                count,
                until=until,
            )
        )
    elif letter["state"] == "handed":
        yield Line(say("Our relay's log, or a message that comes back, would tell what became of it."))
    elif letter["state"] == "uncertain":
        yield Line(say("Our relay's log, or a message that comes back, would tell what became of it."))
        command = f"tocsin letter settle {letter['id']} OUTCOME --reason ..."
        yield Line(say("A person who knows says so: {command}", command=command))


def _only(record: Record, letter: Row) -> Record:
    """Return a record of the letter alone, without its cases and stops: what is said of these stands elsewhere."""
    events = [row for row in record.events if (row["subject"], row["subject_id"]) == ("letter", letter["id"])]
    notices = [row for row in record.notices if row["id"] == letter["notice_id"]]
    made = Record(record.query, record.kind, notices=notices, letters=[dict(letter)], events=events)
    made.deliveries = record.deliveries
    made.texts, made.names, made.waves, made.campaigns = record.texts, record.names, record.waves, record.campaigns
    return made
