"""How a command works stages: as a worker, with progress, and an ending that says what was done.

`Bench` holds what every stage needs; each function works one stage until nothing is due, and returns what it did.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pipeline.audit.limits import is_limit, limit_said
from pipeline.audit.seal import seal
from pipeline.cli import approvals, dkim, edges, relays, show, words
from pipeline.cli.command import given
from pipeline.cli.context import Ground, clock, opened
from pipeline.cli.progress import Shown, progress
from pipeline.cli.saying import spoken
from pipeline.cli.send_plan import at_most
from pipeline.cli.states import said
from pipeline.domain import EvidenceLevel
from pipeline.engine import stoppable, working
from pipeline.render import run as render_stage
from pipeline.resolve.run import Resolving
from pipeline.resolve.run import Result as Resolved
from pipeline.resolve.run import resolve as resolve_stage
from pipeline.send.mail_servers import MailServers
from pipeline.send.run import Outcome, Sending
from pipeline.send.run import send as send_stage
from pipeline.send.turns import Pacing
from pipeline.store import verify as verify_store
from pipeline.store import waves
from pipeline.store.resolve import DueCase
from pipeline.store.resolve import due_count as contacts_due
from pipeline.store.send import WINDOW
from pipeline.store.verify import due_count as checks_due
from pipeline.verify.level import claim_of, speaks_of
from pipeline.verify.policy import best_level, reachable
from pipeline.verify.run import Verifying
from pipeline.verify.run import verify as verify_stage

WORTH_SAYING = timedelta(seconds=5)  # until when a wait goes on


@dataclass(frozen=True, slots=True)
class Bench:
    """An opened installation, a worker of it, where to tell progress, and what Ctrl-C waits for."""

    ground: Ground
    worker_id: int
    progress: Shown
    unbroken: Callable[[], AbstractContextManager[None]]


@contextmanager
def at_work() -> Iterator[Bench]:
    """Open the installation and be a worker for the block; Ctrl-C and SIGTERM end it as a stage ends, state saved."""
    with opened() as ground, stoppable() as stop, working(ground.db, given().clock) as worker_id, progress() as tell:
        yield Bench(ground, worker_id, tell, stop.unbroken)


def resolve(bench: Bench, patience: timedelta) -> Resolved:
    """Find contacts for every case that is due."""
    loaded = bench.ground.loaded
    with bench.ground.db.read() as connection:
        if not contacts_due(connection, clock()):
            return Resolved(0, 0)
    with ExitStack() as stack:
        run = Resolving(
            db=bench.ground.db,
            rdap=stack.enter_context(edges.rdap_edge(loaded)),
            whois=stack.enter_context(edges.whois_edge(loaded)),
            names=stack.enter_context(edges.names_edge(loaded)),
            rules=edges.look_up_rules(bench.ground, patience),
            settings=edges.resolve_settings(loaded),
            worth=Worth(bench.ground),
            worker_id=bench.worker_id,
            clock=given().clock,
            progress=bench.progress,
        )
        return resolve_stage(run)


class Worth:
    """May a case still reach its campaign's minimum level?  Only then is a registry asked about its address."""

    def __init__(self, ground: Ground) -> None:
        self.db = ground.db
        self.topics = edges.known_topics(ground.loaded)
        self.zones = [use.zone for use in edges.zone_uses(ground.loaded).values()]

    def __call__(self, cases: Sequence[DueCase]) -> set[int]:
        with self.db.read() as connection:
            seen = verify_store.observed(connection, {case.address for case in cases})
        now = clock()
        declarations: dict[str, Any] = {}
        worth = set()
        for case in cases:
            topic = self.topics[case.topic]
            claims = [claim_of(row, declarations) for row in seen.get(case.address, [])]
            claims = [claim for claim in claims if speaks_of(claim, case.port, case.service, topic)]
            askable = [zone for zone in self.zones if case.address.version in zone.families]
            if reachable(best_level(claims, askable, topic, now), EvidenceLevel(case.minimum_level)):
                worth.add(case.id)
        return worth


def verify(bench: Bench) -> int:
    """Check every exposure that is due; returns how many."""
    loaded = bench.ground.loaded
    with bench.ground.db.read() as connection:
        if not checks_due(connection, clock()):
            return 0
    uses = edges.zone_uses(loaded)
    with edges.zone_edge(loaded) as wire:
        run = Verifying(
            db=bench.ground.db,
            wire=wire,
            topics=edges.known_topics(loaded),
            zones=uses,
            unhealthy=edges.unhealthy(loaded, uses),
            worker_id=bench.worker_id,
            clock=given().clock,
            progress=bench.progress,
        )
        return verify_stage(run)


def render(bench: Bench) -> int:
    """Write the letters of planned waves; returns how many."""
    loaded = bench.ground.loaded
    return render_stage.render(
        bench.ground.db,
        edges.keys(loaded),
        worker_id=bench.worker_id,
        clock=given().clock,
        progress=bench.progress,
        sign=edges.pgp_signer(loaded),
    )


def send(bench: Bench) -> Outcome:
    """Send the letters of released waves."""
    loaded = bench.ground.loaded
    with bench.ground.db.read() as connection:
        if not waves.any_left(connection):
            return Outcome({}, 0)
    seal(bench.ground.db, given().clock)  # so that the first letters, too, carry a head over all that led to them
    with ExitStack() as stack:
        wire = stack.enter_context(relays.edge(loaded))
        asks = edges.asks_for_mail_servers(loaded)
        run = Sending(
            db=bench.ground.db,
            wire=wire,
            settings=edges.send_settings(loaded),
            keys=edges.keys(loaded),
            worker_id=bench.worker_id,
            clock=given().clock,
            progress=bench.progress,
            approved=approvals.Guard(loaded),
            rewrite=partial(render_stage.rewrite, sign=edges.pgp_signer(loaded)),
            signing=stack.enter_context(dkim.signing_many(loaded)),
            unbroken=bench.unbroken,
            waiting=lambda why, until: bench.progress.waits(_waits(why, until)),
            pacing=Pacing(MailServers(stack.enter_context(edges.names_edge(loaded)) if asks else None)),
        )
        every = run.settings.paces.every.limit("mail:all")
        bench.progress.limited(at_most(asdict(every)) if every.interval or every.per_day else "")
        return send_stage(run)


def _waits(why: str, until: datetime | None) -> str:
    """Return in words what letters wait for, and until when if that is worth waiting for a while; empty for nothing."""
    if until is None:
        return ""
    time = show.instant(until)
    if why == WINDOW:
        return words.text("outside the recipients' working hours, or on a quiet day, until {time}", time=time)
    if not is_limit(why):
        return words.text("it goes on at {time}", time=time)
    reached = spoken(limit_said(why))
    soon = until - clock() < WORTH_SAYING
    return reached if soon else words.text("{why}; it goes on at {time}", why=reached, time=time)


def together(before: Outcome | None, after: Outcome) -> Outcome:
    """Return two rounds of sending as one."""
    if before is None:
        return after
    tally = {kind: before.tally.get(kind, 0) + after.tally.get(kind, 0) for kind in {**before.tally, **after.tally}}
    return Outcome(tally, after.left, after.wait, after.why)


def sent(outcome: Outcome) -> list[str]:
    """Return the lines that tell how a run of sending ended."""
    lines = [words.counted({said("tally", kind): count}) for kind, count in sorted(outcome.tally.items())]
    if not lines:
        lines = [words.text("no letter was due")]
    if outcome.left:
        lines.append(words.plural("{count} letter is left", "{count} letters are left", outcome.left))
    if outcome.left and outcome.wait is not None:
        if outcome.wait <= clock():
            lines.append(words.text("a hold covers what is left: {command}", command="tocsin holds"))
        elif outcome.why == WINDOW:
            until = show.instant(outcome.wait)
            lines.append(
                words.text("outside the recipients' working hours, or on a quiet day, until {time}", time=until)
            )
        elif is_limit(outcome.why):
            why, until = spoken(limit_said(outcome.why)), show.instant(outcome.wait)
            lines.append(words.text("{why}; it goes on at {time}", why=why, time=until))
        else:
            lines.append(words.text("it goes on at {time}", time=show.instant(outcome.wait)))
    return lines
