"""`tocsin letter`: the story of a letter; a person's word on one of which nobody knows whether it arrived."""

import click

from pipeline.audit import who
from pipeline.audit.letter_story import letter_story
from pipeline.audit.now import meanings
from pipeline.audit.query import Query
from pipeline.audit.record import Kind, plain
from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument, given, option
from pipeline.cli.saying import chapters
from pipeline.domain import Event
from pipeline.store import letters as letter_store


@click.group(cls=Group)
def letter() -> None:
    """Single letters: the story of one, and a person's word on one of which nobody knows whether it arrived."""


OUTCOMES = {"arrived": Event.LETTER_HANDED, "refused": Event.LETTER_REFUSED, "resend": Event.LETTER_RESEND}


@letter.command("show", examples=("tocsin letter show 412",))
@argument("number", metavar="ID", type=click.IntRange(min=1), help="As tocsin who shows it.")
def show_(number: int) -> None:
    """Tell the story of one letter: how it stands, why, and when it goes on.

    What was written to whom, each attempt with the server's answer in its own words and the encryption, what stops it, and
    what the log has of it. A letter that our relay took is not said to have arrived.
    """
    now = context.clock()
    with context.opened() as ground, ground.db.read() as connection:
        reference = letter_store.reference_of(connection, number)
        record = who.who(connection, Query(Kind.REFERENCE, reference), whole=given().json)
    written = next(row for row in record.letters if row["id"] == number)
    meaning = [{"code": code, **values} for code, values in meanings(record, now) if code.startswith("letter.")]
    show.emit(
        {**plain(record), "letter": number, "meaning": meaning}, lambda: chapters(letter_story(record, written, now))
    )


@letter.command(examples=("tocsin letter settle 412 resend --reason 'not in the relay log'",))
@argument("number", metavar="ID", type=click.IntRange(min=1), help="As tocsin who shows it.")
@argument("outcome", metavar="OUTCOME", type=click.Choice(list(OUTCOMES)), help="arrived, refused or resend.")
@option("--reason", required=True, metavar="TEXT", help="The proof: a relay log, an answer; kept beside the event log.")
def settle(number: int, outcome: str, reason: str) -> None:
    """Say what became of an uncertain letter.

    resend sends it again with the same Message-ID: only when you are sure that it did not arrive.
    """
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            letter_store.settle(connection, number, OUTCOMES[outcome], reason, context.clock(), by)
    show.emit({"letter": number, "outcome": outcome}, lambda: [words.text("letter {id} is settled", id=number)])
