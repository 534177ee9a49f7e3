"""Ask DNSBL zones about the addresses of cases, within their budgets, and keep what they said.

Reads: zones through an edge.  Writes: budgets; a snapshot per zone and batch, whose observations are its listings.
Safe to repeat: it only asks, and each sweep is a snapshot of its own.  Standards: RFC 5782.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.data.topic import Topic, claim_kinds, topic_of
from pipeline.data.zone import Zone, decode
from pipeline.domain import Address, Clock, Listing, Observation, Wire, ZoneAnswer, ZoneQuestion
from pipeline.store import budgets, feeds
from pipeline.store import verify as store
from pipeline.store.budgets import Limit
from pipeline.store.db import Connection, Database

AHEAD = timedelta(seconds=1)  # before its slot a question may be handed over
PATIENCE = timedelta(minutes=5)  # a zone whose next slot is later than that is not waited for: its day is spent
MOST_UNDER_WAY = 500  # questions; an edge holds more
CONFIDENCE = 80


@dataclass(frozen=True, slots=True)
class ZoneUse:
    """A zone that may be asked: its facts, our limits for it (0: none), and whether a letter may name it."""

    zone: Zone
    rate: float
    per_day: int
    name_in_letter: bool


@dataclass(slots=True)
class Sweep:
    """Questions that wait, by zone, and the answers: `asked` from the zones, `unasked` where we could not ask."""

    waiting: dict[str, deque[Address]] = field(default_factory=dict)
    not_before: dict[str, datetime] = field(default_factory=dict)
    under_way: int = 0
    asked: list[ZoneAnswer] = field(default_factory=list)
    unasked: list[ZoneAnswer] = field(default_factory=list)

    def skip(self, zone: str, addresses: Sequence[Address], why: str) -> None:
        self.unasked += [ZoneAnswer(zone, address, Listing.UNKNOWN, why=why) for address in addresses]


def speaks_of(zone: Zone, topic: Topic, address: Address) -> bool:
    """Could the zone say something about this topic at this address?"""
    return address.version in zone.families and any(code.claim in topic.claims for code in zone.codes.values())


def ask(
    db: Database,
    wire: Wire[ZoneQuestion, ZoneAnswer],
    clock: Clock,
    zones: Mapping[str, ZoneUse],
    unhealthy: Mapping[str, str],
    wanted: Mapping[str, Sequence[Address]],
) -> Sweep:
    """Ask each zone about its addresses, when its budget has a slot.

    A zone that is `unhealthy` (why, by zone) or whose day is spent is not asked: its answers are UNKNOWN and say so.
    """
    sweep = Sweep()
    for zone, addresses in wanted.items():
        if zone in unhealthy:
            sweep.skip(zone, addresses, unhealthy[zone])
        elif addresses:
            sweep.waiting[zone] = deque(addresses)
    while sweep.waiting or sweep.under_way:
        _hand_over(db, wire, clock, zones, sweep)
        soonest = min((sweep.not_before.get(zone, clock()) for zone in sweep.waiting), default=None)
        nap = 0.5 if soonest is None else min(max((soonest - clock()).total_seconds(), 0.005), 0.5)
        for answer in wire.take(nap):
            wire.done()
            sweep.asked.append(answer)
            sweep.under_way -= 1
    return sweep


def _hand_over(
    db: Database, wire: Wire[ZoneQuestion, ZoneAnswer], clock: Clock, zones: Mapping[str, ZoneUse], sweep: Sweep
) -> None:
    now = clock()
    ready = [zone for zone in sweep.waiting if sweep.not_before.get(zone, now) <= now]
    for zone in ready:
        queue, use = sweep.waiting[zone], zones[zone]
        count = min(len(queue), MOST_UNDER_WAY - sweep.under_way)
        if not count:
            return
        with db.write() as connection:
            limit = Limit(f"dnsbl:{zone}", use.rate, use.per_day)
            reservation = budgets.reserve(connection, [limit], count, now, AHEAD)
        for slot in reservation.slots:
            delay = max((slot - now).total_seconds(), 0.0)
            wire.ask(ZoneQuestion(zone, queue.popleft(), delay, want_text=True))
        sweep.under_way += len(reservation.slots)
        if reservation.wait is not None:
            sweep.not_before[zone] = reservation.wait
            if reservation.wait - now > PATIENCE:
                sweep.skip(zone, list(queue), "budget")
                queue.clear()
        if not queue:
            del sweep.waiting[zone]


def keep(
    connection: Connection,
    sweep: Sweep,
    zones: Mapping[str, ZoneUse],
    topics: Mapping[str, Topic],
    now: datetime,
    by: str,
) -> None:
    """Keep what each zone said as a snapshot; only listings of a documented code become observations."""
    by_zone: dict[str, list[ZoneAnswer]] = defaultdict(list)
    for answer in sweep.asked:
        by_zone[answer.zone].append(answer)
    kinds = claim_kinds(topics)
    for name, said in by_zone.items():
        use = zones[name]
        feed_id = feeds.declare(connection, name, store.zone_feed(_declaration(use)), now, by)
        listed: list[tuple[Observation, str, datetime]] = []
        for answer in said:
            for claim in decode(use.zone, answer.codes) if answer.listing is Listing.LISTED else ():
                kind = kinds[claim]
                raw = f"{answer.address} {' '.join(answer.codes)} {answer.text}".encode()[:4096]
                line = len(listed) + 1
                place = (answer.address, 0, kind.transport, kind.service)
                seen = Observation(line, *place, claim, now, CONFIDENCE, raw)
                listed.append((seen, topic_of(topics, claim), now + use.zone.lifetime))
        store.add_sweep(connection, feed_id, name, len(said), listed, now)


def _declaration(use: ZoneUse) -> dict[str, object]:
    return {
        "access": "public",
        "group": use.zone.group,
        "lawful_basis": use.zone.policy,
        "lifetime": use.zone.lifetime,
        "name_in_letter": use.name_in_letter,
        "title": use.zone.name,
    }
