"""Countries whose cases go to their CERT or a partner alone, in whole runs on both databases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select, update

from pipeline.domain import CaseState, ContactState
from pipeline.resolve import by_route
from pipeline.resolve.run import Result, resolve
from pipeline.store import anew, netblocks, overrides
from pipeline.store import routes as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.overrides import Said, Word
from pipeline.store.resolve import DueCase
from pipeline.store.routes import ALONE, Way
from tests import cases as seed
from tests.resolve.scripted import Route
from tests.resolve.small_internet import Internet, Speaking, clock, internet, network, resolving

OWN, ABOVE, CERT, OTHER = (f"abuse@{name}.example" for name in ("one", "above", "cert", "other"))
CASE = "192.0.2.1"
NETWORKS = [network("192.0.2.0/28", OWN, country="CA"), network("192.0.2.0/24", ABOVE, country="CA")]
NOBODY = [network("192.0.2.0/28", country="CA")]


def begin(db: Database) -> int:
    now = clock()
    seed.cases(db, now, seed.campaign(db, now), [ip_address(CASE)])
    return seed.worker(db, now)


def route(db: Database, kind: Way | None, mailbox: str = CERT) -> None:
    """Give Canada a route, or take it away."""
    with db.write() as connection:
        if kind is None:
            store.drop(connection, "CA", "their wish", clock(), "person:1")
        else:
            store.put(connection, "CA", kind, mailbox, "CERT", "their wish", clock(), "person:1")


def run(db: Database, net: Internet, worker: int, **given: Any) -> Result:
    with resolving(db, net, worker, by={"chain": ("network", "parent", "cert")}, **given) as prepared:
        return resolve(prepared)


def told(db: Database) -> str | None:
    [case] = seed.all_cases(db)
    mailbox: str | None = case["mailbox"]
    return mailbox


def candidates(db: Database) -> dict[str, str]:
    """The mailboxes of the network that stands, with why they are not to be used."""
    links = t.netblock_contacts.c
    query = select(links.candidate, links.rejected).join(t.netblocks, links.netblock_id == t.netblocks.c.id)
    with db.read() as connection:
        found = connection.execute(query.where(t.netblocks.c.valid_to.is_(None)).order_by(links.rank))
        return {row.candidate: row.rejected for row in found}


@pytest.mark.parametrize("kind", ALONE)
def test_a_network_of_such_a_country_is_told_through_one_mailbox_and_its_own_is_kept_with_the_reason(
    db: Database, kind: Way
) -> None:
    worker = begin(db)
    route(db, kind)
    with internet(NETWORKS) as net:
        run(db, net, worker)
        assert (told(db), candidates(db)) == (CERT, {CERT: "", OWN: "by-route"})
        seed.again(db, clock())
        assert run(db, net, worker).questions == 0
        assert len(net.asked) == 1
    assert told(db) == CERT


@pytest.mark.parametrize("kind", ALONE)
def test_if_its_mailbox_comes_back_nobody_else_is_told_and_a_person_decides(db: Database, kind: Way) -> None:
    worker = begin(db)
    route(db, kind)
    with internet(NETWORKS) as net:
        run(db, net, worker)
        with db.write() as connection:
            connection.execute(update(t.contacts).values(state=ContactState.DEAD.value))
            anew.look_again(connection, [1], clock())
        run(db, net, worker)
        [case] = seed.all_cases(db)
        assert (case["state"], case["mailbox"]) == (CaseState.NO_CONTACT, None)
        assert case["due_at"] > clock()  # it is not looked at over and over
        route(db, Way.DIGEST, OTHER)
        run(db, net, worker)
    assert told(db) == OTHER


@pytest.mark.parametrize("networks", [NETWORKS, NOBODY])
def test_a_route_that_is_given_changed_or_taken_away_is_gone_by_at_the_next_look(
    db: Database, networks: list[Any]
) -> None:
    worker, own = begin(db), OWN if networks is NETWORKS else None
    with internet(networks) as net:
        run(db, net, worker)
        for kind, mailbox, expected in (
            (Way.DIGEST, CERT, CERT),
            (Way.DIGEST, OTHER, OTHER),
            (Way.PARTNER, OTHER, OTHER),
            (Way.COPY, OTHER, own or OTHER),
            (Way.DIGEST, CERT, CERT),
            (None, "", own),
            (Way.COPY, CERT, own or CERT),
            (Way.COPY, OTHER, own or OTHER),
            (Way.DIRECT, "", own),
        ):
            route(db, kind, mailbox)
            assert run(db, net, worker).cases == 1
            assert told(db) == expected, (kind, mailbox)
            assert run(db, net, worker).cases == 0
    assert len(net.asked) == 1


def test_what_a_person_said_of_a_range_goes_before_the_route(db: Database) -> None:
    worker, here = begin(db), ip_address(CASE)
    route(db, Way.DIGEST)
    with db.write() as connection:
        overrides.add(connection, Said(Word.USE, (here, here), OTHER, OTHER, "asked"), clock(), "person:1")
    with internet(NETWORKS) as net:
        run(db, net, worker)
    assert (told(db), net.asked) == (OTHER, [])


def test_a_route_that_is_given_while_a_run_is_under_way_counts(db: Database) -> None:
    worker, left = begin(db), [Way.DIGEST]

    def worth(cases: Sequence[DueCase]) -> set[int]:
        if left:
            route(db, left.pop())
        return {case.id for case in cases}

    with internet(NETWORKS) as net:
        run(db, net, worker, worth=worth)
    assert told(db) == CERT


@pytest.mark.parametrize("kind", [Way.DIGEST, Way.COPY])
def test_a_route_that_is_given_while_the_registry_is_asked_counts_for_what_it_answers(db: Database, kind: Way) -> None:
    worker, by = begin(db), {"chain": ("network", "parent", "cert")}
    route(db, Way.COPY if kind is Way.DIGEST else Way.DIGEST, OTHER)
    with internet(NETWORKS) as net, resolving(db, net, worker, by=by) as one:
        assert resolve(replace(one, rdap=Speaking(one.rdap, lambda: route(db, kind)))).questions == 1
    assert told(db) == (CERT if kind is Way.DIGEST else OWN)


# --- the rule ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    route: str = ""
    cert: str = ""
    is_passed_over: bool = False
    mailboxes: Sequence[str] = ()


BY = Kept("digest", CERT, True, (CERT,))
SOLE = replace(BY, is_passed_over=False)
OWN_ONLY = Kept(mailboxes=(OWN,))


@pytest.mark.parametrize(
    ("known", "kind", "serves"),
    [
        (BY, "digest", True),
        (BY, "partner", True),  # the same mailbox alone
        (replace(BY, cert=OTHER, mailboxes=(OTHER,)), "digest", False),
        (BY, "copy", False),
        (BY, "", False),
        (SOLE, "copy", False),  # nobody else was looked for
        (Kept("digest", CERT, True), "digest", True),  # it takes no mail: nobody is told
        (OWN_ONLY, "digest", False),
        (OWN_ONLY, "copy", True),
        (OWN_ONLY, "", True),
        (Kept(), "copy", False),  # it would be the last resort
        (Kept(), "", True),
        (Kept(), "digest", False),
        (Kept("copy", CERT, False, (CERT,)), "copy", True),
        (Kept("copy", CERT, False, (CERT,)), "digest", False),
        (Kept("copy", CERT, False, (OWN, CERT)), "", False),
        (Kept("copy"), "copy", True),  # it stands among the network's own, rejected for good
        (Kept("copy", CERT, False, (OWN, CERT)), "digest", False),
    ],
)
def test_a_network_serves_on_only_if_the_route_that_holds_now_would_lead_to_the_same(
    known: Kept, kind: str, serves: bool
) -> None:
    assert by_route.still_serves(known, Route(kind, CERT) if kind else None, has_cert=True) is serves


def test_a_route_without_a_mailbox_leaves_nobody_to_be_told() -> None:
    assert by_route.still_serves(Kept(), Route("digest", "nobody"), has_cert=True)
    assert not by_route.still_serves(OWN_ONLY, Route("digest", "nobody"), has_cert=True)
    assert by_route.still_serves(Kept(), Route("copy", CERT), has_cert=False)


def test_the_words_of_the_rule_are_those_of_the_store() -> None:
    assert tuple(map(str, ALONE)) == by_route.ALONE
    assert netblocks.BY_ROUTE == by_route.BY_ROUTE
