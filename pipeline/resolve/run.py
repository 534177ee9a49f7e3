"""Find the abuse contact of every address that has a case and none yet, or one that is to be looked up anew.

Reads: cases that are due, networks that were answered before, registries and the DNS through three edges.  Writes: raw
answers, netblocks, the questions behind them, candidates with the reason kept, cases' contacts and states.
Safe to repeat: what was answered is not asked again while it holds; cases are claimed by whole /16s (v6 /32s), so that two
workers never ask for one network.  Standards: RFC 9224, 9082, 9083; RFC 3912.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, StepKind, TryAgain
from pipeline.resolve import answers, asking, choose, dumps, flat, servers, serves, spoken
from pipeline.resolve.answers import Findings
from pipeline.resolve.asking import Cell
from pipeline.resolve.space import lookup_address
from pipeline.resolve.talk import Found
from pipeline.resolve.work import MOST_AT_HOST, Work, forget_dropped, hand_over, reserve, room
from pipeline.resolve.work import ResolveSettings as ResolveSettings
from pipeline.resolve.work import Resolving as Resolving
from pipeline.store import answers as kept_answers
from pipeline.store import budgets, netblocks, overrides, routes
from pipeline.store import dumps as dump_store
from pipeline.store import resolve as store
from pipeline.store.db import Connection
from pipeline.store.lives import Lease
from pipeline.store.netblocks import Known, Learnt
from pipeline.store.resolve import Settled

BY = "tocsin"
MOST_HELD = 50_000  # cases claimed and not settled: a slow registry's do not keep the others' waiting
LOOK_AGAIN = timedelta(hours=24)  # a case whose claims cannot reach the minimum level
NEW_CASES = timedelta(minutes=1)  # how often to look for cases that have become due meanwhile


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did.  `wait`: when the first case that a registry's limits held up is due, and `why` names the budget."""

    cases: int
    questions: int
    wait: datetime | None = None
    why: str = ""


def resolve(run: Resolving) -> Result:
    """Resolve every case that is due; what a registry makes us wait longer for than we have patience is put off.

    Raises TryAgain if the list of registries is empty: from it would follow that nobody answers for any address.
    """
    if not any(run.rules.registries.values()):
        raise TryAgain("The registry of registries cannot be used", "it has no list of services")
    work = Work()
    with run.db.read() as connection:
        total = store.due_count(connection, run.clock())
    look_at = run.clock()
    while True:
        now = run.clock()
        if (work.is_idle or (now >= look_at and _hungry(work, now))) and not _take_up(run, work):
            if work.is_idle:
                return Result(work.done, work.asked, work.wait, work.why)
            look_at = now + NEW_CASES
        if not work.is_idle:
            findings = Findings()
            answers.listen(run, work, findings)
            answers.from_record(run, work, findings)
            _go_on(run, work, findings)
        run.progress("contacts", work.done, total)


def _hungry(work: Work, now: datetime) -> bool:
    """Could more be asked, if more cases were claimed?"""
    askable = [len(queue) for key, queue in work.queues.items() if work.not_before.get(key, now) <= now]
    return max(askable, default=0) < MOST_AT_HOST and len(work.lease) < MOST_HELD


# --- cases that are new to this run ----------------------------------------------------------------------------------


def _take_up(run: Resolving, work: Work) -> bool:
    """Claim more cases, settle those that need no question, and look up the rest; False if none is due."""
    if not work.blocks:
        with run.db.read() as connection:
            work.blocks.extend(store.due_blocks(connection, run.clock()))
    cases: list[store.DueCase] = []
    while work.blocks and len(cases) < run.unit:
        some = [work.blocks.popleft() for _ in range(min(len(work.blocks), 50))]
        with run.db.write() as connection:
            lease, claimed = store.claim_blocks(connection, run.worker_id, run.clock(), some)
        work.lease |= lease.claims
        cases += claimed
    if not cases:
        return False
    worth = run.worth(cases)
    special: dict[int, str] = {}
    by_address: dict[Address, list[int]] = defaultdict(list)
    for case in cases:
        address, why = lookup_address(case.address, allow_documentation=run.settings.allow_documentation)
        if case.id in worth and address is not None:
            by_address[address].append(case.id)
        elif case.id in worth:
            special[case.id] = why
    _settle_at_once(run, work, [case.id for case in cases if case.id not in worth], special, by_address)
    return True


def _settle_at_once(
    run: Resolving, work: Work, weak: list[int], special: Mapping[int, str], by_address: Mapping[Address, list[int]]
) -> None:
    now = run.clock()
    lease = Lease(run.worker_id, work.lease)
    left = sorted((address for address in by_address if address not in work.cases), key=int)
    for address, case_ids in by_address.items():
        before = work.cases[address]  # a word takes cases away from whoever holds them: they are claimed a second time
        before += [case for case in case_ids if case not in before]
    with run.db.write() as connection:
        _hear(connection, run, work, now)
        store.settle_special(connection, special, lease, now, BY)
        store.put_off(connection, weak, lease, now + LOOK_AGAIN)
        covered = _known(connection, run, left, now)
        covered |= _without_a_question(connection, run, [address for address in left if address not in covered], now)
        _settle(connection, run, work, covered, now)
    _forget(work, [*weak, *special])
    _look_into_dumps(run, work, [address for address in left if address not in covered], now)
    findings = Findings()
    for cell, addresses in groupby(left, lambda address: asking.cell_of(address, run.rules.caps)):
        new = [address for address in addresses if address not in covered]
        is_looked_up = bool(work.cells[cell])
        work.cells[cell] = sorted([*work.cells[cell], *new], key=int)
        if not is_looked_up:
            answers.begin(run, work, findings, cell)
    if findings:
        _go_on(run, work, findings)


def _hear(connection: Connection, run: Resolving, work: Work, now: datetime) -> None:
    """Go by what people say now: a run may take days, and what is under way was asked before the last word came."""
    words = overrides.revision(connection, now), routes.every(connection)
    if words != work.words:
        work.words = words
        work.overtaken.clear()
        run.rules.spoken.hear(overrides.in_force(connection, now))
        run.rules.routes.clear()
        run.rules.routes.update(words[1])


def _known(connection: Connection, run: Resolving, addresses: Sequence[Address], now: datetime) -> dict[Address, Known]:
    """Return the addresses that a known network answers for; one that a person's word made ends with that word."""
    blocks = {netblocks.block_of(address) for address in addresses}
    known = flat.narrowest(addresses, netblocks.known_in(connection, blocks, now))
    told = run.rules.spoken.told
    ended = {one.netblock_id for address, one in known.items() if serves.is_override(one) and told(address) is None}
    netblocks.end(connection, ended, now)
    return {address: one for address, one in known.items() if serves.still(one, address, run.rules)}


def _without_a_question(
    connection: Connection, run: Resolving, addresses: Sequence[Address], now: datetime
) -> dict[Address, Known]:
    """Settle what a person said, and what no registry answers for (RFC 9224 section 4): nobody need be asked."""
    learnt: dict[Address, Learnt] = {}
    for address in addresses:
        if (told := run.rules.spoken.told(address)) is not None:
            learnt[address] = _learnt(run, spoken.found(told, address), address, now)
        elif not servers.find(run.rules.registries.get(address.version, {}), address):
            said = NetworkAnswer(Outcome.NOT_FOUND, "no-registry", cached=(address, address))
            raw = Answer("bootstrap", 0, "", b"", now, requests=0)
            learnt[address] = Learnt(said, (), raw, now + run.settings.keep_negative)
    return dict(zip(learnt, netblocks.learn(connection, list(learnt.values()), now), strict=True))


def _settle(
    connection: Connection, run: Resolving, work: Work, covered: Mapping[Address, Known], now: datetime
) -> None:
    for address in covered:
        work.dumped.pop(address, None)
        run.rules.countries.pop(address, None)
    found = {
        case: settled
        for address, known in covered.items()
        for settled in [_settled(run, work, known, address, now)]
        for case in work.cases.pop(address)
    }
    store.settle(connection, found, Lease(run.worker_id, work.lease), now, BY)
    _forget(work, found)


def _settled(run: Resolving, work: Work, known: Known, address: Address, now: datetime) -> Settled:
    until = serves.until(known, address, run.rules)
    if serves.is_overtaken(known, address, run.rules) and address not in work.overtaken:
        work.overtaken.add(address)  # once: whatever comes of it then, a run must come to its end
        until = now
    best = serves.best(known, address, run.rules)
    if best is None:
        return Settled(known.netblock_id, None, None, _nobody(known.outcome), until)
    return Settled(known.netblock_id, best.id, best.contact_id, known.outcome, until)


def _nobody(outcome: Outcome) -> Outcome:
    return Outcome.NO_CONTACT if outcome is Outcome.CONTACTS else outcome


def _forget(work: Work, case_ids: Iterable[int]) -> None:
    for case in case_ids:
        del work.lease[case]
        work.done += 1


def _look_into_dumps(run: Resolving, work: Work, addresses: Sequence[Address], now: datetime) -> None:
    """Note what imported dumps say: a contact, so that the registry need not be asked, and the country."""
    if "dump" not in run.rules.chain:
        return
    with run.db.read() as connection:
        if not dump_store.holdings(connection):
            return
        keep = run.settings.keep
        found = dumps.answers(connection, addresses, now, run.rules.caps, keep)
        given = dumps.delegated(connection, addresses, now, keep)
    work.dumped |= {
        address: (one.answer, one.raw) for address, one in found.items() if one.answer.outcome is Outcome.CONTACTS
    }
    run.rules.countries.update({address: country for address, (_, country) in given.items() if country})


# --- what was found out ----------------------------------------------------------------------------------------------


def _go_on(run: Resolving, work: Work, findings: Findings) -> None:
    """Store what was found, take slots for questions in the same transaction, and hand these over."""
    now = run.clock()
    if not findings and not any(room(run, work, key, now) for key in work.queues):
        return
    began = Findings()
    with run.db.write() as connection:
        _store(connection, run, work, findings, began, now)
        later = run.clock()  # read once the lock is held: that may have taken long
        ready = list(reserve(connection, run, work, later))
    for pending, slot in ready:
        hand_over(run, work, pending, max((slot - run.clock()).total_seconds(), 0.0))
    if began:
        _go_on(run, work, began)


def _store(
    connection: Connection, run: Resolving, work: Work, findings: Findings, began: Findings, now: datetime
) -> None:
    """Write what was found, settle the cases that it covers, and go on with their cells."""
    for budget, until in findings.refused.items():
        budgets.postpone(connection, budget, until)
        work.not_before[budget] = max(until, work.not_before.get(budget, until))
    _hear(connection, run, work, now)
    kept_answers.keep(connection, findings.kept.values())
    touched = dict.fromkeys(look_up.cell for look_up, _ in findings.found)
    touched |= dict.fromkeys(look_up.cell for look_up in findings.ended)
    for cell in touched:
        work.under_look.pop(cell, None)
    covered = _learn(connection, run, work, findings, touched, now)
    _settle(connection, run, work, covered, now)
    _put_off(connection, run, work, findings, now)
    forget_dropped(work)
    for cell in touched:
        answers.begin(run, work, began, cell)


def _learn(
    connection: Connection,
    run: Resolving,
    work: Work,
    findings: Findings,
    touched: dict[Cell, None],
    now: datetime,
) -> dict[Address, Known]:
    """Store networks, and return the addresses that they answer for, the narrower network's before the wider one's."""
    found = [(look_up.address, one) for look_up, whole in findings.found for one in (whole, *whole.beside)]
    known = netblocks.learn(connection, [_learnt(run, one, address, now) for address, one in found], now)
    covered: dict[Address, Known] = {}
    for network in sorted(dict.fromkeys(known), key=lambda one: one.last - one.first):
        for bits in asking.cells_of(network, run.rules.caps):
            if (cell := (network.version, bits)) in work.cells:
                taken = asking.take(work.cells[cell], network)
                covered |= dict.fromkeys(taken, network)
                look_up = work.under_look.get(cell)
                if look_up is not None and look_up.address in taken:
                    look_up.dropped = True
                    del work.under_look[cell]
                    touched[cell] = None
    return covered


def _learnt(run: Resolving, found: Found, address: Address, now: datetime) -> Learnt:
    answer = found.answer
    usable = tuple(choose.usable(answer))
    keep = run.settings.keep if usable else run.settings.keep_negative
    if answer.cached is None:  # a definite "no such network": it speaks of this address alone
        answer = replace(answer, cached=(address, address))
    since = found.raw.at if any(step.kind is StepKind.DUMP for step in found.steps) else now
    ends = run.rules.spoken.ends((each.mailbox for each in answer.candidates), address)
    return Learnt(answer, usable, found.raw, min(since + keep, ends or since + keep), found.steps)


def _put_off(connection: Connection, run: Resolving, work: Work, findings: Findings, now: datetime) -> None:
    late: dict[datetime, list[int]] = defaultdict(list)
    for address, (cell, until) in findings.put_off.items():
        if address in work.cells[cell]:
            work.cells[cell].remove(address)
            late[until] += work.cases.pop(address)
    for until, case_ids in late.items():
        store.put_off(connection, case_ids, Lease(run.worker_id, work.lease), until)
        _forget(work, case_ids)
