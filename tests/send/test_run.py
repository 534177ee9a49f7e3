"""Letters of released waves leave once, at the right time, or not at all; and the record says what happened."""

import hashlib
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from pipeline.domain import Event, RefusedBySafety, TryAgain, WaveState
from pipeline.sandbox.mail_rules import GREYLIST, REFUSE, Rule, defer
from pipeline.store import lives, plan, preferences, waves, workers
from pipeline.store import send as store
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from pipeline.store.lives import LeaseLost
from pipeline.store.preferences import Preference
from tests.seed import add, wave_of_letters
from tests.send.conftest import letters, states


def query(db: Database, sql: str) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, text(sql))


def test_every_letter_arrives_once_and_the_record_has_its_exact_bytes(db: Database, post: Any) -> None:
    with post() as p:
        wave = wave_of_letters(db, p.clock(), 12, cases=2)
        outcome = p.send(db)
        assert outcome.tally == {"handed": 12}
        assert (outcome.left, outcome.wait) == (0, None)
        kept = p.server.messages()
    assert sorted(k.recipient for k in kept) == sorted(f"abuse@isp{n}.example" for n in range(1, 13))
    assert states(db) == ["handed"] * 12
    sent = {row["recipient"]: bytes(row["sha256"]) for row in query(db, "SELECT recipient, sha256 FROM attempts")}
    for one in kept:
        body = one.path.read_bytes()
        raw = body[body.index(b"Date:") :]
        assert hashlib.sha256(raw).digest() == sent[one.recipient]
    with db.read() as connection:
        assert waves.by_id(connection, wave)["state"] == WaveState.DONE
    assert {row["state"] for row in query(db, "SELECT state FROM cases")} == {"noticed"}


def test_a_second_run_sends_nothing(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        p.send(db)
        assert p.send(db).tally == {}
        assert len(p.recipients()) == 3


def test_an_attempt_and_its_dot_are_written_before_the_letter_and_its_reply_after(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        p.send(db)
    [attempt] = query(db, "SELECT * FROM attempts")
    assert attempt["dot_at"] is not None
    assert attempt["ended_at"] is not None
    assert (attempt["reply"], attempt["outcome"], attempt["stage"]) == (250, "handed", "dot")
    assert attempt["sender"].startswith("bounces+1.")
    order = [row["what"] for row in query(db, "SELECT what FROM events WHERE subject = 'letter' ORDER BY id")]
    assert order == ["letter.claimed", "letter.handed"]


@pytest.mark.parametrize(
    ("rule", "state", "reason"),
    [(REFUSE, "refused", "5.1.1"), (defer(0), "deferred", "4.2.2"), (GREYLIST, "deferred", "4.7.1")],
)
def test_a_refusal_concerns_its_letter_alone(db: Database, post: Any, rule: Rule, state: str, reason: str) -> None:
    with post({"abuse@isp2.example": rule}) as p:
        wave_of_letters(db, p.clock(), 3)
        p.send(db)
        assert p.recipients() == ["abuse@isp1.example", "abuse@isp3.example"]
    found = letters(db)
    assert states(db) == ["handed", state, "handed"]
    assert found[2]["reason"] == reason
    assert [row["state"] for row in query(db, "SELECT state FROM cases ORDER BY id")] == [
        "noticed",
        "resolved",
        "noticed",
    ]


def test_a_deferred_letter_is_tried_again_when_it_is_due_and_not_before(db: Database, post: Any) -> None:
    with post({"abuse@isp1.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 1)
        outcome = p.send(db)
        assert outcome.wait == p.clock() + timedelta(minutes=5)
        p.clock.now += timedelta(minutes=4, seconds=59)
        assert p.send(db).tally == {}
        p.clock.now += timedelta(seconds=1)
        assert p.send(db).tally == {"handed": 1}
        assert [row["number"] for row in query(db, "SELECT number FROM attempts ORDER BY number")] == [1, 2]


def test_a_letter_is_given_up_after_five_days(db: Database, post: Any) -> None:
    with post({"*": defer(0)}) as p:
        wave_of_letters(db, p.clock(), 1)
        p.fresh_for = timedelta(days=30)
        for _ in range(200):
            outcome = p.send(db)
            if outcome.left == 0:
                break
            p.clock.now = outcome.wait
    assert states(db) == ["expired"]
    with db.read() as connection:
        assert waves.by_id(connection, 1)["state"] == WaveState.DONE


def test_no_reply_after_the_final_dot_is_uncertain_and_never_sent_again(db: Database, post: Any) -> None:
    with post({"abuse@isp1.example": Rule("drop", "dot", keep=True)}) as p:
        wave_of_letters(db, p.clock(), 2)
        p.send(db)
        assert states(db) == ["uncertain", "handed"]
        p.clock.now += timedelta(hours=1)
        assert p.send(db).tally == {}
        assert Counter(p.recipients()) == {"abuse@isp1.example": 1, "abuse@isp2.example": 1}


def test_an_uncertain_letter_that_a_person_has_sent_again_leaves_with_its_wave(db: Database, post: Any) -> None:
    with post({"abuse@isp1.example": Rule("drop", "dot", times=1)}) as p:
        wave = wave_of_letters(db, p.clock(), 2)
        p.send(db)
        assert states(db) == ["uncertain", "handed"]
        with db.write() as connection:
            assert waves.by_id(connection, wave)["state"] == WaveState.SENDING
            lives.advance(connection, [1], Event.LETTER_RESEND, p.clock(), "person:1", values={"due_at": p.clock()})
        assert p.send(db).tally == {"handed": 1}
        assert p.recipients() == ["abuse@isp1.example", "abuse@isp2.example"]
    with db.read() as connection:
        assert waves.by_id(connection, wave)["state"] == WaveState.DONE


def test_training_withdraws_letters_to_others_than_guests(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        p.guests = ("isp2.example",)
        p.send(db)
        assert p.recipients() == ["abuse@isp2.example"]
    assert [(row["state"], row["reason"]) for row in letters(db).values()] == [
        ("withdrawn", "training"),
        ("handed", "2.0.0"),
        ("withdrawn", "training"),
    ]


def test_a_suppression_that_came_after_the_approval_is_honoured(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        with db.write() as connection:
            for values in ({"mailbox": "abuse@isp1.example"}, {"domain": "isp3.example"}):
                connection.execute(insert(t.suppressions).values(reason="asked", by="person:1", at=p.clock(), **values))
        p.send(db)
        assert p.recipients() == ["abuse@isp2.example"]
    assert states(db) == ["suppressed", "handed", "suppressed"]


def wish(db: Database, at: datetime, contact: int, **values: Any) -> None:
    with db.write() as connection:
        preferences.put(connection, contact, Preference(**values), at, "person:1")


def test_a_contact_that_wants_no_letter_before_a_day_gets_none_though_its_letter_was_approved(
    db: Database, post: Any
) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 4)
        wish(db, p.clock(), 1, inhibited_until=p.clock() + timedelta(days=9))
        wish(db, p.clock(), 2, inhibited_until=p.clock())  # the day has come
        wish(db, p.clock(), 3, inhibited_until=p.clock() + timedelta(days=9), until=p.clock())  # the wish has ended
        assert p.send(db).tally == {"withdraw": 1, "handed": 3}
        assert p.recipients() == [f"abuse@isp{n}.example" for n in (2, 3, 4)]
    assert (letters(db)[1]["state"], letters(db)[1]["reason"]) == ("withdrawn", "inhibited")
    [event] = query(db, "SELECT subject_id, why FROM events WHERE what = 'letter.withdrawn'")
    assert (event["subject_id"], event["why"]) == (1, "inhibited")
    with db.read() as connection:
        assert waves.by_id(connection, 1)["state"] == WaveState.DONE
        assert plan.told(connection, 1) == {2, 3, 4}  # the one that got none is planned again


def test_a_wish_is_asked_again_before_a_letter_is_tried_again(db: Database, post: Any) -> None:
    with post({"abuse@isp1.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 1)
        p.send(db)
        assert states(db) == ["deferred"]
        wish(db, p.clock(), 1, inhibited_until=p.clock() + timedelta(days=1))
        p.clock.now += timedelta(minutes=5)
        assert p.send(db).tally == {"withdraw": 1}
        assert p.recipients() == []
    assert letters(db)[1]["reason"] == "inhibited"


@pytest.mark.parametrize("had", ["handed", "accepted", "bounced", "uncertain", "refused", "withdrawn"])
def test_a_letter_that_would_come_sooner_than_its_contact_asked_is_withdrawn(db: Database, post: Any, had: str) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        earlier_letter(db, p.clock(), had, at=p.clock() - timedelta(days=29))
        wish(db, p.clock(), 1, cadence_days=30)
        wish(db, p.clock(), 2, cadence_days=30)  # has had none
        p.send(db)
        has_it = had not in ("refused", "withdrawn")
        assert p.recipients() == [f"abuse@isp{n}.example" for n in ((2,) if has_it else (1, 2))]
    assert letters(db)[1]["reason"] == ("too_soon" if has_it else "2.0.0")


def test_a_letter_may_leave_on_the_day_that_the_wish_allows(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        earlier_letter(db, p.clock(), "handed", at=p.clock() - timedelta(days=30))
        wish(db, p.clock(), 1, cadence_days=30)
        assert p.send(db).tally == {"handed": 1}


def test_of_two_letters_due_at_once_to_a_contact_that_asked_for_few_one_leaves(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        earlier_letter(db, p.clock(), "approved", at=None)
        wish(db, p.clock(), 1, cadence_days=30)
        assert p.send(db).tally == {"handed": 1, "withdraw": 1}
        assert p.recipients() == ["abuse@isp1.example"]
    assert sorted(states(db)) == ["handed", "withdrawn"]


def earlier_letter(db: Database, now: datetime, state: str, at: datetime | None) -> None:
    """Make another letter to the first contact, in a wave of another number; tried at a time, or never."""
    with db.write() as connection:
        named = {"campaign_id": 1, "created_at": now, "made_by": "person:1"}
        wave = add(connection, t.waves, number=2, kind="first", state="sending", limits="{}", **named)
        made = {"wave_id": wave, "campaign_id": 1, "contact_id": 1}
        token = {"reference": "other", "token_sha256": bytes(32), "key_id": "k"}
        notice = add(connection, t.notices, number=2, **made, **token)
        told = {"notice_id": notice, "case_id": 1, "level": 0, "check_id": 1, "quoted": "[]"}
        connection.execute(insert(t.notice_cases).values(token_sha256=bytes(32), **told))
        digest = connection.execute(select(t.letters.c.sha256)).scalars().first()
        text_of = {"sha256": digest, "approved_sha256": digest, "bytes": 1, "recipient": "abuse@isp1.example"}
        words = {"message_id": "<other>", "locales": "en", "language_rule": "default", "send_order": 9}
        rest = {"state": state, "due_at": now, "created_at": now, "attempts": int(at is not None)}
        letter = add(connection, t.letters, notice_id=notice, **made, **text_of, **words, **rest)
        if at is not None:
            worker = workers.register(connection, "test", 1, planner=False, now=now)
            workers.end(connection, worker, now)
            tried = {"number": 1, "worker_id": worker, "head": b"", "sha256": bytes(32), "sender": "b@agency.example"}
            ends = {"recipient": "abuse@isp1.example", "started_at": at, "dot_at": at, "outcome": state}
            add(connection, t.attempts, letter_id=letter, **tried, **ends)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_of_several_waves_no_two_workers_take_a_contact_at_once(db: Database, post: Any) -> None:
    """The second worker reads what the first one wrote: the contact is locked until that is there."""
    with post() as p:
        wave_of_letters(db, p.clock(), 1)
        earlier_letter(db, p.clock(), "claimed", at=p.clock())
        found: list[dict[int, datetime]] = []

        def second() -> None:
            with db.write() as connection:
                found.append(store.last_left(connection, [1]))

        with db.write() as connection:
            assert store.last_left(connection, [1]) == {1: p.clock()}
            other = threading.Thread(target=second)
            other.start()
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while other.is_alive() and not connection.execute(waiting).scalar():
                other.join(0.01)
            assert not found
            connection.execute(update(t.attempts).values(dot_at=p.clock() + timedelta(hours=1)))
        other.join()
    assert found == [{1: p.clock() + timedelta(hours=1)}]


HOLDS = {"everything": {}, "campaign": {"campaign_id": 1}, "wave": {"wave_id": 1}, "contact": {"contact_id": 2}}


@pytest.mark.parametrize("level", [*HOLDS, "domain", "domain above"])
def test_a_hold_stops_what_it_covers_until_it_is_released(db: Database, post: Any, level: str) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        values = HOLDS.get(level, {"domain": "isp2.example" if level == "domain" else "example"})
        with db.write() as connection:
            connection.execute(insert(t.holds).values(reason="stop", by="person:1", at=p.clock(), **values))
        p.send(db)
        stopped_one = level in ("contact", "domain")
        assert p.recipients() == (["abuse@isp1.example"] if stopped_one else [])
        assert states(db)[1] == "approved"
        with db.write() as connection:
            connection.execute(update(t.holds).values(released_at=p.clock()))
        p.send(db)
        assert p.recipients() == ["abuse@isp1.example", "abuse@isp2.example"]


def test_stale_and_excluded_cases_leave_the_letter_with_both_hashes_kept(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2, cases=3)
        with db.write() as connection:
            address = connection.execute(select(t.targets.c.address).where(t.targets.c.id == 1)).scalar_one()
            excluded = {"first_address": address, "last_address": address, "reason": "own", "by": "person:1"}
            connection.execute(insert(t.exclusions).values(at=p.clock(), **excluded))
            old = p.clock() - timedelta(hours=73)
            connection.execute(update(t.cases).where(t.cases.c.id == 2).values(exposure_at=old))
        before = letters(db)[1]["sha256"]
        p.send(db)
        assert p.rewrites == [1]
    dropped = query(db, "SELECT case_id, dropped_why FROM notice_cases WHERE dropped_at IS NOT NULL ORDER BY case_id")
    assert [(row["case_id"], row["dropped_why"]) for row in dropped] == [(1, "excluded"), (2, "stale")]
    [event] = query(db, "SELECT data FROM events WHERE what = 'letter.shrunk'")
    after = letters(db)[1]["sha256"]
    assert bytes(before).hex() in event["data"]
    assert bytes(after).hex() in event["data"]
    assert bytes(before) != bytes(after)
    assert [row["state"] for row in query(db, "SELECT state FROM cases ORDER BY id")] == ["resolved"] * 2 + [
        "noticed"
    ] * 4


def test_a_letter_without_a_case_left_is_withdrawn(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1, cases=2)
        p.clock.now += timedelta(hours=73)
        p.send(db)
        assert p.recipients() == []
    assert [(row["state"], row["reason"]) for row in letters(db).values()] == [("withdrawn", "no_case_left")]


def test_a_wave_that_is_not_released_is_not_sent(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2, state=WaveState.RENDERED)
        assert p.send(db).tally == {}
        assert p.recipients() == []


def test_a_wave_whose_approval_no_longer_holds_is_refused(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        p.objection = "a signature is gone"
        with pytest.raises(RefusedBySafety) as refused:
            p.send(db)
        assert refused.value.why == "a signature is gone"
        assert p.recipients() == []


def test_a_letter_whose_bytes_are_not_those_approved_is_refused(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 2)
        with db.write() as connection:
            other = connection.execute(select(t.letters.c.sha256).where(t.letters.c.id == 2)).scalar_one()
            connection.execute(update(t.letters).where(t.letters.c.id == 1).values(sha256=other))
        with pytest.raises(Exception, match="not the one that was approved"):
            p.send(db)
        assert p.recipients() == []


def test_a_relay_that_refuses_us_ends_the_run_and_leaves_the_letters(db: Database, post: Any) -> None:
    with post({"*": Rule("answer", "mail", "550 5.7.1 we do not know you")}) as p:
        wave_of_letters(db, p.clock(), 6)
        with pytest.raises(TryAgain, match="The relay refuses us"):
            p.send(db)
        assert set(states(db)) == {"approved"}
        assert p.recipients() == []


def test_a_relay_that_is_down_ends_the_run_and_leaves_the_letters(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        p.server.port = 1
        with pytest.raises(TryAgain):
            p.send(db)
    assert set(states(db)) == {"approved"}


def test_the_rate_is_kept_by_slots_that_every_worker_shares(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 5)
        p.rate = 0.001
        outcome = p.send(db)
        assert outcome.tally == {"handed": 1}
        assert (outcome.left, outcome.why) == (4, "mail:all/second")
        assert outcome.wait is not None
        assert outcome.wait > p.clock() + timedelta(seconds=900)
        p.clock.now += timedelta(seconds=500)
        assert p.send(db).tally == {}
        p.clock.now += timedelta(seconds=500)
        assert p.send(db).tally == {"handed": 1}


def test_what_a_dead_worker_left_goes_back_without_a_dot_and_is_uncertain_with_one(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        with db.write() as connection:
            dead = workers.register(connection, "gone", 1, planner=False, now=p.clock())
            for letter, dot in ((1, None), (2, p.clock())):
                held = update(t.letters).where(t.letters.c.id == letter)
                connection.execute(held.values(state="claimed", worker_id=dead, claim=1, attempts=1))
                attempt = {
                    "letter_id": letter,
                    "number": 1,
                    "worker_id": dead,
                    "head": b"",
                    "sha256": b"",
                    "dot_at": dot,
                }
                who = {"sender": "s", "recipient": "r", "started_at": p.clock()}
                connection.execute(insert(t.attempts).values(**attempt, **who))
        assert p.send(db).tally == {"handed": 1}
        assert states(db) == ["claimed", "claimed", "handed"]
        p.clock.now += timedelta(seconds=31)
        assert p.send(db).tally == {"handed": 1}
        assert states(db) == ["handed", "uncertain", "handed"]
        assert p.recipients() == ["abuse@isp1.example", "abuse@isp3.example"]


def test_a_worker_whose_lease_was_taken_stops_before_the_dot(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 1)

        def steal(_what: str, _done: int, _total: int) -> None:
            """Called between the claim and the dot."""
            with db.write() as connection:
                connection.execute(update(t.letters).values(claim=99))

        with pytest.raises(LeaseLost):
            p.send(db, progress=steal)
        assert p.recipients() == []


def test_two_workers_at_once_send_each_letter_once(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 30)
        url = db.engine.url.render_as_string(hide_password=False)
        others = [Database(url), Database(url)]
        both = [threading.Thread(target=p.send, args=(other,)) for other in others]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        for other in others:
            other.close()
        assert Counter(p.recipients()) == {f"abuse@isp{n}.example": 1 for n in range(1, 31)}
    assert states(db) == ["handed"] * 30
