"""`tocsin status --prometheus`: figures that the official parser reads, with labels of few values and of nobody."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from pipeline.audit.seal import seal
from pipeline.domain import LetterState
from pipeline.store import holds, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import world
from tests.cli.conftest import Tocsin
from tests.seed import wave_of_letters

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


@pytest.fixture(autouse=True)
def at_noon(tocsin: Tocsin) -> None:
    tocsin.clock = lambda: NOW


def read(tocsin: Tocsin, *options: str) -> Values:
    ran = tocsin("status", "--prometheus", *options)
    assert ran.code == 0, ran.err
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(ran.out)
        for sample in family.samples
    }


def test_an_empty_installation_has_figures_too(tocsin: Tocsin) -> None:
    found = read(tocsin)
    assert found["tocsin_attempts_under_way", ()] == 0
    assert found["tocsin_oldest_due_letter_age_seconds", ()] == 0
    assert found["tocsin_holds", (("scope", "everything"),)] == 0


def test_letters_are_counted_by_campaign_and_state_with_every_state_there(tocsin: Tocsin, db: Database) -> None:
    wave_of_letters(db, NOW - timedelta(hours=2), 3)
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == 1).values(state="handed"))
    found = read(tocsin)
    letters = {labels: value for (name, labels), value in found.items() if name == "tocsin_letters"}
    assert len(letters) == len(LetterState)
    assert letters[("campaign", "test"), ("state", "approved")] == 2
    assert letters[("campaign", "test"), ("state", "handed")] == 1
    assert found["tocsin_oldest_due_letter_age_seconds", ()] == 7200
    assert found["tocsin_cases", (("campaign", "test"), ("exposure", "open"), ("state", "resolved"))] == 3


def test_attempts_limits_holds_workers_and_seals_are_there(tocsin: Tocsin, db: Database, now: datetime) -> None:
    world.story(db, now)
    with db.write() as connection:
        used = {"key": "mail:all", "next_at": NOW + timedelta(seconds=9), "day": "2026-03-01", "used": 4}
        connection.execute(insert(t.budgets).values(**used))
        holds.hold(connection, holds.Scope(domain="isp.example"), "wait", NOW, "person:1")
        holds.hold(connection, holds.Scope(), "wait", NOW, "person:1")
        worker = workers.register(connection, "here", 1, planner=True, now=NOW)
        workers.end(connection, workers.register(connection, "gone", 2, planner=False, now=NOW), NOW)
    seal(db, lambda: NOW)
    found = read(tocsin)
    assert found["tocsin_attempts_total", (("outcome", "handed"),)] == 1
    assert found["tocsin_limit_next_slot_timestamp_seconds", (("limit", "mail:all"),)] == NOW.timestamp() + 9
    assert found["tocsin_holds", (("scope", "domain"),)] == found["tocsin_holds", (("scope", "everything"),)] == 1
    beats = {labels: value for (name, labels), value in found.items() if "heartbeat" in name}
    assert beats[("planner", "yes"), ("worker", str(worker))] == NOW.timestamp()
    assert ("worker", str(worker + 1)) not in [label for labels in beats for label in labels]
    assert found["tocsin_last_seal_timestamp_seconds", ()] == NOW.timestamp()


def test_no_mailbox_domain_or_address_is_in_the_figures(tocsin: Tocsin, db: Database, now: datetime) -> None:
    world.story(db, now)
    with db.write() as connection:
        for key in ("mail:domain:isp.example", "mail:mx:isp.example"):
            connection.execute(insert(t.budgets).values(key=key, next_at=NOW + timedelta(hours=1)))
    ran = tocsin("status", "--prometheus")
    assert "isp.example" not in ran.out
    assert "192.0.2." not in ran.out
    assert read(tocsin)["tocsin_recipient_domains_waiting", ()] == 1


def test_figures_are_not_watched_and_are_no_json(tocsin: Tocsin) -> None:
    assert tocsin("status", "--prometheus", "--watch").code == 2
    assert tocsin("status", "--prometheus", "--json").code == 2
