"""What was written about a record's cases, to whom, in which exact bytes, who approved it, and what came of each attempt.

Pure.  A letter that our relay took is "handed to our relay", never delivered: what the recipient's own server answered is
then not known.  A letter that their server took has been accepted; whether anybody has read it is not known either.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit import codes
from pipeline.audit.behind import behind_lines
from pipeline.audit.codes import meaning
from pipeline.audit.limits import is_limit, limit_said
from pipeline.audit.record import Kind, Record, actor
from pipeline.audit.replied import over_lines, replied_lines
from pipeline.audit.say import Exact, Line, Say, Word, counted, say

Row = Mapping[str, Any]

METHODS = {"ssh": "by signature", "password": "by password", "training": "training mode, system's user"}

OUTCOMES = {
    "handed": "Attempt {number}: handed to our relay; the recipient's own server's answer is not known.",
    "accepted": "Attempt {number}: accepted by the recipient's own server; whether anybody has read it is not known.",
    "deferred": "Attempt {number}: not taken now.",
    "refused": "Attempt {number}: refused.",
    "uncertain": "Attempt {number}: its end was sent and no reply came; whether it arrived is not known.",
    "released": "Attempt {number}: given back; the relay did not take the letter.",
    "abandoned": "Attempt {number}: the process that sent it died.",
    "": "Attempt {number}: begun; how it ended is not on record.",
}


def written_lines(record: Record, *, replies: bool = False) -> Iterator[Line]:
    """Yield what was written and what came of it; with `replies`, each reply of each attempt, with its time."""
    letters = {row["notice_id"]: row for row in record.letters}
    told_waves: set[int] = set()
    for notice in record.notices:
        letter = letters.get(notice["id"])
        if letter is None:
            yield Line(_planned(notice))
        else:
            yield Line(_letter(notice, letter), letter["created_at"])
            yield from (Line(line, depth=1) for line in _letter_details(letter))
        yield from (Line(line, depth=1) for line in _cases_told(record, notice))
        if notice["wave_id"] not in told_waves:
            told_waves.add(notice["wave_id"])
            yield from _wave_lines(record, notice["wave_id"])
        if letter is not None:
            yield from _attempt_lines(record, letter, replies)
            yield from behind_lines(record, letter)
            yield from _paper_lines(record, letter)


def _planned(notice: Row) -> Say:
    return say(
        "Notice {reference} is planned in wave {wave} of campaign {campaign}; its letter is not written yet.",
        reference=notice["reference"],
        wave=notice["wave"],
        campaign=notice["campaign"],
    )


def _letter(notice: Row, letter: Row) -> Say:
    return say(
        "Letter {letter} to {recipient}: notice {reference}, wave {wave} of campaign {campaign}; now: {state}.",
        letter=letter["id"],
        recipient=letter["recipient"],
        reference=notice["reference"],
        wave=notice["wave"],
        campaign=notice["campaign"],
        state=Word("letter", letter["state"]),
    )


def _letter_details(letter: Row) -> Iterator[Say | Exact]:
    locales = tuple(meaning(codes.LANGUAGES, locale) for locale in letter["locales"].split(",") if locale)
    rule = meaning(codes.LANGUAGE_RULES, letter["language_rule"])
    yield say("languages: {languages}; chosen {rule}", languages=locales, rule=rule)
    yield say("Message-ID: {message_id}", message_id=letter["message_id"])
    yield say("SHA-256 of its bytes without the lines put on top when it is sent: {sha256}", sha256=letter["sha256"])
    if letter["sha256"] != letter["approved_sha256"]:
        yield say("approved as {sha256}; it has been shortened since", sha256=letter["approved_sha256"])
    if letter["reason"] and letter["state"] == "suppressed":
        yield say("why: {why}", why=Word("reason", letter["reason"]))
    elif letter["reason"]:
        yield say("why: {why}", why=letter_reason(letter["reason"]))


def letter_reason(reason: str) -> object:
    """Return the reason of a letter's state: a code of ours, a limit that it waits for, or an SMTP code as it stands."""
    if is_limit(reason):
        return limit_said(reason)
    return meaning(codes.LETTER_REASONS, reason) if reason in codes.LETTER_REASONS else Exact(reason)


def _cases_told(record: Record, notice: Row) -> Iterator[Say | Exact]:
    """Yield what the notice says of the record's cases, and how many others it speaks of."""
    targets = {row["id"]: row for row in record.targets}
    cases = {row["id"]: row for row in record.cases}
    told = [row for row in record.told if row["notice_id"] == notice["id"] and row["case_id"] in cases]
    for row in told:
        at = targets[cases[row["case_id"]]["target_id"]]
        where = {"address": at["address"], "port": at["port"] or "-", "case": row["case_id"]}
        yield say("it tells of {address}, port {port} (case {case}): {level}", level=codes.level(row["level"]), **where)
        if row["dropped_at"] is not None:
            why = meaning(codes.DROPPED, row["dropped_why"])
            yield say("case {case} left the letter at {at}: {why}", case=row["case_id"], at=row["dropped_at"], why=why)
    others = record.told_cases.get(notice["id"], 0) - len(told)
    if others > 0 and record.kind is Kind.ADDRESS:
        yield counted("it tells of {count} other case too", "it tells of {count} other cases too", others)
    elif others > 0:
        yield counted(
            "it tells of {count} more case; --json has it", "it tells of {count} more cases; --json has them", others
        )


def _wave_lines(record: Record, wave_id: int) -> Iterator[Line]:
    wave = next(row for row in record.waves if row["id"] == wave_id)
    made = {"wave": wave["number"], "campaign": wave["campaign"], "by": actor(record.names, wave["made_by"])}
    state = Word("wave", wave["state"])
    yield Line(
        say("Wave {wave} of campaign {campaign} was made, by {by}; now: {state}.", state=state, **made),
        wave["created_at"],
    )
    if wave["manifest_sha256"] is not None:
        yield Line(say("SHA-256 of what was put up for approval: {sha256}", sha256=wave["manifest_sha256"]), depth=1)
    for row in record.approvals:
        if row["wave_id"] != wave_id:
            continue
        given = {
            "by": actor(record.names, row["by"]),
            "method": meaning(METHODS, row["method"]),
            "wave": wave["number"],
        }
        if row["accepted"]:
            yield Line(say("{by} approved wave {wave} ({method}).", **given), row["at"])
        else:
            yield Line(say("{by} rejected wave {wave} ({method}).", **given), row["at"])
        if row["reason"]:
            yield Line(_reason(record, row["reason"]), depth=1)
        if wave["manifest_sha256"] is not None and row["manifest_sha256"] != wave["manifest_sha256"]:
            yield Line(say("that was said of another version of the wave, and does not count"), depth=1)


def _reason(record: Record, kept: str) -> Say:
    """Return why somebody said so: the text that a digest stands for, or that it was purged."""
    text = record.texts.get(kept, kept)
    if text is None:
        return say("{key} was purged; only its hash is kept: {hash}", key=meaning(codes.KEPT, "reason"), hash=kept)
    return say("why: {why}", why=Exact(text))


def _attempt_lines(record: Record, letter: Row, replies: bool) -> Iterator[Line]:
    for row in record.attempts:
        if row["letter_id"] == letter["id"]:
            yield Line(meaning(OUTCOMES, row["outcome"], {"number": row["number"]}), row["started_at"])
            yield from (Line(line, depth=1) for line in over_lines(record, row))
            yield from (Line(line, depth=1) for line in _attempt_details(row))
            yield from (Line(line, depth=2) for line in (replied_lines(row) if replies else ()))


def _paper_lines(record: Record, letter: Row) -> Iterator[Line]:
    """Yield that the letter was printed, with the hash of the file that was made: the log alone knows it."""
    for row in record.events:
        if (row["what"], row["subject_id"]) == ("letter.printed", letter["id"]):
            made = json.loads(row["data"])
            yield Line(say("Printed on paper, to go by post, as the file {file}.", file=made["file"]), row["at"])
            yield Line(say("SHA-256 of the PDF: {sha256}", sha256=made["sha256"]), depth=1)


def _attempt_details(row: Row) -> Iterator[Say | Exact]:
    yield say("from {sender} to {recipient}", sender=row["sender"], recipient=row["recipient"])
    if row["dot_at"] is None:
        yield say("SHA-256 of the bytes that were to be sent: {sha256}", sha256=row["sha256"])
        yield say("its end was never sent, so it cannot have been taken")
    else:
        yield say("SHA-256 of the bytes as sent: {sha256}", sha256=row["sha256"])
        yield say("its end could be sent from {at} on", at=row["dot_at"])
    if row["reply"]:
        words = Exact(" ".join(str(part) for part in (row["reply"], row["enhanced"], row["reply_text"]) if part))
        yield say("the reply, at {stage}, {at}: {words}", stage=row["stage"], at=row["ended_at"], words=words)
    elif row["reply_text"]:
        yield say("no reply, at {stage}: {words}", stage=row["stage"] or "-", words=Exact(row["reply_text"]))
    else:
        yield say("no reply is on record")
