"""Who gets a first notice, who does not, and why."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.domain import EvidenceLevel, Tier
from pipeline.follow.plan import FIRST, OTHERS, Plan, Waiting, objection, plan, shortest_time
from pipeline.render.language import home
from tests.conftest import NOW

FRESH = timedelta(hours=72)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def waiting(now: datetime, case_id: int = 1, contact_id: int = 1, **changes: object) -> Waiting:
    case = Waiting(case_id, contact_id, case_id, "[]", EvidenceLevel.E1, now, False, False, False, False)
    return replace(case, **changes)  # type: ignore[arg-type]


def make(now: datetime, cases: list[Waiting], most_letters: int = 0) -> Plan:
    order = {1: 30, 2: 10, 3: 20}
    return plan(cases, order, minimum=EvidenceLevel.E1, now=now, fresh_for=FRESH, most_letters=most_letters)


def test_a_contact_gets_one_notice_with_all_its_cases(now: datetime) -> None:
    made = make(now, [waiting(now, 3), waiting(now, 1), waiting(now, 2, 2)])
    assert {contact: [case.case_id for case in cases] for contact, cases in made.notices.items()} == {2: [2], 1: [1, 3]}
    assert made.cases == 3
    assert not made.left_out


def test_a_letter_goes_to_the_country_of_most_of_its_cases(now: datetime) -> None:
    places = [(1, 1, "FR"), (2, 1, "BE"), (3, 1, "FR"), (4, 2, "FR"), (5, 2, "BE"), (6, 2, ""), (7, 2, ""), (8, 3, "")]
    made = make(now, [waiting(now, case, contact, country=country) for case, contact, country in places])
    assert made.countries == {"FR": 1, "BE": 1, "": 1}
    assert [home([(c.country, "") for c in cases])[0] for cases in made.notices.values()] == ["BE", "", "FR"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"excluded": True}, "excluded"),
        ({"suppressed": True}, "suppressed"),
        ({"contact_dead": True}, "contact_dead"),
        ({"told_before": True}, "contact_told_before"),
        ({"current": False}, "contact_outdated"),
        ({"tier": Tier.PARENT}, "not_own_contact"),
        ({"tier": Tier.CERT}, "not_own_contact"),
        ({"tier": Tier.HOST_NAME}, "not_own_contact"),
        ({"inhibited_until": NOW + SECOND}, "inhibited"),
        ({"last_letter_at": NOW - 30 * DAY + SECOND, "cadence": 30 * DAY}, "too_soon"),
        ({"level": EvidenceLevel.E0}, "level_too_low"),
        ({"checked_at": None}, "stale"),
    ],
)
def test_a_case_that_is_not_ready_stays_out_with_its_reason(
    now: datetime, changes: dict[str, object], why: str
) -> None:
    if "checked_at" in changes:
        changes = {"checked_at": now - FRESH - timedelta(seconds=1)}
    case = waiting(now, 2, **changes)  # type: ignore[arg-type]
    assert objection(case, EvidenceLevel.E1, now, FRESH) == why
    made = make(now, [waiting(now), case])
    assert [case.case_id for case in made.notices[1]] == [1]
    assert made.left_out == {why: 1}


def test_letters_beyond_the_most_wait_for_the_next_wave_in_the_order_of_writing(now: datetime) -> None:
    made = make(now, [waiting(now, n, n) for n in (1, 2, 3)], most_letters=2)
    assert list(made.notices) == [2, 3]
    assert made.left_out == {"next_wave": 1}


@pytest.mark.parametrize(
    ("letters", "rate", "per_day", "expected"),
    [
        (0, 1.0, 10, 0),
        (100, 0, 0, 0),
        (100, 2.0, 0, 50),
        (10, 0, 10, 0),
        (11, 0, 10, 86_400),
        (100, 0.001, 50, 100_000),
    ],
)
def test_a_wave_takes_at_least_what_its_limits_say(letters: int, rate: float, per_day: int, expected: int) -> None:
    assert shortest_time(letters, rate, per_day) == timedelta(seconds=expected)


@pytest.mark.parametrize("tier", list(Tier))
def test_whoever_is_not_the_networks_own_contact_is_told_in_a_wave_of_others_alone(now: datetime, tier: Tier) -> None:
    case = waiting(now, tier=tier)
    own = tier in (Tier.OVERRIDE, Tier.ROLE, Tier.REMARK, Tier.NAMED)
    assert objection(case, EvidenceLevel.E1, now, FRESH, FIRST) == ("" if own else "not_own_contact")
    assert objection(case, EvidenceLevel.E1, now, FRESH, OTHERS) == ("own_contact" if own else "")


def test_wishes_that_are_over_keep_no_case_out(now: datetime) -> None:
    kept: tuple[dict[str, Any], ...] = (
        {"inhibited_until": now},
        {"last_letter_at": now - 30 * DAY, "cadence": 30 * DAY},
        {"last_letter_at": now, "cadence": timedelta(0)},
        {"last_letter_at": None, "cadence": 30 * DAY},
    )
    for changes in kept:
        assert objection(waiting(now, **changes), EvidenceLevel.E1, now, FRESH) == ""
