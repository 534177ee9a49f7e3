"""`tocsin template`: letters as revisions: bring them in, check that their languages agree."""

from pathlib import Path

import click

from pipeline import config
from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument
from pipeline.domain import RefusedBySafety
from pipeline.render.folder import letters, read
from pipeline.render.lint import check
from pipeline.store import templates


@click.group(cls=Group)
def template() -> None:
    """Letters' texts: import them as revisions, check that their languages agree."""


@template.command("import", examples=("tocsin template import", "tocsin template import letters/first"))
@argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path), help="Else the shipped letters.")
def import_(folder: Path | None) -> None:
    """Store letters as revisions: waves are rendered from revisions only.

    Texts whose languages do not agree are refused.
    """
    folders = _folders(folder)
    with context.opened() as ground:
        by = ground.by()
        changed: dict[str, list[str]] = {}
        for one in folders:
            texts = read(one, config.shipped("templates"))
            if problems := check(texts):
                first = problems[0]
                raise RefusedBySafety(
                    f"The letter {one.name} cannot be imported", f"{first}", "Run: tocsin template lint, and mend it."
                )
            with ground.db.write() as connection:
                changed[one.name] = templates.bring_in(connection, one.name, texts, context.clock(), by)
    show.emit(
        {"letters": changed},
        lambda: [
            words.text("{letter}: {files}", letter=name, files=", ".join(files) or words.text("nothing has changed"))
            for name, files in changed.items()
        ],
    )


@template.command()
@argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path), help="Else the shipped letters.")
@click.pass_context
def lint(ctx: click.Context, folder: Path | None) -> None:
    """Check that a letter says the same in all its languages, in good form."""
    folders = _folders(folder)
    found = {one.name: check(read(one, config.shipped("templates"))) for one in folders}
    show.emit(
        {"problems": {name: [str(problem) for problem in problems] for name, problems in found.items()}},
        lambda: (
            [f"{name}: {problem}" for name, problems in found.items() for problem in problems] or [words.text("none")]
        ),
    )
    if any(found.values()):
        ctx.exit(5)


def _folders(folder: Path | None) -> list[Path]:
    return [folder] if folder else letters(config.shipped("templates"))
