"""Find the abuse contact of every address that has a case and none yet.

Reads: cases SEEN and due, networks that were answered before, registries through two edges (RDAP, then WHOIS where RDAP
gives no contact or refuses).  Writes: raw answers, netblocks, candidates with the reason kept, cases' contacts and states.
Safe to repeat: an answered network is not asked again while its answer holds; cases are claimed by whole /16s (v6 /32s), so
that two workers never ask for one network.  Standards: RFC 9224, 9082, 9083; RFC 3912.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, TryAgain
from pipeline.resolve import asking, servers
from pipeline.resolve.answers import Findings, listen
from pipeline.resolve.asking import Cell
from pipeline.resolve.space import lookup_address
from pipeline.resolve.work import MOST_AT_HOST, Work, hand_over, queue_next, reserve, room, server
from pipeline.resolve.work import ResolveSettings as ResolveSettings
from pipeline.resolve.work import Resolving as Resolving
from pipeline.store import budgets, netblocks
from pipeline.store import resolve as store
from pipeline.store.db import Connection
from pipeline.store.lives import Lease
from pipeline.store.netblocks import Known, Learnt

BY = "tocsin"
UNIT = 2_000  # cases claimed at once, rounded up to whole blocks
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

    Raises TryAgain if a bootstrap file is none: from it would follow that nobody answers for any address.
    """
    for version, file in run.registries.items():
        if not isinstance(file.get("services"), list):
            raise TryAgain(f"The registry of registries for IPv{version} cannot be used", "it has no list of services")
    work = Work({version: servers.index(file, version) for version, file in run.registries.items()})
    with run.db.read() as connection:
        total = store.due_count(connection, run.clock())
    look_at = run.clock()
    while True:
        now = run.clock()
        idle = not (work.waiting or work.under_way)
        if (idle or (now >= look_at and _hungry(work, now))) and not _take_up(run, work):
            if idle:
                return Result(work.done, work.asked, work.wait, work.why)
            look_at = now + NEW_CASES
        if work.waiting or work.under_way:
            _go_on(run, work, listen(run, work))
        run.progress("contacts", work.done, total)


def _hungry(work: Work, now: datetime) -> bool:
    """Could more be asked, if more cases were claimed?"""
    askable = [len(queue) for key, queue in work.waiting.items() if work.not_before.get(key, now) <= now]
    return max(askable, default=0) < MOST_AT_HOST and len(work.lease) < MOST_HELD


# --- cases that are new to this run ----------------------------------------------------------------------------------


def _take_up(run: Resolving, work: Work) -> bool:
    """Claim more cases, settle those that need no question, and queue questions for the rest; False if none is due."""
    with run.db.write() as connection:
        lease, cases = store.claim_blocks(connection, run.worker_id, run.clock(), UNIT)
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
    work.lease |= lease.claims
    _settle_at_once(run, work, [case.id for case in cases if case.id not in worth], special, by_address)
    return True


def _settle_at_once(
    run: Resolving, work: Work, weak: list[int], special: Mapping[int, str], by_address: Mapping[Address, list[int]]
) -> None:
    now = run.clock()
    lease = Lease(run.worker_id, work.lease)
    left = sorted((address for address in by_address if address not in work.cases), key=int)
    for address, case_ids in by_address.items():
        work.cases[address] += case_ids
    blocks = {netblocks.block_of(address) for address in left}
    with run.db.write() as connection:
        store.settle_special(connection, special, lease, now, BY)
        store.put_off(connection, weak, lease, now + LOOK_AGAIN)
        covered = asking.narrowest(left, netblocks.known_in(connection, blocks, now))
        orphans = [address for address in left if address not in covered and not server(work, address)]
        learnt = [_orphan(run, address, now) for address in orphans]
        covered |= zip(orphans, netblocks.learn(connection, learnt, now), strict=True)
        _settle(connection, run, work, covered, now)
    _forget(work, [*weak, *special])
    for cell, addresses in groupby(left, lambda address: asking.cell_of(address, run.settings.caps)):
        new = [address for address in addresses if address not in covered]
        is_asked = bool(work.cells[cell])
        work.cells[cell] = sorted([*work.cells[cell], *new], key=int)
        if not is_asked:
            queue_next(run, work, cell)


def _orphan(run: Resolving, address: Address, now: datetime) -> Learnt:
    """No registry answers for the address (RFC 9224 section 4): a definite answer without a question."""
    said = NetworkAnswer(Outcome.NOT_FOUND, "no-registry", cached=(address, address))
    return Learnt(said, (), Answer("bootstrap", 0, "", b"", now, requests=0), now + run.settings.keep_negative)


def _settle(
    connection: Connection, run: Resolving, work: Work, covered: Mapping[Address, Known], now: datetime
) -> None:
    found = {case: known for address, known in covered.items() for case in work.cases.pop(address)}
    store.settle(connection, found, Lease(run.worker_id, work.lease), now, BY)
    _forget(work, found)


def _forget(work: Work, case_ids: Iterable[int]) -> None:
    for case in case_ids:
        del work.lease[case]
        work.done += 1


# --- what was found out ----------------------------------------------------------------------------------------------


def _go_on(run: Resolving, work: Work, findings: Findings) -> None:
    """Store what was found, take slots for questions in the same transaction, and hand these over."""
    now = run.clock()
    if not findings and not any(room(work, key, now) for key in work.waiting):
        return
    with run.db.write() as connection:
        _store(connection, run, work, findings, now)
        ready = list(reserve(connection, run, work, now))
    for key, question, slot in ready:
        hand_over(run, work, key, question, max((slot - now).total_seconds(), 0.0))


def _store(connection: Connection, run: Resolving, work: Work, findings: Findings, now: datetime) -> None:
    """Write what was found, settle the cases that it covers, and go on with their cells."""
    for budget, until in findings.refused.items():
        budgets.postpone(connection, budget, until)
    cells: dict[Cell, None] = {}
    covered: dict[Address, Known] = {}
    known = netblocks.learn(connection, [learnt for _, learnt in findings.learnt], now)
    for (address, _), network in zip(findings.learnt, known, strict=True):
        cells[cell := asking.cell_of(address, run.settings.caps)] = None
        covered |= dict.fromkeys(asking.take(work.cells[cell], network), network)
    _settle(connection, run, work, covered, now)
    late: dict[datetime, list[int]] = defaultdict(list)
    for address, until in findings.put_off.items():
        cells[cell := asking.cell_of(address, run.settings.caps)] = None
        work.cells[cell].remove(address)
        late[until] += work.cases.pop(address)
    for until, case_ids in late.items():
        store.put_off(connection, case_ids, Lease(run.worker_id, work.lease), until)
        _forget(work, case_ids)
    for cell in cells:
        queue_next(run, work, cell)
