"""Say what a registry's WHOIS server would say of a network that stands in its dump, and judge that by the one rule.

Pure.  The text begins with "% Abuse contact for ...", as RIPE NCC's, APNIC's and AFRINIC's servers do: the desk is the
network's own `abuse-c:`, else its organisation's, else (not at RIPE NCC) its response team's, else that of the next
wider network.  Then whois_answer judges it, so that one address gets one judgement whichever way it was asked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pipeline.domain import Address, Answer, NetworkAnswer
from pipeline.resolve import placeholders, remarks, scope, whois_answer
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.whois_text import Fields, decode, every, first, free_text, paragraphs

MAX_PARENTS = 8
MAX_REFERRED = 30  # objects that one network or organisation refers to

_V4 = re.compile(rb"inetnum:[ \t]*(\d+)\.(\d+)\.(\d+)\.(\d+)[ \t]*-[ \t]*(\d+)\.(\d+)\.(\d+)\.(\d+)(?![^\s#])")
_RANGE = re.compile(rb"inet6?num:[ \t]*([^\n#]{1,100})")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_REFERENCES = {"org": "organisation", "abuse-c": "role", "mnt-irt": "irt", "admin-c": "role", "tech-c": "role"}

Objects = Mapping[str, bytes]  # by class:handle, in lower case


@dataclass(frozen=True, slots=True, eq=False)
class DumpNetwork:
    """A network as it stands in the dump of `registry`.  `first` and `last`: numbers, both within the range."""

    registry: str
    dump_id: int
    version: int
    first: int
    last: int
    text: bytes


def networks(registry: str, dump_id: int, body: bytes) -> Iterator[DumpNetwork]:
    """Yield the networks of a packed block; an object whose range cannot be read is none."""
    for text in body.split(b"\n\n"):
        if (found := _range(text)) is not None:
            yield DumpNetwork(registry, dump_id, *found, text)


def _range(text: bytes) -> tuple[int, int, int] | None:
    """(version, first, last) of a network object: quickly where it is written as always."""
    if (match := _V4.match(text)) is not None:
        octets = [int(octet) for octet in match.groups()]
        a, b, c, d, e, f, g, h = octets
        start, end = a << 24 | b << 16 | c << 8 | d, e << 24 | f << 16 | g << 8 | h
        return (4, start, end) if max(octets) <= 255 and start <= end else None
    other = _RANGE.match(text)
    found = scope.read_range(other.group(1).decode("ascii", "replace")) if other is not None else None
    return (found[0].version, int(found[0]), int(found[1])) if found is not None else None


def subject(text: bytes) -> str:
    """Return the range as it stands in the object."""
    return next((value.partition("#")[0].strip() for fields in _read(text) for _, value in fields), "")


def parents(of: DumpNetwork, among: Iterable[DumpNetwork]) -> list[DumpNetwork]:
    """Return the wider networks around one, the narrowest first, up to the first that is the registry's own block."""
    width = of.last - of.first
    around = [one for one in among if one.first <= of.first and of.last <= one.last and one.last - one.first > width]
    around.sort(key=lambda one: one.last - one.first)
    limit = 1 << (24 if of.version == 4 else 116)  # what IANA gives to a registry
    return [one for one in around[:MAX_PARENTS] if one.last - one.first + 1 < limit]


def referred(text: bytes) -> list[str]:
    """Return the keys of the objects that a network or an organisation refers to."""
    keys = (
        f"{_REFERENCES[name]}:{_bare(value)}" for fields in _read(text) for name, value in fields if name in _REFERENCES
    )
    return list(islice(dict.fromkeys(keys), MAX_REFERRED))


def said(network: DumpNetwork, wider: Sequence[DumpNetwork], objects: Objects) -> bytes:
    """Return the text that the registry's WHOIS server would send for an address in `network`, in UTF-8.

    `wider`: its parents.  `objects` are those that it, they and their organisations refer to, as far as the dump has them.
    """
    about = subject(network.text)
    head = [
        "% Put together from the registry's dump in the form of its WHOIS server's answer.",
        f"% Information related to '{about}'",
    ]
    desk = _desk([network, *wider], objects)
    if desk is not None:
        head += [f"% Abuse contact for '{about}' is '{desk.mailbox}'", *desk.doubts]
    keys = [key for key in _own_keys(network.text, objects) if key in objects]
    if desk is not None and desk.key not in keys:
        keys.append(desk.key)
    parts = ["\n".join(head), _text(network.text), *(_text(objects[key]) for key in keys)]
    return ("\n\n".join(parts) + "\n").encode()


def judge(
    body: bytes, network: DumpNetwork, queried: Address, caps: ScopeCaps, source: str, at: datetime
) -> tuple[NetworkAnswer, Answer]:
    """Return the judgement of a text of `said`, and the text as an answer of `source`, which no question was needed for."""
    raw = Answer(source, 200, "text/plain; charset=utf-8", body, at, requests=0)
    return whois_answer.read(raw, queried, registry=network.registry, caps=caps), raw


@dataclass(frozen=True, slots=True)
class _Desk:
    key: str
    mailbox: str
    doubts: tuple[str, ...]  # comment lines


def _desk(around: Sequence[DumpNetwork], objects: Objects) -> _Desk | None:
    """The abuse desk of the first network of these that has one; one without a mailbox is none."""
    for network in around:
        fields = _fields(network.text)
        if network is not around[0] and placeholders.is_empty_network(first(fields, "netname")):
            return None
        organisation = _fields(objects.get(f"organisation:{_bare(first(fields, 'org'))}", b""))
        keys = [f"role:{_bare(value)}" for owner in (fields, organisation) for value in every(owner, "abuse-c")]
        if network.registry != "ripencc":
            keys += [f"irt:{_bare(value)}" for value in every(fields, "mnt-irt")]
        for key in keys:
            contact = _fields(objects.get(key, b""))
            mailbox = first(contact, "abuse-mailbox").partition(" #")[0].strip()
            if mailbox and "'" not in mailbox:
                return _Desk(key, mailbox[:320], tuple(_doubts(contact, mailbox)))
    return None


def _doubts(contact: Fields, mailbox: str) -> Iterator[str]:
    """What a desk's remarks say against its mailbox, as a comment behind it: where the server says such a thing too."""
    for line in free_text(contact, "remarks").split("\n"):
        against = (doubt.text.lower() in ("", mailbox.lower()) for doubt in remarks.doubts(line))
        if "'" not in line and any(against):
            yield f"% {line.strip()}"
            return


def _own_keys(text: bytes, objects: Objects) -> list[str]:
    """What a network refers to, and what its organisation does."""
    keys = referred(text)
    for key in [key for key in keys if key.startswith("organisation:")]:
        keys += referred(objects.get(key, b""))
    return list(dict.fromkeys(keys))


def _fields(text: bytes) -> Fields:
    return next(_read(text), [])


def _read(text: bytes) -> Iterator[Fields]:
    return paragraphs(decode(_CONTROLS.sub(b"", text)))


def _bare(value: str) -> str:
    return value.partition(" #")[0].strip().lower()


def _text(text: bytes) -> str:
    """An object as text: dumps mix UTF-8 and Latin-1 from one object to the next."""
    clean = _CONTROLS.sub(b"", text)
    try:
        return clean.decode()
    except UnicodeDecodeError:
        return clean.decode("latin-1")
