"""Where a run of resolve stands: the cases it holds, the addresses to ask about, the questions and their slots.

Reads and writes: budgets, within the caller's transaction; questions go to two edges.  Safe to repeat: a question is handed
over after its slot was committed, and one that was lost with the process is asked again by whoever takes up its case.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pipeline.domain import Address, Clock, Progress, RdapQuestion, RdapReply, WhoisQuestion, WhoisReply, Wire
from pipeline.resolve import asking, servers
from pipeline.resolve.asking import Cell, Question
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import budgets
from pipeline.store import resolve as store
from pipeline.store.budgets import Limit, Reservation
from pipeline.store.db import Connection, Database
from pipeline.store.resolve import DueCase

AHEAD = timedelta(milliseconds=250)  # before its slot a question may be handed over: it cannot be called back
MOST_AT_HOST = 200  # questions under way to one server, where no rate keeps them fewer
MOST_UNDER_WAY = 500  # questions; an edge holds more


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

    def __post_init__(self) -> None:
        if asking.widest(self.caps, 4) < 16 or asking.widest(self.caps, 6) < 32:
            raise ValueError(
                "an answer that speaks for more than a /16 (v6 /32) would reach into another worker's block"
            )


@dataclass(frozen=True, slots=True)
class Resolving:
    """What one run is given.  `registries`: IANA's bootstrap files by IP version.  `worth`: may a case still reach its
    campaign's minimum level?  `patience`: what a registry makes us wait longer for is put off."""

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
class Work:
    """Where a run stands: the cases it holds, the addresses that nothing known answers for yet, the questions."""

    servers: Mapping[int, servers.Index]
    lease: dict[int, int] = field(default_factory=dict)  # case -> claim number
    cases: dict[Address, list[int]] = field(default_factory=lambda: defaultdict(list))  # by the address to look up
    cells: dict[Cell, list[Address]] = field(
        default_factory=lambda: defaultdict(list)
    )  # sorted; the first is asked about
    waiting: dict[str, deque[Question]] = field(default_factory=lambda: defaultdict(deque))  # by budget
    not_before: dict[str, datetime] = field(default_factory=dict)  # by budget: no slot is free earlier
    under_way: dict[int, tuple[str, Question]] = field(default_factory=dict)
    at_host: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    done: int = 0
    wait: datetime | None = None
    why: str = ""


def server(work: Work, address: Address) -> str:
    return servers.find(work.servers.get(address.version, {}), address)


def queue_next(run: Resolving, work: Work, cell: Cell) -> None:
    """Queue a question about the cell's first address, if any is left."""
    if not work.cells[cell]:
        del work.cells[cell]
        return
    address = work.cells[cell][0]
    base = server(work, address)
    queue(run, work, Question(address, f"{base.rstrip('/')}/ip/{address}", asking.registry_of(base)))


def queue(run: Resolving, work: Work, question: Question) -> None:
    work.waiting[_budget(run, question)].append(question)


def _budget(run: Resolving, question: Question) -> str:
    if question.said is not None:
        return f"whois:{run.settings.whois_hosts[question.registry][0]}"
    return f"rdap:{urlsplit(question.url).hostname or ''}"


def _limit(run: Resolving, key: str) -> Limit:
    kind, _, host = key.partition(":")
    rate = run.settings.whois_rate if kind == "whois" else run.settings.rates.get(host, run.settings.rate)
    return Limit(key, rate, run.settings.per_day.get(host, 0))


def room(work: Work, key: str, now: datetime) -> int:
    """Return how many questions of a budget may be handed over, if it has slots for them."""
    if work.not_before.get(key, now) > now:
        return 0
    free = min(MOST_AT_HOST - work.at_host[key], MOST_UNDER_WAY - len(work.under_way))
    return max(min(free, len(work.waiting[key])), 0)


def reserve(
    connection: Connection, run: Resolving, work: Work, now: datetime
) -> Iterator[tuple[str, Question, datetime]]:
    """Yield the questions that have a slot, each with its time, and note when the other budgets have one."""
    limits = [_limit(run, key) for key in work.waiting if room(work, key, now)]
    paused = store.paused(connection, [limit.key for limit in limits if not limit.per_second], now)
    work.not_before |= paused
    under_way = len(work.under_way)
    for limit in limits:
        count = min(room(work, limit.key, now), MOST_UNDER_WAY - under_way)
        reservation = budgets.reserve(connection, [limit], count, now, AHEAD) if count > 0 else Reservation(())
        if reservation.wait is not None:
            work.not_before[limit.key] = reservation.wait
        under_way += len(reservation.slots)
        for slot in reservation.slots:
            yield limit.key, work.waiting[limit.key].popleft(), slot
        if not work.waiting[limit.key]:
            del work.waiting[limit.key]


def hand_over(run: Resolving, work: Work, budget: str, question: Question, delay: float) -> None:
    work.asked += 1
    work.at_host[budget] += 1
    work.under_way[work.asked] = (budget, question)
    if question.said is None:
        run.rdap.ask(RdapQuestion(work.asked, question.url, delay))
    else:
        host, port = run.settings.whois_hosts[question.registry]
        run.whois.ask(WhoisQuestion(work.asked, host, port, asking.whois_text(question), delay))
