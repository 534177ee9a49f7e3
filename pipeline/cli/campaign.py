"""`tocsin campaign`: make a campaign from the settings, list campaigns, show one.

A campaign begins in training mode.  What its letters say about who writes is stored with it, so that a later change of
config.toml changes no letter by itself: `campaign change` takes the settings again.
"""

import secrets
from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument
from pipeline.cli.declared import declared
from pipeline.cli.golive import golive_
from pipeline.cli.states import said
from pipeline.store import campaigns, overview

name_argument = argument("name", metavar="NAME", help="As in [campaigns.NAME] of config.toml.")


@click.group(cls=Group)
def campaign() -> None:
    """Campaigns: create one, list them, show one."""


@campaign.command(examples=("tocsin campaign create secure-your-server",))
@name_argument
def create(name: str) -> None:
    """Create a campaign with the settings of [campaigns.NAME], in training mode.

    In training mode letters leave only to the guest list (safety.guests), whatever is approved.
    """
    with context.opened() as ground:
        by = ground.by()
        settings, named, level = declared(ground, name)
        seed = secrets.token_hex(32)  # the order of writing is drawn from it, once and for all
        with ground.db.write() as connection:
            campaign_id = campaigns.create(connection, name, settings, named, level, seed, context.clock(), by)
    show.emit(
        {"id": campaign_id, "name": name, "mode": "training", "topics": named, "minimum_level": level},
        lambda: [words.text("created {name}, in training mode", name=name)],
    )


@campaign.command()
@name_argument
def change(name: str) -> None:
    """Take the settings of [campaigns.NAME] again; letters that are rendered already stay as they are."""
    with context.opened() as ground:
        by = ground.by()
        settings, named, level = declared(ground, name)
        with ground.db.write() as connection:
            found = campaigns.by_name(connection, name)
            changed = campaigns.change(connection, found.id, settings, named, level, context.clock(), by)
    show.emit(
        {"name": name, "changed": changed},
        lambda: [words.text("changed {name}", name=name) if changed else words.text("nothing has changed")],
    )


@campaign.command("list")
def list_() -> None:
    """List campaigns, oldest first, and those that are declared in config.toml and not created."""
    with context.opened() as ground, ground.db.read() as connection:
        found = campaigns.every(connection)
        cases = overview.case_counts(connection)
        waiting = [name for name in ground.loaded.settings.campaigns if name not in {c.name for c in found}]
    rows: list[dict[str, Any]] = [
        {
            "name": c.name,
            "mode": c.mode,
            "topics": list(c.topics),
            "minimum_level": c.minimum_level,
            "cases": cases.get(c.id, 0),
            "created_at": c.created_at,
            "closed_at": c.closed_at,
        }
        for c in found
    ]
    table = [
        (
            r["name"],
            said("mode", r["mode"]),
            ", ".join(r["topics"]),
            f"E{r['minimum_level']}",
            r["cases"],
            r["created_at"],
        )
        for r in rows
    ]
    table += [(name, words.text("not created"), "", "", "", None) for name in waiting]
    show.emit(
        {"campaigns": rows, "not_created": waiting},
        lambda: show.table(words.each("campaign", "mode", "topics", "level", "cases", "created"), table),
    )


@campaign.command("show")
@name_argument
def show_(name: str) -> None:
    """Show where a campaign stands: its cases, its waves, their letters."""
    with context.opened() as ground, ground.db.read() as connection:
        found = campaigns.by_name(connection, name)
        standing = overview.standing(connection, found.id)
    facts = {
        "name": found.name,
        "mode": found.mode,
        "topics": list(found.topics),
        "minimum_level": found.minimum_level,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "closed_at": found.closed_at,
        "order_seed": found.order_seed,
    }
    show.emit({"campaign": facts, "settings": found.settings, **standing}, lambda: _page(found, standing))


def _page(found: campaigns.Campaign, standing: dict[str, Any]) -> list[str]:
    lines = show.pairs(
        (
            (words.text("campaign"), found.name),
            (words.text("mode"), said("mode", found.mode)),
            (words.text("topics"), ", ".join(found.topics)),
            (words.text("level"), f"E{found.minimum_level}"),
            (words.text("created"), f"{show.instant(found.created_at)}, {found.created_by}"),
            (words.text("cases"), counted("case", standing["cases"])),
            (words.text("exposure"), counted("exposure", standing["exposures"])),
        )
    )
    waves = [
        (w["number"], said("wave", w["state"]), w["created_at"], counted("letter", w["letters"]))
        for w in standing["waves"]
    ]
    return [*lines, "", *show.table(words.each("wave", "state", "created", "letters"), waves)]


def counted(kind: str, numbers: dict[str, int]) -> str:
    """Return counts by state in words: `contact found: 12, contact told: 3`."""
    items = sorted(numbers.items())
    return ", ".join(words.text("{what}: {count}", what=said(kind, s), count=words.number(n)) for s, n in items) or "0"


campaign.add_command(golive_)
