"""`tocsin status`: from reports to attempts in figures, what waits for what, and the command to type next.

Reads only.  With --watch it is counted again every two seconds, each time in a transaction of its own, until Ctrl-C.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import click

from pipeline.audit import status as counted
from pipeline.audit.figures import MOST, Further, measures
from pipeline.audit.limits import limit_name
from pipeline.audit.say import Say, Word
from pipeline.audit.waits import Figures, StatusSettings, Wait, budgets, sentence, waits
from pipeline.cli import context, show, words
from pipeline.cli.approvals import Guard
from pipeline.cli.command import Command, given, option
from pipeline.cli.context import Ground
from pipeline.cli.pacing import pace_settings
from pipeline.cli.record import compact
from pipeline.cli.saying import spoken
from pipeline.config import Settings
from pipeline.send import warmup
from pipeline.send.pace import NO_LIMIT, RELAY, Pace
from pipeline.send.pace import limits as limits_of
from pipeline.store import figures as store
from pipeline.store import mail_domains
from pipeline.store import waves as waves_store
from pipeline.store.db import Connection

NO_DAYS: Mapping[str, int] = {}
EVERY = 2.0  # seconds between two looks

CONTACTS = {"untested": "not written to yet", "live": "takes mail", "bouncing": "returns mail", "dead": "dead"}
ATTEMPTS = {"released": "given back", "abandoned": "process died", "": "under way"}


@click.command(
    "status",
    cls=Command,
    examples=(
        "tocsin status",
        "tocsin status --campaign secure-your-server --watch",
        "tocsin status --json",
        "tocsin status --prometheus > tocsin.prom",
    ),
)
@option("--campaign", default="", metavar="NAME", help="Only this campaign.")
@option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@option("--prometheus", is_flag=True, help="Figures for monitoring, as Prometheus reads them; nothing else.")
def status(campaign: str, watch: bool, prometheus: bool) -> None:
    """Show where everything stands: figures from reports to attempts, what waits for what, and what to type next."""
    if prometheus and (watch or given().json):
        raise click.UsageError("--prometheus goes with neither --watch nor --json")
    with context.opened() as ground:
        guard = Guard(ground.loaded)
        if prometheus:
            _measure(ground, campaign)
        elif watch:
            watching(lambda: _show(ground, campaign, guard, again=True), given().sleep)
        else:
            _show(ground, campaign, guard, again=False)


def watching(look: Callable[[], None], pause: Callable[[float], None]) -> None:
    """Look, pause, and look again, until a person stops it."""
    try:
        while True:
            look()
            pause(EVERY)
    except KeyboardInterrupt:
        return


def _measure(ground: Ground, campaign: str) -> None:
    from pipeline.cli import prometheus  # its library is not needed to show a status

    now = context.clock()
    with ground.db.read() as connection:
        figures, settings = counted.figures(connection, campaign, now), _settings(ground, connection, now)
        further = Further(
            store.attempts_in_all(connection),
            store.oldest_due(connection, now),
            store.heartbeats(connection, MOST),
            store.last_seal(connection),
        )
    click.echo(prometheus.text(measures(figures, further, budgets(figures, settings, now), now)), nl=False)


def _objections(connection: Connection, guard: Guard, figures: Figures) -> dict[int, str]:
    """Return why live waves that are approved may not be sent as they stand now: their go-live, or an approval, is void."""
    ready = [row["id"] for row in figures.waves if row["mode"] == "live" and row["state"] in ("approved", "sending")]
    found = {wave_id: guard(connection, waves_store.by_id(connection, wave_id)) for wave_id in ready}
    return {wave_id: words.sentence(why) for wave_id, why in found.items() if why}


def _show(ground: Ground, campaign: str, guard: Guard, *, again: bool) -> None:
    now = context.clock()
    with ground.db.read() as connection:
        figures, settings = counted.figures(connection, campaign, now), _settings(ground, connection, now)
        figures = replace(figures, objections=_objections(connection, guard, figures))
    if again and given().json:
        click.echo(compact(counted.plain(figures, settings, now)))
        return
    if again and show.colourful(sys.stdout):
        click.clear()
    show.emit(counted.plain(figures, settings, now), lambda: page(figures, settings, now))


def _settings(ground: Ground, connection: Connection, now: datetime) -> StatusSettings:
    mail = ground.loaded.settings.mail
    first = {name: mail_domains.first_left(connection, name) for name in mail.all_relays} if mail.warm_up else {}
    days = {name: warmup.day(at, now) for name, at in first.items()}
    return status_settings(ground.loaded.settings, pace_settings(ground.loaded), days)


def status_settings(settings: Settings, pace: Pace = NO_LIMIT, days: Mapping[str, int] = NO_DAYS) -> StatusSettings:
    """Return what a status needs of the settings, with the budgets as their stages name them.

    `days` are those of the warm-up, by relay; of one that is not there it is the first.
    """
    mail = settings.mail
    limits = {"mail:all": (mail.rate, mail.per_day)}
    for name in mail.all_relays:
        relay = limits_of(pace, name, "", "", 0, warmup.cap(pace.warm_up, days.get(name, 1)))[RELAY]
        limits[relay.key] = relay.per_second, relay.per_day
    limits |= {f"mail:mx:{name}": (rates.per_second, rates.per_day) for name, rates in pace.mx_groups.items()}
    limits |= {f"rdap:{host}": (rate, settings.rdap.per_day.get(host, 0)) for host, rate in settings.rdap.rates.items()}
    limits |= {f"dnsbl:{name}": (zone.rate, zone.per_day) for name, zone in settings.zones.items() if zone.enabled}
    return StatusSettings(settings.safety.approvers_needed, limits)


def page(figures: Figures, settings: StatusSettings, now: datetime) -> Iterator[str]:
    """Yield a status as text."""
    yield words.text("as of {time}", time=show.instant(now))
    yield ""
    yield from show.pairs(_funnel(figures))
    yield ""
    yield from _limits(figures, settings, now)
    yield ""
    yield words.text("what waits, and what to type next")
    names = campaigns(figures)
    for wait in waits(figures, settings, now):
        yield from _wait(wait, names)


def _funnel(figures: Figures) -> Iterator[tuple[str, str]]:
    counts = counted.funnel(figures)
    verdicts = [(Word("verdict", verdict), count) for verdict, count in counts["observations"].items()]
    yield words.text("reports"), _counts(sum(counts["observations"].values()), verdicts)
    yield words.text("addresses and services"), words.number(counts["targets"])
    by_state: Mapping[str, int] = counts["cases"]["by_state"]
    total = sum(by_state.values())
    yield words.text("cases"), _counts(total, [(Word("case", state), n) for state, n in by_state.items()])
    exposures = [(Word("exposure", state), n) for state, n in counts["cases"]["by_exposure"].items()]
    yield words.text("their exposure"), _counts(total, exposures)
    contacts = [(Say(CONTACTS[state]), n) for state, n in counts["contacts"].items()]
    yield words.text("contacts"), _counts(sum(counts["contacts"].values()), contacts)
    yield words.text("notices"), words.number(counts["notices"])
    letters = [(Word("letter", state), n) for state, n in counts["letters"].items()]
    yield words.text("letters"), _counts(sum(counts["letters"].values()), letters)
    attempts = [(_outcome(outcome), n) for outcome, n in figures.attempts.items()]
    yield words.text("attempts"), _counts(sum(figures.attempts.values()), attempts)


def _outcome(outcome: str) -> Say | Word:
    return Say(ATTEMPTS[outcome]) if outcome in ATTEMPTS else Word("letter", outcome)


def _counts(total: int, parts: Sequence[tuple[Say | Word, int]]) -> str:
    """Return a total with its parts, the biggest first: `120: open 100, unknown 20`."""
    said = sorted(parts, key=lambda part: -part[1])
    listed = ", ".join(f"{spoken(word)} {words.number(count)}" for word, count in said if count)
    return f"{words.number(total)} ({listed})" if listed else words.number(total)


def _limits(figures: Figures, settings: StatusSettings, now: datetime) -> Iterator[str]:
    names = campaigns(figures)
    used = [
        budget for budget in budgets(figures, settings, now) if budget.used or budget.until or budget.key == "mail:all"
    ]
    rows = [
        (
            spoken(limit_name(budget.key, names)),
            words.figure(budget.per_second) if budget.per_second else "-",
            words.number(budget.per_day) if budget.per_day else "-",
            words.number(budget.used) if budget.per_day else "-",  # nothing is counted without a limit
            budget.until or "-",
        )
        for budget in used
    ]
    yield from show.table(words.each("limit", "a second", "a day", "used today", "next"), rows)


def campaigns(figures: Figures) -> dict[str, str]:
    """Return the names of campaigns by their ids, as limits have these."""
    return {str(row["id"]): row["name"] for row in figures.campaigns}


def _wait(wait: Wait, names: Mapping[str, str]) -> Iterator[str]:
    at = f"{show.instant(wait.at)}  " if wait.at is not None else ""
    yield f"  {at}{spoken(sentence(wait, names))}"
    if wait.command:
        yield f"      {wait.command}"
