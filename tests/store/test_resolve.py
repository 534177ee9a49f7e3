"""What resolve reads and writes: whole blocks of due cases, networks that answer, contacts and candidates."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import Connection, func, select, update

from pipeline.domain import Address, Answer, Candidate, CaseState, ContactState, NetworkAnswer, Outcome
from pipeline.store import budgets, contacts, netblocks, who, workers
from pipeline.store import resolve as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.lives import Lease
from pipeline.store.netblocks import Known, Learnt
from pipeline.store.resolve import Settled
from tests import cases as seed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text: str) -> Address:
    return ip_address(text)


def learnt(
    now: datetime,
    first: str,
    last: str,
    mailboxes: Sequence[str] = ("abuse@one.example",),
    expires_at: datetime | None = None,
    outcome: Outcome = Outcome.CONTACTS,
) -> Learnt:
    kept = [Candidate(m, m.capitalize(), 1, n, 90, "role", "entities[0]") for n, m in enumerate(mailboxes)]
    bad = Candidate("Nobody", "Nobody", 1, len(kept), 0, "role", "entities[1]", "malformed")
    answer = NetworkAnswer(outcome, handle="NET", cached=(at(first), at(last)), candidates=(*kept, bad))
    raw = Answer(f"https://rdap.example/ip/{first}", 200, "application/rdap+json", b"{}", now)
    return Learnt(answer, tuple(kept), raw, expires_at or now + DAY)


def learn(db: Database, now: datetime, *items: Learnt) -> list[Known]:
    with db.write() as connection:
        return netblocks.learn(connection, items, now)


def claim(
    connection: Connection, worker: int, now: datetime, blocks: int | None = None
) -> tuple[Lease, list[store.DueCase]]:
    return store.claim_blocks(connection, worker, now, store.due_blocks(connection, now)[:blocks])


def given(network: Known) -> Settled:
    link = next(iter(network.links), None)
    contact = link.contact_id if link is not None else None
    return Settled(network.netblock_id, network.contact, contact, network.outcome, network.expires_at)


def known(db: Database, now: datetime, *blocks: str) -> list[int]:
    with db.read() as connection:
        return [one.netblock_id for one in netblocks.known_in(connection, [at(block) for block in blocks], now)]


# --- claims ----------------------------------------------------------------------------------------------------------


def test_cases_are_claimed_by_whole_blocks_those_of_the_most_cases_first(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    texts = ("203.0.113.1", "192.0.2.1", "2001:db8::1", "192.0.2.9", "192.0.2.5")
    seed.cases(db, now, campaign, map(at, texts))
    seed.cases(db, now, campaign, [at("192.0.2.77")], due_at=now + HOUR)
    seed.cases(db, now, campaign, [at("192.0.2.78")], state=CaseState.RESOLVED.value)
    worker = seed.worker(db, now)
    with db.write() as connection:
        assert store.due_count(connection, now) == 5
        assert list(map(str, store.due_blocks(connection, now))) == ["192.0.0.0", "203.0.0.0", "2001:db8::"]
        lease, first = claim(connection, worker, now, 1)
        assert sorted(case.id for case in first) == [2, 4, 5]
        assert lease.claims == {2: 1, 4: 1, 5: 1}
        assert {(str(case.block), case.topic, case.minimum_level) for case in first} == {("192.0.0.0", "open_proxy", 0)}
        _, rest = claim(connection, worker, now)
        assert sorted(case.id for case in rest) == [1, 3]
        assert claim(connection, worker, now) == (Lease(worker, {}), [])


def test_a_block_is_left_to_the_living_worker_that_holds_a_case_of_it(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [at("192.0.2.1")])
    worker, other = seed.worker(db, now), seed.another_worker(db, now)
    with db.write() as connection:
        claim(connection, worker, now)
    seed.cases(db, now, campaign, [at("192.0.2.2"), at("198.51.100.1")])
    with db.write() as connection:
        assert [str(block) for block in store.due_blocks(connection, now)] == ["198.51.0.0"]
        blocks = [at("192.0.0.0"), at("198.51.0.0")]  # as a list that was made before
        assert [case.id for case in store.claim_blocks(connection, other, now, blocks)[1]] == [3]
        assert store.claim_blocks(connection, other, now, blocks)[1] == []
        workers.end(connection, worker, now)
        assert [case.id for case in store.claim_blocks(connection, other, now, blocks)[1]] == [1, 2]


def test_what_another_worker_has_taken_since_is_neither_settled_nor_put_off(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [at(f"192.0.2.{n}") for n in range(1, 5)])
    worker = seed.worker(db, now)
    with db.write() as connection:
        lease, _ = claim(connection, worker, now)
        connection.execute(update(t.cases).where(t.cases.c.id.in_([2, 4])).values(claim=9))
    [network] = learn(db, now, learnt(now, "192.0.2.0", "192.0.2.255"))
    with db.write() as connection:
        store.settle(connection, {1: given(network), 2: given(network)}, lease, now, "tocsin")
        store.put_off(connection, [3, 4], lease, now + HOUR)
    found = seed.all_cases(db)
    assert [case["state"] for case in found] == ["resolved", "seen", "seen", "seen"]
    assert [case["due_at"] for case in found] == [now, now, now + HOUR, now]
    assert [case["worker_id"] for case in found] == [None, worker, None, worker]


def test_cases_without_a_contact_end_with_the_outcome_as_the_reason(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [at("192.0.2.1"), at("192.0.2.2"), at("10.0.0.1")])
    worker = seed.worker(db, now)
    with db.write() as connection:
        lease, _ = claim(connection, worker, now)
    none, nowhere = learn(
        db,
        now,
        learnt(now, "192.0.2.1", "192.0.2.1", (), outcome=Outcome.NO_CONTACT),
        learnt(now, "192.0.2.2", "192.0.2.2", (), outcome=Outcome.NOT_FOUND),
    )
    with db.write() as connection:
        store.settle(connection, {1: given(none), 2: given(nowhere)}, lease, now, "tocsin")
        store.settle_special(connection, {3: "private"}, lease, now, "tocsin")
    found = seed.all_cases(db)
    assert [case["event"] for case in found] == [
        ("case.no_contact", "no_contact"),
        ("case.no_contact", "not_found"),
        ("case.no_contact", "special:private"),
    ]
    assert {(case["state"], case["worker_id"]) for case in found} == {("no_contact", None)}
    assert [case["due_at"] for case in found] == [now + DAY, now + DAY, None]  # when the answers hold no longer
    assert [case["netblock_id"] for case in found] == [none.netblock_id, nowhere.netblock_id, None]


def test_a_contact_that_is_looked_up_anew_stays_or_gives_way(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, [at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3"), at("192.0.2.4")])
    worker = seed.worker(db, now)
    old, new = (learnt(now, "192.0.2.0", "192.0.2.255", (f"{who}@one.example",)) for who in ("old", "new"))
    [network] = learn(db, now, old)
    with db.write() as connection:
        lease, _ = claim(connection, worker, now)
        store.settle(connection, dict.fromkeys(range(1, 5), given(network)), lease, now, "tocsin")
        assert store.due_count(connection, now) == 0
        connection.execute(update(t.cases).where(t.cases.c.id == 4).values(contact_due_at=now + 2 * DAY))
    later = now + DAY
    [same, other] = learn(db, later, old)[0], learn(db, later, new)[0]
    with db.write() as connection:
        lease, due = claim(connection, worker, later)
        assert sorted(case.id for case in due) == [1, 2, 3]
        nobody = Settled(other.netblock_id, None, None, Outcome.NO_CONTACT, later + DAY)
        store.settle(connection, {1: given(same), 2: given(other), 3: nobody}, lease, later, "tocsin")
    found = seed.all_cases(db)[:3]
    assert [(case["state"], case["event"]) for case in found] == [
        ("resolved", ("case.contact_found", "")),
        ("resolved", ("case.next_contact", "looked-up-anew")),
        ("no_contact", ("case.no_contact", "no_contact")),
    ]
    assert [case["contact_due_at"] for case in found] == [same.expires_at, other.expires_at, None]
    assert found[2]["due_at"] == later + DAY


# --- networks --------------------------------------------------------------------------------------------------------


def test_known_networks_come_narrowest_first_and_of_equal_ones_the_newest(db: Database, now: datetime) -> None:
    wide = learnt(now, "192.0.2.0", "192.0.2.255")
    narrow = learnt(now, "192.0.2.64", "192.0.2.79")
    six = learnt(now, "2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff")
    equal = learnt(now, "192.0.2.16", "192.0.2.31")
    old = learnt(now, "192.0.2.0", "192.0.2.127", expires_at=now)
    learn(db, now, wide, narrow, six, equal, old)
    assert known(db, now, "192.0.0.0") == [4, 2, 1]  # and not what has expired
    assert known(db, now, "2001:db8::") == [3]
    assert known(db, now, "2001:db8::", "192.0.0.0") == [4, 2, 1, 3]
    assert known(db, now, "198.51.0.0") == []
    assert known(db, now) == []


def test_blocks_that_lie_far_apart_are_read_apart(db: Database, now: datetime) -> None:
    learn(db, now, learnt(now, "192.0.2.0", "192.0.2.255"), learnt(now, "198.51.100.0", "198.51.100.255"))
    learn(db, now, learnt(now, "203.0.113.0", "203.0.113.255"))
    assert known(db, now, "192.0.0.0", "203.0.0.0") == [3, 1]
    assert known(db, now, "192.0.0.0", "192.1.0.0") == [1]


def test_a_newer_answer_for_the_same_range_ends_the_older_and_no_other(db: Database, now: datetime) -> None:
    learn(db, now, learnt(now, "192.0.2.0", "192.0.2.255"), learnt(now, "192.0.2.0", "192.0.2.15"))
    [network] = learn(db, now + HOUR, learnt(now, "192.0.2.0", "192.0.2.255", ("abuse@two.example",)))
    assert known(db, now, "192.0.0.0") == [2, network.netblock_id]
    with db.read() as connection:
        ends = connection.execute(select(t.netblocks.c.valid_to).order_by(t.netblocks.c.id)).scalars().all()
    assert ends == [now + HOUR, None, None]


def test_contacts_and_raw_answers_are_stored_once(db: Database, now: datetime) -> None:
    one = learnt(now, "192.0.2.0", "192.0.2.255")
    networks = learn(db, now, one, replace(one, expires_at=now + HOUR), learnt(now, "198.51.100.0", "198.51.100.255"))
    learn(db, now, one)
    with db.read() as connection:
        kept = select(t.contacts.c.mailbox, t.contacts.c.spelling, t.contacts.c.state)
        assert [tuple(row) for row in connection.execute(kept)] == [
            ("abuse@one.example", "Abuse@one.example", ContactState.UNTESTED)
        ]
        assert connection.execute(select(func.count()).select_from(t.raw_answers)).scalar_one() == 2
        links = select(t.netblock_contacts).where(t.netblock_contacts.c.netblock_id == networks[0].netblock_id)
        good, bad = connection.execute(links.order_by(t.netblock_contacts.c.rank)).all()
    assert networks[0].contact == good.id
    assert (good.candidate, good.contact_id, good.rejected) == ("abuse@one.example", 1, "")
    assert (bad.candidate, bad.contact_id, bad.rejected) == ("Nobody", None, "malformed")


def test_the_best_contact_is_the_first_whose_mailbox_is_not_dead(db: Database, now: datetime) -> None:
    item = learnt(now, "192.0.2.0", "192.0.2.255", ("abuse@one.example", "noc@one.example"))
    [network] = learn(db, now, item)
    with db.write() as connection:
        dead = update(t.contacts).values(state=ContactState.DEAD.value)
        connection.execute(dead.where(t.contacts.c.mailbox == "abuse@one.example"))
        [again] = netblocks.known_in(connection, [at("192.0.0.0")], now)
        assert again.contact == (network.contact or 0) + 1
        connection.execute(dead)
        [all_dead] = netblocks.known_in(connection, [at("192.0.0.0")], now)
    assert all_dead.contact == network.contact
    [fresh] = learn(db, now, learnt(now, "198.51.100.0", "198.51.100.255", ("abuse@one.example", "new@one.example")))
    with db.read() as connection:
        link = select(t.netblock_contacts.c.candidate).where(t.netblock_contacts.c.id == fresh.contact)
        assert connection.execute(link).scalar_one() == "new@one.example"


def test_an_answer_without_a_range_cannot_be_stored(db: Database, now: datetime) -> None:
    item = learnt(now, "192.0.2.0", "192.0.2.255")
    with pytest.raises(ValueError, match="without a range"):
        learn(db, now, replace(item, answer=replace(item.answer, cached=None)))


@pytest.mark.parametrize(
    ("address", "block"),
    [("192.0.2.1", "192.0.0.0"), ("2001:db8:ffff::1", "2001:db8::"), ("::ffff:192.0.2.1", "::")],
)
def test_a_block_is_a_16_or_a_32(address: str, block: str) -> None:
    assert netblocks.block_of(at(address)) == at(block)


def test_a_budget_is_paused_until_its_next_slot(db: Database, now: datetime) -> None:
    with db.write() as connection:
        budgets.postpone(connection, "rdap:one.example", now + HOUR)
        budgets.postpone(connection, "rdap:two.example", now)
        keys = ("rdap:one.example", "rdap:two.example", "rdap:three.example")
        assert store.paused(connection, keys, now) == {"rdap:one.example": now + HOUR}
        assert store.paused(connection, (), now) == {}


def test_a_postal_address_is_stored_and_read_by_no_command(db: Database, now: datetime) -> None:
    one = learnt(now, "192.0.2.0", "192.0.2.255")
    [known] = learn(db, now, replace(one, answer=replace(one.answer, postal="1 Street\nExampleville\nCanada")))
    with db.read() as connection:
        assert connection.execute(select(t.netblocks.c.postal)).scalar_one() == "1 Street\nExampleville\nCanada"
        shown = who.networks_of(connection, [known.netblock_id])
        shown += who.networks_around(connection, at("192.0.2.7"))
        shown += contacts.networks_meeting(connection, at("192.0.2.0"), at("192.0.2.255"), 10)
    assert [row["handle"] for row in shown] == ["NET"] * 3
    assert not any("postal" in row or "Exampleville" in str(row) for row in shown)
