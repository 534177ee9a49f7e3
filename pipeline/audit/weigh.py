"""Which reports count for a target, and which contacts have been told before.

Pure.  The rules of verify (verify/level.py) and of the wave plan (follow/plan.py) come as arguments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.audit.record import Rows
from pipeline.domain import NO_WISH, Wish

Row = Mapping[str, Any]

NEVER_LEFT = ("withdrawn", "suppressed")
UNFINISHED = ("planned", "rendered", "approved", "sending")


@dataclass(frozen=True, slots=True)
class Contacts:
    """What is known today of contacts, by their ids.

    `told`: (campaign, contact, kind of wave) of those that have a notice of that kind.  `stopped`: those that the
    do-not-write list or a person's word keeps from being written to, wherever they are named.
    """

    told: frozenset[tuple[int, int, str]] = frozenset()
    wishes: Mapping[int, Wish] = field(default_factory=dict)
    stopped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Ready:
    """What the wave plan asks of a case whose exposure is open and that has a contact (follow/plan.py)."""

    level: int
    checked_at: datetime
    contact_dead: bool
    suppressed: bool
    excluded: bool
    told_before: bool
    tier: int = 1  # how the contact came to be one (domain.Tier)
    current: bool = True  # the answer that names the contact still holds
    wish: Wish = NO_WISH


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of other stages.  `counts(claim, target, now)`: why a report does not count, or an empty text.

    `objection(ready, minimum level, now, kind of wave)`: why the next wave of that kind would not take a case up.
    """

    counts: Callable[[Row, Row, datetime], str]
    meets: Callable[[int | None, int], bool]
    objection: Callable[[Ready, int, datetime, str], str]


def counting(claims: Rows, target: Row, rules: Rules, now: datetime) -> list[tuple[Row, str]]:
    """Return every report with why it does not count (empty: it counts), newest first.

    Of the reports that could count, only the newest of each feed, kind and port does.
    """
    found: list[tuple[Row, str]] = []
    counted: set[tuple[str, str, int]] = set()
    for claim in sorted(claims, key=lambda row: (row["observed_at"], row["snapshot"], row["line"]), reverse=True):
        why = unusable(claim) or rules.counts(claim, target, now)
        key = (claim["feed"], claim["claim"], claim["port"])
        if not why and key in counted:
            why = "superseded"
        elif not why:
            counted.add(key)
        found.append((claim, why))
    return found


def unusable(claim: Row) -> str:
    """Return why a report can count for no target at all, or an empty text."""
    if claim["verdict"] != "accepted":
        return f"snapshot.{claim['verdict']}"
    return "" if claim["topic"] else "reputation"


def told_before(notices: Rows, letters: Rows, waves: Rows) -> Rows:
    """Return those notices that stand for "has a first notice": under way, or with a letter that was not held back."""
    by_notice = {row["notice_id"]: row for row in letters}
    states = {row["id"]: row["state"] for row in waves}
    return [
        row
        for row in notices
        if (
            by_notice[row["id"]]["state"] not in NEVER_LEFT
            if row["id"] in by_notice
            else states[row["wave_id"]] in UNFINISHED
        )
    ]
