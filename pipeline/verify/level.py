"""Claims about one target to its evidence level: how many independent sources say so, and which of them count.

Pure.  A claim counts while it is fresh (the topic's window), has not outlived its source's lifetime and is a claim of
the topic.  Sources count by group, never by list: lists copy each other.  Reputation is no claim of any topic: it
neither opens a case nor raises a level, because it says that an address did harm, not that a service is open.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.data.topic import ANY, Topic
from pipeline.domain import EvidenceLevel

AHEAD = timedelta(minutes=10)  # clocks differ; a claim from later than that counts for nothing


@dataclass(frozen=True, slots=True)
class Claim:
    """One observation as evidence, with what its feed's declaration says of it.  `port` 0: the source did not say."""

    snapshot_id: int
    line: int
    feed: str
    group: str  # empty: the feed is a group of its own
    claim: str
    service: str
    port: int
    observed_at: datetime
    expires_at: datetime
    protocol_level: bool = False  # a scan that spoke the protocol
    first_hand: bool = False  # our own spam trap or logs


def claim_of(row: Mapping[str, Any], declarations: dict[str, Mapping[str, Any]]) -> Claim:
    """Return an observation as evidence; `declarations` keeps what each feed declared between calls."""
    if row["feed"] not in declarations:
        declarations[row["feed"]] = json.loads(row["declaration"])
    declaration = declarations[row["feed"]]
    return Claim(
        row["snapshot_id"],
        row["line"],
        row["feed"],
        declaration.get("group") or "",
        row["claim"],
        row["service"],
        row["port"],
        row["observed_at"],
        row["expires_at"],
        bool(declaration.get("protocol_level")),
        bool(declaration.get("first_hand")),
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule decided so: a code, and values that a sentence in the reader's language is made of."""

    code: str
    values: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """The level that fresh claims reach, or None if none is fresh; `quoted` are those that count, the newest first."""

    level: EvidenceLevel | None
    groups: tuple[str, ...]
    quoted: tuple[Claim, ...]
    reasons: tuple[Reason, ...]


def evidence_level(claims: Sequence[Claim], now: datetime, policy: Topic, is_dynamic: bool = False) -> LevelDecision:
    """Return the level of the `claims` about one target (as `speaks_of` chose them) under `policy` at `now`.

    `is_dynamic`: the address may have a new user soon, so evidence ages faster.  E2: a first-hand claim; E1: claims of
    two groups, or one protocol-level report; E0: one group.  Quoted is the newest claim of each feed, port and kind.
    """
    window = policy.dynamic_freshness if is_dynamic else policy.freshness
    judged = [(claim, _why_not(claim, now, policy, window)) for claim in claims]
    quoted = _newest(claim for claim, why in judged if not why)
    groups = tuple(sorted({group_of(claim) for claim in quoted}))
    level, reason = _level(quoted, groups, policy)
    left_out = sorted({why for _, why in judged if why})
    counts = [Reason(why, (("claims", sum(why == other for _, other in judged)),)) for why in left_out]
    return LevelDecision(level, groups, quoted, (reason, *counts))


def speaks_of(claim: Claim, port: int, service: str, policy: Topic) -> bool:
    """Return whether `claim`, about the same address, is about the target with this port and service.

    A claim without a port speaks of every port with a service of its kind.  A claim with a port speaks of that port
    only, not of the target without one: that one stands for what nobody could place.
    """
    kind = policy.claims.get(claim.claim)
    if kind is None or claim.port not in (0, port):
        return False
    spoken = kind.speaks_for if claim.service == kind.service else {claim.service}
    return service == ANY or service in spoken


def group_of(claim: Claim) -> str:
    """Return the group that `claim` counts for: feeds of one group are one source."""
    return claim.group or claim.feed


def meets(level: EvidenceLevel | None, minimum: EvidenceLevel) -> bool:
    """Return whether `level` is at least `minimum`.  A handshake (E3) is worth no more than corroboration (E1)."""
    if level is None:
        return False
    return (EvidenceLevel.E1 if level is EvidenceLevel.E3 else level) >= minimum


def _why_not(claim: Claim, now: datetime, policy: Topic, window: timedelta) -> str:
    """Return why `claim` does not count, or an empty string."""
    if claim.claim not in policy.claims:
        return "level.no_claim_of_topic"
    if claim.observed_at > now + AHEAD:
        return "level.future"
    if now >= claim.expires_at:
        return "level.expired"
    return "level.stale" if now - claim.observed_at > window else ""


def _newest(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    found: dict[tuple[str, str, int], Claim] = {}
    for claim in sorted(claims, key=lambda claim: (claim.observed_at, claim.snapshot_id, claim.line), reverse=True):
        found.setdefault((claim.feed, claim.claim, claim.port), claim)
    return tuple(found.values())


def _level(quoted: Sequence[Claim], groups: Sequence[str], policy: Topic) -> tuple[EvidenceLevel | None, Reason]:
    if not quoted:
        return None, Reason("level.none_fresh")
    first_hand = next((claim for claim in quoted if claim.first_hand), None)
    if first_hand is not None:
        return EvidenceLevel.E2, Reason("level.first_hand", (("feed", first_hand.feed),))
    if len(groups) >= 2:
        return EvidenceLevel.E1, Reason("level.independent_groups", (("groups", len(groups)),))
    scan = next((claim for claim in quoted if claim.protocol_level and policy.claims[claim.claim].protocol_level), None)
    if scan is not None:
        return EvidenceLevel.E1, Reason("level.protocol_scan", (("feed", scan.feed),))
    return EvidenceLevel.E0, Reason("level.one_group", (("group", groups[0]),))
