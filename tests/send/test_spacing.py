"""When slots are taken, how far ahead, and how late a dot may be, by the time between two of them."""

from datetime import timedelta
from math import inf

import pytest

from pipeline.send.spacing import LONGEST_LEAD, Spacing


@pytest.mark.parametrize(
    ("rate", "at_dot", "ahead", "kept", "late"),
    [
        (0.0, False, 0.25, 0.0, inf),  # no limit: nothing waits
        (10_000.0, True, 0.25, 0.0, inf),  # kept on average alone
        (200.0, True, 0.25, 200.0, 0.015),
        (50.0, True, 0.25, 50.0, 0.06),
        (5.0, True, 0.4, 5.0, 0.6),
        (2.0, True, 1.0, 2.0, 1.0),
        (1.0, False, 2.0, 1.0, 1.0),  # taken by the claim
        (1 / 60, False, 2.0, 1 / 60, 1.0),
    ],
)
def test_what_a_pace_asks_for(rate: float, at_dot: bool, ahead: float, kept: float, late: float) -> None:
    spacing = Spacing(timedelta(seconds=1 / rate if rate else 0))
    assert spacing.at_dot is at_dot
    assert spacing.ahead == timedelta(seconds=ahead)
    assert spacing.rate == pytest.approx(kept)
    assert spacing.late == pytest.approx(late)


@pytest.mark.parametrize(("room", "share"), [(0, 1), (1, 1), (2, 1), (3, 2), (50, 25)])
def test_a_worker_leaves_half_of_the_slots_to_others(room: int, share: int) -> None:
    assert Spacing().share(room) == share


def test_the_lead_follows_what_rounds_take_within_bounds() -> None:
    spacing = Spacing(timedelta(milliseconds=5))
    for _ in range(50):
        spacing.took(timedelta(milliseconds=40))
    assert timedelta(milliseconds=19) < spacing.lead <= timedelta(milliseconds=20)
    for _ in range(50):
        spacing.took(timedelta(seconds=30))
    assert spacing.lead == LONGEST_LEAD
    quick = Spacing(timedelta(microseconds=10))
    quick.took(timedelta(seconds=1))
    assert not quick.lead
