"""What one letter tells: its findings as statements and as the lines of its table, worked out once for all its parts.

Pure.
"""

from dataclasses import dataclass
from itertools import chain

from pipeline.render.evidence import Group, Row, rows, sections, statements
from pipeline.render.front import FrontMatter
from pipeline.render.values import LetterValues


@dataclass(frozen=True, slots=True)
class Told:
    """A letter's values with its statements, the strongest first, and its sections, each with its lines."""

    values: LetterValues
    front: FrontMatter
    statements: tuple[Group, ...]
    sections: tuple[tuple[Group, tuple[Row, ...]], ...]
    lines: tuple[Row, ...]  # of all sections, in the table's order

    @property
    def groups(self) -> tuple[Group, ...]:
        """The sections without their lines."""
        return tuple(group for group, _ in self.sections)


def told(values: LetterValues, front: FrontMatter) -> Told:
    """Return what a letter with these values tells."""
    said = statements(values.findings, tuple(front.topics))
    parts = tuple((group, tuple(rows(group))) for group in sections(said))
    return Told(values, front, tuple(said), parts, tuple(chain.from_iterable(lines for _, lines in parts)))
