"""A report as lines: headings, points numbered from 1 throughout, wrapped to what is pleasant to read.

What stands below a point as it is (a question, a hash, a command) is never broken.  Values from outside are put on one
line and cut in saying.py; what could steer a terminal is taken out where lines are printed (show.emit).
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from textwrap import wrap

from pipeline.audit.lookup import Part, Point
from pipeline.cli.saying import spoken

WIDEST = 80  # columns


def report(parts: Iterable[Part]) -> Iterator[str]:
    """Yield the lines of a report."""
    parts = list(parts)
    total = sum(len(part.points) for part in parts)
    margin = len(f"{total}.") + 2
    number = 0
    for part in parts:
        yield ""
        yield spoken(part.title)
        for point in part.points:
            number += 1
            yield from _point(point, number, margin)


def _point(point: Point, number: int, margin: int) -> Iterator[str]:
    text = " ".join(map(spoken, point.sentences))
    head = f"{number}.".rjust(margin - 1) + " "
    yield from wrap(
        text,
        width(),
        initial_indent=head,
        subsequent_indent=" " * margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (" " * (margin + 2) + spoken(line) for line in point.lines)


def width() -> int:
    """Return how wide a line may be: the terminal's width, but no more than people like to read."""
    return min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else WIDEST
