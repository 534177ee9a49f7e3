"""`tocsin hold`, `tocsin release`, `tocsin holds`: the stop button, and what ends a stop."""

from collections.abc import Mapping
from typing import Any

import click

from pipeline.audit.held import LETTERS, why_held
from pipeline.audit.waits import ends_with
from pipeline.cli import context, show, words
from pipeline.cli.command import Command, option
from pipeline.cli.context import Ground
from pipeline.cli.place import domain as domain_of
from pipeline.cli.place import mailbox
from pipeline.cli.saying import spoken
from pipeline.store import brakes, campaigns, holds
from pipeline.store.holds import PLACED_BY_PROGRAM

campaign_option = option("--campaign", default="", metavar="NAME", help="Only this campaign.")
wave_option = option("--wave", type=click.IntRange(min=1), metavar="NUMBER", help="Only this wave; with --campaign.")
contact_option = option("--contact", default="", metavar="MAILBOX", help="Only letters to this contact.")
domain_option = option("--domain", default="", metavar="DOMAIN", help="Only letters to this domain and all below it.")
reason_option = option("--reason", required=True, metavar="TEXT", help="Why; it is shown wherever the hold is.")


@click.command(
    cls=Command,
    examples=(
        "tocsin hold --reason 'a complaint is being looked into'",
        "tocsin hold --campaign secure-your-server --wave 2 --reason 'wrong telephone number'",
        "tocsin hold --domain isp.example --reason 'their postmaster asked us to wait'",
    ),
)
@campaign_option
@wave_option
@contact_option
@domain_option
@reason_option
def hold(campaign: str, wave: int | None, contact: str, domain: str, reason: str) -> None:
    """Stop sending at once: everything, or what the options name.

    Letters whose transaction is under way are finished, at most one for each open connection. Nothing else leaves until
    the same options are given to tocsin release.
    """
    what = named(campaign, wave, contact, domain)
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.write() as connection:
            scope = holds.scope_of(connection, *what)
            hold_id = holds.hold(connection, scope, reason, now, by)
    show.emit(
        {
            "id": hold_id,
            "new": hold_id is not None,
            "campaign": campaign,
            "wave": wave,
            "contact": contact,
            "domain": domain,
        },
        lambda: [
            words.text("held: {what}", what=described(*what))
            if hold_id
            else words.text("held already: {what}", what=described(*what))
        ],
    )


@click.command(cls=Command, examples=("tocsin release --reason 'settled with the complainant'",))
@campaign_option
@wave_option
@contact_option
@domain_option
@reason_option
def release(campaign: str, wave: int | None, contact: str, domain: str, reason: str) -> None:
    """End a hold: the one on everything, or the one that the options name.

    Other holds stay: a letter leaves only when none covers it.
    """
    what = named(campaign, wave, contact, domain)
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.write() as connection:
            scope = holds.scope_of(connection, *what)
            ids = holds.release(connection, scope, reason, now, by)
            left = len(holds.held(connection))
    show.emit({"released": ids, "left": left}, lambda: [words.text("released: {what}", what=described(*what))])
    if left:
        show.note(words.plural("{count} other hold is in force.", "{count} other holds are in force.", left))


@click.command("holds", cls=Command)
def listing() -> None:
    """List the holds in force."""
    with context.opened() as ground, ground.db.read() as connection:
        found = holds.held(connection)
    show.emit(
        {"holds": found},
        lambda: show.table(
            words.each("id", "what is held", "reason", "by", "since"),
            [
                (
                    row["id"],
                    described(row["campaign"], row["wave"], row["mailbox"], row["domain"]),
                    reason(row),
                    row["by"],
                    row["at"],
                )
                for row in found
            ],
        ),
    )
    for row in found:
        if next_step := after(row):
            show.note(next_step)


def reason(row: Mapping[str, Any]) -> str:
    """Return why a hold was placed (store/holds.held): in a person's words, or in ours where the program placed it."""
    said = why_held(row["code"], row["data"], row["reason"])
    return row["reason"] if said is None else spoken(said)


def after(row: Mapping[str, Any]) -> str:
    """Return what ends a hold, and for one that the program placed what to do before."""
    if why_held(row["code"], row["data"]) is None:
        return words.text("Hold {id} ends with: {command}", id=row["id"], command=ends_with(row))
    named = f"--campaign {row['campaign']}"
    if row["code"] == LETTERS:
        return words.text(
            "Hold {id}: look at the answers, then let the wave go on: {command}",
            id=row["id"],
            command=f"tocsin send {row['campaign']} --wave {row['wave']} --go-on",
        )
    return words.text(
        "Hold {id}: look into it first; letters that are judged after the release count anew: {command}",
        id=row["id"],
        command=f"tocsin release {named} --reason ...",
    )


def standing(ground: Ground, campaign: str) -> list[str]:
    """Return what is held of a campaign, by whom, or warned of, and what to do about it, as lines."""
    with ground.db.read() as connection:
        found = [row for row in holds.held(connection) if row["campaign"] in (None, campaign)]
        warned = brakes.warnings(connection, [campaigns.by_name(connection, campaign).id])
    lines = []
    for row in found:
        what = described(row["campaign"], row["wave"], row["mailbox"], row["domain"])
        own = row["by"] in PLACED_BY_PROGRAM
        told = words.text(
            "held by Tocsin itself, {what}: {reason}" if own else "held, {what}: {reason}",
            what=what,
            reason=reason(row),
        )
        lines += [told, after(row)]
    for row in warned:
        why = why_held(f"brakes.{row['code']}", row["data"])
        lines.append(words.text("a warning: {reason}", reason=spoken(why)))
    return lines


def named(campaign: str, wave: int | None, contact: str, domain: str) -> tuple[str, int, str, str]:
    """Return the options as the store takes them.  Raises UsageError for a wave without its campaign."""
    if wave and not campaign:
        raise click.UsageError("--wave needs --campaign: waves are numbered in their campaign")
    return campaign, wave or 0, mailbox(contact) if contact else "", domain_of(domain) if domain else ""


def described(campaign: str | None, wave: int | None, contact: str | None, domain: str) -> str:
    """Return what a hold covers, in words."""
    parts = (
        words.text("campaign {name}", name=campaign) if campaign else "",
        words.text("wave {number}", number=wave) if wave else "",
        contact or "",
        words.text("letters to {domain}", domain=domain) if domain else "",
    )
    return ", ".join(filter(None, parts)) or words.text("everything")
