"""`tocsin db`: bring the database to this release's schema, and say how it is."""

import click

from pipeline import config
from pipeline.cli import context, show, words
from pipeline.cli.command import Group
from pipeline.domain import ConfigurationError
from pipeline.store import migrate, overview

MEBIBYTE = 1 << 20


@click.group(cls=Group)
def db() -> None:
    """The database: bring it up to date, and say how it is."""


@db.command()
def upgrade() -> None:
    """Bring the database to this release's schema. Make a backup first."""
    with context.database(context.settings()) as database:
        done = migrate.upgrade(database, config.shipped("migrations"))
    show.emit(
        {"applied": done},
        lambda: (
            [words.text("applied {name}", name=name) for name in done]
            or [words.text("nothing to do: it is up to date")]
        ),
    )


@db.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Say which database it is, which schema it has, and whether what it has written survives a power cut.

    The exit code is 3 if its schema is not this release's.
    """
    loaded = context.settings()
    with context.database(loaded) as database:
        folder = config.shipped("migrations")
        at, newest = migrate.current(database), migrate.revisions(folder)[-1]
        how = overview.condition(database)
        try:
            migrate.require_current(database, folder)
            wrong = None
        except ConfigurationError as error:
            wrong = error
    url = show.masked(loaded.database_url)
    show.emit(
        {"url": url, "schema": at, "newest": newest, "current": wrong is None, **how},
        lambda: show.pairs(
            (
                (words.text("database"), url),
                (words.text("version"), f"{how['kind']} {how['version']}"),
                (words.text("size"), words.text("{size} MiB", size=words.decimal(how["bytes"] / MEBIBYTE))),
                (words.text("schema"), at or words.text("none")),
                (words.text("up to date"), words.text("yes") if wrong is None else words.text("no")),
                (words.text("survives a power cut"), words.text("yes") if how["durable"] else words.text("no")),
            )
        ),
    )
    if wrong is not None:
        show.note(words.sentence(wrong.what) + "\n" + words.sentence(wrong.next_step))
        ctx.exit(wrong.exit_code)
