"""Read RPSL objects: RIPE NCC, APNIC and its national registries, AFRINIC; and LACNIC's and NIC.br's, which look alike.

Pure.  A contact counts only if the network (or its organisation) refers to it; what stands beside it in a bulk text
does not.  Standards: RFC 2622 (RPSL), RFC 2725 (mnt-by), the registries' abuse-c, mnt-irt and abuse-mailbox attributes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.domain import Address
from pipeline.resolve import choose, placeholders, postal, remarks, scope
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import split
from pipeline.resolve.network import Network, named_desk
from pipeline.resolve.whois_text import (
    MAX_MAILBOXES,
    MAX_NETWORKS,
    Fields,
    Stated,
    every,
    first,
    free_text,
    network_range,
    paragraphs,
    stated,
)

_HEADER = re.compile(r"^%\s*Abuse contact for '([^']{1,120})' is '([^']{1,320})'", re.IGNORECASE)
_HANDLES = ("nic-hdl", "nic-hdl-br", "organisation", "irt", "key-cert")
_NETWORKS = ("inetnum", "inet6num")
_SOURCES = {
    "ripe": "ripencc",
    "jpnic": "jpnic",
    "apnic": "apnic",
    "afrinic": "afrinic",
    "krnic": "krnic",
    "idnic": "idnic",
    "irinn": "irinn",
    "cnnic": "cnnic",
    "vnnic": "vnnic",
    "twnic": "twnic",
}
_OTHERS = ("admin-c", "tech-c", "zone-c", "owner-c", "routing-c")
_NOTIFY = ("notify", "mnt-nfy", "upd-to", "irt-nfy", "ref-nfy", "changed")

MAX_FITTING = 8  # networks around the question whose contacts are read
MAX_CONTACTS = 30  # that one network refers to

Objects = dict[str, Fields]  # by handle, in lower case


@dataclass(frozen=True, slots=True)
class Header:
    """RIPE's and APNIC's own word: which mailbox takes abuse reports for a range or an AS number."""

    subject: str
    mailbox: str
    note: str


def read(lines: list[str], queried: Address | int, registry: str) -> list[Stated]:
    """Return the networks, or for an int the AS numbers, that the text states."""
    objects = [fields for fields in paragraphs(lines) if fields]
    index: Objects = {}
    for fields in objects:
        for handle in every(fields, *_HANDLES)[:1]:
            index.setdefault(_bare(handle).lower(), fields)
    if registry == "lacnic" and any(name == "nic-hdl-br" for fields in objects for name, _ in fields[:1]):
        registry = "registro.br"  # whose answer LACNIC's server hands on
    kinds = ("aut-num",) if isinstance(queried, int) else _NETWORKS
    found = [fields for fields in objects if fields[0][0] in kinds][:MAX_NETWORKS]
    ranges = [(fields, one) for fields in found if (one := _stated(fields, queried, registry)) is not None]
    fitting = sorted((pair for pair in ranges if pair[1].fits), key=lambda pair: pair[1].width)[:MAX_FITTING]
    headers = list(islice(_headers(lines), MAX_NETWORKS))
    full = [replace(one, network=_network(fields, one.network, index, headers)) for fields, one in fitting]
    return full + [one for _, one in ranges if not one.fits]


def _bare(value: str) -> str:
    """The value without the comment behind it."""
    return value.partition(" #")[0].strip()


def _headers(lines: list[str]) -> Iterator[Header]:
    for number, line in enumerate(lines):
        if (match := _HEADER.match(line)) is not None:
            behind = " ".join(
                text for text in lines[number + 1 : number + 3] if text.startswith("%") and "'" not in text
            )
            note = next((doubt.note for doubt in remarks.doubts(behind)), "")
            yield Header(match.group(1), match.group(2), note)


def _stated(fields: Fields, queried: Address | int, registry: str) -> Stated | None:
    """What the object is of, without its contacts."""
    subject = _bare(fields[0][1])
    source = _SOURCES.get(_bare(first(fields, "source")).lower(), registry)
    if isinstance(queried, int):
        network = Network(source, None, (), handle=subject)
        return Stated(network, subject.upper().removeprefix("AS") == str(queried), 1)
    lines = [f"{key}: {_bare(value)}" for key, value in fields if key in (*_NETWORKS, "netname", "country")]
    registered = network_range("lacnic" if "/" in subject else "ripencc", lines, subject, queried)
    return stated(Network(source, registered, (), handle=subject), queried)


def _network(fields: Fields, bare: Network, index: Objects, headers: list[Header]) -> Network:
    organisation = index.get(_bare(first(fields, "org")).lower(), [])
    contacts = list(islice(_contacts(fields, organisation, index), MAX_CONTACTS))
    texts = [free_text(one, "remarks") for one in (fields, *(contact for _, contact in contacts))]
    return bare._replace(
        found=tuple(_found(fields, bare.handle, contacts, [(one, _team(fields, one, index)) for one in headers])),
        doubts=tuple(doubt for text in texts for doubt in remarks.doubts(text)),
        name=first(fields, "netname", "as-name"),
        holder=_holder(fields, organisation),
        country=_bare(first(fields, "country")) or _bare(first(organisation, "country")),
        postal=_postal(fields, organisation, contacts),
        why=_missing_desk(fields, organisation, index),
    )


def _missing_desk(fields: Fields, organisation: Fields, index: Objects) -> str:
    """What to ask next where the abuse contact is named and its object is not in the text."""
    handles = [_bare(handle) for owner in (fields, organisation) for handle in every(owner, "abuse-c")]
    return next((named_desk(handle) for handle in handles if handle.lower() not in index), "")


def _holder(fields: Fields, organisation: Fields) -> str:
    """The organisation, LACNIC's owner, the first line of the description, or the network's name."""
    name = first(organisation, "org-name") or first(fields, "owner")
    described = first(fields, "descr") if not placeholders.is_empty_network(first(fields, "netname")) else ""
    return name or described or first(fields, "netname", "as-name")


def _postal(fields: Fields, organisation: Fields, contacts: list[tuple[bool, Fields]]) -> str:
    """The organisation's address, LACNIC's owner's, or that of an abuse desk that is not a registry's."""
    desks = (one for for_abuse, one in contacts if for_abuse)
    told = (one for one in desks if not placeholders.registry_of_handle(_bare(first(one, *_HANDLES))))
    return next(
        (found for one in (organisation, fields, *told) if (found := postal.written("\n".join(every(one, "address"))))),
        "",
    )


def _contacts(fields: Fields, organisation: Fields, index: Objects) -> Iterator[tuple[bool, Fields]]:
    """Yield (for abuse, contact) for every contact that the network or its organisation refers to, abuse desks first."""
    for keys, for_abuse in ((("abuse-c", "mnt-irt"), True), (_OTHERS, False)):
        handles = [_bare(handle).lower() for owner in (fields, organisation) for handle in every(owner, *keys)]
        yield from ((for_abuse, index[handle]) for handle in dict.fromkeys(handles) if handle in index)
    if organisation:
        yield False, organisation


def _team(fields: Fields, header: Header, index: Objects) -> str:
    """The response team that a header's mailbox is of, or "": a mirror of the object may name another one."""
    handle = _bare(first(fields, "mnt-irt"))
    its = every(index.get(handle.lower(), []), "abuse-mailbox", "e-mail", "email")
    return handle if not its or header.mailbox.lower() in {_bare(value).lower() for value in its} else ""


def _found(
    fields: Fields, subject: str, contacts: list[tuple[bool, Fields]], headers: list[tuple[Header, str]]
) -> Iterator[Found]:
    for header, team in headers:
        if _same(header.subject, subject):
            path = f"% Abuse contact for '{header.subject}'"
            yield Found(header.mailbox, choose.HEADER, path, team, note=header.note)
    yield from _mailboxes(fields, False)
    for for_abuse, contact in contacts:
        yield from _mailboxes(contact, for_abuse)


def _same(one: str, other: str) -> bool:
    ranges = scope.read_range(one), scope.read_range(other)
    return ranges[0] == ranges[1] if ranges[0] is not None else one.strip().lower() == other.strip().lower()


def _mailboxes(fields: Fields, for_abuse: bool) -> Iterator[Found]:
    """Yield the mailboxes of one object: of an abuse desk its abuse-mailbox, else its e-mail; of others what is marked."""
    handle = _bare(first(fields, *_HANDLES))
    place = f"{fields[0][0]} {handle}".strip()
    text = free_text(fields, "remarks", "descr", "trouble")
    reason = "registry-contact" if remarks.disclaims(text) else ""
    doubt = next((doubt.note for doubt in remarks.doubts(text) if not doubt.text), "")
    marked = every(fields, "abuse-mailbox")[:MAX_MAILBOXES]
    for value in marked:
        source = choose.ROLE if for_abuse else choose.ABUSE_MAILBOX
        yield Found(_bare(value), source, f"{place} abuse-mailbox:", handle, reason, doubt)
    emails = [part for value in every(fields, "e-mail", "email")[:MAX_MAILBOXES] for part in split(value) or [value]]
    for value in emails[:MAX_MAILBOXES]:
        source, because = _source(fields, value, for_abuse, bool(marked))
        yield Found(_bare(value), source, f"{place} e-mail:", handle, reason or because, doubt)
    for key in _NOTIFY:
        for value in every(fields, key)[:5]:
            reason_here = "changed" if key == "changed" else "notify"
            yield Found(value, choose.MAILBOX_NAME, f"{place} {key}:", handle, reason_here)
    yield from choose.in_remark(f"{place} remarks:", text, handle, reason, doubt)


def _source(fields: Fields, value: str, for_abuse: bool, has_marked: bool) -> tuple[str, str]:
    """(source, why not) of an e-mail attribute."""
    if for_abuse:
        return choose.ROLE, "less-preferred" if has_marked else ""
    if remarks.is_abuse_name(value):
        return choose.MAILBOX_NAME, ""
    reasons = {"person": "personal", "role": "technical"}
    kind = "person" if first(fields, "person") else fields[0][0]
    return choose.MAILBOX_NAME, reasons.get(kind, "not-abuse")
