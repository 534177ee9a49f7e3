"""`tocsin registry import`: read the files that registries publish of all that they have registered."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli import show, words
from pipeline.cli.command import Command, argument, given, option
from pipeline.cli.work import Bench, at_work
from pipeline.domain import TocsinError
from pipeline.resolve.dumps import REGISTRIES, ImportResult, import_dump


@click.command(
    "import",
    cls=Command,
    examples=(
        "tocsin registry import ripe.db.inetnum.gz ripe.db.inet6num.gz ripe.db.organisation.gz ripe.db.role.gz",
        "tocsin registry import apnic.db.irt.gz --registry apnic",
        "tocsin registry import delegated-ripencc-extended-latest",
    ),
)
@argument(
    "files", metavar="FILE", nargs=-1, required=True, type=click.Path(path_type=Path), help="As published; .gz too."
)
@option(
    "--registry",
    default="",
    metavar="NAME",
    type=click.Choice(("", *REGISTRIES)),
    help="Whose files they are; if not said, what each file names.",
)
@click.pass_context
def import_(ctx: click.Context, files: tuple[Path, ...], registry: str) -> None:
    """Read files that registries publish of all that they have registered, so that most addresses need no question.

    Networks, organisations, roles and response teams in RPSL, and statistics of what was delegated; what a file is
    follows from its contents. The same file twice adds nothing. A newer file takes the place of an older one of the same
    registry, once it has been read to its end.
    """
    done, failed = [], []
    with at_work() as bench:
        for file in files:
            try:
                done.append((file, _one(bench, file, registry)))
            except TocsinError as error:
                if len(files) == 1:
                    raise
                failed.append((file, error))
    data = [{"file": file, **_as_data(result)} for file, result in done]
    errors = [{"file": file, "what": why.what, "why": why.why, "next": why.next_step} for file, why in failed]
    show.emit({"files": data, "failed": errors}, lambda: [_told(file, result) for file, result in done])
    for file, why in failed:
        show.note(f"{file}: {words.sentence(why.what)}. {words.sentence(why.why)}")
    if failed:
        ctx.exit(5)


def _one(bench: Bench, file: Path, registry: str) -> ImportResult:
    return import_dump(
        bench.ground.db,
        file,
        registry,
        worker_id=bench.worker_id,
        clock=given().clock,
        progress=bench.progress,
        by=bench.ground.by(),
    )


def _as_data(result: ImportResult) -> dict[str, Any]:
    return {field: getattr(result, field) for field in result.__slots__}


def _told(file: Path, result: ImportResult) -> str:
    """What a person is told about one file."""
    name = show.clean(file.name)
    if not result.current:
        return words.text("{file}: known already, and a newer one has taken its place", file=name)
    if not result.new:
        return words.text("{file}: known already, nothing added", file=name)
    return words.text(
        "{file}: entries of {registry} kept: {kept} ({classes}); unreadable: {skipped}",
        file=name,
        kept=words.number(result.kept),
        registry=result.registry,
        classes=", ".join(result.classes),
        skipped=words.number(result.skipped),
    )
