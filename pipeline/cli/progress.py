"""Progress of a long act, on stderr: a bar on a terminal, a plain line every few seconds without one, nothing with --json.

Nothing is shown for what takes less than two seconds.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pipeline.cli import show, words
from pipeline.cli.command import given
from pipeline.domain import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

FIRST_AFTER = 2.0  # seconds
EVERY = 5.0  # seconds between plain lines


@contextmanager
def progress(clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Give a stage its progress function for the block.  `clock` counts seconds."""
    if given().json:
        yield lambda _what, _done, _total: None
        return
    shown = Bar(clock) if show.colourful(sys.stderr) else Lines(clock)
    try:
        yield shown.tell
    finally:
        shown.close()


def rate(done: int, total: int, seconds: float) -> str:
    """Return the rate, and the time left where the total is known: `240/s, 16 s left`."""
    per_second = done / seconds if seconds > 0 else 0.0
    speed = f"{words.number(round(per_second))}/s" if per_second >= 10 else f"{words.decimal(per_second)}/s"
    if not total or not per_second or done > total:
        return speed
    return words.text("{rate}, {time} left", rate=speed, time=length((total - done) / per_second))


def length(seconds: float) -> str:
    """Return a length of time as people say it: 45 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class Lines:
    """A plain line about what is counted, every few seconds, and a last one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self.next_at = self.began + FIRST_AFTER
        self.counts: dict[str, tuple[int, int]] = {}
        self.told: dict[str, tuple[int, int]] = {}

    def tell(self, what: str, done: int, total: int) -> None:
        self.counts[what] = (done, total)
        now = self.clock()
        if now >= self.next_at:
            self.next_at = now + EVERY
            self._print(what)

    def close(self) -> None:
        for what in self.told:
            if self.told[what] != self.counts[what]:
                self._print(what)

    def _print(self, what: str) -> None:
        done, total = self.told[what] = self.counts[what]
        seconds = self.clock() - self.began
        count = words.number(done)
        if total:
            count = words.text("{done} of {total}", done=count, total=words.number(total))
        label = show.clean(words.sentence(what))
        click.echo(
            words.text("{what}: {count}, {rate}", what=label, count=count, rate=rate(done, total, seconds)), err=True
        )


class Bar:
    """A bar for each thing that is counted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}

    def tell(self, what: str, done: int, total: int) -> None:
        seconds = self.clock() - self.began
        if self.bars is None:
            if seconds < FIRST_AFTER:
                return
            self.bars = _bars()
            self.bars.start()
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(show.clean(words.sentence(what)), total=None, rate="")
        self.bars.update(self.tasks[what], completed=done, total=total or None, rate=rate(done, total, seconds))

    def close(self) -> None:
        if self.bars is not None:
            self.bars.stop()


def _bars() -> "Bars":
    from rich.console import Console  # a terminal is attached, and the act is long: now it is worth its import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        console=Console(stderr=True),
    )
