"""`tocsin template`: letters as revisions: bring them in, list them, check that their languages agree.

The other parts: preview.py, template_diff.py.
"""

import shutil
from pathlib import Path

import click

from pipeline import config
from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument, option
from pipeline.cli.declared import declared
from pipeline.cli.preview import preview_
from pipeline.cli.template_diff import diff
from pipeline.domain import RefusedBySafety
from pipeline.render.face import face_of
from pipeline.render.folder import letters, read
from pipeline.render.lint import check, misnamed, unused
from pipeline.render.lint_faces import bilingual_of, check_face
from pipeline.render.problem import Problem
from pipeline.store import templates

LOCALES = ("en", "fr_CA", "fr")
SHORT = 12  # hexadecimal digits of a digest that a person compares


@click.group(cls=Group)
def template() -> None:
    """Letters' texts: import them as revisions, check that their languages agree."""


@template.command(examples=("tocsin template copy letters",))
@argument("folder", metavar="DIR", type=click.Path(path_type=Path), help="Where the letters' folders are to stand.")
def copy(folder: Path) -> None:
    """Copy the shipped letters and what they share, as a start for your own; what is there stays as it is."""
    shipped = config.shipped("templates") / "letters"
    made = []
    for path in sorted(shipped.rglob("*")):
        target = folder / path.relative_to(shipped)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            made.append(target)
    show.emit(
        {"folder": folder, "files": made},
        lambda: [
            words.plural(
                "{count} file written to {folder}", "{count} files written to {folder}", len(made), folder=folder
            )
        ],
    )


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
        revisions: dict[str, int] = {}
        for one in folders:
            texts = read(one, config.shipped("templates"))
            if problems := [*check(texts), *misnamed(texts, one.name)]:
                first = problems[0]
                raise RefusedBySafety(
                    f"The letter {one.name} cannot be imported", f"{first}", "Run: tocsin template lint, and mend it."
                )
            with ground.db.write() as connection:
                changed[one.name] = templates.bring_in(connection, one.name, texts, context.clock(), by)
                revisions[one.name] = templates.last(connection, one.name)
    show.emit(
        {"letters": changed, "revisions": revisions},
        lambda: [_stored(name, len(files), revisions[name]) for name, files in changed.items()],
    )


def _stored(letter: str, count: int, revision: int) -> str:
    """Say what an import of a letter stored; the revision is the one that `template list` and `template diff` know."""
    if not count:
        return words.text("{letter}: nothing has changed since revision {number}", letter=letter, number=revision)
    return words.plural(
        "{letter}: {count} file stored, revision {number}",
        "{letter}: {count} files stored, revision {number}",
        count,
        letter=letter,
        number=revision,
    )


@template.command(examples=("tocsin template lint", "tocsin template lint letters/first --campaign secure-your-server"))
@argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path), help="Else the shipped letters.")
@option("--campaign", default="", metavar="NAME", help="Check that campaign of config.toml as well.")
@click.pass_context
def lint(ctx: click.Context, folder: Path | None, campaign: str) -> None:
    """Check that a letter says the same in all its languages, in good form; docs/reference/letters.md has the codes."""
    texts = {one.name: read(one, config.shipped("templates")) for one in _folders(folder)}
    found = {name: [*check(sources), *misnamed(sources, name)] for name, sources in texts.items()}
    if folder is None:
        found["shared"] = unused(texts.values())
    if campaign:
        found[campaign] = _campaign(campaign)
    show.emit(
        {"problems": {name: [str(problem) for problem in problems] for name, problems in found.items()}},
        lambda: (
            [f"{name}: {problem}" for name, problems in found.items() for problem in problems] or [words.text("none")]
        ),
    )
    if any(found.values()):
        ctx.exit(5)


def _campaign(name: str) -> list[Problem]:
    with context.opened() as ground:
        settings, _, _ = declared(ground, name)
    return check_face(face_of(settings), LOCALES, bilingual_of(settings))


@template.command("list")
@argument("letter", metavar="KIND", required=False, help="One letter, else all.")
def list_(letter: str | None) -> None:
    """List the imports of letters: the number of each revision, when, by whom, and what it brought."""
    with context.opened() as ground, ground.db.read() as connection:
        found = templates.imports(connection, letter or "")
    data = [
        {"letter": one.letter, "revision": one.id, "at": one.at, "by": one.by, "sources": one.sources} for one in found
    ]
    rows = [(one.letter, one.id, one.at, one.by, _brought(one)) for one in found]
    show.emit(
        {"imports": data},
        lambda: show.table(words.each("letter", "revision", "imported", "by", "changed"), rows),
    )


def _brought(one: templates.Imported) -> str:
    """Return the sources of an import: a few by name with their digests, many by their number."""
    if len(one.sources) > 3:
        return words.plural("{count} file", "{count} files", len(one.sources))
    return ", ".join(f"{name} {digest[:SHORT]}" for name, digest in one.sources.items())


template.add_command(preview_)
template.add_command(diff)


def _folders(folder: Path | None) -> list[Path]:
    return [folder] if folder else letters(config.shipped("templates"))
