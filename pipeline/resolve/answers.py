"""What a run of resolve hears: answers are taken from the edges, judged, and become findings or further questions.

Reads: two edges.  Writes: nothing; findings are stored by run.py, all of one round in one transaction.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.domain import Address, Answer, NetworkAnswer
from pipeline.resolve import asking, choose, rdap_answer, whois_answer
from pipeline.resolve.asking import Question, Verdict
from pipeline.resolve.work import Resolving, Work, queue, room
from pipeline.store.netblocks import Learnt

WHOIS_PATIENCE = timedelta(minutes=5)  # a longer wait for a WHOIS server: its answer is done without


@dataclass(slots=True)
class Findings:
    """What one round of listening found out, to be stored in one transaction."""

    learnt: list[tuple[Address, Learnt]] = field(default_factory=list)
    put_off: dict[Address, datetime] = field(default_factory=dict)
    refused: dict[str, datetime] = field(default_factory=dict)  # budget -> ask nothing before

    def __bool__(self) -> bool:
        return bool(self.learnt or self.put_off or self.refused)


def listen(run: Resolving, work: Work) -> Findings:
    """Give up what would wait too long, take the answers that are there, and judge them."""
    findings = Findings()
    _give_up(run, work, findings)
    for_whois = sum(count for key, count in work.at_host.items() if key.startswith("whois:"))
    only_whois = for_whois == len(work.under_way)
    nap = 0.0 if findings else _nap(work, run.clock(), for_whois > 0 and not only_whois)
    for reply in run.rdap.take(0.0 if only_whois and for_whois else nap):
        run.rdap.done()
        budget, question = _answered(work, reply.key)
        step = asking.followed(question, reply.location) if reply.location else None
        if isinstance(step, Question):
            queue(run, work, step)
            continue
        caps, registry = run.settings.caps, question.registry
        read = step or rdap_answer.read(reply.answer, question.address, registry=registry, caps=caps)
        _heard(run, work, findings, budget, question, read, reply.answer)
    for said in run.whois.take(nap if only_whois and for_whois else 0.0):
        run.whois.done()
        budget, question = _answered(work, said.key)
        caps, registry = run.settings.caps, question.registry
        read = whois_answer.read(said.answer, question.address, registry=registry, caps=caps)
        _heard(run, work, findings, budget, question, read, said.answer)
    return findings


def _nap(work: Work, now: datetime, two_edges: bool) -> float:
    """Return how long to wait for an answer, in seconds: not at all if something may be asked, or until it may."""
    if any(room(work, key, now) for key in work.waiting):
        return 0.0
    soonest = min(
        (until for key, until in work.not_before.items() if until > now and key in work.waiting), default=None
    )
    longest = 0.05 if two_edges else 0.5
    return longest if soonest is None else min(max((soonest - now).total_seconds(), 0.005), longest)


def _answered(work: Work, key: object) -> tuple[str, Question]:
    if not isinstance(key, int):
        raise TypeError(f"an answer to a question nobody asked: {key!r}")
    budget, question = work.under_way.pop(key)
    work.at_host[budget] -= 1
    return budget, question


def _heard(
    run: Resolving,
    work: Work,
    findings: Findings,
    budget: str,
    question: Question,
    read: NetworkAnswer,
    answer: Answer,
) -> None:
    now = run.clock()
    pause = asking.pause(question, read, answer)
    until = now if pause is None else now + pause
    if pause is not None:
        findings.refused[budget] = max(until, findings.refused.get(budget, until))
    has_whois = question.registry in run.settings.whois_hosts
    step = asking.after(question, read, answer, has_whois=has_whois, patience=run.patience)
    if isinstance(step, Question):
        queue(run, work, step)
    else:
        _conclude(run, findings, question.address, step, now, until)


def _conclude(
    run: Resolving, findings: Findings, address: Address, verdict: Verdict, now: datetime, until: datetime
) -> None:
    """Note a verdict: learnt if it says something of the network, else its address is put off, at least until then."""
    later = asking.put_off_for(verdict)
    if later is not None:
        findings.put_off[address] = max(now + later, until)
        return
    answer, raw = verdict
    usable = tuple(choose.usable(answer))
    keep = run.settings.keep if usable else run.settings.keep_negative
    if answer.cached is None:  # a definite "no such network": it speaks of this address alone
        answer = replace(answer, cached=(address, address))
    findings.learnt.append((address, Learnt(answer, usable, raw, now + keep)))


def _give_up(run: Resolving, work: Work, findings: Findings) -> None:
    """Put off the cells whose registry makes us wait too long; do without WHOIS where its server does."""
    now = run.clock()
    for budget in list(work.waiting):
        is_whois = budget.startswith("whois:")
        until = work.not_before.get(budget, now)
        if until - now <= (min(run.patience, WHOIS_PATIENCE) if is_whois else run.patience):
            continue
        for question in work.waiting.pop(budget):
            if question.said is not None:
                _conclude(run, findings, question.address, question.said, now, until)
            else:
                cell = asking.cell_of(question.address, run.settings.caps)
                findings.put_off |= dict.fromkeys(work.cells[cell], until)
        if work.wait is None or until < work.wait:
            work.wait, work.why = until, budget
