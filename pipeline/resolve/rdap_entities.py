"""Walk the entities of an RDAP answer: who holds the network, and every mailbox with the role and place it stands in.

Pure.  Nested entities are followed to a depth of 8 and 500 in number, so that no answer costs more than that.
Standards: RFC 9083 sections 4.3 (remarks), 5.1 (entities) and 10.2.4 (roles).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.resolve import choose, placeholders, rdap_cards, remarks
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import clean, split
from pipeline.resolve.rdap_cards import Card, strings

MAX_DEPTH = 8
MAX_ENTITIES = 500
MAX_REMARKS = 100


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity with what it inherits: `depth` 0 is the network's own; `in_registrar` is its own or an ancestor's."""

    path: str
    depth: int
    handle: str
    roles: frozenset[str]
    in_registrar: bool
    card: Card
    remarks: tuple[tuple[str, str], ...]  # (path, text)


def walk(owner: dict[str, Any]) -> list[Entity]:
    """Return the entities of a network, AS number or entity, outer ones first, within the bounds above."""
    found: list[Entity] = []
    level = [("", owner, False)]
    for depth in range(MAX_DEPTH):
        below: list[tuple[str, dict[str, Any], bool]] = []
        for parent_path, parent, in_registrar in level:
            children = parent.get("entities")
            for number, child in enumerate(children[:MAX_ENTITIES] if isinstance(children, list) else ()):
                if isinstance(child, dict) and len(found) < MAX_ENTITIES:
                    entity = read(child, f"{parent_path}entities[{number}]", depth, in_registrar)
                    found.append(entity)
                    below.append((entity.path + ".", child, entity.in_registrar))
        level = below
    return found


def read(data: dict[str, Any], path: str, depth: int, in_registrar: bool = False) -> Entity:
    """Return one entity; roles are compared without case."""
    roles = frozenset(role.strip().lower() for role in strings(data.get("roles")))
    return Entity(
        path=path,
        depth=depth,
        handle=clean((strings(data.get("handle")) or [""])[0], 100),
        roles=roles,
        in_registrar=in_registrar or "registrar" in roles,
        card=rdap_cards.read(data),
        remarks=tuple(texts_of(data, f"{path}." if path else "")),
    )


def texts_of(owner: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, title and description) of each remark."""
    items = owner.get("remarks")
    for number, remark in enumerate(items[:MAX_REMARKS] if isinstance(items, list) else ()):
        if isinstance(remark, dict):
            lines = [*strings(remark.get("title")), *strings(remark.get("description"))]
            yield f"{path}remarks[{number}]", "\n".join(lines)[: remarks.MAX_TEXT]


def mailboxes(entity: Entity) -> Iterator[Found]:
    """Yield the mailboxes of one entity: those of its card, then those in its remarks."""
    text = "\n".join(text for _, text in entity.remarks)
    doubt = next((doubt.note for doubt in remarks.doubts(text) if not doubt.text), "")
    reason = "registrar" if entity.in_registrar else "registry-contact" if remarks.disclaims(text) else ""
    chosen = _preferred(entity.card) if "abuse" in entity.roles else frozenset()
    for email in entity.card.emails:
        place = f"{entity.path}.{email.path}" if entity.path else email.path
        source, because = _source(entity, email, email.path in chosen)
        yield Found(email.text, source, place, entity.handle, reason or because, doubt)
    for path, remark in entity.remarks:
        yield from choose.in_remark(path, remark, entity.handle, reason, doubt)


def _preferred(card: Card) -> frozenset[str]:
    """The paths of the e-mails to take from an abuse contact: type=abuse, else the best pref, else all of them."""
    written = [email for email in card.emails if split(email.text)]
    abuse = [email for email in written if "abuse" in email.types]
    ranked = [email for email in written if email.preference]
    best = min((email.preference for email in ranked), default=0)
    return frozenset(email.path for email in abuse or [e for e in ranked if e.preference == best] or written)


def _source(entity: Entity, email: rdap_cards.Email, is_chosen: bool) -> tuple[str, str]:
    """(source, why not) of one e-mail of an entity.

    An abuse contact's other mailboxes are not for abuse.  Of any other contact only a mailbox that is marked or named
    for abuse is taken: a technical contact is not one, and a person's address never is.
    """
    if "abuse" in entity.roles:
        return choose.ROLE if entity.depth == 0 else choose.NESTED_ROLE, "" if is_chosen else "less-preferred"
    is_person = entity.card.kind == "individual"
    if "abuse" in email.types and not is_person:
        return choose.ABUSE_MAILBOX, ""
    if any(remarks.is_abuse_name(part) for part in split(email.text)):
        return choose.MAILBOX_NAME, ""
    if is_person:
        return choose.MAILBOX_NAME, "personal"
    return choose.MAILBOX_NAME, "technical" if entity.roles & {"technical", "noc", "administrative"} else "not-abuse"


def holder(entities: list[Entity]) -> Entity | None:
    """Return the entity of the network's holder: its registrant, an organisation rather than a person or a maintainer."""
    outer = [entity for entity in entities if entity.depth == 0 and not entity.in_registrar and holder_name(entity)]
    registrants = [entity for entity in outer if "registrant" in entity.roles]
    organisations = [entity for entity in registrants or outer if entity.card.kind == "org"]
    return next(iter(organisations or registrants), None)


def holder_name(entity: Entity) -> str:
    """Return the name to show, the organisation where a person stands for one; "" for a maintainer or a registry."""
    card = entity.card
    name = card.organisation if card.kind == "individual" and card.organisation else card.name or card.organisation
    is_maintainer = any(
        text.lower().startswith("mnt-") or text.lower().endswith("-mnt") for text in (name, entity.handle)
    )
    return "" if is_maintainer or placeholders.registry_of_handle(entity.handle) else name
