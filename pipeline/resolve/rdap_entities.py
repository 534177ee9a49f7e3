"""Walk the entities of an RDAP answer: who holds the network, and every mailbox with the role and place it stands in.

Pure.  Nested entities are followed to a depth of 8 and 500 in number, so that no answer costs more than that.
Standards: RFC 9083 sections 4.3 (remarks), 5.1 (entities) and 10.2.4 (roles).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.resolve import choose, placeholders, rdap_cards, remarks, wording
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import split, within
from pipeline.resolve.rdap_cards import Card, Email, items, strings
from pipeline.resolve.remarks import Doubt

MAX_DEPTH = 8
MAX_ENTITIES = 500
MAX_REMARKS = 100
MAX_HANDLE = 100  # characters


class Remark(NamedTuple):
    """One remark, and what it says against a mailbox."""

    path: str
    text: str  # title and description
    doubts: tuple[Doubt, ...]


class Entity(NamedTuple):
    """One entity with what it inherits: `depth` 0 is the network's own; `in_registrar` is its own or an ancestor's."""

    path: str
    depth: int
    handle: str  # as it stands
    roles: frozenset[str]
    in_registrar: bool
    card: Card
    remarks: tuple[Remark, ...]
    data: dict[str, Any]


def walk(owner: dict[str, Any]) -> list[Entity]:
    """Return the entities of a network, AS number or entity, outer ones first, within the bounds above."""
    found: list[Entity] = []
    level = [("", owner, False)]
    for depth in range(MAX_DEPTH):
        below: list[tuple[str, dict[str, Any], bool]] = []
        for parent_path, parent, in_registrar in level:
            for number, child in enumerate(items(parent.get("entities"), MAX_ENTITIES)):
                if isinstance(child, dict) and len(found) < MAX_ENTITIES:
                    entity = read(child, f"{parent_path}entities[{number}]", depth, in_registrar)
                    found.append(entity)
                    if "entities" in child:
                        below.append((entity.path + ".", child, entity.in_registrar))
        if not below:
            break
        level = below
    return found


def read(data: dict[str, Any], path: str, depth: int, in_registrar: bool = False) -> Entity:
    """Return one entity; roles are compared without case."""
    roles = frozenset([role.strip().lower() for role in strings(data.get("roles"))])
    handle = data.get("handle")
    bare = handle.strip()[:MAX_HANDLE] if isinstance(handle, str) else ""
    texts = remarks_of(data, f"{path}." if path else "") if data.get("remarks") else ()
    return Entity(path, depth, bare, roles, in_registrar or "registrar" in roles, rdap_cards.read(data), texts, data)


def remarks_of(owner: dict[str, Any], path: str) -> tuple[Remark, ...]:
    """Return the remarks of a network or an entity; a text in the place of an object is one, too."""
    stated = owner.get("remarks")
    if not stated:
        return ()
    return tuple(_remarks([stated] if isinstance(stated, str) else items(stated, MAX_REMARKS), path))


def _remarks(stated: list[Any], path: str) -> Iterator[Remark]:
    for number, one in enumerate(stated):
        if isinstance(one, dict):
            lines = [*strings(one.get("title")), *strings(one.get("description"))]
        elif isinstance(one, str):
            lines = [one]
        else:
            continue
        text = within("\n".join(lines), remarks.MAX_TEXT)
        yield Remark(f"{path}remarks[{number}]", text, tuple(remarks.doubts(text)))


def mailboxes(entity: Entity) -> list[Found]:
    """Return the mailboxes of one entity: those of its card, then those in its remarks."""
    emails, texts = entity.card.emails, entity.remarks
    if not (emails or texts):
        return []
    doubt = note_on_all(texts) if texts else ""
    reason = "registrar" if entity.in_registrar else "registry-contact" if _disclaims(texts) else ""
    chosen = _preferred(emails) if "abuse" in entity.roles else NO_PATHS
    found = []
    for email in emails:
        place = f"{entity.path}.{email.path}" if entity.path else email.path
        for text in (
            [email.text] if email.text.count("@") < 2 else split(email.text) or [email.text]
        ):  # each by its own name
            source, because = _source(entity, email, text, email.path in chosen)
            found.append(Found(text, source, place, entity.handle, reason or because, doubt))
    for remark in texts:
        found += choose.in_remark(remark.path, remark.text, entity.handle, reason, doubt)
    return found


NO_PATHS: frozenset[str] = frozenset()


def note_on_all(texts: tuple[Remark, ...]) -> str:
    """Return the note on whatever stands beside the remarks, or ""."""
    return next((doubt.note for remark in texts for doubt in remark.doubts if not doubt.text), "")


def _disclaims(texts: tuple[Remark, ...]) -> bool:
    return bool(texts) and remarks.disclaims("\n".join([remark.text for remark in texts]))


def _preferred(emails: tuple[Email, ...]) -> frozenset[str]:
    """The paths of the e-mails to take from an abuse contact: type=abuse, else the best pref, else all of them."""
    if len(emails) == 1:
        return frozenset([emails[0].path])
    written = [email for email in emails if split(email.text)]
    abuse = [email for email in written if "abuse" in email.types]
    ranked = [email for email in written if email.preference]
    best = min([email.preference for email in ranked], default=0)
    return frozenset([email.path for email in abuse or [e for e in ranked if e.preference == best] or written])


def _source(entity: Entity, email: Email, text: str, is_chosen: bool) -> tuple[str, str]:
    """(source, why not) of one mailbox, `text`, in an e-mail of an entity.

    An abuse contact's other mailboxes are not for abuse.  Of any other contact only a mailbox that is marked or named
    for abuse is taken: a technical contact is not one, and a person's address never is.
    """
    if "abuse" in entity.roles:
        return choose.ROLE if entity.depth == 0 else choose.NESTED_ROLE, "" if is_chosen else "less-preferred"
    is_person = entity.card.kind == "individual"
    if not entity.roles and not is_person and wording.is_of_abuse(entity.card.name):
        return choose.MAILBOX_NAME, ""  # AFRINIC left the roles out for years: its name is all that says what it is
    if "abuse" in email.types and not is_person:
        return choose.ABUSE_MAILBOX, ""
    if [part for part in split(text) if remarks.is_abuse_name(part)]:
        return choose.MAILBOX_NAME, ""
    if is_person:
        return choose.MAILBOX_NAME, "personal"
    return choose.MAILBOX_NAME, "technical" if entity.roles & {"technical", "noc", "administrative"} else "not-abuse"


def holder(entities: list[Entity]) -> Entity | None:
    """Return the entity of the network's holder: its registrant, an organisation rather than a person or a maintainer."""
    outer = [entity for entity in entities if entity.depth == 0 and not entity.in_registrar]
    registrants = [entity for entity in outer if "registrant" in entity.roles and holder_name(entity)]
    for entity in registrants or outer:
        if entity.card.kind == "org" and (registrants or holder_name(entity)):
            return entity
    return registrants[0] if registrants else None


def holder_name(entity: Entity) -> str:
    """Return the name to show, the organisation where a person stands for one; "" for a maintainer or a registry."""
    card = entity.card
    name = card.organisation if card.kind == "individual" and card.organisation else card.name or card.organisation
    if _is_maintainer(name) or _is_maintainer(entity.handle) or placeholders.registry_of_handle(entity.handle):
        return ""
    return name


def _is_maintainer(text: str) -> bool:
    lowered = text.lower()
    return lowered.startswith("mnt-") or lowered.endswith("-mnt")
