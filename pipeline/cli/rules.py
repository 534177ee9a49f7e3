"""The rules of other stages, as an explanation asks them: does a report count, is a level enough, would the plan object?

Pure.  audit may not import verify and follow; the command line may, and hands their rules down.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pipeline.audit.weigh import Ready, Row, Rules
from pipeline.data.topic import Topic
from pipeline.domain import EvidenceLevel
from pipeline.follow.plan import Waiting, objection
from pipeline.verify.level import claim_of, evidence_level, meets, speaks_of


def rules(topics: Mapping[str, Topic], fresh_for: timedelta) -> Rules:
    """Return the rules as they stand.  `fresh_for`: evidence older than this leaves a letter (mail.fresh_for)."""
    declarations: dict[str, Mapping[str, Any]] = {}

    def counts(report: Row, target: Row, now: datetime) -> str:
        topic = topics.get(target["topic"])
        claim = claim_of({**report, "snapshot_id": report["snapshot"]}, declarations)
        if topic is None or claim.claim not in topic.claims:
            return "level.no_claim_of_topic"
        if not speaks_of(claim, target["port"], target["service"], topic):
            return "other_service"
        decided = evidence_level([claim], now, topic)
        return "" if decided.quoted else decided.reasons[-1].code

    def enough(level: int | None, minimum: int) -> bool:
        return meets(None if level is None else EvidenceLevel(level), EvidenceLevel(minimum))

    def objects(ready: Ready, minimum: int, now: datetime, kind: str) -> str:
        waiting = Waiting(
            case_id=0,
            contact_id=0,
            check_id=0,
            quoted="[]",
            level=EvidenceLevel(ready.level),
            checked_at=ready.checked_at,
            contact_dead=ready.contact_dead,
            suppressed=ready.suppressed,
            excluded=ready.excluded,
            told_before=ready.told_before,
            tier=ready.tier,
            current=ready.current,
            inhibited_until=ready.wish.inhibited_until,
            last_letter_at=ready.wish.last_letter_at,
            cadence=ready.wish.cadence,
        )
        return objection(waiting, EvidenceLevel(minimum), now, fresh_for, kind)

    return Rules(counts, enough, objects)
