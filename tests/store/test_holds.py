"""Holds: each level stops exactly what it names, from its commit on; releasing one leaves the others."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.domain import NotFound
from pipeline.store import events, holds, send
from pipeline.store.db import Database, rows
from pipeline.store.holds import Scope
from tests.seed import wave_of_letters

NOTHING = Scope()


def scope(db: Database, campaign: str = "", wave: int = 0, mailbox: str = "", domain: str = "") -> Scope:
    with db.read() as connection:
        return holds.scope_of(connection, campaign, wave, mailbox, domain)


def hold(db: Database, what: Scope, now: datetime, reason: str = "wait") -> int | None:
    with db.write() as connection:
        return holds.hold(connection, what, reason, now, "person:1")


def leaving(db: Database, wave: int, now: datetime) -> list[str]:
    with db.write() as connection:
        return [due.mailbox for due in send.due(connection, [wave], now, 10)]


STOPPED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"campaign": "test"}, []),
    ({"campaign": "test", "wave": 1}, []),
    ({"mailbox": "abuse@isp1.example"}, ["abuse@isp2.example"]),
    ({"domain": "isp2.example"}, ["abuse@isp1.example"]),
    ({"domain": "example"}, []),
    ({"domain": "p2.example"}, ["abuse@isp1.example", "abuse@isp2.example"]),
]


def test_a_hold_stops_what_it_names_and_nothing_else(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 2)
    for names, left in STOPPED:
        what = scope(db, **names)
        hold(db, what, now)
        assert leaving(db, wave, now) == left, names
        with db.write() as connection:
            holds.release(connection, what, "done", now, "person:1")
        assert len(leaving(db, wave, now)) == 2, names


def test_a_hold_in_force_is_not_placed_again(db: Database, now: datetime) -> None:
    assert hold(db, NOTHING, now) is not None
    assert hold(db, NOTHING, now) is None
    assert hold(db, Scope(domain="isp.example"), now) is not None
    with db.read() as connection:
        assert len(rows(connection, text("SELECT id FROM events"))) == 2


def test_releasing_one_hold_leaves_the_others(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 1)
    everything = hold(db, NOTHING, now)
    hold(db, Scope(domain="isp1.example"), now)
    with db.write() as connection:
        assert holds.release(connection, NOTHING, "done", now, "person:2") == [everything]
    assert leaving(db, wave, now) == []
    with db.read() as connection:
        assert [row["domain"] for row in holds.held(connection)] == ["isp1.example"]


def test_what_was_released_is_over_and_can_be_held_again(db: Database, now: datetime) -> None:
    first = hold(db, NOTHING, now)
    with db.write() as connection:
        holds.release(connection, NOTHING, "done", now, "person:1")
        with pytest.raises(NotFound):
            holds.release(connection, NOTHING, "done", now, "person:1")
    second = hold(db, NOTHING, now)
    assert second not in (None, first)
    with db.write() as connection:
        assert holds.release(connection, NOTHING, "done", now, "person:1") == [second]
        assert holds.held(connection) == []


def test_what_is_not_held_cannot_be_released(db: Database, now: datetime) -> None:
    hold(db, Scope(domain="isp.example"), now)
    with db.write() as connection, pytest.raises(NotFound, match="No such hold"):
        holds.release(connection, NOTHING, "done", now, "person:1")


def test_a_hold_on_what_does_not_exist_is_an_error_not_a_hold(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    absent: list[dict[str, Any]] = [{"campaign": "none"}, {"campaign": "test", "wave": 7}, {"mailbox": "a@b.example"}]
    for names in absent:
        with pytest.raises(NotFound):
            scope(db, **names)


def test_each_change_is_an_event_by_someone_with_the_reason_as_a_kept_text(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    what = scope(db, mailbox="abuse@isp1.example", domain="isp1.example")
    hold(db, what, now, "Ms Example called")
    later = now + timedelta(hours=1)
    with db.write() as connection:
        holds.release(connection, what, "settled", later, "person:2")
    with db.read() as connection:
        query = text("SELECT what, \"by\", data FROM events WHERE subject = 'hold' ORDER BY id")
        placed, released = rows(connection, query)
        assert (placed["what"], placed["by"]) == ("hold.placed", "person:1")
        assert (released["what"], released["by"]) == ("hold.released", "person:2")
        assert "isp1" not in placed["data"]
        data = json.loads(placed["data"])
        assert data["contact"] == what.contact_id
        assert events.read_text(connection, data["reason"]) == "Ms Example called"
        assert events.read_text(connection, data["domain"]) == "isp1.example"
        [row] = rows(connection, text("SELECT released_by FROM holds"))
        assert row["released_by"] == "person:2"


def test_holds_are_listed_with_the_names_of_what_they_stop(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    hold(db, scope(db, campaign="test", wave=1), now, "the number is wrong")
    with db.read() as connection:
        [row] = holds.held(connection)
    assert (row["campaign"], row["wave"], row["reason"], row["by"], row["at"]) == (
        "test",
        1,
        "the number is wrong",
        "person:1",
        now,
    )
