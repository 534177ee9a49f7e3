"""`tocsin resolve`, `verify`, `recheck`, `render` and `run`: the stages, one by one or all that is due."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from pipeline import config
from pipeline.cli import contact_report, context, edges, printing, show, words, work
from pipeline.cli.command import Command, argument, given, option
from pipeline.cli.work import Bench, at_work
from pipeline.engine import Stage, until_done
from pipeline.ingest.run import apply_accepted
from pipeline.render.paper import Size
from pipeline.store import campaigns, waves
from pipeline.store import verify as verify_store

FOREVER = timedelta(days=365)
BRIEFLY = timedelta(seconds=30)


@click.command(cls=Command, examples=("tocsin resolve", "tocsin resolve --explain 192.0.2.7"))
@option("--explain", default="", metavar="ADDRESS", help="Ask nobody: report how the contact of ADDRESS was found.")
@option("--at", default="", metavar="TIME", help="With --explain: as it stood then; 2026-03-01, or ISO 8601.")
@option("--answer", type=int, metavar="NUMBER", help="With --explain: print that stored answer, byte for byte.")
def resolve(explain: str, at: str, answer: int | None) -> None:
    """Find the abuse contact of every address that has a case, by RDAP and WHOIS.

    It keeps to the registries' limits, which can take hours; Ctrl-C loses nothing. With --explain nothing is looked up:
    what is stored is told as a report, from the first question to the mailbox that was chosen.
    """
    if explain:
        contact_report.explain(explain, at, answer)
        return
    if at or answer is not None:
        raise click.UsageError("--at and --answer need --explain")
    with at_work() as bench:
        found = work.resolve(bench, FOREVER)
    show.emit(
        {"cases": found.cases, "questions": found.questions},
        lambda: [resolved(found.cases, found.questions)],
    )


def resolved(cases: int, questions: int) -> str:
    """Return what a run of resolve has done, in one line."""
    done = words.plural("{count} case looked at", "{count} cases looked at", cases)
    return done + ", " + words.plural("{count} question asked", "{count} questions asked", questions)


@click.command(cls=Command)
def verify() -> None:
    """Check the exposure of every case that is due, without touching anybody's server."""
    with at_work() as bench:
        count = work.verify(bench)
    show.emit({"checks": count}, lambda: [words.plural("{count} check made", "{count} checks made", count)])


@click.command(cls=Command, examples=("tocsin recheck secure-your-server --older-than 48h",))
@argument("name", metavar="NAME", help="As in [campaigns.NAME] of config.toml.")
@option("--older-than", default="0s", metavar="LENGTH", help="Only cases last checked longer ago than that: 48h, 7d.")
def recheck(name: str, older_than: str) -> None:
    """Make the cases of a campaign due for another check; `tocsin verify` makes it."""
    try:
        age = config.duration(older_than)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not isinstance(age, timedelta):
        raise click.BadParameter(older_than)
    with context.opened() as ground, ground.db.write() as connection:
        campaign = campaigns.by_name(connection, name)
        count = verify_store.recheck(connection, campaign.id, age, context.clock())
    show.emit({"due": count}, lambda: [words.plural("{count} case is due", "{count} cases are due", count)])


@click.command(cls=Command, examples=("tocsin render", "tocsin render --print outbox --paper letter"))
@option("--print", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Print letters into DIR instead.")
@option(
    "--paper", type=click.Choice([size.value for size in Size]), help="With --print: the size of the paper, else a4."
)
def render(folder: Path | None, paper: str | None) -> None:
    """Write the letters of every planned wave.

    With --print, those letters of approved waves that no mailbox took, and those to a mailbox that is known to be dead,
    are made into PDF files to be posted, each once, with a list in manifest.csv.
    """
    if folder is not None:
        printing.print_letters(folder, Size(paper or Size.A4))
        return
    if paper is not None:
        raise click.UsageError("--paper needs --print")
    with at_work() as bench:
        count = work.render(bench)
    show.emit({"letters": count}, lambda: [words.plural("{count} letter written", "{count} letters written", count)])


@click.command(cls=Command)
@option("--once", is_flag=True, help="For a timer: work what is due now and do not wait for limits.")
def run(once: bool) -> None:
    """Work all that is due: cases, contacts, checks, letters of planned waves, sending of released ones.

    Nothing is planned, approved or released here: a person does that.
    """
    told: dict[str, Any] = {}
    with at_work() as bench:
        moved = until_done(_stages(bench, told, BRIEFLY if once else FOREVER), bench.worker_id)
        with bench.ground.db.read() as connection:
            waiting = [wave for wave in waves.all_open(connection) if wave["state"] in ("rendered", "approved")]
    show.emit({"moved": moved, "sent": told.get("sent")}, lambda: _told(moved, told, waiting))


def _stages(bench: Bench, told: dict[str, Any], patience: timedelta) -> list[Stage]:
    def cases(_worker: int) -> int:
        made = 0
        with bench.ground.db.read() as connection:
            found = campaigns.every(connection, open_only=True)
        apply_accepted(
            bench.ground.db,
            edges.known_topics(bench.ground.loaded),
            worker_id=bench.worker_id,
            clock=given().clock,
            progress=bench.progress,
        )
        for campaign in found:
            while count := _open_cases(bench, campaign.id):
                made += count
        return made

    def contacts(_worker: int) -> int:
        return work.resolve(bench, patience).cases

    def sending(_worker: int) -> int:
        outcome = work.send(bench)
        told["sent"] = work.together(told.get("sent"), outcome)
        return sum(outcome.tally.values())

    return [
        Stage("cases", cases),
        Stage("contacts", contacts),
        Stage("checks", lambda _: work.verify(bench)),
        Stage("letters", lambda _: work.render(bench)),
        Stage("sending", sending),
    ]


def _open_cases(bench: Bench, campaign_id: int) -> int:
    with bench.ground.db.write() as connection:
        return campaigns.open_cases(connection, campaign_id, context.clock(), "tocsin", 20_000)


def _told(moved: dict[str, int], told: dict[str, Any], waiting: list[dict[str, Any]]) -> list[str]:
    labels = words.each(
        "cases made", "cases looked at for a contact", "checks made", "letters written", "letters settled"
    )
    lines = show.pairs((label, words.number(count)) for label, count in zip(labels, moved.values(), strict=True))
    if "sent" in told and (told["sent"].tally or told["sent"].left):
        lines += work.sent(told["sent"])
    for wave in waiting:
        command = "approve show" if wave["state"] == "rendered" else "send"
        lines.append(
            words.text(
                "wave {number} of {campaign} waits for a person: {command}",
                number=wave["number"],
                campaign=wave["campaign"],
                command=f"tocsin {command} {wave['campaign']} --wave {wave['number']}",
            )
        )
    return lines
