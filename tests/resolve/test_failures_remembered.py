"""A question that failed is not asked again by the next look-up of the same run; after an hour it is."""

from collections import Counter
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.domain import Answer, NameKind, NameQuestion, TemporaryFailure
from pipeline.resolve.lookup import look_up
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.talk import Heard, source
from pipeline.resolve.work import MOST_REMEMBERED, Work, remember_failure, remembered
from pipeline.sandbox.dns_tables import DnsTable, Zone, ZoneFault
from pipeline.sandbox.networks import RdapFault
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.resolve.scripted import NOW, RIPE, Answers, Told, autnum, ip, mail, of, origins, rules, tell
from tests.resolve.small_internet import clock, internet, network, run, spread, whole_chain

ASKED, ABOVE = ip("192.0.2.7"), ip("192.0.2.0/24")
SEARCH, DOWN = (f"{RIPE}ips/rirSearch1/{relation}/192.0.2.0/24" for relation in ("rdap-bottom", "rdap-down"))
AS, ORIGIN, MAIL = f"{RIPE}autnum/64500", "dns:TXT/7.2.0.192.origin.example", "dns:MAIL/one.example"
WIDE = of("192.0.2.0/24", "abuse@one.example", rdapConformance=["rdap_level_0", "rirSearch1"])
HOUR = timedelta(hours=1)


def told(question: str, said: Any) -> Told:
    searches = question == SEARCH
    network = WIDE if searches else of("192.0.2.0/28", parent="192.0.2.0/24")
    answers: Answers = {ASKED: network, ABOVE: of("192.0.2.0/24"), ORIGIN: origins(64500), AS: autnum(64500), DOWN: 404}
    if question == MAIL:
        answers[ASKED] = of("192.0.2.0/28", "abuse@one.example")
    chain = ("network",) if searches else ("network", "parent", "origin")
    by: dict[str, Any] = {"chain": chain, "use_search": searches, "check_mail": question == MAIL}
    caps = ScopeCaps(v4=28, block_v4=28) if searches else ScopeCaps()
    return tell(look_up(ip_address("192.0.2.7"), rules(caps=caps, **by)), answers | {question: said})


def refusal(question: str, status: int) -> Answer:
    return Answer(question, status, "", b"", NOW, TemporaryFailure("refused", "", timedelta(days=1)))


@pytest.mark.parametrize("status", [0, 429, 503])
@pytest.mark.parametrize("question", [SEARCH, ABOVE, AS, MAIL])
def test_what_fails_is_remembered_and_who_is_told_so_leaves_nobody_alone_for_it(question: str, status: int) -> None:
    answer = refusal(question, status)
    first = told(question, Heard(answer))
    assert first.kept[question].is_shared
    assert first.kept[question].is_failure
    assert [text for text, _ in first.paused] == ([question] if status and question != MAIL else [])

    second = told(question, Heard(answer, is_old=True))
    assert question not in second.kept  # so that its hour does not begin anew
    assert second.paused == []
    assert (second.later is None) == (first.later is None)


def test_what_was_answered_is_no_failure() -> None:
    for question, said in ((ABOVE, 404), (AS, 404), (MAIL, mail("mx")), (SEARCH, 404)):
        assert not told(question, said).kept[question].is_failure
    assert ASKED not in told(ASKED, 403).kept  # each network is asked about by itself


def test_a_failure_holds_for_its_time_and_gives_way_to_an_answer() -> None:
    work, asked = Work(), NameQuestion(None, NameKind.MAIL, "one.example")
    answer = Answer(source(asked), 0, "", b"", NOW, TemporaryFailure("servfail", "SERVFAIL"))
    assert remembered(work, asked, NOW) is None
    remember_failure(work, asked, answer, NOW + HOUR)
    assert remembered(work, asked, NOW + HOUR - timedelta(seconds=1)) == Heard(answer, is_old=True)
    assert remembered(work, asked, NOW + HOUR) is None
    assert not work.failed
    remember_failure(work, asked, answer, NOW + HOUR)
    work.remembered[source(asked)] = Heard(answer)
    assert remembered(work, asked, NOW) == Heard(answer)


def test_no_more_failures_are_remembered_than_answers() -> None:
    work, answer = Work(), refusal(MAIL, 0)
    for n in range(MOST_REMEMBERED + 2):
        remember_failure(work, NameQuestion(None, NameKind.MAIL, f"{n}.example"), answer, NOW + HOUR)
    assert len(work.failed) == MOST_REMEMBERED
    assert remembered(work, NameQuestion(None, NameKind.MAIL, "1.example"), NOW) is None
    assert remembered(work, NameQuestion(None, NameKind.MAIL, "2.example"), NOW) is not None


def test_a_run_asks_once_for_what_fails_and_the_next_run_asks_again(db: Database) -> None:
    prefixes = spread("2001:db8::/36", 40, 8)
    now = clock()
    seed.cases(db, now, seed.campaign(db, now), [ip_address(f"{each.partition('/')[0]}1") for each in prefixes])
    worker = seed.worker(db, now)
    networks = [network(each, "abuse@one.example" if n < 4 else "") for n, each in enumerate(prefixes)]
    networks.append(network("2001:db8::/32", fault=RdapFault.CUT_BODY))
    dns = DnsTable(zones=(Zone("one.example", fault=ZoneFault.SERVFAIL),))
    with internet(networks, dns=dns) as net:
        by = whole_chain(net, chain=("network", "parent"), use_search=False)
        for times in (1, 2):
            run(db, net, worker, by=by)
            asked = Counter(net.asked)
            assert asked.pop("/ripencc/ip/2001:db8::/32") == times
            assert set(asked.values()) == {1}
            assert net.names_asked.count("one.example. MX") == times
            assert [case["mailbox"] for case in seed.all_cases(db)] == [*["abuse@one.example"] * 4, *[None] * 4]
            with db.write() as connection:
                connection.execute(update(t.netblocks).values(expires_at=clock()))
            seed.again(db, clock())
