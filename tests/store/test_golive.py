"""Words on going live count for one sheet, one binding and until an end; nothing of it is ever changed."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from pipeline.domain import NotFound, RefusedBySafety
from pipeline.store import campaigns, golive, persons
from pipeline.store import tables as t
from pipeline.store.db import Database

MAIL = {"relay": {"host": "relay.example", "port": 25}}
SHEET = b"Tocsin go-live sheet 1\ncampaign spring\nbackup ok\n"


@pytest.fixture
def campaign(db: Database, now: datetime) -> int:
    with db.write() as connection:
        for name in ("dora", "alice", "bob"):
            persons.add(connection, name, persons.Role.APPROVER, "", name, now, "test")
        return campaigns.create(connection, "spring", {"a": 1}, ["open_proxy"], 1, "00", now, "person:1")


def bound(db: Database, campaign: int, mail: object = MAIL) -> bytes:
    with db.read() as connection:
        return golive.binding(connection, campaign, mail)  # type: ignore[arg-type]


def give(db: Database, campaign: int, person: int, now: datetime, sheet: bytes = SHEET) -> None:
    binding = bound(db, campaign)
    with db.write() as connection:
        digest = golive.keep_sheet(connection, campaign, sheet, binding, now)
        golive.give(connection, campaign, digest, person, "password", "", now)


def counted(db: Database, campaign: int) -> dict[bytes, list[str]]:
    binding = bound(db, campaign)
    with db.read() as connection:
        return {sheet: [word.by for word in given] for sheet, given in golive.words(connection, campaign, binding)}


def mode(db: Database) -> str:
    with db.read() as connection:
        return str(connection.execute(select(t.campaigns.c.mode)).scalar_one())


def test_words_of_different_people_on_one_sheet_are_counted(db: Database, campaign: int, now: datetime) -> None:
    give(db, campaign, 2, now)
    give(db, campaign, 3, now, SHEET + b"stops ok\n")
    assert counted(db, campaign) == {SHEET: ["person:2"], SHEET + b"stops ok\n": ["person:3"]}
    give(db, campaign, 3, now)
    assert counted(db, campaign)[SHEET] == ["person:2", "person:3"]


def test_nobody_counts_twice_and_who_made_the_campaign_not_at_all(db: Database, campaign: int, now: datetime) -> None:
    give(db, campaign, 2, now)
    with pytest.raises(RefusedBySafety, match="said yes already"):
        give(db, campaign, 2, now)
    with pytest.raises(RefusedBySafety, match="settings that they made"):
        give(db, campaign, 1, now)
    with db.write() as connection:
        campaigns.change(connection, campaign, {"a": 2}, ["open_proxy"], 1, now, "person:3")
    with pytest.raises(RefusedBySafety, match="settings that they made"):
        give(db, campaign, 3, now)
    assert counted(db, campaign) == {}


def test_other_settings_of_the_campaign_or_of_mail_are_another_binding(
    db: Database, campaign: int, now: datetime
) -> None:
    first = bound(db, campaign)
    assert bound(db, campaign) == first
    assert bound(db, campaign, {"relay": {"host": "other.example", "port": 25}}) != first
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(minimum_level=2))
    assert bound(db, campaign) != first


def test_a_change_or_an_end_puts_a_live_campaign_back_and_voids_every_word(
    db: Database, campaign: int, now: datetime
) -> None:
    for why in ("changed", "asked"):
        for person in (2, 3):
            give(db, campaign, person, now, SHEET + why.encode())  # a sheet names its settings
        with db.write() as connection:
            [(sheet, _)] = golive.words(connection, campaign, golive.binding(connection, campaign, MAIL))
            golive.go(connection, campaign, golive.keep_sheet(connection, campaign, sheet, b"", now), now, "person:1")
        assert mode(db) == "live"
        with pytest.raises(RefusedBySafety, match="live already"):
            give(db, campaign, 2, now)
        with db.write() as connection:
            if why == "asked":
                assert golive.end(connection, campaign, why, now, "person:2", "a complaint")
            else:
                campaigns.change(connection, campaign, {"a": 2}, ["open_proxy"], 1, now, "person:1")
        assert (mode(db), counted(db, campaign)) == ("training", {})
    with db.write() as connection:
        assert not golive.end(connection, campaign, "asked", now, "person:2", "again")
        told = connection.execute(
            select(t.events.c.what, t.events.c.why)
            .where(t.events.c.what.in_(("campaign.live", "campaign.training")))
            .order_by(t.events.c.id)
        ).all()
    assert [tuple(row) for row in told] == [
        ("campaign.live", ""),
        ("campaign.training", "changed"),
        ("campaign.live", ""),
        ("campaign.training", "asked"),
    ]


def test_a_sheet_whose_text_is_not_that_of_its_hash_counts_for_nothing(
    db: Database, campaign: int, now: datetime
) -> None:
    binding = bound(db, campaign)
    with db.write() as connection:
        row = {"campaign_id": campaign, "binding_sha256": binding, "at": now}
        connection.execute(insert(t.golive_sheets).values(sha256=b"x" * 32, sheet="anything", **row))
        golive.give(connection, campaign, b"x" * 32, 2, "password", "", now)
    assert counted(db, campaign) == {}


def test_a_closed_campaign_and_one_that_is_not_there_do_not_go_live(db: Database, campaign: int, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(closed_at=now))
    with pytest.raises(RefusedBySafety, match="closed"):
        give(db, campaign, 2, now)
    with pytest.raises(NotFound), db.write() as connection:
        golive.go(connection, 99, b"", now, "person:1")


def test_what_was_said_counts_from_a_day_on_and_the_newest_of_each_item(
    db: Database, campaign: int, now: datetime
) -> None:
    with db.write() as connection:
        golive.say(connection, campaign, "backup", "on tape", now - timedelta(days=8), "person:2")
        first = golive.say(connection, campaign, "backup", "on disk", now, "person:2")
        golive.say(connection, campaign, "stops", "none", now - timedelta(days=8), "person:2")
        golive.say(connection, None, "relay", "", now, "person:2", {"relay": "relay.example:25"})
        found = golive.facts(connection, campaign, now - timedelta(days=7))
        assert {item: fact["said"] for item, fact in found.items()} == {"backup": first}
        assert list(golive.facts(connection, None, now)) == ["relay"]
        stored = connection.execute(select(t.events.c.data).where(t.events.c.what == "golive.said")).scalars().all()
    assert "on disk" not in "".join(stored)


def test_the_database_refuses_every_change(db: Database, campaign: int, now: datetime) -> None:
    give(db, campaign, 2, now)
    with db.write() as connection:
        golive.say(connection, campaign, "backup", "on tape", now, "person:2")
    for table in (t.golive_words, t.golive_sheets, t.golive_facts):
        for statement in (update(table).values(at=now), table.delete()):
            with pytest.raises(DBAPIError, match="append-only"), db.write() as connection:
                connection.execute(statement)


def test_the_database_takes_no_word_without_a_person_or_a_sheet(db: Database, campaign: int, now: datetime) -> None:
    give(db, campaign, 2, now)
    whole = {"campaign_id": campaign, "by": "person:3", "accepted": 1, "method": "password", "at": now}
    for values in ({}, {"person_id": 3}, {"person_id": 3, "method": "training"}, {"person_id": 3, "method": "end"}):
        with pytest.raises(DBAPIError), db.write() as connection:
            connection.execute(insert(t.golive_words).values(**{**whole, **values}))
