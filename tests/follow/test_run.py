"""Planning a wave of first notices, on both databases."""

import json
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update

from pipeline.domain import Address, ContactState, LetterState, RefusedBySafety, Tier, Verdict, WaveState
from pipeline.follow.plan import FIRST, OTHERS
from pipeline.follow.run import Planned, PlanSettings, plan_wave
from pipeline.send.windows import WindowRules, time_needed
from pipeline.store import preferences, routes, send, waves
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference
from pipeline.store.routes import Way
from tests import cases as seed
from tests.seed import KEYS

FRESH = timedelta(hours=72)
SETTINGS = PlanSettings(FRESH, rate=0, per_day=0)
HOUR = timedelta(hours=1)


def addresses(*numbers: int) -> list[Address]:
    return [ip_address(f"192.0.2.{number}") for number in numbers]


def plan(
    db: Database, now: datetime, settings: PlanSettings = SETTINGS, minimum: int = 1, kind: str = FIRST
) -> Planned:
    return plan_wave(db, 1, "00", minimum, settings, KEYS, clock=lambda: now, by="person:1", kind=kind)


def lines(db: Database) -> list[tuple[str, int, int, str]]:
    """Return what every notice is about: (mailbox, notice number, case, quoted)."""
    query = (
        select(t.contacts.c.mailbox, t.notices.c.number, t.notice_cases.c.case_id, t.notice_cases.c.quoted)
        .join(t.notices, t.notices.c.id == t.notice_cases.c.notice_id)
        .join(t.contacts, t.contacts.c.id == t.notices.c.contact_id)
        .order_by(t.notices.c.id, t.notice_cases.c.case_id)
    )
    with db.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def letters(db: Database, now: datetime, wave: int, state: LetterState) -> None:
    """Write a letter in that state for every notice of a wave."""
    body = {"sha256": b"x" * 32, "body": b"", "at": now}
    with db.write() as connection:
        connection.execute(insert(t.bodies).values(**body))
        for notice in connection.execute(select(t.notices).where(t.notices.c.wave_id == wave)).all():
            about = {
                "notice_id": notice.id,
                "wave_id": notice.wave_id,
                "campaign_id": 1,
                "contact_id": notice.contact_id,
            }
            said = {"sha256": b"x" * 32, "approved_sha256": b"x" * 32, "bytes": 0, "recipient": "", "locales": "en"}
            rest = {
                "message_id": f"<{notice.id}@agency.example>",
                "language_rule": "",
                "send_order": 1,
                "created_at": now,
            }
            connection.execute(insert(t.letters).values(state=state.value, **about, **said, **rest))


def cancel(db: Database, now: datetime, wave: int) -> None:
    with db.write() as connection:
        waves.cancel(connection, waves.by_id(connection, wave), now, "person:1", "wrong text")


def test_each_contact_gets_one_notice_with_all_its_cases_and_what_their_newest_checks_counted(
    db: Database, now: datetime
) -> None:
    seed.campaign(db, now)
    first = seed.ready(db, now, 1, "abuse@one.example", addresses(1, 2), quoted=[(7, 1)])
    second = seed.ready(db, now, 1, "abuse@two.example", addresses(3))
    seed.check(db, now, [first[0]], quoted=[(8, 2), (9, 3)])
    made = plan(db, now)
    assert (made.letters, made.cases, made.number, dict(made.left_out)) == (2, 3, 1, {})
    assert sorted(lines(db)) == [
        ("abuse@one.example", 1, first[0], "[[8,2],[9,3]]"),
        ("abuse@one.example", 1, first[1], "[[7,1]]"),
        ("abuse@two.example", 1, second[0], "[]"),
    ]
    with db.read() as connection:
        wave = connection.execute(select(t.waves)).one()
        said = connection.execute(select(t.events.c.what).where(t.events.c.subject == "wave")).scalars().all()
        tokens = connection.execute(select(t.notice_cases.c.token_sha256)).scalars().all()
        order = connection.execute(select(t.campaign_contacts.c.send_order)).scalars().all()
        notice = connection.execute(select(t.notices).where(t.notices.c.contact_id == 1)).one()
    assert (wave.state, wave.kind, wave.made_by, said) == (WaveState.PLANNED, "first", "person:1", ["wave.planned"])
    assert json.loads(wave.limits) == {"fresh_for_seconds": 259_200, "letters": 2, "per_day": 0, "rate": 0}
    assert len({bytes(token) for token in tokens}) == 3
    assert sorted(order) == sorted(KEYS.order("00", contact) for contact in (1, 2))
    assert notice.reference == KEYS.reference((1, 1, 1))


def test_cases_that_may_not_be_written_about_are_left_out_and_counted_by_their_reason(
    db: Database, now: datetime
) -> None:
    seed.campaign(db, now)
    feed = seed.feed(db, now, "one")
    void = seed.snapshot(db, feed, now, [(addresses(80)[0], 8080, "http", "http_proxy")], verdict=Verdict.VOIDED)
    good = seed.snapshot(db, feed, now, [(addresses(1)[0], 8080, "http", "http_proxy")])
    seed.ready(db, now, 1, "abuse@one.example", addresses(1), quoted=[(good, 1)])
    seed.ready(db, now, 1, "abuse@mailbox.example", addresses(10, 11))
    seed.ready(db, now, 1, "abuse@sub.domain.example", addresses(20, 21, 22))
    seed.ready(db, now, 1, "abuse@range.example", addresses(30))
    seed.ready(db, now, 1, "abuse@excluded.example", addresses(40, 41))
    seed.ready(db, now, 1, "abuse@dead.example", addresses(50), contact_state=ContactState.DEAD)
    seed.ready(db, now, 1, "abuse@low.example", addresses(60, 61), level=0)
    seed.ready(db, now - FRESH - HOUR, 1, "abuse@late.example", addresses(70))
    seed.ready(db, now, 1, "abuse@void.example", addresses(80, 81), quoted=[(good, 1), (void, 1)])
    by = {"reason": "asked", "by": "person:1", "at": now}
    with db.write() as connection:
        for stop in ({"mailbox": "abuse@mailbox.example"}, {"domain": "domain.example"}, within(30, 30)):
            connection.execute(insert(t.suppressions).values(**stop, **by))
        connection.execute(insert(t.exclusions).values(**within(40, 49), **by))
    made = plan(db, now)
    assert dict(made.left_out) == {
        "suppressed": 2 + 3 + 1,
        "excluded": 2,
        "contact_dead": 1,
        "level_too_low": 2,
        "stale": 1 + 2,
    }
    assert [mailbox for mailbox, *_ in lines(db)] == ["abuse@one.example"]


def within(first: int, last: int) -> dict[str, Any]:
    return {"first_address": addresses(first)[0], "last_address": addresses(last)[0]}


def test_planning_again_adds_nothing(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    plan(db, now)
    again = plan(db, now)
    assert (again.wave_id, again.letters, dict(again.left_out)) == (0, 0, {"contact_told_before": 1})
    with db.read() as connection:
        assert len(connection.execute(select(t.waves)).all()) == 1
    assert len(lines(db)) == 1


def test_nothing_ready_makes_no_wave(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    assert plan(db, now) == Planned(0, 0, 0, 0, plan(db, now).left_out, timedelta(0))
    with db.read() as connection:
        assert connection.execute(select(t.waves)).all() == []


def test_a_cancelled_wave_frees_its_contacts(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    plan(db, now)
    cancel(db, now, 1)  # before its letters were written
    assert plan(db, now).number == 2
    letters(db, now, 2, LetterState.DRAFTED)
    cancel(db, now, 2)
    assert plan(db, now).number == 3
    assert [(mailbox, number) for mailbox, number, *_ in lines(db)] == [("abuse@one.example", n) for n in (1, 2, 3)]


def test_a_contact_whose_letter_has_left_is_not_written_to_again_when_its_wave_is_cancelled(
    db: Database, now: datetime
) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    plan(db, now)
    letters(db, now, 1, LetterState.UNCERTAIN)
    cancel(db, now, 1)
    assert dict(plan(db, now).left_out) == {"contact_told_before": 1}


def test_letters_beyond_the_most_are_planned_next_time(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    for number in (1, 2, 3):
        seed.ready(db, now, 1, f"abuse@isp{number}.example", addresses(number))
    settings = PlanSettings(FRESH, 0, 0, most_letters=2)
    assert [plan(db, now, settings).letters for _ in range(3)] == [2, 1, 0]
    assert len({mailbox for mailbox, *_ in lines(db)}) == 3


def test_a_wave_that_its_limits_cannot_send_while_fresh_is_refused_and_one_that_fits_is_named(
    db: Database, now: datetime
) -> None:
    seed.campaign(db, now)
    for number in range(1, 9):
        seed.ready(db, now, 1, f"abuse@isp{number}.example", addresses(number))
    for settings, fitting in (
        (PlanSettings(timedelta(seconds=20), rate=0.1, per_day=0), 2),
        (PlanSettings(timedelta(hours=20), rate=0, per_day=2), 2),
        (PlanSettings(timedelta(seconds=20), rate=0.1, per_day=1), 1),
    ):
        with pytest.raises(RefusedBySafety) as refused:
            plan(db, now, settings)
        assert f"at most {fitting} letters" in refused.value.next_step
        assert plan(db, now, replace(settings, most_letters=fitting)).letters == fitting
    assert len(lines(db)) == 5  # of the waves that fit


def test_a_closed_campaign_gets_no_wave(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(closed_at=now))
    with pytest.raises(RefusedBySafety):
        plan(db, now)
    assert lines(db) == []


def test_of_two_who_plan_at_once_the_second_finds_them_told(db: Database, database_url: str, now: datetime) -> None:
    seed.campaign(db, now)
    for number in range(1, 9):
        seed.ready(db, now, 1, f"abuse@isp{number}.example", addresses(number))
    together = threading.Barrier(2)
    made: list[Planned] = []

    def read_by_both(_connection: Connection) -> None:
        together.wait(10)  # until then, neither has written anything

    def work(own: Database) -> None:
        event.listen(own.engine, "commit", read_by_both, once=True)
        made.append(plan(own, now))

    databases = [Database(database_url) for _ in range(2)]
    threads = [threading.Thread(target=work, args=(own,)) for own in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in databases:
        own.close()
    assert sorted(one.letters for one in made) == [0, 8]
    assert {dict(one.left_out).get("contact_told_before", 0) for one in made} == {0, 8}
    assert len(lines(db)) == 8


def test_a_plan_that_dies_leaves_nothing_behind(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))

    class Died(Exception):
        pass

    commits: list[int] = []

    def dies(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == 2:
            raise Died

    event.listen(db.engine, "commit", dies)
    with pytest.raises(Died):
        plan(db, now)
    event.remove(db.engine, "commit", dies)
    assert lines(db) == []
    assert plan(db, now).letters == 1


def tier(db: Database, mailbox: str, value: Tier) -> None:
    contact = select(t.contacts.c.id).where(t.contacts.c.mailbox == mailbox).scalar_subquery()
    with db.write() as connection:
        link = update(t.netblock_contacts).where(t.netblock_contacts.c.contact_id == contact)
        connection.execute(link.values(tier=int(value)))


def test_others_than_the_networks_own_contacts_are_told_in_a_wave_of_their_own(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    seed.ready(db, now, 1, "cert@cert.example", addresses(2, 3))
    tier(db, "cert@cert.example", Tier.CERT)
    first = plan(db, now)
    assert (first.letters, dict(first.left_out)) == (1, {"not_own_contact": 2})
    others = plan(db, now, kind=OTHERS)
    assert (others.letters, others.cases, dict(others.left_out)) == (1, 2, {"own_contact": 1})
    with db.read() as connection:
        kinds = connection.execute(select(t.waves.c.kind).order_by(t.waves.c.id)).scalars().all()
    assert kinds == [FIRST, OTHERS]
    assert dict(plan(db, now, kind=OTHERS).left_out) == {"own_contact": 1, "contact_told_before": 2}


def test_who_was_told_of_its_own_network_may_be_told_of_one_below_it(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "abuse@one.example", addresses(1))
    plan(db, now)
    tier(db, "abuse@one.example", Tier.PARENT)
    assert plan(db, now, kind=OTHERS).letters == 1
    assert [number for _, number, *_ in lines(db)] == [1, 2]


def test_a_contact_must_be_current_when_its_letter_is_planned(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    for number, values in enumerate(({"expires_at": now}, {"valid_to": now}, {}), start=1):
        seed.ready(db, now, 1, f"abuse@isp{number}.example", addresses(number))
        with db.write() as connection:
            if values:
                connection.execute(update(t.netblocks).where(t.netblocks.c.id == number).values(**values))
            else:  # a person's word has made its contact be looked up anew
                case = update(t.cases).where(t.cases.c.id == number)
                connection.execute(case.values(contact_due_at=now))
    assert dict(plan(db, now).left_out) == {"contact_outdated": 3}


def test_what_contacts_asked_for_is_kept_to(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    for number in (1, 2, 3):
        seed.ready(db, now, 1, f"abuse@isp{number}.example", addresses(number))
    ended = Preference(inhibited_until=now + HOUR, until=now)
    with db.write() as connection:
        for contact, wish in (
            (1, Preference(inhibited_until=now + HOUR)),
            (2, Preference(cadence_days=30)),
            (3, ended),
        ):
            preferences.put(connection, contact, wish, now, "person:1")
    seed.campaign(db, now, "two")
    with db.write() as connection:  # the last letter to each was of another campaign
        connection.execute(update(t.cases).values(campaign_id=2))
    plan_wave(db, 2, "00", 1, SETTINGS, KEYS, clock=lambda: now + HOUR, by="person:1")
    letters(db, now - 29 * 24 * HOUR, 1, LetterState.HANDED)
    with db.write() as connection:
        connection.execute(update(t.cases).values(campaign_id=1))
    made = plan(db, now)
    assert dict(made.left_out) == {"inhibited": 1, "too_soon": 1}
    assert [mailbox for mailbox, *_ in lines(db)][-1:] == ["abuse@isp3.example"]
    for state, why in ((LetterState.WITHDRAWN, 0), (LetterState.REFUSED, 0), (LetterState.APPROVED, 1)):
        with db.write() as connection:
            connection.execute(update(t.letters).values(state=state.value))
        assert plan(db, now, kind=OTHERS).left_out["too_soon"] == 0  # it is asked of contacts that would be told
        made = plan(db, now, minimum=4)
        assert made.left_out["too_soon"] == why


def test_a_cert_that_gets_copies_is_told_of_its_countrys_cases_told_or_not_in_a_wave_of_others(
    db: Database, now: datetime
) -> None:
    seed.campaign(db, now)
    first = seed.ready(db, now, 1, "abuse@one.example", addresses(1, 2))
    seed.ready(db, now, 1, "abuse@two.example", addresses(3))
    with db.write() as connection:
        connection.execute(update(t.netblocks).where(t.netblocks.c.id == 1).values(country="BE"))
        connection.execute(update(t.cases).where(t.cases.c.id == first[0]).values(state="noticed"))
        routes.put(connection, "BE", Way.COPY, "cert@cert.example", "CERT", "asked", now, "person:1")
        connection.execute(update(t.cases).values(contact_due_at=None))
    assert plan(db, now).cases == 2  # the contacts themselves, of what they have not been told
    made = plan(db, now, kind=OTHERS)
    assert (made.letters, made.cases) == (1, 2)
    assert [(mailbox, case) for mailbox, _, case, _ in lines(db)][-2:] == [("cert@cert.example", id_) for id_ in first]
    letters(db, now, 2, LetterState.HANDED)
    with db.write() as connection:
        send.noticed(connection, [1], now, "tocsin")
        states = connection.execute(select(t.cases.c.state).order_by(t.cases.c.id)).scalars().all()
    assert states == ["noticed", "resolved", "resolved"]


def test_a_letter_to_a_cases_own_contact_in_a_wave_of_others_tells_it(db: Database, now: datetime) -> None:
    seed.campaign(db, now)
    seed.ready(db, now, 1, "cert@cert.example", addresses(1))
    tier(db, "cert@cert.example", Tier.CERT)
    plan(db, now, kind=OTHERS)
    letters(db, now, 1, LetterState.HANDED)
    with db.write() as connection:
        send.noticed(connection, [1], now, "tocsin")
        assert connection.execute(select(t.cases.c.state)).scalar_one() == "noticed"


def test_a_plan_says_how_long_a_wave_takes_in_the_working_hours_of_its_recipients(db: Database, now: datetime) -> None:
    """The tests' clock stands on a Sunday: France opens on Monday at 07:00 UTC."""
    campaign = seed.campaign(db, now)
    seed.ready(db, now, campaign, "abuse@isp1.example", addresses(1, 2))
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(country="FR"))
    rules = WindowRules(working_hours=True)
    windows = PlanSettings(FRESH, 0, 0, windows=lambda letters, at: time_needed(letters, 0.0, at, rules))
    made = plan(db, now, windows)
    assert (made.letters, made.takes, made.in_windows) == (1, timedelta(0), 21 * HOUR)


def test_without_windows_a_wave_takes_what_its_limits_leave(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.ready(db, now, campaign, "abuse@isp1.example", addresses(1))
    assert plan(db, now).in_windows == timedelta(0)
