"""Words on contacts: whom to write to about a network, whom never to write to, and taking either back.

Writes: overrides (store/overrides.py).  Each act says what it changed, and how many open cases are looked at anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Command, argument, option
from pipeline.cli.contact_input import value
from pipeline.cli.states import said
from pipeline.resolve import contact_values as values
from pipeline.store import anew, contacts, overrides, send
from pipeline.store.db import Connection
from pipeline.store.overrides import Override, Said, Word
from pipeline.store.stops import shown_range

network_option = option("--network", default="", metavar="NETWORK", help="Only about this network; else everywhere.")


@click.command(
    cls=Command,
    examples=(
        "tocsin contact reject peter@isp.example --reason 'a private person, not a desk'",
        "tocsin contact reject abuse@upstream.example --network 192.0.2.0/24 --reason 'not theirs any more'",
    ),
)
@argument("mailbox", metavar="MAILBOX", help="Which is not to be written to.")
@network_option
@option("--reason", required=True, metavar="TEXT", help="Why; kept beside the event log.")
@option("--until", default="", metavar="DATE", help="It ends by itself at this date or time (UTC).")
def reject(mailbox: str, network: str, reason: str, until: str) -> None:
    """Never write to a mailbox as a contact: of a network, or anywhere.

    The next best contact takes its place. Rejected anywhere, it gets no letter that no worker has taken yet, either.
    """
    key, spelling = value(values.mailbox, mailbox, words.text("MAILBOX"))
    range_ = value(values.network, network, "--network") if network else None
    end = value(values.moment, until, "--until") if until else None
    say(Said(Word.REJECT, range_, key, spelling, value(values.words, reason, "--reason"), end))


def say(said_: Said) -> None:
    """Let a word hold, and tell what it does."""
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        if said_.until is not None and said_.until <= now:
            raise click.BadParameter(f"{show.instant(said_.until)} is past", param_hint="--until")
        with ground.db.write() as connection:
            ids = overrides.concerned(connection, said_)
            concerned = anew.count_by_state(connection, ids)
            before = _others(connection, said_, now)
            override_id = overrides.add(connection, said_, now, by)
            warnings = _warnings(connection, said_, ids, now)
    made = {
        "id": override_id,
        "new": override_id is not None,
        **_named(said_),
        "cases": concerned if override_id else {},
        "others": [row_of(one) for one in before],
    }
    show.emit(made, lambda: _said_lines(said_, override_id, concerned, before))
    for warning in warnings:
        show.note(warning)


def _named(said_: Said) -> dict[str, Any]:
    place = shown_range(*said_.range) if said_.range else None
    return {"verdict": said_.verdict.value, "mailbox": said_.mailbox, "network": place, "until": said_.until}


def _others(connection: Connection, said_: Said, now: datetime) -> list[Override]:
    """Return what else holds of exactly this range, before the new word."""
    if said_.range is None:
        return [one for one in overrides.of_mailbox(connection, said_.mailbox, now) if one.verdict is not said_.verdict]
    same = overrides.around(connection, *said_.range, now)
    return [one for one in same if (one.first, one.last) == said_.range and one.mailbox != said_.mailbox]


def _warnings(connection: Connection, said_: Said, case_ids: Sequence[int], now: datetime) -> list[str]:
    """Return what may keep a word from doing what was meant by it."""
    if said_.verdict is Word.REJECT:
        left = contacts.under_way(connection, case_ids, said_.mailbox) if said_.range else 0
        if not left:
            return []
        return [
            words.plural(
                "{count} letter to it is under way and may still leave; cancel its wave, or stop it: {command}",
                "{count} letters to it are under way and may still leave; cancel their wave, or stop them: {command}",
                left,
                command=f"tocsin hold --contact {said_.mailbox} --reason ...",
            )
        ]
    warnings = []
    if left := contacts.under_way(connection, case_ids, said_.mailbox, others=True):
        warnings.append(
            words.plural(
                "{count} letter about it to another contact is under way and may still leave; {command} cancels a wave.",
                "{count} letters about it to other contacts are under way and may still leave; {command} cancels a wave.",
                left,
                command="tocsin wave cancel",
            )
        )
    stopped = send.suppressed(connection, [said_.mailbox], now).get(said_.mailbox)
    if stopped == "rejected":
        warnings.append(words.text("It is rejected everywhere, and that is stronger: see tocsin contact show MAILBOX."))
    elif stopped:
        warnings.append(
            words.text("It is on the do-not-write list: nothing is sent to it before that entry is removed.")
        )
    return warnings


def _said_lines(
    said_: Said, override_id: int | None, concerned: Mapping[str, int], before: list[Override]
) -> list[str]:
    place = shown_range(*said_.range) if said_.range else words.text("everywhere")
    if override_id is None:
        return [words.text("that was said already: {mailbox}, {place}", mailbox=said_.mailbox, place=place)]
    if said_.verdict is Word.USE:
        lines = [words.text("{place} is told through {mailbox}", mailbox=said_.spelling, place=place)]
    else:
        lines = [words.text("{mailbox} is not written to: {place}", mailbox=said_.mailbox, place=place)]
    if said_.until:
        lines.append("  " + words.text("until {at}", at=show.instant(said_.until)))
    for one in before:
        lines.append(
            "  " + words.text("there too: {word} {mailbox}", word=said("word", one.verdict), mailbox=one.mailbox)
        )
    return lines + concerned_lines(concerned)


def concerned_lines(concerned: Mapping[str, int]) -> list[str]:
    """Return how many open cases a change concerns, and what to do next."""
    count = sum(concerned.values())
    line = words.plural("{count} open case is looked at anew", "{count} open cases are looked at anew", count)
    by_state = words.counted({said("case", state): number for state, number in sorted(concerned.items())})
    lines = ["  " + line + (f" ({by_state})" if count else "")]
    return [*lines, words.text("next: {command}", command="tocsin resolve")] if count else lines


def row_of(one: Override) -> dict[str, Any]:
    """Return an override as JSON has it."""
    keys = ("id", "mailbox", "spelling", "reason", "by", "at", "until", "lifted_at")
    return {"verdict": one.verdict.value, "network": one.place or None, **{key: getattr(one, key) for key in keys}}


@click.command(
    cls=Command,
    examples=(
        "tocsin contact lift peter@isp.example --execute",
        "tocsin contact lift noc@isp.example --network 192.0.2.0/24 --note 'back to the registry' --execute",
    ),
)
@argument("mailbox", metavar="MAILBOX", help="Named as it was said.")
@network_option
@option("--note", default="", metavar="TEXT", help="Why, in your words; kept beside the event log.")
@option("--execute", is_flag=True, help="Do it; without this it is a dry run.")
def lift(mailbox: str, network: str, note: str, execute: bool) -> None:
    """Take back what was said of a mailbox by set or reject. A dry run, unless --execute is given."""
    key, _ = value(values.mailbox, mailbox, words.text("MAILBOX"))
    range_ = value(values.network, network, "--network") if network else None
    note = value(values.words, note, "--note")
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.read() as connection:
            wanted = overrides.liftable(connection, key, range_, now)
        place = shown_range(*range_) if range_ else words.text("everywhere")
        done = context.agreed(
            execute, words.text("Lift what was said of {mailbox}, {place}?", mailbox=key, place=place)
        )
        if done:
            with ground.db.write() as connection:
                ids = [i for one in wanted for i in overrides.lift(connection, one, note, context.clock(), by)]
        else:
            ids = []
    named = [f"{said('word', one.verdict)} {key}, {place}" for one in wanted]
    show.emit(
        {"lifted": [_named(one) for one in wanted], "ids": ids, "done": done},
        lambda: [
            words.text("lifted {place}", place=one) if done else words.text("would lift {place}", place=one)
            for one in named
        ],
    )


@click.command("list", cls=Command)
@option("--all", "every", is_flag=True, help="Those that were lifted or have ended, too.")
def list_(every: bool) -> None:
    """List what was said of contacts by set or reject, newest first."""
    with context.opened() as ground, ground.db.read() as connection:
        found = overrides.listed(connection, context.clock(), every=every)
    show.emit(
        {"words": [row_of(one) for one in found]},
        lambda: show.table(
            words.each("word", "mailbox", "network", "reason", "by", "since", "until", "lifted"),
            [
                (
                    said("word", one.verdict),
                    *(one.mailbox, one.place or words.text("everywhere"), one.reason, one.by, one.at, one.until),
                    one.lifted_at,
                )
                for one in found
            ],
        ),
    )
