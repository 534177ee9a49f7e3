"""What is stored about one question, as flat lists of rows that name each other by id.

Pure.  `who` gathers it (who.py), `story.py` tells it, `plain` is its JSON: the same rows, complete, under stable keys
(docs/reference/record.md).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from pipeline.audit.say import Say
from pipeline.domain import Address

Rows = list[dict[str, Any]]


class Kind(StrEnum):
    """What a question names."""

    ADDRESS = "address"
    NETWORK = "network"
    EMAIL = "email"
    REFERENCE = "reference"
    MESSAGE_ID = "message_id"


@dataclass(slots=True)
class Record:
    """Everything about one question.  Each list has the rows of the table of its name; `networks` are netblocks.

    `told` are notice_cases, `candidates` netblock_contacts.  `told_cases`: notice -> how many cases it speaks of in all.
    `texts`: digest in an event -> the personal value it stands for, None if purged.  `names`: person:ID -> name.
    `cut`: lists of which only the newest or first rows are here.  `next`: the address to go on after, for a network.
    """

    query: str
    kind: Kind
    addresses: list[Address] = field(default_factory=list)
    within: int = 0  # targets in a network, at most MOST_COUNTED
    next: Address | None = None
    claims: Rows = field(default_factory=list)
    targets: Rows = field(default_factory=list)
    campaigns: Rows = field(default_factory=list)
    cases: Rows = field(default_factory=list)
    checks: Rows = field(default_factory=list)
    networks: Rows = field(default_factory=list)
    candidates: Rows = field(default_factory=list)
    contacts: Rows = field(default_factory=list)
    waves: Rows = field(default_factory=list)
    approvals: Rows = field(default_factory=list)
    notices: Rows = field(default_factory=list)
    told: Rows = field(default_factory=list)
    told_cases: dict[int, int] = field(default_factory=dict)
    letters: Rows = field(default_factory=list)
    attempts: Rows = field(default_factory=list)
    connections: Rows = field(default_factory=list)
    deliveries: Rows = field(default_factory=list)
    holds: Rows = field(default_factory=list)
    suppressions: Rows = field(default_factory=list)
    exclusions: Rows = field(default_factory=list)
    events: Rows = field(default_factory=list)
    texts: dict[str, str | None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


PROGRAM = ("tocsin", "system:brakes", "system:canary")  # actors that are no person


def actor(names: Mapping[str, str], by: str) -> object:
    """Return who did something: a person's name, `system:NAME` as it stands, or the program itself."""
    return Say("Tocsin itself") if by in PROGRAM else names.get(by, by)


PARSED = {"transcript", "quoted", "limits", "revisions", "topics", "rights", "data"}  # columns of canonical JSON text
HIDDEN = {"declaration", "worker_id", "claim_number", "token_sha256"}


def plain(record: Record) -> dict[str, Any]:
    """Return the record for JSON: the rows as stored, JSON columns parsed, bytes as text or base64."""
    made = {f.name: getattr(record, f.name) for f in fields(record)}
    for name, value in made.items():
        if isinstance(value, list) and name != "addresses":
            made[name] = [plain_row(row) for row in value]
    return {**made, "told_cases": {str(notice): count for notice, count in record.told_cases.items()}}


def plain_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return one stored row for JSON.  A line as received is text if it is UTF-8, and base64 in any case else."""
    made = {key: value for key, value in row.items() if key not in HIDDEN}
    for key in PARSED & set(made):
        made[key] = json.loads(made[key]) if isinstance(made[key], str) else made[key]
    if "said" in made:  # of an attempt: empty if it has no dialogue
        made["said"] = json.loads(made["said"] or "[]")
    for key in {"raw", "head"} & set(made):
        made[key], made[f"{key}_base64"] = exact(made[key])
    return made


def exact(value: bytes | None) -> tuple[str | None, str | None]:
    """Return (text, None) for UTF-8, (None, base64) for other bytes, (None, None) for what is no longer kept."""
    if value is None:
        return None, None
    try:
        return bytes(value).decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(value).decode()
