"""A live wave leaves to people outside exactly while its campaign's go-live stands and two people have approved it."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from pipeline.cli import approvals
from pipeline.config import Loaded, load
from pipeline.domain import RefusedBySafety
from pipeline.store import golive, persons, waves
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import wave_of_letters

CONFIG = '[mail]\nsender = "bounces@agency.example"\n'
SHEET = b"Tocsin go-live sheet 1\ncampaign test\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    return load(tmp_path / "config.toml")


def wave(db: Database, now: datetime) -> int:
    """A live wave of two letters, released; persons 2 and 3 have approved it; the campaign's mode is all that says live."""
    made = wave_of_letters(db, now, 2, mode="live")
    with db.write() as connection:
        for name in ("dora", "alice", "bob", "carol"):
            persons.add(connection, name, persons.Role.APPROVER, "", name, now, "test")
        digest = hashlib.sha256(waves.manifest(connection, waves.by_id(connection, made))).digest()
        connection.execute(update(t.waves).values(manifest_sha256=digest))
        for person in (2, 3):
            row = {"wave_id": made, "person_id": person, "by": f"person:{person}", "accepted": 1, "at": now}
            connection.execute(insert(t.approvals).values(method="password", manifest_sha256=digest, **row))
    return made


def go_live(db: Database, loaded: Loaded, now: datetime, *people: int) -> None:
    """The words of these people on one sheet, given in training mode, as the command does it."""
    with db.write() as connection:
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        connection.execute(update(t.campaigns).values(mode="training"))
        bound = approvals.bound(loaded, connection, campaign)
        sheet = SHEET + bound.hex().encode()
        digest = golive.keep_sheet(connection, campaign, sheet, bound, now)
        for person in people:
            golive.give(connection, campaign, digest, person, "password", "", now)
        golive.go(connection, campaign, digest, now, "person:2")


def sent(post: Callable[..., Any], db: Database, loaded: Loaded) -> list[str]:
    with post() as p:
        p.guests = ()
        p.send(db, approved=approvals.Guard(loaded))
        return list(p.recipients())


def test_it_leaves_while_both_stand(db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded) -> None:
    wave(db, now)
    go_live(db, loaded, now, 2, 3)
    assert len(sent(post, db, loaded)) == 2


@pytest.mark.parametrize("people", [(), (2,)])
def test_it_does_not_leave_by_a_mode_in_the_database_nor_by_one_word(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded, people: tuple[int, ...]
) -> None:
    wave(db, now)
    go_live(db, loaded, now, *people)
    with pytest.raises(RefusedBySafety, match="may not be sent") as caught:
        sent(post, db, loaded)
    assert "not gone live" in caught.value.why


def test_it_does_not_leave_by_two_words_on_two_sheets(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded
) -> None:
    wave(db, now)
    go_live(db, loaded, now, 2)
    with db.write() as connection:
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        connection.execute(update(t.campaigns).values(mode="training"))
        bound = approvals.bound(loaded, connection, campaign)
        other = golive.keep_sheet(connection, campaign, b"another\n", bound, now)
        golive.give(connection, campaign, other, 3, "password", "", now)
        golive.go(connection, campaign, other, now, "person:3")
    with pytest.raises(RefusedBySafety, match="may not be sent"):
        sent(post, db, loaded)


def test_it_stops_when_the_campaigns_settings_or_those_of_mail_change_or_an_end_comes(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded
) -> None:
    made = wave(db, now)
    go_live(db, loaded, now, 2, 3)
    guard = approvals.Guard(loaded)

    def objection(guard: approvals.Guard, **values: object) -> str:
        with db.write() as connection:
            if values:
                connection.execute(update(t.campaigns).values(**values))
            return guard(connection, waves.by_id(connection, made))

    assert objection(guard) == ""
    assert "not gone live" in objection(guard, minimum_level=3)
    assert objection(guard, minimum_level=0) == ""
    (loaded.folder / "config.toml").write_text(CONFIG + '[mail.relay]\nhost = "other.example"\n', encoding="utf-8")
    assert "not gone live" in objection(approvals.Guard(load(loaded.folder / "config.toml")))
    with db.write() as connection:
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        assert golive.end(connection, campaign, "asked", now, "person:4")
    assert objection(guard) != ""
    assert "not gone live" in objection(guard, mode="live")


def test_a_live_campaign_does_not_make_up_for_a_waves_own_approvals(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded
) -> None:
    made = wave(db, now)
    go_live(db, loaded, now, 2, 3)
    with db.write() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER approvals_no_delete"
            if connection.dialect.name == "sqlite"
            else "ALTER TABLE approvals DISABLE TRIGGER approvals_no_change"
        )
        connection.execute(delete(t.approvals).where(t.approvals.c.wave_id == made, t.approvals.c.person_id == 3))
    with pytest.raises(RefusedBySafety, match="may not be sent") as caught:
        sent(post, db, loaded)
    assert "1 of 2" in caught.value.why
