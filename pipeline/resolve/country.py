"""Read a country out of a postal address: its ISO 3166 alpha-2 code, or nothing.

Pure; the English names are CLDR's, as babel carries them, with the spellings that registries use beside them.
"""

import functools
import re

from babel import Locale

_ALSO = {
    "usa": "US",
    "united states of america": "US",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "russian federation": "RU",
    "korea, republic of": "KR",
    "republic of korea": "KR",
    "korea": "KR",
    "the netherlands": "NL",
    "holland": "NL",
    "viet nam": "VN",
    "turkey": "TR",
    "czech republic": "CZ",
    "hong kong": "HK",
    "macau": "MO",
    "taiwan, province of china": "TW",
    "moldova, republic of": "MD",
    "iran, islamic republic of": "IR",
    "brasil": "BR",
    "méxico": "MX",
    "españa": "ES",
    "deutschland": "DE",
    "suisse": "CH",
    "tanzania, united republic of": "TZ",
}


def code(text: str) -> str:
    """Return the code that the text is ("fr", " CA "), or names ("Canada", "UNITED STATES"), or ""."""
    if not text:
        return ""
    bare = " ".join(text[:80].split()).strip(" .,")
    if len(bare) == 2 and bare.isascii() and bare.isalpha():
        return bare.upper()
    return _names().get(bare.lower(), "")


@functools.cache
def _names() -> dict[str, str]:
    named = {name.lower(): key for key, name in Locale("en").territories.items() if re.fullmatch(r"[A-Z]{2}", key)}
    return named | _ALSO
