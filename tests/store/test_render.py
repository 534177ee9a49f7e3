"""A unit of letters is stored at once, each once, by the worker whose notices they are."""

import hashlib
import zlib
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from pipeline.domain import WaveState
from pipeline.store import render as store
from pipeline.store import tables as t
from pipeline.store import workers
from pipeline.store.db import Database, rows
from pipeline.store.lives import Lease
from pipeline.store.render import Notice, Written
from pipeline.store.send import keep_bodies, read_bodies
from tests.seed import wave_of_letters


def due(db: Database, now: datetime, count: int) -> tuple[Lease, list[Notice]]:
    """Notices without letters, claimed by a worker."""
    wave = wave_of_letters(db, now, count, state=WaveState.PLANNED)
    with db.write() as connection:
        connection.execute(delete(t.letters))
        connection.execute(delete(t.bodies))
        unsaid = {"campaign_id": 1, "locales": "", "language_rule": ""}
        order = [{**unsaid, "contact_id": n, "send_order": 100 - n} for n in range(1, count + 1)]
        connection.execute(insert(t.campaign_contacts), order)
        worker = workers.register(connection, "test", 1, planner=False, now=now)
        return store.claim(connection, wave, worker, now, count)


def letter(notice: Notice, **changes: Any) -> Written:
    values: dict[str, Any] = {
        "body": f"To: {notice.mailbox}\r\n\r\nhello\r\n".encode(),
        "message_id": f"<{notice.id}@agency.example>",
        "locales": "en,fr_CA" if notice.id % 2 else "fr_CA",
        "language_rule": "country",
        "form": "{}",
        "body_hash": bytes([notice.id]) * 32,
    }
    return Written(notice, **(values | changes))


def query(db: Database, statement: Any) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, statement)


def test_each_letter_has_its_bytes_hash_language_and_event(db: Database, now: datetime) -> None:
    lease, notices = due(db, now, 5)
    made = [letter(notice) for notice in notices]
    with db.write() as connection:
        store.add_letters(connection, made, lease, now, "tocsin")
    found = {row["notice_id"]: row for row in query(db, select(t.letters))}
    bodies = {bytes(row["sha256"]): zlib.decompress(row["body"]) for row in query(db, select(t.bodies))}
    said = query(db, select(t.events).where(t.events.c.what == "letter.drafted"))
    events = {row["subject_id"]: row["data"] for row in said}
    languages = {row["contact_id"]: row for row in query(db, select(t.campaign_contacts))}
    assert len(found) == len(bodies) == len(events) == 5
    for one in made:
        row, notice = found[one.notice.id], one.notice
        digest = hashlib.sha256(one.body).digest()
        assert bytes(row["sha256"]) == bytes(row["approved_sha256"]) == digest
        assert (bodies[digest], row["bytes"], bytes(row["body_hash"])) == (one.body, len(one.body), one.body_hash)
        assert (row["contact_id"], row["recipient"], row["message_id"]) == (
            notice.contact_id,
            notice.spelling,
            one.message_id,
        )
        assert (row["send_order"], row["state"], row["created_at"]) == (notice.send_order, "drafted", now)
        assert events[row["id"]] == f'{{"sha256":"{digest.hex()}"}}'
        to = languages[notice.contact_id]
        assert (
            (to["locales"], to["language_rule"]) == (row["locales"], row["language_rule"]) == (one.locales, "country")
        )
    assert {row["worker_id"] for row in query(db, select(t.notices))} == {None}


def test_storing_the_same_letters_twice_adds_nothing(db: Database, now: datetime) -> None:
    lease, notices = due(db, now, 3)
    with db.write() as connection:
        store.add_letters(connection, [letter(notice) for notice in notices], lease, now, "tocsin")
    with db.write() as connection:
        again = workers.claim(connection, t.notices, t.notices.c.id > 0, lease.worker_id, now, 9, t.notices.c.id)
        store.add_letters(connection, [letter(notice, body=b"other") for notice in notices], again, now, "tocsin")
    assert {row["bytes"] for row in query(db, select(t.letters))} != {5}
    assert len(query(db, select(t.letters))) == 3
    assert len(query(db, select(t.events).where(t.events.c.what == "letter.drafted"))) == 3


def test_notices_that_another_worker_took_since_are_left_to_it(db: Database, now: datetime) -> None:
    lease, notices = due(db, now, 3)
    with db.write() as connection:
        other = workers.register(connection, "other", 2, planner=False, now=now)
        connection.execute(update(t.notices).where(t.notices.c.id == 1).values(worker_id=other, claim=2))
        connection.execute(update(t.notices).where(t.notices.c.id == 2).values(claim=2))  # lost, and taken again
        store.add_letters(connection, [letter(notice) for notice in notices], lease, now, "tocsin")
    assert [row["notice_id"] for row in query(db, select(t.letters))] == [3]
    held = {row["id"]: row["worker_id"] for row in query(db, select(t.notices))}
    assert held == {1: other, 2: lease.worker_id, 3: None}
    languages = select(t.campaign_contacts).order_by(t.campaign_contacts.c.contact_id)
    assert [row["locales"] for row in query(db, languages)] == ["", "", "en,fr_CA"]
    with db.write() as connection:
        store.add_letters(connection, [letter(notices[0])], lease, now, "tocsin")  # none is left to it
    assert len(query(db, select(t.letters))) == 1


@pytest.mark.parametrize("texts", [[], [b"one"], [b"one", b"two", b"one"]])
def test_bodies_are_stored_once_and_come_back_as_they_were(db: Database, now: datetime, texts: list[bytes]) -> None:
    with db.write() as connection:
        digests = keep_bodies(connection, texts, now)
        assert keep_bodies(connection, texts, now) == digests
        assert [read_bodies(connection, digests)[digest] for digest in digests] == texts
    assert len(query(db, select(t.bodies))) == len(set(texts))
