"""The table of a letter: every target with its last observation, or, of very many, a summary by network.

Pure; made once for each letter, labelled in all of its languages.  The text, HTML and paper forms are made of the same
table.  No outside value stands in the full table; a summary names networks, cleaned as the values are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.render.catalogue import Catalogue, Say
from pipeline.render.evidence import Group
from pipeline.render.front import FrontMatter
from pipeline.render.told import Told
from pipeline.render.values import Finding, utc_second
from pipeline.render.view import qualifier

MOST_LINES = 1_000  # of a table that is read; a longer one is cut to a summary

Cells = tuple[str, ...]

_HEADS = (Say.ADDRESS, Say.PORT_HEAD, Say.SERVICE, Say.LAST_SEEN)
_SUMMARY_HEADS = (Say.NETWORK, Say.ADDRESSES, Say.LAST_SEEN)


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that share a topic and a wording, with a heading in each of the letter's languages."""

    headings: tuple[str, ...]
    lines: tuple[Cells, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A letter's table.  `titles`, `notes` and `heads` have one entry for each language."""

    titles: tuple[str, ...]
    notes: tuple[str, ...]
    heads: tuple[Cells, ...]
    sections: tuple[Section, ...]

    def as_text(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the heads and the lines in columns two spaces apart, headings where there is more than one section."""
        cells = [*self.heads, *chain.from_iterable(section.lines for section in self.sections)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines: list[str] = []
        for section in self.sections:
            if len(self.sections) > 1:
                lines += ["", *section.headings]
            lines += [_line(line, widths) for line in section.lines]
        return tuple(_line(head, widths) for head in self.heads), tuple(lines)


def table(told: Told, catalogues: Sequence[Catalogue], cut: bool) -> Table:
    """Return the letter's table; `cut` makes it a summary by network."""
    heads = _SUMMARY_HEADS if cut else _HEADS
    return Table(
        titles=tuple(catalogue.say(Say.HTML_TABLE) for catalogue in catalogues),
        notes=tuple(catalogue.say(Say.SUMMARY if cut else Say.NOTE) for catalogue in catalogues),
        heads=tuple(tuple(catalogue.say(head) for head in heads) for catalogue in catalogues),
        sections=tuple(
            Section(
                tuple(_heading(group, told.front, catalogue) for catalogue in catalogues),
                _summary(group, catalogues) if cut else tuple(row.cells for row in lines),
            )
            for group, lines in told.sections
        ),
    )


def _heading(group: Group, front: FrontMatter, catalogue: Catalogue) -> str:
    return f"{front.topics[group.topics[0]][catalogue.locale].name} ({qualifier(group, catalogue)})"


def _summary(group: Group, catalogues: Sequence[Catalogue]) -> tuple[Cells, ...]:
    """Return one line for each network: its name, how many addresses, the newest observation."""
    found: dict[str, list[Finding]] = {}
    for finding in group.findings:
        found.setdefault(finding.network, []).append(finding)
    unnamed = " / ".join(dict.fromkeys(catalogue.say(Say.NOT_NAMED) for catalogue in catalogues))
    return tuple(
        (
            network or f"({unnamed})",
            str(len({finding.address for finding in here})),
            utc_second(max(finding.last_seen for finding in here)),
        )
        for network, here in sorted(found.items())
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
