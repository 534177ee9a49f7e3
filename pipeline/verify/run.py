"""Check exposures, passively: what feeds say, and what DNSBL zones answer now.

Reads: cases due that have a contact, observations, zones through an edge.  Writes: a sweep per zone and batch (its listings
are observations), one check per case with its transcript, the case's exposure.  Safe to repeat: a case is checked again
only when it is due; a batch that dies leaves its cases due, and its questions are asked again.
Standards: RFC 5782.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.data.topic import Topic
from pipeline.domain import (
    Address,
    Clock,
    ConfigurationError,
    EvidenceLevel,
    Progress,
    Wire,
    ZoneAnswer,
    ZoneQuestion,
)
from pipeline.store import events
from pipeline.store import verify as store
from pipeline.store.db import Connection, Database
from pipeline.store.netblocks import block_of
from pipeline.verify import sweep
from pipeline.verify.level import Claim, Reason, claim_of, evidence_level, speaks_of
from pipeline.verify.policy import SourceState, exposure, standing
from pipeline.verify.sweep import ZoneUse as ZoneUse

BY = "tocsin"
BATCH = 500  # cases claimed, asked about and judged at once


@dataclass(frozen=True, slots=True)
class Verifying:
    """What one run is given.  `unhealthy`: zones that failed their test points, with why; they are not asked."""

    db: Database
    wire: Wire[ZoneQuestion, ZoneAnswer]
    topics: Mapping[str, Topic]
    zones: Mapping[str, ZoneUse]
    unhealthy: Mapping[str, str]
    worker_id: int
    clock: Clock
    progress: Progress
    batch: int = BATCH


def verify(run: Verifying) -> int:
    """Check every case that is due; returns how many.  Raises ConfigurationError for a topic that is not known."""
    done = 0
    with run.db.read() as connection:
        total = store.due_count(connection, run.clock())
    for state in store.CHECKED_STATES:
        place: Address | None = None  # what was checked lies before it, and is not looked through again
        while True:
            with run.db.write() as connection:
                lease, cases = store.claim_due(connection, state, place, run.worker_id, run.clock(), run.batch)
            if not cases:
                break
            place = block_of(cases[-1].address)
            said = _ask(run, cases)
            with run.db.write() as connection:
                now = run.clock()
                sweep.keep(connection, said, run.zones, run.topics, now, BY)
                store.record(connection, _judge(run, connection, cases, said, now), lease, now, BY)
            done += len(cases)
            run.progress("checks", done, total)
    return done


def _ask(run: Verifying, cases: Sequence[store.DueCase]) -> sweep.Sweep:
    """Ask every zone that could speak of the cases' topics about their addresses."""
    if unknown := {case.topic for case in cases} - run.topics.keys():
        raise ConfigurationError(
            f"There are cases of the topic {', '.join(sorted(unknown))}, which is not known",
            "its file is no longer among the settings",
            "Name its file in `topics` of config.toml again.",
        )
    wanted = {
        name: sorted({c.address for c in cases if sweep.speaks_of(use.zone, run.topics[c.topic], c.address)})
        for name, use in run.zones.items()
    }
    return sweep.ask(run.db, run.wire, run.clock, run.zones, run.unhealthy, wanted)


def _judge(
    run: Verifying, connection: Connection, cases: Sequence[store.DueCase], said: sweep.Sweep, now: datetime
) -> list[store.Finding]:
    """Weigh what is known of each case: claims to a level, level and silence to an exposure."""
    seen = store.observed(connection, {case.address for case in cases})
    delivered = store.last_deliveries(connection)
    zones = {name: use.zone for name, use in run.zones.items()}
    by_address: dict[Address, list[ZoneAnswer]] = defaultdict(list)
    for answer in (*said.asked, *said.unasked):
        by_address[answer.address].append(answer)
    declarations: dict[str, Mapping[str, Any]] = {}
    findings = []
    for case in cases:
        topic = run.topics[case.topic]
        answers = [a for a in by_address.get(case.address, ()) if sweep.speaks_of(zones[a.zone], topic, a.address)]
        claims = [claim_of(row, declarations) for row in seen.get(case.address, ())]
        claims = [claim for claim in claims if speaks_of(claim, case.port, case.service, topic)]
        decided = evidence_level(standing(claims, answers, topic, zones), now, topic)
        sources = _sources(claims, delivered, declarations)
        minimum = EvidenceLevel(case.minimum_level)
        found = exposure(decided, minimum, answers, sources, now, topic, zones)
        transcript = {
            "level": None if found.level is None else found.level.name,
            "groups": list(decided.groups),
            "quoted": [[claim.snapshot_id, claim.line] for claim in decided.quoted],
            "reasons": [_plain(reason) for reason in found.reasons],
            "zones": [_zone_answer(answer) for answer in answers],
        }
        level = None if found.level is None else int(found.level)
        due_at = now + topic.recheck_every
        findings.append(store.Finding(case, found.exposure, level, events.canonical(transcript), due_at))
    return findings


def _sources(
    claims: Sequence[Claim], delivered: Mapping[str, datetime], declarations: Mapping[str, Mapping[str, Any]]
) -> list[SourceState]:
    """Return the state of every feed that claims the target.

    A sweep is about the addresses that were asked: for a zone it proves nothing about any other, so only the zone's
    answer now can say that the target is gone.
    """
    last: dict[str, datetime] = {}
    for claim in claims:
        last[claim.feed] = max(last.get(claim.feed, claim.observed_at), claim.observed_at)
    return [
        SourceState(feed, timedelta(seconds=declarations[feed]["lifetime"]), at, delivered.get(feed, at))
        for feed, at in last.items()
    ]


def _plain(reason: Reason) -> list[Any]:
    return [reason.code, dict(reason.values)]


def _zone_answer(answer: ZoneAnswer) -> dict[str, Any]:
    return {
        "zone": answer.zone,
        "listing": answer.listing.value,
        "codes": list(answer.codes),
        "text": answer.text,
        "why": answer.why,
    }
