"""`tocsin feed`: the feeds that the settings declare, and what they have brought."""

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Group
from pipeline.store import overview


@click.group(cls=Group)
def feed() -> None:
    """Feeds: what is declared, and what they have brought."""


@feed.command("list")
def list_() -> None:
    """List every feed: those that config.toml declares, and those that it declared once."""
    with context.opened() as ground, ground.db.read() as connection:
        known = {row["name"]: row for row in overview.feeds_known(connection)}
        declared = ground.loaded.settings.feeds
    nothing = {"snapshots": 0, "observations": 0, "rejects": 0, "last_received_at": None}
    rows = []
    for name in sorted({*known, *declared}):
        row = {"name": name, **nothing, **known.get(name, {}), "declared": name in declared}
        if name in declared:
            section = declared[name]
            row |= {"parser": section.parser, "access": section.access, "group": section.group or name}
        rows.append(row)
    columns = ("name", "parser", "group", "snapshots", "observations", "rejects", "last_received_at")
    show.emit(
        {"feeds": rows},
        lambda: show.table(
            words.each("feed", "parser", "group", "deliveries", "reports", "rejects", "last received", "declared"),
            [
                [
                    *(row[column] for column in columns),
                    words.text("yes") if row["declared"] else words.text("no longer"),
                ]
                for row in rows
            ],
        ),
    )
