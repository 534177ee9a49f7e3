"""What a relay's log says moves our letters, once, on both databases."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.domain import CaseState, Event, LetterState
from pipeline.follow.relay_import import Importing
from pipeline.follow.relay_log import Reader
from pipeline.follow.relay_time import Calendar
from pipeline.store import events, lives
from pipeline.store import relay_log as store
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from pipeline.store.relay_log import Place
from tests.seed import KEYS, message_id, wave_of_letters

OURS = (ip_network("127.0.0.0/8"),)
MX = "mx.isp.example[203.0.113.5]:25"


def never() -> None:
    raise AssertionError("no letter is in other hands")


def importing(db: Database, now: datetime, pause: Callable[[], None] = never) -> Importing:
    return Importing(db, KEYS, lambda: now, "person:1", pause)


def take(db: Database, now: datetime, *lines: str) -> Importing:
    """Import lines of a log of 1 March."""
    made = importing(db, now)
    made.take(reader(now), [f"{line}\n".encode() for line in lines])
    return made


def reader(now: datetime) -> Reader:
    return Reader(Calendar(lambda at: at.replace(tzinfo=UTC), now), OURS)


def line(said: str, agent: str = "smtp", second: int = 1) -> str:
    return f"Mar  1 09:30:{second:02} mx1 postfix/{agent}[1]: {said}"


def named(queue: str = "4F2B91C0A7", number: int = 1, second: int = 0) -> str:
    return line(f"{queue}: message-id={message_id(number)}", "cleanup", second)


def active(queue: str = "4F2B91C0A7", sender: str = "someone@agency.example", second: int = 0) -> str:
    return line(f"{queue}: from=<{sender}>, size=4121, nrcpt=1 (queue active)", "qmgr", second)


def tried(
    said: str = "250 2.0.0 Ok",
    status: str = "sent",
    *,
    queue: str = "4F2B91C0A7",
    number: int = 1,
    to: str = "",
    relay: str = MX,
    dsn: str = "2.0.0",
    delay: str = "0.5",
    second: int = 1,
) -> str:
    way = f"to=<{to or f'abuse@isp{number}.example'}>, relay={relay}, delay={delay}, delays=0/0/0/0"
    return line(f"{queue}: {way}, dsn={dsn}, status={status} ({said})", second=second)


def removed(queue: str = "4F2B91C0A7", second: int = 2) -> str:
    return line(f"{queue}: removed", "qmgr", second)


def letters_in(db: Database, now: datetime, state: LetterState, count: int = 1) -> None:
    """Make letters that are in a state, with cases that are RESOLVED or NOTICED as it befits."""
    wave_of_letters(db, now - timedelta(hours=1), count)
    event = {LetterState.HANDED: Event.LETTER_HANDED, LetterState.UNCERTAIN: Event.LETTER_UNCERTAIN}.get(state)
    ids = list(range(1, count + 1))
    with db.write() as connection:
        if state is LetterState.APPROVED:
            return
        lives.advance(connection, ids, Event.LETTER_CLAIMED, now, "tocsin")
        if event is not None:
            lives.advance(connection, ids, event, now, "tocsin")


def state(db: Database, letter: int = 1) -> str:
    with db.read() as connection:
        return str(connection.execute(select(t.letters.c.state).where(t.letters.c.id == letter)).scalar_one())


def told(db: Database) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, select(t.deliveries).order_by(t.deliveries.c.id))


def logged(db: Database) -> list[str]:
    with db.read() as connection:
        query = select(t.events.c.what).where(t.events.c.subject == "letter", t.events.c.by == "person:1")
        return list(connection.execute(query.order_by(t.events.c.id)).scalars())


def test_a_letter_that_their_server_took_is_accepted_with_its_words(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    made = take(db, now, named(), active(), tried("250 2.0.0 Ok: queued as 7C1E2"), removed())
    assert (state(db), made.new, dict(made.moved)) == ("accepted", 2, {"accepted": 1})
    answer = told(db)[1]
    assert (answer["host"], answer["words"], answer["dsn"]) == (MX, "250 2.0.0 Ok: queued as 7C1E2", "2.0.0")
    assert answer["at"] == datetime(2026, 3, 1, 9, 30, 1, tzinfo=UTC)
    with db.read() as connection:
        assert events.read_text(connection, answer["line"]) == tried("250 2.0.0 Ok: queued as 7C1E2").replace("  ", " ")
        data = connection.execute(select(t.events.c.data).where(t.events.c.what == "letter.accepted")).scalar_one()
    assert f'"line":"{answer["line"]}"' in data


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ([tried("550 5.1.1 no such user", "bounced", dsn="5.1.1")], "bounced"),
        ([line("4F2B91C0A7: from=<x@agency.example>, status=expired, returned to sender", "qmgr")], "bounced"),
        ([tried("452 4.2.2 full", "deferred", dsn="4.2.2")], "handed"),
        ([tried("452 4.2.2 full", "deferred"), tried(second=30, delay="31")], "accepted"),
        ([tried("250 2.0.0 Ok: queued as 7D0E4", relay="127.0.0.1[127.0.0.1]:10024")], "handed"),
        ([tried(to="archive@agency.example")], "handed"),  # a copy that the relay keeps
        ([removed(second=1), tried(second=30)], "handed"),  # the queue id is another message's by then
        ([named(number=9, second=20), tried(second=30)], "handed"),  # as here
    ],
)
def test_only_what_is_said_of_this_letter_moves_it(db: Database, now: datetime, lines: list[str], end: str) -> None:
    letters_in(db, now, LetterState.HANDED)
    take(db, now, named(), active(), *lines)
    assert state(db) == end


def test_a_letter_that_is_passed_on_to_a_filter_is_followed_by_its_message_id(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    take(db, now, named(), tried(relay="127.0.0.1[127.0.0.1]:10024"), named("7D0E4AAAAA"), tried(queue="7D0E4AAAAA"))
    assert state(db) == "accepted"
    assert logged(db) == ["letter.relay_told", "letter.accepted"]


def test_our_envelope_sender_names_the_letter_where_the_relay_changes_message_ids(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    take(db, now, active(sender=KEYS.envelope_sender("bounces@agency.example", 1)), tried())
    assert state(db) == "accepted"


def test_an_envelope_sender_that_is_forged_names_no_letter(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    take(db, now, active(sender="bounces+1.aaaaaaaaaaaaaaaa@agency.example"), tried())
    assert (state(db), told(db)) == ("handed", [])


def test_an_uncertain_letter_that_is_in_the_queue_was_handed_over_and_its_cases_are_noticed(
    db: Database, now: datetime
) -> None:
    letters_in(db, now, LetterState.UNCERTAIN)
    take(db, now, named(), active())
    assert state(db) == "handed"
    with db.read() as connection:
        assert set(connection.execute(select(t.cases.c.state)).scalars()) == {CaseState.NOTICED.value}
    take(db, now, tried())
    assert (state(db), logged(db)) == ("accepted", ["letter.handed", "letter.accepted"])


@pytest.mark.parametrize(
    "lines", [[], [named()], [named(), line("4F2B91C0A7: milter-reject: END-OF-MESSAGE", "cleanup")]]
)
def test_absence_from_the_log_or_a_message_whose_end_never_came_settles_nothing(
    db: Database, now: datetime, lines: list[str]
) -> None:
    letters_in(db, now, LetterState.UNCERTAIN)
    take(db, now, *lines)
    assert (state(db), told(db)) == ("uncertain", [])


def test_the_same_log_again_and_in_another_form_adds_nothing(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.UNCERTAIN)
    log = (named(), active(), tried("full", "deferred", dsn="4.2.2"), tried(second=9, delay="9"), removed(second=9))
    take(db, now, *log)
    before = (told(db), logged(db))
    again = take(db, now, *log)
    iso = take(db, now, *(text.replace("Mar  1 ", "2026-03-01T").replace(" mx1", ".250Z mx1") for text in log))
    assert (again.new, iso.new, (told(db), logged(db))) == (0, 0, before)


def test_a_log_that_is_read_in_two_parts_says_the_same(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    for text in (named(), active(), tried("full", "deferred"), tried(delay="7"), removed()):
        take(db, now, text)
    assert state(db) == "accepted"


def test_two_importers_at_once_add_each_line_once(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.UNCERTAIN, 40)
    log = [f"Q{n:09}" for n in range(1, 41)]
    lines = [
        f"{text}\n".encode()
        for n, q in enumerate(log, 1)
        for text in (named(q, n), active(q), tried(queue=q, number=n))
    ]
    made = [importing(db, now, lambda: time.sleep(0.05)) for _ in range(3)]
    threads = [threading.Thread(target=one.take, args=(reader(now), lines)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.new for one in made) == len(told(db)) == 80
    assert {state(db, n) for n in range(1, 41)} == {"accepted"}
    assert sorted(logged(db)) == ["letter.accepted"] * 40 + ["letter.handed"] * 40


def test_a_line_that_is_read_before_the_sender_has_written_the_reply_counts_afterwards(
    db: Database, now: datetime
) -> None:
    letters_in(db, now, LetterState.CLAIMED)
    take(db, now, named(), active(), tried())
    assert state(db) == "claimed"
    with db.write() as connection:
        lives.advance(connection, [1], Event.LETTER_HANDED, now, "tocsin")
    take(db, now)
    assert state(db) == "accepted"


def test_a_letter_that_a_sender_holds_is_waited_for_without_a_lock(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    lines = [f"{text}\n".encode() for text in (named(), active(), tried())]
    if db.dialect == "sqlite":  # it has one lock, and waits for that
        importing(db, now).take(reader(now), lines)
        return
    with db.engine.connect() as sender:
        held = sender.begin()
        sender.execute(update(t.letters).where(t.letters.c.id == 1).values(reason="x"))
        sender.execute(select(t.letters.c.id).with_for_update())
        importing(db, now, held.rollback).take(reader(now), lines)
    assert state(db) == "accepted"


def test_a_log_that_tells_of_a_letter_that_is_to_be_sent_again_is_told_to_a_person(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.APPROVED)
    take(db, now, named(), active())
    with db.read() as connection:
        assert store.against(connection) == [(1, "approved")]
    assert state(db) == "approved"


def test_a_json_line_needs_no_queue_id(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    name = message_id(1)
    text = f'{{"at":"2026-03-01T09:30:01Z","status":"bounced","message_id":"{name}","recipient":"ABUSE@isp1.example"}}'
    take(db, now, text, text.replace("ABUSE", "other"))
    assert (state(db), len(told(db))) == ("bounced", 1)


def test_the_place_is_kept_with_what_was_found_before_it(db: Database, now: datetime) -> None:
    letters_in(db, now, LetterState.HANDED)
    there = Place("1:2", 300, b"h" * 32)
    made = importing(db, now)
    made.take(
        reader(now), [f"{named()}\n".encode()], lambda c: store.keep_place(c, "here", "/var/log/mail.log", there, now)
    )
    with db.read() as connection:
        assert store.place(connection, "here", "/var/log/mail.log") == Place("1:2", 300, b"h" * 32, now)
        assert store.place(connection, "there", "/var/log/mail.log") is None


@pytest.mark.parametrize("odd", ["\0", "\ud800", "\u202e", "\U0010ffff", "%s", "'; --"])
def test_what_no_database_takes_is_taken_out_of_lines(db: Database, now: datetime, odd: str) -> None:
    letters_in(db, now, LetterState.HANDED)
    entry = {"__REALTIME_TIMESTAMP": "1772357401000000", "_HOSTNAME": f"mx1{odd}"}
    texts = [line.partition(" postfix/")[2].partition("[1]: ") for line in (named(), active(), tried(f"250 {odd} Ok"))]
    texts += [
        ("cleanup", "", f"AAAAAAAAAA: message-id=<{odd}x@y.example>"),
        ("qmgr", "", f"BBBBBBBBBB: from=<{odd}>, size=1"),
    ]
    made = importing(db, now)
    for agent, _, said in texts:
        logged = {**entry, "SYSLOG_IDENTIFIER": f"postfix/{agent}", "MESSAGE": said}
        made.take(reader(now), [json.dumps(logged).encode()])
    assert state(db) == "accepted"
    assert told(db)[1]["words"].isprintable()
