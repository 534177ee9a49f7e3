"""Figures of where everything stands: from observations to attempts, and what the stages wait for.

Reads only.  Figures are counted when they are asked for, by GROUP BY over columns that stand in one index each; what
might be long is counted or cut, never listed.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from pipeline.domain import CaseState, LetterState, Verdict, WaveState
from pipeline.store.db import rows
from pipeline.store.plan import UNFINISHED
from pipeline.store.send import DUE, WINDOW
from pipeline.store.tables import (
    approvals,
    attempts,
    budgets,
    campaigns,
    cases,
    contacts,
    letters,
    notice_cases,
    notices,
    snapshots,
    targets,
    waves,
)
from pipeline.store.verify import CHECKED_STATES

Rows = list[dict[str, Any]]

DOMAIN_BUDGETS = "mail:domain:"  # one for each recipient domain
UNNAMED_PROVIDERS = "mail:mx:%.%"  # one for each domain that mail servers are in
LIMIT = "limit:"  # begins the reason of a letter that waits for a limit of its own
LIMITS = 5  # of one wave that are told one by one


def deliveries(connection: Connection) -> Rows:
    """Return snapshots by verdict: how many, their observations, rejects, and the oldest of them."""
    columns = (snapshots.c.observations, snapshots.c.rejects)
    sums = (func.coalesce(func.sum(column), 0).label(column.name) for column in columns)
    query = select(
        snapshots.c.verdict, func.count().label("snapshots"), *sums, func.min(snapshots.c.id).label("oldest")
    )
    found = rows(connection, query.group_by(snapshots.c.verdict).order_by(snapshots.c.verdict))
    return [{**row, "observations": int(row["observations"]), "rejects": int(row["rejects"])} for row in found]


def target_count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(targets)).scalar_one())


def cases_by_state(connection: Connection, campaign_ids: Collection[int]) -> Rows:
    """Return how many cases of these campaigns are in each state with each exposure."""
    columns = (cases.c.campaign_id, cases.c.state, cases.c.exposure)
    query = select(*columns, func.count().label("cases")).where(cases.c.campaign_id.in_(list(campaign_ids)))
    return rows(connection, query.group_by(*columns).order_by(*columns))


def cases_due(connection: Connection, now: datetime) -> dict[str, tuple[int, datetime | None]]:
    """Return for `resolve` and `verify`: how many cases are due now, and when the next one is."""
    stages = {"resolve": [CaseState.SEEN.value], "verify": list(CHECKED_STATES)}
    due = {}
    for stage, states in stages.items():
        mine = cases.c.state.in_(states)
        count = connection.execute(select(func.count()).where(mine, cases.c.due_at <= now)).scalar_one()
        later = connection.execute(select(func.min(cases.c.due_at)).where(mine, cases.c.due_at > now)).scalar()
        due[stage] = (int(count), later)
    return due


def contacts_by_state(connection: Connection) -> dict[str, int]:
    return _pairs(connection, select(contacts.c.state, func.count()).group_by(contacts.c.state))


def notice_count(connection: Connection, campaign_ids: Collection[int]) -> int:
    query = select(func.count()).where(notices.c.campaign_id.in_(list(campaign_ids)))
    return int(connection.execute(query).scalar_one())


def letters_by_state(connection: Connection, wave_ids: Collection[int], now: datetime) -> Rows:
    """Return for each wave and state of its letters: how many, how many of them are due, and when the next one is.

    Of those that wait for a window `shut` tells, of those that wait for a limit of their own `limited`.
    """
    due = and_(letters.c.state.in_([LetterState.APPROVED.value, LetterState.DEFERRED.value]), letters.c.due_at <= now)
    query = select(
        letters.c.wave_id,
        letters.c.state,
        func.count().label("letters"),
        func.count().filter(due).label("due"),
        func.min(letters.c.due_at).filter(letters.c.due_at > now, ~_shut(now), ~_limited(now)).label("next_at"),
    ).where(letters.c.wave_id.in_(list(wave_ids)))
    return rows(connection, query.group_by(letters.c.wave_id, letters.c.state).order_by("wave_id", "state"))


def shut(connection: Connection, wave_ids: Collection[int], now: datetime) -> Rows:
    """Return for each of these waves whose letters wait for a window: how many do, and when the first window opens."""
    query = select(
        letters.c.wave_id, func.count().label("letters"), func.min(letters.c.due_at).label("opens_at")
    ).where(letters.c.wave_id.in_(list(wave_ids)), _shut(now))
    return rows(connection, query.group_by(letters.c.wave_id).order_by("wave_id"))


def _shut(now: datetime) -> ColumnElement[bool]:
    """The condition that a letter waits until people where it goes are at work (store/send.py put_off)."""
    return and_(letters.c.state == LetterState.APPROVED, letters.c.reason == WINDOW, letters.c.due_at > now)


def limited(connection: Connection, wave_ids: Collection[int], now: datetime) -> Rows:
    """Return for each of these waves which limits letters of it wait for: how many do, and when the first one is due.

    Of many limits (each domain may have one) those that most letters wait for; the rest come together, without a reason.
    """
    columns = (letters.c.wave_id, letters.c.reason)
    counts = (func.count().label("letters"), func.min(letters.c.due_at).label("next_at"))
    query = select(*columns, *counts).where(letters.c.wave_id.in_(list(wave_ids)), _limited(now))
    found: dict[int, Rows] = {}
    for row in rows(connection, query.group_by(*columns).order_by(letters.c.wave_id, func.count().desc(), "reason")):
        listed = found.setdefault(row["wave_id"], [])
        if len(listed) < LIMITS:
            listed.append(row)
        elif len(listed) == LIMITS:
            listed.append({**row, "reason": ""})
        else:
            rest = listed[-1]
            listed[-1] = rest | {
                "letters": rest["letters"] + row["letters"],
                "next_at": min(rest["next_at"], row["next_at"]),
            }
    return [row for listed in found.values() for row in listed]


def _limited(now: datetime) -> ColumnElement[bool]:
    """The condition that a letter waits for a limit of its own (store/turns.py put_back)."""
    return and_(letters.c.state.in_(DUE), letters.c.reason.startswith(LIMIT), letters.c.due_at > now)


def withheld(connection: Connection, wave_ids: Collection[int]) -> Rows:
    """Return the letters of these waves that were withdrawn, by reason."""
    query = select(letters.c.campaign_id, letters.c.reason, func.count().label("letters")).where(
        letters.c.wave_id.in_(list(wave_ids)), letters.c.state == LetterState.WITHDRAWN.value
    )
    return rows(connection, query.group_by(letters.c.campaign_id, letters.c.reason).order_by("campaign_id", "reason"))


def uncertain(connection: Connection, wave_ids: Collection[int]) -> int | None:
    """Return the first letter of which nobody knows whether it arrived, or None."""
    unknown = and_(letters.c.wave_id.in_(list(wave_ids)), letters.c.state == LetterState.UNCERTAIN.value)
    return connection.execute(select(func.min(letters.c.id)).where(unknown)).scalar()


def attempts_by_outcome(connection: Connection, wave_ids: Collection[int]) -> dict[str, int]:
    """Return the attempts at letters of these waves by outcome; an empty outcome is one under way."""
    query = select(attempts.c.outcome, func.count()).select_from(letters.join(attempts))
    return _pairs(connection, query.where(letters.c.wave_id.in_(list(wave_ids))).group_by(attempts.c.outcome))


def cases_under_way(connection: Connection, campaign_ids: Collection[int]) -> dict[int, int]:
    """Return {campaign: cases that stand in a notice of a wave that is not done}."""
    query = (
        select(notices.c.campaign_id, func.count())
        .select_from(notices)
        .join(notice_cases, notice_cases.c.notice_id == notices.c.id)
        .join(waves, waves.c.id == notices.c.wave_id)
        .join(cases, cases.c.id == notice_cases.c.case_id)
        .where(
            waves.c.campaign_id.in_(list(campaign_ids)),
            waves.c.state.in_(UNFINISHED),
            notice_cases.c.dropped_at.is_(None),
            cases.c.state == CaseState.RESOLVED.value,
        )
        .group_by(notices.c.campaign_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def campaigns_open(connection: Connection, name: str) -> Rows:
    """Return the campaigns that are not closed, or the one of that name."""
    columns = ("id", "name", "mode", "topics", "minimum_level", "created_at", "closed_at")
    query = select(*(campaigns.c[column] for column in columns)).order_by(campaigns.c.id)
    return rows(connection, query.where(campaigns.c.name == name if name else campaigns.c.closed_at.is_(None)))


def waves_of(connection: Connection, campaign_ids: Collection[int]) -> Rows:
    """Return the campaigns' waves, each with the people who accepted and who rejected it as it stands."""
    columns = ("id", "campaign_id", "number", "kind", "state", "manifest_sha256", "created_at")
    query = select(*(waves.c[column] for column in columns), campaigns.c.name.label("campaign"), campaigns.c.mode)
    query = (
        query.select_from(waves.join(campaigns)).where(waves.c.campaign_id.in_(list(campaign_ids))).order_by(waves.c.id)
    )
    found = rows(connection, query)
    rendered = [row["id"] for row in found if row["state"] == WaveState.RENDERED]
    words = select(approvals.c.wave_id, approvals.c.by, approvals.c.accepted).select_from(approvals.join(waves))
    words = words.where(approvals.c.wave_id.in_(rendered), approvals.c.manifest_sha256 == waves.c.manifest_sha256)
    said: dict[int, tuple[set[str], set[str]]] = {row["id"]: (set(), set()) for row in found}
    for word in connection.execute(words):
        said[word.wave_id][0 if word.accepted else 1].add(word.by)
    return [
        {**row, "accepted_by": sorted(said[row["id"]][0]), "rejected_by": sorted(said[row["id"]][1])} for row in found
    ]


def budgets_in_use(connection: Connection) -> Rows:
    """Return every budget but those of single recipient domains, and of providers without a name, which are many."""
    many = or_(budgets.c.key.startswith(DOMAIN_BUDGETS), budgets.c.key.like(UNNAMED_PROVIDERS))
    return rows(connection, select(budgets).where(~many).order_by(budgets.c.key))


def domains_waiting(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Return how many recipient domains have no slot now, and when the next one has."""
    waiting = and_(budgets.c.key.startswith(DOMAIN_BUDGETS), budgets.c.next_at > now)
    row = connection.execute(select(func.count(), func.min(budgets.c.next_at)).where(waiting)).one()
    return int(row[0]), row[1]


def held_deliveries(connection: Connection) -> list[int]:
    """Return the first deliveries that are held back."""
    query = select(snapshots.c.id).where(snapshots.c.verdict == Verdict.HELD.value).order_by(snapshots.c.id).limit(10)
    return list(connection.execute(query).scalars())


def _pairs(connection: Connection, query: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}
