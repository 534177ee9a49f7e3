"""What contacts asked for: one set each, with who said so; it ends when it says, and events hold no personal value."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from pipeline.domain import NotFound
from pipeline.store import preferences as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference

DAY = timedelta(days=1)


def wish(now: datetime) -> Preference:
    return Preference(
        "fr_CA,en", "csv", 30, "the key", {"X-Desk": "Marie"}, now + 9 * DAY, now + 90 * DAY, "letter of Marie"
    )


def put(db: Database, wanted: Preference, now: datetime, mailbox: str = "abuse@isp.example") -> dict[str, object]:
    with db.write() as connection:
        contact_id = store.keep_contact(connection, mailbox, mailbox.replace("abuse", "Abuse"), now)
        return store.put(connection, contact_id, wanted, now, "person:1")


def test_a_contact_that_nobody_has_named_is_made_once_and_keeps_its_first_spelling(db: Database, now: datetime) -> None:
    with db.write() as connection:
        first = store.keep_contact(connection, "abuse@isp.example", "Abuse@isp.example", now)
        assert store.keep_contact(connection, "abuse@isp.example", "ABUSE@isp.example", now) == first
        assert store.contact(connection, "abuse@isp.example")["spelling"] == "Abuse@isp.example"
        with pytest.raises(NotFound):
            store.contact(connection, "other@isp.example")


def test_every_wish_comes_back_as_it_was_set(db: Database, now: datetime) -> None:
    changed = put(db, wish(now), now)
    assert set(changed) == set(store.ASKED)
    with db.read() as connection:
        assert store.of(connection, 1) == wish(now)
        assert store.every(connection) == {("abuse@isp.example", "Abuse@isp.example"): wish(now)}
        assert store.of(connection, 2) is None


def test_setting_the_same_again_changes_nothing_and_leaves_no_event(db: Database, now: datetime) -> None:
    put(db, wish(now), now)
    assert put(db, wish(now), now + DAY) == {}
    assert put(db, replace(wish(now), source=""), now + DAY) == {}
    with db.read() as connection:
        assert len(connection.execute(select(t.events.c.id)).all()) == 1
        assert store.of(connection, 1) == wish(now)


def test_only_what_changed_is_told(db: Database, now: datetime) -> None:
    put(db, wish(now), now)
    assert put(db, replace(wish(now), language="en"), now) == {"language": "en"}
    assert put(db, replace(wish(now), language="en", source="by telephone"), now) == {"source": "by telephone"}


def test_preferences_that_are_all_empty_are_none(db: Database, now: datetime) -> None:
    put(db, wish(now), now)
    assert set(put(db, Preference(source="they take it back"), now)) == set(store.ASKED)
    with db.read() as connection:
        assert store.of(connection, 1) is None
        assert len(connection.execute(select(t.events.c.id)).all()) == 2


def test_preferences_that_have_ended_are_kept_and_hold_no_longer(db: Database, now: datetime) -> None:
    put(db, wish(now), now)
    put(db, Preference(language="en"), now, "abuse@two.example")
    with db.read() as connection:
        assert set(store.of_many(connection, [1, 2, 3], now + 90 * DAY - timedelta(seconds=1))) == {1, 2}
        assert set(store.of_many(connection, [1, 2, 3], now + 90 * DAY)) == {2}
        assert store.of(connection, 1) == wish(now)


def test_events_carry_neither_the_source_nor_headers_nor_the_key(db: Database, now: datetime) -> None:
    put(db, wish(now), now)
    with db.read() as connection:
        event = connection.execute(select(t.events)).one()
        kept = set(connection.execute(select(t.texts.c.value)).scalars())
    assert (event.what, event.subject, event.subject_id, event.by) == ("contact.preferences", "contact", 1, "person:1")
    assert json.loads(event.data)["language"] == "fr_CA,en"
    assert kept == {"letter of Marie", '{"X-Desk":"Marie"}'}
    assert not any(word in event.data for word in ("Marie", "X-Desk", "the key"))
