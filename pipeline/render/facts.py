"""The names for the parts of a letter that its languages share: the facts at the top, the table, the foot.

Pure; made once for each letter, labelled in all of its languages.  An abuse desk sorts a letter in a minute: within
the first twelve lines stand the reference, the count, the kind, and up to five targets with port and UTC second.
No outside value stands in these parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.render.catalogue import Catalogue, Say, both
from pipeline.render.evidence import Row
from pipeline.render.table import Table
from pipeline.render.told import Told
from pipeline.render.values import LetterValues
from pipeline.render.view import qualifier

FACT_LINES = 5  # targets told in the block at the top


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of the letter's findings in one language, with its label."""

    label: str
    text: str


def shared_names(told: Told, catalogues: Sequence[Catalogue], shown: Table) -> dict[str, object]:
    """Return the names for facts.txt.j2, table.txt.j2 and foot.txt.j2, in the order of the letter's languages."""
    values, flat = told.values, told.lines
    heads, lines = shown.as_text()
    return {
        "top": _top(values, catalogues),
        "reference": values.reference,
        "count": str(len({row.address for row in flat})),
        "count_note": _count_note(flat, catalogues),
        "kinds": tuple(_kind(told, catalogue) for catalogue in catalogues),
        "first_lines": tuple(_fact_line(row, catalogues) for row in flat[:FACT_LINES]),
        "notes": shown.notes,
        "heads": heads,
        "lines": lines,
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


def _kind(told: Told, catalogue: Catalogue) -> Kind:
    groups = told.statements
    here = {topic for group in groups for topic in group.topics}
    words = [forms[catalogue.locale] for topic, forms in told.front.topics.items() if topic in here]
    names = words[0].name if len(words) == 1 else ", ".join(word.short for word in words)
    how = qualifier(groups[0], catalogue) if len(groups) == 1 else catalogue.say(Say.DIFFERS)
    return Kind(catalogue.say(Say.KIND), f"{names} ({how})")


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
