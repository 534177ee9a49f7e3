"""The short strings of letters in each language: labels, table heads, kinds of evidence.

Pure: a .po file's text in, a Catalogue out.  A message that is missing, empty or fuzzy raises when it is asked for:
gettext would silently put English into a French letter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from babel.messages.pofile import PoFileError, read_po

from pipeline.domain import ConfigurationError

MAX_PO = 256 * 1024  # bytes of one .po file


class Say(StrEnum):
    """Every message that Python code says in a letter; templates say further ones through both("...")."""

    TRAINING = "TRAINING LETTER, no action needed"
    TRAINING_SUBJECT = "TRAINING"
    FOLLOWS = "English follows."
    LANGUAGE = "ENGLISH"
    KIND = "Kind:"
    REPORTED = "reported, not verified"
    OBSERVED = "observed first-hand"
    CONFIRMED = "confirmed by a test on %(date)s"
    CONFIRMED_BETWEEN = "confirmed by tests between %(first)s and %(last)s"
    CLOSED = "no longer found by a test on %(date)s"
    CLOSED_BETWEEN = "no longer found by tests between %(first)s and %(last)s"
    STATED = "stated to be fixed, not tested by us"
    DIFFERS = "the evidence differs, see the table"
    PORT = "port %(port)s"
    NO_PORT = "port not stated"
    SERVICES = "%(number)s services"
    SHORTENED = "%(number)s lines here, more below"
    ONE_DATABASE = "one public database"
    DATABASES = "%(number)s public databases"
    DATABASES_OR = "%(least)s or %(most)s public databases"
    DATABASES_RANGE = "%(least)s to %(most)s public databases"
    SOME_NAMED = "those that we may name: %(names)s"
    THE_ONE_NAMED = "the one that we may name: %(names)s"
    ONE = "one"
    TWO = "two"
    THREE = "three"
    FOUR = "four"
    FIVE = "five"
    SIX = "six"
    SEVEN = "seven"
    EIGHT = "eight"
    NINE = "nine"
    NOTE = "One service a line; a hyphen means: not stated."
    ADDRESS = "IP ADDRESS"
    PORT_HEAD = "PORT"
    SERVICE = "SERVICE"
    LAST_SEEN = "LAST SEEN UTC"
    SUMMARY = "Too many lines for a letter: a summary by network."
    NETWORK = "NETWORK"
    ADDRESSES = "ADDRESSES"
    NOT_NAMED = "not named"
    HTML_TABLE = "Addresses concerned"
    PREFACE = "This message holds one letter in two languages, one part for each; the parts say the same."


class MissingTranslation(ConfigurationError):
    """A letter wants a message that its language does not have."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of one locale: English msgid to translation."""

    locale: str
    messages: Mapping[str, str]

    def say(self, message: str, **values: str) -> str:
        """Return `message` in this locale with its values put in.  Raises MissingTranslation."""
        text = self.messages.get(str(message))
        if text is None:
            raise MissingTranslation(
                f'"{message}" is not translated into {self.locale}',
                "it is missing, empty or marked fuzzy",
                f"translate it in the letters.po of {self.locale}",
            )
        try:
            return text % values if values else text
        except (KeyError, ValueError, TypeError) as error:
            raise MissingTranslation(
                f'"{message}" is translated into {self.locale} with another placeholder', str(error)
            ) from error


def parse(text: str, locale: str) -> Catalogue:
    """Return the catalogue of a .po file.  Raises ConfigurationError if it cannot be read or is too long."""
    messages = {}
    for entry in entries(text, locale):
        if entry.translation and not entry.fuzzy:
            messages[entry.message] = entry.translation
    return Catalogue(locale, messages)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a .po file as it stands; `translation` may be empty."""

    message: str
    translation: str
    fuzzy: bool


def entries(text: str, locale: str) -> list[Entry]:
    """Return the messages of a .po file in their order.  Raises ConfigurationError; plural entries are refused."""
    if len(text) > MAX_PO:
        raise ConfigurationError(f"The letters.po of {locale} is too long", f"more than {MAX_PO} bytes")
    try:
        catalog = read_po(BytesIO(text.encode()), locale=locale, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise ConfigurationError(f"The letters.po of {locale} cannot be read", str(error)) from error
    found = []
    for message in catalog:
        if not message.id:
            continue
        if not isinstance(message.id, str) or not isinstance(message.string, str):
            raise ConfigurationError(
                f"The letters.po of {locale} has a plural entry", "letters count in their templates, where all is read"
            )
        found.append(Entry(message.id, message.string, message.fuzzy))
    return found


def both(catalogues: Iterable[Catalogue], message: str, **values: str) -> str:
    """Return `message` in each language, joined by a stroke; once where the languages agree.

    Of labels that end in a colon only the last keeps it, with its language's space.
    """
    texts = list(dict.fromkeys(catalogue.say(message, **values) for catalogue in catalogues))
    if message.endswith(":"):
        texts[:-1] = [text.rstrip(": \u00a0") for text in texts[:-1]]
    return " / ".join(texts)
