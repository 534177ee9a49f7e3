"""Which language a contact is written to in, and by which rule.

Pure.  The country is the one of the network's registration, never one guessed from where an address seems to be.
In Canada both languages go out, French first where the office is in Quebec, English first elsewhere.  Elsewhere the
official languages decide (Unicode CLDR, by babel); English alone or French alone is written only where a reader can
be expected to read it, both in every other case.  A letter about networks of several countries goes by the one of most of
its cases, and the rule says so.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from babel.languages import get_official_languages

ENGLISH, FRENCH, FRENCH_CANADA = "en", "fr", "fr_CA"

_QUEBEC = frozenset({"qc", "caqc", "pq", "que", "quebec", "provincedequebec", "provinceofquebec"})
_NEW_BRUNSWICK = frozenset({"nb", "canb", "newbrunswick", "nouveaubrunswick"})


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """The locales of a letter, in their order, and the rule that chose them.

    `rule` is one of: preference, province, country, default; province_of_most and country_of_most where the cases are in
    several countries.
    """

    locales: tuple[str, ...]
    rule: str


def choose(preference: str, country: str, region: str, default_order: Sequence[str]) -> LanguageChoice:
    """Return the locales to write in.

    `preference` holds language tags in order, separated by commas ("fr-CA", "en, fr"), or nothing; tags we do not write
    are passed over.  `country` is ISO 3166 alpha-2, `region` free text as a registry has it; both may be empty.
    `default_order` names two locales, English and a French.  Raises ValueError if it does not.
    """
    if sorted(locale.partition("_")[0] for locale in default_order) != [ENGLISH, FRENCH]:
        raise ValueError("the default order names English and French, once each")
    country = country.strip().upper()
    wished = _preferred(preference, country, default_order)
    if wished:
        return LanguageChoice(wished, "preference")
    if country == "CA":
        place = _plain(region)
        if place in _QUEBEC:
            return LanguageChoice((FRENCH_CANADA, ENGLISH), "province")
        return LanguageChoice((ENGLISH, FRENCH_CANADA), "province" if place in _NEW_BRUNSWICK else "country")
    official = _by_country(country)
    return LanguageChoice(official, "country") if official else LanguageChoice(tuple(default_order), "default")


def home(places: Sequence[tuple[str, str]]) -> tuple[str, str, bool]:
    """Return (country, region) of most of a letter's cases, and whether they are in several countries.

    `places` has the country and region of each case's network.  Of two countries with as many cases, the first by
    alphabet decides, and so it is with the regions of that country; what is not known has no say.
    """
    countries = Counter(country for country, _ in places if country)
    country = _first_of_most(countries)
    regions = Counter(region for where, region in places if where == country and region)
    return country, _first_of_most(regions), len(countries) > 1


def _first_of_most(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default="")


def choose_for(preference: str, places: Sequence[tuple[str, str]], default_order: Sequence[str]) -> LanguageChoice:
    """Return the locales to write in about cases in these places (country, region), as `choose` does."""
    country, region, several = home(places)
    choice = choose(preference, country, region, default_order)
    if several and choice.rule in ("country", "province"):
        return LanguageChoice(choice.locales, f"{choice.rule}_of_most")
    return choice


def _preferred(preference: str, country: str, default_order: Sequence[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}  # language -> locale; the first tag of a language wins
    for tag in re.findall(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*", preference[:200]):
        language, _, rest = tag.lower().replace("-", "_").partition("_")
        if language == ENGLISH:
            found.setdefault(ENGLISH, ENGLISH)
        elif language == FRENCH:
            found.setdefault(FRENCH, _french(rest, country, default_order))
    return tuple(found.values())


def _french(subtags: str, country: str, default_order: Sequence[str]) -> str:
    """Return the French that is wanted: by its tag, else by country, else as the campaign has it."""
    if subtags:
        return FRENCH_CANADA if "ca" in subtags.split("_") else FRENCH
    if country:
        return FRENCH_CANADA if country == "CA" else FRENCH
    return next(locale for locale in default_order if locale.startswith(FRENCH))


def _by_country(country: str) -> tuple[str, ...]:
    """Return our languages among the official ones, most spoken first; none if there is none."""
    ours = tuple(tag for tag in get_official_languages(country, de_facto=True) if tag in (ENGLISH, FRENCH))
    if ours == (FRENCH,) and get_official_languages(country) != (FRENCH,):
        return (FRENCH, ENGLISH)  # Belgium, Switzerland, Morocco: not every desk there reads French
    return ours


def _plain(text: str) -> str:
    """Return `text` as lower-case letters alone, without accents."""
    return re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", text[:100]).casefold())
