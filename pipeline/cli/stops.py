"""`tocsin suppress` and `tocsin exclude`: what is not written to, and what is left alone altogether.

Lifting an entry is a dry run unless --execute.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument, option
from pipeline.cli.place import place
from pipeline.cli.states import said
from pipeline.store import stops
from pipeline.store.stops import Place, Reason, Stop

reason_option = option(
    "--reason", required=True, type=click.Choice([r.value for r in Reason]), help="Why, in one word."
)
note_option = option("--note", default="", metavar="TEXT", help="Why, in your words; kept beside the event log.")
execute_option = option("--execute", is_flag=True, help="Do it; without this it is a dry run.")
all_option = option("--all", "every", is_flag=True, help="Those that were lifted or have ended, too.")
named_argument = argument("what", metavar="WHAT", nargs=-1, required=True, help="Named as they were added.")


@click.group(cls=Group)
def suppress() -> None:
    """The do-not-write list: mailboxes, domains and networks."""


@suppress.command(
    "add",
    examples=(
        "tocsin suppress add abuse@isp.example --reason asked",
        "tocsin suppress add isp.example 192.0.2.0/24 --reason law --note 'court order of 3 May'",
    ),
)
@argument(
    "what", metavar="WHAT", nargs=-1, required=True, help="Mailboxes, domains and all below, addresses, networks."
)
@reason_option
@note_option
def add_suppression(what: tuple[str, ...], reason: str, note: str) -> None:
    """Never write to these again: a letter that no worker has taken yet does not leave."""
    places = suppressible(what)
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.write() as connection:
            ids = [stops.suppress(connection, p, Reason(reason), note, now, by) for p in places]
    tell_added(places, ids)


@suppress.command("remove", examples=("tocsin suppress remove abuse@isp.example --execute",))
@named_argument
@note_option
@execute_option
def remove_suppression(what: tuple[str, ...], note: str, execute: bool) -> None:
    """Allow writing to these again. A dry run, unless --execute is given."""
    lift(Stop.SUPPRESSION, suppressible(what), note, execute)


@suppress.command("list")
@all_option
def list_suppressions(every: bool) -> None:
    """List what is on the do-not-write list, newest first."""
    listing(Stop.SUPPRESSION, every)


@click.group(cls=Group)
def exclude() -> None:
    """Addresses and networks that are left alone altogether."""


@exclude.command(
    "add",
    examples=(
        "tocsin exclude add 192.0.2.7 --reason own",
        "tocsin exclude add 198.51.100.0/24 2001:db8::/32 --reason asked --until 2027-06-30",
    ),
)
@argument("what", metavar="WHAT", nargs=-1, required=True, help="Addresses, networks, ranges FIRST-LAST, AS numbers.")
@reason_option
@note_option
@option("--until", default="", metavar="DATE", help="It ends by itself at this date or time (UTC).")
def add_exclusion(what: tuple[str, ...], reason: str, note: str, until: str) -> None:
    """Leave these alone: no look-up, no check, no letter about them."""
    places = excludable(what)
    end = moment(until) if until else None
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        if end is not None and end <= now:
            raise click.BadParameter(f"{until} is past", param_hint="--until")
        with ground.db.write() as connection:
            ids = [stops.exclude(connection, p, Reason(reason), note, end, now, by) for p in places]
    tell_added(places, ids)
    if any(p.asn is not None for p in places):
        show.note(
            words.text("An AS number is noted, but nothing here knows its addresses yet: exclude its networks too.")
        )


@exclude.command("remove", examples=("tocsin exclude remove 198.51.100.0/24 --execute",))
@named_argument
@note_option
@execute_option
def remove_exclusion(what: tuple[str, ...], note: str, execute: bool) -> None:
    """Treat these like all others again. A dry run, unless --execute is given."""
    lift(Stop.EXCLUSION, excludable(what), note, execute)


@exclude.command("list")
@all_option
def list_exclusions(every: bool) -> None:
    """List what is excluded, newest first."""
    listing(Stop.EXCLUSION, every)


def suppressible(texts: Sequence[str]) -> list[Place]:
    """Return the places that texts name.  Raises BadParameter for what cannot be suppressed."""
    places = [place(text) for text in texts]
    if any(p.asn is not None for p in places):
        raise click.BadParameter("a suppression names a mailbox, a domain or a network", param_hint=words.text("WHAT"))
    return places


def excludable(texts: Sequence[str]) -> list[Place]:
    """Return the places that texts name.  Raises BadParameter for what cannot be excluded."""
    places = [place(text) for text in texts]
    if any(p.mailbox or p.domain for p in places):
        raise click.BadParameter("an exclusion names an address, a network or an AS", param_hint=words.text("WHAT"))
    return places


def moment(text: str) -> datetime:
    """Return a time given as a date (its first moment, UTC) or as ISO 8601 with a zone.  Raises BadParameter."""
    try:
        if len(text) <= 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is not a date or a time", param_hint="--until") from None
    if at.tzinfo is None:
        raise click.BadParameter(f"{text} has no time zone", param_hint="--until")
    return at.astimezone(UTC)


def tell_added(places: Sequence[Place], ids: Sequence[int | None]) -> None:
    """Print what was added, and what was there before."""
    made = [{"place": str(p), "id": i, "new": i is not None} for p, i in zip(places, ids, strict=True)]
    show.emit(
        {"added": made},
        lambda: [
            words.text("added {place}", place=row["place"])
            if row["new"]
            else words.text("{place} was there already", place=row["place"])
            for row in made
        ],
    )


def lift(kind: Stop, places: Sequence[Place], note: str, execute: bool) -> None:
    """Lift all places in one transaction; without `execute` only say which."""
    with context.opened() as ground:
        by = ground.by()
        with ground.db.read() as connection:
            ids = [i for p in places for i in stops.liftable(connection, kind, p, context.clock())]
        done = context.agreed(execute, words.text("Lift {places}?", places=", ".join(map(str, places))))
        if done:
            with ground.db.write() as connection:
                ids = [i for p in places for i in stops.lift(connection, kind, p, note, context.clock(), by)]
    show.emit(
        {"lifted": [str(p) for p in places], "ids": ids, "done": done},
        lambda: [
            words.text("lifted {place}", place=p) if done else words.text("would lift {place}", place=p) for p in places
        ],
    )


def listing(kind: Stop, every: bool) -> None:
    """Print the suppressions or the exclusions."""
    with context.opened() as ground, ground.db.read() as connection:
        found = stops.listed(connection, kind, context.clock(), every=every)
    kept = ("id", "place", "reason", "by", "at", "until", "lifted_at")
    rows: list[dict[str, Any]] = [{key: row.get(key) for key in kept} for row in found]
    show.emit(
        {f"{kind.value}s": rows},
        lambda: show.table(
            words.each("place", "reason", "by", "since", "until", "lifted"),
            [(r["place"], said("reason", r["reason"]), r["by"], r["at"], r["until"], r["lifted_at"]) for r in rows],
        ),
    )
