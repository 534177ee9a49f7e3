"""Figures of a benchmark beside their limits: a table for people, JSON for programs, and an exit code.

A part of a benchmark returns lines; a line with a limit is met or missed, one without is only shown.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.  `at_most`: the limit is an upper one.  `note`: what it was compared with, and how."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool:
        if self.limit is None:
            return True
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def shown(lines: Iterable[Line]) -> str:
    """Return the lines as a table for a terminal."""
    table = [
        (one.name, f"{one.value:,.6g}", one.unit, _limit(one), "" if one.met else "MISSED", one.note) for one in lines
    ]
    a, b, c, d, e = (max((len(row[place]) for row in table), default=0) for place in range(5))
    return "\n".join(
        f"{name:{a}}  {value:>{b}} {unit:{c}}  {limit:{d}}  {missed:{e}}  {note}".rstrip()
        for name, value, unit, limit, missed, note in table
    )


def _limit(one: Line) -> str:
    return "" if one.limit is None else f"{'at most' if one.at_most else 'at least'} {one.limit:,.6g}"


def as_json(name: str, yardstick: dict[str, float], lines: Sequence[Line]) -> str:
    """Return everything as one JSON object."""
    rows = [asdict(one) | {"met": one.met} for one in lines]
    return json.dumps({"bench": name, "yardstick": yardstick, "lines": rows})
