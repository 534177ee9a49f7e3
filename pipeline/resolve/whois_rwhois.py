"""Read the answers of rwhois servers, which providers run for the networks they have assigned themselves.

Pure.  Standard: RFC 2167 sections 3.1 and 3.3 (class:attribute:value, ;I for a reference to another object).
"""

import re
from collections.abc import Iterator

from pipeline.domain import Address
from pipeline.resolve import choose, scope
from pipeline.resolve.choose import Found
from pipeline.resolve.network import Network, named_desk
from pipeline.resolve.whois_text import MAX_NETWORKS, Fields, Stated, first, free_text, stated

_LINE = re.compile(
    r"^(network|contact|org|organization):([A-Za-z0-9_-]{1,40})(?:;[A-Za-z]{1,3})?:\s*(.*)$", re.IGNORECASE
)
_CHANGE = ("updated-by", "changed-by", "created-by")


def read(lines: list[str], queried: Address | int, registry: str) -> list[Stated]:
    """Return the networks that the text states; rwhois knows no AS numbers."""
    if isinstance(queried, int):
        return []
    records: list[Fields] = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        kind, key, value = match.group(1).lower(), match.group(2).lower(), match.group(3).strip()
        if not records or (kind == "network" and key == "class-name"):
            records.append([])
        records[-1].append((key if kind == "network" else f"{kind} {key}", value))
    everyone = [_one(fields, queried, registry) for fields in records[:MAX_NETWORKS]]
    return [one for one in everyone if one is not None]


def _one(fields: Fields, queried: Address, registry: str) -> Stated | None:
    network = Network(
        registry=registry,
        registered=scope.read_range(first(fields, "ip-network", "ipv6-network", "ip-network-block")),
        found=tuple(_mailboxes(fields)),
        handle=first(fields, "id", "handle"),
        name=first(fields, "network-name"),
        holder=first(fields, "org-name", "organization", "network-name"),
        country=first(fields, "country-code", "country"),
        region=first(fields, "state"),
        why=named_desk(first(fields, "abuse-contact")),
    )
    return stated(network, queried)


def _mailboxes(fields: Fields) -> Iterator[Found]:
    for key, value in fields:
        if "abuse" in key and "@" in value:
            yield Found(value, choose.ROLE, f"{key}:")
        elif "@" in value and key not in ("comment", "comments", "remarks"):
            yield Found(value, choose.MAILBOX_NAME, f"{key}:", rejected="changed" if key in _CHANGE else "technical")
    yield from choose.in_remark("comment:", free_text(fields, "comment", "comments", "remarks"))
