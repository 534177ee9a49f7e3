"""What a run of resolve hears: answers are taken from the edges or from the record, and carry their look-ups on.

Reads: three edges, kept answers.  Writes: nothing; findings are stored by run.py, all of one round in one transaction.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.domain import Address, Answer, NameReply, RdapReply, WhoisReply
from pipeline.resolve import talk
from pipeline.resolve.asking import Cell
from pipeline.resolve.lookup import look_up as begun
from pipeline.resolve.talk import Asked, Found, Heard, Keep, Later, Pause, Wait
from pipeline.resolve.work import (
    LookUp,
    Resolving,
    Work,
    queue,
    remember,
    remember_failure,
    remembered,
    room,
    was_heard,
)
from pipeline.store import answers as kept_answers

WHOIS_PATIENCE = timedelta(minutes=5)  # a longer wait for a WHOIS server: its answer is done without
NAMES_KEEP = timedelta(hours=24)  # what the DNS said serves that long: it is asked again at most daily
FAILURE_KEEP = timedelta(hours=1)  # within a run, a question that failed is not asked again sooner
MOST_FRESH = 200  # questions that are looked up in the record at once
REDIRECTS = range(300, 400)


@dataclass(slots=True)
class Findings:
    """What one round of listening found out, to be stored in one transaction."""

    found: list[tuple[LookUp, Found]] = field(default_factory=list)
    put_off: dict[Address, tuple[Cell, datetime]] = field(default_factory=dict)
    ended: list[LookUp] = field(default_factory=list)  # that were put off
    refused: dict[str, datetime] = field(default_factory=dict)  # budget -> ask nothing before
    kept: dict[str, Answer] = field(default_factory=dict)  # question -> an answer that serves again

    def __bool__(self) -> bool:
        return bool(self.found or self.put_off or self.refused or self.kept)


def begin(run: Resolving, work: Work, findings: Findings, cell: Cell) -> None:
    """Look up the first address of a cell, if any is left."""
    if not work.cells[cell]:
        del work.cells[cell]
        return
    address = work.cells[cell][0]
    pursuit = begun(address, run.rules, work.dumped.pop(address, None))
    look_up = work.under_look[cell] = LookUp(cell, address, pursuit)
    _advance(run, work, findings, look_up, None)


def listen(run: Resolving, work: Work, findings: Findings) -> None:
    """Give up what would wait too long, and take the answers that are there."""
    _give_up(run, work, findings)
    counts = [sum(n for key, n in work.at_host.items() if key.startswith(kind)) for kind in ("rdap:", "whois:", "dns:")]
    busy = sum(1 for count in counts if count)
    nap = 0.0 if findings or work.fresh else _nap(run, work, run.clock(), busy > 1)
    for rdap in run.rdap.take(nap if counts[0] or not busy else 0.0):
        run.rdap.done()
        _answered(run, work, findings, rdap, rdap.location)
    for whois in run.whois.take(nap if counts[1] and busy == 1 else 0.0):
        run.whois.done()
        _answered(run, work, findings, whois)
    for name in run.names.take(nap if counts[2] and busy == 1 else 0.0):
        run.names.done()
        _answered(run, work, findings, name)


def _nap(run: Resolving, work: Work, now: datetime, several_edges: bool) -> float:
    """Return how long to wait for an answer, in seconds: not at all if something may be asked, or until it may."""
    if any(room(run, work, key, now) for key in work.queues):
        return 0.0
    soonest = min((until for key, until in work.not_before.items() if until > now and key in work.queues), default=None)
    longest = 0.02 if several_edges else 0.5
    return longest if soonest is None else min(max((soonest - now).total_seconds(), 0.005), longest)


def _answered(
    run: Resolving, work: Work, findings: Findings, reply: RdapReply | WhoisReply | NameReply, location: str = ""
) -> None:
    if not isinstance(reply.key, int):
        raise TypeError(f"an answer to a question nobody asked: {reply.key!r}")
    pending = work.under_way.pop(reply.key)
    if (until := was_heard(run, work, pending)) is not None:
        findings.refused[pending.budget] = max(until, findings.refused.get(pending.budget, until))
    text = talk.source(pending.asked)
    del work.pending[text]
    heard = Heard(replace(reply.answer, source=text), location)
    for look_up in pending.waiting:
        if not look_up.dropped:
            _advance(run, work, findings, look_up, heard)


def from_record(run: Resolving, work: Work, findings: Findings) -> None:
    """Answer fresh questions from what was answered before, or a moment ago, and queue the others."""
    while work.fresh:
        fresh = [work.fresh.popleft() for _ in range(min(len(work.fresh), MOST_FRESH))]
        wanted = {talk.source(asked) for look_up, asked in fresh if not look_up.dropped}
        now = run.clock()
        with run.db.read() as connection:
            answered = kept_answers.since(connection, wanted, now - run.settings.keep_negative, now - NAMES_KEEP)
        for look_up, asked in fresh:
            answer = findings.kept.get(talk.source(asked)) or answered.get(talk.source(asked))
            if look_up.dropped:
                continue
            if answer is None:
                queue(run, work, look_up, asked)
            else:
                _advance(run, work, findings, look_up, _as_heard(answer))


def _as_heard(answer: Answer) -> Heard:
    return Heard(answer, answer.body.decode("ascii", "replace") if answer.status in REDIRECTS else "")


def _advance(run: Resolving, work: Work, findings: Findings, look_up: LookUp, value: Heard | Wait | None) -> None:
    """Carry a look-up on to its next question that nobody has answered yet, or to its end."""
    while True:
        try:
            said = look_up.pursuit.send(value)
        except StopIteration as end:
            findings.found.append((look_up, end.value))
            return
        except Later as later:
            _put_off(run, work, findings, look_up, later)
            return
        value = _heeded(run, work, findings, look_up, said)
        if isinstance(said, Asked) and value is None:
            work.fresh.append((look_up, said))
            return


def _heeded(
    run: Resolving, work: Work, findings: Findings, look_up: LookUp, said: Asked | Pause | Keep
) -> Heard | None:
    """Do what a look-up says; returns the answer to a question that this run has heard before."""
    match said:
        case Pause(asked, wait):
            budget, until = talk.budget(asked, run.rules.zones), run.clock() + wait
            findings.refused[budget] = max(until, findings.refused.get(budget, until))
            look_up.paused_until = until
        case Keep(asked, answer, _, True):
            remember_failure(work, asked, answer, run.clock() + FAILURE_KEEP)
        case Keep(asked, answer, is_shared):
            findings.kept[talk.source(asked)] = answer
            if is_shared:
                remember(work, asked, _as_heard(answer))
        case _:
            return remembered(work, said, run.clock())
    return None


def _put_off(run: Resolving, work: Work, findings: Findings, look_up: LookUp, later: Later) -> None:
    now = run.clock()
    until = max(now + later.wait, later.until or now, look_up.paused_until or now)
    addresses = work.cells[look_up.cell] if later.cell else [look_up.address]
    findings.put_off |= dict.fromkeys(addresses, (look_up.cell, until))
    findings.ended.append(look_up)


def _give_up(run: Resolving, work: Work, findings: Findings) -> None:
    """Tell the look-ups whose question would wait too long, so that they do without it or are put off."""
    now = run.clock()
    patience = run.rules.patience
    for budget in list(work.queues):
        until = work.not_before.get(budget, now)
        if until - now <= (min(patience, WHOIS_PATIENCE) if budget.startswith("whois:") else patience):
            continue
        for _, _, pending in work.queues.pop(budget):
            del work.pending[talk.source(pending.asked)]
            for look_up in pending.waiting:
                if not look_up.dropped:
                    _advance(run, work, findings, look_up, Wait(until))
        if work.wait is None or until < work.wait:
            work.wait, work.why = until, budget
