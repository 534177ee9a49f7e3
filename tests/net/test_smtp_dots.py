"""Committed dots leave at their slots: in no second more than the pace and two, whenever they are asked for."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import Go
from pipeline.net.smtp_dots import Dots


def most_in_a_second(times: list[float]) -> int:
    return max(sum(first <= at < first + 1 for at in times) for first in times)


def written(dots: Dots[int], moments: list[float]) -> tuple[list[tuple[int, float]], list[int]]:
    """Ask at these moments, and at those that are waited for; returns what was written, and when, and what was late."""
    out: list[tuple[int, float]] = []
    late: list[int] = []
    for start in moments:
        now = start
        while True:
            while (taken := dots.take(now)) is not None:
                go, letter, in_time = taken
                if in_time:
                    out.append((letter, now))
                    dots.written(go, now)
                else:
                    late.append(letter)
            wait = dots.wait(now)
            following = [moment for moment in moments if moment > start]
            if wait is None or (following and now + wait >= following[0]):
                break
            now += wait + 1e-9
    return out, late


def test_a_dot_leaves_at_its_slot_and_not_before() -> None:
    dots: Dots[int] = Dots()
    for n in range(4):
        dots.add(Go(n, 0.1 * n, 100.0, 0.3, 10.0), 99.0, n)
    assert dots.take(99.999) is None
    assert dots.wait(99.0) == 1.0
    out, late = written(dots, [99.0])
    assert [letter for letter, _ in out] == [0, 1, 2, 3]
    assert [round(at, 3) for _, at in out] == [100.0, 100.1, 100.2, 100.3]
    assert not late


def test_a_dot_that_could_be_written_only_too_late_takes_another_slot() -> None:
    dots: Dots[int] = Dots()
    for n in range(4):
        dots.add(Go(n, 0.1 * n, 100.0, 0.15, 10.0), 100.0, n)
    out, late = written(dots, [100.2])
    assert late == [0]
    assert [letter for letter, _ in out] == [1, 2, 3]


def test_without_a_pace_dots_leave_at_once_in_the_order_of_their_times() -> None:
    dots: Dots[int] = Dots()
    dots.add(Go(1, 0.2), 100.0, 1)
    dots.add(Go(2), 100.0, 2)
    assert dots.take(100.0) == (Go(2), 2, True)
    assert dots.take(100.0) is None
    assert dots.take(500.0) == (Go(1, 0.2), 1, True)
    assert dots.wait(500.0) is None


@given(st.sampled_from([0.5, 5.0, 50.0, 200.0]), st.lists(st.floats(0.0, 0.4), max_size=60), st.booleans())
def test_however_this_process_is_woken_no_second_has_more_than_the_pace_and_two(
    rate: float, pauses: list[float], patient: bool
) -> None:
    dots: Dots[int] = Dots()
    count = int(rate * 3) + 3
    for n in range(count):
        dots.add(Go(n, n / rate, 1000.0, inf if patient else 3 / rate, rate), 1000.0, n)
    moments, now = [1000.0], 1000.0
    for pause in pauses:
        now += pause
        moments.append(now)
    out, late = written(dots, moments)
    assert len(out) + len(late) == count
    assert most_in_a_second([at for _, at in out]) <= rate + 2
    for letter, at in out:
        assert 1000.0 + letter / rate <= at
        assert patient or at <= 1000.0 + (letter + 3) / rate + 1e-6
