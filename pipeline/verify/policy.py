"""What a case's evidence says of its exposure: open, unlisted or unknown; never closed, which takes a check of our own.

Pure.  Silence is not an answer: a zone that failed, or a feed that has delivered nothing since, cannot say that a target
is gone.  Standards: RFC 5782 2.1 (only NXDOMAIN is "not listed").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.data.topic import Topic
from pipeline.data.zone import Zone, decode, undocumented
from pipeline.domain import EvidenceLevel, Exposure, Listing, ZoneAnswer
from pipeline.verify.level import Claim, LevelDecision, Reason, group_of, meets


@dataclass(frozen=True, slots=True)
class SourceState:
    """One feed that has claimed the target: when it last did, and when it last delivered anything that was accepted.

    `lifetime`: how long an entry of it counts if it is not repeated.  For a zone, `feed` is the zone's name.
    """

    feed: str
    lifetime: timedelta
    last_claimed_at: datetime
    last_delivered_at: datetime


@dataclass(frozen=True, slots=True)
class ExposureDecision:
    """What is known of the exposure now, the level it was judged by, and why."""

    exposure: Exposure
    level: EvidenceLevel | None
    reasons: tuple[Reason, ...]


def exposure(
    decision: LevelDecision,
    minimum: EvidenceLevel,
    answers: Sequence[ZoneAnswer],
    sources: Sequence[SourceState],
    now: datetime,
    policy: Topic,
    zones: Mapping[str, Zone],
) -> ExposureDecision:
    """Return OPEN if fresh claims reach `minimum`, UNLISTED if every source has let its claim lapse, else UNKNOWN.

    `answers`: what zones said just now; `sources`: every feed that ever claimed the target.  Drop claims that a zone
    has withdrawn (`standing`) before the level is taken.  UNLISTED needs proof: each source has delivered after its
    entry's lifetime ran out, without the target, and no zone failed to answer or lists it.
    """
    if meets(decision.level, minimum):
        return ExposureDecision(Exposure.OPEN, decision.level, decision.reasons)
    if decision.level is not None:
        below = Reason("exposure.below_minimum", (("level", decision.level.name), ("minimum", minimum.name)))
        return ExposureDecision(Exposure.UNKNOWN, decision.level, (below, *decision.reasons))
    doubts = [reason for answer in answers if (reason := _doubt(answer, policy, zones))]
    said_no = {answer.zone for answer in answers if listing(answer, policy, zones) is Listing.NOT_LISTED}
    doubts += [reason for source in sources if (reason := _not_lapsed(source, now, source.feed in said_no))]
    if doubts:
        return ExposureDecision(Exposure.UNKNOWN, None, tuple(doubts))
    if not sources:
        return ExposureDecision(Exposure.UNKNOWN, None, (Reason("exposure.never_claimed"),))
    return ExposureDecision(Exposure.UNLISTED, None, (Reason("exposure.lapsed", (("sources", len(sources)),)),))


def listing(answer: ZoneAnswer, policy: Topic, zones: Mapping[str, Zone]) -> Listing:
    """Return what `answer` says of this topic: listed for another reason is not listed, an undocumented code unknown."""
    if answer.listing is not Listing.LISTED:
        return answer.listing
    zone = zones.get(answer.zone)
    if zone is None:
        return Listing.UNKNOWN
    if any(claim in policy.claims for claim in decode(zone, answer.codes)):
        return Listing.LISTED
    return Listing.UNKNOWN if undocumented(zone, answer.codes) or not answer.codes else Listing.NOT_LISTED


def standing(
    claims: Sequence[Claim], answers: Sequence[ZoneAnswer], policy: Topic, zones: Mapping[str, Zone]
) -> list[Claim]:
    """Return the claims but those of a zone that now says "not listed": what a source has withdrawn is not quoted."""
    said_no = {answer.zone for answer in answers if listing(answer, policy, zones) is Listing.NOT_LISTED}
    return [claim for claim in claims if claim.feed not in said_no]


def best_level(claims: Sequence[Claim], askable: Sequence[Zone], policy: Topic, now: datetime) -> EvidenceLevel | None:
    """Return the highest level that the case may still reach without a check of our own, or None.

    Claims count until they expire, for a stale one may be repeated; a zone in `askable` (leave out those that have
    answered) counts as a further group if it documents a code for this topic.
    """
    alive = [claim for claim in claims if claim.claim in policy.claims and now < claim.expires_at]
    if any(claim.first_hand for claim in alive):
        return EvidenceLevel.E2
    groups = {group_of(claim) for claim in alive}
    groups |= {zone.group for zone in askable if any(code.claim in policy.claims for code in zone.codes.values())}
    scanned = any(claim.protocol_level and policy.claims[claim.claim].protocol_level for claim in alive)
    if len(groups) >= 2 or scanned:
        return EvidenceLevel.E1
    return EvidenceLevel.E0 if groups else None


def reachable(best: EvidenceLevel | None, minimum: EvidenceLevel) -> bool:
    """Return whether a case whose best level is `best` is worth a look-up: it could still reach `minimum`."""
    return meets(best, minimum)


def _doubt(answer: ZoneAnswer, policy: Topic, zones: Mapping[str, Zone]) -> Reason | None:
    said = listing(answer, policy, zones)
    if said is Listing.NOT_LISTED:
        return None
    if said is Listing.LISTED:
        return Reason("exposure.zone_lists", (("zone", answer.zone),))
    return Reason("exposure.zone_unknown", (("zone", answer.zone), ("why", answer.why or "undocumented code")))


def _not_lapsed(source: SourceState, now: datetime, says_no: bool) -> Reason | None:
    """Return why the source's claim has not lapsed yet, or None if it has."""
    lapses_at = source.last_claimed_at + source.lifetime
    if now <= lapses_at:
        return Reason("exposure.not_lapsed", (("feed", source.feed), ("until", lapses_at.isoformat())))
    if source.last_delivered_at <= lapses_at and not says_no:
        return Reason(
            "exposure.source_silent", (("feed", source.feed), ("since", source.last_delivered_at.isoformat()))
        )
    return None
