"""A campaign is held when the relay or its recipients say that something is wrong; a wave after its first letters."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from pipeline.domain import Event, TryAgain, WaveState
from pipeline.sandbox.mail_rules import POLICY, REFUSE, Rule, defer
from pipeline.send import watch
from pipeline.send.brakes import BrakeSettings
from pipeline.send.canary import CanarySettings
from pipeline.send.run import SendSettings
from pipeline.store import brakes, holds, lives, waves, workers
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from pipeline.store.holds import Scope
from tests.seed import wave_of_letters
from tests.send.conftest import Post, states

RULES = BrakeSettings(floor=10, breaker=4)
FIRST = CanarySettings(share=0.01, least=3, ramp_share=0)
NOT_OURS = Rule("answer", "mail", "550 5.1.8 Your domain does not exist")


def settings(p: Post, **changes: Any) -> SendSettings:
    given: dict[str, Any] = {"brakes": RULES, "canary": None, "rate": 0.0, **changes}
    return SendSettings("bounces@agency.example", "relay", 4, given["rate"], 0, 0.0, p.fresh_for, p.guests,
                        brakes=given["brakes"], canary=given["canary"])  # fmt: skip


def refusing(count: int, rule: Rule = REFUSE) -> Mapping[str, Rule]:
    return {f"abuse@isp{n}.example": rule for n in range(1, count + 1)}


def query(db: Database, sql: str) -> list[dict[str, Any]]:
    with db.read() as connection:
        return rows(connection, text(sql))


def placed(db: Database) -> list[dict[str, Any]]:
    return query(db, "SELECT * FROM holds ORDER BY id")


def told(db: Database, what: str) -> list[tuple[str, Any]]:
    found = [row for row in query(db, "SELECT what, why, data FROM events ORDER BY id") if row["what"] == what]
    return [(row["why"], {k: v for k, v in json.loads(row["data"]).items() if k in ("count", "of")}) for row in found]


def release(db: Database, now: datetime) -> None:
    with db.write() as connection:
        holds.release(connection, Scope(1), "spoken to them", now, "person:1")


def approve_more(db: Database, now: datetime, ids: tuple[int, ...]) -> None:
    """Letters as they would be in a further wave: approved, and due."""
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id.in_(ids)).values(state="approved", due_at=None))
        connection.execute(text("UPDATE waves SET state = 'sending'"))


def test_refusals_at_mail_by_run_after_run_hold_the_campaign_with_the_relays_words(db: Database, post: Any) -> None:
    with post({"*": NOT_OURS}) as p:
        wave_of_letters(db, p.clock(), 8)
        for _ in range(4):
            if placed(db):
                break
            with pytest.raises(TryAgain):
                p.send(db, settings=settings(p))
            p.clock.now += timedelta(minutes=1)
        [hold] = placed(db)
        assert (hold["campaign_id"], hold["wave_id"], hold["by"]) == (1, None, "system:brakes")
        assert hold["reason"] == "550 5.1.8 Your domain does not exist"
        [(why, data)] = told(db, "hold.placed")
        assert why == "brakes.us"
        assert data["count"] >= 4
        assert p.send(db, settings=settings(p)).tally == {}  # nothing goes, and no run fails any longer
        assert set(states(db)) == {"approved"}


def test_a_relay_that_is_down_or_busy_holds_nothing(db: Database, post: Any) -> None:
    with post({"*": Rule("answer", "mail", "452 4.3.1 Insufficient storage")}) as p:
        wave_of_letters(db, p.clock(), 8)
        for _ in range(3):
            with pytest.raises(TryAgain):
                p.send(db, settings=settings(p))
            p.clock.now += timedelta(minutes=1)
    assert placed(db) == []


def test_too_many_refusals_hold_the_campaign_and_what_is_left_stays(db: Database, post: Any) -> None:
    with post(refusing(3)) as p:
        wave_of_letters(db, p.clock(), 10)
        p.send(db, settings=settings(p))
    assert [(row["by"], row["reason"]) for row in placed(db)] == [("system:brakes", "550 5.1.1 No such mailbox here")]
    assert told(db, "hold.placed") == [("brakes.refused", {"count": 3, "of": 10})]


def test_refusals_by_policy_hold_sooner_than_others(db: Database, post: Any) -> None:
    with post(refusing(1, POLICY)) as p:
        wave_of_letters(db, p.clock(), 20)
        p.send(db, settings=settings(p))
    assert told(db, "hold.placed") == [("brakes.policy", {"count": 1, "of": 20})]


def test_fewer_refusals_leave_one_warning_however_often_it_is_looked(db: Database, post: Any) -> None:
    with post(refusing(2)) as p:
        wave_of_letters(db, p.clock(), 10)
        p.send(db, settings=settings(p))
        p.send(db, settings=settings(p))
    assert placed(db) == []
    assert told(db, "campaign.warned") == [("brakes.refused", {"count": 2, "of": 10})]
    with db.read() as connection:
        [warning] = brakes.warnings(connection, [1])
    assert (warning["code"], warning["data"]["count"]) == ("refused", 2)


def test_below_the_floor_nothing_is_said(db: Database, post: Any) -> None:
    with post(refusing(9)) as p:
        wave_of_letters(db, p.clock(), 9)
        p.send(db, settings=settings(p))
    assert (placed(db), told(db, "campaign.warned")) == ([], [])


def test_what_a_person_has_released_is_not_held_again_for_the_same_letters(db: Database, post: Any) -> None:
    with post(refusing(16)) as p:
        wave_of_letters(db, p.clock(), 22)
        with db.write() as connection:  # 12 letters first, of which all are refused
            connection.execute(text("UPDATE letters SET state = 'withdrawn' WHERE id > 12"))
        p.send(db, settings=settings(p))
        assert len(placed(db)) == 1
        p.clock.now += timedelta(minutes=1)
        release(db, p.clock())
        p.clock.now += timedelta(minutes=1)
        approve_more(db, p.clock(), (17, 18, 19, 20, 21, 22))
        assert p.send(db, settings=settings(p)).tally == {"handed": 6}
        assert len(placed(db)) == 1  # 12 of 18 were refused, but 0 of 6 since
        approve_more(db, p.clock(), (13, 14, 15, 16))
        p.send(db, settings=settings(p))
    assert told(db, "hold.placed") == [
        ("brakes.refused", {"count": 12, "of": 12}),
        ("brakes.refused", {"count": 4, "of": 10}),
    ]


def test_a_warning_ends_with_the_release_of_a_hold(db: Database, post: Any) -> None:
    with post(refusing(2)) as p:
        wave_of_letters(db, p.clock(), 10)
        p.send(db, settings=settings(p))
        with db.write() as connection:
            p.clock.now += timedelta(minutes=1)
            assert not brakes.warn(connection, 1, "refused", {}, p.clock())
            brakes.brake(connection, 1, "refused", {"count": 9, "of": 10}, "", p.clock())
        p.clock.now += timedelta(minutes=1)
        release(db, p.clock())
        with db.write() as connection:
            assert brakes.warnings(connection, [1]) == []
            p.clock.now += timedelta(minutes=1)
            assert brakes.warn(connection, 1, "refused", {"count": 2, "of": 10}, p.clock())


def test_letters_that_come_back_count_as_refused(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 12)
        with db.write() as connection:
            later = update(t.letters).where(t.letters.c.id == 12).values(due_at=p.clock() + timedelta(days=1))
            connection.execute(later)
        p.send(db, settings=settings(p))
        with db.write() as connection:
            lives.advance(connection, [1, 2, 3, 4], Event.LETTER_BOUNCED, p.clock(), "system:test")
        assert p.send(db, settings=settings(p)).left == 1
    assert told(db, "hold.placed") == [("brakes.refused", {"count": 4, "of": 11})]


def test_a_complaint_that_a_person_wrote_down_counts_when_it_came_after_the_letter(db: Database, post: Any) -> None:
    def complain(n: int, **more: Any) -> None:
        values = {"mailbox": f"abuse@isp{n}.example", "reason": "complaint", "by": "person:1", "at": p.clock(), **more}
        with db.write() as connection:
            connection.execute(insert(t.suppressions).values(**values))

    with post() as p:
        wave_of_letters(db, p.clock(), 12)
        complain(12)  # before any letter: it is not sent to them
        complain(11, lifted_at=p.clock())  # before the letter, and settled with them
        p.clock.now += timedelta(minutes=1)
        p.send(db, settings=settings(p))
        assert placed(db) == []
        with db.write() as connection:
            connection.execute(text("UPDATE waves SET state = 'sending'"))
        complain(3)
        p.send(db, settings=settings(p))
    assert told(db, "hold.placed") == [("brakes.complaints", {"count": 1, "of": 11})]


def test_a_person_s_hold_stays_when_that_of_the_brakes_is_released(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        assert brakes.brake(connection, 1, "us", {"count": 10, "of": 10}, "535 no", now) == 1
        assert brakes.brake(connection, 1, "us", {"count": 11, "of": 11}, "535 no", now) is None
        assert brakes.pause(connection, 1, 1, 20, 100, now) == 2
        assert holds.hold(connection, Scope(1, 1), "wait", now, "person:1") == 3
        assert holds.hold(connection, Scope(1, 1), "wait", now, "person:2") is None
        assert brakes.go_on(connection, 1, 1, now, "person:1") == [2]
        assert [(row["id"], row["code"], row["data"]) for row in holds.held(connection)] == [
            (1, "brakes.us", {"count": 10, "of": 10}),
            (3, "asked", {}),
        ]


# --- the first letters of a wave -------------------------------------------------------------------------------------


def test_a_wave_is_held_after_its_first_letters_until_a_person_lets_it_go_on(db: Database, post: Any) -> None:
    rules = {"abuse@isp1.example": REFUSE, "abuse@isp2.example": defer(1)}
    with post(rules) as p:
        wave_of_letters(db, p.clock(), 10)
        outcome = p.send(db, settings=settings(p, canary=FIRST))
        assert outcome.tally == {"refused": 1, "deferred": 1, "handed": 1}
        assert states(db)[:3] == ["refused", "deferred", "handed"]
        [hold] = placed(db)
        assert (hold["wave_id"], hold["by"]) == (1, "system:canary")
        assert told(db, "hold.placed") == [("canary", {"count": 3, "of": 10})]
        p.clock.now += timedelta(minutes=10)
        assert p.send(db, settings=settings(p, canary=FIRST)).tally == {}  # not even the one that is tried again
        with db.write() as connection:
            assert brakes.answered(connection, 1)[0] == ("abuse@isp1.example", "refused")
            brakes.go_on(connection, 1, 1, p.clock(), "person:1")
        assert p.send(db, settings=settings(p, canary=FIRST)).tally == {"handed": 8}
        assert len(placed(db)) == 1
    with db.read() as connection:
        assert waves.by_id(connection, 1)["state"] == WaveState.DONE


def test_a_wave_as_small_as_its_first_letters_goes_without_a_pause(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        assert p.send(db, settings=settings(p, canary=FIRST)).tally == {"handed": 3}
    assert placed(db) == []


def test_letters_withdrawn_at_the_gate_are_none_of_the_first(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 10)
        p.guests = tuple(f"isp{n}.example" for n in (5, 6, 7, 8))
        p.send(db, settings=settings(p, canary=FIRST))
        assert p.recipients() == [f"abuse@isp{n}.example" for n in (5, 6, 7)]
        assert len(placed(db)) == 1


def test_letters_given_back_untried_are_none_of_the_first(db: Database, post: Any) -> None:
    rules = {"*": Rule("answer", "mail", "452 4.3.1 Insufficient storage")}
    with post(rules) as p:
        wave_of_letters(db, p.clock(), 10)
        with pytest.raises(TryAgain):
            p.send(db, settings=settings(p, canary=FIRST, brakes=None))
        assert placed(db) == []
        rules.clear()
        p.clock.now += timedelta(minutes=1)
        p.send(db, settings=settings(p, canary=FIRST, brakes=None))
        assert len(p.recipients()) == 3
        assert len(placed(db)) == 1


def test_two_workers_send_no_more_first_letters_than_one(db: Database, post: Any) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 10)
        with db.write() as connection:  # another worker has two of them under way
            lives.advance(connection, [1, 2], Event.LETTER_CLAIMED, p.clock(), "tocsin")
            worker = workers.register(connection, "other", 2, planner=False, now=p.clock())
            connection.execute(update(t.letters).where(t.letters.c.id < 3).values(worker_id=worker))
        p.send(db, settings=settings(p, canary=FIRST))
        assert p.recipients() == ["abuse@isp3.example"]
        assert placed(db) == []  # the other's letters are waited for


def test_after_a_person_s_word_the_pace_begins_low_and_doubles(db: Database, post: Any) -> None:
    rules = replace(FIRST, ramp_share=0.25)
    with post() as p:
        wave = wave_of_letters(db, p.clock(), 10)
        p.send(db, settings=settings(p, canary=rules))
        with db.write() as connection:
            brakes.go_on(connection, 1, wave, p.clock(), "person:1")
            sending = {row["id"]: row for row in waves.sending(connection)}
            with p.edge() as wire:
                run = p.sending(db, wire, 1, settings=settings(p, canary=rules, rate=8.0))
                assert watch.rooms(run, connection, sending, p.clock()) == {}
                paces = [watch.eased(run, [wave, 9], p.clock() + timedelta(minutes=m)) for m in (0, 9, 10, 20)]
                unlimited = p.sending(db, wire, 1, settings=settings(p, canary=rules), watch=run.watch)
                assert watch.eased(unlimited, [wave], p.clock()) == {}
    assert [{wave: one.campaign.per_second for wave, one in each.items()} for each in paces] == [
        {1: 2.0},
        {1: 2.0},
        {1: 4.0},
        {},
    ]
    assert paces[0][wave].every.per_second == 8.0  # of all campaigns together


def test_a_wave_that_begins_slowly_leaves_at_that_pace(db: Database, post: Any) -> None:
    rules = replace(FIRST, ramp_share=0.25)
    with post() as p:
        wave_of_letters(db, p.clock(), 6)
        p.send(db, settings=settings(p, canary=rules))
        with db.write() as connection:
            brakes.go_on(connection, 1, 1, p.clock(), "person:1")
        outcome = p.send(db, settings=settings(p, canary=rules, rate=0.01))
        assert outcome.tally == {"handed": 1}
        assert outcome.why.startswith("mail:campaign:1/")
        with db.read() as connection:
            key = t.budgets.c.key == "mail:campaign:1"
            next_at = connection.execute(select(t.budgets.c.next_at).where(key)).scalar_one()
        assert next_at == p.clock() + timedelta(seconds=400)  # a quarter of one in 100 s
