"""Read what a person says of a contact: a mailbox, a network, a language, a header ...; in an option or in a file.  Pure.

Each function takes one text and returns its value in the one form that is stored, or raises Wrong with a code; the words of
the codes are the command line's (cli/states.py).  Nothing that passes here can add a line to a letter or a header.
"""

import functools
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network

from babel import Locale

from pipeline.data.asked_headers import MOST, NotAsked, asked_header
from pipeline.domain import Address
from pipeline.resolve.mailbox import normalise
from pipeline.resolve.openpgp import NotAKey
from pipeline.resolve.openpgp import public_key as _public_key

FORMATS = ("inline", "csv", "xarf")
ROUTES = ("direct", "copy", "digest", "partner")
MAX_TEXT = 500  # characters of a reason, a title, a source
MAX_HEADER = 200  # characters of one header's value
MAX_DAYS = 3660
WIDEST = {4: 8, 6: 19}  # a word on a wider range is a slip

_LANGUAGES = {"en": "en", "fr": "fr", "fr_ca": "fr_CA"}
_BAD = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NO_COUNTRY = frozenset({"ZZ", "XA", "XB", "EZ", "QO", "UN"})  # CLDR's codes for what is none


class Wrong(ValueError):
    """A text that cannot be taken; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def mailbox(text: str) -> tuple[str, str]:
    """Return (lower-cased local part @ A-label, spelling)."""
    found = normalise(text.strip())
    if found is None:
        raise Wrong("mailbox")
    return found


def network(text: str) -> tuple[Address, Address]:
    """Return an inclusive range: of one address, of a network, or FIRST-LAST."""
    first, dash, last = text.strip().partition("-")
    try:
        if dash:
            low, high = ip_address(first.strip()), ip_address(last.strip())
        else:
            whole = ip_network(text.strip())
            low, high = whole[0], whole[-1]
    except ValueError:
        raise Wrong("network") from None
    if low.version != high.version or int(low) > int(high) or "%" in text:
        raise Wrong("network")
    if int(high) - int(low) >= 1 << low.max_prefixlen - WIDEST[low.version]:
        raise Wrong("too_wide")
    return low, high


def country(text: str) -> str:
    """Return an ISO 3166 alpha-2 code in capitals."""
    code = text.strip().upper()
    if code not in _countries():
        raise Wrong("country")
    return code


@functools.cache
def _countries() -> frozenset[str]:
    named = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in named if re.fullmatch("[A-Z]{2}", code)) - _NO_COUNTRY


def language(text: str) -> str:
    """Return one or both languages in their order: en, fr, fr_CA, or two of them with a comma between."""
    found: list[str] = []
    for tag in re.split(r"[,;\s]+", text.strip()):
        known = _LANGUAGES.get(tag.lower().replace("-", "_"))
        if known is None or any(known[:2] == before[:2] for before in found):
            raise Wrong("language")
        found.append(known)
    return ",".join(found)


def format_(text: str) -> str:
    """Return how a contact wants the list of addresses: inline, csv or xarf."""
    if text.strip().lower() not in FORMATS:
        raise Wrong("format")
    return text.strip().lower()


def route(text: str) -> str:
    """Return who hears of a country's cases: direct, copy, digest or partner."""
    if text.strip().lower() not in ROUTES:
        raise Wrong("route")
    return text.strip().lower()


def days(text: str) -> int:
    """Return a number of days: "30d", "30"."""
    found = re.fullmatch(r"([0-9]{1,4})\s?d?", text.strip())
    if found is None or not 0 < int(found[1]) <= MAX_DAYS:
        raise Wrong("days")
    return int(found[1])


def moment(text: str) -> datetime:
    """Return a time given as a date (its first moment, UTC) or as ISO 8601 with a zone."""
    wanted = text.strip()
    try:
        if len(wanted) <= 10:
            return datetime.combine(date.fromisoformat(wanted), time(), UTC)
        at = datetime.fromisoformat(wanted)
        if at.tzinfo is None:
            raise Wrong("zone")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise error if isinstance(error, Wrong) else Wrong("time") from None


def words(text: str) -> str:
    """Return a person's words, on one line."""
    said = text.strip()
    if len(said) > MAX_TEXT:
        raise Wrong("too_long")
    if any(unicodedata.category(ch) in _BAD for ch in said):
        raise Wrong("control")
    return said


def header(text: str) -> tuple[str, str]:
    """Return the name and value of "X-Name: value"; which ones may be asked for says data/asked_headers.py."""
    name, colon, value = text.strip(" ").partition(":")
    if not colon:
        raise Wrong("header")
    try:
        found = asked_header(name, value.strip(" "))
    except NotAsked as error:
        raise Wrong(error.code) from None
    if len(found[1]) > MAX_HEADER:
        raise Wrong("header_value")
    return found


def headers(text: str) -> dict[str, str]:
    """Return the headers of a text with one on each line."""
    found: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.split("\n"))):
        name, value = header(line)
        if name.lower() in {before.lower() for before in found}:
            raise Wrong("double_header")
        found[name] = value
    return enough(found)


def enough(found: Mapping[str, str]) -> dict[str, str]:
    """Return headers by name, if they are not too many."""
    if len(found) > MOST:
        raise Wrong("headers")
    return dict(sorted(found.items()))


def public_key(text: str) -> str:
    """Return an armoured public key in one form.  A private one is refused by a code of its own."""
    try:
        return _public_key(text)
    except NotAKey as error:
        raise Wrong("private_key" if error.private else "pgp_key") from None
