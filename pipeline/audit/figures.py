"""Figures for monitoring: gauges and counters, each with its labels, made from what a status counts.

Pure.  Labels have values from closed lists (states, outcomes, kinds of holds) or from the settings (campaigns, limits), at
most `MOST` of each; mailboxes, domains of recipients and addresses are in none of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.audit.waits import Budget, Figures
from pipeline.domain import CaseState, Exposure, LetterState

MOST = 100
OUTCOMES = ("accepted", "handed", "deferred", "refused", "uncertain", "released", "abandoned")
SCOPES = ("mailbox", "domain", "wave", "campaign")  # the narrowest that a hold names decides
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Further:
    """What a status does not count (store/figures.py)."""

    attempts: Mapping[str, int]
    oldest_due: datetime | None
    heartbeats: Sequence[tuple[int, bool, datetime]]
    last_seal: datetime | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: its name without a prefix, what it is, whether it only ever grows, and its values by labels."""

    name: str
    text: str
    values: Sequence[tuple[Labels, float]]
    counter: bool = False


def measures(counted: Figures, further: Further, budgets: Iterable[Budget], now: datetime) -> Iterator[Measure]:
    """Yield every figure; times are seconds since 1970, lengths of time are seconds."""
    names = {row["id"]: row["name"] for row in counted.campaigns[-MOST:]}
    yield Measure("letters", "Letters of open campaigns by state.", _letters(counted, names))
    yield Measure("cases", "Cases of open campaigns by state and exposure.", _cases(counted, names))
    ended = [({"outcome": o}, further.attempts.get(o, 0)) for o in OUTCOMES]
    yield Measure("attempts", "Delivery attempts that have ended, by outcome.", ended, counter=True)
    yield Measure("attempts_under_way", "Delivery attempts under way.", [({}, further.attempts.get("", 0))])
    yield Measure("holds", "Holds in force, by what they cover.", _holds(counted))
    yield from _limits(list(budgets)[:MOST])
    waiting = counted.domains_waiting[0]
    yield Measure("recipient_domains_waiting", "Recipient domains whose limit has no slot now.", [({}, waiting)])
    age = max((now - further.oldest_due).total_seconds(), 0.0) if further.oldest_due is not None else 0.0
    yield Measure("oldest_due_letter_age_seconds", "How long the oldest letter that is due has waited.", [({}, age)])
    beats = [
        ({"worker": str(worker), "planner": "yes" if planner else "no"}, at.timestamp())
        for worker, planner, at in further.heartbeats[:MOST]
    ]
    yield Measure("worker_heartbeat_timestamp_seconds", "The last heartbeat of each worker that has not ended.", beats)
    sealed: list[tuple[Labels, float]] = []
    if further.last_seal is not None:
        sealed.append(({}, further.last_seal.timestamp()))
    yield Measure("last_seal_timestamp_seconds", "When the event log was sealed last.", sealed)


def _letters(counted: Figures, names: Mapping[int, str]) -> list[tuple[Labels, float]]:
    campaigns = {row["id"]: row["campaign_id"] for row in counted.waves}
    sums = {(name, state.value): 0 for name in names.values() for state in LetterState}
    for row in counted.letters:
        name = names.get(campaigns.get(row["wave_id"], 0))
        if name is not None:
            sums[name, row["state"]] += row["letters"]
    return [({"campaign": name, "state": state}, count) for (name, state), count in sums.items()]


def _cases(counted: Figures, names: Mapping[int, str]) -> list[tuple[Labels, float]]:
    known = ({one.value for one in CaseState}, {one.value for one in Exposure})
    return [
        ({"campaign": names[row["campaign_id"]], "state": row["state"], "exposure": row["exposure"]}, row["cases"])
        for row in counted.cases
        if row["campaign_id"] in names and row["state"] in known[0] and row["exposure"] in known[1]
    ]


def _holds(counted: Figures) -> list[tuple[Labels, float]]:
    sums = dict.fromkeys((*SCOPES, "everything"), 0)
    for hold in counted.holds:
        sums[next((scope for scope in SCOPES if hold[scope]), "everything")] += 1
    return [({"scope": scope}, count) for scope, count in sums.items()]


def _limits(budgets: Sequence[Budget]) -> Iterator[Measure]:
    """Yield what is used of the limits, those of single recipient domains left out."""
    found = [budget for budget in budgets if not budget.key.startswith("mail:domain:")]
    used = [({"limit": budget.key}, budget.used) for budget in found if budget.per_day]
    yield Measure("limit_used_today", "Acts of this UTC day under a limit that has a quota.", used)
    quotas = [({"limit": budget.key}, budget.per_day) for budget in found if budget.per_day]
    yield Measure("limit_per_day", "The quota of a UTC day.", quotas)
    nexts = [({"limit": budget.key}, budget.until.timestamp() if budget.until else 0.0) for budget in found]
    yield Measure("limit_next_slot_timestamp_seconds", "When a limit has a slot again; 0: it has one now.", nexts)
