"""Whose turn it is: limits of the mailbox, its domain, its provider, its campaign and the relay, over all workers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from pipeline.domain import NameQuestion, NameReply
from pipeline.send.mail_servers import MailServers
from pipeline.send.pace import Pace, Rates
from pipeline.send.replies import Scope
from pipeline.send.turns import AHEAD, BREATH, FURTHEST, LOOK_UP, Pacing
from pipeline.store import mail_domains, workers
from pipeline.store import send as store
from pipeline.store import tables as t
from pipeline.store.db import Connection, Database
from pipeline.store.mail_domains import MailDomain
from tests.seed import add, wave_of_letters

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RELAY = "relay.example:25"


class Silent:
    """An edge that is asked and says nothing."""

    def __init__(self) -> None:
        self.asked: list[NameQuestion] = []

    def room(self) -> bool:
        return True

    def ask(self, question: NameQuestion) -> None:
        self.asked.append(question)

    def tell(self, message: NameQuestion) -> None:
        raise AssertionError(message)

    def tell_all(self, messages: Any) -> None:
        raise AssertionError(messages)

    def take(self, timeout: float) -> list[NameReply]:
        return []

    def done(self, count: int = 1) -> None:
        raise AssertionError(count)


def grouped(db: Database, now: datetime, **groups: str) -> None:
    """Keep domains' groups: isp1="google"."""
    with db.write() as connection:
        kept = [MailDomain(f"{name}.example", group, "mx", now, now + DAY) for name, group in groups.items()]
        mail_domains.keep(connection, kept)


def look(db: Database, pacing: Pacing, pace: Pace, now: datetime, limit: int = 50) -> dict[int, datetime]:
    """One claim: returns the slots of the letters that have one, moved on as if they had been claimed."""
    with db.write() as connection:
        found = store.due(connection, [1], now, limit)
        turns = pacing.turns(connection, pace, RELAY, [1], found, now)
        slots: dict[int, datetime] = {}
        for due in found:
            if turns.must_wait(due):
                continue
            slot = turns.take(due)
            if slot is not None:
                slots[due.id] = slot
            elif turns.wait is not None:
                break
        turns.write()
        connection.execute(update(t.letters).where(t.letters.c.id.in_(slots)).values(state="handed"))
    return slots


def waiting(db: Database) -> dict[int, tuple[datetime, str]]:
    with db.read() as connection:
        rows = connection.execute(select(t.letters).where(t.letters.c.reason != "").order_by(t.letters.c.id))
        return {row.id: (row.due_at, row.reason) for row in rows}


def test_letters_to_one_provider_share_its_limit_and_others_go(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 4)
    grouped(db, now, isp1="google", isp2="google", isp3="google")
    pace = Pace(mx_groups={"google": Rates(per_hour=60)})
    assert look(db, Pacing(), pace, now) == {1: now, 4: now}
    minute = timedelta(minutes=1)
    assert waiting(db) == {
        2: (now + minute, "limit:mail:mx:google/hour"),
        3: (now + 2 * minute, "limit:mail:mx:google/hour"),  # behind the other: each is due when its slot comes
    }
    assert look(db, Pacing(), pace, now + minute) == {2: now + minute}  # another run, after a restart
    assert look(db, Pacing(), pace, now + 2 * minute) == {3: now + 2 * minute}


def test_a_domain_of_which_nothing_is_known_is_a_group_of_its_own(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    assert look(db, Pacing(), Pace(mx=Rates(per_hour=1)), now) == {1: now, 2: now}


def test_a_campaign_has_a_limit_of_its_own(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    assert look(db, Pacing(), Pace(campaign=Rates(per_hour=60)), now) == {1: now}
    assert waiting(db) == {2: (now + timedelta(minutes=1), "limit:mail:campaign:1/hour")}


def test_letters_are_put_back_no_further_than_a_limit_may_be_changed_in(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 30)
    grouped(db, now, **{f"isp{n}": "google" for n in range(1, 31)})
    look(db, Pacing(), Pace(mx=Rates(per_hour=60)), now)
    assert max(due for due, _ in waiting(db).values()) == now + timedelta(minutes=1) + FURTHEST


def test_a_mailbox_that_had_a_letter_in_the_last_hour_gets_no_other_of_any_campaign(
    db: Database, now: datetime
) -> None:
    wave_of_letters(db, now, 2)
    with db.write() as connection:
        worker = workers.register(connection, "h", 1, planner=False, now=now)
        _left_before(connection, worker, now - timedelta(minutes=59))
        connection.execute(update(t.letters).where(t.letters.c.id == 2).values(contact_id=1))
    pace = Pace(box_every=HOUR)
    assert look(db, Pacing(), pace, now) == {}
    free = now + timedelta(minutes=1)
    assert waiting(db) == {1: (free, "limit:mail:box/hour"), 2: (free, "limit:mail:box/hour")}
    assert look(db, Pacing(), pace, free) == {1: free}  # and the second not together with the first
    assert waiting(db)[2] == (free + HOUR, "limit:mail:box/hour")


def _left_before(connection: Connection, worker: int, at: datetime) -> None:
    """A third letter, of an earlier notice, that left for contact 1."""
    notice = connection.execute(select(t.notices).where(t.notices.c.id == 1)).mappings().one()
    values = {**notice, "number": 2, "reference": "OTHER", "token_sha256": b"x" * 32}
    del values["id"]
    other = add(connection, t.notices, **values)
    letter = dict(connection.execute(select(t.letters).where(t.letters.c.id == 1)).mappings().one())
    del letter["id"]
    made = add(connection, t.letters, **(letter | {"notice_id": other, "message_id": "<other>", "state": "handed"}))
    attempt = {"letter_id": made, "number": 1, "worker_id": worker, "head": b"", "sha256": b""}
    add(connection, t.attempts, **attempt, sender="s", recipient="r", started_at=at, dot_at=at)


def test_without_a_slot_of_the_relay_no_letter_is_put_back(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 3)
    pacing = Pacing()
    with db.write() as connection:
        found = store.due(connection, [1], now, 9)
        turns = pacing.turns(connection, Pace(relay=Rates(per_day=2)), RELAY, [1], found, now)
        assert [turns.take(due) for due in found] == [now, now, None]
        turns.write()
    midnight = datetime(2026, 3, 2, tzinfo=now.tzinfo)
    assert (turns.wait, turns.why) == (midnight, f"mail:relay:{RELAY}/day")
    assert waiting(db) == {}


def test_the_warm_up_caps_each_day_since_the_first_letter_left_over_the_relay(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 20)
    pace = Pace(warm_up={1: 2, 2: 4, 3: 0})
    first = Pacing()
    assert len(look(db, first, pace, now)) == 2
    assert len(look(db, Pacing(), pace, now + HOUR)) == 0  # a restart changes nothing
    with db.write() as connection:
        worker = workers.register(connection, "h", 1, planner=False, now=now)
        attempt = {"letter_id": 1, "number": 1, "worker_id": worker, "head": b"", "sha256": b""}
        add(connection, t.attempts, **attempt, sender="s", recipient="r", started_at=now, dot_at=now, relay=RELAY)
    assert len(look(db, first, pace, now + DAY)) == 4  # a run that has gone on since
    assert len(look(db, Pacing(), pace, now + 2 * DAY)) == 14


def test_a_domain_that_is_looked_up_is_waited_for_but_not_for_ever(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    grouped(db, now, isp2="google")
    wire = Silent()
    pacing = Pacing(MailServers(wire))
    assert look(db, pacing, Pace(), now) == {2: now}
    assert [question.name for question in wire.asked] == ["isp1.example"]
    assert waiting(db) == {1: (now + LOOK_UP, "limit:dns:isp1.example/lookup")}
    late = now + timedelta(seconds=30)
    assert look(db, pacing, Pace(), late) == {1: late}
    assert len(wire.asked) == 1


@pytest.mark.parametrize("route", ["null_mx", "none", "unknown", "mx"])
@pytest.mark.parametrize("is_old", [False, True])
def test_only_a_domain_that_says_so_today_takes_no_mail(db: Database, now: datetime, route: str, is_old: bool) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        connection.execute(text("UPDATE cases SET state = 'resolved', contact_due_at = NULL"))
        until = now if is_old else now + DAY
        mail_domains.keep(connection, [MailDomain("isp1.example", "isp1.example", route, now - DAY, until)])
        found = store.due(connection, [1], now, 9)
        turns = Pacing().turns(connection, Pace(), RELAY, [1], found, now)
        no_mail = route in ("null_mx", "none") and not is_old
        assert turns.takes_no_mail(found[0]) is no_mail
        due = connection.execute(select(t.cases.c.contact_due_at)).scalar()
    assert due == (now if no_mail else None)  # another contact is looked for


def test_what_a_reply_speaks_of_is_slowed_down_also_without_a_limit_of_its_own(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 3)
    pacing = Pacing()
    assert list(look(db, pacing, Pace(), now, limit=1)) == [1]
    with db.write() as connection:
        connection.execute(text("UPDATE contacts SET mailbox = 'noc@isp1.example' WHERE id = 2"))
        pacing.slow(connection, 1, Scope.RECIPIENT_DOMAIN, 451, RELAY, now)
    assert look(db, pacing, Pace(), now) == {3: now}
    assert waiting(db) == {2: (now + timedelta(minutes=5), "limit:mail:domain:isp1.example/")}
    with db.write() as connection:
        pacing.slow(connection, 3, Scope.RELAY, 454, RELAY, now)
        connection.execute(text("UPDATE letters SET state = 'approved' WHERE id = 3"))
        found = store.due(connection, [1], now, 9)
        turns = pacing.turns(connection, Pace(), RELAY, [1], found, now)
        assert turns.take(found[0]) is None
    assert (turns.wait, turns.why) == (now + timedelta(seconds=60) - AHEAD, f"mail:relay:{RELAY}/")


def test_when_nothing_is_due_it_is_said_what_comes_next_and_a_near_turn_is_waited_for(
    db: Database, now: datetime
) -> None:
    wave_of_letters(db, now, 2)
    grouped(db, now, isp1="google", isp2="google")
    pacing, pace = Pacing(), Pace(mx=Rates(per_minute=1))
    look(db, pacing, pace, now)
    with db.write() as connection:
        turns = pacing.turns(connection, pace, RELAY, [1], [], now)
        turns.write()
        assert (turns.wait, turns.why) == (now + BREATH, "mail:mx:google/minute")
        far = pacing.turns(connection, pace, RELAY, [1], [], now + timedelta(minutes=1))
        far.write()
        assert (far.wait, far.why) == (None, "")
