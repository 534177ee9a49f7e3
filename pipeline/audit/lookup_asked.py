"""The questions of a look-up: whom each was put to, its text, what came back, and under which hash that is kept.  Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import takewhile
from string import hexdigits
from typing import Any
from urllib.parse import urlsplit

from pipeline.audit.codes import meaning
from pipeline.audit.lookup import LookUp, Point, Sentence, reason, registry_name
from pipeline.audit.lookup_codes import ASKED, HEARD
from pipeline.audit.say import Exact, counted, say
from pipeline.domain import Address

Row = Mapping[str, Any]

UNKEPT = ("override", "cert")  # a decision of our own: nobody was asked, and there is no answer to keep
DUMP = re.compile(r"dump:(?P<registry>[^/]*)/(?P<name>.*)@(?P<sha256>[0-9a-f]+)/(?P<range>.*)", re.DOTALL)
OURS = (*UNKEPT, "dump")  # read here
ABOUT_ADDRESS = ("network", "whois", "page", "origin", "directory", "host_name")  # questions that name an address


def asked_points(found: LookUp) -> Iterator[Point]:
    if found.network is None:
        if found.special is None:
            none = say("No answer about its network is on record.")
            lost = say("A question that was refused, or whose answer could not be used, is not kept by itself.")
            yield Point((none, lost), ())
        return
    if not found.steps:
        yield Point(tuple(_from_the_answer(found.network)))
        return
    before, was_told, asked = None, False, {"address": found.asked}
    for row in found.steps:
        about = address_in(row["question"]) if row["kind"] in ABOUT_ADDRESS else None
        values = {**parts(row["question"]), "at": row["at"], "address": about or found.asked}
        sentences = [meaning(ASKED, row["kind"], values), heard(found, row)]
        if about not in (None, found.asked) and not was_told:
            sentences.append(
                say("{address} was not asked about by itself: what was found for its range is used for it.", **asked)
            )
            was_told = True
        if before is not None and row["at"] < before:
            sentences.append(say("That had been asked in an earlier look-up, and was not asked again."))
        before = max(before or row["at"], row["at"])
        yield Point(tuple(sentences), tuple(_lines(row)))
    if any(row["answer"] is not None for row in found.steps):
        command = say("tocsin resolve --explain {address} --answer NUMBER", address=found.address)
        yield Point((say("Every answer that is kept can be read again as it was written down:"),), (command,))


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


def address_in(question: str) -> Address | None:
    """Return the address that a question was about, None if it names none: the last of a URL or of a WHOIS line, or that
    which a name in the DNS spells backwards (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    if question.startswith("dns:TXT/"):
        return _backwards(question.removeprefix("dns:TXT/").split("."))
    for text in reversed(re.split(r"[\s/=&?#]+", question)):
        try:
            return ip_address(text)
        except ValueError:
            continue
    return None


def _backwards(labels: Sequence[str]) -> Address | None:
    """Four numbers, or 32 hexadecimal digits; fewer digits stand for a prefix, and are no address."""
    digits = list(takewhile(lambda label: len(label) == 1 and label in hexdigits, labels))
    try:
        if len(digits) == 32:
            return ip_address(bytes.fromhex("".join(reversed(digits))))
        return ip_address(".".join(reversed(labels[:4])))
    except ValueError:
        return None


def heard(found: LookUp, row: Row) -> Sentence:
    """Return what came of a question, in words."""
    detail = row["why"] if row["kind"] == "mail" else row["outcome"]
    code = f"{row['kind']}.{detail}" if f"{row['kind']}.{detail}" in HEARD else row["outcome"]
    why = Exact(row["why"].replace(" ", ", ")) if row["kind"] == "origin" else reason(row["why"])
    named = [one["mailbox"] or one["candidate"] for one in found.named(found.network) if one["step"] == row["number"]]
    if row["outcome"] == "contacts" and not named and "{mailboxes}" in HEARD[code]:
        return meaning(HEARD, "ours.again" if row["kind"] in OURS else "again")
    return meaning(HEARD, code, {"why": why, "mailboxes": tuple(named)})


def _place_in_dump(question: str) -> Sentence:
    """Return the file and the entry that a look-up read (resolve/dump_lookup.py), in words."""
    place = DUMP.fullmatch(question)
    if place is None:
        return Exact(question)
    return say(
        "read in the file {name} of {registry} (its SHA-256 begins with {sha256}), at {range}",
        **{**place.groupdict(), "registry": registry_name(place["registry"])},
    )


def _lines(row: Row) -> Iterator[Sentence]:
    if row["kind"] in UNKEPT:
        return
    if row["kind"] == "dump":
        yield _place_in_dump(row["question"])
    else:
        yield say("question: {question}", question=Exact(row["question"]))
    if row["answer"] is not None:
        values = {"answer": row["answer"], "kind": row["content_type"].partition(";")[0] or say("not said")}
        if row["question"].startswith(("dns:", "dump:")):  # no bytes off the wire: what they said, written down by us
            yield counted(
                "answer {answer}: {count} byte, {kind}, in a form of our own",
                "answer {answer}: {count} bytes, {kind}, in a form of our own",
                row["bytes"],
                **values,
            )
        else:
            yield counted(
                "answer {answer}: {count} byte, {kind}",
                "answer {answer}: {count} bytes, {kind}",
                row["bytes"],
                **values,
            )
        yield say("SHA-256 {sha256}", sha256=row["sha256"])
        if row["last_at"] is not None:
            yield say("the same words came again on {at}", at=row["last_at"])
    else:
        yield say("what came is not kept")
