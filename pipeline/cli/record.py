"""`tocsin who`, `tocsin explain`, `tocsin audit log`: what is on record, and why.

Reads only.  Text is cut to what people can read and says so; --json is whole (docs/reference/record.md).
"""

import base64
import hashlib
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import click

from pipeline.audit import explained, logged, who
from pipeline.audit.letter import letter_bytes
from pipeline.audit.now import meanings
from pipeline.audit.query import Query, parse, read_target
from pipeline.audit.record import Record, plain, plain_row
from pipeline.audit.say import Chapter, say
from pipeline.audit.stopped import stop_lines
from pipeline.audit.story import story
from pipeline.audit.summary import summary
from pipeline.audit.why import Why, why
from pipeline.cli import context, show, words
from pipeline.cli.command import Command, Group, argument, given, option
from pipeline.cli.place import typed_time
from pipeline.cli.rules import rules
from pipeline.cli.saying import chapters, line, spoken
from pipeline.data.topic import topics
from pipeline.domain import Address
from pipeline.resolve.mailbox import normalise
from pipeline.store import campaigns, log
from pipeline.store.db import Connection
from pipeline.store.events import stamp
from pipeline.store.keys import is_reference

SUBJECT = re.compile(r"([a-z_]{1,40}):([0-9]{1,18})")


def asked(text: str) -> Query:
    """Return what a question names.  Raises BadParameter."""
    found = parse(text, is_reference, _mailbox_key)
    if found is None:
        raise click.BadParameter(
            "it is not an address, a network, a mailbox, a reference or a Message-ID", param_hint="QUERY"
        )
    return found


def _mailbox_key(text: str) -> str | None:
    found = normalise(text)
    return found[0] if found else None


def _address(text: str) -> Address | None:
    try:
        return ip_address(text) if text else None
    except ValueError:
        raise click.BadParameter("it is not an address", param_hint="--after") from None


@click.command(
    "who",
    cls=Command,
    examples=(
        "tocsin who 203.0.113.7",
        "tocsin who 203.0.113.0/24",
        "tocsin who abuse@isp.example",
        "tocsin who TCS-7K3QW-M9XRA-2 --letter > letter.eml",
    ),
)
@argument("query", metavar="QUERY", help="An address, a network, a mailbox, a reference, or a Message-ID.")
@option(
    "--letter",
    "place",
    is_flag=False,
    flag_value=0,
    type=click.IntRange(min=0),
    metavar="[NUMBER]",
    help="Print the letter's exact bytes; NUMBER says which, where there are several. Give it last.",
)
@option("--after", default="", metavar="ADDRESS", help="Of a network: go on after this address.")
@option("--limit", default=100, type=click.IntRange(1, 10_000), help="Of a network: at most so many addresses.")
def who_(query: str, place: int | None, after: str, limit: int) -> None:
    """Tell the whole story of an address, a network, a mailbox or a letter.

    What was reported, what was decided and why, whose network it is, who was chosen to be written to, what was written in
    which exact bytes, who approved it, what each server answered, and what it means now.
    """
    wanted, start, now = asked(query), _address(after), context.clock()
    with context.opened() as ground, ground.db.read() as connection:
        record = who.who(connection, wanted, whole=given().json or place is not None, after=start, limit=limit)
        if place is not None:
            _print_letter(connection, record, place)
            return
    show.emit(
        {**plain(record), "meaning": [{"code": code, **values} for code, values in meanings(record, now)]},
        lambda: _network(record) if wanted.network else _story(record, now),
    )
    if record.next is not None:
        show.note(words.text("There is more: add --after {address}", address=record.next))


def _story(record: Record, now: datetime) -> Iterator[str]:
    yield words.text("On record about {query}", query=record.query)
    yield ""
    yield from chapters(story(record, now))


def _network(record: Record) -> Iterator[str]:
    """Yield a network's page: one line for each case, and what stops writing about it."""
    heads = words.each("address", "port", "topic", "campaign", "case", "exposure", "contact", "letter")
    yield from show.table(heads, [[spoken(value) for value in row] for row in summary(record)])
    if record.within < who.MOST_COUNTED:
        yield words.text("addresses and services in the network: {count}", count=words.number(record.within))
    else:
        most = words.number(who.MOST_COUNTED - 1)
        yield words.text("addresses and services in the network: more than {count}", count=most)
    stops = tuple(stop_lines(record))
    if stops:
        yield ""
        yield from chapters([Chapter(say("What stops it, or has stopped it"), stops)])


def _print_letter(connection: Connection, record: Record, place: int) -> None:
    """Print one letter's bytes to stdout, unchanged; with --json as base64 beside their hash."""
    letters = who.letter_choices(record)
    if not letters:
        raise click.UsageError("No letter is on record for that")
    if len(letters) > 1 and place == 0:
        for number, letter in enumerate(letters, 1):
            made = say("Letter {letter} to {recipient}", letter=letter["id"], recipient=letter["recipient"])
            show.note(f"{number}  {show.instant(letter['created_at'])}  {spoken(made)}")
    if place > len(letters) or (len(letters) > 1 and place == 0):
        raise click.UsageError(f"Say which letter: --letter 1 to --letter {len(letters)}")
    letter = letters[max(place, 1) - 1]
    data = letter_bytes(connection, record, letter)
    if given().json:
        facts = {"letter": letter["id"], "message_id": letter["message_id"], "sha256": hashlib.sha256(data).hexdigest()}
        click.echo(show.to_json({**facts, "bytes": len(data), "base64": base64.b64encode(data).decode()}))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@click.command(
    "explain",
    cls=Command,
    examples=("tocsin explain 203.0.113.7", "tocsin explain 203.0.113.7:8080", "tocsin explain '[2001:db8::7]:25'"),
)
@argument("target", metavar="TARGET", help="ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.")
def explain_(target: str) -> None:
    """Say why an address is or is not in each campaign, and what happens next.

    Which reports count and which do not, the level of evidence against the campaign's minimum, exclusions, the contact,
    the do-not-write list, holds, the state of its case and of its letter.
    """
    wanted = read_target(target)
    if wanted is None:
        raise click.BadParameter("it is not ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT", param_hint="TARGET")
    with context.opened() as ground:
        settings = ground.loaded.settings
        known = topics(further=tuple(ground.loaded.path(file) for file in settings.topics))
        asking = rules(known, settings.mail.fresh_for)
        with ground.db.read() as connection:
            found = why(connection, *wanted, asking, context.clock(), whole=given().json)
    show.emit(
        {
            "query": target,
            "explanations": [explained.plain(each) for each in found.explanations],
            "without_target": explained.plain_reports(found.without_target),
        },
        lambda: chapters(_explained(found)),
    )


def _explained(found: Why) -> Iterator[Chapter]:
    if found.without_target:
        yield explained.without_target(found.without_target)
    yield from map(explained.chapter, found.explanations)
    if not found.explanations and not found.without_target:
        yield Chapter(say("No campaign is open, and none has a case about it."), ())


@click.group(cls=Group)
def audit() -> None:
    """The record: the event log."""


@audit.command(
    "log",
    examples=(
        "tocsin audit log --campaign secure-your-server --what letter.handed",
        "tocsin audit log --subject letter:412",
        "tocsin audit log --since 2026-03-01 --json",
    ),
)
@option("--campaign", default="", metavar="NAME", help="Only events of this campaign.")
@option("--subject", default="", metavar="KIND:ID", help="Only events about this row, such as letter:412.")
@option("--what", default="", metavar="EVENT", help="Only this event (letter.handed), or this kind (letter.).")
@option("--since", default="", metavar="TIME", help="Only events from this time on: 2026-03-01, or ISO 8601.")
@option("--after", type=click.IntRange(min=0), metavar="ID", help="Go on after this event.")
@option("--before", type=click.IntRange(min=0), metavar="ID", help="The newest ones before this event.")
@option("--limit", default=100, type=click.IntRange(1, 100_000), help="At most so many; 100 if not said.")
def log_(campaign: str, subject: str, what: str, since: str, after: int | None, before: int | None, limit: int) -> None:
    """Print events in the order of the log: the newest, or those since a time or after an event.

    With --json each line is one object. A personal value that has been purged is null.
    """
    about, start = _subject(subject), typed_time(since, "--since")
    with context.opened() as ground, ground.db.read() as connection:
        campaign_id = campaigns.by_name(connection, campaign).id if campaign else None
        page = log.events_page(
            connection,
            campaign_id=campaign_id,
            subject=about,
            what=what,
            since=start,
            after=after,
            before=before,
            limit=limit,
        )
        texts = log.texts_of(connection, who.digests(page))
        names = log.names_of(connection, {row["by"] for row in page})
        called = logged.known(*who.named_in(connection, page))
    for row in page:
        if given().json:
            click.echo(compact(_event(row, texts)))
        else:
            for text in map(line, logged.lines_of(row, texts, names, called)):
                click.echo(show.clean(f"{row['id']:>8}{text}"))
    if len(page) == limit:
        forward = after is not None or (start is not None and before is None)
        turn = f"--after {page[-1]['id']}" if forward else f"--before {page[0]['id']}"
        show.note(words.text("There is more: add {option}", option=turn))


def _event(row: dict[str, Any], texts: dict[str, str | None]) -> dict[str, Any]:
    kept = {digest: texts[digest] for digest in who.digests([row]) if digest in texts}
    return {**plain_row(row), "at": stamp(row["at"]), "texts": kept}


def compact(data: dict[str, Any]) -> str:
    """Return show.to_json on one line, for NDJSON: a line break in it is never part of a value."""
    return " ".join(text.lstrip(" ") for text in show.to_json(data).split("\n"))


def _subject(text: str) -> tuple[str, int] | None:
    found = SUBJECT.fullmatch(text)
    if text and found is None:
        raise click.BadParameter("it is not KIND:ID, such as letter:412", param_hint="--subject")
    return (found[1], int(found[2])) if found else None
