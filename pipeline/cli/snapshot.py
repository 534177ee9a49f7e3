"""`tocsin snapshot`: the deliveries of feeds; a person's word on one that was held, or that should never have counted."""

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument, option
from pipeline.cli.states import said
from pipeline.store import ingest, overview

id_argument = argument("number", metavar="ID", type=click.IntRange(min=1), help="As tocsin snapshot list shows it.")
reason_option = option("--reason", required=True, metavar="TEXT", help="Why; kept beside the event log.")


@click.group(cls=Group)
def snapshot() -> None:
    """Deliveries of feeds: list them, release a held one, void one."""


@snapshot.command("list", examples=("tocsin snapshot list", "tocsin snapshot list --feed proxy-list --limit 5"))
@option("--feed", default="", metavar="NAME", help="Only deliveries of this feed.")
@option(
    "--limit", default=50, type=click.IntRange(1, 100_000), metavar="NUMBER", help="At most so many; 50 if not said."
)
def list_(feed: str, limit: int) -> None:
    """List deliveries, newest first."""
    with context.opened() as ground, ground.db.read() as connection:
        found = overview.deliveries(connection, feed, limit)
    columns = ("id", "feed", "name", "received_at", "lines", "observations", "rejects")
    show.emit(
        {"snapshots": found},
        lambda: show.table(
            words.each("id", "feed", "file", "received", "lines", "reports", "rejects", "verdict", "reason"),
            [[*(row[c] for c in columns), said("verdict", row["verdict"]), row["reason"]] for row in found],
        ),
    )


@snapshot.command()
@id_argument
@reason_option
def release(number: int, reason: str) -> None:
    """Let a held delivery act: it goes on at the next run."""
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            ingest.release_snapshot(connection, number, reason, context.clock(), by)
    show.emit({"id": number, "verdict": "accepted"}, lambda: [words.text("delivery {id} is released", id=number)])


@snapshot.command()
@id_argument
@reason_option
def void(number: int, reason: str) -> None:
    """Take a delivery back: nothing it says counts any more.

    Its lines stay as a record. Cases of addresses that it spoke of are judged again without it.
    """
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            ingest.void_snapshot(connection, number, reason, context.clock(), by)
    show.emit({"id": number, "verdict": "voided"}, lambda: [words.text("delivery {id} no longer counts", id=number)])
