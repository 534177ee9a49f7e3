"""People's word on contacts: it holds, ends, can be lifted, makes its cases due, and leaves no mailbox in events."""

import json
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.domain import Address, CaseState, NotFound
from pipeline.store import overrides as store
from pipeline.store import resolve, send, stops
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from pipeline.store.overrides import Said, Word
from tests import cases as seed

HOUR = timedelta(hours=1)
NET = (ip_address("192.0.2.0"), ip_address("192.0.2.255"))
NET6 = (ip_address("2001:db8::"), ip_address("2001:db8::ffff"))


def use(mailbox: str = "noc@isp.example", range_: tuple[Address, Address] = NET, **more: Any) -> Said:
    return Said(Word.USE, range_, mailbox, mailbox.replace("noc", "NOC"), "their desk asked", **more)


def reject(mailbox: str = "abuse@one.example", range_: tuple[Address, Address] | None = None) -> Said:
    return Said(Word.REJECT, range_, mailbox, mailbox, "a private person")


def say(db: Database, said: Said, now: datetime) -> int | None:
    with db.write() as connection:
        return store.add(connection, said, now, "person:1")


def in_force(db: Database, now: datetime) -> list[store.Override]:
    with db.read() as connection:
        return store.in_force(connection, now)


def test_the_newest_word_comes_first_and_keeps_its_range_and_spelling(db: Database, now: datetime) -> None:
    first, second, third = (
        say(db, use(), now),
        say(db, use("noc@two.example", NET6), now + HOUR),
        say(db, reject(), now),
    )
    found = in_force(db, now)
    assert [one.id for one in found] == [third, second, first]
    assert (found[1].first, found[1].last, found[1].mailbox, found[1].spelling) == (
        *NET6,
        "noc@two.example",
        "NOC@two.example",
    )
    assert (found[0].first, found[0].verdict, found[0].reason, found[0].by) == (
        None,
        "reject",
        "a private person",
        "person:1",
    )
    assert [one.place for one in found] == ["", "2001:db8::/112", "192.0.2.0/24"]


def test_what_holds_already_is_not_said_again_and_another_range_is_another_word(db: Database, now: datetime) -> None:
    assert say(db, use(), now) is not None
    assert say(db, use(), now) is None
    assert say(db, use(range_=(NET[0], NET[0])), now) is not None
    assert say(db, reject("noc@isp.example"), now) is not None
    with db.read() as connection:
        assert len(rows(connection, select(t.events.c.id))) == 3


def test_a_word_ends_at_its_time_and_may_be_said_anew(db: Database, now: datetime) -> None:
    say(db, use(until=now + HOUR), now)
    assert len(in_force(db, now + HOUR - timedelta(seconds=1))) == 1
    assert in_force(db, now + HOUR) == []
    assert say(db, use(), now + HOUR) is not None


def test_the_same_word_until_another_time_takes_the_older_ones_place(db: Database, now: datetime) -> None:
    say(db, use(until=now + HOUR), now)
    later = say(db, use(until=now + 2 * HOUR), now)
    assert [(one.id, one.until) for one in in_force(db, now)] == [(later, now + 2 * HOUR)]
    assert say(db, use(until=now + 2 * HOUR), now) is None
    for_good = say(db, use(), now)
    assert [(one.id, one.until) for one in in_force(db, now)] == [(for_good, None)]


def test_a_contact_is_set_for_a_range_only(db: Database, now: datetime) -> None:
    with db.write() as connection, pytest.raises(ValueError, match="range"):
        store.add(connection, Said(Word.USE, None, "a@isp.example", "a@isp.example", "x"), now, "person:1")


def test_what_is_lifted_holds_no_longer_and_stays_on_record(db: Database, now: datetime) -> None:
    row = say(db, reject(range_=NET), now)
    with db.write() as connection:
        with pytest.raises(NotFound):
            store.lift(connection, reject(), "", now, "person:2")  # named otherwise than it was said
        assert store.lift(connection, reject(range_=NET), "settled", now + HOUR, "person:2") == [row]
        assert store.listed(connection, now + HOUR) == []
        [kept] = store.listed(connection, now + HOUR, every=True)
    assert (kept.id, kept.at, kept.lifted_at) == (row, now, now + HOUR)


def test_a_mailbox_is_rejected_anywhere_only_by_a_word_without_a_range(db: Database, now: datetime) -> None:
    say(db, reject("a@isp.example"), now)
    say(db, reject("b@isp.example", NET), now)
    say(db, use("c@isp.example"), now)
    with db.read() as connection:
        asked = [f"{name}@isp.example" for name in "abcd"]
        assert send.suppressed(connection, asked, now) == {"a@isp.example": "rejected"}


def test_a_suppression_gives_its_own_reason_where_a_word_rejects_too(db: Database, now: datetime) -> None:
    say(db, reject("a@isp.example"), now)
    say(db, reject("b@other.example"), now)
    with db.write() as connection:
        stops.suppress(connection, stops.Place(domain="isp.example"), stops.Reason.ASKED, "", now, "person:1")
        stops.suppress(connection, stops.Place(mailbox="c@other.example"), stops.Reason.ASKED, "", now, "person:1")
        asked = ["a@isp.example", "b@other.example", "c@other.example", "d@other.example", "e@sub.isp.example"]
        found = send.suppressed(connection, asked, now)
    assert found == {
        "a@isp.example": "asked",
        "b@other.example": "rejected",
        "c@other.example": "asked",
        "e@sub.isp.example": "asked",
    }


def test_words_around_an_address_are_those_of_its_family_that_touch_the_range(db: Database, now: datetime) -> None:
    inner = say(db, use(range_=(NET[0], NET[0])), now)
    outer = say(db, use(), now)
    say(db, use(range_=NET6), now)
    say(db, use(range_=(ip_address("::"), ip_address("ffff::"))), now)
    with db.read() as connection:
        assert [one.id for one in store.around(connection, NET[0], NET[0], now)] == [outer, inner]
        assert [one.id for one in store.around(connection, NET[1], NET[1], now)] == [outer]


def test_events_carry_neither_mailbox_nor_range_nor_reason(db: Database, now: datetime) -> None:
    row = say(db, use(until=now + HOUR), now)
    with db.write() as connection:
        store.lift(connection, use(), "they changed their mind", now, "person:2")
        [added, lifted] = connection.execute(select(t.events).order_by(t.events.c.id)).all()
        kept = {bytes(row.sha256): row.value for row in connection.execute(select(t.texts))}
    assert (added.what, added.subject, added.subject_id, added.by) == ("override.added", "override", row, "person:1")
    assert (lifted.what, lifted.by) == ("override.lifted", "person:2")
    said = json.loads(added.data)
    values = {key: kept[bytes.fromhex(said[key])] for key in ("mailbox", "place", "reason")}
    assert values == {"mailbox": "noc@isp.example", "place": "192.0.2.0/24", "reason": "their desk asked"}
    assert (said["verdict"], said["cases"]) == ("use", 0)
    assert not any(word in added.data + lifted.data for word in ("isp.example", "192.0.2", "desk", "mind"))


def test_the_revision_changes_with_every_word_that_comes_is_lifted_or_ends(db: Database, now: datetime) -> None:
    seen: list[object] = []

    def look(at: datetime) -> None:
        with db.read() as connection:
            seen.append(store.revision(connection, at))

    look(now)
    say(db, use(until=now + HOUR), now)
    look(now)
    say(db, reject(), now)
    look(now)
    with db.write() as connection:
        store.lift(connection, reject(), "", now, "person:1")
    look(now)
    look(now + HOUR)
    assert len(set(seen)) == 5
    look(now + HOUR)
    assert seen[-1] == seen[-2]


# --- the cases concerned ---------------------------------------------------------------------------------------------


def due(db: Database) -> dict[str, tuple[Any, Any]]:
    return {str(case["address"]): (case["due_at"], case["contact_due_at"]) for case in seed.all_cases(db)}


def everyone(db: Database, now: datetime) -> None:
    """Cases in three networks: one that waits for its letter, one without a contact, one that was told."""
    campaign = seed.campaign(db, now)
    seed.ready(db, now, campaign, "abuse@one.example", [ip_address("192.0.2.1"), ip_address("192.0.2.200")])
    seed.ready(db, now, campaign, "abuse@two.example", [ip_address("198.51.100.1")])
    seed.cases(db, now, campaign, [ip_address("192.0.2.9")], state=CaseState.NO_CONTACT.value, due_at=None)
    seed.cases(db, now, campaign, [ip_address("2001:db8::9")])
    [told] = seed.ready(db, now, campaign, "abuse@three.example", [ip_address("192.0.2.3")])
    with db.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id == told).values(state=CaseState.NOTICED.value))
        wide = update(t.netblocks).where(t.netblocks.c.first_address == ip_address("192.0.2.1"))
        connection.execute(wide.values(last_address=NET[1]))


def test_a_contact_that_is_set_makes_the_cases_of_its_range_due_for_another_look(db: Database, now: datetime) -> None:
    everyone(db, now)
    before, later = due(db), now + HOUR
    say(db, use(range_=(ip_address("192.0.2.0"), ip_address("192.0.2.127"))), later)
    changed = {address: when for address, when in due(db).items() if when != before[address]}
    assert changed == {"192.0.2.1": (before["192.0.2.1"][0], later), "192.0.2.9": (later, None)}
    say(db, use(range_=NET6), later)
    assert due(db)["2001:db8::9"] == (later, None)


def test_a_rejection_makes_the_cases_due_whose_network_names_the_mailbox(db: Database, now: datetime) -> None:
    everyone(db, now)
    later = now + HOUR
    say(db, reject(range_=(ip_address("192.0.2.128"), ip_address("192.0.2.255"))), later)
    assert {address for address, (_, looked) in due(db).items() if looked} == {"192.0.2.200"}
    say(db, reject(), later)
    assert {address for address, (_, looked) in due(db).items() if looked} == {"192.0.2.1", "192.0.2.200"}
    with db.write() as connection:
        store.lift(connection, reject(), "", later + HOUR, "person:1")
    assert due(db)["192.0.2.1"][1] == later + HOUR


def test_cases_of_closed_campaigns_are_left_alone(db: Database, now: datetime) -> None:
    everyone(db, now)
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(closed_at=now))
        assert store.concerned(connection, use()) == store.concerned(connection, reject()) == []


def test_what_was_found_before_the_word_came_is_not_written_down_after_it(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [ip_address("192.0.2.1")])
    worker = seed.worker(db, now)
    with db.write() as connection:
        lease, [case] = resolve.claim_blocks(connection, worker, now, resolve.due_blocks(connection, now))
    say(db, use(), now)
    with db.write() as connection:
        resolve.settle_special(connection, {case.id: "private"}, lease, now, "tocsin")
    [kept] = seed.all_cases(db)
    assert (kept["state"], kept["worker_id"], kept["due_at"]) == (CaseState.SEEN, None, now)
