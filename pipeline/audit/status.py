"""Count where everything stands.

Reads: every table that has a state, in one transaction, by indexes.  Writes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.audit.record import plain_row
from pipeline.audit.waits import Figures, StatusSettings, budgets, waits
from pipeline.domain import NotFound
from pipeline.store import brakes, holds
from pipeline.store import status as store
from pipeline.store.db import Connection


def figures(connection: Connection, campaign: str, now: datetime) -> Figures:
    """Return the figures of one campaign, or of all that are not closed (empty name).  Raises NotFound.

    Deliveries, targets, contacts, holds, limits and what is due are counted over everything in either case.
    """
    campaigns = store.campaigns_open(connection, campaign)
    if campaign and not campaigns:
        raise NotFound(f"There is no campaign called {campaign}", "", "Run: tocsin campaign list")
    ids = [row["id"] for row in campaigns]
    waves = store.waves_of(connection, ids)
    wave_ids = [row["id"] for row in waves]
    return Figures(
        deliveries=store.deliveries(connection),
        targets=store.target_count(connection),
        campaigns=campaigns,
        cases=store.cases_by_state(connection, ids),
        due=store.cases_due(connection, now),
        under_way=store.cases_under_way(connection, ids),
        contacts=store.contacts_by_state(connection),
        notices=store.notice_count(connection, ids),
        waves=waves,
        letters=store.letters_by_state(connection, wave_ids, now),
        shut=store.shut(connection, wave_ids, now),
        limited=store.limited(connection, wave_ids, now),
        withheld=store.withheld(connection, wave_ids),
        uncertain=store.uncertain(connection, wave_ids),
        attempts=store.attempts_by_outcome(connection, wave_ids),
        holds=holds.held(connection),
        held_deliveries=store.held_deliveries(connection),
        budgets=store.budgets_in_use(connection),
        domains_waiting=store.domains_waiting(connection, now),
        warnings=brakes.warnings(connection, [row["campaign_id"] for row in waves if row["state"] == "sending"]),
    )


def funnel(counted: Figures) -> dict[str, Any]:
    """Return the figures from observations to attempts, each stage by state.  Pure."""
    totals: dict[str, Counter[str]] = {name: Counter() for name in ("state", "exposure", "letter")}
    for row in counted.cases:
        totals["state"][row["state"]] += row["cases"]
        totals["exposure"][row["exposure"]] += row["cases"]
    for row in counted.letters:
        totals["letter"][row["state"]] += row["letters"]
    return {
        "observations": _observations(counted),
        "targets": counted.targets,
        "cases": {"by_state": dict(totals["state"]), "by_exposure": dict(totals["exposure"])},
        "contacts": dict(counted.contacts),
        "notices": counted.notices,
        "letters": dict(totals["letter"]),
        "attempts": {outcome or "under_way": count for outcome, count in counted.attempts.items()},
    }


def _observations(counted: Figures) -> Mapping[str, int]:
    return {row["verdict"]: row["observations"] for row in counted.deliveries}


def plain(counted: Figures, settings: StatusSettings, now: datetime) -> dict[str, Any]:
    """Return a status for JSON: the funnel, the campaigns, their waves, the limits, and what waits."""
    return {
        "at": now,
        "funnel": funnel(counted),
        "deliveries": [dict(row) for row in counted.deliveries],
        "campaigns": [
            {
                **plain_row(dict(campaign)),
                "cases": [
                    {key: value for key, value in row.items() if key != "campaign_id"}
                    for row in counted.cases
                    if row["campaign_id"] == campaign["id"]
                ],
            }
            for campaign in counted.campaigns
        ],
        "waves": [
            {
                **plain_row(dict(wave)),
                "letters": {row["state"]: row["letters"] for row in counted.letters if row["wave_id"] == wave["id"]},
            }
            for wave in counted.waves
        ],
        "limits": [asdict(budget) for budget in budgets(counted, settings, now)],
        "holds": [dict(row) for row in counted.holds],
        "waits": [
            {"code": w.code, **w.values, "command": w.command, "at": w.at} for w in waits(counted, settings, now)
        ],
    }
