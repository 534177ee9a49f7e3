"""The command line's words in the reader's language.

Reads: templates/locale/LANGUAGE/LC_MESSAGES/tocsin.po, once, and only when a language other than English is wanted.
`text` and `plural` take an English msgid and its values.  `sentence` takes a finished English sentence of another layer
(an error, click's own words, the settings' checks), finds the msgid it was made from, and says it again.  A msgid without
a translation is shown in English; tests set STRICT, and then it raises.  Standards: gettext's .po format.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

LANGUAGES = ("en", "fr")
STRICT = False  # tests: a msgid that a catalogue lacks is a KeyError

PLACE = re.compile(r"\{([a-z_0-9]+)(?:!r)?\}")
WORD = re.compile("[A-Za-z]")
WORDS_OF = re.compile("[A-Za-z]+")
BARE = {
    "a",
    "an",
    "and",
    "are",
    "as",
    "at",
    "by",
    "for",
    "from",
    "in",
    "is",
    "it",
    "of",
    "on",
    "or",
    "over",
    "the",
    "to",
}
SPOKEN_AGAIN = ("message", "hint", "which", "state")  # places in a msgid whose value is itself a sentence
NO_BREAK = "\u00a0"
MAX_SENTENCE = 4000  # characters; longer ones are shown as they are

_current = ["en"]


class Template(NamedTuple):
    """A msgid with places, cut at them: literal, name, literal, name, ..., literal."""

    msgid: str
    parts: tuple[str, ...]

    def values(self, english: str) -> dict[str, str] | None:
        """Return what stands in the places of a sentence made from the msgid, or None for another sentence."""
        if not all(literal in english for literal in self.parts[::2]):  # far cheaper than a pattern for each msgid
            return None
        found = _pattern(self.parts).fullmatch(english)
        return found.groupdict() if found else None


def use(language: str) -> None:
    """Say everything in `language` from now on: en or fr."""
    _current[0] = language


def language() -> str:
    """Return the language in use."""
    return _current[0]


def choose(flag: str, environment: Mapping[str, str], configured: str) -> str:
    """Return the reader's language: --lang, then TOCSIN_LANGUAGE, then config.toml, then the locale, then English."""
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    for wish in (flag, environment.get("TOCSIN_LANGUAGE", ""), configured, locale[:2]):
        if wish in LANGUAGES:
            return wish
    return "en"


def text(msgid: str, /, **values: object) -> str:
    """Return the msgid in the reader's language, with its values set in."""
    return _lookup(msgid).format(**values) if values else _lookup(msgid)


def each(*msgids: str) -> list[str]:
    """Return several msgids in the reader's language: the headings of a table."""
    return [_lookup(msgid) for msgid in msgids]


def counted(counts: Mapping[str, int]) -> str:
    """Return names with their counts, on one line: "en: 12, fr: 3", spaced as the reader's language does."""
    return ", ".join(text("{what}: {count}", what=name, count=number(count)) for name, count in counts.items())


def plural(one: str, many: str, count: int, /, **values: object) -> str:
    """Return the form that fits `count`, which stands in the msgids as {count}.  In French 0 and 1 are singular."""
    form = count <= 1 if language() == "fr" else count == 1
    return _lookup(one if form else many).format(count=number(count), **values)


def number(value: int) -> str:
    """Return a whole number with its thousands set apart: 12,430 in English, 12 430 in French."""
    return f"{value:,}".replace(",", NO_BREAK) if language() == "fr" else f"{value:,}"


def decimal(value: float) -> str:
    """Return a number with one decimal place: 0.3 in English, 0,3 in French."""
    return f"{value:.1f}".replace(".", ",") if language() == "fr" else f"{value:.1f}"


def figure(value: float) -> str:
    """Return a number with three digits that count: 12,430, 0.25 in English; 12 430, 0,25 in French."""
    if value == int(value):
        return number(int(value))
    return f"{value:.3g}".replace(".", "," if language() == "fr" else ".")


def sentence(english: str) -> str:
    """Return a finished English sentence in the reader's language; as it is where no msgid fits."""
    if language() == "en" or not english or len(english) > MAX_SENTENCE:
        return english
    known = catalogue(language())
    if said := known.get(english):
        return said
    joined = english.count("; ")  # several sentences may stand in one: a place never spans two of them
    for template in templates(language()):
        values = template.values(english) if template.msgid.count("; ") == joined else None
        if values is not None:
            return _filled(known[template.msgid], values)
    if joined:
        return "; ".join(sentence(part) for part in english.split("; "))
    path, colon, tail = english.partition(": ")  # mail.rate: what is wrong with it
    said = sentence(tail)
    return f"{path}{NO_BREAK}: {said}" if colon and said != tail else english


def _filled(said: str, values: Mapping[str, str]) -> str:
    spoken = {name: sentence(value) if name in SPOKEN_AGAIN else value for name, value in values.items()}
    return PLACE.sub(lambda place: spoken[place[1]], said)


def _lookup(msgid: str) -> str:
    if STRICT and msgid not in catalogue(language()):
        raise KeyError(f"no msgid in {language()}/LC_MESSAGES/tocsin.po: {msgid!r}")
    return (catalogue(language()).get(msgid) if language() != "en" else None) or msgid


@cache
def templates(language: str) -> tuple[Template, ...]:
    """Return the translated msgids that have places: first what introduces another one, then the most definite ones.

    Those that are not definite would fit anything, and are left out.
    """
    made = [m for m, said in catalogue(language).items() if said and PLACE.search(m) and is_definite(m)]
    made.sort(key=lambda msgid: (not _wraps(msgid), -len(PLACE.sub("", msgid)), msgid))
    return tuple(Template(msgid, tuple(PLACE.split(msgid))) for msgid in made)


def is_definite(msgid: str) -> bool:
    """True if a msgid can be told from other sentences: it begins with a word, or has one that not every sentence has.

    `{value} and {name}` would be found in half of all English, and its French put into the middle of it.
    """
    own = PLACE.sub(" ", msgid)
    return bool(WORD.match(msgid)) or any(word.lower() not in BARE for word in WORDS_OF.findall(own))


def _wraps(msgid: str) -> bool:
    """True for what introduces another sentence, such as `Invalid value: {message}`."""
    return not msgid.startswith("{") and any(name in SPOKEN_AGAIN for name in PLACE.findall(msgid))


def _pattern(parts: tuple[str, ...]) -> re.Pattern[str]:
    seen: set[str] = set()
    pattern = re.escape(parts[0])
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
        pattern += re.escape(literal)
        seen.add(name)
    return re.compile(pattern, re.DOTALL)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return {msgid: translation} of one language; each form of a plural is an entry of its own.

    A catalogue that cannot be read is an empty one, outside tests: a message in English is better than none.
    """
    from babel.messages.pofile import PoFileError, read_po  # not needed to say something in English

    try:
        with file(language).open("rb") as stream:
            return dict(_pairs((m.id, m.string) for m in read_po(stream, locale=language, abort_invalid=True) if m.id))
    except (OSError, ValueError, PoFileError):
        if STRICT:
            raise
        return {}


def _pairs(messages: Iterable[tuple[object, object]]) -> Iterable[tuple[str, str]]:
    for msgid, said in messages:
        ids = msgid if isinstance(msgid, (tuple, list)) else (msgid,)
        strings = said if isinstance(said, (tuple, list)) else (said,)
        yield from zip(map(str, ids), map(str, strings), strict=True)


def file(language: str) -> Path:
    """Return the catalogue's file: in the installed package, or beside it in a checkout.

    config.shipped does the same for everybody else; it would bring the settings model in, which costs more than --help.
    """
    package = Path(__file__).parent.parent
    name = Path("templates", "locale", language, "LC_MESSAGES", "tocsin.po")
    return next((base / name for base in (package, package.parent) if (base / name).is_file()), package / name)
