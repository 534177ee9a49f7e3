"""Read the answers of rwhois servers, which providers run for the networks they have assigned themselves.

Pure.  Standard: RFC 2167 sections 3.1 and 3.3 (class:attribute:value, ;I for a reference to another object).
"""

import re
from collections.abc import Iterator, Mapping

from pipeline.domain import Address
from pipeline.resolve import choose, postal, remarks, scope
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import split
from pipeline.resolve.network import Network, named_desk
from pipeline.resolve.whois_text import MAX_MAILBOXES, MAX_NETWORKS, Fields, Stated, every, first, free_text, stated

_LINE = re.compile(
    r"^(network|contact|person|poc|role|org|organization):\s*([A-Za-z0-9_-]{1,40})(?:;[A-Za-z]{1,10})?:\s*(.*)$",
    re.IGNORECASE,
)
_CHANGE = ("updated-by", "changed-by", "created-by")
_TEXTS = ("comment", "comments", "remarks")

Contacts = Mapping[str, Fields]  # by the identifier of the object, in lower case


def read(lines: list[str], queried: Address | int, registry: str) -> list[Stated]:
    """Return the networks that the text states; rwhois knows no AS numbers."""
    if isinstance(queried, int):
        return []
    records: list[tuple[str, Fields]] = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        kind, key, value = match.group(1).lower(), match.group(2).lower(), match.group(3).strip()
        if not records or _begins_another(kind, key, records[-1]):
            records.append((kind, []))
        records[-1][1].append((key if kind == records[-1][0] else f"{kind} {key}", value))
    contacts: dict[str, Fields] = {}
    for kind, fields in records:
        if kind != "network" and (identifier := first(fields, "id", "handle")):
            contacts.setdefault(identifier.lower(), fields)
    networks = [fields for kind, fields in records if kind == "network"]
    everyone = [_one(fields, contacts, queried, registry) for fields in networks[:MAX_NETWORKS]]
    return [one for one in everyone if one is not None]


def _begins_another(kind: str, key: str, record: tuple[str, Fields]) -> bool:
    """True for the line that an object begins with: its class, or what the network above has said of itself already.

    Lines of a contact without a class of their own belong to the network above them.
    """
    if key == "class-name":
        return True
    of_record, fields = record
    if kind != "network":
        return False
    return of_record != "network" or (key in ("id", "ip-network") and first(fields, key) != "")


def _one(fields: Fields, contacts: Contacts, queried: Address, registry: str) -> Stated | None:
    desk = first(fields, "abuse-contact")
    network = Network(
        registry=registry,
        registered=scope.read_range(first(fields, "ip-network", "ipv6-network", "ip-network-block")),
        found=tuple(_mailboxes(fields, contacts)),
        handle=first(fields, "id", "handle"),
        name=first(fields, "network-name"),
        holder=first(fields, "org-name", "organization", "network-name"),
        country=first(fields, "country-code", "country"),
        region=first(fields, "state"),
        postal=_postal(fields),
        why="" if desk.lower() in contacts else named_desk(desk),
    )
    return stated(network, queried)


def _postal(fields: Fields) -> str:
    place = (first(fields, *keys) for keys in (("city",), ("state",), ("postal-code",), ("country-code", "country")))
    return postal.from_parts(every(fields, "street-address"), *place)


def _mailboxes(fields: Fields, contacts: Contacts) -> Iterator[Found]:
    for key, value in [field for field in fields if "@" in field[1] and field[0] not in _TEXTS][: 4 * MAX_MAILBOXES]:
        yield from _judged(key, value, "abuse" in key)
    desks = dict.fromkeys(identifier.lower() for identifier in every(fields, "abuse-contact")[:MAX_MAILBOXES])
    for desk in desks:
        emails = [field for field in contacts.get(desk, ()) if "@" in field[1] and field[0] not in _TEXTS]
        for key, value in emails[:MAX_MAILBOXES]:
            yield from _judged(f"abuse-contact {key}", value, key not in _CHANGE)
    yield from choose.in_remark("comment:", free_text(fields, *_TEXTS))


def _judged(key: str, value: str, for_abuse: bool) -> Iterator[Found]:
    """Whoever changed the record is no contact; a technician's mailbox is one only where its own name says so."""
    if for_abuse:
        yield Found(value, choose.ROLE, f"{key}:")
        return
    for part in split(value) or [value]:
        named = remarks.is_abuse_name(part)
        reason = "changed" if key.endswith(_CHANGE) else "" if named else "technical"
        yield Found(part, choose.MAILBOX_NAME, f"{key}:", rejected=reason)
