"""Read the contact card of an RDAP entity, jCard or JSContact, whatever its members turn out to be.

Pure; what has not the right type is passed over, and every list is bounded.  Where somebody is (rdap_addresses.py) is read
apart, because it is wanted of one entity in ten.
Standards: RFC 7095 and RFC 6350 (jCard), RFC 8605 (contact-uri), RFC 9553 (JSContact Card, RDAP member "jscard").
"""

import re
from typing import Any, NamedTuple

from pipeline.resolve.mailbox import clean

MAX_PROPERTIES = 200
MAX_NAME = 200  # characters

NO_TYPES: frozenset[str] = frozenset()


class Email(NamedTuple):
    """One e-mail value of a card.  `preference`: 1 is best, 0 is none given (RFC 6350 section 5.3)."""

    text: str
    types: frozenset[str]  # the words of its types, contexts and label, in lower case
    preference: int
    path: str  # below the entity


class Card(NamedTuple):
    """Who an entity is, as it stands, and how to write to it.  A NamedTuple: an answer has a dozen of them."""

    name: str = ""
    kind: str = ""  # individual, group, org, or empty
    organisation: str = ""
    emails: tuple[Email, ...] = ()
    has_web_form: bool = False


EMPTY = Card()
JSCARDS = ("jscard", "jsCard", "jscontact_card")  # the name that was registered, and those of earlier drafts


def read(entity: dict[str, Any]) -> Card:
    """Return the entity's card; JSContact's e-mails follow those of the jCard where both are given."""
    jcard = _jcard(entity.get("vcardArray"))
    if "jscard" not in entity and "jsCard" not in entity and "jscontact_card" not in entity:
        return jcard
    cards = [jcard, *(_jscard(card) for key in JSCARDS if isinstance(card := entity.get(key), dict))]
    return Card(
        name=next((card.name for card in cards if card.name), ""),
        kind=next((card.kind for card in cards if card.kind), ""),
        organisation=next((card.organisation for card in cards if card.organisation), ""),
        emails=tuple(email for card in cards for email in card.emails),
        has_web_form=any(card.has_web_form for card in cards),
    )


def strings(value: object) -> list[str]:
    """Return the texts in a value that may be one text, a list with texts among it, or anything else."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    if len(value) == 1 and isinstance(value[0], str):
        return value
    return [item for item in value[:MAX_PROPERTIES] if isinstance(item, str)]


def items(value: object, limit: int) -> list[Any]:
    """Return the items of a list, or the one object that stands where a list should, at most `limit`."""
    if isinstance(value, list):
        return value if len(value) <= limit else value[:limit]
    return [value] if isinstance(value, dict) else []


# --- jCard ------------------------------------------------------------------------------------------------------------

_NO_WORD = re.compile(r"[^a-z0-9]+")
_LOWERED = frozenset({"type", "pref", "group", "altid", "label"})  # parameters as they are nearly always written
READ = frozenset({"email", "contact-uri", "fn", "kind", "org"})
PASSED = frozenset({"version", "adr", "tel", "n", "lang", "url", "title", "role"})  # as they are nearly always written


def property_name(written: str) -> str:
    """The property's name: without case, and without a group ("item1.EMAIL", RFC 6350 section 3.3)."""
    return written.lower().rpartition(".")[2]


def parameters_of(one: list[Any]) -> dict[str, Any]:
    return one[1] if isinstance(one[1], dict) else {}


def _jcard(array: object) -> Card:
    if not (isinstance(array, list) and len(array) > 1 and isinstance(array[1], list)):
        return EMPTY
    name = kind = organisation = ""
    emails: list[Email] = []
    has_web_form = False
    for number, one in enumerate(array[1][:MAX_PROPERTIES]):
        if not isinstance(one, list) or len(one) < 4:
            continue
        written = one[0]
        if not isinstance(written, str) or written in PASSED:
            continue
        what = written if written in READ else property_name(written)
        if what not in READ:
            continue
        values = [one[3]] if isinstance(one[3], str) and len(one) == 4 else _values(one)
        if what == "fn":
            name = name or _first(values)
        elif what == "kind":
            kind = kind or _first(values).lower()
        elif what == "org":
            organisation = organisation or _first(values)
        elif what == "email" or any(value.lower().startswith("mailto:") for value in values):
            emails += _emails(values, parameters_of(one), f"vcardArray[1][{number}]")
        else:
            has_web_form = has_web_form or any(value.lower().startswith(("http:", "https:")) for value in values)
    return Card(name, kind, organisation, tuple(emails[:MAX_PROPERTIES]), has_web_form)


def _values(one: list[Any]) -> list[str]:
    return [text for value in one[3 : 3 + MAX_PROPERTIES] for text in strings(value)]


def _first(values: list[str]) -> str:
    return values[0].strip()[:MAX_NAME] if values else ""


def _emails(values: list[str], parameters: dict[str, Any], path: str) -> list[Email]:
    if not parameters:
        return [Email(value, NO_TYPES, 0, path) for value in values]
    if not parameters.keys() <= _LOWERED:
        parameters = {key.lower(): value for key, value in list(parameters.items())[:20]}
    types, stated = _words(parameters.get("type")), parameters.get("pref")
    preference = (_preference(stated) if stated is not None else 0) or (
        1 if "pref" in types else 0
    )  # vCard 3: TYPE=pref
    return [Email(value, types, preference, path) for value in values]


def _words(value: object) -> frozenset[str]:
    """The words of a type: "abuse", ["work", "ABUSE"], "work,abuse" and "abuse-mailbox" all have abuse among them."""
    if isinstance(value, str) and value.isalpha():
        return frozenset([value[:100].lower()])
    return frozenset([word for text in strings(value) for word in _NO_WORD.split(text[:100].lower()) if word])


def _preference(value: object) -> int:
    """1 to 100 (RFC 6350 section 5.3), however it is written: 1, "1", 1.0, ["1"]; 0 where it is none."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value in range(1, 101):
        value = int(value)
    digits = str(value)[:4].strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 100 else 0


# --- JSContact --------------------------------------------------------------------------------------------------------


def _jscard(card: dict[str, Any]) -> Card:
    organisations = [text for _, one in members_of(card.get("organizations")) for text in strings(one.get("name"))]
    links = [text for key in ("links", "onlineServices") for _, one in members_of(card.get(key)) for text in _uri(one)]
    emails = [email for key, one in members_of(card.get("emails"), "address") for email in _jscard_emails(key, one)]
    emails += [Email(text, NO_TYPES, 0, "jscard.links") for text in links if text.lower().startswith("mailto:")]
    return Card(
        name=_jscard_name(card),
        kind=clean((strings(card.get("kind")) or [""])[0], 20).lower(),
        organisation=clean((organisations or [""])[0], MAX_NAME),
        emails=tuple(emails[:MAX_PROPERTIES]),
        has_web_form=any(text.lower().startswith(("http:", "https:")) for text in links),
    )


def _jscard_name(card: dict[str, Any]) -> str:
    """The full name; where there is none, its components in order (RFC 9553 section 2.2.1); "fullName" of the drafts."""
    name = card.get("name")
    if not isinstance(name, dict):
        return _first(strings(name) or strings(card.get("fullName")))
    parts = [text for one in items(name.get("components"), 20) if isinstance(one, dict) for text in _kept(one)]
    return _first(strings(name.get("full"))) or clean(" ".join(parts), MAX_NAME)


def _kept(component: dict[str, Any]) -> list[str]:
    return strings(component.get("value")) if component.get("kind") != "separator" else []


def _jscard_emails(key: str, one: dict[str, Any]) -> list[Email]:
    """An e-mail's address ("email" in the drafts); "abuse" in its contexts or label says what jCard's type=abuse says."""
    contexts = one.get("contexts")
    named = [str(name) for name, on in list(contexts.items())[:20] if on] if isinstance(contexts, dict) else []
    types = _words([*named, *strings(contexts), *strings(one.get("label"))])
    addresses = strings(one.get("address")) or strings(one.get("email"))
    path = f"jscard.emails.{clean(key, 40)}"
    return [Email(text, types, _preference(one.get("pref")), path) for text in addresses]


def members_of(value: object, only: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The objects of a JSContact map by their keys; a list in its place counts as one with numbers for keys.

    `only` names the member that a bare text, in the place of an object, stands for.
    """
    if isinstance(value, list):
        value = {str(number): one for number, one in enumerate(value[:MAX_PROPERTIES])}
    if only and isinstance(value, str):
        value = {"0": value}
    members = list(value.items())[:MAX_PROPERTIES] if isinstance(value, dict) else []
    objects = [(str(key), {only: one} if only and isinstance(one, str) else one) for key, one in members]
    return [(key, one) for key, one in objects if isinstance(one, dict)]


def _uri(one: dict[str, Any]) -> list[str]:
    return strings(one.get("uri")) if one.get("kind") == "contact" else []
