"""A whole run of resolve, over real sockets to the sandbox's registries, on both databases."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from pipeline.domain import Address, CaseState, TryAgain
from pipeline.resolve.asking import SHORTEST_PAUSE
from pipeline.resolve.run import resolve
from pipeline.sandbox import recorded
from pipeline.sandbox.networks import RdapFault, WhoisFault
from pipeline.sandbox.streams import listening
from pipeline.sandbox.thread import in_thread
from pipeline.store import tables as t
from pipeline.store import workers
from pipeline.store.db import Database
from pipeline.store.resolve import DueCase
from tests import cases as seed
from tests.databases import ROOT
from tests.resolve.small_internet import (
    HTTP,
    SETTINGS,
    Internet,
    clock,
    everybody,
    files,
    internet,
    network,
    resolving,
    run,
    spread,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def addresses(*texts: str) -> list[Address]:
    return [ip_address(text) for text in texts]


def begin(db: Database, texts: Sequence[str] = (), **values: Any) -> int:
    """A campaign with a case about each address, and a worker; returns the worker's id."""
    now = clock()
    campaign = seed.campaign(db, now)
    seed.cases(db, now, campaign, addresses(*texts), **values)
    return seed.worker(db, now)


def every(db: Database, column: Any) -> list[Any]:
    with db.read() as connection:
        return list(connection.execute(select(column).order_by(column)).scalars())


# --- one question per network ----------------------------------------------------------------------------------------


def test_one_question_finds_the_contact_of_every_address_of_a_network(db: Database) -> None:
    six = "2001:db8:0:1::/64"
    networks = [network("192.0.2.0/25", "Abuse@One.example"), network(six, "abuse@six.example")]
    texts = ("192.0.2.1", "192.0.2.64", "192.0.2.127", "2001:db8:0:1::1", "2001:db8:0:1:2::")
    worker = begin(db, texts)
    seed.cases(db, clock(), 1, addresses("192.0.2.64"), port=1080, service="socks5")
    before = clock()
    with internet(networks) as net:
        assert run(db, net, worker).questions == 2
    assert sorted(net.asked) == ["/ripencc/ip/192.0.2.1", "/ripencc/ip/2001:db8:0:1::1"]
    found = seed.all_cases(db)
    mailboxes = [*["abuse@one.example"] * 3, *["abuse@six.example"] * 2, "abuse@one.example"]
    assert [case["mailbox"] for case in found] == mailboxes
    assert {(case["state"], case["event"], case["worker_id"]) for case in found} == {
        (CaseState.RESOLVED, ("case.contact_found", ""), None)
    }
    assert all(before <= case["due_at"] <= clock() for case in found)  # due for a check
    assert every(db, t.contacts.c.spelling) == ["Abuse@One.example", "abuse@six.example"]


def test_a_contact_is_one_whatever_network_it_is_read_from_and_however_it_is_spelt(db: Database) -> None:
    networks = [network("192.0.2.0/28", "Abuse@One.example"), network("198.51.100.0/24", "abuse@ONE.example")]
    with internet(networks) as net:
        run(db, net, begin(db, ("192.0.2.1", "198.51.100.1")))
    assert every(db, t.contacts.c.mailbox) == ["abuse@one.example"]
    assert {case["mailbox"] for case in seed.all_cases(db)} == {"abuse@one.example"}


def test_the_postal_address_of_the_holder_is_kept_with_the_network_and_in_no_event(db: Database) -> None:
    lines = ("1 Example Street", "Exampleville QC H0H 0H0", "Canada")
    facts: dict[str, Any] = {"registry": "arin", "holder": "One", "country": "CA", "region": "QC", "postal": lines}
    networks = [network("192.0.2.0/25", "abuse@one.example", **facts), network("192.0.2.128/25", "abuse@two.example")]
    worker = begin(db, ("192.0.2.1", "192.0.2.200"))
    with internet(networks) as net:
        run(db, net, worker)
    assert every(db, t.netblocks.c.postal) == ["", "\n".join(lines)]
    assert not [data for data in map(str, every(db, t.events.c.data)) if "Example" in data]


def test_what_was_answered_is_not_asked_again_while_it_holds(db: Database) -> None:
    worker = begin(db, ("192.0.2.1", "198.51.100.1", "203.0.113.1"))
    networks = [network("192.0.2.0/24", "abuse@one.example"), network("198.51.100.0/24")]
    with internet(networks) as net:
        assert run(db, net, worker).questions == 2  # nobody answers for the third
        seed.again(db, clock())
        second = run(db, net, worker)
        assert (second.cases, second.questions, len(net.asked)) == (3, 0, 2)
        with db.write() as connection:
            connection.execute(update(t.netblocks).values(expires_at=clock()))
            connection.execute(update(t.raw_answers).values(at=clock() - 8 * DAY))
        seed.again(db, clock())
        assert run(db, net, worker).questions == 2
    with db.read() as connection:
        stand = connection.execute(select(t.netblocks.c.id).where(t.netblocks.c.valid_to.is_(None))).scalars().all()
    assert stand == [4, 5, 6]  # the first answers have ended


def test_the_narrowest_network_that_is_known_wins(db: Database) -> None:
    outer, inner = network("192.0.2.0/24", "abuse@outer.example"), network("192.0.2.64/28", "abuse@inner.example")
    worker = begin(db, ("192.0.2.65",))
    with internet([outer, inner]) as net:
        run(db, net, worker)
        seed.cases(db, clock(), 1, addresses("192.0.2.1", "192.0.2.66", "192.0.2.200"))
        run(db, net, worker)
    assert net.asked == ["/ripencc/ip/192.0.2.65", "/ripencc/ip/192.0.2.1"]
    mailboxes = [case["mailbox"] for case in seed.all_cases(db)]
    assert mailboxes == ["abuse@inner.example", "abuse@outer.example", "abuse@inner.example", "abuse@outer.example"]


def test_a_wide_network_is_cached_around_the_address_only(db: Database) -> None:
    worker = begin(db, ("2001:db8:100::1", "2001:db8:1ff::1", "2001:db8:200::1"))
    with internet([network("2001:db8::/32", "abuse@wide.example")]) as net:
        assert run(db, net, worker).questions == 2
    with db.read() as connection:
        query = select(t.netblocks.c.first_address, t.netblocks.c.last_address, t.netblocks.c.registered_last)
        found = sorted(tuple(map(str, row)) for row in connection.execute(query))
    last = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
    assert found == [
        ("2001:db8:100::", "2001:db8:1ff:ffff:ffff:ffff:ffff:ffff", last),
        ("2001:db8:200::", "2001:db8:2ff:ffff:ffff:ffff:ffff:ffff", last),
    ]


def test_rejected_mailboxes_are_kept_with_their_reason(db: Database) -> None:
    with internet([network("192.0.2.0/24", "noreply@one.example")]) as net:
        run(db, net, begin(db, ("192.0.2.1",)))
    with db.read() as connection:
        query = select(
            t.netblock_contacts.c.candidate, t.netblock_contacts.c.rejected, t.netblock_contacts.c.contact_id
        )
        assert list(connection.execute(query)) == [("noreply@one.example", "placeholder", None)]
    assert every(db, t.contacts.c.mailbox) == []
    assert [case["state"] for case in seed.all_cases(db)] == [CaseState.NO_CONTACT]


# --- addresses that no question is asked about -----------------------------------------------------------------------


def test_special_purpose_space_and_space_of_no_registry_are_settled_without_a_question(db: Database) -> None:
    worker = begin(db, ("10.0.0.1", "100.64.0.1", "203.0.113.5"))
    with internet([network("192.0.2.0/24")]) as net:
        assert run(db, net, worker).questions == 0
    assert net.asked == []
    found = seed.all_cases(db)
    assert [case["event"] for case in found] == [
        ("case.no_contact", "special:private"),
        ("case.no_contact", "special:shared"),
        ("case.no_contact", "not_found"),
    ]
    assert {(case["state"], case["worker_id"]) for case in found} == {("no_contact", None)}
    later = [case["due_at"] for case in found]  # one that a registry may yet be given is looked at again
    assert later[:-1] == [None, None]
    assert later[-1] > clock() + 6 * DAY
    assert every(db, t.netblocks.c.why) == ["no-registry"]


def test_an_address_inside_another_is_asked_about_once_by_the_inner_one(db: Database) -> None:
    embedded = ("2002:c000:201::1", "2002:c000:202::1", "2002:c633:6401::1")  # 192.0.2.1, 192.0.2.2, 198.51.100.1
    worker = begin(db, (*embedded, "192.0.2.1", "198.51.100.1"))
    mute = network("198.51.100.0/24", fault=RdapFault.NO_ANSWER)
    with internet([network("192.0.2.0/24", "abuse@one.example"), mute]) as net:
        run(
            db, net, worker, http=replace(HTTP, timeout=1.0), unit=1
        )  # by then, all four blocks are claimed, one by one
    assert sorted(net.asked) == ["/ripencc/ip/192.0.2.1", "/ripencc/ip/198.51.100.1"]
    known, unknown = "abuse@one.example", None
    assert [case["mailbox"] for case in seed.all_cases(db)] == [known, known, unknown, known, unknown]


def test_a_case_that_cannot_reach_its_minimum_is_not_asked_for_and_looked_at_again_in_a_day(db: Database) -> None:
    worker = begin(db, ("192.0.2.1", "198.51.100.1"))
    before = clock()
    with internet([network("192.0.2.0/24", "a@one.example"), network("198.51.100.0/24", "a@two.example")]) as net:
        run(db, net, worker, worth=lambda found: {case.id for case in found if case.id != 1})
    assert net.asked == ["/ripencc/ip/198.51.100.1"]
    weak = seed.all_cases(db)[0]
    assert (weak["state"], weak["worker_id"]) == (CaseState.SEEN, None)
    assert before + DAY <= weak["due_at"] <= clock() + DAY


def test_cases_of_a_closed_campaign_are_left_alone(db: Database) -> None:
    worker = begin(db, ("192.0.2.1",))
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(closed_at=clock()))
    with internet([network("192.0.2.0/24", "a@one.example")]) as net:
        assert run(db, net, worker).cases == 0
    assert net.asked == []


def test_a_bootstrap_file_that_is_none_settles_nothing(db: Database) -> None:
    worker = begin(db, ("192.0.2.1",))
    with internet([]) as net, pytest.raises(TryAgain):
        run(db, net, worker, registries={4: {"error": "try later"}, 6: {"services": []}})
    assert [case["state"] for case in seed.all_cases(db)] == [CaseState.SEEN]


# --- what answers lead to --------------------------------------------------------------------------------------------


ENDS: list[tuple[RdapFault | None, str, timedelta | None]] = [  # what comes of it; asked again after that time
    (None, "no_contact", None),
    (RdapFault.NOT_FOUND, "not_found", None),
    (RdapFault.FORBIDDEN, "", 15 * MINUTE),
    (RdapFault.UNAVAILABLE, "", 15 * MINUTE),
    (RdapFault.INVALID_JSON, "", DAY),
]


def test_no_contact_not_found_refused_and_unusable_are_four_things(db: Database) -> None:
    prefixes = spread("2001:db8::/32", 36, len(ENDS))  # all are asked for at once
    networks = [network(prefix, fault=fault) for prefix, (fault, _, _) in zip(prefixes, ENDS, strict=True)]
    worker = begin(db, [prefix.replace("/36", "1") for prefix in prefixes])
    before = clock()
    with internet(networks) as net:
        assert run(db, net, worker).questions == len(ENDS)
    assert every(db, t.netblocks.c.outcome) == ["no_contact", "not_found"]
    for case, (_, outcome, later) in zip(seed.all_cases(db), ENDS, strict=True):
        assert case["worker_id"] is None
        if later is None:
            assert case["state"] == CaseState.NO_CONTACT
            assert before + 7 * DAY <= case["due_at"] <= clock() + 7 * DAY
            assert case["event"] == ("case.no_contact", outcome)
        else:
            assert (case["state"], case["event"]) == (CaseState.SEEN, None)
            assert before + later <= case["due_at"] <= clock() + later


def test_hostile_answers_are_unusable_and_leave_their_neighbours_alone(db: Database) -> None:
    faults = [
        *(RdapFault.REDIRECT_LOOP, RdapFault.REDIRECT_PRIVATE, RdapFault.INVALID_JSON, RdapFault.CUT_BODY),
        *(RdapFault.SLOW_BODY, RdapFault.TOO_LARGE, RdapFault.WRONG_NETWORK, RdapFault.NO_ANSWER),
        None,
    ]
    prefixes = spread("2001:db8::/32", 36, len(faults))
    networks = [network(p, "abuse@one.example", fault) for p, fault in zip(prefixes, faults, strict=True)]
    worker = begin(db, [prefix.replace("/36", "1") for prefix in prefixes])
    quick = replace(HTTP, timeout=1.5)
    with internet(networks) as net:
        result = run(db, net, worker, http=quick)
    assert (result.cases, result.wait) == (9, None)
    states = [case["state"] for case in seed.all_cases(db)]
    assert states == [*[CaseState.SEEN] * 8, CaseState.RESOLVED]
    assert all(case["due_at"] > clock() + 50 * MINUTE for case in seed.all_cases(db)[:8])
    assert max(Counter(net.asked).values()) == 1  # a redirect to itself is not followed


def test_texts_that_a_database_cannot_hold_do_no_harm(db: Database, tmp_path: Path) -> None:
    poison = r'"\ud800\u0000\u202e' + "x" * 5_000 + '"'
    (tmp_path / "poison.json").write_text(
        '{"objectClassName": "ip network", "handle": H, "name": H, "startAddress": "192.0.2.0", "country": H, '
        '"endAddress": "192.0.2.255", "port43": H, "entities": [{"objectClassName": "entity", "roles": ["abuse"], '
        '"handle": H, "vcardArray": ["vcard", [["fn", {}, "text", H], ["email", {}, "text", H], '
        '["email", {}, "text", "abuse@one.example"]]]}]}'.replace("H", poison)
    )
    (tmp_path / "index.csv").write_text("registry,query,file\nripencc,192.0.2.0/24,poison.json\n")
    worker = begin(db, ("192.0.2.1",))
    with internet([network("192.0.2.0/24")], recorded=recorded.load(tmp_path)) as net:
        run(db, net, worker)
    assert [case["mailbox"] for case in seed.all_cases(db)] == ["abuse@one.example"]


def test_whois_is_asked_where_rdap_names_nobody_or_refuses_and_nowhere_else(db: Database) -> None:
    prefixes = spread("2001:db8::/32", 36, 4)
    faults = [None, None, RdapFault.FORBIDDEN, RdapFault.INVALID_JSON]
    rdap = [network(p, "", fault) for p, fault in zip(prefixes, faults, strict=True)]
    rdap[0] = network(prefixes[0], "abuse@rdap.example")
    names = [network(p, f"abuse@whois{n}.example") for n, p in enumerate(prefixes)]
    worker = begin(db, [prefix.replace("/36", "1") for prefix in prefixes])
    with internet(rdap, whois_networks=names) as net:
        run(db, net, worker)
    assert sorted(text for _, text in net.whois_log) == [f"-r {prefix.replace('/36', '1')}" for prefix in prefixes[1:]]
    mailboxes = [case["mailbox"] for case in seed.all_cases(db)]
    assert mailboxes == ["abuse@rdap.example", *(f"abuse@whois{n}.example" for n in (1, 2, 3))]


def test_a_definite_no_of_rdap_stands_when_whois_refuses_and_whois_is_left_alone(db: Database) -> None:
    prefixes = spread("192.0.2.0/24", 26, 2)
    worker = begin(db, ("192.0.2.1", "192.0.2.65"))
    names = [network(p, whois_fault=WhoisFault.QUOTA) for p in prefixes]
    with internet([network(p) for p in prefixes], whois_networks=names) as net:
        result = run(db, net, worker)
    assert [case["event"] for case in seed.all_cases(db)] == [("case.no_contact", "no_contact")] * 2
    assert [text for _, text in net.whois_log] == ["-r 192.0.2.1"]
    assert result.why == "whois:127.0.0.1"
    with db.read() as connection:
        key = t.budgets.c.key == "whois:127.0.0.1"
        until = connection.execute(select(t.budgets.c.next_at).where(key)).scalar_one()
    assert until > clock() + 14 * MINUTE


# --- limits ----------------------------------------------------------------------------------------------------------


def test_no_more_is_asked_than_the_limit_allows(db: Database) -> None:
    rate = 20.0
    prefixes = [*spread("192.0.2.0/24", 28, 6), *spread("198.51.100.0/24", 28, 6), *spread("203.0.113.0/24", 28, 6)]
    worker = begin(
        db,
        [
            prefix.replace("/28", "").rsplit(".", 1)[0] + f".{int(prefix.replace('/28', '').rsplit('.', 1)[1]) + 1}"
            for prefix in prefixes
        ],
    )
    with internet([network(p, "abuse@one.example") for p in prefixes]) as net:
        registries = files(net)
        start = clock()
        result = run(db, net, worker, registries=registries, settings=replace(SETTINGS, rate=rate))
    assert result.questions == 18
    late = [(at - start).total_seconds() for at in sorted(net.times())]
    assert all(second >= number / rate - 0.01 for number, second in enumerate(late)), late  # N a second: at t, N*t + 1


def test_retry_after_is_obeyed_by_whoever_reads_the_budget(db: Database) -> None:
    worker = begin(db, ("192.0.2.1", "192.0.2.17"))
    networks = [
        network("192.0.2.0/28", "abuse@one.example", RdapFault.RATE_LIMITED, 1),
        network("192.0.2.16/28", "abuse@two.example"),
        network("198.51.100.0/24", "abuse@three.example"),
    ]
    with internet(networks) as net:
        impatient = run(db, net, worker, by={"patience": SHORTEST_PAUSE / 2})
        assert net.asked == ["/ripencc/ip/192.0.2.1"]
        assert (impatient.cases, impatient.why) == (2, "rdap:127.0.0.1")
        first, second = seed.all_cases(db)
        assert first["due_at"] > clock() + 14 * MINUTE  # it was refused itself
        assert second["due_at"] == impatient.wait  # only held up: due as soon as the registry may be asked again
        seed.cases(db, clock(), 1, addresses("198.51.100.1"))
        other = run(db, net, seed.another_worker(db, clock()), by={"patience": HOUR})
        assert (other.cases, other.wait) == (2, None)
    times = net.times()
    assert len(times) == 3
    assert times[1] - times[0] >= SHORTEST_PAUSE
    assert [case["mailbox"] for case in seed.all_cases(db)] == [None, "abuse@two.example", "abuse@three.example"]


def test_a_refused_question_is_asked_again_after_the_pause(db: Database) -> None:
    worker = begin(db, ("192.0.2.1", "192.0.2.17"))
    networks = [
        network("192.0.2.0/28", "abuse@one.example", RdapFault.RATE_LIMITED, 1),
        network("192.0.2.16/28", "abuse@two.example"),
    ]
    with internet(networks) as net:
        assert run(db, net, worker, settings=replace(SETTINGS, rate=100)).questions == 3
    assert [path.rsplit("/", 1)[1] for path in net.asked] == ["192.0.2.1", "192.0.2.1", "192.0.2.17"]
    first, second = next(pairwise(net.times()))
    assert second - first >= SHORTEST_PAUSE
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}


def test_a_spent_day_puts_off_until_midnight_what_it_cannot_ask(db: Database) -> None:
    prefixes = spread("192.0.2.0/24", 28, 4)
    worker = begin(db, ("192.0.2.1", "192.0.2.17", "192.0.2.33", "192.0.2.49"))
    settings = replace(SETTINGS, per_day={"127.0.0.1": 2})
    with internet([network(p, "abuse@one.example") for p in prefixes]) as net:
        result = run(db, net, worker, settings=settings)
        assert (result.questions, result.cases, result.why) == (2, 4, "rdap:127.0.0.1")
        assert result.wait is not None
        assert (result.wait.hour, result.wait.minute, result.wait > clock()) == (0, 0, True)
        assert [case["due_at"] for case in seed.all_cases(db)[2:]] == [result.wait] * 2
        assert run(db, net, worker, settings=settings).cases == 0  # not due before


def test_a_redirect_to_another_registry_waits_for_that_ones_budget(db: Database) -> None:
    prefixes = spread("192.0.2.0/24", 28, 4) + spread("198.51.100.0/24", 28, 4)
    texts = [f"{start}.{n}" for start in ("192.0.2", "198.51.100") for n in (1, 17, 33, 49)]
    worker = begin(db, texts)
    asked: list[str] = []
    with internet([network(p, "abuse@one.example") for p in prefixes], host="127.0.0.2") as net:

        async def redirect(reader: Any, writer: Any) -> None:
            while line := (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]:
                asked.append(line)
                to = f"{net.root}ripencc/ip/{line.rsplit('/', 1)[1]}"
                writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()

        with in_thread(listening(redirect, "127.0.0.1", 0)) as port:
            services = [[["192.0.2.0/24", "198.51.100.0/24"], [f"http://127.0.0.1:{port}/arin/"]]]
            start = clock()
            settings = replace(SETTINGS, rates={"127.0.0.2": 10.0})
            result = run(db, net, worker, registries={4: {"services": services}}, settings=settings)
    assert (result.cases, result.questions, len(asked), len(net.asked)) == (8, 16, 8, 8)
    late = [(at - start).total_seconds() for at in sorted(net.times())]
    assert all(second >= number / 10 - 0.01 for number, second in enumerate(late)), late
    assert "rdap:127.0.0.2" in every(db, t.budgets.c.key)
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}


# --- two at once, and stopped at any line ----------------------------------------------------------------------------


def test_a_block_that_is_being_worked_is_left_to_its_worker(db: Database) -> None:
    worker = begin(db, ("192.0.2.1",))
    other = seed.another_worker(db, clock())

    def meanwhile(found: Sequence[DueCase]) -> set[int]:
        seed.cases(db, clock(), 1, addresses("192.0.2.2", "198.51.100.1"))
        assert run(db, net, other).cases == 1
        return everybody(found)

    networks = [network("192.0.2.0/24", "abuse@one.example"), network("198.51.100.0/24", "abuse@two.example")]
    with internet(networks) as net:
        assert (
            run(
                db, net, worker, worth=lambda found: meanwhile(found) if len(net.asked) == 0 else everybody(found)
            ).cases
            == 2
        )
    assert net.asked == ["/ripencc/ip/198.51.100.1", "/ripencc/ip/192.0.2.1"]
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}


def test_two_workers_at_once_ask_for_no_network_twice(db: Database, database_url: str) -> None:
    starts = ("192.0.2", "198.51.100", "203.0.113")
    texts = [f"{start}.{16 * n + k}" for start in starts for n in range(8) for k in (1, 2)]
    texts += [f"2001:db8:{n:x}::1" for n in range(8)]
    first = begin(db, texts)
    networks = [network(p, "abuse@one.example") for start in starts for p in spread(f"{start}.0/24", 28, 8)]
    networks += [network(p, "abuse@six.example") for p in spread("2001:db8::/32", 48, 8)]
    done: list[int] = []

    def work(worker: int) -> None:
        own = Database(database_url)
        done.append(run(own, net, worker, unit=1).cases)  # a block at a time
        own.close()

    with internet(networks) as net:
        at_once = [threading.Thread(target=work, args=(w,)) for w in (first, seed.another_worker(db, clock()))]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
    assert sum(done) == len(texts) == 56
    assert Counter(net.asked).most_common(1)[0][1] == 1
    assert len(net.asked) == 32
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}


def test_a_case_that_another_worker_has_taken_since_is_left_to_it(db: Database) -> None:
    worker = begin(db, ("192.0.2.1", "198.51.100.1"))

    def taken(found: Sequence[DueCase]) -> set[int]:
        with db.write() as connection:
            connection.execute(update(t.cases).where(t.cases.c.id == 1).values(claim=t.cases.c.claim + 1))
        return everybody(found)

    networks = [network("192.0.2.0/24", "abuse@one.example"), network("198.51.100.0/24", "abuse@two.example")]
    with internet(networks) as net:
        run(db, net, worker, worth=taken)
    first, second = seed.all_cases(db)
    assert (first["state"], first["worker_id"], first["netblock_id"]) == (CaseState.SEEN, worker, None)
    assert second["state"] == CaseState.RESOLVED


class Died(Exception):
    """As if the process had ended there."""


def test_a_run_that_dies_at_any_commit_repeats_no_answered_question_and_loses_no_case(db: Database) -> None:
    starts = ("192.0.2", "198.51.100", "203.0.113")
    worker = begin(db)
    networks = [network(p, "abuse@one.example") for start in starts for p in spread(f"{start}.0/24", 28, 3)]
    with internet(networks) as net:
        for at, start in zip((2, 3, 5), starts, strict=True):  # of the claim, of what was known, of the first answer
            seed.cases(db, clock(), 1, addresses(*(f"{start}.{16 * n + 1}" for n in range(3))))
            worker = _dies_and_goes_on(db, net, worker, at)
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}
    with db.read() as connection:
        said = connection.execute(select(t.events.c.subject_id).where(t.events.c.what == "case.contact_found"))
        assert sorted(said.scalars()) == list(range(1, 10))  # each once


def _dies_and_goes_on(db: Database, net: Internet, worker: int, at: int) -> int:
    commits: list[int] = []
    known = set(every(db, t.netblocks.c.first_address))

    def dies(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == at:
            raise Died

    with resolving(db, net, worker) as prepared:
        event.listen(db.engine, "commit", dies)
        with pytest.raises(Died):
            resolve(prepared)
        event.remove(db.engine, "commit", dies)
    answered = {f"/ripencc/ip/{address + 1}" for address in set(every(db, t.netblocks.c.first_address)) - known}
    died = len(net.asked)
    another = seed.worker(db, clock())
    run(db, net, another)
    assert not answered & set(net.asked[died:])
    assert len(answered) + len(net.asked[died:]) == 3
    return another


def test_ctrl_c_leaves_everything_to_go_on_with(db: Database) -> None:
    texts = [f"192.0.2.{16 * n + 1}" for n in range(6)]
    worker = begin(db, texts)

    def pressed(_what: str, done: int, _of: int) -> None:
        if done >= 2:
            raise KeyboardInterrupt

    with internet([network(p, "abuse@one.example") for p in spread("192.0.2.0/24", 28, 6)]) as net:
        with pytest.raises(KeyboardInterrupt):
            run(db, net, worker, progress=pressed)
        with db.write() as connection:
            workers.end(connection, worker, clock())  # as `working` does on the way out
        run(db, net, seed.another_worker(db, clock()))
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}
    assert max(Counter(net.asked).values()) <= 2
    assert len(net.asked) <= 7  # one may have been under way


PROCESS = """
import sys
from pipeline.store.db import Database
from tests.cases import worker
from tests.resolve.small_internet import Internet, clock, run
db = Database(sys.argv[1])
run(db, Internet(sys.argv[2]), worker(db, clock()))
"""


def test_a_killed_process_loses_no_case_and_repeats_no_answered_question(db: Database, database_url: str) -> None:
    prefixes = spread("2001:db8::/36", 48, 60)
    begin(db, [prefix.replace("/48", "1") for prefix in prefixes])
    with internet([network(p, "abuse@one.example") for p in prefixes]) as net:
        process = subprocess.Popen([sys.executable, "-c", PROCESS, database_url, net.root], cwd=ROOT)
        while len(net.asked) < 20 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked = len(net.asked)
        answered = {f"/ripencc/ip/{address + 1}" for address in every(db, t.netblocks.c.first_address)}
        assert 10 < asked < 60
        run(db, net, seed.worker(db, clock()))
    assert not answered & set(net.asked[asked:])
    assert len(answered) + len(net.asked[asked:]) == 60
    assert {case["state"] for case in seed.all_cases(db)} == {CaseState.RESOLVED}
