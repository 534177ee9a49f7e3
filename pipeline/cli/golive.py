"""`tocsin campaign golive`: the checklist before letters go to people outside, two people's yes to it, and the step itself.

Reads: what golive_facts.py gathers.  Writes: what a person says for an item, the sheet that a person says yes to, the
yes, and with --execute the campaign's mode.  Each yes binds to the hash of the sheet, and the sheet to the settings of
the campaign and of mail: if one of them changes, the yes is void, and letters stop.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.cli import approvals, context, golive_facts, show, words
from pipeline.cli.approve import acting, proof
from pipeline.cli.command import Command, argument, option
from pipeline.cli.context import Ground
from pipeline.cli.states import WORDS, said
from pipeline.domain import RefusedBySafety
from pipeline.send.checklist import SPOKEN, Item, Mark, checklist, sheet, stands
from pipeline.store import campaigns, golive, persons
from pipeline.store.campaigns import Campaign


@click.command(
    "golive",
    cls=Command,
    examples=(
        "tocsin campaign golive secure-your-server",
        "tocsin campaign golive secure-your-server --say backup --reason 'every night, to another building'",
        "tocsin campaign golive secure-your-server --accept --as LOUISE --password",
        "tocsin campaign golive secure-your-server --execute",
    ),
)
@argument("name", metavar="NAME", help="As in [campaigns.NAME] of config.toml.")
@option("--say", "item", type=click.Choice(SPOKEN), help="Your word on an item that no program can see.")
@option("--reason", default="", metavar="TEXT", help="What you say; kept beside the event log.")
@option("--sheet", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the sheet there, to be signed.")
@option("--accept", "accepted", is_flag=True, help="Say yes to the sheet, as an approver.")
@option("--signature", "signed", type=click.Path(path_type=Path), metavar="FILE", help="Made by ssh-keygen -Y sign.")
@option("--password", is_flag=True, help="Weaker: ask for the person's password instead of a signature.")
@option("--execute", is_flag=True, help="Do it; otherwise it is only said what would be done.")
@option("--end", "ended", is_flag=True, help="Back into training mode, at once; every yes is void then.")
@click.pass_context
def golive_(
    ctx: click.Context,
    name: str,
    item: str | None,
    reason: str,
    file: Path | None,
    accepted: bool,
    signed: Path | None,
    password: bool,
    execute: bool,
    ended: bool,
) -> None:
    """Go through the checklist before a campaign goes live, say yes to it, and go live.

    As many approvers as safety.approvers_needed says must say yes to one sheet, none of whom made the settings; then
    --execute makes the campaign live. Waves are approved one by one all the same. The exit code is 6 while something is
    missing.
    """
    if accepted + execute + ended + bool(item) > 1:
        raise click.UsageError("--say, --accept, --execute and --end each stand alone")
    if (item or ended) and not reason.strip():
        raise click.UsageError("--reason is needed: what you say, or why")
    with context.opened() as ground:
        by = ground.by()
        with ground.db.read() as connection:
            campaign = campaigns.by_name(connection, name)
        if ended:
            _end(ground, campaign, reason, by)
            return
        if item:
            _say(ground, campaign, item, reason, by)
            return
        if campaign.mode == "live":
            raise RefusedBySafety(
                f"The campaign {name} is live already", "", f"Run: tocsin campaign golive {name} --end"
            )
        items, text, bound = _found(ground, campaign)
        if file is not None:
            file.write_bytes(text)
        if accepted:
            _accept(ground, campaign, items, text, bound, by, signed, password)
        live = False
        if execute:
            live = _go(ground, campaign, items, text, bound, by)
        with ground.db.read() as connection:
            standing = approvals.words_on(ground.loaded, connection, campaign.id, text)
    sound = stands(items)
    data = {
        "campaign": name,
        "live": live,
        "items": [{"item": i.code, "mark": i.mark.value, "what": sentence(i)} for i in items],
        "stands": sound,
        "sheet_sha256": approvals.digest(text).hex(),
        "approvals": standing.valid,
        "approvals_needed": standing.needed,
    }
    show.emit(data, lambda: _page(items, data))
    if not sound or (execute and not live):
        ctx.exit(6)


def _found(ground: Ground, campaign: Campaign) -> tuple[tuple[Item, ...], bytes, bytes]:
    """Return the checklist, its sheet, and what the sheet binds to."""
    items = checklist(golive_facts.gathered(ground, campaign, context.clock()))
    with ground.db.read() as connection:
        bound = approvals.bound(ground.loaded, connection, campaign.id)
    return items, sheet(campaign.name, bound, items), bound


def _accept(
    ground: Ground,
    campaign: Campaign,
    items: Sequence[Item],
    text: bytes,
    bound: bytes,
    by: str,
    signed: Path | None,
    password: bool,
) -> None:
    _require_sound(campaign, items)
    person = acting(ground, by)
    if person is None or person.role is not persons.Role.APPROVER:
        raise RefusedBySafety(
            "Only an approver says yes to going live",
            f"{person.name if person else by} has another role",
            "Run: tocsin person list, and add --as NAME",
        )
    method, given = proof(ground, person, text, signed, password, training=False)
    now = context.clock()
    with ground.db.write() as connection:
        _require_same(ground, connection, campaign, bound)
        digest = golive.keep_sheet(connection, campaign.id, text, bound, now)
        golive.give(connection, campaign.id, digest, person.id, method, given, now)


def _go(ground: Ground, campaign: Campaign, items: Sequence[Item], text: bytes, bound: bytes, by: str) -> bool:
    """Make the campaign live, if the checklist stands and enough people have said yes to this very sheet."""
    _require_sound(campaign, items)
    with ground.db.read() as connection:
        _require_words(ground, connection, campaign, text)
    if not context.agreed(
        True, words.text("Letters of {name} will go to people outside. Go live?", name=campaign.name)
    ):
        return False
    with ground.db.write() as connection:
        _require_same(ground, connection, campaign, bound)
        _require_words(ground, connection, campaign, text)
        golive.go(connection, campaign.id, approvals.digest(text), context.clock(), by)
    return True


def _require_sound(campaign: Campaign, items: Sequence[Item]) -> None:
    missing = [item for item in items if item.mark is not Mark.OK]
    if missing:
        raise RefusedBySafety(
            f"The campaign {campaign.name} cannot go live yet",
            sentence(missing[0]),
            f"Run: tocsin campaign golive {campaign.name}",
        )


def _require_same(ground: Ground, connection: Any, campaign: Campaign, bound: bytes) -> None:
    if approvals.bound(ground.loaded, connection, campaign.id) != bound:
        raise RefusedBySafety(
            f"The settings of {campaign.name} have changed meanwhile",
            "",
            f"Run: tocsin campaign golive {campaign.name}",
        )


def _require_words(ground: Ground, connection: Any, campaign: Campaign, text: bytes) -> None:
    found = approvals.words_on(ground.loaded, connection, campaign.id, text)
    if not found.stands:
        raise RefusedBySafety(
            f"The campaign {campaign.name} may not go live yet",
            approvals.english(found),
            f"Run: tocsin campaign golive {campaign.name} --accept --as NAME",
        )


def _say(ground: Ground, campaign: Campaign, item: str, reason: str, by: str) -> None:
    with ground.db.write() as connection:
        golive.say(connection, campaign.id, item, reason, context.clock(), by)
    lines = [
        words.text("your word on this item is kept, and counts for seven days"),
        words.text("next: {command}", command=f"tocsin campaign golive {campaign.name}"),
    ]
    show.emit({"campaign": campaign.name, "item": item}, lambda: lines)


def _end(ground: Ground, campaign: Campaign, reason: str, by: str) -> None:
    with ground.db.write() as connection:
        changed = golive.end(connection, campaign.id, "asked", context.clock(), by, reason)
    text = words.text(
        "{name} is in training mode again" if changed else "{name} is in training mode", name=campaign.name
    )
    show.emit({"campaign": campaign.name, "live": False, "changed": changed}, lambda: [text])


# --- shown -----------------------------------------------------------------------------------------------------------


def sentence(item: Item) -> str:
    """Return what was found of an item, in the reader's language."""
    if item.values.get("said"):
        return words.text("settled by a person's word")
    values = {name: _value(name, value) for name, value in item.values.items()}
    return words.text(WORDS["found"][f"{item.code}.{item.mark.value}"], **values)


def _value(name: str, value: object) -> object:
    if name == "brakes" and isinstance(value, tuple):
        return ", ".join(said("brake", brake) for brake in value)
    if name == "why" and isinstance(value, str) and value in WORDS["link"]:
        return said("link", value)
    if name == "why" and isinstance(value, str) and value.isdecimal():
        return f"HTTP {value}"
    return words.figure(100 * value) if name == "share" and isinstance(value, float) else value


def _page(items: Sequence[Item], data: dict[str, Any]) -> list[str]:
    labels = {mark: said("mark", mark.value) for mark in Mark}
    width = max(map(len, labels.values()))
    lines = []
    for item in items:
        title = said("golive", item.code)
        what = words.text("{path}: {message}", path=title, message=sentence(item))
        lines.append(show.clean(f"{labels[item.mark].ljust(width)}  {what}"))
        if item.mark is Mark.WORD:
            command = f"tocsin campaign golive {data['campaign']} --say {item.code} --reason TEXT"
            lines.append(f"{'':{width}}  " + words.text("next: {command}", command=command))
    lines += [
        "",
        words.text("sheet {sha256}", sha256=data["sheet_sha256"]),
        words.text("{valid} of {needed} approvals are there", valid=data["approvals"], needed=data["approvals_needed"]),
    ]
    if data["live"]:
        lines.append(words.text("{name} is live; no letter has left by this", name=data["campaign"]))
        lines.append(words.text("next: {command}", command=f"tocsin wave plan {data['campaign']}"))
    return lines
