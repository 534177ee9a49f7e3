"""The questions of a look-up: whom each was put to, its text, what came back, and under which hash that is kept.  Pure."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.lookup import LookUp, Point, Sentence
from pipeline.audit.lookup_codes import ASKED, HEARD, NOTHING_SAID
from pipeline.audit.say import Exact, counted, say

Row = Mapping[str, Any]

UNKEPT = ("override", "cert", "dump")  # nobody was asked


def asked_points(found: LookUp) -> Iterator[Point]:
    if found.network is None:
        if found.special is None:
            yield Point((say("Nobody has been asked about it."),))
        return
    if not found.steps:
        yield Point(tuple(_from_the_answer(found.network)))
        return
    before = None
    for row in found.steps:
        values = {**parts(row["question"]), "at": row["at"], "address": found.asked}
        sentences = [meaning(ASKED, row["kind"], values), heard(found, row)]
        if before is not None and row["at"] < before:
            sentences.append(say("That had been asked before, for another address, and was not asked again."))
        before = max(before or row["at"], row["at"])
        yield Point(tuple(sentences), tuple(_lines(row)))
    if any(row["answer"] is not None for row in found.steps):
        command = f"tocsin resolve --explain {found.address} --answer NUMBER"
        yield Point((say("Every answer that is kept can be read again as it came, byte for byte:"),), (Exact(command),))


def _from_the_answer(row: Row) -> Iterator[Sentence]:
    """A reading whose questions are not on record: what it rests on, if that is kept."""
    yield say("The questions behind this reading are not on record.")
    if row["source"]:
        yield say("It rests on the answer of {source}, read on {at}.", source=row["source"], at=row["read_at"])
        yield say("Its SHA-256 is {sha256}.", sha256=row["answer_sha256"])


def parts(question: str) -> dict[str, str]:
    """Return the host that a question was put to, and the name that it was about; empty where there is none."""
    if question.startswith("dns:"):
        return {"host": "DNS", "name": question.partition("/")[2]}
    try:
        host = urlsplit(question).hostname or ""
    except ValueError:
        host = ""
    return {"host": host or question, "name": question}


def heard(found: LookUp, row: Row) -> Sentence:
    """Return what came of a question, in words."""
    detail = row["why"] if row["kind"] == "mail" else row["outcome"]
    code = f"{row['kind']}.{detail}" if f"{row['kind']}.{detail}" in HEARD else row["outcome"]
    why = Exact(row["why"].replace(" ", ", ")) if row["kind"] == "origin" else reason(row["why"])
    named = [one["mailbox"] or one["candidate"] for one in found.named(found.network) if one["step"] == row["number"]]
    mailboxes = tuple(named) or say("no mailbox that had not been named before")
    return meaning(HEARD, code, {"why": why, "mailboxes": mailboxes})


def reason(code: str) -> Sentence:
    """Return in words why an answer names nobody, or says nothing."""
    known = codes.WHY_NONE | codes.REJECTED | NOTHING_SAID
    if code in known or not code:
        return meaning(known, code) if code else say("not said")
    kind, _, rest = code.partition(" ")
    if kind == "status" and rest.isdecimal():
        return say("status {status}", status=rest)
    if kind == "failed":
        return say("the connection failed: {code}", code=rest)
    if kind == "abuse-handle":
        return say("it names the contact by its handle alone: {handle}", handle=rest)
    return Exact(code)


def _lines(row: Row) -> Iterator[Sentence]:
    if row["kind"] in UNKEPT:
        return
    yield say("question: {question}", question=Exact(row["question"]))
    if row["answer"] is not None:
        kind = row["content_type"].partition(";")[0] or say("not said")
        yield counted(
            "answer {answer}: {count} byte, {kind}",
            "answer {answer}: {count} bytes, {kind}",
            row["bytes"],
            answer=row["answer"],
            kind=kind,
        )
        yield say("SHA-256 {sha256}", sha256=row["sha256"])
        if row["last_at"] is not None:
            yield say("the same words came again on {at}", at=row["last_at"])
    else:
        yield say("what came is not kept")
