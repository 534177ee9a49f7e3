"""The first letters of a wave: how many, which may leave, and the pace of the rest."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from pipeline.domain import LetterState
from pipeline.send.canary import CanarySettings, by_domain, pace, size, within

RULES = CanarySettings()


@pytest.mark.parametrize(
    ("letters", "first"),
    [(0, 0), (1, 0), (20, 0), (21, 20), (1999, 20), (2001, 21), (2000, 20), (100_000, 1000), (100_001, 1001)],
)
def test_a_hundredth_of_a_wave_leaves_first_and_twenty_at_least(letters: int, first: int) -> None:
    assert size(letters, RULES) == first


def test_without_a_share_and_a_least_number_nobody_is_asked() -> None:
    assert size(100_000, CanarySettings(share=0, least=0)) == 0
    assert size(100, CanarySettings(share=0, least=5)) == 5
    assert size(100, CanarySettings(share=0.1, least=0)) == 10
    assert size(100, CanarySettings(share=1, least=0)) == 0


@dataclass
class Letter:
    wave_id: int
    state: LetterState = LetterState.APPROVED


def test_a_wave_with_room_for_two_sends_two_and_those_that_are_tried_again() -> None:
    again = Letter(1, LetterState.DEFERRED)
    found = [Letter(1), Letter(2), Letter(1), Letter(1), again, Letter(2)]
    assert within(found, {1: 2}) == [found[0], found[1], found[2], again, found[5]]
    assert within(found, {}) == found
    assert within(found, {1: 0}) == [found[1], again, found[5]]


@pytest.mark.parametrize(
    ("minutes", "share"), [(-5, 0.25), (0, 0.25), (9, 0.25), (10, 0.5), (19, 0.5), (20, 1), (30, 1), (10**9, 1)]
)
def test_the_pace_begins_low_and_doubles(now: datetime, minutes: int, share: float) -> None:
    # minutes of a clock set back are none; those of a wave held for years are many
    released = now - timedelta(minutes=min(minutes, 10**7))
    assert pace(released, now, RULES) == share


def test_without_a_ramp_the_pace_is_whole(now: datetime) -> None:
    assert pace(now, now, CanarySettings(ramp_share=0)) == 1
    assert pace(now, now, CanarySettings(ramp_every=timedelta(0))) == 1


def test_answers_are_counted_by_domain() -> None:
    found = by_domain(
        [("a@b.example", "handed"), ("a@a.example", "handed"), ("b@b.example", "refused"), ("c@b.example", "handed")]
    )
    assert list(found) == ["b.example", "a.example"]
    assert found["b.example"] == {"handed": 2, "refused": 1}
