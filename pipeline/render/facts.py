"""The parts of a letter that its languages share: the block of facts at the top, the table of addresses, the foot.

Pure; made once for each letter, labelled in all of its languages.  An abuse desk sorts a letter in a minute: within
the first twelve lines stand the reference, the count, the kind, and up to five targets with port and UTC second.
No outside value stands in these parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.render.catalogue import Catalogue, Say, both
from pipeline.render.evidence import Group, Row, rows, sections, statements
from pipeline.render.front import FrontMatter
from pipeline.render.values import LetterValues
from pipeline.render.view import qualifier

FACT_LINES = 5  # targets told in the block at the top

_HEADS = (Say.ADDRESS, Say.PORT_HEAD, Say.SERVICE, Say.LAST_SEEN)


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of the letter's findings in one language, with its label."""

    label: str
    text: str


def shared_names(values: LetterValues, front: FrontMatter, catalogues: Sequence[Catalogue]) -> dict[str, object]:
    """Return the names for facts.txt.j2, table.txt.j2 and foot.txt.j2, in the order of the letter's languages."""
    parts = sections(values.findings, tuple(front.topics))
    listed = [rows(part) for part in parts]
    flat = list(chain.from_iterable(listed))
    heads, widths = _heads(flat, catalogues)
    lines: list[str] = []
    for part, part_rows in zip(parts, listed, strict=True):
        if len(parts) > 1:
            lines += ["", *(_section_heading(part, front, catalogue) for catalogue in catalogues)]
        lines += [_line(_cells(row), widths) for row in part_rows]
    return {
        "top": _top(values, catalogues),
        "reference": values.reference,
        "count": str(len({row.address for row in flat})),
        "count_note": _count_note(flat, catalogues),
        "kinds": tuple(_kind(values, front, catalogue) for catalogue in catalogues),
        "first_lines": tuple(_fact_line(row, catalogues) for row in flat[:FACT_LINES]),
        "notes": tuple(catalogue.say(Say.NOTE) for catalogue in catalogues),
        "heads": heads,
        "lines": tuple(lines),
        "seal": values.seal_head,
    }


def training_mark(values: LetterValues, catalogues: Sequence[Catalogue], message: Say) -> str:
    """Return the words that mark a training letter, or nothing if it is none."""
    if not values.training:
        return ""
    return both(catalogues, message) + (f" ({values.watermark})" if values.watermark else "")


def _top(values: LetterValues, catalogues: Sequence[Catalogue]) -> tuple[str, ...]:
    mark = training_mark(values, catalogues, Say.TRAINING)
    lines = [f"*** {mark} ***"] if mark else []
    lines += [catalogue.say(Say.FOLLOWS) for catalogue in catalogues[1:]]
    # The facts end by line twelve: with two lines above them there is no room for a blank one.
    return (*lines, "") if len(lines) == 1 else tuple(lines)


def _kind(values: LetterValues, front: FrontMatter, catalogue: Catalogue) -> Kind:
    groups = statements(values.findings, tuple(front.topics))
    here = {topic for group in groups for topic in group.topics}
    words = [forms[catalogue.locale] for topic, forms in front.topics.items() if topic in here]
    names = words[0].name if len(words) == 1 else ", ".join(word.short for word in words)
    how = qualifier(groups[0], catalogue) if len(groups) == 1 else catalogue.say(Say.DIFFERS)
    return Kind(catalogue.say(Say.KIND), f"{names} ({how})")


def _section_heading(part: Group, front: FrontMatter, catalogue: Catalogue) -> str:
    return f"{front.topics[part.topics[0]][catalogue.locale].name} ({qualifier(part, catalogue)})"


def _count_note(flat: Sequence[Row], catalogues: Sequence[Catalogue]) -> str:
    services = len({(row.address, row.port, row.service) for row in flat})
    notes = []
    if services != len({row.address for row in flat}):
        notes.append(both(catalogues, Say.SERVICES, number=str(services)))
    if len(flat) > FACT_LINES:
        notes.append(both(catalogues, Say.SHORTENED, number=str(FACT_LINES)))
    return f" ({', '.join(notes)})" if notes else ""


def _fact_line(row: Row, catalogues: Sequence[Catalogue]) -> str:
    port = both(catalogues, Say.PORT, port=str(row.port)) if row.port else both(catalogues, Say.NO_PORT)
    return f"{row.address}  {port}  {row.last_seen}"


def _heads(flat: Sequence[Row], catalogues: Sequence[Catalogue]) -> tuple[tuple[str, ...], list[int]]:
    """Return the heads of the table, one line for each language, and the width of each column."""
    words = [[catalogue.say(head) for head in _HEADS] for catalogue in catalogues]
    columns = zip(*words, *(_cells(row) for row in flat), strict=True)
    widths = [max(map(len, column)) for column in columns]
    return tuple(_line(head, widths) for head in words), widths


def _cells(row: Row) -> list[str]:
    return [
        str(row.address),
        str(row.port) if row.port else "-",
        row.service if row.service != "any" else "-",
        row.last_seen,
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
