"""Figures for people are counted from the rows, nothing is left out, and a database that may forget says so."""

from datetime import datetime, timedelta

from sqlalchemy import insert, update

from pipeline.store import overview
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import add, wave_of_letters


def delivery(db: Database, feed: int, now: datetime, number: int) -> None:
    with db.write() as connection:
        row = insert(t.snapshots).values(
            feed_id=feed,
            sha256=bytes([number]) * 32,
            name=f"list-{number}.txt",
            received_at=now + timedelta(hours=number),
            lines=10,
            observations=number,
            rejects=1,
            verdict="accepted",
            reason="",
        )
        connection.execute(row)


def feed(db: Database, now: datetime, name: str) -> int:
    with db.write() as connection:
        values = {"parser": "ip_port", "rights": "{}", "declaration": "{}", "declared_at": now}
        return add(connection, t.feeds, name=name, **values)


def test_feeds_are_counted_with_their_deliveries_also_those_without_any(db: Database, now: datetime) -> None:
    first = feed(db, now, "b")
    feed(db, now, "a")
    for number in (1, 2, 3):
        delivery(db, first, now, number)
    with db.read() as connection:
        empty, full = overview.feeds_known(connection)
    assert (empty["name"], empty["snapshots"], empty["observations"], empty["last_received_at"]) == ("a", 0, 0, None)
    assert (full["snapshots"], full["observations"], full["rejects"]) == (3, 6, 3)
    assert full["last_received_at"] == now + timedelta(hours=3)


def test_deliveries_come_newest_first_and_no_more_than_asked(db: Database, now: datetime) -> None:
    one, two = feed(db, now, "one"), feed(db, now, "two")
    delivery(db, one, now, 1)
    delivery(db, two, now, 2)
    delivery(db, one, now, 3)
    with db.read() as connection:
        assert [row["name"] for row in overview.deliveries(connection, "", 2)] == ["list-3.txt", "list-2.txt"]
        assert [row["feed"] for row in overview.deliveries(connection, "two", 9)] == ["two"]
        assert overview.deliveries(connection, "none", 9) == []


def test_a_campaign_is_shown_with_all_its_cases_and_letters(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 3, cases=2)
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.send_order == 1).values(state="handed"))
        campaign = connection.execute(t.waves.select().where(t.waves.c.id == wave)).one().campaign_id
    with db.read() as connection:
        standing = overview.standing(connection, campaign)
        assert overview.case_counts(connection) == {campaign: 6}
        assert overview.standing(connection, campaign + 1) == {"cases": {}, "exposures": {}, "waves": []}
    assert sum(standing["cases"].values()) == sum(standing["exposures"].values()) == 6
    [shown] = standing["waves"]
    assert (shown["number"], shown["letters"]) == (1, {"approved": 2, "handed": 1})


def test_a_database_says_what_it_is_and_whether_it_survives_a_power_cut(db: Database) -> None:
    how = overview.condition(db)
    assert (how["kind"], how["bytes"] > 0) == (db.dialect, True)
    assert how["durable"] is (db.dialect == "sqlite")  # the tests' PostgreSQL runs with fsync off, and says so


def test_the_newest_event_is_the_last_of_the_log(db: Database, now: datetime) -> None:
    from pipeline.store import events

    with db.write() as connection:
        assert overview.newest_event(connection) is None
        events.write(connection, [events.Entry("campaign.created", "campaign", 1)], now, "tocsin")
        events.write(connection, [events.Entry("campaign.changed", "campaign", 1)], now + timedelta(1), "tocsin")
        assert overview.newest_event(connection) == now + timedelta(1)
