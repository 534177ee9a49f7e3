"""The plan of a wave foretells what the claim does: the same gate, over the same rows, with nothing written or locked."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from pipeline.send.forecast import End
from pipeline.send.pace import Pace, Rates
from pipeline.send.plan import SendPlan, plan
from pipeline.send.run import SendSettings
from pipeline.store import holds, mail_domains, waves, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.mail_domains import MailDomain
from tests.seed import wave_of_letters
from tests.send.conftest import letters

GUESTS = tuple(f"isp{number}.example" for number in range(1, 9))
SETTINGS = SendSettings("bounces@agency.example", "relay", 4, 0.0, 0, 0.0, timedelta(hours=72), GUESTS)
COUNTED = {"approved": "held", "handed": "goes", "suppressed": "suppressed", "withdrawn": "withdrawn"}


def planned(db: Database, wave: int, now: datetime, settings: SendSettings = SETTINGS) -> SendPlan:
    with db.read() as connection:
        return plan(connection, waves.by_id(connection, wave), settings, now, lambda *_: None)


def disturb(db: Database, now: datetime) -> None:
    """Give each of the first letters a reason of its own not to go, or not whole."""
    stop = {"mailbox": "", "domain": "", "by": "person:1", "at": now}
    with db.write() as connection:
        connection.execute(insert(t.suppressions).values(**stop | {"mailbox": "abuse@isp1.example", "reason": "asked"}))
        connection.execute(insert(t.suppressions).values(**stop | {"domain": "isp2.example", "reason": "own"}))
        holds.hold(connection, holds.Scope(domain="isp3.example"), "wait", now, "person:1")
        old = update(t.cases).where(t.cases.c.id.in_((7, 8)))  # both of the fourth letter
        connection.execute(old.values(exposure_at=now - timedelta(days=30)))
        connection.execute(update(t.cases).where(t.cases.c.id == 10).values(exposure="closed"))
        wish = {"contact_id": 6, "inhibited_until": now + timedelta(days=9), "at": now, "cadence_days": 3}
        connection.execute(insert(t.contact_preferences).values(**wish))


def test_what_is_planned_is_what_happens(db: Database, now: datetime, post: Callable[..., Any]) -> None:
    wave = wave_of_letters(db, now, 12, cases=2)
    disturb(db, now)
    made = planned(db, wave, now)
    with post() as p:
        p.guests = GUESTS
        p.send(db)
    happened = Counter(COUNTED[one["state"]] for one in letters(db).values())
    rules = {"held": "held", "suppressed": "suppressed"}
    foretold = Counter({"goes": len(made.going)})
    for (rule, _), count in made.withheld.items():
        foretold[rules.get(rule, "withdrawn")] += count
    assert happened == foretold == {"goes": 3, "suppressed": 2, "held": 1, "withdrawn": 6}
    went = {number for number, one in letters(db).items() if one["state"] == "handed"}
    assert {one["letter"] for one in made.going} == went == {5, 7, 8}
    assert [one["dropped"] for one in made.going] == [{"10": "closed"}, {}, {}]


def test_a_plan_writes_and_claims_nothing(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 3)
    before = letters(db)
    with db.write() as busy:  # somebody who holds every letter does not keep the plan waiting, or the other way round
        busy.execute(t.letters.select().with_for_update())
        made = planned(db, wave, now)
    assert len(made.going) == 3
    assert letters(db) == before


def test_of_letters_to_a_contact_that_wants_few_the_first_goes(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 3)
    with db.write() as connection:
        connection.execute(update(t.letters).values(contact_id=1))
        connection.execute(insert(t.contact_preferences).values(contact_id=1, cadence_days=7, at=now))
    made = planned(db, wave, now)
    assert [one["letter"] for one in made.going] == [1]
    assert made.withheld == {("unwelcome", "too_soon"): 2}


def test_many_letters_are_looked_at_page_by_page(db: Database, now: datetime) -> None:
    wave, told = wave_of_letters(db, now, 5), []
    with db.read() as connection:
        by_page = plan(
            connection, waves.by_id(connection, wave), SETTINGS, now, lambda *said: told.append(said), size=2
        )
    assert told == [("letters put to the gate", done, 5) for done in (2, 4, 5)]
    assert by_page.sha256 == planned(db, wave, now).sha256


def test_the_hash_knows_letters_limits_and_the_wave_and_no_times(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 4, cases=2)
    first = planned(db, wave, now).sha256
    assert planned(db, wave, now + timedelta(hours=1)).sha256 == first
    assert planned(db, wave, now, replace(SETTINGS, per_day=9)).sha256 != first
    with db.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id == 1).values(exposure="closed"))
    assert planned(db, wave, now).sha256 != first


def test_a_letter_that_is_tried_again_is_in_the_plan(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 2)
    with db.write() as connection:
        worker = workers.register(connection, "test", 1, planner=False, now=now)
        later = update(t.letters).where(t.letters.c.id == 1)
        connection.execute(later.values(state="deferred", due_at=now + timedelta(hours=1)))
        sent = {
            "worker_id": worker,
            "letter_id": 1,
            "number": 1,
            "head": b"",
            "sha256": b"",
            "sender": "",
            "recipient": "",
        }
        connection.execute(insert(t.attempts).values(started_at=now - timedelta(days=6), **sent))
    assert planned(db, wave, now).withheld == {("expired", "five_days"): 1}
    with db.write() as connection:
        connection.execute(update(t.attempts).values(started_at=now))
    made = planned(db, wave, now)
    assert (len(made.going), made.later) == (2, 1)


def test_the_domain_with_the_most_letters_decides_or_one_that_is_waited_for(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 6)
    paced = replace(SETTINGS, per_domain_rate=0.1)
    with db.write() as connection:
        for number in (1, 2, 3):
            mailbox = update(t.contacts).where(t.contacts.c.id == number)
            connection.execute(mailbox.values(mailbox=f"box{number}@isp5.example"))
    assert planned(db, wave, now, paced).end == End(now + timedelta(seconds=30), "mail:domain:isp5.example")
    with db.write() as connection:
        later = {"key": "mail:domain:isp6.example", "next_at": now + timedelta(minutes=1)}
        connection.execute(insert(t.budgets).values(**later))
    assert planned(db, wave, now, paced).end == End(now + timedelta(minutes=1), "mail:domain:isp6.example")


def test_a_provider_with_a_limit_of_its_own_decides_over_all_its_domains(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 6)
    with db.write() as connection:
        for number in (1, 2, 3):
            answer = MailDomain(f"isp{number}.example", "big", "mx", now, now + timedelta(days=1))
            mail_domains.keep(connection, [answer])
    paced = replace(SETTINGS, pace=Pace(mx_groups={"big": Rates(per_hour=60)}))
    made = planned(db, wave, now, paced)
    assert made.end == End(now + timedelta(minutes=2), "mail:mx:big")
    assert "mail:mx:big" in [limit.key for limit in made.limits]


def test_a_domain_that_takes_no_mail_withholds_its_letters(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 2)
    with db.write() as connection:
        for number, until in ((1, now + timedelta(hours=1)), (2, now)):  # the second answer is no longer good
            answer = MailDomain(f"isp{number}.example", "", "null_mx", now, until)
            mail_domains.keep(connection, [answer])
    assert planned(db, wave, now).withheld == {("no_mail", "no_mail"): 1}


def test_a_warm_up_allows_each_day_what_its_plan_says(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 8)
    made = planned(db, wave, now, replace(SETTINGS, pace=Pace(warm_up={1: 2, 2: 3, 4: 0})))
    midnight = now.replace(hour=0) + timedelta(days=2)  # 2 today, 3 tomorrow, and the last 3 on the third day
    assert made.end == End(midnight, "mail:relay:relay")
    assert made.cap == 2
