"""`tocsin contact`: people's word on contacts, what contacts asked for, and who hears of a country's cases.

Every act takes effect at once and leaves an event.  The parts: contact_show.py, contact_word.py (set NETWORK, reject, lift,
list), contact_wish.py (set MAILBOX), contact_route.py, contact_file.py (import, export).
"""

from pathlib import Path
from typing import Any

import click

from pipeline.cli import words
from pipeline.cli.command import Group, argument, option
from pipeline.cli.contact_file import export, import_
from pipeline.cli.contact_input import value
from pipeline.cli.contact_route import route, routes_
from pipeline.cli.contact_show import PREFERENCES, show_
from pipeline.cli.contact_wish import set_wishes
from pipeline.cli.contact_word import lift, list_, reject, say
from pipeline.resolve import contact_values as values
from pipeline.store.overrides import Said, Word


@click.group(cls=Group)
def contact() -> None:
    """Contacts: show one, say which to use or never to write to, keep what they asked for."""


contact.add_command(show_)


@contact.command(
    "set",
    examples=(
        "tocsin contact set 192.0.2.0/24 noc@isp.example --reason 'their desk asked us to, 3 May'",
        "tocsin contact set abuse@isp.example --language fr_CA --source 'asked by letter of 3 May'",
        "tocsin contact set abuse@isp.example --cadence 30d --inhibit-until 2027-01-01 --source 'asked by telephone'",
        "tocsin contact set abuse@isp.example --clear cadence --source 'they took it back'",
    ),
)
@argument("what", metavar="NETWORK|MAILBOX", help="A network (then MAILBOX follows), or a mailbox with its wishes.")
@argument("mailbox", metavar="MAILBOX", required=False, help="Whom to write to about that network.")
@option("--reason", default="", metavar="TEXT", help="For a network: why; kept beside the event log.")
@option("--until", default="", metavar="DATE", help="All that is set here ends by itself at this date or time (UTC).")
@option("--language", default="", metavar="LANGUAGES", help="en, fr or fr_CA, or two of them: fr_CA,en.")
@option("--format", "shape", default="", metavar="FORMAT", help="Of the list of addresses: inline, csv or xarf.")
@option("--cadence", default="", metavar="DAYS", help="No more than one letter in so many days: 30d.")
@option("--pgp-key", type=click.Path(path_type=Path), metavar="FILE", help="The contact's armoured public key.")
@option("--header", "headers", multiple=True, metavar="LINE", help="A header beside the letter's own, name and value.")
@option("--inhibit-until", default="", metavar="DATE", help="No letter before this date or time (UTC).")
@option("--clear", multiple=True, type=click.Choice([*PREFERENCES, "all"]), help="Take a wish back.")
@option("--source", default="", metavar="TEXT", help="For a mailbox: who asked, when, how; kept beside the event log.")
def set_(
    what: str,
    mailbox: str | None,
    reason: str,
    until: str,
    source: str,
    clear: tuple[str, ...],
    **wishes: Any,
) -> None:
    """Say whom to write to about a network, or what a contact asked for.

    NETWORK MAILBOX --reason: letters about that network go to that mailbox, before every contact that a registry names.
    Of several mailboxes set for one network, the one set last comes first.

    MAILBOX with options --source: how this contact wants to be written to. What is not given stays as it was.
    """
    end = value(values.moment, until, "--until") if until else None
    asked = clear or any(wishes.values())
    if "@" in what:
        if mailbox or reason:
            raise click.UsageError(
                "a mailbox's wishes take no second mailbox and no --reason: say who asked by --source"
            )
        if not source or not (asked or until):
            raise click.UsageError("a mailbox's wishes need at least one of them, and --source: who asked")
        set_wishes(what, end, source, clear, wishes)
        return
    if not mailbox or not reason:
        raise click.UsageError("a network needs the mailbox to write to, and --reason")
    if asked or source:
        raise click.UsageError("a network takes no wishes: set them for the mailbox")
    key, spelling = value(values.mailbox, mailbox, words.text("MAILBOX"))
    range_ = value(values.network, what, words.text("NETWORK"))
    say(Said(Word.USE, range_, key, spelling, value(values.words, reason, "--reason"), end))


for command in (reject, lift, list_, route, routes_, import_, export):
    contact.add_command(command)
