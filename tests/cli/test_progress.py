"""Progress goes to stderr: a bar on a terminal, plain lines without one, nothing with --json or for what is quick."""

from collections.abc import Callable, Sequence

import click
import pytest

from pipeline import cli
from pipeline.cli import progress, words
from pipeline.cli.command import Given


def stopwatch(*seconds: float) -> Callable[[], float]:
    """A clock that says these numbers of seconds, one each time that it is read, and then the last one."""
    left = list(seconds)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


MINUTES = tuple(range(0, 600, 60))  # each count comes a minute after the one before


def counted(
    capsys: pytest.CaptureFixture[str], *, json: bool = False, seconds: Sequence[float] = MINUTES
) -> tuple[str, str]:
    """Count to 1,200 of 5,000 under a progress context; returns (stdout, stderr)."""
    with click.Context(cli.root, obj=Given(json=json)), progress.progress(stopwatch(*seconds)) as tell:
        for done in (300, 600, 1_200):
            tell("cases", done, 5_000)
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_without_a_terminal_each_line_says_what_how_many_and_how_fast(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = counted(capsys, seconds=(0, 10, 10, 40, 40, 80, 80))
    assert out == ""
    assert err.splitlines() == [
        "cases: 300 of 5,000, 30/s, 2 min 37 s left",
        "cases: 600 of 5,000, 15/s, 4 min 53 s left",
        "cases: 1,200 of 5,000, 15/s, 4 min 13 s left",
    ]


def test_progress_is_told_in_french(capsys: pytest.CaptureFixture[str]) -> None:
    words.use("fr")
    _, err = counted(capsys)
    assert err.splitlines()[-1].startswith("dossiers\u00a0: 1\u00a0200 de 5\u00a0000, ")


def test_with_json_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert counted(capsys, json=True) == ("", "")


def test_what_is_quick_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert counted(capsys, seconds=(0, 0.5, 1, 1.9)) == ("", "")


def test_the_last_count_is_told_if_any_was(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = counted(capsys, seconds=(0, 3, 3, 4, 5))  # the first is told, the others come too soon after it
    assert [line.split(" of")[0] for line in err.splitlines()] == ["cases: 300", "cases: 1,200"]


def test_a_bar_is_drawn_and_taken_down_again() -> None:
    bar = progress.Bar(stopwatch(*MINUTES))
    bar("letters", 10, 0)
    assert bar.bars is not None
    assert [(task.completed, task.total) for task in bar.bars.tasks] == [(10, None)]
    bar("letters", 20, 100)
    assert [(task.completed, task.total) for task in bar.bars.tasks] == [(20, 100)]
    bar.close()
    assert bar.bars.finished is False
    assert not bar.bars.live.is_started


def test_a_bar_that_was_never_needed_is_closed_without_one() -> None:
    bar = progress.Bar(stopwatch(0, 1.9))
    bar("letters", 10, 100)
    bar.close()
    assert bar.bars is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 05 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_a_length_of_time_is_said_in_the_two_units_that_matter(seconds: float, said: str) -> None:
    assert progress.length(seconds) == said


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (240, 480, 1.0, "240/s, 1 s left"),
        (1, 0, 2.0, "0.5/s"),
        (0, 100, 3.0, "0.0/s"),
        (12_000, 24_000, 1.0, "12,000/s, 1 s left"),
        (5, 4, 1.0, "5.0/s"),
        (5, 10, 0.0, "0.0/s"),
    ],
)
def test_the_time_left_is_told_only_where_it_is_known(done: int, total: int, seconds: float, said: str) -> None:
    assert progress.rate(done, total, seconds) == said


def test_a_line_has_the_rate_the_limit_the_time_left_and_what_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(cli.root, obj=Given()), progress.progress(stopwatch(0, 10, 10, 20, 20, 30, 30)) as tell:
        tell.limited("2/s")
        tell.waits("the limit of letters a second is reached")
        tell("letters", 20, 100)
        tell.waits("")
        tell("letters", 40, 100)
        tell.waits("nothing any more")
        tell("letters", 100, 100)
    assert capsys.readouterr().err.splitlines() == [
        "letters: 20 of 100, 2.0/s, 40 s left; at most 2/s; the limit of letters a second is reached",
        "letters: 40 of 100, 2.0/s, 30 s left; at most 2/s",
        "letters: 100 of 100, 3.3/s, 0 s left; at most 2/s",
    ]


def test_what_is_waited_for_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(cli.root, obj=Given()), progress.progress(stopwatch(0, 10, 10)) as tell:
        tell.waits("the mail servers of \x1b[31m.example asked for a pause")
        tell("letters", 1, 2)
    assert "\x1b" not in capsys.readouterr().err


def test_with_json_nothing_is_told_of_limits_and_waits(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(cli.root, obj=Given(json=True)), progress.progress(stopwatch(0, 10)) as tell:
        tell.limited("2/s")
        tell.waits("something")
        tell("letters", 1, 2)
    assert capsys.readouterr() == ("", "")
