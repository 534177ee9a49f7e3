"""Letters at a glance, and what is spent of budgets, on both databases."""

import hashlib
import zlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from pipeline.store import letters, samples
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import wave_of_letters


def write(db: Database, now: datetime, subject: bytes) -> None:
    """Give the first letter another subject."""
    body = b"From: a@agency.example\r\n" + subject + b"\r\nSubject-Not: x\r\n\r\nbody\r\n"
    digest = hashlib.sha256(body).digest()
    with db.write() as connection:
        connection.execute(insert(t.bodies).values(sha256=digest, body=zlib.compress(body), at=now))
        connection.execute(update(t.letters).where(t.letters.c.id == 1).values(sha256=digest))


def test_a_letter_at_a_glance_counts_the_cases_that_are_still_in_it(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 3, cases=3)
    with db.write() as connection:
        gone = update(t.notice_cases).where(t.notice_cases.c.case_id == 1)
        connection.execute(gone.values(dropped_at=now, dropped_why="closed"))
        first, third = samples.at_a_glance(connection, [3, 1])
        assert samples.at_a_glance(connection, []) == []
    assert (first.letter, first.recipient, first.locales, first.addresses) == (1, "abuse@isp1.example", "en", 2)
    assert (third.letter, third.subject, third.addresses) == (3, "test", 3)
    assert first.reference.startswith("TCS-")


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"Subject: =?utf-8?q?Serveur_relais_ouvert_=C3=A9?=", "Serveur relais ouvert é"),
        (b"Subject: one\r\n two", "one two"),
        (b"X: none", ""),
        (b"Subject: \xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_subject_is_read_as_its_reader_sees_it(db: Database, now: datetime, subject: bytes, shown: str) -> None:
    wave_of_letters(db, now, 1)
    write(db, now, subject)
    with db.read() as connection:
        assert [one.subject for one in samples.at_a_glance(connection, [1])] == [shown]


def test_what_is_spent_of_budgets_is_read_and_not_made(db: Database, now: datetime) -> None:
    with db.write() as connection:
        later, today = now + timedelta(seconds=3), f"{now:%Y-%m-%d}"
        stored = [
            {"key": "mail:all", "next_at": later, "day": "2026-02-28", "used": 7},
            {"key": "mail:relay:r", "next_at": now, "day": today, "used": 1},
            {"key": "mail:relay:old", "next_at": now, "day": "2026-02-28", "used": 7},
            {"key": "rdap:r", "next_at": later, "day": today, "used": 1},
        ]
        connection.execute(insert(t.budgets), stored)
        assert letters.spent(connection, "mail:", now) == {
            "mail:all": (later, "2026-02-28", 7),
            "mail:relay:r": (now, today, 1),
        }
