"""`tocsin contact import` and `export`: preferences, words on contacts and routes as one file, CSV or TOML.

An import adds and replaces, and lifts nothing: what the file does not name stays as it is.  It is all or nothing, in one
transaction, unless --skip-bad is given; the same file again changes nothing.
"""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Command, argument, given, option
from pipeline.cli.states import WORDS, said
from pipeline.domain import TocsinError
from pipeline.resolve import contact_files
from pipeline.resolve.contact_files import MAX_BYTES, Contents
from pipeline.resolve.contact_rows import PreferenceRow, Problem, RouteRow, Row, WordRow
from pipeline.store import overrides, preferences, routes
from pipeline.store.db import Connection
from pipeline.store.overrides import Said, Word
from pipeline.store.preferences import Preference
from pipeline.store.routes import Way

MOST = 50  # problems that are shown; --json has all
FORMATS = ("csv", "toml")
PARTLY_FAILED = TocsinError.exit_code


@click.command(
    "import",
    cls=Command,
    examples=("tocsin contact import contacts.csv --dry-run", "tocsin contact import contacts.toml"),
)
@argument("file", metavar="FILE", type=click.Path(path_type=Path), help="A .csv or .toml file, as export writes it.")
@option("--dry-run", is_flag=True, help="Only say what would change.")
@option("--skip-bad", is_flag=True, help="Take the good rows where others are wrong; the exit code is 5 then.")
@click.pass_context
def import_(ctx: click.Context, file: Path, dry_run: bool, skip_bad: bool) -> None:
    """Take preferences, words on contacts and routes from a file.

    Nothing is changed where a row is wrong, unless --skip-bad is given. What the file does not name stays as it is.
    """
    kind = file.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise click.BadParameter(f"{file} is neither .csv nor .toml", param_hint=words.text("FILE"))
    with file.open("rb") as stream:
        found = contact_files.read(stream.read(MAX_BYTES + 1), kind, context.clock())
    taken = found.rows if skip_bad or not found.problems else []
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        with ground.db.write() as connection:
            changed = _taken(connection, taken, now, by)
            if dry_run:
                connection.rollback()  # what would change is known only by changing it
    _tell(file, found, changed, len(taken), dry_run)
    if found.problems:
        ctx.exit(PARTLY_FAILED)


def _taken(connection: Connection, rows: list[Row], now: datetime, by: str) -> Counter[str]:
    """Store rows; returns how many of each kind changed something."""
    changed = Counter[str]()
    for row in rows:
        if isinstance(row, PreferenceRow):
            changed["preference"] += _take_preference(connection, row, now, by)
        elif isinstance(row, WordRow):
            said_ = Said(Word(row.kind), row.range, row.mailbox, row.spelling, row.reason, row.until)
            changed[row.kind] += overrides.add(connection, said_, now, by) is not None
        else:
            way = (Way(row.route), row.mailbox, row.title, row.reason)
            changed["route"] += routes.put(connection, row.country, *way, now, by) is not None
    return changed


def _take_preference(connection: Connection, row: PreferenceRow, now: datetime, by: str) -> bool:
    values = asdict(row)
    contact_id = preferences.keep_contact(connection, values.pop("mailbox"), values.pop("spelling"), now)
    return bool(preferences.put(connection, contact_id, Preference(**values), now, by))


def _tell(file: Path, found: Contents, changed: Counter[str], taken: int, dry_run: bool) -> None:
    data: dict[str, Any] = {
        "file": file,
        "rows": taken,
        "changed": dict(changed),
        "dry_run": dry_run,
        "problems": [{**asdict(one), **_spoken(one)} for one in found.problems],
    }
    total = changed.total()
    show.emit(
        data,
        lambda: [
            words.plural("{count} row would be taken", "{count} rows would be taken", taken)
            if dry_run
            else words.plural("{count} row was taken", "{count} rows were taken", taken),
            words.plural("{count} row would change something", "{count} rows would change something", total)
            if dry_run
            else words.plural("{count} row changed something", "{count} rows changed something", total),
            *(f"  {words.number(count)}  {said('row', kind)}" for kind, count in sorted(changed.items()) if count),
        ],
    )
    if found.problems and not taken:
        show.note(words.text("Nothing was changed: a file is taken whole, or its good rows alone with --skip-bad."))
    for one in found.problems[:MOST]:
        show.note(_problem(file, one))
    if len(found.problems) > MOST:
        more = len(found.problems) - MOST
        show.note(words.plural("{count} more; --json has it", "{count} more; --json has them", more))


def _spoken(problem: Problem) -> dict[str, str]:
    next_step = problem.code if problem.code in WORDS["problem_next"] else ""
    return {"why": said("problem", problem.code), "next": said("problem_next", next_step)}


def _problem(file: Path, problem: Problem) -> str:
    """Return where, what, why and what next, as one line."""
    where = [str(file)]
    if problem.row:
        where.append(words.text("row {row}", row=problem.row))
    if problem.column:
        where.append(words.text("column {column}", column=problem.column))
    spoken = _spoken(problem)
    what = f"{spoken['why']}. {spoken['next']}"
    if problem.value:
        what = words.text("{place}: {what}", place=show.cell(problem.value[:80]), what=what)
    return words.text("{place}: {what}", place=", ".join(where), what=what)


@click.command(
    cls=Command,
    examples=("tocsin contact export > contacts.csv", "tocsin contact export --format toml > contacts.toml"),
)
@option("--format", "kind", type=click.Choice(FORMATS), default="csv", help="csv for spreadsheets, or toml.")
def export(kind: str) -> None:
    """Write the preferences, words on contacts and routes in force to stdout, as import takes them."""
    with context.opened() as ground, ground.db.read() as connection:
        rows = _in_force(connection, context.clock())
    if given().json:
        show.emit({"rows": contact_files.as_data(rows)}, list)
        return
    text = contact_files.as_csv(rows) if kind == "csv" else contact_files.as_toml(rows)
    click.echo(text.encode(), nl=False)


def _in_force(connection: Connection, now: datetime) -> list[Row]:
    """Return everything in force as rows; words in the order they were said, so that the newest stays the newest."""
    rows: list[Row] = [
        PreferenceRow(mailbox, spelling, **asdict(wish))
        for (mailbox, spelling), wish in preferences.every(connection).items()
        if wish.until is None or wish.until > now
    ]
    rows += [
        WordRow(
            one.verdict.value,
            one.mailbox,
            one.spelling,
            (one.first, one.last) if one.first is not None and one.last is not None else None,
            one.reason,
            one.until,
        )
        for one in reversed(overrides.in_force(connection, now))
    ]
    rows += [
        RouteRow(country, one.kind.value, one.mailbox, one.title, one.reason)
        for country, one in routes.every(connection).items()
    ]
    return rows
