"""A campaign is named once and its changes are told; every target of its topics has one case in it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address

import pytest
from sqlalchemy import func, insert, select, text

from pipeline.domain import ConfigurationError, NotFound, RefusedBySafety
from pipeline.store import campaigns
from pipeline.store import events as log
from pipeline.store.db import Database, rows
from pipeline.store.tables import campaigns as table
from pipeline.store.tables import cases, events, targets

SETTINGS = {"agency": {"fr": "l’Agence", "en": "the Agency"}, "questions": "help@agency.example"}


def create(db: Database, now: datetime, name: str = "spring", topics: Sequence[str] = ("open_proxy",)) -> int:
    with db.write() as connection:
        return campaigns.create(connection, name, SETTINGS, topics, 1, "c0ffee", now, "person:3")


def add_targets(db: Database, now: datetime, count: int, topic: str = "open_proxy", port: int = 8080) -> None:
    values = {"port": port, "transport": "tcp", "service": "http", "topic": topic}
    seen = {"first_seen_at": now, "last_seen_at": now}
    addresses = [{"address": IPv4Address("198.51.100.0") + number} for number in range(count)]
    with db.write() as connection:
        connection.execute(insert(targets), [values | seen | address for address in addresses])


def open_cases(db: Database, campaign_id: int, now: datetime, limit: int = 100) -> list[int]:
    made = []
    while True:
        with db.write() as connection:
            made.append(campaigns.open_cases(connection, campaign_id, now, "tocsin", limit))
        if made[-1] == 0:
            return made


def of_campaign(db: Database) -> list[tuple[str, str]]:
    with db.read() as connection:
        found = rows(connection, select(events).where(events.c.subject == "campaign").order_by(events.c.id))
    return [(row["what"], row["data"]) for row in found]


def test_a_campaign_begins_in_training_and_is_found_by_its_name(db: Database, now: datetime) -> None:
    create(db, now, topics=("open_relay", "open_proxy", "open_relay"))
    with db.read() as connection:
        found = campaigns.by_name(connection, "spring")
        stored = connection.execute(select(table.c.settings)).scalar_one()
    assert (found.mode, found.topics, found.minimum_level) == ("training", ("open_proxy", "open_relay"), 1)
    assert (found.settings, found.order_seed, found.created_by) == (SETTINGS, "c0ffee", "person:3")
    assert (found.created_at, found.closed_at) == (now, None)
    assert stored == '{"agency":{"en":"the Agency","fr":"l’Agence"},"questions":"help@agency.example"}'


def test_a_name_is_taken_once_and_an_unknown_one_is_not_found(db: Database, now: datetime) -> None:
    create(db, now)
    with pytest.raises(ConfigurationError, match="already a campaign called spring"):
        create(db, now)
    with pytest.raises(NotFound) as caught, db.read() as connection:
        campaigns.by_name(connection, "autumn")
    assert "spring" in caught.value.why
    assert [what for what, _ in of_campaign(db)] == ["campaign.created"]


def test_a_change_is_told_by_hashes_and_no_change_is_not(db: Database, now: datetime) -> None:
    one = create(db, now)
    changed = SETTINGS | {"questions": "ask@agency.example"}
    with db.write() as connection:
        assert not campaigns.change(connection, one, SETTINGS, ["open_proxy"], 1, now, "person:3")
        assert campaigns.change(connection, one, changed, ["open_relay"], 2, now, "person:3")
        found = campaigns.by_name(connection, "spring")
    assert (found.settings, found.topics, found.minimum_level) == (changed, ("open_relay",), 2)
    created, told = of_campaign(db)
    values = {"settings": log.canonical(changed), "topics": '["open_relay"]', "minimum_level": 2}
    assert hashlib.sha256(log.canonical(values).encode()).hexdigest() in told[1]
    assert created[1].split('"sha256":')[1].rstrip("}").split(",")[0] in told[1]  # and what it was before
    assert "agency.example" not in told[1]


def test_a_closed_campaign_does_not_change_and_is_not_among_the_open(db: Database, now: datetime) -> None:
    one = create(db, now)
    create(db, now, "autumn")
    add_targets(db, now, 1)
    with db.write() as connection:
        connection.execute(text("UPDATE campaigns SET closed_at = created_at WHERE name = 'spring'"))
        with pytest.raises(RefusedBySafety, match="closed"):
            campaigns.change(connection, one, {}, ["open_proxy"], 1, now, "person:3")
        with pytest.raises(NotFound):
            campaigns.change(connection, 99, {}, ["open_proxy"], 1, now, "person:3")
        assert [c.name for c in campaigns.every(connection)] == ["spring", "autumn"]
        assert [c.name for c in campaigns.every(connection, open_only=True)] == ["autumn"]
    assert open_cases(db, one, now) == [0]


def test_cases_are_made_a_limit_at_a_time_until_none_is_missing(db: Database, now: datetime) -> None:
    one = create(db, now)
    add_targets(db, now, 7)
    add_targets(db, now, 3, topic="open_relay", port=25)
    assert open_cases(db, one, now, limit=3) == [3, 3, 1, 0]
    assert open_cases(db, one, now) == [0]
    with db.read() as connection:
        found = rows(connection, select(cases).order_by(cases.c.target_id))
        told = rows(connection, select(events).where(events.c.subject == "case").order_by(events.c.id))
    assert [(row["target_id"], row["state"], row["exposure"]) for row in found] == [
        (target, "seen", "unchecked") for target in range(1, 8)
    ]
    assert {(str(row["block"]), row["due_at"], row["created_at"]) for row in found} == {("198.51.0.0", now, now)}
    assert [row["subject_id"] for row in told] == [row["id"] for row in found]
    assert {(row["what"], row["campaign_id"], row["by"]) for row in told} == {("case.seen", one, "tocsin")}


def test_the_event_of_a_new_case_is_as_any_other_event(db: Database, now: datetime) -> None:
    one = create(db, now)
    add_targets(db, now, 1)
    open_cases(db, one, now)
    with db.write() as connection:
        query = select(events).where(events.c.subject == "case").order_by(events.c.id)
        [born] = rows(connection, query)
        log.write(
            connection, [log.Entry("case.seen", "case", born["subject_id"], one, "", {"target": 1})], now, "tocsin"
        )
        [_, written] = rows(connection, query)
    different = {key for key in born if born[key] != written[key]}
    assert different <= {"id", "tx"}


def test_gaps_are_found_once_nothing_lies_beyond_the_last_case(db: Database, now: datetime) -> None:
    one = create(db, now)
    add_targets(db, now, 3, topic="open_relay", port=25)
    add_targets(db, now, 3)
    assert open_cases(db, one, now) == [3, 0]
    with db.write() as connection:
        campaigns.change(connection, one, {}, ["open_proxy", "open_relay"], 1, now, "person:3")
    assert open_cases(db, one, now + timedelta(days=1), limit=2) == [2, 1, 0]
    with db.read() as connection:
        assert connection.execute(select(func.count(func.distinct(cases.c.target_id)))).scalar_one() == 6


def test_two_campaigns_have_a_case_each_for_one_target(db: Database, now: datetime) -> None:
    one, two = create(db, now), create(db, now, "autumn")
    add_targets(db, now, 2)
    assert open_cases(db, one, now) == open_cases(db, two, now) == [2, 0]
