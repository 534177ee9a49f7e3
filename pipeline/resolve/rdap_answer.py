"""Read an RDAP answer: what network it is of, and who is to be told, with every mailbox that was weighed.

Reads: the bytes of one answer.  Writes: nothing; the same bytes give the same judgement.  ipwhois normalises the network
(padded octets, prefixes in addresses); the contacts are our own walk, because ipwhois loses nested ones.
Standards: RFC 9083 sections 4.3, 5.4, 5.5, 6; RFC 7480 section 5; RFC 9537 (redacted); cidr0.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome
from pipeline.resolve import choose, outcome, placeholders, rdap_addresses, rdap_cards, rdap_entities, rdap_range
from pipeline.resolve.choose import Found
from pipeline.resolve.network import Network, judged, named_desk, without_network
from pipeline.resolve.rdap_cards import items, strings
from pipeline.resolve.rdap_entities import Entity, Remark
from pipeline.resolve.rdap_range import text_of
from pipeline.resolve.scope import Range, ScopeCaps

_SPECIAL = re.compile(r"\biana\b.*\b(special|reserved)\b")
_ABSENT = re.compile(r"\W*(?:(?:error )?404\W*$|(?:(?:error )?404 )?(?:object |resource )?not found\b)", re.IGNORECASE)
_HISTORY = "/history/"
_TRUNCATED = ("object truncated", "does not contain all data")


def read(
    answer: Answer, queried: Address | int, *, registry: str, caps: ScopeCaps, is_quick: bool = True
) -> NetworkAnswer:
    """Return the judged answer to a question about an address, or about an AS number where `queried` is an int.

    Never raises on what a registry sent.  An answer for another network, of another class, cut or not JSON is UNUSABLE;
    429, 403, 503 and the "Rate Limit Notice" are REFUSED, and say nothing about the network.  `is_quick=False` lets
    ipwhois normalise plain ranges too; what comes back is the same.
    """
    data, early = _document(answer, registry)
    if early is not None:
        return early
    registry = placeholders.registry_of_host(text_of(data, "port43")) or registry
    wanted = "autnum" if isinstance(queried, int) else "ip network"
    if (text_of(data, "objectClassName").strip().lower() or wanted) != wanted:
        return without_network(Outcome.UNUSABLE, "wrong-class", registry)
    if _is_special(text_of(data, "type")) or _is_special(text_of(data, "name")):
        return without_network(Outcome.SPECIAL, "special-purpose", registry)
    registered = None if isinstance(queried, int) else rdap_range.registered(data, queried, is_quick=is_quick)
    if registered is None and not (isinstance(queried, int) and _holds_number(data, queried)):
        return without_network(Outcome.UNUSABLE, "wrong-network", registry)
    entities = rdap_entities.walk(data)
    network = _network(data, entities, registered, registry)
    return judged(network, queried, caps, lambda: _why(data, entities))


def read_entity(answer: Answer, handle: str, *, registry: str) -> NetworkAnswer:
    """Return the judged answer to a question about the abuse contact `handle`, which another answer named.

    Its mailboxes are weighed as those of an abuse role.  There is no range: the answer that named it has one.
    """
    data, early = _document(answer, registry)
    if early is not None:
        return early
    registry = placeholders.registry_of_host(text_of(data, "port43")) or registry
    if (text_of(data, "objectClassName").strip().lower() or "entity") != "entity":
        return without_network(Outcome.UNUSABLE, "wrong-class", registry)
    if text_of(data, "handle").strip().lower() != handle.strip().lower():
        return without_network(Outcome.UNUSABLE, "wrong-entity", registry)
    entity = rdap_entities.read(data | {"roles": ["abuse"]}, "", 0)
    country, region = rdap_addresses.place(data)
    network = Network(
        registry=registry,
        registered=None,
        found=tuple(rdap_entities.mailboxes(entity)),
        doubts=tuple([doubt for remark in entity.remarks for doubt in remark.doubts]),
        handle=entity.handle,
        holder=entity.card.organisation or entity.card.name,
        country=country,
        region=region,
        postal=rdap_addresses.postal_address(data),
    )
    return judged(network, 0, ScopeCaps(), lambda: _why(data, [entity]))


def _document(answer: Answer, registry: str) -> tuple[dict[str, Any], NetworkAnswer | None]:
    """(the JSON object, None), or ({}, the answer where there is none to read)."""
    decided = outcome.without_contents(answer)
    if decided is not None:
        return {}, without_network(*decided, registry)
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        # a spoiled object is none, whatever the terms of use in it say of limits
        is_object = b'"objectClassName"' in answer.body[:8192] or b'"rdapConformance"' in answer.body[:8192]
        is_refusal = not is_object and outcome.refuses(answer.body[:8192].decode("latin-1"))
        return {}, without_network(Outcome.REFUSED if is_refusal else Outcome.UNUSABLE, "not-json", registry)
    if not isinstance(data, dict):
        return {}, without_network(Outcome.UNUSABLE, "not-an-object", registry)
    decided = _error(data)
    return (data, None) if decided is None else ({}, without_network(*decided, registry))


def _error(data: dict[str, Any]) -> tuple[Outcome, str] | None:
    """What the object decides before it is read: LACNIC's notice, an error object, an object that is of nothing."""
    notices = _objects(data.get("notices"))
    titles = [title for notice in notices for title in strings(notice.get("title"))]
    if any(title.lstrip()[:10].lower() == "rate limit" for title in titles):
        return Outcome.REFUSED, "rate-limit-notice"
    if data.get("errorCode") is not None:
        return outcome.of_status(_number(data["errorCode"]) or 0) or (Outcome.UNUSABLE, "error-object")
    if not any(key in data for key in ("objectClassName", "handle", "startAddress", "startAutnum")):
        texts = [text for one in [data, *notices] for key in ("title", "description") for text in strings(one.get(key))]
        if any(outcome.refuses(text[:1000]) for text in texts):
            return Outcome.REFUSED, "no-object"
        is_absent = any(_ABSENT.match(text) for text in strings(data.get("title")))
        return Outcome.NOT_FOUND if is_absent else Outcome.UNUSABLE, "no-object"
    return None


def _is_special(text: str) -> bool:
    """True for the type or the name of IANA's special-purpose space, as ARIN writes them (SPECIAL-IPV4-...)."""
    lowered = text.lower()
    return lowered.startswith("special-ipv") or ("iana" in lowered and _SPECIAL.search(lowered) is not None)


def _number(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 32:
        value = int(value)
    digits = str(value)[:12].strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(digits) if digits.isascii() and digits.isdigit() else None


def _holds_number(data: dict[str, Any], queried: int) -> bool:
    """True if the autnum's range, or where it has none its handle, is of the AS number that was asked about."""
    first, last = _number(data.get("startAutnum")), _number(data.get("endAutnum"))
    if first is None:
        first = _number(text_of(data, "handle").strip().upper().removeprefix("AS"))
    return first is not None and first <= queried <= (first if last is None else last)


# --- the network and its mailboxes ------------------------------------------------------------------------------------


def _network(data: dict[str, Any], entities: list[Entity], registered: Range | None, registry: str) -> Network:
    own = rdap_entities.remarks_of(data, "")
    holder = rdap_entities.holder(entities)
    place = rdap_addresses.place(holder.data) if holder is not None else ("", "")
    is_of_the_past = _is_historical(data)
    tier = choose.ORIGIN_TIER if registered is None else 0
    return Network(
        registry=registry,
        registered=registered,
        found=tuple(_found(entities, own, tier, "historical" if is_of_the_past else "")),
        doubts=tuple([doubt for texts in (own, *_inner(entities)) for remark in texts for doubt in remark.doubts]),
        handle=text_of(data, "handle"),
        name=text_of(data, "name"),
        holder=rdap_entities.holder_name(holder) if holder is not None else _described(data) or text_of(data, "name"),
        country=text_of(data, "country") or place[0],
        region=place[1],
        postal=_postal(holder, entities),
        is_block="administrative" in [status.lower() for status in strings(data.get("status"))],
        why="historical" if is_of_the_past else "",
    )


def _postal(holder: Entity | None, entities: list[Entity]) -> str:
    """The holder's postal address, else the first of an abuse contact's that is not a registry's or a registrar's."""
    if holder is not None and (found := rdap_addresses.postal_address(holder.data)):
        return found
    for entity in entities:
        if "abuse" not in entity.roles or entity.in_registrar or placeholders.registry_of_handle(entity.handle):
            continue
        if found := rdap_addresses.postal_address(entity.data):
            return found
    return ""


def _inner(entities: list[Entity]) -> Iterator[tuple[Remark, ...]]:
    return (entity.remarks for entity in entities if entity.remarks)


def _is_historical(data: dict[str, Any]) -> bool:
    """True for a record of the past: the URI that it answers (RFC 9083 section 4.2, "value") asks for the history.

    APNIC's history service hands out each earlier version of a network as an object like any other.  Who was its
    contact then need not be it now, so nobody is written to on its word.
    """
    links = items(data.get("links"), 100)
    return any(isinstance(link, dict) and _HISTORY in text_of(link, "value") for link in links)


def _found(entities: list[Entity], own: tuple[Remark, ...], tier: int, reason: str) -> list[Found]:
    """Every mailbox of the answer.  What the network's own remarks say against its contact holds for all of them."""
    values = [value for entity in entities for value in rdap_entities.mailboxes(entity)]
    for remark in own:
        values += choose.in_remark(remark.path, remark.text)
    note = rdap_entities.note_on_all(own)
    if not (note or tier or reason):
        return values
    return [value._replace(note=note or value.note, tier=tier, rejected=value.rejected or reason) for value in values]


def _described(data: dict[str, Any]) -> str:
    """The first line of a remark titled "description": APNIC's descr attribute."""
    for remark in _objects(data.get("remarks")):
        if text_of(remark, "title").lower() == "description":
            return next((line.strip() for line in strings(remark.get("description")) if line.strip()), "")
    return ""


def _why(data: dict[str, Any], entities: list[Entity]) -> str:
    """What the answer itself says about a mailbox that is not in it."""
    desks = [entity for entity in entities if "abuse" in entity.roles and not entity.card.emails]
    if any(entity.card.has_web_form for entity in desks):
        return "web-form"
    if "redacted" in data:
        redactions = [text for one in items(data["redacted"], 100) for text in _redacted(one)]
        if any(re.search(r"e-?mail", text, re.IGNORECASE) for text in redactions):
            return "redacted"
    policies = [one for key in ("remarks", "notices") for one in _objects(data.get(key))]
    texts = [text for one in policies for key in ("type", "title", "description") for text in strings(one.get(key))]
    lowered = "\n".join([text[:1000] for text in texts]).lower()
    if any(words in lowered for words in _TRUNCATED):
        return "truncated"
    return next((why for entity in desks if entity.card == rdap_cards.EMPTY and (why := named_desk(entity.handle))), "")


def _redacted(one: object) -> list[str]:
    """The texts of one redaction that may name what was taken out (RFC 9537 section 4.2)."""
    if not isinstance(one, dict):
        return strings(one)[:1]
    name = one.get("name")
    names = (
        [text for key in ("type", "description") for text in strings(name.get(key))] if isinstance(name, dict) else []
    )
    places = [text for key in ("prePath", "postPath", "replacementPath") for text in strings(one.get(key))]
    return [text[:1000] for text in [*names, *strings(name), *places]]


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in items(value, 100) if isinstance(one, dict)]
