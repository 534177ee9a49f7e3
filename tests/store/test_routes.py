"""Routes: a country has one, changing it makes its cases due, and the log names neither mailbox nor CERT."""

import json
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import select, update

from pipeline.domain import NotFound
from pipeline.store import routes as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.routes import Way
from tests import cases as seed

HOUR = timedelta(hours=1)
CERT = ("cert@cert.example", "CERT of Example", "their wish")


def put(db: Database, now: datetime, kind: Way = Way.DIGEST, country: str = "CH", mailbox: str = CERT[0]) -> int | None:
    with db.write() as connection:
        return store.put(connection, country, kind, mailbox, CERT[1], CERT[2], now, "person:1")


def test_a_country_has_one_route_the_last_one_given(db: Database, now: datetime) -> None:
    put(db, now, Way.DIGEST)
    put(db, now, Way.COPY, "BE")
    put(db, now + HOUR, Way.PARTNER, mailbox="desk@partner.example")
    with db.read() as connection:
        found = store.every(connection)
    assert list(found) == ["BE", "CH"]
    assert (found["CH"].kind, found["CH"].mailbox, found["CH"].title, found["CH"].at) == (
        Way.PARTNER,
        "desk@partner.example",
        "CERT of Example",
        now + HOUR,
    )


def test_the_same_route_again_changes_nothing(db: Database, now: datetime) -> None:
    assert put(db, now) == 0
    assert put(db, now + HOUR) is None
    with db.read() as connection:
        assert store.every(connection)["CH"].at == now
        assert len(connection.execute(select(t.events.c.id)).all()) == 1


@pytest.mark.parametrize("kind", [Way.COPY, Way.DIGEST, Way.PARTNER])
def test_only_a_direct_route_may_be_without_a_mailbox(db: Database, now: datetime, kind: Way) -> None:
    assert put(db, now, Way.DIRECT, mailbox="") == 0
    with pytest.raises(ValueError, match="mailbox"):
        put(db, now, kind, mailbox="")
    with db.read() as connection:
        assert store.every(connection)["CH"].kind is Way.DIRECT


def test_a_route_makes_the_waiting_cases_of_its_country_due(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.ready(db, now, campaign, "abuse@one.example", [ip_address("192.0.2.1")])
    seed.ready(db, now, campaign, "abuse@two.example", [ip_address("198.51.100.1")])
    with db.write() as connection:
        connection.execute(update(t.netblocks).where(t.netblocks.c.id == 1).values(country="CH"))
    assert put(db, now + HOUR) == 1
    assert [case["contact_due_at"] for case in seed.all_cases(db)] == [now + HOUR, None]
    with db.write() as connection:
        store.put(connection, "CH", Way.DIGEST, CERT[0], "another name", CERT[2], now + 2 * HOUR, "person:1")
        assert store.drop(connection, "CH", "no longer", now + 3 * HOUR, "person:1") == 1
        assert store.every(connection) == {}
    assert [case["contact_due_at"] for case in seed.all_cases(db)] == [now + 3 * HOUR, None]


def test_a_route_that_is_none_cannot_be_dropped(db: Database, now: datetime) -> None:
    with db.write() as connection, pytest.raises(NotFound):
        store.drop(connection, "CH", "x", now, "person:1")


def test_events_carry_the_country_and_neither_mailbox_nor_name_nor_reason(db: Database, now: datetime) -> None:
    put(db, now)
    with db.write() as connection:
        store.drop(connection, "CH", "no longer wanted", now, "person:2")
        [given, dropped] = connection.execute(select(t.events).order_by(t.events.c.id)).all()
        kept = set(connection.execute(select(t.texts.c.value)).scalars())
    assert (given.what, given.subject, dropped.what) == ("route.set", "route", "route.dropped")
    assert given.subject_id == dropped.subject_id == store.number("CH")
    assert json.loads(given.data)["country"] == "CH"
    assert kept == {*CERT, "no longer wanted"}
    assert not any(word in given.data + dropped.data for word in ("cert", "CERT", "wish", "wanted"))


def test_every_country_has_a_number_of_its_own() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert len({store.number(a + b) for a in letters for b in letters}) == 26 * 26
