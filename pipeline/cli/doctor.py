"""`tocsin doctor`: is everything here that a campaign needs?  Each finding says why it matters and what to do.

Reads: the settings, the credential file, the database, the disk, the catalogues.  Writes nothing.  Contacted are the
database and, where letters are signed, your own nameservers; the relay only when asked (--relay: connect, EHLO, TLS, log
in, as sending does, and leave).
"""

import click

from pipeline.cli import checks, context, show
from pipeline.cli.command import Group, given, option
from pipeline.cli.doctor_dns import dns
from pipeline.cli.doctor_relay import relay as relay_
from pipeline.cli.finding import SIGNS, Grade, lines, summary

__all__ = ("SIGNS", "doctor")


@click.group(
    cls=Group, invoke_without_command=True, examples=("tocsin doctor", "tocsin doctor --relay", "tocsin doctor dns")
)
@option("--relay", is_flag=True, help="Connect to the mail relay too; no letter is sent.")
@click.pass_context
def doctor(ctx: click.Context, relay: bool) -> None:
    """Check the whole set-up, and say what to do about each finding.

    The exit code is 3 if there is a failure; warnings leave it 0.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = checks.all_of(given().config, context.clock(), relay=relay)
    count = {grade.value: sum(1 for finding in found if finding.grade is grade) for grade in Grade}
    show.emit({"checks": found, **count}, lambda: [*lines(found), "", summary(count)])
    if count[Grade.FAIL]:
        ctx.exit(3)


doctor.add_command(dns)
doctor.add_command(relay_)
