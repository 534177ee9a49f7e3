"""Read the forms of the national registries that are not RPSL: JPNIC, KRNIC and TWNIC, their web pages included.

Pure.  Only the ASCII labels are read ("[Abuse]", "IPv4 Address", "Netblock"), which stand in every language version.
The AS number forms of these registries are not read; APNIC's RDAP answers for them.
"""

import re
from collections.abc import Iterator

from pipeline.domain import Address
from pipeline.resolve import choose, placeholders, remarks, scope
from pipeline.resolve.choose import Found
from pipeline.resolve.mailbox import split
from pipeline.resolve.network import Network
from pipeline.resolve.whois_text import MAX_NETWORKS, Fields, Stated, first, stated

_JPNIC = re.compile(r"(?:[a-z]{1,2}\.\s*)?\[([^\[\]]{1,40})\](.*)")
_NEIGHBOURS = re.compile(
    r"\s*(?:(?:Less|More) Specific Info|上位情報|下位情報)"
)  # lists of wider and narrower networks
_HEADING = re.compile(r"\[([^\[\]]{1,80})\]")

_RANGE, _ABUSE, _OTHER = "range", "abuse", "mailbox"  # what a value stands for, besides its label


def read(lines: list[str], queried: Address | int, registry: str) -> list[Stated]:
    """Return the networks that the text states in one of the three forms."""
    if isinstance(queried, int):
        return []
    forms = (("jpnic", _jpnic(lines)), ("krnic", _krnic(lines)), ("twnic", _twnic(lines)))
    everyone = [_one(record, queried, name) for name, records in forms for record in list(records)[:MAX_NETWORKS]]
    found = [one for one in everyone if one is not None]
    return sorted(found, key=lambda one: not one.network.holder.isascii())  # KRNIC says it all in Korean first


def _one(record: Fields, queried: Address, registry: str) -> Stated | None:
    """An administrator's or technician's mailbox is not for abuse, unless its own name says that it is."""
    mailboxes = [
        Found(
            part,
            choose.ROLE if kind == _ABUSE else choose.MAILBOX_NAME,
            f"{kind} contact",
            rejected="" if kind == _ABUSE or remarks.is_abuse_name(part) else "technical",
        )
        for kind in (_ABUSE, _OTHER)
        for name, value in record
        if name == kind
        for part in split(value)
    ]
    network = Network(
        registry=registry,
        registered=scope.read_range(first(record, _RANGE)),
        found=tuple(mailboxes),
        name=first(record, "network name", "netname", "service name"),
        holder=first(record, "organization", "organization name", "組織名", "기관명", "netname"),
        country=placeholders.national_country(registry),
    )
    return stated(network, queried)


def _kind(label: str, value: str, section: str = "") -> str:
    """What a value is: a mailbox of the abuse desk, another mailbox, or what its label says."""
    if not split(value):
        return label
    return _ABUSE if any(word in place for word in ("abuse", "spam") for place in (label, section)) else _OTHER


def _labelled(line: str) -> tuple[str, str]:
    """(label in lower case, value) of `Label : value`; ("", the line) where it has no label."""
    label, colon, value = line.strip().partition(":")
    if not colon or len(label) > 40 or (value and not value[0].isspace()):
        return "", line.strip()
    return label.strip().lower(), value.strip()


def _jpnic(lines: list[str]) -> Iterator[Fields]:
    """`[Label]   value`; the first value that is a range begins a network, and "Less Specific Info." ends the text."""
    record: Fields = []
    for line in lines:
        if _NEIGHBOURS.match(line):
            break
        match = _JPNIC.fullmatch(line.strip())
        if match is None:
            continue
        label, value = match.group(1).strip().lower(), match.group(2).strip()
        if scope.read_range(value) is not None and re.search(r"[./:]", value):
            if record:
                yield record
            record = [(_RANGE, value)]
        elif record:
            record.append((_kind(label, value), value))
    if record:
        yield record


def _krnic(lines: list[str]) -> Iterator[Fields]:
    """`Label : value` under `[ headings ]`; each "IPv4 Address" begins a network."""
    record: Fields = []
    section = ""
    for line in lines:
        if (heading := _HEADING.fullmatch(line.strip())) is not None:
            section = heading.group(1).lower()
            continue
        label, value = _labelled(line)
        bare = value.partition("(")[0]
        if label.startswith(("ipv4", "ipv6")) and scope.read_range(bare) is not None:
            if record:
                yield record
            record = [(_RANGE, bare)]
        elif record:
            record.append((_kind(label, value, section), value))
    if record:
        yield record


def _twnic(lines: list[str]) -> Iterator[Fields]:
    """`Netname:` and `Netblock:`, then headings such as "Technical contact:" with mailboxes on the lines below."""
    record: Fields = []
    section = ""
    for line in lines:
        label, value = _labelled(line)
        if label == "netblock" and value:
            if any(name == _RANGE for name, _ in record):
                yield record
                record = []
            record.append((_RANGE, value))
        elif label.endswith("contact") and not value:
            section = label
        elif value:
            record.append((_kind(label, value, section), value))
    if any(name == _RANGE for name, _ in record):
        yield record
