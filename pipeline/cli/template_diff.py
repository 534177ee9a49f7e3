"""`tocsin template diff`: what has changed between two revisions of a letter, or how two of its languages say it.

Reads: letters' revisions, or a folder of texts beside the newest.  Writes nothing.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipeline import config
from pipeline.cli import show, words
from pipeline.cli.command import Command, argument, option
from pipeline.cli.context import opened
from pipeline.domain import NotFound
from pipeline.render import compare, front
from pipeline.render.compare import Beside
from pipeline.render.folder import read
from pipeline.store import templates
from pipeline.store.db import Connection

APART = "≠"  # stands before paragraphs that do not use the same values in the same way
NARROWEST = 24  # columns of one language


@click.command(
    "diff",
    cls=Command,
    examples=(
        "tocsin template diff first",
        "tocsin template diff first --from 31 --to 62",
        "tocsin template diff first --folder letters/first",
        "tocsin template diff first --between en fr_CA",
    ),
)
@argument("kind", metavar="KIND", required=False, help="first, reminder, last, thanks or test; else first.")
@option(
    "--from",
    "old",
    default="",
    metavar="REVISION",
    help="A number of `template list`, or a date; else the last but one.",
)
@option("--to", "new", default="", metavar="REVISION", help="A number of `template list`, or a date; else the newest.")
@option("--between", nargs=2, metavar="LANGUAGE", help="Two languages, paragraph by paragraph: en fr_CA.")
@option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Texts that are not imported yet.")
def diff(kind: str | None, old: str, new: str, between: tuple[str, str] | None, folder: Path | None) -> None:
    """Show what has changed between two imports of a letter, or two of its languages side by side."""
    letter = kind or front.KINDS[0]
    with opened() as ground, ground.db.read() as connection:
        names, texts = _texts(connection, letter, old, new, folder, both=between is None)
    if between is not None:
        _languages(letter, texts[-1], *between)
        return
    found = compare.changes(texts[0], texts[1], names[0], names[1])
    show.emit(
        {"letter": letter, "from": names[0], "to": names[1], "changes": found},
        lambda: [line for lines in found.values() for line in lines] or [words.text("nothing has changed")],
    )


def _texts(
    connection: Connection, letter: str, old: str, new: str, folder: Path | None, *, both: bool
) -> tuple[list[str], list[dict[str, str]]]:
    """Return the names and the sources of the two states, the older first.  Raises NotFound."""
    known = [one.id for one in templates.imports(connection, letter)]
    if not known and not (folder and not both):
        raise NotFound(
            f"There is no letter {letter}",
            "letters are rendered from imported revisions only",
            "Run: tocsin template import",
        )
    last = folder and read(folder, config.shipped("templates"))
    after = _revision(connection, letter, new, known) if new or not last else 0
    if not both:
        return ["", ""], [last or templates.as_of(connection, letter, after)]
    default = known[-1] if last else max((one for one in known if one < after), default=after)
    before = _revision(connection, letter, old, known) if old else default
    sources = [templates.as_of(connection, letter, before), last or templates.as_of(connection, letter, after)]
    return [str(before), str(folder) if last else str(after)], sources


def _revision(connection: Connection, letter: str, text: str, known: list[int]) -> int:
    """Return the revision that a number or a date names: of a date, the last one that was there at its end."""
    if not text:
        return known[-1]
    if text.isdecimal() and len(text) < 10:
        return int(text)
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(words.text("{text} is no number of a revision and no date", text=text)) from None
    until = (day if len(text) > 10 else day.replace(hour=23, minute=59, second=59)).replace(tzinfo=day.tzinfo or UTC)
    there = [one.id for one in templates.imports(connection, letter) if one.at <= until]
    if not there:
        raise NotFound(f"The letter {letter} has no revision of {text}", "it came later", "Run: tocsin template list")
    return there[-1]


def _languages(letter: str, sources: dict[str, str], one: str, other: str) -> None:
    there = front.parse(sources[front.NAME], sources[front.TOPICS]).locales
    for locale in (one, other):
        if locale not in there:
            raise click.BadParameter(words.text("one of {names}", names=", ".join(there)), param_hint="--between")
    found = compare.languages(sources, one, other)
    data: list[dict[str, Any]] = [
        {"part": row.part, one: row.one, other: row.other, "apart": row.apart} for row in found
    ]
    show.emit(
        {"letter": letter, "languages": [one, other], "paragraphs": data}, lambda: _side_by_side(found, one, other)
    )


def _side_by_side(found: list[Beside], one: str, other: str) -> list[str]:
    rows = [(APART if row.apart else "", row.part, row.one, row.other) for row in found]
    if show.colourful(sys.stdout) and shutil.get_terminal_size().columns >= 2 * NARROWEST:
        return show.table(["", "", one, other], rows)
    lines = []
    for mark, part, left, right in rows:
        lines += [f"{mark or ' '} {part}", f"  {one}: {left}", f"  {other}: {right}", ""]
    return lines[:-1]
