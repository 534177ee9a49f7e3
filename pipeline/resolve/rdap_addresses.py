"""Read where somebody is out of the contact card of an RDAP entity: the country and region, and the postal address.

Pure; what has not the right type is passed over, and every list is bounded.  Read apart from the card (rdap_cards.py),
because it is wanted of one entity in ten.
Standards: RFC 7095 section 3.3.1.3 and RFC 6350 section 6.3.1 (adr), RFC 8605 (cc), RFC 9553 section 2.5.1 (JSContact).
"""

from collections.abc import Iterator
from typing import Any

from pipeline.resolve import country, postal
from pipeline.resolve.mailbox import clean
from pipeline.resolve.rdap_cards import (
    JSCARDS,
    MAX_PROPERTIES,
    PASSED,
    READ,
    items,
    members_of,
    parameters_of,
    property_name,
    strings,
)


def place(entity: dict[str, Any]) -> tuple[str, str]:
    """Return (country code, region) of the entity's first address that says one of them, or ("", "")."""
    for one in _properties(entity.get("vcardArray")):
        if any(found := _jcard_place(parameters_of(one), one[3])):
            return found
    return next((found for one in _jscard_addresses(entity) if any(found := _jscard_place(one))), ("", ""))


def postal_address(entity: dict[str, Any]) -> str:
    r"""Return the entity's first postal address that can be read, its lines parted by "\n", or ""."""
    for one in _properties(entity.get("vcardArray")):
        if found := _jcard_postal(parameters_of(one), one[3]):
            return found
    return next((found for one in _jscard_addresses(entity) if (found := _jscard_postal(one))), "")


# --- jCard ------------------------------------------------------------------------------------------------------------


def _properties(array: object) -> list[list[Any]]:
    """The adr properties of a jCard, those with a value."""
    if not (isinstance(array, list) and len(array) > 1 and isinstance(array[1], list)):
        return []
    return [one for one in array[1][:MAX_PROPERTIES] if isinstance(one, list) and len(one) >= 4 and _is_place(one[0])]


def _is_place(written: object) -> bool:
    if not isinstance(written, str):
        return False
    return written == "adr" or (written not in READ and written not in PASSED and property_name(written) == "adr")


def _jcard_place(said: dict[str, Any], value: object) -> tuple[str, str]:
    """(country code, region) of an adr property: its parts, its cc parameter, or the last lines of its label."""
    parts = [part if isinstance(part, str) else "" for part in value[:7]] if isinstance(value, list) else []
    codes = [*strings(said.get("cc"))[:1], *(parts[6:7])]
    found = next((code for text in codes if (code := country.code(text))), "")
    region = clean(parts[4], 60) if len(parts) > 4 else ""
    if found and region:
        return found, region
    label = (strings(said.get("label")) or [""])[0]
    named, province = _labelled_place(label.replace("\\n", "\n")[:2000]) if label else ("", "")
    return found or named, region or province


def _labelled_place(label: str) -> tuple[str, str]:
    """(country code, region) of an address written on lines; ARIN's ends: city, province, postal code, country."""
    lines = [line.strip() for line in label.splitlines() if line.strip()]
    if not lines:
        return "", ""
    province = next((line for line in lines[-3:-1] if len(line) == 2 and line.isalpha() and line.isupper()), "")
    *before, last = lines[-1].split(",")
    found = country.code(lines[-1]) or country.code(last)
    if not found and before and any(ch.isdigit() for ch in last):  # "..., Armenia, 1101": a postal code behind it
        found = country.code(before[-1]) if len(before[-1].strip()) > 2 and before[-1].strip() not in _STATES else ""
    return found, province


_STATES = frozenset({"Georgia"})  # of the United States, and a country's name as well


def _jcard_postal(said: dict[str, Any], value: object) -> str:
    """The postal address of an adr property: its label, which is made for envelopes, else its parts."""
    label = said.get("label")
    if label and (text := "\n".join(strings(label))):
        named = strings(value[6]) if isinstance(value, list) and len(value) > 6 and value[6] else []
        if found := postal.from_label(text, " ".join(named)):
            return found
    if isinstance(value, str):  # some write the address out where its parts belong
        return postal.from_label(value)
    parts = [strings(part) for part in value[:7]] if isinstance(value, list) else []
    parts += [[]] * (7 - len(parts))
    town, region, code, land = (" ".join(part) for part in parts[3:])
    return postal.from_parts([line for part in parts[:3] for line in part], town, region, code, land)


# --- JSContact --------------------------------------------------------------------------------------------------------

_ON_ONE_LINE = frozenset({"number", "name", "direction", "block"})  # kinds of components: RFC 9553 section 2.5.1.2
_OF_THE_TOWN = frozenset({"locality", "region", "postcode", "country", "separator"})


def _jscard_addresses(entity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in JSCARDS:
        card = entity.get(key)
        if isinstance(card, dict):
            yield from (one for _, one in members_of(card.get("addresses")))


def _components(address: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, text) of the components that have a text."""
    stated = [one for one in items(address.get("components"), 50) if isinstance(one, dict)]
    return [(str(one.get("kind")), text) for one in stated for text in strings(one.get("value"))]


def _jscard_place(address: dict[str, Any]) -> tuple[str, str]:
    """(country code, region) of an address: its code, its components, or the last lines of its full text."""
    written = dict(_components(address))
    named, province = _labelled_place((strings(address.get("full")) or [""])[0][:2000])
    codes = [*strings(address.get("countryCode")), written.get("country", "")]
    found = next((code for text in codes if (code := country.code(text))), named)
    return found, clean(written.get("region", "") or province, 60)


def _jscard_postal(address: dict[str, Any]) -> str:
    """The postal address: its full text, else its components in their order."""
    components = _components(address)
    written = dict(components)
    land = written.get("country", "") or " ".join(strings(address.get("countryCode")))
    full = "\n".join(strings(address.get("full")))
    if full and (found := postal.from_label(full, land)):
        return found
    street = " ".join(text for kind, text in components if kind in _ON_ONE_LINE)
    others = [text for kind, text in components if kind not in _ON_ONE_LINE | _OF_THE_TOWN]
    town, region, code = (written.get(kind, "") for kind in ("locality", "region", "postcode"))
    return postal.from_parts([street, *others], town, region, code, land)
