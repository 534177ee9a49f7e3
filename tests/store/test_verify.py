"""What verify reads and writes: due cases by block, observations that count, sweeps, checks."""

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from sqlalchemy import select, update

from pipeline.domain import Address, CaseState, Exposure, Observation, Verdict
from pipeline.store import feeds
from pipeline.store import tables as t
from pipeline.store import verify as store
from pipeline.store.db import Database
from tests import cases as seed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RESOLVED = CaseState.RESOLVED.value


def at(text: str) -> Address:
    return ip_address(text)


def test_due_cases_are_claimed_by_block_from_a_place_on_and_each_once(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now, minimum_level=1)
    texts = ("203.0.113.1", "192.0.2.9", "198.51.100.1", "192.0.2.1")
    seed.cases(db, now, campaign, map(at, texts), state=RESOLVED)
    seed.cases(db, now, campaign, [at("192.0.2.77")], state=RESOLVED, due_at=now + HOUR)
    worker, other = seed.worker(db, now), seed.another_worker(db, now)
    with db.write() as connection:
        assert store.due_count(connection, now) == 4
        lease, first = store.claim_due(connection, RESOLVED, None, worker, now, 2)
        assert [str(case.address) for case in first] == ["192.0.2.1", "192.0.2.9"]
        assert lease.claims == {2: 1, 4: 1}
        assert (first[0].topic, first[0].minimum_level, first[0].exposure) == ("open_proxy", 1, Exposure.UNCHECKED)
        _, last = store.claim_due(connection, RESOLVED, at("203.0.0.0"), other, now, 9)
        assert [case.id for case in last] == [1]
        _, rest = store.claim_due(connection, RESOLVED, None, other, now, 9)
        assert [case.id for case in rest] == [3]
        assert store.claim_due(connection, CaseState.NOTICED.value, None, worker, now, 9)[1] == []


def test_observations_of_accepted_deliveries_come_with_their_feed(db: Database, now: datetime) -> None:
    feed = seed.feed(db, now, "one", group="a group")
    here, there = at("192.0.2.1"), at("2001:db8::1")
    for number, verdict in enumerate(Verdict):
        said = [(here, 8080, "http", "http_proxy"), (there, 0, "any", "proxy"), (here, 0, "any", "reputation")]
        seed.snapshot(db, feed, now + number * HOUR, said, verdict=verdict)
    accepted = list(Verdict).index(Verdict.ACCEPTED)
    with db.read() as connection:
        found = store.observed(connection, [here, there, at("192.0.2.2")])
    assert {str(address): len(rows) for address, rows in found.items()} == {"192.0.2.1": 1, "2001:db8::1": 1}
    [row] = found[here]
    assert (row["feed"], row["snapshot_id"], row["line"]) == ("one", accepted + 1, 1)
    assert (row["claim"], row["port"], row["service"]) == ("http_proxy", 8080, "http")
    assert feeds.declaration_of(row["declaration"])["group"] == "a group"
    assert row["observed_at"] == now + accepted * HOUR


def test_a_sweep_is_kept_with_its_listings_and_is_no_delivery(db: Database, now: datetime) -> None:
    feed = seed.feed(db, now, "one")
    seed.snapshot(db, feed, now - DAY, [])
    seed.snapshot(db, feed, now - 2 * DAY, [])
    seed.snapshot(db, feed, now, [], verdict=Verdict.HELD)
    seen = Observation(1, at("192.0.2.1"), 0, "tcp", "http", "http_proxy", now, 80, b"192.0.2.1 127.0.0.3")
    with db.write() as connection:
        zone = feeds.declare(connection, "zone.example", store.zone_feed({"lifetime": DAY}), now, "test")
        store.add_sweep(connection, zone, "zone.example", 3, [(seen, "open_proxy", now + DAY)], now)
        store.add_sweep(connection, zone, "zone.example", 3, [], now)  # another one at the same moment
        found = store.observed(connection, [at("192.0.2.1")])
        assert store.last_deliveries(connection) == {"one": now - DAY}
    [row] = found[at("192.0.2.1")]
    assert (row["feed"], row["expires_at"]) == ("zone.example", now + DAY)


def test_a_check_is_recorded_for_the_cases_that_are_still_held(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3")], state=RESOLVED)
    worker, other = seed.worker(db, now), seed.another_worker(db, now)
    with db.write() as connection:
        lease, found = store.claim_due(connection, RESOLVED, None, worker, now, 9)
    with db.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id == 2).values(claim=7))
        connection.execute(update(t.cases).where(t.cases.c.id == 3).values(worker_id=other))
    findings = [store.Finding(case, Exposure.OPEN, 1, "{}", now + DAY) for case in found]
    with db.write() as connection:
        store.record(connection, findings, lease, now, "tocsin")
        checked = connection.execute(select(t.checks.c.case_id, t.checks.c.verdict, t.checks.c.level)).all()
        levels = connection.execute(select(t.targets.c.level).order_by(t.targets.c.id)).scalars().all()
        told = connection.execute(select(t.events.c.subject_id, t.events.c.why, t.events.c.data)).all()
    assert [tuple(row) for row in checked] == [(1, "open", 1)]
    assert levels == [1, None, None]
    assert [tuple(row) for row in told] == [(1, "open", '{"before":"unchecked","level":1}')]
    first, second, third = seed.all_cases(db)
    assert (first["exposure"], first["due_at"], first["worker_id"]) == (Exposure.OPEN, now + DAY, None)
    assert {second["exposure"], third["exposure"]} == {Exposure.UNCHECKED}


def test_recheck_makes_due_what_was_checked_long_enough_ago_or_never(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    later: dict[str, Any] = {"due_at": now + DAY}
    seed.cases(db, now, campaign, [at("192.0.2.1")], state=RESOLVED, exposure_at=now - HOUR, **later)
    seed.cases(db, now, campaign, [at("192.0.2.2")], state=RESOLVED, exposure_at=now - 3 * HOUR, **later)
    seed.cases(db, now, campaign, [at("192.0.2.3")], state=RESOLVED, **later)
    seed.cases(db, now, campaign, [at("192.0.2.4")], state=CaseState.FIXED.value, **later)
    other = seed.campaign(db, now, "two")
    seed.cases(db, now, other, [at("192.0.2.5")], state=RESOLVED, **later)
    with db.write() as connection:
        assert store.recheck(connection, campaign, 2 * HOUR, now) == 2
        assert store.due_count(connection, now) == 2
