"""`tocsin send`: release an approved wave and send it; without --execute, say exactly what would go."""

from typing import Any

import click

from pipeline.cli import context, first_letters, hold, send_plan, show, words, work
from pipeline.cli.command import Command, given, option
from pipeline.cli.context import Ground
from pipeline.cli.progress import progress
from pipeline.cli.states import WORDS
from pipeline.cli.wave import campaign_argument, wave_option
from pipeline.domain import Event, RefusedBySafety
from pipeline.store import lives, waves

NOT_LIVE = WORDS["objection"]["not_live"]


@click.command(
    cls=Command,
    examples=(
        "tocsin send secure-your-server",
        "tocsin send secure-your-server --json > plan.json",
        "tocsin send secure-your-server --plan plan.json --execute",
    ),
)
@campaign_argument
@wave_option
@option("--execute", is_flag=True, help="Do it; otherwise it is only said what would be done.")
@option(
    "--plan",
    "wanted",
    default="",
    metavar="HASH",
    help="Only if the plan is still this one: its hash, or a file that --json wrote.",
)
@option(
    "--go-on", is_flag=True, help="You have looked at how the wave's first letters were answered: the others may leave."
)
def send(name: str, number: int | None, execute: bool, wanted: str, go_on: bool) -> None:
    """Send an approved wave, at the pace the limits allow.

    Without --execute nothing leaves: it prints the plan, which says what would go, what would not and why, the limits, when
    it would end, some letters, and a hash. With --plan the wave is sent only if its plan is still that one.
    In training mode letters to others than the guest list are withdrawn, never sent elsewhere.
    A wave is held after its first letters: it is shown how they were answered, and with --go-on the others leave. Without
    --execute, --go-on shows what would go then.
    """
    if not execute:
        with context.opened() as ground:
            plan = _plan(ground, name, number, wanted, go_on)
            first = _first_letters(ground, name, plan["wave"])
            standing = hold.standing(ground, name)
        data = {"executed": False, **plan, "first_letters": first}
        show.emit(
            data, lambda: [*send_plan.told(plan), *send_plan.following(plan), *first_letters.told(first), *standing]
        )
        context.agreed(False, "")
        return
    with work.at_work() as bench:
        plan = _plan(bench.ground, name, number, wanted, go_on)
        first = _first_letters(bench.ground, name, plan["wave"])
        show.note("\n".join([*send_plan.told(plan), *first_letters.told(first)]))
        if not context.agreed(execute, words.text("Send it now?")):
            show.emit({"executed": False, **plan}, list)
            return
        if wanted and not given().yes:  # a person has thought about it meanwhile
            plan = _plan(bench.ground, name, number, wanted, go_on)
        _release(bench, name, plan["wave"], go_on)
        outcome = work.send(bench)
        first = _first_letters(bench.ground, name, plan["wave"])
        standing = hold.standing(bench.ground, name)
    data = {"executed": True, **plan, "sent": dict(outcome.tally), "left": outcome.left, "goes_on_at": outcome.wait}
    data["first_letters"] = first
    show.emit(data, lambda: [*work.sent(outcome), *first_letters.told(first), *standing])


def _plan(ground: Ground, name: str, number: int | None, wanted: str, go_on: bool) -> dict[str, Any]:
    """Return the plan of a wave that may be sent.  Raises RefusedBySafety if it may not, or if the plan is not `wanted`.

    `go_on`: it is the plan for when the wave goes on after its first letters; refused where it does not wait for that.
    """
    with progress() as tell, ground.db.read() as connection:
        wave = waves.find(connection, name, number)
        _may_leave(wave)
        if go_on:
            first_letters.must_wait(connection, wave)
        plan = send_plan.planned(ground, connection, wave, context.clock(), tell, go_on=go_on)
    if plan["objection"]:
        raise RefusedBySafety(
            f"Wave {wave['number']} of {wave['campaign']} may not be sent",
            plan["objection"],
            f"Run: tocsin campaign golive {name}" if plan["objection"] == NOT_LIVE else "Have it approved again.",
        )
    if wanted:
        send_plan.require_same(plan, wanted)
    return plan


def _may_leave(wave: dict[str, Any]) -> None:
    if wave["state"] in ("approved", "sending"):
        return
    next_step = {"planned": "tocsin render", "rendered": f"tocsin approve show {wave['campaign']}"}
    state, command = wave["state"], next_step.get(wave["state"], f"tocsin wave plan {wave['campaign']}")
    raise RefusedBySafety(
        f"Wave {wave['number']} of {wave['campaign']} is {state}",
        "only an approved wave can be sent",
        f"Run: {command}",
    )


def _first_letters(ground: Ground, name: str, number: int) -> dict[str, Any] | None:
    with ground.db.read() as connection:
        return first_letters.waiting(connection, waves.find(connection, name, number)["id"])


def _release(bench: work.Bench, name: str, number: int, go_on: bool) -> None:
    """Release an approved wave, or let one go on after its first letters: only from now on do its letters leave."""
    by = bench.ground.by()
    with bench.ground.db.read() as connection:
        wave_id = waves.find(connection, name, number)["id"]
    first_letters.decide(bench.ground, wave_id, go_on=go_on)
    with bench.ground.db.write() as connection:
        wave = waves.locked(connection, waves.find(connection, name, number)["id"])
        if wave["state"] == "approved":
            lives.advance(connection, [wave["id"]], Event.WAVE_RELEASED, context.clock(), by)
