"""Read ARIN's WHOIS form: one or several networks, each followed by its organisation and its points of contact.

Pure.  A reassigned network stands beside its parent in one text; each keeps the contacts that follow it.
"""

import re
from collections.abc import Iterator

from pipeline.domain import Address
from pipeline.resolve import choose, postal, remarks, scope
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

_EMAIL = re.compile(r"(?P<of>org|r|net|as)?(?P<role>[a-z]+)email")
_SPECIAL = re.compile(r"iana special use|iana reserved", re.IGNORECASE)


def read(lines: list[str], queried: Address | int, registry: str) -> list[Stated]:
    """Return the networks, or for an int the AS numbers, that the text states."""
    start = "asnumber" if isinstance(queried, int) else "netrange"
    everyone = [_one(section, queried, registry) for section in _sections(lines, start)]
    return [one for one in everyone if one is not None]


def _sections(lines: list[str], start: str) -> list[list[Fields]]:
    sections: list[list[Fields]] = []
    for fields in paragraphs(lines):
        if first(fields, start):
            sections.append([fields])
        elif sections:
            sections[-1].append(fields)
    return sections[:MAX_NETWORKS]


def is_special(lines: list[str], queried: Address | int) -> bool:
    """True if the text says that the network is IANA's special-purpose space: of several, the narrowest that fits."""
    if not any(line.startswith("NetType:") and _SPECIAL.search(line) for line in lines):
        return False
    told = [(scope.read_range(first(section[0], "netrange")), section[0]) for section in _sections(lines, "netrange")]
    sized = [
        (scope.size(within), bool(_SPECIAL.search(first(fields, "nettype"))))
        for within, fields in told
        if within is not None and not isinstance(queried, int) and scope.covers(within, queried)
    ]
    return min(sized)[1] if sized else True


def _one(section: list[Fields], queried: Address | int, registry: str) -> Stated | None:
    fields = [field for paragraph in section for field in paragraph]
    range_text = first(fields, "netrange")
    lines = [f"NetRange: {range_text}", f"CIDR: {first(fields, 'cidr')}"]
    network = Network(
        registry=registry,
        registered=None if isinstance(queried, int) else network_range("arin", lines, range_text, queried),
        found=tuple(found for paragraph in section for found in _mailboxes(paragraph)),
        doubts=tuple(remarks.doubts(free_text(fields, "comment"))),
        handle=first(fields, "nethandle", "ashandle"),
        name=first(fields, "netname", "asname"),
        holder=first(fields, "custname", "orgname") or first(fields, "organization", "customer"),
        country=first(fields, "country"),
        region=first(fields, "stateprov"),
        postal=_postal(section),
        why=_missing_desk(fields),
    )
    if not isinstance(queried, int):
        return stated(network, queried)
    numbers = [int(text) for text in re.findall(r"\d{1,10}", first(fields, "asnumber"))[:2]]
    if not numbers:
        return None
    return Stated(network, numbers[0] <= queried <= numbers[-1], numbers[-1] - numbers[0] + 1)


def _postal(section: list[Fields]) -> str:
    """The address of the customer or the organisation, which stands in the paragraph of its name."""
    named = (fields for key in ("custname", "orgname") for fields in section if first(fields, key))
    holder = next(named, [])
    place = (first(holder, key) for key in ("city", "stateprov", "postalcode", "country"))
    return postal.from_parts(every(holder, "address", "street"), *place)


def _missing_desk(fields: Fields) -> str:
    """What to ask next where the abuse contact is named by its handle alone."""
    named = first(fields, "rabusehandle") or first(fields, "orgabusehandle")
    has_email = any(key.endswith("abuseemail") and value for key, value in fields)
    return "" if has_email else named_desk(named)


def _mailboxes(fields: Fields) -> Iterator[Found]:
    """Yield the mailboxes of one paragraph: a network, an organisation or a point of contact."""
    text = free_text(fields, "comment")
    doubt = next((doubt.note for doubt in remarks.doubts(text) if not doubt.text), "")
    emails = [(match, value) for key, value in fields if (match := _EMAIL.fullmatch(key)) is not None]
    for match, value in emails[:MAX_MAILBOXES]:
        key = match.group()
        handle = first(fields, key.removesuffix("email") + "handle")
        if match.group("role") == "abuse":
            source = choose.NESTED_ROLE if match.group("of") == "org" else choose.ROLE
            yield Found(value, source, f"{key}:", handle, note=doubt)
        else:
            for part in split(value) or [value]:
                because = "" if remarks.is_abuse_name(part) else "technical"
                yield Found(part, choose.MAILBOX_NAME, f"{key}:", handle, because, doubt)
    yield from choose.in_remark("comment:", text, doubt=doubt)
