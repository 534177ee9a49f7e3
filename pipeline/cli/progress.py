"""Progress of a long act, on stderr: a bar on a terminal, a plain line every few seconds without one, nothing with --json.

Nothing is shown for what takes less than two seconds.  Beside the count stand the rate, the limit that was set, the time
left, and what is waited for.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from pipeline.cli import show, words
from pipeline.cli.command import given

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

FIRST_AFTER = 2.0  # seconds
EVERY = 5.0  # seconds between plain lines


class Shown(Protocol):
    """A stage's progress function (domain.Progress), which can also be told what limits the act and what it waits for."""

    def __call__(self, what: str, done: int, total: int) -> None: ...

    def limited(self, limit: str) -> None:
        """Show a limit that was set, such as 2/s, in the reader's language; empty: there is none."""

    def waits(self, why: str) -> None:
        """Show what is waited for, in the reader's language; empty: nothing is."""


@contextmanager
def progress(clock: Callable[[], float] = time.monotonic) -> Iterator[Shown]:
    """Give a stage its progress function for the block.  `clock` counts seconds."""
    if given().json:
        yield Nothing()
        return
    shown = Bar(clock) if show.colourful(sys.stderr) else Lines(clock)
    try:
        yield shown
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


class Nothing:
    """No progress is shown."""

    def __call__(self, what: str, done: int, total: int) -> None:
        pass

    def limited(self, limit: str) -> None:
        pass

    def waits(self, why: str) -> None:
        pass


class Told:
    """What stands beside a count: the rate, the limit, the time left, and what is waited for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began = clock()
        self.limit = ""
        self.why = ""

    def limited(self, limit: str) -> None:
        self.limit = limit

    def waits(self, why: str) -> None:
        self.why = why

    def beside(self, done: int, total: int, seconds: float) -> str:
        parts = [rate(done, total, seconds)]
        if self.limit:
            parts.append(words.text("at most {limit}", limit=self.limit))
        if self.why and (not total or done < total):
            parts.append(self.why)
        return show.clean("; ".join(parts))


class Lines(Told):
    """A plain line about what is counted, every few seconds, and a last one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.next_at = self.began + FIRST_AFTER
        self.counts: dict[str, tuple[int, int]] = {}
        self.told: dict[str, tuple[int, int]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
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
        beside = self.beside(done, total, seconds)
        click.echo(words.text("{what}: {count}, {rate}", what=label, count=count, rate=beside), err=True)


class Bar(Told):
    """A bar for each thing that is counted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        seconds = self.clock() - self.began
        if self.bars is None:
            if seconds < FIRST_AFTER:
                return
            self.bars = _bars()
            self.bars.start()
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(show.clean(words.sentence(what)), total=None, rate="")
        self.bars.update(self.tasks[what], completed=done, total=total or None, rate=self.beside(done, total, seconds))

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
