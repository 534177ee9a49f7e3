"""The front matter of a letter: its name and kind, its topics and their words, its subject in each language.

Pure: the text of letter.toml in, a FrontMatter out.  A topic's words stand there as data, so that a letter on another
topic needs no Python.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale, UnknownLocaleError

from pipeline.domain import ConfigurationError, EvidenceLevel

NAME = "letter.toml"
MAX_FRONT = 64 * 1024  # characters


@dataclass(frozen=True, slots=True)
class TopicWords:
    """What a topic is called in one language: "open mail relay", "an open mail relay", "the open mail relay", and the
    short form of a subject line, "open relay"."""

    name: str
    a: str
    the: str
    short: str


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What letter.toml says.  `topics` maps a topic to its words per locale, in the letter's order."""

    name: str
    kind: str
    minimum_level: EvidenceLevel
    locales: tuple[str, ...]
    subjects: Mapping[str, str]  # locale -> template source
    topics: Mapping[str, Mapping[str, TopicWords]]


def parse(text: str) -> FrontMatter:
    """Return the front matter of a letter.  Raises ConfigurationError with the key that is amiss."""
    if len(text) > MAX_FRONT:
        raise _fault(f"is longer than {MAX_FRONT} characters")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fault("is not TOML", str(error)) from error
    locales = _get(table, "locales", list)
    try:
        known = [str(Locale.parse(locale)) for locale in locales]
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise _fault("`locales` must be a list of locales", str(error)) from error
    if not known or known != locales:
        raise _fault("`locales` must be a list of locales, written as in fr_CA")
    level = _get(table, "minimum_level", int)
    if level not in EvidenceLevel.__members__.values():
        raise _fault("`minimum_level` must be 0 to 4")
    return FrontMatter(
        name=_get(table, "name", str),
        kind=_get(table, "kind", str),
        minimum_level=EvidenceLevel(level),
        locales=tuple(locales),
        subjects={locale: _get(_get(table, "subject", dict), locale, str, "subject.") for locale in locales},
        topics={
            topic: {locale: _topic_words(words, topic, locale) for locale in locales}
            for topic, words in _get(table, "topics", dict).items()
        },
    )


def _topic_words(words: object, topic: str, locale: str) -> TopicWords:
    path = f"topics.{topic}."
    forms = _get(words if isinstance(words, dict) else {}, locale, dict, path)
    return TopicWords(*(_get(forms, form, str, f"{path}{locale}.") for form in ("name", "a", "the", "short")))


def _get(table: Mapping[str, Any], key: str, kind: type, path: str = "") -> Any:
    value = table.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _fault(f"`{path}{key}` is missing or not a {kind.__name__}")
    return value


def _fault(what: str, why: str = "") -> ConfigurationError:
    return ConfigurationError(f"The letter's {NAME}: {what}", why)
