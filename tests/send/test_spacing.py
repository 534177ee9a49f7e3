"""A dot leaves at its slot, committed at most 20 ms before; and where slots have passed there is no burst."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.send.spacing import EARLY, Spacing

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def at(milliseconds: float) -> datetime:
    return NOW + timedelta(milliseconds=milliseconds)


def test_a_dot_waits_for_its_slot_and_those_of_the_next_20_ms_are_granted_with_their_times() -> None:
    spacing = Spacing(rate=100.0)
    slots = [(at(10 * n), n) for n in range(5)]
    granted, again = spacing.due(slots, NOW)
    assert granted == [(0, at(0)), (1, at(10)), (2, at(20))]
    assert again is not None
    assert NOW < again <= at(30)
    assert spacing.due(slots[3:], again)[0] == [(3, at(30)), *([(4, at(40))] if again >= at(20) else [])]


def test_letters_whose_slots_have_passed_leave_in_the_order_of_their_slots_one_by_one() -> None:
    spacing = Spacing(rate=5.0)
    slots = [(at(-1000 + 200 * n), n) for n in range(4)]
    now, left, times = NOW, slots[::-1], []
    while left:
        granted, again = spacing.due(left, now)
        times += [(letter, when) for letter, when in granted]
        left = [one for one in left if one[1] not in dict(granted)]
        now = again or now
    assert [letter for letter, _ in times] == [0, 1, 2, 3]
    assert [(when - NOW) / timedelta(milliseconds=1) for _, when in times] == [0, 198, 396, 594]


@pytest.mark.parametrize("rate", [5.0, 50.0, 200.0])
def test_whenever_it_is_asked_no_second_has_more_than_the_rate_and_two(rate: float) -> None:
    """Rounds come late, up to 400 ms, and letters only after their slots."""
    spacing, now, waiting, times = Spacing(rate), NOW, [], []
    slots = [(NOW + timedelta(seconds=n / rate), n) for n in range(int(rate * 4))]
    for n in range(1_000):
        now += timedelta(milliseconds=(3, 11, 1, 400 if n % 50 == 0 else 7)[n % 4])
        while slots and slots[0][0] <= now + timedelta(seconds=0.3 if n % 3 else 0):
            waiting.append(slots.pop(0))
        granted, _ = spacing.due(waiting, now)
        assert all(now <= when <= now + EARLY for _, when in granted)
        waiting = [one for one in waiting if one[1] not in dict(granted)]
        times += [when for _, when in granted]
    assert len(times) == int(rate * 4)
    for first in times:
        assert sum(first <= when < first + timedelta(seconds=1) for when in times) <= rate + 2


def test_without_a_rate_a_dot_leaves_at_its_slot_whatever_left_before() -> None:
    spacing = Spacing()
    assert spacing.due([(NOW, 1), (NOW, 2), (at(500), 3)], NOW)[0] == [(1, NOW), (2, NOW)]


def test_nobody_waits_for_a_slot_of_a_clock_that_was_set_back() -> None:
    spacing = Spacing(rate=1.0)
    assert spacing.due([(NOW, 1)], NOW) == ([(1, NOW)], None)
    earlier = NOW - timedelta(hours=1)
    assert spacing.due([(at(1000), 2)], earlier) == ([(2, earlier)], None)


@pytest.mark.parametrize(
    ("rate", "behind", "late"), [(50, 100, 0), (50, 101, 1), (5, 400, 0), (5, 401, 1), (0, 9_999, 0)]
)
def test_a_letter_is_late_100_ms_after_its_slot_or_two_letters_of_a_slow_pace(
    rate: int, behind: int, late: int
) -> None:
    assert Spacing(float(rate)).late(NOW, at(behind)) == bool(late)
