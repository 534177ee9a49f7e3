"""Routes: who hears of the cases of a country.  Writes: routes (store/routes.py)."""

from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Command, argument, option
from pipeline.cli.contact_input import value
from pipeline.cli.contact_word import concerned_lines
from pipeline.cli.states import said
from pipeline.resolve import contact_values as values
from pipeline.store import anew, routes
from pipeline.store.routes import Way


@click.command(
    cls=Command,
    examples=(
        "tocsin contact route CH digest reports@cert.example --title 'CERT of Example' --reason 'agreement of 2026'",
        "tocsin contact route BE copy cert@cert.example --title 'CERT' --reason 'they asked for copies'",
        "tocsin contact route CH none --reason 'the agreement has ended'",
    ),
)
@argument("country", metavar="COUNTRY", help="Where networks are registered: two letters (ISO 3166).")
@argument("way", metavar="ROUTE", type=click.Choice([*(w.value for w in Way), "none"]), help="Who hears of its cases.")
@argument("mailbox", metavar="MAILBOX", required=False, help="The CERT's or the partner's.")
@option("--title", default="", metavar="TEXT", help="The CERT's or the partner's name.")
@option("--reason", required=True, metavar="TEXT", help="Why; kept beside the event log.")
def route(country: str, way: str, mailbox: str | None, title: str, reason: str) -> None:
    """Decide who hears of the cases of a country.

    direct: the network's own contact, and the CERT only where there is no other. copy: the same, and the CERT gets a copy
    of all. digest: the CERT alone, in one letter. partner: a partner alone. none: take the route away.
    """
    code = value(values.country, country, words.text("COUNTRY"))
    key = value(values.mailbox, mailbox, words.text("MAILBOX"))[0] if mailbox else ""
    title, reason = value(values.words, title, "--title"), value(values.words, reason, "--reason")
    if way not in ("direct", "none") and not key:
        raise click.UsageError("such a route needs the mailbox of the CERT or the partner")
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.write() as connection:
            before = routes.every(connection).get(code)
            concerned = anew.count_by_state(connection, anew.registered_in(connection, code))
            if way == "none":
                count: int | None = routes.drop(connection, code, reason, now, by)
            else:
                count = routes.put(connection, code, Way(way), key, title, reason, now, by)
    concerned = concerned if count else {}
    data = {"country": code, "route": way, "mailbox": key, "before": before.kind if before else None}
    show.emit(
        {**data, "new": count is not None, "cases": concerned},
        lambda: [
            words.text("{country}: {route}", country=code, route=told_to(way, key))
            if count is not None
            else words.text("{country}: nothing has changed", country=code),
            *(concerned_lines(concerned) if count is not None else ()),
        ],
    )


@click.command("routes", cls=Command)
def routes_() -> None:
    """List who hears of the cases of which country."""
    with context.opened() as ground, ground.db.read() as connection:
        found = routes.every(connection)
    rows: list[dict[str, Any]] = [
        {
            "country": country,
            "route": one.kind.value,
            **{key: getattr(one, key) for key in ("mailbox", "title", "reason", "by", "at")},
        }
        for country, one in found.items()
    ]
    show.emit(
        {"routes": rows},
        lambda: show.table(
            words.each("country", "route", "mailbox", "name", "reason", "by", "since"),
            [
                (r["country"], told_to(r["route"], r["mailbox"], named=False), *(r[k] for k in list(r)[2:]))
                for r in rows
            ],
        ),
    )


def told_to(way: str, mailbox: str, *, named: bool = True) -> str:
    """Return who hears of the cases of a country, with the mailbox unless it stands elsewhere."""
    shown = said("route", "direct_else" if way == "direct" and mailbox else way)
    return f"{shown} {mailbox}" if mailbox and named else shown
