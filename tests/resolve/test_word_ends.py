"""What a person said of a contact ends by itself: what rests on it holds no longer, and is looked at again by itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.domain import CaseState
from pipeline.resolve.run import Result, resolve
from pipeline.sandbox.networks import RdapFault
from pipeline.store import overrides
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.overrides import Said, Word
from pipeline.store.resolve import DueCase
from tests import cases as seed
from tests.resolve.small_internet import Internet, Speaking, clock, internet, network, resolving

DAY = timedelta(days=1)
CHAIN = {"chain": ("network", "parent")}
OWN, ABOVE, NAMED = "abuse@one.example", "abuse@above.example", "abuse@named.example"
NETWORKS = [network("192.0.2.0/28", OWN), network("192.0.2.0/24", ABOVE)]
ONLY = [network("192.0.2.0/28", OWN)]
CASE, BESIDE = "192.0.2.1", "192.0.2.9"


def begin(db: Database, *texts: str) -> int:
    now = clock()
    seed.cases(db, now, seed.campaign(db, now), [ip_address(text) for text in texts])
    return seed.worker(db, now)


def say(db: Database, verdict: Word, mailbox: str, until: datetime | None, first: str = "", last: str = "") -> None:
    within = (ip_address(first), ip_address(last)) if first else None
    with db.write() as connection:
        overrides.add(connection, Said(verdict, within, mailbox, mailbox, "asked", until), clock(), "person:1")


def run(db: Database, net: Internet, worker: int, later: timedelta = timedelta(0), **given: Any) -> Result:
    """Run resolve as if so much time had passed."""
    with resolving(db, net, worker, by=CHAIN, clock=lambda: clock() + later, **given) as one:
        return resolve(one)


def told(db: Database) -> list[tuple[str | None, datetime | None]]:
    """Each case's mailbox, and when it is looked at again."""
    found = seed.all_cases(db)
    return [(each["mailbox"], each["contact_due_at" if each["mailbox"] else "due_at"]) for each in found]


def expiries(db: Database) -> set[datetime]:
    with db.read() as connection:
        standing = t.netblocks.c.valid_to.is_(None)
        return set(connection.execute(select(t.netblocks.c.expires_at).where(standing)).scalars())


def test_a_contact_that_a_person_names_until_a_day_is_used_until_then_and_no_longer(db: Database) -> None:
    worker, end = begin(db, CASE, BESIDE), clock() + DAY
    say(db, Word.USE, NAMED, end, "192.0.2.0", "192.0.2.7")
    with internet(NETWORKS) as net:
        run(db, net, worker)
        (mailbox, looked_at), beside = told(db)
        assert (mailbox, looked_at, beside[0]) == (NAMED, end, OWN)
        assert beside[1] is not None
        assert beside[1] > end  # nothing was said of it
        assert min(expiries(db)) == end
        assert run(db, net, worker, DAY / 2).cases == 0
        assert run(db, net, worker, 2 * DAY).cases == 1
    assert [mailbox for mailbox, _ in told(db)] == [OWN, OWN]


def test_a_mailbox_that_is_rejected_until_a_day_is_the_contact_again_after_it(db: Database) -> None:
    worker, end = begin(db, CASE), clock() + DAY
    say(db, Word.REJECT, OWN, end)
    with internet(NETWORKS) as net:
        run(db, net, worker)
        assert told(db) == [(ABOVE, end)]
        assert expiries(db) == {end}
        run(db, net, worker, 2 * DAY)
        assert [mailbox for mailbox, _ in told(db)] == [OWN]


def test_where_nobody_is_left_until_a_day_the_case_is_looked_at_again_then(db: Database) -> None:
    worker, end = begin(db, CASE), clock() + DAY
    say(db, Word.REJECT, OWN, end)
    with internet(ONLY) as net:
        run(db, net, worker)
        assert told(db) == [(None, end)]
        assert seed.all_cases(db)[0]["state"] == CaseState.NO_CONTACT
        run(db, net, worker, 2 * DAY)
    assert [mailbox for mailbox, _ in told(db)] == [OWN]


def test_the_next_of_several_is_used_until_the_rejection_of_the_first_ends(db: Database) -> None:
    worker, end = begin(db, CASE), clock() + DAY
    for mailbox in ("second@named.example", NAMED):
        say(db, Word.USE, mailbox, None, "192.0.2.0", "192.0.2.7")
    with internet(NETWORKS) as net:
        run(db, net, worker)
        say(db, Word.REJECT, NAMED, end)
        run(db, net, worker)
        assert told(db) == [("second@named.example", end)]
        run(db, net, worker, 2 * DAY)
        assert told(db)[0][0] == NAMED
        assert net.asked == []


def test_the_end_of_a_word_moves_no_case_that_was_told(db: Database) -> None:
    worker, end = begin(db, CASE), clock() + DAY
    say(db, Word.USE, NAMED, end, "192.0.2.0", "192.0.2.7")
    with internet(NETWORKS) as net:
        run(db, net, worker)
        with db.write() as connection:
            connection.execute(update(t.cases).values(state=CaseState.NOTICED.value))
        assert run(db, net, worker, 2 * DAY).cases == 0
    [case] = seed.all_cases(db)
    assert (case["state"], case["mailbox"]) == (CaseState.NOTICED, NAMED)


# --- words that come while a run is under way --------------------------------------------------------------------------


def speaking(say_it: Callable[[], None]) -> Callable[[Sequence[DueCase]], set[int]]:
    """Let a person speak once the first cases have been claimed."""
    left = [say_it]

    def worth(cases: Sequence[DueCase]) -> set[int]:
        if left:
            left.pop()()
        return {case.id for case in cases}

    return worth


@pytest.mark.parametrize(
    ("verdict", "mailbox", "first", "last"),
    [(Word.REJECT, OWN, "", ""), (Word.REJECT, OWN, CASE, CASE), (Word.USE, ABOVE, CASE, CASE)],
)
def test_a_run_goes_by_what_is_said_while_it_is_under_way(
    db: Database, verdict: Word, mailbox: str, first: str, last: str
) -> None:
    worker = begin(db, CASE)
    with internet(NETWORKS) as net:
        run(db, net, worker, worth=speaking(lambda: say(db, verdict, mailbox, None, first, last)))
    assert [one for one, _ in told(db)] == [ABOVE]


@pytest.mark.parametrize(("verdict", "mailbox"), [(Word.REJECT, OWN), (Word.USE, ABOVE)])
def test_a_word_that_comes_while_the_registry_is_asked_holds_for_what_it_answers(
    db: Database, verdict: Word, mailbox: str
) -> None:
    worker = begin(db, CASE)
    with internet(NETWORKS) as net, resolving(db, net, worker, by=CHAIN) as one:
        resolve(replace(one, rdap=Speaking(one.rdap, lambda: say(db, verdict, mailbox, None, CASE, CASE))))
        assert [mailbox for mailbox, _ in told(db)] == [ABOVE]
        assert len(net.asked) == (2 if verdict is Word.REJECT else 1)


def test_a_case_that_a_word_took_away_and_that_is_claimed_again_is_put_off_once(db: Database) -> None:
    worker = begin(db, CASE)
    refusing = [network("192.0.2.0/28", fault=RdapFault.FORBIDDEN)]
    with internet(refusing) as net, resolving(db, net, worker, by=CHAIN) as one:
        named = partial(say, db, Word.USE, NAMED, None, CASE, CASE)
        assert resolve(replace(one, rdap=Speaking(one.rdap, named))).cases == 1
        run(db, net, worker, timedelta(hours=1))
    assert [mailbox for mailbox, _ in told(db)] == [NAMED]
