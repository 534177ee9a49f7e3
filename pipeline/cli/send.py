"""`tocsin send`: release an approved wave and send it; without --execute, say exactly what would go.

`tocsin letter settle`: a person's word on a letter of which nobody knows whether it arrived.
"""

from datetime import timedelta
from typing import Any

import click

from pipeline.cli import approvals, context, edges, show, words, work
from pipeline.cli.command import Command, Group, argument, option
from pipeline.cli.context import Ground
from pipeline.cli.wave import campaign_argument, wave_option
from pipeline.domain import Event, RefusedBySafety
from pipeline.follow.plan import shortest_time
from pipeline.send.gate import is_guest
from pipeline.store import letters as letter_store
from pipeline.store import lives, samples, waves
from pipeline.store.db import Connection


@click.command(cls=Command, examples=("tocsin send secure-your-server", "tocsin send secure-your-server --execute"))
@campaign_argument
@wave_option
@option("--execute", is_flag=True, help="Do it; otherwise it is only said what would be done.")
def send(name: str, number: int | None, execute: bool) -> None:
    """Send an approved wave, at the pace the limits allow.

    Without --execute nothing leaves: it says what would go, to how many, in which language, and how long it takes.
    In training mode letters to others than the guest list are withdrawn, never sent elsewhere.
    """
    with context.opened() as ground, ground.db.read() as connection:
        wave = waves.find(connection, name, number)
        plan = _plan(ground, connection, wave)
    _may_leave(wave, plan)
    show.note("\n".join(_would(plan)))
    question = words.text("Send it now?")
    if not context.agreed(execute, question):
        show.emit({"executed": False, **plan}, list)
        return
    with work.at_work() as bench:
        by = bench.ground.by()
        with bench.ground.db.write() as connection:
            wave = waves.locked(connection, wave["id"])
            if wave["state"] == "approved":
                lives.advance(connection, [wave["id"]], Event.WAVE_RELEASED, context.clock(), by)
        outcome = work.send(bench)
    data = {"executed": True, **plan, "sent": dict(outcome.tally), "left": outcome.left, "goes_on_at": outcome.wait}
    show.emit(data, lambda: work.sent(outcome))


def _plan(ground: Ground, connection: Connection, wave: dict[str, Any]) -> dict[str, Any]:
    settings = edges.send_settings(ground.loaded)
    summary = samples.summary(connection, wave["id"])
    recipients = letter_store.recipients(connection, wave["id"])
    guests = sum(is_guest(mailbox, settings.guests) for mailbox in recipients)
    going = guests if wave["mode"] == "training" else len(recipients)
    return {
        "campaign": wave["campaign"],
        "wave": wave["number"],
        "state": wave["state"],
        "mode": wave["mode"],
        "letters": len(recipients),
        "would_go": going,
        "withdrawn_in_training": len(recipients) - going,
        "languages": summary["languages"],
        "domains": summary["domains"],
        "takes_seconds": shortest_time(going, settings.rate, settings.per_day).total_seconds(),
        "objection": approvals.Guard(ground.loaded)(connection, wave),
    }


def _may_leave(wave: dict[str, Any], plan: dict[str, Any]) -> None:
    if wave["state"] not in ("approved", "sending"):
        next_step = {"planned": "tocsin render", "rendered": f"tocsin approve show {plan['campaign']}"}
        raise RefusedBySafety(
            f"Wave {wave['number']} of {plan['campaign']} is {wave['state']}",
            "only an approved wave can be sent",
            f"Run: {next_step.get(wave['state'], 'tocsin wave plan ' + plan['campaign'])}",
        )
    if plan["objection"]:
        raise RefusedBySafety(
            f"Wave {wave['number']} of {plan['campaign']} may not be sent", plan["objection"], "Have it approved again."
        )


def _would(plan: dict[str, Any]) -> list[str]:
    lines = [
        words.text("wave {number} of {campaign}", number=plan["wave"], campaign=plan["campaign"]),
        "  " + words.plural("{count} letter would go", "{count} letters would go", plan["would_go"]),
    ]
    if plan["withdrawn_in_training"]:
        kept = words.plural(
            "{count} letter to others than the guest list would be withdrawn (training mode)",
            "{count} letters to others than the guest list would be withdrawn (training mode)",
            plan["withdrawn_in_training"],
        )
        lines.append(f"  {kept}")
    lines.append("  " + words.counted(plan["languages"]))
    lines.append("  " + words.counted(plan["domains"]))
    takes = timedelta(seconds=round(plan["takes_seconds"]))
    lines.append("  " + words.text("at the limits set it takes at least {time}", time=takes))
    return lines


@click.group(cls=Group)
def letter() -> None:
    """Single letters: settle one of which nobody knows whether it arrived."""


OUTCOMES = {"arrived": Event.LETTER_HANDED, "refused": Event.LETTER_REFUSED, "resend": Event.LETTER_RESEND}


@letter.command(examples=("tocsin letter settle 412 resend --reason 'not in the relay log'",))
@argument("number", metavar="ID", type=click.IntRange(min=1), help="As tocsin who shows it.")
@argument("outcome", metavar="OUTCOME", type=click.Choice(list(OUTCOMES)), help="arrived, refused or resend.")
@option("--reason", required=True, metavar="TEXT", help="The proof: a relay log, an answer; kept beside the event log.")
def settle(number: int, outcome: str, reason: str) -> None:
    """Say what became of an uncertain letter.

    resend sends it again with the same Message-ID: only when you are sure that it did not arrive.
    """
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            letter_store.settle(connection, number, OUTCOMES[outcome], reason, context.clock(), by)
    show.emit({"letter": number, "outcome": outcome}, lambda: [words.text("letter {id} is settled", id=number)])
