"""Words that an official letter does without, by language, each with the reason: words_to_avoid.toml.

Reads: that file, once.  Writes: nothing.  A word is one pattern: whole words, whatever their case; "*" at its end stands
for any further letters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.data import load

FILE = load.HERE / "words_to_avoid.toml"
LANGUAGES = ("en", "fr")


@dataclass(frozen=True, slots=True)
class Avoided:
    """Words of one language that share a reason; `pattern` finds any of them."""

    reason: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]


@cache
def avoided(path: Path = FILE) -> Mapping[str, tuple[Avoided, ...]]:
    """Return what to avoid in each language.  Raises ConfigurationError if the file is malformed."""
    found: dict[str, list[Avoided]] = {language: [] for language in LANGUAGES}
    document = load.table(path)
    load.no_others(document, {"as_of", "sources", "avoid"}, path.name)
    for number, entry in enumerate(load.take(document, "avoid", list, path.name), 1):
        where = f"{path.name}: avoid {number}"
        load.no_others(entry, {"reason", *LANGUAGES}, where)
        reason = load.take(entry, "reason", str, where)
        for language in LANGUAGES:
            if words := load.texts(entry, language, where):
                found[language].append(Avoided(reason, words, _pattern(words)))
    return {language: tuple(entries) for language, entries in found.items()}


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(_word, longest_first))})(?!\w)", re.IGNORECASE)


def _word(word: str) -> str:
    """Return the pattern of one word; a blank in it is any white space, a no-break space too."""
    stem = r"\s".join(re.escape(part) for part in word.removesuffix("*").split())
    return stem + (r"\w*" if word.endswith("*") else "")
