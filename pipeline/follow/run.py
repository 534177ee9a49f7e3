"""Plan a wave: which contacts get a notice now, about which cases.

Reads: cases RESOLVED whose exposure is open, contacts and what they asked for, suppressions, exclusions.  Writes: a wave
PLANNED, its notices and notice_cases, in one transaction.  Safe to repeat: a contact that has a notice of that kind under
way gets no second one; of two that plan at once, the second looks again who has been told.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.domain import Clock, ContactState, EvidenceLevel, RefusedBySafety
from pipeline.follow.plan import FIRST, OTHERS, Plan, Waiting, plan, shortest_time
from pipeline.store import events, preferences, routes
from pipeline.store import plan as store
from pipeline.store import send as stops
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys
from pipeline.store.preferences import Preference
from pipeline.store.routes import Way

NO_WISH = Preference()


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """Limits that a wave is planned for; the approval binds to them.

    `windows` returns how long letters, counted by country, take from a time at least if each leaves in its window; None:
    they may leave at any time.
    """

    fresh_for: timedelta
    rate: float
    per_day: int
    most_letters: int = 0  # 0: all that are ready
    windows: Callable[[Mapping[str, int], datetime], timedelta] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned.  `wave_id` 0: nothing was ready, and no wave was made.

    `takes` is the least time that the limits leave for it, `in_windows` the least with the windows of its recipients (zero:
    none are set); what is stale when its window opens stays behind, for a later wave.
    """

    wave_id: int
    number: int
    letters: int
    cases: int
    left_out: Counter[str]
    takes: timedelta
    in_windows: timedelta = timedelta(0)


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
    kind: str = FIRST,
) -> Planned:
    """Make the campaign's next wave: of first notices, or of notices to others than the networks' own contacts.

    Raises RefusedBySafety if the limits cannot send it while its evidence is fresh, or the campaign is closed.
    """
    now = clock()
    copies = _copies(db, now) if kind == OTHERS else {}
    with db.read() as connection:
        void, waiting = _waiting(connection, campaign_id, now, kind, copies)
    order = {case.contact_id: keys.order(order_seed, case.contact_id) for case in waiting}
    level, most = EvidenceLevel(minimum), settings.most_letters
    made = plan(waiting, order, minimum=level, now=now, fresh_for=settings.fresh_for, most_letters=most, kind=kind)
    if void:
        made.left_out["stale"] += void
    takes = _in_time(made, settings)
    if not made.notices:
        return Planned(0, 0, 0, 0, made.left_out, takes)
    with db.write() as connection:
        store.lock_campaign(connection, campaign_id)
        for contact in made.notices.keys() & store.told(connection, campaign_id, kind):  # by another planner, meanwhile
            made.left_out["contact_told_before"] += len(made.notices.pop(contact))
        if not made.notices:
            return Planned(0, 0, 0, 0, made.left_out, takes)
        number = store.next_number(connection, campaign_id)
        limits = _limits(settings, len(made.notices))
        wave_id = store.add_wave(connection, campaign_id, number, kind, limits, now, by)
        lines = {
            contact: [(case.case_id, case.check_id, int(case.level), case.quoted) for case in cases]
            for contact, cases in made.notices.items()
        }
        store.add_notices(connection, wave_id, campaign_id, lines, order, keys)
    in_windows = settings.windows(made.countries, now) if settings.windows is not None else timedelta(0)
    return Planned(wave_id, number, len(made.notices), made.cases, made.left_out, takes, in_windows)


def _limits(settings: PlanSettings, letters: int) -> dict[str, Any]:
    return {
        "rate": settings.rate,
        "per_day": settings.per_day,
        "fresh_for_seconds": int(settings.fresh_for.total_seconds()),
        "letters": letters,
    }


def _copies(db: Database, now: datetime) -> dict[str, int]:
    """Return the countries whose CERT gets a copy of all: country -> contact of the CERT, which is made if it is new."""
    with db.read() as connection:
        certs = {country: one.mailbox for country, one in routes.every(connection).items() if one.kind is Way.COPY}
    if not certs:
        return {}
    with db.write() as connection:
        return {country: preferences.keep_contact(connection, box, box, now) for country, box in certs.items()}


def _waiting(
    connection: Connection, campaign_id: int, now: datetime, kind: str, copies: Mapping[str, int]
) -> tuple[int, list[Waiting]]:
    """Return how many cases rest on a report that was taken back since, and the others as the plan sees them."""
    found = store.waiting(connection, campaign_id)
    if copies:
        found += store.copied(connection, campaign_id, copies)
    wishes = preferences.of_many(connection, {row["contact_id"] for row in found}, now)
    last = store.last_letters(connection, [contact for contact, wish in wishes.items() if wish.cadence_days])
    gone = store.taken_back(connection)
    suppressed = stops.suppressed(connection, sorted({row["mailbox"] for row in found}), now)
    quiet = stops.suppressed_ranges(connection)
    excluded = stops.excluded_ranges(connection, now)
    told = store.told(connection, campaign_id, kind)
    waiting = []
    for row in found:
        quoted = store.quoted(row["transcript"])
        if any(snapshot in gone for snapshot, _ in quoted):
            continue
        wish = wishes.get(row["contact_id"], NO_WISH)
        waiting.append(
            Waiting(
                row["id"],
                row["contact_id"],
                row["check_id"],
                events.canonical(quoted),
                EvidenceLevel(row["level"] or 0),
                row["exposure_at"],
                row["contact_state"] == ContactState.DEAD,
                row["mailbox"] in suppressed or stops.within(row["address"], quiet),
                stops.within(row["address"], excluded),
                row["contact_id"] in told,
                row["tier"],
                "copy" in row or _current(row, now),
                wish.inhibited_until,
                last.get(row["contact_id"]),
                timedelta(days=wish.cadence_days),
                row["country"],
            )
        )
    return len(found) - len(waiting), waiting


def _current(row: Mapping[str, Any], now: datetime) -> bool:
    """True unless the answer that names the contact is over, or a person's word has made it be looked up anew."""
    looked_up_anew = row["contact_due_at"] is not None and row["contact_due_at"] <= now
    return row["network_until"] is None and row["expires_at"] > now and not looked_up_anew


def _in_time(made: Plan, settings: PlanSettings) -> timedelta:
    takes = shortest_time(len(made.notices), settings.rate, settings.per_day)
    if takes > settings.fresh_for:
        raise RefusedBySafety(
            f"{len(made.notices)} letters take {takes} at the limits set",
            f"their evidence may not be older than {settings.fresh_for} when they leave",
            f"Plan at most {_fitting(settings)} letters with --most, or raise mail.rate or mail.per_day.",
        )
    return takes


def _fitting(settings: PlanSettings) -> int:
    """Return how many letters the limits can send while the evidence is fresh."""
    fresh = settings.fresh_for
    by_rate = [int(fresh.total_seconds() * settings.rate)] if settings.rate else []
    by_day = [(fresh // timedelta(days=1) + 1) * settings.per_day] if settings.per_day else []
    return min(by_rate + by_day)
