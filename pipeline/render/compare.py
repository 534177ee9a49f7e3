"""What is different between two states of a letter, and how two of its languages stand beside each other.

Pure: sources in, lines and rows out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest

from pipeline.render import front, templating
from pipeline.render.letter import BLOCKS
from pipeline.render.lint_parity import Paragraph, body_of, paragraphs

SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Beside:
    """One paragraph in two languages; `apart` is true where they do not use the same values in the same way."""

    part: str  # subject, prose or closing
    one: str
    other: str
    apart: bool


def changes(before: Mapping[str, str], after: Mapping[str, str], old: str, new: str) -> dict[str, list[str]]:
    """Return {name: lines} of a unified diff of each source that is not the same in both."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        first, second = (sources.get(name, "").splitlines() for sources in (before, after))
        if lines := list(unified_diff(first, second, f"{name} {old}", f"{name} {new}", lineterm="")):
            found[name] = lines
    return found


def languages(sources: Mapping[str, str], one: str, other: str) -> list[Beside]:
    """Return a letter's paragraphs in two of its languages, what it includes put in place.

    Raises ConfigurationError if the sources cannot be read, KeyError if the letter is not in that language.
    """
    matter = front.parse(sources[front.NAME], sources[front.TOPICS])
    found = list(_beside(SUBJECT, *(_parts({"": matter.subjects[locale]}, "", "") for locale in (one, other))))
    for block in BLOCKS:
        found += _beside(block, *(_parts(sources, f"{locale}.txt.j2", block) for locale in (one, other)))
    return found


def _parts(sources: Mapping[str, str], name: str, block: str) -> list[Paragraph]:
    return paragraphs(body_of(templating.tree(name, sources), block))


def _beside(part: str, ours: list[Paragraph], theirs: list[Paragraph]) -> Iterator[Beside]:
    """Pair what uses the same; between two such pairs, what is left stands beside what is left."""
    here, there = (
        [(paragraph.kind, frozenset(paragraph.uses.items())) for paragraph in side] for side in (ours, theirs)
    )
    for kind, a, b, c, d in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
        for left, right in zip_longest(ours[a:b], theirs[c:d]):
            yield Beside(part, _words(left), _words(right), kind != "equal")


def _words(paragraph: Paragraph | None) -> str:
    return " ".join(paragraph.words.split()) if paragraph else ""
