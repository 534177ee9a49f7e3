"""Check exposures, passively: what feeds say, and what DNSBL zones answer now.

Reads: cases due that have a contact, observations, zones through an edge.  Writes: a sweep per zone and batch (its listings
are observations), one check per case with its transcript, the case's exposure.  Safe to repeat: a case is checked again
only when it is due; a batch that dies leaves its cases due, and its questions are asked again.
Standards: RFC 5782.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.data.topic import Topic, claim_kinds, topic_of
from pipeline.data.zone import Zone, decode
from pipeline.domain import (
    Address,
    Clock,
    EvidenceLevel,
    Listing,
    Observation,
    Progress,
    Wire,
    ZoneAnswer,
    ZoneQuestion,
)
from pipeline.store import budgets, events, feeds
from pipeline.store import verify as store
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection, Database
from pipeline.verify.level import Claim, Reason, evidence_level, speaks_of
from pipeline.verify.policy import SourceState, exposure, standing

BY = "tocsin"
BATCH = 500
AHEAD = timedelta(minutes=5)  # questions to a zone are not spread over more than that


@dataclass(frozen=True, slots=True)
class ZoneUse:
    """A zone that may be asked: its facts, our limits for it, and whether a letter may name it."""

    zone: Zone
    rate: float
    per_day: int
    name_in_letter: bool


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


def verify(run: Verifying) -> int:
    """Check every case that is due; returns how many."""
    done = 0
    with run.db.read() as connection:
        total = store.due_count(connection, run.clock())
    while True:
        with run.db.write() as connection:
            lease, cases = store.claim_due(connection, run.worker_id, run.clock(), BATCH)
        if not cases:
            return done
        answers = _ask(run, cases)
        with run.db.write() as connection:
            now = run.clock()
            for zone, said in _by_zone(answers).items():
                _keep_sweep(run, connection, zone, said, now)
            store.record(connection, _judge(run, connection, cases, answers, now), lease, now, BY)
        done += len(cases)
        run.progress("checks", done, total)


def _ask(run: Verifying, cases: Sequence[store.DueCase]) -> dict[tuple[str, Address], ZoneAnswer]:
    """Ask every zone that could speak of the cases' topics about their addresses, within its budget."""
    answers: dict[tuple[str, Address], ZoneAnswer] = {}
    pending = 0
    for name, use in run.zones.items():
        addresses = sorted({case.address for case in cases if _speaks_of_topic(use.zone, run.topics[case.topic], case)})
        if why := run.unhealthy.get(name):
            answers |= {(name, a): ZoneAnswer(name, a, Listing.UNKNOWN, why=why) for a in addresses}
            continue
        with run.db.write() as connection:
            now = run.clock()
            limit = Limit(f"dnsbl:{name}", use.rate, use.per_day)
            slots = budgets.reserve(connection, [limit], len(addresses), now, AHEAD).slots
        for address, slot in zip(addresses, slots, strict=False):
            while not run.wire.room():
                pending -= _collect(run, answers)
            run.wire.ask(ZoneQuestion(name, address, max((slot - now).total_seconds(), 0.0), want_text=True))
            pending += 1
        late = addresses[len(slots) :]
        answers |= {(name, a): ZoneAnswer(name, a, Listing.UNKNOWN, why="budget") for a in late}
    while pending:
        pending -= _collect(run, answers)
    return answers


def _speaks_of_topic(zone: Zone, topic: Topic, case: store.DueCase) -> bool:
    return case.address.version in zone.families and any(code.claim in topic.claims for code in zone.codes.values())


def _collect(run: Verifying, answers: dict[tuple[str, Address], ZoneAnswer]) -> int:
    taken = run.wire.take(0.5)
    for answer in taken:
        answers[answer.zone, answer.address] = answer
        run.wire.done()
    return len(taken)


def _by_zone(answers: Mapping[tuple[str, Address], ZoneAnswer]) -> dict[str, list[ZoneAnswer]]:
    found: dict[str, list[ZoneAnswer]] = defaultdict(list)
    for answer in answers.values():
        found[answer.zone].append(answer)
    return found


def _keep_sweep(run: Verifying, connection: Connection, name: str, said: Sequence[ZoneAnswer], now: datetime) -> None:
    """Keep a zone's answers as a snapshot; only listings of a documented code become observations."""
    use = run.zones[name]
    feed_id = feeds.declare(connection, name, store.zone_feed(_declaration(use)), now, BY)
    kinds = claim_kinds(run.topics)
    listed = []
    line = 0
    for answer in (answer for answer in said if answer.listing is Listing.LISTED):
        for claim in decode(use.zone, answer.codes):
            line += 1
            kind = kinds[claim]
            raw = f"{answer.address} {' '.join(answer.codes)} {answer.text}".encode()[:4096]
            seen = Observation(line, answer.address, 0, kind.transport, kind.service, claim, now, 80, raw)
            listed.append((seen, topic_of(run.topics, claim), now + use.zone.lifetime))
    store.add_sweep(connection, feed_id, name, len(said), listed, now)


def _declaration(use: ZoneUse) -> dict[str, Any]:
    return {
        "access": "public",
        "group": use.zone.group,
        "lawful_basis": use.zone.policy,
        "lifetime": use.zone.lifetime,
        "name_in_letter": use.name_in_letter,
        "title": use.zone.name,
    }


def _judge(
    run: Verifying,
    connection: Connection,
    cases: Sequence[store.DueCase],
    answers: Mapping[tuple[str, Address], ZoneAnswer],
    now: datetime,
) -> list[store.Finding]:
    """Weigh what is known of each case: claims to a level, level and silence to an exposure."""
    seen = store.observed(connection, {case.address for case in cases})
    delivered = store.last_deliveries(connection)
    zones = {name: use.zone for name, use in run.zones.items()}
    said: dict[Address, list[ZoneAnswer]] = defaultdict(list)
    for (_, address), answer in answers.items():
        said[address].append(answer)
    declarations: dict[str, Mapping[str, Any]] = {}
    findings = []
    for case in cases:
        topic = run.topics[case.topic]
        claims = [claim_of(row, declarations) for row in seen.get(case.address, [])]
        claims = [claim for claim in claims if speaks_of(claim, case.port, case.service, topic)]
        decided = evidence_level(standing(claims, said[case.address], topic, zones), now, topic)
        sources = _sources(claims, delivered, declarations, now)
        minimum = EvidenceLevel(case.minimum_level)
        found = exposure(decided, minimum, said[case.address], sources, now, topic, zones)
        transcript = {
            "level": None if found.level is None else found.level.name,
            "groups": list(decided.groups),
            "quoted": [[claim.snapshot_id, claim.line] for claim in decided.quoted],
            "reasons": [_plain(reason) for reason in found.reasons],
            "zones": [_zone_answer(answer) for answer in said[case.address]],
        }
        level = None if found.level is None else int(found.level)
        due_at = now + topic.recheck_every
        findings.append(store.Finding(case, found.exposure, level, events.canonical(transcript), due_at))
    return findings


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


def _sources(
    claims: Sequence[Claim],
    delivered: Mapping[str, datetime],
    declarations: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> list[SourceState]:
    last: dict[str, datetime] = {}
    for claim in claims:
        last[claim.feed] = max(last.get(claim.feed, claim.observed_at), claim.observed_at)
    return [
        SourceState(feed, timedelta(seconds=declarations[feed]["lifetime"]), at, delivered.get(feed, now))
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
