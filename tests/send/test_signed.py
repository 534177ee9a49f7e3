"""Letters arrive with the signatures that were written down before they left, and every attempt has its own."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.audit.seal import seal
from pipeline.render.body_hash import body_hash
from pipeline.sandbox.mail_rules import defer
from pipeline.send.work import Signing
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database, rows
from pipeline.store.seals import newest_head
from tests.sealed import heads_again, until_sealable, write
from tests.seed import body, wave_of_letters
from tests.send.conftest import Post
from tests.send.signers import passes, signers

KEYS = signers()
SIGNING = Signing(KEYS, body_hash)
SEAL = "0123456789abcdef" * 4


@pytest.fixture
def now() -> datetime:
    """An instant that is over: dkimpy takes no signature from the future."""
    return datetime(2025, 3, 1, 10, 0, 0, tzinfo=UTC)


def arrived(post: Post) -> dict[str, bytes]:
    """Return the messages as the next server has them, from the first signature on, by recipient."""
    found = {kept.recipient: kept.path.read_bytes() for kept in post.server.messages()}
    return {to: data[data.index(b"DKIM-Signature:") :] for to, data in found.items()}


def attempts(db: Database) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, select(t.attempts).order_by(t.attempts.c.id))


def test_letters_arrive_signed_by_every_key_as_it_was_written_down(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        assert p.send(db, signing=SIGNING).tally == {"handed": 3}
        got = arrived(p)
    for row in attempts(db):
        message, head = got[row["recipient"]], bytes(row["head"])
        assert passes(message, KEYS) == [True, True]
        assert message.startswith(head)
        assert hashlib.sha256(message).digest() == bytes(row["sha256"])
        assert [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"")] == [
            b"DKIM-Signature",
            b"DKIM-Signature",
            b"Date",
        ]


def test_without_keys_nothing_is_signed(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        p.send(db)
    assert attempts(db)[0]["head"] == b"Date: Sat, 01 Mar 2025 10:00:00 +0000\r\n"


@pytest.mark.parametrize(("kept", "verdict"), [(body_hash(body(1)), True), (bytes(32), False)])
def test_the_hash_made_when_the_letter_was_written_is_the_one_that_is_signed(
    db: Database, post: Any, kept: bytes, verdict: bool
) -> None:
    def never(_: bytes) -> bytes:
        raise AssertionError("it was kept")

    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        with db.write() as connection:
            connection.execute(update(t.letters).values(body_hash=kept))
        p.send(db, signing=Signing(KEYS, never))
        [message] = arrived(p).values()
    assert passes(message, KEYS) == [verdict, verdict]


def test_a_letter_that_shrank_is_signed_as_it_is_now(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1, cases=2)
        with db.write() as connection:
            connection.execute(update(t.letters).values(body_hash=body_hash(body(1))))
            old = p.clock() - timedelta(hours=73)
            connection.execute(update(t.cases).where(t.cases.c.id == 1).values(exposure_at=old))

        def rewrite(_connection: Connection, _notice_id: int) -> bytes:
            return b"From: a@agency.example\r\nSubject: shorter\r\n\r\none address\r\n"

        p.send(db, signing=SIGNING, rewrite=rewrite)
        [message] = arrived(p).values()
    assert b"one address" in message
    assert passes(message, KEYS) == [True, True]
    with db.read() as connection:
        kept = connection.execute(select(t.letters.c.body_hash)).scalar_one()
    assert bytes(kept) == body_hash(message)


def test_the_newest_seal_leaves_with_the_letter_and_is_signed(db: Database, post: Any) -> None:
    asked: list[bool] = []

    def newest(connection: Connection) -> str:
        asked.append(connection.in_transaction())
        return SEAL

    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        p.send(db, signing=SIGNING, newest_seal=newest)
        got = arrived(p)
    assert asked == [True]  # once for what is claimed together
    for message in got.values():
        assert f"\r\nTocsin-Seal: {SEAL}\r\n".encode() in message
        assert passes(message, KEYS) == [True, True]
        assert passes(message.replace(SEAL.encode(), SEAL[::-1].encode()), KEYS) == [False, False]
        assert passes(message.replace(f"Tocsin-Seal: {SEAL}\r\n".encode(), b""), KEYS) == [False, False]


def test_letters_carry_the_head_that_the_log_has_when_they_leave(db: Database, post: Any, now: datetime) -> None:
    heads = []
    with post({"abuse@isp1.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 2)
        for _ in range(2):
            write(db, now, 3)
            assert seal(db, p.clock) >= 3
            with db.read() as connection:
                heads.append(newest_head(connection))
            write(db, now)  # it waits for the next seal
            p.send(db, signing=SIGNING)
            until_sealable(db)
            p.clock.now += timedelta(minutes=5)
        got = arrived(p)
    assert len(set(heads)) == 2
    assert heads == heads_again(db)
    for number, head in ((2, heads[0]), (1, heads[1])):
        message = got[f"abuse@isp{number}.example"]
        assert message.count(b"Tocsin-Seal:") == 1
        assert f"\r\nTocsin-Seal: {head}\r\n".encode() in message
        assert passes(message, KEYS) == [True, True]
    assert [f"Tocsin-Seal: {heads[0]}\r\n".encode() in bytes(row["head"]) for row in attempts(db)] == [
        True,
        True,
        False,
    ]


def test_every_attempt_is_signed_anew_with_its_own_date(db: Database, post: Any) -> None:
    with post({"abuse@isp1.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 1)
        p.send(db, signing=SIGNING)
        p.clock.now += timedelta(minutes=5)
        p.send(db, signing=SIGNING)
        [message] = arrived(p).values()
    first, second = (bytes(row["head"]) for row in attempts(db))
    assert b" t=1740823200;" in first
    assert b"10:00:00 +0000" in first
    assert b" t=1740823500;" in second
    assert b"10:05:00 +0000" in second
    assert message.startswith(second)
    assert passes(message, KEYS) == [True, True]
    assert passes(first + body(1), KEYS) == [True, True]
