"""`tocsin doctor`: is everything here that a campaign needs?  Each finding says why it matters and what to do.

Reads: the settings, the credential file, the database, the disk, the catalogues.  Writes nothing.  Contacted are the
database and, where letters are signed, your own nameservers; the relay only when asked (--relay: connect, EHLO, TLS, log
in, as sending does, and leave).
"""

import sys

import click

from pipeline.cli import checks, context, show, words
from pipeline.cli.command import Command, given, option
from pipeline.cli.finding import Finding, Grade

SIGNS = {Grade.OK: "ok", Grade.WARN: "warning", Grade.FAIL: "failure"}
COLOURS = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}


@click.command(cls=Command, examples=("tocsin doctor", "tocsin doctor --relay"))
@option("--relay", is_flag=True, help="Connect to the mail relay too; no letter is sent.")
@click.pass_context
def doctor(ctx: click.Context, relay: bool) -> None:
    """Check the whole set-up, and say what to do about each finding.

    The exit code is 3 if there is a failure; warnings leave it 0.
    """
    found = checks.all_of(given().config, context.clock(), relay=relay)
    count = {grade.value: sum(1 for finding in found if finding.grade is grade) for grade in Grade}
    show.emit({"checks": found, **count}, lambda: [*lines(found), "", summary(count)])
    if count[Grade.FAIL]:
        ctx.exit(3)


def lines(found: list[Finding]) -> list[str]:
    """Return a line for each finding, and under it why, and what next."""
    labels = {grade: words.text(sign) for grade, sign in SIGNS.items()}
    width = max(map(len, labels.values()))
    made = []
    for finding in found:
        label = labels[finding.grade].ljust(width)
        made.append(_coloured(label, finding.grade, show.clean("  " + said(finding))))
        made += [f"{'':{width}}  {show.clean(text)}" for text in (finding.why, finding.next_step) if text]
    return made


def said(finding: Finding) -> str:
    return words.text("{path}: {message}", path=words.text(finding.check), message=finding.what)


def _coloured(label: str, grade: Grade, rest: str) -> str:
    return show.Styled(click.style(label, fg=COLOURS[grade]) + rest) if show.colourful(sys.stdout) else label + rest


def summary(count: dict[str, int]) -> str:
    """Return how many findings there are of each grade."""
    parts = (
        words.plural("{count} check passed", "{count} checks passed", count["ok"]),
        words.plural("{count} warning", "{count} warnings", count["warn"]),
        words.plural("{count} failure", "{count} failures", count["fail"]),
    )
    return ", ".join(parts)
