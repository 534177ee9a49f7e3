"""Dates, numbers, lists and countries as a reader of each language expects them.

Pure; the data are Unicode CLDR's, by babel, mended where CLDR falls short: French writes "1er janvier", and a text
letter holds no narrow no-break space (U+202F), which old mail programs show as a box.  What is said is remembered: the
letters of a wave say the same dates, numbers and countries over and over.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from pipeline.render.catalogue import Catalogue, Say

_WORDS = (Say.TWO, Say.THREE, Say.FOUR, Say.FIVE, Say.SIX, Say.SEVEN, Say.EIGHT, Say.NINE)


@lru_cache(maxsize=256)
def long_date(day: date, locale: str) -> str:
    """Return "November 3, 2026" or "3 novembre 2026", day and month kept on one line."""
    text = format_date(day, "long", locale=Locale.parse(locale))
    if locale.startswith("fr"):
        number, _, rest = text.partition(" ")
        return f"{'1er' if number == '1' else number}\u00a0{rest}"
    month, _, rest = text.partition(" ")
    return f"{month}\u00a0{rest}"


@lru_cache(maxsize=1024)
def number(value: int, locale: str) -> str:
    """Return a whole number in figures: 12,430 or 12 430 (U+00A0)."""
    return format_decimal(value, locale=Locale.parse(locale)).replace("\u202f", "\u00a0")


def count_word(value: int, catalogue: Catalogue) -> str:
    """Return two to nine in words, any other number in figures."""
    return catalogue.say(_WORDS[value - 2]) if 2 <= value <= 9 else number(value, catalogue.locale)


def listing(items: Sequence[str], locale: str, joined_by_or: bool = False) -> str:
    """Return "A, B and C" or "A, B ou C"; no comma stands before the last word in either language."""
    if len(items) < 2:
        return "".join(items)
    text = format_list(items, "or" if joined_by_or else "standard", Locale.parse(locale))
    if locale.startswith("en") and len(items) > 2:
        head, _, tail = text.rpartition(", ")
        return f"{head} {tail}"
    return text


@lru_cache(maxsize=1024)
def country(code: str, locale: str) -> str:
    """Return a country's name without an article, or the code itself if CLDR does not know it."""
    name: str = Locale.parse(locale).territories.get(code, code)
    return name
