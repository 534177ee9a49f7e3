"""Find the abuse contact of every address that has a case and none yet.

Reads: cases SEEN and due, networks that were answered before, registries through two edges (RDAP, then WHOIS where RDAP
gives no contact or refuses).  Writes: raw answers, netblocks, candidates with the reason kept, cases' contacts and states.
Safe to repeat: an answered network is not asked again while its answer holds; a unit is whole /16s (v6 /32s), so that two
workers never ask for one network.  Standards: RFC 9224, 9082, 9083; RFC 3912.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pipeline.domain import (
    Address,
    Answer,
    Clock,
    NetworkAnswer,
    Outcome,
    Progress,
    RdapQuestion,
    RdapReply,
    TemporaryFailure,
    WhoisQuestion,
    WhoisReply,
    Wire,
)
from pipeline.resolve import bootstrap, choose, placeholders, rdap_answer, whois_answer
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.space import lookup_address
from pipeline.store import budgets
from pipeline.store import resolve as store
from pipeline.store.budgets import Limit
from pipeline.store.db import Database
from pipeline.store.lives import Lease
from pipeline.store.resolve import DueCase, Known, Learnt

BY = "tocsin"
UNIT = 2_000  # cases claimed at once, rounded up to whole blocks
AHEAD = timedelta(seconds=30)  # a slot further away is not taken yet
LOOK_AGAIN = timedelta(hours=24)  # a case whose claims cannot reach the minimum level
MOST_UNDER_WAY = 500  # questions; an edge holds more
MOST_HOPS = 5  # redirects of one question
MOST_REFUSALS = 3  # of one question, before its cases are put off
DEFAULT_PAUSE = timedelta(seconds=60)  # where a registry refuses and does not say for how long
TRY_AGAIN = {Outcome.REFUSED: timedelta(minutes=15), Outcome.UNUSABLE: timedelta(hours=24)}
REGISTRIES = frozenset({"arin", "ripencc", "apnic", "lacnic", "afrinic"})
WHOIS_FLAGS = {"arin": "n + ", "ripencc": "-r "}


@dataclass(frozen=True, slots=True)
class ResolveSettings:
    """What this stage needs of the settings.  Rates are questions a second by host; 0: no limit."""

    rate: float
    rates: Mapping[str, float]
    per_day: Mapping[str, int]
    keep: timedelta
    keep_negative: timedelta
    whois_hosts: Mapping[str, tuple[str, int]]  # registry -> host, port; empty: WHOIS is not asked
    whois_rate: float
    allow_documentation: bool = False
    caps: ScopeCaps = field(default_factory=ScopeCaps)


@dataclass(frozen=True, slots=True)
class Resolving:
    """What one run is given.  `registries`: IANA's bootstrap files by IP version.  `worth`: may a case still reach its
    campaign's minimum level?  `patience`: a longer wait for a registry's budget ends the run."""

    db: Database
    rdap: Wire[RdapQuestion, RdapReply]
    whois: Wire[WhoisQuestion, WhoisReply]
    registries: Mapping[int, Mapping[str, Any]]
    settings: ResolveSettings
    worth: Callable[[Sequence[DueCase]], set[int]]
    worker_id: int
    clock: Clock
    progress: Progress
    patience: timedelta


@dataclass(slots=True)
class Task:
    """One network to be asked for: an address of it, where the question stands, and what RDAP said of it."""

    block: Address
    address: Address
    url: str
    registry: str
    hops: int = 0
    refusals: int = 0
    not_before: datetime | None = None
    said: tuple[NetworkAnswer, Answer] | None = None  # RDAP's answer, while WHOIS is asked


@dataclass(slots=True)
class Unit:
    """Claimed cases: by address to look up, and by block the addresses that nothing known covers yet."""

    lease: Lease
    cases: dict[Address, list[int]]
    uncovered: dict[Address, list[Address]]
    waiting: list[Task] = field(default_factory=list)
    under_way: dict[int, Task] = field(default_factory=dict)
    asked: int = 0
    done: int = 0


@dataclass(slots=True)
class Findings:
    """What one round of listening found out, to be stored in one transaction."""

    learnt: list[tuple[Task, Learnt]] = field(default_factory=list)
    put_off: dict[Address, timedelta] = field(default_factory=dict)
    refused: dict[str, datetime] = field(default_factory=dict)  # budget key -> ask nothing before


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did.  `wait`: a registry's budget has no slot before then, and `why` names the budget."""

    cases: int
    questions: int
    wait: datetime | None = None
    why: str = ""


def resolve(run: Resolving) -> Result:
    """Resolve every case that is due, or until a registry makes us wait longer than we have patience for."""
    done = questions = 0
    with run.db.read() as connection:
        total = store.due_count(connection, run.clock())
    while True:
        with run.db.write() as connection:
            lease, cases = store.claim_blocks(connection, run.worker_id, run.clock(), UNIT)
        if not cases:
            return Result(done, questions)
        unit = _opened(run, lease, cases)
        wait, why = _work(run, unit, partial(_report, run, done, total))
        done += unit.done
        questions += unit.asked
        if wait is not None:
            return Result(done, questions, wait, why)


def _report(run: Resolving, before: int, total: int, count: int) -> None:
    run.progress("contacts", before + count, total)


def _opened(run: Resolving, lease: Lease, cases: Sequence[DueCase]) -> Unit:
    """Sort out the cases that need no question: special-purpose space, too little evidence, networks already known."""
    unit = Unit(lease, defaultdict(list), defaultdict(list))
    special: dict[int, str] = {}
    worth = run.worth(cases)
    weak = [case.id for case in cases if case.id not in worth]
    for case in cases:
        address, why = lookup_address(case.address, allow_documentation=run.settings.allow_documentation)
        if case.id not in worth:
            continue
        if address is None:
            special[case.id] = why
            continue
        if address not in unit.cases:
            unit.uncovered[case.block].append(address)
        unit.cases[address].append(case.id)
    now = run.clock()
    with run.db.write() as connection:
        store.settle_special(connection, special, lease, now, BY)
        store.put_off(connection, weak, lease, now + LOOK_AGAIN)
        known = []
        if unit.cases:
            addresses = sorted(unit.cases, key=lambda address: (address.version, int(address)))
            for version in {address.version for address in addresses}:
                family = [address for address in addresses if address.version == version]
                first, last = store.block_of(family[0]), family[-1]
                known += store.known_between(connection, first, last, now)
        found: dict[int, Known] = {}
        for block in list(unit.uncovered):
            for network in reversed(known):
                found |= _cover(unit, block, network)
        store.settle(connection, found, lease, now, BY)
    unit.done += len(special) + len(weak) + len(found)
    for block in list(unit.uncovered):
        _next(run, unit, block)
    return unit


def _cover(unit: Unit, block: Address, known: Known) -> dict[int, Known]:
    """Take the block's addresses that a network answers for off the list; returns {case: network}."""
    left: list[Address] = []
    found: dict[int, Known] = {}
    for address in unit.uncovered[block]:
        if address.version == known.version and known.first <= int(address) <= known.last:
            found |= dict.fromkeys(unit.cases[address], known)
        else:
            left.append(address)
    unit.uncovered[block] = left
    return found


def _next(run: Resolving, unit: Unit, block: Address) -> None:
    """Put the block's next address on the list of questions, if there is one that a registry answers for."""
    if not unit.uncovered[block]:
        return
    address = unit.uncovered[block][0]
    base = bootstrap.choose(run.registries.get(address.version, {}), address)
    task = Task(block, address, f"{base.rstrip('/')}/ip/{address}" if base else "", _registry(base or ""))
    unit.waiting.append(task)


def _registry(url: str) -> str:
    """Return the registry that a base URL belongs to, by its host, or by its first path segment (the sandbox)."""
    parts = urlsplit(url)
    first = parts.path.strip("/").split("/")[0]
    return placeholders.registry_of_host(parts.hostname or "") or (first if first in REGISTRIES else "")


def _work(run: Resolving, unit: Unit, report: Callable[[int], None]) -> tuple[datetime | None, str]:
    """Ask, listen and store until no question is left; returns (when to go on, which budget) if we had to stop."""
    while unit.waiting or unit.under_way:
        _store(run, unit, _nobody_to_ask(run, unit))
        wait, why = _ask(run, unit)
        if not unit.under_way and wait is not None and wait - run.clock() > run.patience:
            left = [
                case for task in unit.waiting for address in unit.uncovered[task.block] for case in unit.cases[address]
            ]
            with run.db.write() as connection:
                store.put_off(connection, left, unit.lease, wait)
            return wait, why
        findings = _listen(run, unit, wait)
        _store(run, unit, findings)
        report(unit.done)
    return None, ""


def _nobody_to_ask(run: Resolving, unit: Unit) -> Findings:
    """Addresses that no registry answers for (RFC 9224): a definite answer without a question."""
    orphans = [task for task in unit.waiting if not task.url and not _asks_whois(run, task)]
    unit.waiting = [task for task in unit.waiting if task not in orphans]
    said = NetworkAnswer(Outcome.NOT_FOUND, "no-registry")
    raw = Answer("bootstrap", 0, "", b"", run.clock(), requests=0)
    return Findings(learnt=[(task, _to_learn(run, task, said, raw)) for task in orphans])


def _ask(run: Resolving, unit: Unit) -> tuple[datetime | None, str]:
    """Hand over the questions that their budgets have a slot for; returns when the next of the others has one."""
    now = run.clock()
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in unit.waiting:
        groups[_budget(run, task)].append(task)
    unit.waiting = []
    wait, why = None, ""
    for key, tasks in groups.items():
        ready = [task for task in tasks if task.not_before is None or task.not_before <= now]
        later = [task for task in tasks if task.not_before is not None and task.not_before > now]
        room = max(MOST_UNDER_WAY - len(unit.under_way), 0)
        unit.waiting += ready[room:]
        ready = ready[:room]
        slots: tuple[datetime, ...] = (now,) * len(ready)
        limit = _limit(run, key)
        if ready and (limit.per_second or limit.per_day):
            with run.db.write() as connection:
                reservation = budgets.reserve(connection, [limit], len(ready), now, AHEAD)
            slots = reservation.slots
            if reservation.wait is not None and (wait is None or reservation.wait < wait):
                wait, why = reservation.wait, key
        for task, slot in zip(ready, slots, strict=False):
            _hand_over(run, unit, task, max((slot - now).total_seconds(), 0.0))
        unit.waiting += ready[len(slots) :] + later
        for task in later:
            if task.not_before is not None and (wait is None or task.not_before < wait):
                wait, why = task.not_before, key
    return wait, why


def _budget(run: Resolving, task: Task) -> str:
    if _asks_whois(run, task):
        return f"whois:{run.settings.whois_hosts[task.registry][0]}"
    return f"rdap:{urlsplit(task.url).hostname or ''}"


def _asks_whois(run: Resolving, task: Task) -> bool:
    return (task.said is not None or not task.url) and task.registry in run.settings.whois_hosts


def _limit(run: Resolving, key: str) -> Limit:
    kind, _, host = key.partition(":")
    if kind == "whois":
        return Limit(key, run.settings.whois_rate, run.settings.per_day.get(host, 0))
    return Limit(key, run.settings.rates.get(host, run.settings.rate), run.settings.per_day.get(host, 0))


def _hand_over(run: Resolving, unit: Unit, task: Task, delay: float) -> None:
    unit.asked += 1
    key = unit.asked
    if _asks_whois(run, task):
        host, port = run.settings.whois_hosts[task.registry]
        text = f"{WHOIS_FLAGS.get(task.registry, '')}{task.address}"
        run.whois.ask(WhoisQuestion(key, host, port, text, delay))
    else:
        run.rdap.ask(RdapQuestion(key, task.url, delay))
    unit.under_way[key] = task


def _listen(run: Resolving, unit: Unit, wait: datetime | None) -> Findings:
    """Take the answers that are there and judge them."""
    findings = Findings()
    patience = 0.5 if wait is None else min(max((wait - run.clock()).total_seconds(), 0.01), 0.5)
    whois_only = all(_asks_whois(run, task) for task in unit.under_way.values())
    for reply in run.rdap.take(0.0 if whois_only else patience):
        run.rdap.done()
        task = unit.under_way.pop(_key(reply.key))
        if reply.location:
            _redirected(run, unit, findings, task, reply)
            continue
        read = rdap_answer.read(reply.answer, task.address, registry=task.registry, caps=run.settings.caps)
        _heard(run, unit, findings, task, read, reply.answer)
    for said in run.whois.take(patience if whois_only else 0.0):
        run.whois.done()
        task = unit.under_way.pop(_key(said.key))
        read = whois_answer.read(said.answer, task.address, registry=task.registry, caps=run.settings.caps)
        _heard(run, unit, findings, task, read, said.answer)
    return findings


def _key(key: object) -> int:
    if not isinstance(key, int):
        raise TypeError(f"an answer to a question nobody asked: {key!r}")
    return key


def _redirected(run: Resolving, unit: Unit, findings: Findings, task: Task, reply: RdapReply) -> None:
    """Follow a redirect to another registry under that host's budget, at most five times and never to plain http."""
    downgrade = urlsplit(task.url).scheme == "https" and urlsplit(reply.location).scheme != "https"
    if task.hops >= MOST_HOPS or downgrade:
        why = "downgrade" if downgrade else "redirect-loop"
        _heard(run, unit, findings, task, NetworkAnswer(Outcome.UNUSABLE, why, task.registry), reply.answer)
        return
    registry = _registry(reply.location) or task.registry
    unit.waiting.append(replace(task, url=reply.location, registry=registry, hops=task.hops + 1))


def _heard(run: Resolving, unit: Unit, findings: Findings, task: Task, read: NetworkAnswer, answer: Answer) -> None:
    """Decide what an answer means for its question: learnt, asked again later, or put to WHOIS."""
    if read.outcome is Outcome.REFUSED:
        asked = answer.failure.retry_after if isinstance(answer.failure, TemporaryFailure) else None
        until = run.clock() + (asked or DEFAULT_PAUSE)
        findings.refused[_budget(run, task)] = until
        if task.refusals < MOST_REFUSALS and until - run.clock() <= run.patience:
            unit.waiting.append(replace(task, refusals=task.refusals + 1, not_before=until))
            return
    best = _better(task.said, (read, answer))
    if task.said is None and read.outcome is not Outcome.CONTACTS and task.registry in run.settings.whois_hosts:
        unit.waiting.append(replace(task, said=best, not_before=None))
        return
    verdict, raw = best
    if verdict.outcome in TRY_AGAIN:
        findings.put_off[task.address] = TRY_AGAIN[verdict.outcome]
    else:
        findings.learnt.append((task, _to_learn(run, task, verdict, raw)))


def _better(
    one: tuple[NetworkAnswer, Answer] | None, other: tuple[NetworkAnswer, Answer]
) -> tuple[NetworkAnswer, Answer]:
    """Return the answer that says more: contacts before none, a definite no before a refusal; else the first."""
    if one is None:
        return other
    order = (Outcome.CONTACTS, Outcome.NO_CONTACT, Outcome.NOT_FOUND, Outcome.SPECIAL)
    rank = {outcome: place for place, outcome in enumerate(order)}
    return other if rank.get(other[0].outcome, 9) < rank.get(one[0].outcome, 9) else one


def _to_learn(run: Resolving, task: Task, answer: NetworkAnswer, raw: Answer) -> Learnt:
    usable = tuple(choose.usable(answer))
    keep = run.settings.keep if usable else run.settings.keep_negative
    if answer.cached is None:  # a definite "no such network": it speaks of this address alone
        answer = replace(answer, cached=(task.address, task.address))
    return Learnt(answer, usable, raw, run.clock() + keep)


def _store(run: Resolving, unit: Unit, findings: Findings) -> None:
    """Write what was found in one transaction, settle the cases that it covers, and go on with their blocks."""
    if not (findings.learnt or findings.put_off or findings.refused):
        return
    now = run.clock()
    with run.db.write() as connection:
        for key, until in findings.refused.items():
            budgets.postpone(connection, key, until)
        found: dict[int, Known] = {}
        known = store.learn(connection, [learnt for _, learnt in findings.learnt], now) if findings.learnt else []
        for (task, _), network in zip(findings.learnt, known, strict=True):
            found |= _cover(unit, task.block, network)
        store.settle(connection, found, unit.lease, now, BY)
        for address, pause in findings.put_off.items():
            store.put_off(connection, unit.cases[address], unit.lease, now + pause)
    unit.done += len(found)
    blocks = {task.block for task, _ in findings.learnt}
    for address in findings.put_off:
        unit.done += len(unit.cases[address])
        for block, addresses in unit.uncovered.items():
            if address in addresses:
                addresses.remove(address)
                blocks.add(block)
    for block in blocks:
        _next(run, unit, block)
