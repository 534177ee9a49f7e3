"""The front matter of a letter: its name and kind, its topics and their words, its subject in each language.

Pure: the texts of letter.toml and topics.toml in, a FrontMatter out.  A topic's words stand there as data, so that a
letter on another topic needs no Python.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale, UnknownLocaleError

from pipeline.domain import ConfigurationError, EvidenceLevel
from pipeline.render.values import FIRST, LAST, REMINDER, TEST, THANKS

NAME = "letter.toml"
TOPICS = "topics.toml"
MAX_FRONT = 64 * 1024  # characters
KINDS = (FIRST, REMINDER, LAST, THANKS, TEST)


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
    """What letter.toml and topics.toml say.  `topics` maps a topic to its words per locale, in the letter's order.

    `translated` maps a translation's name ("fr.txt.j2") to the fingerprint of the text that it was made from.
    """

    name: str
    kind: str
    revision: int
    minimum_level: EvidenceLevel
    locales: tuple[str, ...]
    subjects: Mapping[str, str]  # locale -> template source
    topics: Mapping[str, Mapping[str, TopicWords]]
    translated: Mapping[str, str]


def parse(text: str, topics: str) -> FrontMatter:
    """Return the front matter of a letter.  Raises ConfigurationError with the key that is amiss."""
    table, words = _table(NAME, text), _table(TOPICS, topics)
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
    kind = _get(table, "kind", str)
    if kind not in KINDS:
        raise _fault(f"`kind` must be one of {', '.join(KINDS)}")
    return FrontMatter(
        name=_get(table, "name", str),
        kind=kind,
        revision=_get(table, "revision", int),
        minimum_level=EvidenceLevel(level),
        locales=tuple(locales),
        subjects={locale: _get(_get(table, "subject", dict), locale, str, "subject.") for locale in locales},
        topics={
            topic: {locale: _topic_words(forms, topic, locale) for locale in locales}
            for topic, forms in _get(words, "topics", dict).items()
        },
        translated=_fingerprints(words) | _fingerprints(table),
    )


def fingerprint(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a source, which a translation of it bears."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _table(name: str, text: str) -> dict[str, Any]:
    if len(text) > MAX_FRONT:
        raise _fault(f"is longer than {MAX_FRONT} characters", name=name)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _fault("is not TOML", str(error), name) from error


def _fingerprints(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(digest) for name, digest in _get(table, "translated", dict).items()}


def _topic_words(words: object, topic: str, locale: str) -> TopicWords:
    path = f"topics.{topic}."
    forms = _get(words if isinstance(words, dict) else {}, locale, dict, path)
    return TopicWords(*(_get(forms, form, str, f"{path}{locale}.") for form in ("name", "a", "the", "short")))


def _get(table: Mapping[str, Any], key: str, kind: type, path: str = "") -> Any:
    value = table.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _fault(f"`{path}{key}` is missing or not a {kind.__name__}")
    return value


def _fault(what: str, why: str = "", name: str = f"{NAME} or {TOPICS}") -> ConfigurationError:
    return ConfigurationError(f"The letter's {name}: {what}", why)
