"""Read the contact card of an RDAP entity, jCard or JSContact, whatever its members turn out to be.

Pure; what has not the right type is passed over, and every list is bounded.
Standards: RFC 7095 and RFC 6350 (jCard), RFC 8605 (contact-uri, cc), RFC 9553 (JSContact Card, RDAP member "jscard").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.resolve import country
from pipeline.resolve.mailbox import clean

MAX_PROPERTIES = 200
MAX_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class Email:
    """One e-mail value of a card.  `preference`: 1 is best, 0 is none given (RFC 6350 section 5.3)."""

    text: str
    types: frozenset[str]
    preference: int
    path: str  # below the entity


@dataclass(frozen=True, slots=True)
class Card:
    name: str = ""
    kind: str = ""  # individual, group, org, or empty
    organisation: str = ""
    country: str = ""
    region: str = ""
    emails: tuple[Email, ...] = ()
    has_web_form: bool = False


def read(entity: dict[str, Any]) -> Card:
    """Return the entity's card; JSContact's e-mails follow those of the jCard where both are given."""
    jcard, jscard = _jcard(entity.get("vcardArray")), _jscard(entity.get("jscard"))
    return Card(
        name=jcard.name or jscard.name,
        kind=jcard.kind or jscard.kind,
        organisation=jcard.organisation or jscard.organisation,
        country=jcard.country or jscard.country,
        region=jcard.region or jscard.region,
        emails=jcard.emails + jscard.emails,
        has_web_form=jcard.has_web_form or jscard.has_web_form,
    )


def strings(value: object) -> list[str]:
    """Return the texts in a value that may be one text, a list with texts among it, or anything else."""
    if isinstance(value, str):
        return [value]
    return [item for item in value[:MAX_PROPERTIES] if isinstance(item, str)] if isinstance(value, list) else []


def _jcard(array: object) -> Card:
    properties = array[1] if isinstance(array, list) and len(array) > 1 and isinstance(array[1], list) else []
    texts: dict[str, str] = {}
    emails: list[Email] = []
    place, has_web_form = ("", ""), False
    for number, one in enumerate(properties[:MAX_PROPERTIES]):
        if not (isinstance(one, list) and len(one) >= 4 and isinstance(one[0], str)):
            continue
        name, parameters = one[0].lower(), one[1] if isinstance(one[1], dict) else {}
        values = [text for value in one[3 : 3 + MAX_PROPERTIES] for text in strings(value)]
        path = f"vcardArray[1][{number}]"
        if name == "email" or (name == "contact-uri" and any(v.lower().startswith("mailto:") for v in values)):
            emails.extend(Email(v, _types(parameters), _preference(parameters.get("pref")), path) for v in values)
        elif name == "contact-uri":
            has_web_form = has_web_form or any(v.lower().startswith(("http:", "https:")) for v in values)
        elif name == "adr" and not any(place):
            place = _jcard_place(parameters, one[3])
        elif name in ("fn", "kind", "org") and values:
            texts.setdefault(name, clean(values[0], MAX_NAME))
    names = (texts.get("fn", ""), texts.get("kind", "").lower(), texts.get("org", ""))
    return Card(*names, *place, tuple(emails[:MAX_PROPERTIES]), has_web_form)


def _types(parameters: dict[str, Any]) -> frozenset[str]:
    return frozenset(text.strip().lower() for text in strings(parameters.get("type")))


def _preference(value: object) -> int:
    digits = str(value)[:4] if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 100 else 0


def _jcard_place(parameters: dict[str, Any], value: object) -> tuple[str, str]:
    """(country code, region) of an adr property: its parts, its cc parameter, or the last lines of its label."""
    cc = strings(parameters.get("cc"))
    parts = [part if isinstance(part, str) else "" for part in value[:7]] if isinstance(value, list) else []
    found = country.code(cc[0]) if cc else ""
    found = found or (country.code(parts[6]) if len(parts) == 7 else "")
    region = clean(parts[4], 60) if len(parts) > 4 else ""
    label = (strings(parameters.get("label")) or [""])[0].replace("\\n", "\n")[:2000]
    lines = [line.strip() for line in label.splitlines() if line.strip()]
    if not found and lines:
        found = country.code(lines[-1]) or country.code(lines[-1].rpartition(",")[2])
    if not region:  # ARIN: ..., city, province, postal code, country
        region = next((line for line in lines[-3:-1] if len(line) == 2 and line.isalpha() and line.isupper()), "")
    return found, region


def _jscard(card: object) -> Card:
    if not isinstance(card, dict):
        return Card()
    name = card.get("name")
    full = strings(name.get("full")) if isinstance(name, dict) else strings(card.get("fullName"))
    organisations = [text for _, one in _members(card.get("organizations")) for text in strings(one.get("name"))]
    codes = [text for _, one in _members(card.get("addresses")) for text in strings(one.get("countryCode"))]
    links = [text for key in ("links", "onlineServices") for _, one in _members(card.get(key)) for text in _uri(one)]
    emails = tuple(
        Email(text, _jscontact_types(one), _preference(one.get("pref")), f"jscard.emails.{clean(key, 40)}")
        for key, one in _members(card.get("emails"))
        for text in strings(one.get("address"))
    )
    return Card(
        name=clean((full or [""])[0], MAX_NAME),
        kind=clean((strings(card.get("kind")) or [""])[0], 20).lower(),
        organisation=clean((organisations or [""])[0], MAX_NAME),
        country=country.code((codes or [""])[0]),
        emails=emails,
        has_web_form=any(text.lower().startswith(("http:", "https:")) for text in links),
    )


def _members(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    items = list(value.items())[:MAX_PROPERTIES] if isinstance(value, dict) else []
    yield from ((str(key), one) for key, one in items if isinstance(one, dict))


def _uri(one: dict[str, Any]) -> list[str]:
    return strings(one.get("uri")) if one.get("kind") == "contact" else []


def _jscontact_types(one: dict[str, Any]) -> frozenset[str]:
    """The contexts and the label of a JSContact e-mail; "abuse" in either says what jCard's type=abuse says."""
    contexts = one.get("contexts")
    named = [str(key).lower() for key, on in contexts.items() if on] if isinstance(contexts, dict) else []
    return frozenset(named[:20] + [text.strip().lower() for text in strings(one.get("label"))])
