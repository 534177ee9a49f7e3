"""Plan a wave: which contacts get a first notice now, about which cases.

Reads: cases RESOLVED whose exposure is open, contacts, suppressions, exclusions.  Writes: a wave PLANNED, its notices and
notice_cases, in one transaction.  Safe to repeat: a contact that has a notice under way gets no second one.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from pipeline.domain import Clock, ContactState, EvidenceLevel, RefusedBySafety
from pipeline.follow.plan import Plan, Waiting, plan, shortest_time
from pipeline.store import plan as store
from pipeline.store import send as stops
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Limits that a wave is planned for; the approval binds to them."""

    fresh_for: timedelta
    rate: float
    per_day: int
    most_letters: int = 0  # 0: all that are ready


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned.  `wave_id` 0: nothing was ready, and no wave was made."""

    wave_id: int
    number: int
    letters: int
    cases: int
    left_out: Counter[str]
    takes: timedelta


def plan_wave(
    db: Database,
    campaign_id: int,
    order_seed: str,
    minimum: int,
    settings: PlanSettings,
    keys: Keys,
    *,
    clock: Clock,
    by: str,
) -> Planned:
    """Make the campaign's next wave of first notices.

    Raises RefusedBySafety if the limits cannot send it while its evidence is fresh.
    """
    with db.write() as connection:
        now = clock()
        waiting = list(_waiting(connection, campaign_id, clock))
        order = {case.contact_id: keys.order(order_seed, case.contact_id) for case in waiting}
        made = plan(
            waiting,
            order,
            minimum=EvidenceLevel(minimum),
            now=now,
            fresh_for=settings.fresh_for,
            most_letters=settings.most_letters,
        )
        takes = _in_time(made, settings)
        if not made.notices:
            return Planned(0, 0, 0, 0, made.left_out, takes)
        limits = {
            "rate": settings.rate,
            "per_day": settings.per_day,
            "fresh_for_seconds": int(settings.fresh_for.total_seconds()),
            "letters": len(made.notices),
        }
        number = store.next_number(connection, campaign_id)
        wave_id = store.add_wave(connection, campaign_id, number, "first", limits, now, by)
        lines = {
            contact: [(c.case_id, c.check_id, int(c.level), c.quoted) for c in cases]
            for contact, cases in made.notices.items()
        }
        store.add_notices(connection, wave_id, campaign_id, lines, order, keys)
    return Planned(wave_id, number, len(made.notices), made.cases, made.left_out, takes)


def _waiting(connection: Connection, campaign_id: int, clock: Clock) -> list[Waiting]:
    found = list(store.waiting(connection, campaign_id))
    mailboxes = sorted({row["mailbox"] for row in found})
    suppressed = stops.suppressed(connection, mailboxes)
    quiet = stops.suppressed_ranges(connection)
    excluded = stops.excluded_ranges(connection, clock())
    return [
        Waiting(
            row["id"],
            row["contact_id"],
            row["check_id"],
            store.quoted(row["transcript"]),
            EvidenceLevel(row["level"] or 0),
            row["exposure_at"],
            row["contact_state"] == ContactState.DEAD,
            row["mailbox"] in suppressed or stops.within(row["address"], quiet),
            stops.within(row["address"], excluded),
            bool(row["told"]),
        )
        for row in found
    ]


def _in_time(made: Plan, settings: PlanSettings) -> timedelta:
    takes = shortest_time(len(made.notices), settings.rate, settings.per_day)
    if takes > settings.fresh_for:
        fitting = int(len(made.notices) * (settings.fresh_for / takes))
        raise RefusedBySafety(
            f"{len(made.notices)} letters take {takes} at the limits set",
            f"their evidence may not be older than {settings.fresh_for} when they leave",
            f"Plan at most {fitting} letters with --most, or raise mail.rate or mail.per_day.",
        )
    return takes
