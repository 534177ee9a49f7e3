"""What stops a letter at the last moment, and what shrinks it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pipeline.domain import CaseState, EvidenceLevel, Exposure, Wish
from pipeline.follow.plan import Waiting, objection
from pipeline.send.gate import CaseNow, Decision, Gate, decide, is_guest, leaves, unwelcome

FRESH = timedelta(hours=72)


def case(
    now: datetime,
    number: int = 1,
    state: CaseState = CaseState.RESOLVED,
    exposure: Exposure = Exposure.OPEN,
    age: timedelta = timedelta(hours=1),
    excluded: bool = False,
) -> CaseNow:
    return CaseNow(number, state, exposure, now - age, excluded)


def ask(now: datetime, cases: list[CaseNow], **changes: object) -> Decision:
    values: dict[str, object] = {
        "training": False,
        "guests": (),
        "suppressed": "",
        "first_attempt_at": None,
        "now": now,
        "fresh_for": FRESH,
    }
    return decide("abuse@isp.example", cases, **(values | changes))  # type: ignore[arg-type]


def test_a_letter_whose_cases_all_stand_goes(now: datetime) -> None:
    assert ask(now, [case(now), case(now, 2)]).gate is Gate.GO


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": CaseState.EXCLUDED}, "excluded"),
        ({"excluded": True}, "excluded"),
        ({"state": CaseState.FIXED}, "fixed"),
        ({"state": CaseState.DORMANT}, "dormant"),
        ({"exposure": Exposure.CLOSED}, "closed"),
        ({"exposure": Exposure.UNKNOWN}, "unknown"),
        ({"exposure": Exposure.UNLISTED}, "unlisted"),
        ({"age": timedelta(hours=72, seconds=1)}, "stale"),
    ],
)
def test_a_case_that_does_not_stand_leaves_the_letter(now: datetime, changes: dict[str, object], why: str) -> None:
    gone = case(now, 2, **changes)  # type: ignore[arg-type]
    assert leaves(gone, now, FRESH) == why
    assert ask(now, [case(now), gone]) == Decision(Gate.SHRINK, "", {2: why})
    assert ask(now, [gone]) == Decision(Gate.WITHDRAW, "no_case_left", {2: why})


def test_evidence_is_fresh_up_to_the_limit_and_a_case_never_checked_is_not(now: datetime) -> None:
    assert leaves(case(now, age=FRESH), now, FRESH) == ""
    assert leaves(CaseNow(1, CaseState.RESOLVED, Exposure.OPEN, None, False), now, FRESH) == "stale"


def test_training_lets_only_guests_through_whatever_else(now: datetime) -> None:
    assert ask(now, [case(now)], training=True) == Decision(Gate.WITHDRAW, "training")
    assert ask(now, [case(now)], training=True, suppressed="asked") == Decision(Gate.WITHDRAW, "training")
    assert ask(now, [case(now)], training=True, guests=(".example",)).gate is Gate.GO


def test_a_suppressed_mailbox_gets_nothing(now: datetime) -> None:
    assert ask(now, [case(now)], suppressed="asked") == Decision(Gate.SUPPRESS, "asked")


DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
WISHES = [
    (None, timedelta(0), None, ""),
    (SECOND, timedelta(0), None, "inhibited"),
    (timedelta(0), timedelta(0), None, ""),
    (-SECOND, timedelta(0), None, ""),
    (None, 30 * DAY, None, ""),
    (None, 30 * DAY, -30 * DAY + SECOND, "too_soon"),
    (None, 30 * DAY, -30 * DAY, ""),
    (None, timedelta(0), -SECOND, ""),
    (SECOND, 30 * DAY, -SECOND, "inhibited"),
]


@pytest.mark.parametrize(("until", "cadence", "last", "why"), WISHES)
def test_a_letter_that_its_contact_does_not_want_now_is_withdrawn_by_the_rule_of_the_plan(
    now: datetime, until: timedelta | None, cadence: timedelta, last: timedelta | None, why: str
) -> None:
    times = (None if until is None else now + until), cadence, (None if last is None else now + last)
    wish = Wish(*times)
    assert unwelcome(wish, now) == why
    assert ask(now, [case(now)], wish=wish) == (Decision(Gate.WITHDRAW, why) if why else Decision(Gate.GO))
    planned = Waiting(1, 1, 1, "[]", EvidenceLevel.E1, now, False, False, False, False, inhibited_until=times[0])
    planned = replace(planned, cadence=cadence, last_letter_at=times[2])
    assert objection(planned, EvidenceLevel.E1, now, FRESH) == why


def test_what_stops_a_letter_for_good_comes_before_what_its_contact_wishes(now: datetime) -> None:
    wish = Wish(now + DAY)
    assert ask(now, [case(now)], wish=wish, suppressed="asked") == Decision(Gate.SUPPRESS, "asked")
    assert ask(now, [case(now, age=FRESH + DAY)], wish=wish) == Decision(Gate.WITHDRAW, "inhibited")


def test_a_letter_is_given_up_after_five_days(now: datetime) -> None:
    assert ask(now, [case(now)], first_attempt_at=now - timedelta(days=5)).gate is Gate.GO
    late = ask(now, [case(now)], first_attempt_at=now - timedelta(days=5, seconds=1))
    assert late == Decision(Gate.EXPIRE, "five_days")


@pytest.mark.parametrize(
    ("guests", "expected"),
    [
        ((), False),
        (("abuse@isp.example",), True),
        (("Abuse@ISP.example",), True),
        (("isp.example",), True),
        ((".example",), True),
        (("other@isp.example",), False),
        (("sp.example",), False),
        (("example",), False),
        ((".isp.example",), False),
    ],
)
def test_the_guest_list_names_mailboxes_domains_and_domains_above(guests: tuple[str, ...], expected: bool) -> None:
    assert is_guest("abuse@isp.example", guests) is expected
