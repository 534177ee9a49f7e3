"""What planning reads: cases with their newest check, and who has been told."""

from datetime import datetime, timedelta
from ipaddress import ip_address

from sqlalchemy import select, update

from pipeline.domain import LetterState, Verdict, WaveState
from pipeline.store import plan as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.seed import KEYS, wave_of_letters


def test_a_case_waits_with_its_newest_check_its_contact_and_its_address(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    first, second = seed.ready(
        db, now, campaign, "abuse@one.example", [ip_address("192.0.2.1"), ip_address("192.0.2.2")]
    )
    seed.check(db, now + timedelta(hours=1), [first], quoted=[(3, 4)])
    other = seed.campaign(db, now, "two")
    seed.ready(db, now, other, "abuse@two.example", [ip_address("192.0.2.1")])
    with db.write() as connection:
        unknown = update(t.cases).where(t.cases.c.id == second).values(exposure="unknown")
        connection.execute(unknown)
        [found] = store.waiting(connection, campaign)
    assert (found["id"], found["mailbox"], found["address"]) == (first, "abuse@one.example", ip_address("192.0.2.1"))
    assert (found["check_id"], store.quoted(found["transcript"])) == (3, [[3, 4]])


def test_a_check_without_a_list_quotes_nothing() -> None:
    assert store.quoted("{}") == []


def test_a_contact_is_told_unless_its_letter_never_left(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    told = {}
    with db.write() as connection:
        for state in LetterState:
            connection.execute(update(t.letters).values(state=state.value))
            told[state] = store.told(connection, 1)
    assert {state for state, contacts in told.items() if not contacts} == {
        LetterState.WITHDRAWN,
        LetterState.SUPPRESSED,
    }
    assert {contact for contacts in told.values() for contact in contacts} == {1}


def test_a_notice_without_a_letter_counts_until_its_wave_has_ended(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    told = {}
    with db.write() as connection:
        connection.execute(t.letters.delete())
        for state in WaveState:
            connection.execute(update(t.waves).values(state=state.value))
            told[state] = store.told(connection, 1)
        assert store.told(connection, 2) == set()
    assert {state for state, contacts in told.items() if not contacts} == {WaveState.DONE, WaveState.CANCELLED}


def test_snapshots_that_count_no_longer_are_known(db: Database, now: datetime) -> None:
    feed = seed.feed(db, now, "one")
    ids = {seed.snapshot(db, feed, now, [], verdict=verdict): verdict for verdict in Verdict}
    with db.read() as connection:
        gone = store.taken_back(connection)
    assert {ids[snapshot] for snapshot in gone} == {Verdict.VOIDED, Verdict.HELD}


def test_the_next_notice_of_a_contact_has_the_next_number_and_other_codes(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    [case] = seed.ready(db, now, campaign, "abuse@one.example", [ip_address("192.0.2.1")])
    with db.write() as connection:
        for number in (1, 2):
            assert store.next_number(connection, campaign) == number
            wave = store.add_wave(connection, campaign, number, "first", {}, now, "person:1")
            assert store.add_notices(connection, wave, campaign, {1: [(case, 1, 1, "[]")]}, {1: 5}, KEYS) == 1
        made = connection.execute(select(t.notices).order_by(t.notices.c.id)).all()
        tokens = connection.execute(select(t.notice_cases.c.token_sha256)).scalars().all()
        order = connection.execute(select(t.campaign_contacts.c.send_order)).scalars().all()
    assert [(notice.number, notice.reference) for notice in made] == [
        (number, KEYS.reference((campaign, 1, number))) for number in (1, 2)
    ]
    assert len({bytes(token) for token in tokens}) == 2
    assert order == [5]
