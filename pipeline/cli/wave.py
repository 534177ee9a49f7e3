"""`tocsin wave`: plan who gets a first notice now; show a wave; cancel one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click

from pipeline.cli import context, edges, show, words
from pipeline.cli.command import Group, argument, given, option
from pipeline.cli.progress import length
from pipeline.cli.states import said
from pipeline.cli.work import at_work
from pipeline.follow.plan import FIRST, OTHERS
from pipeline.follow.run import Planned, plan_wave
from pipeline.store import campaigns, waves
from pipeline.store import plan as plan_store
from pipeline.store.db import Connection

MOST_TOLD = 20  # contacts beside the networks' own that are shown

campaign_argument = argument("name", metavar="NAME", help="As in [campaigns.NAME] of config.toml.")
wave_option = option("--wave", "number", type=click.IntRange(min=1), metavar="NUMBER", help="Else the newest wave.")


@click.group(cls=Group)
def wave() -> None:
    """Waves: plan one, show one, cancel one."""


@wave.command(
    examples=(
        "tocsin wave plan secure-your-server",
        "tocsin wave plan secure-your-server --most 500",
        "tocsin wave plan secure-your-server --others",
    )
)
@campaign_argument
@option("--most", default=0, type=click.IntRange(min=0), metavar="NUMBER", help="At most so many letters; 0: all.")
@option("--others", is_flag=True, help="Only those who are not the network's own contact: parent, AS, CERT, partner.")
def plan(name: str, most: int, others: bool) -> None:
    """Plan a wave of first notices: one for each contact, with all its cases that are ready.

    It tells networks' own contacts. Telling anyone else is a wave of its own (--others), with an approval of its own.
    """
    with at_work() as bench:
        ground = bench.ground
        with ground.db.read() as connection:
            campaign = campaigns.by_name(connection, name)
        planned = plan_wave(
            ground.db,
            campaign.id,
            campaign.order_seed,
            campaign.minimum_level,
            edges.plan_settings(ground.loaded, most),
            edges.keys(ground.loaded),
            clock=given().clock,
            by=ground.by(),
            kind=OTHERS if others else FIRST,
        )
    data = {
        "wave": planned.number or None,
        "kind": OTHERS if others else FIRST,
        "letters": planned.letters,
        "cases": planned.cases,
        "left_out": dict(planned.left_out),
        "takes_seconds": max(planned.takes, planned.in_windows).total_seconds(),
    }
    fresh_for = ground.loaded.settings.mail.fresh_for
    show.emit(data, lambda: _planned(name, planned, fresh_for))


def _planned(name: str, planned: Planned, fresh_for: timedelta) -> list[str]:
    lines = []
    if planned.wave_id:
        letters = words.plural("{count} letter", "{count} letters", planned.letters)
        cases = words.plural("{count} case", "{count} cases", planned.cases)
        lines.append(
            words.text(
                "wave {number} of {name}: {letters}, {cases}",
                number=planned.number,
                name=name,
                letters=letters,
                cases=cases,
            )
        )
    else:
        lines.append(words.text("nothing is ready for a letter; no wave was made"))
    for why, count in sorted(planned.left_out.items()):
        lines.append(f"  {words.number(count)}  {said('left_out', why)}")
    lines += _in_windows(planned, fresh_for)
    if planned.wave_id:
        lines.append(words.text("next: {command}", command="tocsin render"))
    elif planned.left_out["not_own_contact"]:
        lines.append(words.text("next: {command}", command=f"tocsin wave plan {name} --others"))
    return lines


def _in_windows(planned: Planned, fresh_for: timedelta) -> Iterator[str]:
    """Yield what the working hours of recipients mean for a wave, where they make it longer."""
    if planned.in_windows <= planned.takes:
        return
    time = length(planned.in_windows.total_seconds())
    yield words.text("in the recipients' working hours it takes at least {time}", time=time)
    if planned.in_windows > fresh_for:
        age = length(fresh_for.total_seconds())
        yield words.text("what was checked more than {age} before it leaves stays behind, for a later wave", age=age)


@wave.command("show")
@campaign_argument
@wave_option
def show_(name: str, number: int | None) -> None:
    """Show a wave: its state, its limits, its letters by state."""
    with context.opened() as ground, ground.db.read() as connection:
        found = waves.find(connection, name, number)
        counts = waves.counts(connection, found["id"])
        given = waves.approvals_of(connection, found["id"])
        told = beside(connection, found)
    data: dict[str, Any] = {
        "wave": found["number"],
        "campaign": name,
        "state": found["state"],
        "kind": found["kind"],
        "mode": found["mode"],
        "limits": found["limits"],
        "manifest": bytes(found["manifest_sha256"] or b"").hex(),
        "made_by": found["made_by"],
        "letters": counts,
        "others": told,
        "approvals": [{"by": one.by, "accepted": one.accepted, "method": one.method, "at": one.at} for one in given],
    }
    show.emit(
        data,
        lambda: [
            *show.pairs(
                [
                    (words.text("wave"), f"{found['number']} ({name})"),
                    (words.text("state"), said("wave", found["state"])),
                    (words.text("goes"), said("kind", found["kind"])),
                    (words.text("mode"), said("mode", found["mode"])),
                    (words.text("made by"), found["made_by"]),
                    (words.text("manifest"), data["manifest"] or words.text("none")),
                ]
            ),
            *(f"  {words.number(count)}  {said('letter', state)}" for state, count in sorted(counts.items())),
            *beside_lines(told),
        ],
    )


def beside(connection: Connection, wave: dict[str, Any]) -> list[dict[str, Any]]:
    """Return whom a wave tells beside the networks' own contacts, by mailbox: tiers and cases."""
    return plan_store.beside(connection, wave["id"]) if wave["kind"] == OTHERS else []


def beside_lines(told: list[dict[str, Any]]) -> list[str]:
    """Return whom a wave tells beside the networks' own contacts, the first of them."""
    if not told:
        return []
    rows = [
        (row["mailbox"], ", ".join(said("tier", str(tier)) for tier in row["tiers"]), row["cases"])
        for row in told[:MOST_TOLD]
    ]
    lines = ["", words.text("told beside the networks' own contacts")]
    lines += show.table(words.each("mailbox", "how", "cases"), rows)
    if len(told) > MOST_TOLD:
        more = len(told) - MOST_TOLD
        lines.append("  " + words.plural("{count} more; --json has it", "{count} more; --json has them", more))
    return lines


@wave.command()
@campaign_argument
@wave_option
@option("--reason", required=True, metavar="TEXT", help="Why; kept beside the event log.")
def cancel(name: str, number: int | None, reason: str) -> None:
    """Cancel a wave: what has not left is withdrawn, and its contacts may be in another wave."""
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            found = waves.locked(connection, waves.find(connection, name, number)["id"])
            count = waves.cancel(connection, found, context.clock(), by, reason)
    show.emit(
        {"wave": found["number"], "withdrawn": count},
        lambda: [words.plural("{count} letter withdrawn", "{count} letters withdrawn", count)],
    )
