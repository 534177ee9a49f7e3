"""`tocsin template`: letters as revisions: bring them in, check that their languages agree."""

from pathlib import Path

import click

from pipeline import config
from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument
from pipeline.domain import ConfigurationError, RefusedBySafety
from pipeline.render.lint import check
from pipeline.store import templates

MAX_SOURCE = 1 << 20  # bytes


@click.group(cls=Group)
def template() -> None:
    """Letters' texts: import them as revisions, check that their languages agree."""


def sources(folder: Path) -> dict[str, str]:
    """Return the sources of a letter: every file of its folder, and the catalogues beside or shipped.

    Raises ConfigurationError for a file that is not text, or a folder that is no letter.
    """
    if not (folder / "letter.toml").is_file():
        raise ConfigurationError(f"{folder} is not a letter", "it has no letter.toml", "Name the folder of a letter.")
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    locale = config.shipped("templates") / "locale"
    for catalogue in sorted(locale.glob("*/LC_MESSAGES/letters.po")):
        files.setdefault(f"{catalogue.parent.parent.name}.po", catalogue)
    found = {}
    for name, path in files.items():
        if path.stat().st_size > MAX_SOURCE:
            raise ConfigurationError(f"{path} is too large", f"over {MAX_SOURCE} bytes", "A letter is short.")
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path} is not UTF-8 text", "", "Save it as UTF-8.") from None
    return found


@template.command("import", examples=("tocsin template import", "tocsin template import letters/first"))
@argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path), help="Else the shipped letters.")
def import_(folder: Path | None) -> None:
    """Store letters as revisions: waves are rendered from revisions only.

    Texts whose languages do not agree are refused.
    """
    folders = [folder] if folder else sorted((config.shipped("templates") / "letters").iterdir())
    with context.opened() as ground:
        by = ground.by()
        changed: dict[str, list[str]] = {}
        for one in (found for found in folders if found.is_dir()):
            texts = sources(one)
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
    folders = [folder] if folder else sorted((config.shipped("templates") / "letters").iterdir())
    found = {one.name: check(sources(one)) for one in folders if one.is_dir()}
    show.emit(
        {"problems": {name: [str(problem) for problem in problems] for name, problems in found.items()}},
        lambda: (
            [f"{name}: {problem}" for name, problems in found.items() for problem in problems] or [words.text("none")]
        ),
    )
    if any(found.values()):
        ctx.exit(5)
