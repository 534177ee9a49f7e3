"""`tocsin letter show`: how a letter stands, why, what comes next, and every attempt with what was answered."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from pipeline.domain import Connected, LetterState, Said
from pipeline.store import connections, holds
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import world
from tests.audit.world import HOUR, World
from tests.cli.conftest import Tocsin


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


@pytest.fixture
def made(db: Database, now: datetime) -> World:
    return world.story(db, now)


@pytest.fixture(autouse=True)
def in_a_day(tocsin: Tocsin, now: datetime) -> datetime:
    """Every command runs a day after the story."""
    tocsin.clock = lambda: now + timedelta(days=1)
    return now + timedelta(days=1)


def set_letter(db: Database, made: World, **values: object) -> None:
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == made.letter).values(**values))


def told(tocsin: Tocsin, made: World, *options: str) -> str:
    ran = tocsin("letter", "show", made.letter, *options)
    assert ran.code == 0, ran.err
    return ran.out


def test_a_letter_that_our_relay_took_is_not_said_to_have_arrived(tocsin: Tocsin, made: World) -> None:
    shown = told(tocsin, made)
    assert shown.startswith(
        f"How it stands\n  Letter {made.letter} was handed to our relay; the recipient's own server's answer is not known."
    )
    assert "Our relay's log, or a message that comes back, would tell what became of it." in shown


def test_each_attempt_is_told_with_its_answer_and_its_encryption(tocsin: Tocsin, made: World, db: Database) -> None:
    answered = {"reply": 250, "enhanced": "2.0.0", "reply_text": "Ok: queued as 4ABC", "tls": "TLSv1.3"}
    with db.write() as connection:
        connection.execute(update(t.attempts).values(**answered))
    shown = told(tocsin, made)
    assert "250 2.0.0 Ok: queued as 4ABC" in shown
    assert "TLS: TLSv1.3" in shown


SAID = (
    Said("taken back", 5004, 0, "", "the letter before it had no reply yet"),
    Said("mail", 12, 250, "2.1.0", "Ok"),
    Said("dot", 61_012, 0, "", "no reply within 60 s"),
)


@pytest.fixture
def replied(db: Database, made: World, now: datetime) -> Connected:
    """Every reply of the letter's attempt is on record, and its connection."""
    opened = Connected(
        "relay.agency.example:25",
        now,
        "192.0.2.25",
        "hello",
        "PIPELINING",
        "TLSv1.3",
        "TLS_AES_256_GCM_SHA384",
        "ab" * 32,
    )
    known: dict[Connected, int] = {}
    with db.write() as connection:
        connections.write(connection, [opened], known)
        answered = {"said": connections.said_text(SAID), "connection_id": known[opened], "tls": "TLSv1.3"}
        connection.execute(update(t.attempts).values(**answered))
    return opened


def test_each_reply_is_told_with_its_time_and_the_connection_with_its_certificate(
    tocsin: Tocsin, made: World, replied: Connected
) -> None:
    shown = told(tocsin, made)
    assert "relay: relay.agency.example:25 at 192.0.2.25; TLS: TLSv1.3, TLS_AES_256_GCM_SHA384\n" in shown
    assert f"SHA-256 of the relay's certificate: {replied.certificate}\n" in shown
    assert "taken back after 5004 ms, before the relay came to it: the letter before it had no reply yet\n" in shown
    assert "MAIL, after 12 ms: 250 2.1.0 Ok\n" in shown
    assert '".", after 61012 ms, no reply: no reply within 60 s\n' in shown
    in_french = told(tocsin, made, "--lang", "fr")
    assert "MAIL, après 12\u00a0ms\u00a0: 250 2.1.0 Ok\n" in in_french


def test_json_has_each_reply_and_the_connection(tocsin: Tocsin, made: World, replied: Connected) -> None:
    data = tocsin("letter", "show", made.letter, "--json").data
    [attempt], [connection] = data["attempts"], data["connections"]
    assert attempt["said"] == [list(one) for one in SAID]
    assert attempt["connection_id"] == connection["id"]
    assert (connection["tls"], connection["certificate_sha256"]) == ("TLSv1.3", "ab" * 32)


def test_json_of_an_attempt_without_a_dialogue_has_none(tocsin: Tocsin, made: World) -> None:
    data = tocsin("letter", "show", made.letter, "--json").data
    assert ([attempt["said"] for attempt in data["attempts"]], data["connections"]) == ([[]], [])


NEXT = [
    ("drafted", {}, {"state": "rendered"}, "once its wave is approved and released: tocsin wave show test --wave 1"),
    ("approved", {}, {"state": "approved"}, "once its wave is released: tocsin send test --wave 1 --execute"),
    ("approved", {}, {}, "It is due: it leaves as soon as letters are sent"),
    ("approved", {"reason": "window"}, {}, "It leaves at 2026-03-03T10:00:00Z at the earliest: it is outside"),
    ("approved", {"reason": ""}, {}, "It leaves at 2026-03-03T10:00:00Z at the earliest."),
    ("deferred", {}, {}, "It was tried 1 time, and is given up at 2026-03-06T"),
    ("uncertain", {}, {}, "A person who knows says so: tocsin letter settle 1 OUTCOME --reason ..."),
]


@pytest.mark.parametrize(("state", "letter", "wave", "expected"), NEXT)
def test_what_comes_next_is_said_with_its_time_or_its_command(
    tocsin: Tocsin,
    made: World,
    db: Database,
    now: datetime,
    state: str,
    letter: dict[str, object],
    wave: dict[str, object],
    expected: str,
) -> None:
    due = now + (timedelta(days=2) if "reason" in letter or state == "deferred" else timedelta(0))
    set_letter(db, made, state=state, due_at=due, **letter)
    if wave:
        with db.write() as connection:
            connection.execute(update(t.waves).values(**wave))
    assert expected in told(tocsin, made)


def test_what_stops_it_is_told(tocsin: Tocsin, made: World, db: Database, now: datetime) -> None:
    set_letter(db, made, state="approved", due_at=now)
    with db.write() as connection:
        holds.hold(connection, holds.Scope(domain="isp.example"), "a complaint", now, "system:test")
    assert "Hold on isp.example, by system:test: a complaint" in told(tocsin, made)


@pytest.mark.parametrize("state", [state.value for state in LetterState])
def test_every_state_is_told_in_french(tocsin: Tocsin, made: World, db: Database, now: datetime, state: str) -> None:
    set_letter(db, made, state=state, due_at=now + 30 * HOUR)
    assert told(tocsin, made, "--lang", "fr").startswith("Où elle en est\n  ")


def test_json_has_the_whole_record_and_the_codes(tocsin: Tocsin, made: World) -> None:
    data = tocsin("letter", "show", made.letter, "--json").data
    assert data["letter"] == made.letter
    assert [one["code"] for one in data["meaning"]] == ["letter.handed"]
    assert [attempt["number"] for attempt in data["attempts"]] == [1]


def test_an_unknown_letter_is_not_found(tocsin: Tocsin, made: World) -> None:
    assert tocsin("letter", "show", 99).code == 4
