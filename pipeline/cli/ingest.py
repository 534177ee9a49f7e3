"""`tocsin ingest`: read files of a feed."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli import edges, show, words
from pipeline.cli.command import Command, argument, given, option
from pipeline.cli.context import clock
from pipeline.cli.states import said
from pipeline.cli.work import Bench, at_work
from pipeline.domain import NotFound, TocsinError
from pipeline.ingest.run import IngestResult
from pipeline.ingest.run import ingest as ingest_stage
from pipeline.store import feeds


@click.command(cls=Command, examples=("tocsin ingest proxies.txt.gz --feed proxy-list",))
@argument(
    "files", metavar="FILE", nargs=-1, required=True, type=click.Path(path_type=Path), help="As received; .gz too."
)
@option("--feed", required=True, metavar="NAME", help="As in [feeds.NAME] of config.toml.")
@click.pass_context
def ingest(ctx: click.Context, files: tuple[Path, ...], feed: str) -> None:
    """Read files of a feed: their lines become reports, and these call for cases.

    The same file twice adds nothing. A file with too many unreadable lines is held back for a person to look at.
    """
    with at_work() as bench:
        declared(bench, feed)
        done, failed = [], []
        for file in files:
            try:
                done.append((file, one(bench, file, feed)))
            except TocsinError as error:
                if len(files) == 1:
                    raise
                failed.append((file, error))
    data = [{"file": file, **as_data(result)} for file, result in done]
    errors = [{"file": file, "what": why.what, "why": why.why, "next": why.next_step} for file, why in failed]
    show.emit(
        {"files": data, "failed": errors}, lambda: [line for file, result in done for line in lines(file, result)]
    )
    for file, why in failed:
        show.note(f"{file}: {words.sentence(why.what)}. {words.sentence(why.why)}")
    if failed:
        ctx.exit(5)


def declared(bench: Bench, name: str) -> None:
    """Take a feed's declaration from the settings.  Raises NotFound."""
    section = bench.ground.loaded.settings.feeds.get(name)
    if section is None:
        known = ", ".join(bench.ground.loaded.settings.feeds) or "none"
        raise NotFound(
            f"config.toml has no feed {name}", f"declared are: {known}", f"Add [feeds.{name}] to config.toml."
        )
    with bench.ground.db.write() as connection:
        feeds.declare(connection, name, section.model_dump(), clock(), bench.ground.by())


def one(bench: Bench, file: Path, feed: str) -> IngestResult:
    """Read one file of a declared feed."""
    loaded = bench.ground.loaded
    with bench.ground.db.read() as connection:
        found = feeds.feed_by_name(connection, feed)
    return ingest_stage(
        bench.ground.db,
        file,
        found,
        edges.known_topics(loaded),
        worker_id=bench.worker_id,
        clock=given().clock,
        progress=bench.progress,
        by=bench.ground.by(),
        allow_documentation=loaded.settings.sandbox,
    )


def as_data(result: IngestResult) -> dict[str, Any]:
    """Return a result as JSON has it."""
    return {field: getattr(result, field) for field in result.__slots__}


def lines(file: Path, result: IngestResult) -> list[str]:
    """Return what a person is told about one file."""
    if not result.new:
        return [words.text("{file}: known already, nothing added", file=show.clean(file.name))]
    count = words.number
    told = words.text(
        "{file}: {lines} lines, {reports} reports, {rejects} rejects, {targets} new services, {cases} new cases",
        file=show.clean(file.name),
        lines=count(result.lines),
        reports=count(result.observations),
        rejects=count(result.rejects),
        targets=count(result.targets),
        cases=count(result.cases),
    )
    if result.reason:
        told += f" ({said('verdict', result.verdict)}: {result.reason})"
    return [told]
