"""Whole runs with the whole chain on, over real sockets, on both databases: what is asked, how often, and what is kept."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from pipeline.domain import Answer, CaseState, ContactState, NameKind, NameQuestion, Tier
from pipeline.net import rdap
from pipeline.resolve.answers import Findings, from_record
from pipeline.resolve.scope import ScopeCaps
from pipeline.resolve.spoken import Spoken
from pipeline.resolve.talk import Heard, Later, Pursuit, source
from pipeline.resolve.work import LookUp, Work
from pipeline.sandbox import recorded
from pipeline.sandbox.dns_server import DnsTable, OriginZone
from pipeline.sandbox.networks import Autnum, Network
from pipeline.store import anew, overrides
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.overrides import Said, Word
from tests import cases as seed
from tests.databases import ROOT
from tests.resolve.small_internet import (
    HTTP,
    SETTINGS,
    Internet,
    clock,
    internet,
    network,
    resolving,
    route,
    run,
    spread,
    whois_saying,
    whole_chain,
    zones,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AS = Autnum(64500, 64500, "ripencc", "AS64500", abuse="abuse@as.example")


ANYBODY = {4: {"services": [[["192.0.2.0/24"], ["http://127.0.0.1/"]]]}}


def begin(db: Database, texts: Sequence[str]) -> int:
    """A campaign with a case about each address, and a worker; returns the worker's id."""
    now = clock()
    seed.cases(db, now, seed.campaign(db, now), [ip_address(text) for text in texts])
    return seed.worker(db, now)


def mailboxes(db: Database) -> list[str | None]:
    return [case["mailbox"] for case in seed.all_cases(db)]


def forget_networks(db: Database) -> None:
    """Let no network answer any longer, and every case be due again."""
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(expires_at=clock()))
    seed.again(db, clock())


def mail_for(*domains: str, origins: tuple[OriginZone, ...] = (), **records: Any) -> DnsTable:
    return DnsTable(origins=origins, mail_domains=frozenset(domains), records=records.get("records", {}))


def questions(db: Database, netblock_id: int) -> list[tuple[str, str]]:
    """The steps of a network: (kind, question), in order."""
    with db.read() as connection:
        query = select(t.lookup_steps.c.kind, t.lookup_steps.c.question).where(
            t.lookup_steps.c.netblock_id == netblock_id
        )
        return [(row.kind, row.question) for row in connection.execute(query.order_by(t.lookup_steps.c.number))]


# --- every tier, and what is kept -------------------------------------------------------------------------------------


TIERS: list[tuple[str, dict[str, Any], str | None, Tier | None]] = [  # address, its network, mailbox, tier
    ("192.0.2.1", {"abuse": "abuse@role.example"}, "abuse@role.example", Tier.ROLE),
    ("192.0.2.17", {}, "abuse@remark.example", Tier.REMARK),
    ("192.0.2.33", {}, "abuse@above.example", Tier.PARENT),
    ("192.0.2.65", {}, "abuse@as.example", Tier.ORIGIN),
    ("192.0.2.81", {}, "abuse@listed.example", Tier.DIRECTORY),
    ("192.0.2.97", {"country": "CA"}, "team@cert.example", Tier.CERT),
    ("192.0.2.113", {}, "abuse@isp.example", Tier.HOST_NAME),
    ("192.0.2.129", {"abuse": "abuse@null.example"}, None, None),
]
REMARK = """{"objectClassName": "ip network", "handle": "R", "startAddress": "192.0.2.16", "endAddress": "192.0.2.31",
"remarks": [{"description": ["Report abuse to abuse@remark.example"]}]}"""
RECORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("113.2.0.192.in-addr.arpa", "PTR"): ("www.isp.example.",),
    ("www.isp.example", "A"): ("192.0.2.113",),
    ("isp.example", "MX"): ("10 mail.isp.example.",),
    ("null.example", "MX"): ("0 .",),
}


def slash28(address: str) -> str:
    return f"192.0.2.{int(address.rpartition('.')[2]) - 1}/28"


@pytest.fixture
def every_tier(db: Database, tmp_path: Path) -> Any:
    """A run that finds a contact of each tier; gives the Internet, still there."""
    (tmp_path / "remark.json").write_text(REMARK)
    (tmp_path / "index.csv").write_text("registry,query,file\nripencc,192.0.2.16/28,remark.json\n")
    networks = [network(slash28(address), **facts) for address, facts, _, _ in TIERS]
    networks.append(network("192.0.2.32/27", "abuse@above.example"))
    told = zones({"192.0.2.64/28": "64500"}, {"192.0.2.80/28": "abuse@listed.example"})
    dns = mail_for(*(f"{name}.example" for name in ("role", "remark", "above", "as", "listed", "cert")), origins=told)
    dns = replace(dns, records=RECORDS)
    worker = begin(db, [address for address, *_ in TIERS])
    route(db, "CA", "copy", "team@cert.example")
    with internet(networks, recorded=recorded.load(tmp_path), autnums=[AS], dns=dns) as net:
        run(db, net, worker, by=whole_chain(net))
        yield net


def test_each_part_of_the_chain_finds_its_contact_over_real_sockets(db: Database, every_tier: Internet) -> None:
    assert mailboxes(db) == [mailbox for _, _, mailbox, _ in TIERS]
    with db.read() as connection:
        links = t.netblock_contacts.c
        query = select(links.id, links.tier).where(links.contact_id.is_not(None))
        tiers = {row.id: row.tier for row in connection.execute(query)}
    found = seed.all_cases(db)
    assert [tiers.get(case["netblock_contact_id"]) for case in found] == [tier for *_, tier in TIERS]
    base = f"{every_tier.root}ripencc/"
    assert questions(db, found[2]["netblock_id"]) == [
        ("network", f"{base}ip/192.0.2.33"),
        ("parent", f"{base}ip/192.0.2.32/27"),
        ("mail", "dns:MAIL/above.example"),
    ]
    assert questions(db, found[3]["netblock_id"]) == [
        ("network", f"{base}ip/192.0.2.65"),
        ("origin", "dns:TXT/65.2.0.192.origin.example"),
        ("autnum", f"{base}autnum/64500"),
        ("mail", "dns:MAIL/as.example"),
    ]
    assert questions(db, found[6]["netblock_id"]) == [
        ("network", f"{base}ip/192.0.2.113"),
        ("origin", "dns:TXT/113.2.0.192.origin.example"),
        ("directory", "dns:TXT/113.2.0.192.directory.example"),
        ("host_name", "dns:HOST/192.0.2.113"),
        ("mail", "dns:MAIL/isp.example"),
    ]
    assert found[7]["event"] == ("case.no_contact", "no_contact")


def test_every_step_has_the_very_bytes_that_were_answered_to_its_question(db: Database, every_tier: Internet) -> None:
    steps, raws = t.lookup_steps.c, t.raw_answers.c
    query = select(steps.kind, steps.question, raws.source, raws.sha256, raws.body).outerjoin(
        t.raw_answers, steps.raw_answer_id == raws.id
    )
    with db.read() as connection:
        found = connection.execute(query).all()
    asked = {row.question.removeprefix(every_tier.root[:-1]) for row in found if row.question.startswith("http")}
    assert asked == set(every_tier.asked)
    for row in found:
        if row.kind == "cert":  # a table of our own
            assert row.source is None
            continue
        body = zlib.decompress(bytes(row.body))
        assert (row.source, bytes(row.sha256)) == (row.question, hashlib.sha256(body).digest())
        if row.question.startswith("http"):
            assert body == rdap.fetch_json(row.question, HTTP, clock).answer.body


def test_candidates_point_at_the_step_that_they_were_read_from(db: Database, every_tier: Internet) -> None:
    links, steps = t.netblock_contacts.c, t.lookup_steps.c
    query = select(links.candidate, steps.kind).join(
        t.lookup_steps, (steps.netblock_id == links.netblock_id) & (steps.number == links.step)
    )
    with db.read() as connection:
        found = {row.candidate.partition("@")[2].partition(".")[0]: row.kind for row in connection.execute(query)}
    assert found == {
        **dict.fromkeys(("role", "remark", "null"), "network"),
        "above": "parent",
        "as": "autnum",
        "listed": "directory",
        "cert": "cert",
        "isp": "host_name",
    }


# --- asked once -------------------------------------------------------------------------------------------------------


SHARED = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "2001:db8:4000::1", "2001:db8:8000::1")


def shared() -> tuple[list[Network], DnsTable]:
    """Networks without a contact, in cells of their own, that one AS announces and some of which one network is around."""
    prefixes = [f"{text}/28".replace("1/28", "0/28") for text in SHARED[:3]]
    prefixes += [text.replace("::1", "::/40") for text in SHARED[3:]]
    networks = [*map(network, prefixes), network("2001:db8::/32")]
    return networks, mail_for("as.example", origins=zones(dict.fromkeys(prefixes, "64500")))


def test_what_several_look_ups_want_to_know_is_asked_once_and_in_the_next_run_not_at_all(db: Database) -> None:
    networks, dns = shared()
    worker = begin(db, SHARED)
    with internet(networks, autnums=[AS], dns=dns) as net:
        by = whole_chain(net, chain=("network", "parent", "origin"))
        net.log.clear()
        run(db, net, worker, by=by)
        assert mailboxes(db) == ["abuse@as.example"] * 6
        counts = Counter(net.asked)
        assert counts["/ripencc/autnum/64500"] == 1
        assert counts["/ripencc/ip/2001:db8::/32"] == 1
        assert max(counts.values()) == 1
        assert len(counts) == 6 + 2
        assert net.names_asked.count("as.example. MX") == 1
        assert max(Counter(net.names_asked).values()) == 1

        forget_networks(db)
        asked, names = list(net.asked), list(net.names_asked)
        assert run(db, net, worker, by=by).questions == 0
        assert (net.asked, net.names_asked) == (asked, names)
        assert mailboxes(db) == ["abuse@as.example"] * 6


def test_the_dns_is_asked_again_after_a_day_and_registries_are_not(db: Database) -> None:
    networks, dns = shared()
    worker = begin(db, SHARED)
    with internet(networks, autnums=[AS], dns=dns) as net:
        by = whole_chain(net, chain=("network", "parent", "origin"))
        net.log.clear()
        run(db, net, worker, by=by)
        asked, names = list(net.asked), list(net.names_asked)
        for age, is_asked in ((23 * HOUR, False), (25 * HOUR, True)):
            with db.write() as connection:
                connection.execute(update(t.raw_answers).values(at=clock() - age, last_at=None))
            forget_networks(db)
            run(db, net, worker, by=by)
            assert net.asked == asked
            assert Counter(net.names_asked) == Counter(names * (1 + is_asked))


def test_what_was_answered_a_moment_ago_and_is_not_stored_yet_is_not_asked_again(db: Database) -> None:
    asked, address = NameQuestion(None, NameKind.TXT, "1.2.0.192.origin.example"), ip_address("192.0.2.1")
    heard: list[object] = []

    def look_up() -> Pursuit:
        heard.append((yield asked))
        raise Later(HOUR)

    pursuit, work, findings = look_up(), Work(), Findings()
    next(pursuit)
    work.fresh.append((LookUp((4, 0), address, pursuit), asked))
    findings.kept[source(asked)] = answer = Answer(source(asked), 200, "", b"{}", clock())
    with internet([]) as net, resolving(db, net, begin(db, ()), registries=ANYBODY) as prepared:
        from_record(prepared, work, findings)
    assert heard == [Heard(answer)]
    assert not work.queues


# --- searches ---------------------------------------------------------------------------------------------------------


def wide() -> tuple[list[Network], dict[str, str]]:
    """An allocation of 16 slices with a network of its own in every fourth, and an address in each slice."""
    leaves = [network(f"2001:db8:{n:x}00::/48", f"abuse@leaf{n}.example") for n in range(1, 16, 4)]
    texts = [str(ip_address(f"2001:db8:{n:x}00::1")) for n in range(16)]
    found = {text: f"abuse@leaf{n}.example" if n % 4 == 1 else "abuse@wide.example" for n, text in enumerate(texts)}
    return [network("2001:db8::/36", "abuse@wide.example"), *leaves], found


@pytest.mark.parametrize(
    ("searches", "asked", "searched"),
    [({}, 16, 0), ({"ripencc": 100}, 1, 1), ({"ripencc": 4}, 5, 2), ({"ripencc": 2}, 16, 2)],
    ids=["none", "the-narrowest", "those-directly-below", "both-lists-cut"],
)
def test_one_search_saves_the_questions_about_the_slices_of_a_wide_allocation(
    db: Database, searches: dict[str, int], asked: int, searched: int
) -> None:
    networks, expected = wide()
    worker = begin(db, list(expected))
    with internet(networks, searches=searches) as net:
        run(db, net, worker, by={"use_search": True, "chain": ("network",), "caps": ScopeCaps(v6=40)})
    kinds = Counter("search" if "/rirSearch1/" in path else "ip" for path in net.asked)
    assert {str(case["address"]): case["mailbox"] for case in seed.all_cases(db)} == expected
    assert (kinds["ip"], kinds["search"]) == (asked, searched)


def crowded(leaves: int, bytes_each: int) -> list[Network]:
    """An allocation of 16 slices, and that many networks in the first, each with a text of so many bytes."""
    inside = [network(f"2001:db8:{n:x}::/56", f"abuse@leaf{n}.example", holder="x" * bytes_each) for n in range(leaves)]
    return [network("2001:db8::/36", "abuse@wide.example"), *inside]


@pytest.mark.parametrize(
    ("bytes_each", "size", "asked"), [(7_000, 2 << 20, 2), (40_000, 8 << 20, 16)], ids=["within-the-cap", "over-it"]
)
def test_a_list_of_two_megabytes_is_read_and_one_over_the_cap_of_searches_is_asked_for_once(
    sqlite: Database, bytes_each: int, size: int, asked: int
) -> None:
    """What is over the cap settles nothing, nor does the other list: the slices are asked about one by one, and none of
    them searches again."""
    networks = crowded(256, bytes_each)
    texts = [str(ip_address(f"2001:db8:{n:x}00::1")) for n in range(16)]
    seed.cases(sqlite, clock(), 1, [ip_address(text) for text in texts])
    with internet(networks, searches={"ripencc": 1_000}) as net:
        run(sqlite, net, 1, by={"use_search": True, "chain": ("network",), "caps": ScopeCaps(v6=40)})
        registry = f"{net.root}ripencc/ips/rirSearch1/rdap-bottom/2001:db8::/36"
        whole = rdap.fetch_json(registry, replace(HTTP, body_cap=64 << 20), clock).answer.body
    kinds = Counter("search" if "/rirSearch1/" in path else "ip" for path in net.asked)
    assert len(whole) > size
    assert mailboxes(sqlite) == ["abuse@leaf0.example", *["abuse@wide.example"] * 15]
    assert (kinds["ip"], kinds["search"] - 1) == (asked, 1 if asked < 16 else 2)  # one was ours


# --- stopped, and two at once -----------------------------------------------------------------------------------------


PROCESS = """
import sys
from pipeline.store.db import Database
from tests.cases import worker
from tests.resolve.small_internet import Internet, clock, run, whole_chain
db, net = Database(sys.argv[1]), Internet(sys.argv[2], dns=int(sys.argv[3]))
run(db, net, worker(db, clock()), by=whole_chain(net))
"""


def test_a_killed_process_repeats_no_question_that_was_answered_with_the_whole_chain_on(
    db: Database, database_url: str
) -> None:
    prefixes = spread("2001:db8::/33", 48, 30)
    texts = [prefix.replace("/48", "1") for prefix in prefixes]
    begin(db, texts)
    dns = mail_for("as.example", origins=zones(dict.fromkeys(prefixes, "64500")))
    networks = [*map(network, prefixes), network("2001:db8::/32")]
    with internet(networks, autnums=[AS], dns=dns) as net:
        process = subprocess.Popen([sys.executable, "-c", PROCESS, database_url, net.root, str(net.dns)], cwd=ROOT)
        while len(net.names_asked) < 15 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked, names = len(net.asked), len(net.names_asked)
        with db.read() as connection:
            known = set(connection.execute(select(t.raw_answers.c.source)).scalars())
            settled = connection.execute(select(func.count()).where(t.cases.c.state == CaseState.RESOLVED)).scalar_one()
        assert len(known) > 10
        assert settled < 30
        run(db, net, seed.worker(db, clock()), by=whole_chain(net))
        again = {f"{net.root[:-1]}{path}" for path in net.asked[asked:]}
        again |= {_as_kept(text) for text in net.names_asked[names:]}
    assert not known & again
    assert max(Counter(net.asked).values()) <= 2  # those whose answers died with the process
    assert mailboxes(db) == ["abuse@as.example"] * 30


def _as_kept(text: str) -> str:
    """A question of the DNS as it stands in the record."""
    name, kind = text.removesuffix(".").split(". ") if ". " in text else (text, "")
    return f"dns:{'MAIL' if kind == 'MX' else kind}/{name}"


def test_two_workers_at_once_ask_for_no_network_twice_with_the_whole_chain_on(db: Database, database_url: str) -> None:
    starts = ("192.0.2", "198.51.100", "203.0.113")
    prefixes = [prefix for start in starts for prefix in spread(f"{start}.0/24", 28, 6)]
    texts = [f"{start}.{16 * n + k}" for start in starts for n in range(6) for k in (1, 2)]
    first = begin(db, texts)
    networks = [*map(network, prefixes), *(network(f"{start}.0/24") for start in starts)]
    dns = mail_for("as.example", origins=zones(dict.fromkeys(prefixes, "64500")))
    done: list[int] = []
    with internet(networks, autnums=[AS], dns=dns) as net:
        by = whole_chain(net)
        net.log.clear()

        def work(worker: int) -> None:
            own = Database(database_url)
            done.append(run(own, net, worker, by=by, unit=1).cases)  # a block at a time
            own.close()

        at_once = [threading.Thread(target=work, args=(w,)) for w in (first, seed.another_worker(db, clock()))]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
    counts = Counter(net.asked)
    assert counts.pop("/ripencc/autnum/64500") <= 2  # each worker may want to know before the other has kept it
    assert max(counts.values()) == 1
    assert len(counts) == 18 + 3
    assert sum(done) == len(texts)
    assert mailboxes(db) == ["abuse@as.example"] * len(texts)


# --- contacts that come back, and people's words ----------------------------------------------------------------------


TWO = [network("192.0.2.0/28", "abuse@one.example"), network("192.0.2.0/24", "abuse@above.example")]


def in_force(db: Database) -> Spoken:
    with db.read() as connection:
        return Spoken(overrides.in_force(connection, clock()))


def say(db: Database, verdict: Word, mailbox: str, first: str = "", last: str = "", *, lift: bool = False) -> None:
    within = (ip_address(first), ip_address(last)) if first else None
    said = Said(verdict, within, mailbox, mailbox, "they asked for it")
    with db.write() as connection:
        if lift:
            overrides.lift(connection, said, "", clock(), "person:1")
        else:
            overrides.add(connection, said, clock(), "person:1")


def test_a_case_whose_contact_has_died_gets_the_next_one(db: Database) -> None:
    worker = begin(db, ("192.0.2.1",))
    with internet(TWO) as net:
        run(db, net, worker, by={"chain": ("network", "parent")})
        with db.write() as connection:
            connection.execute(update(t.contacts).values(state=ContactState.DEAD.value))
            anew.look_again(connection, [1], clock())
        by = {"chain": ("network", "parent"), "dead": frozenset({"abuse@one.example"})}
        assert run(db, net, worker, by=by).questions == 1  # what the network said is on record
    assert [path.removeprefix("/ripencc/ip/") for path in net.asked] == ["192.0.2.1", "192.0.2.0/24"]
    [case] = seed.all_cases(db)
    assert (case["mailbox"], case["state"]) == ("abuse@above.example", CaseState.RESOLVED)
    assert case["event"] == ("case.next_contact", "looked-up-anew")


def test_a_case_whose_contact_a_person_rejects_gets_the_next_one_and_the_first_again_when_that_is_lifted(
    db: Database,
) -> None:
    worker, chain = begin(db, ("192.0.2.1",)), ("network", "parent")
    with internet(TWO) as net:
        run(db, net, worker, by={"chain": chain})
        say(db, Word.REJECT, "abuse@one.example")
        run(db, net, worker, by={"chain": chain, "spoken": in_force(db)})
        assert mailboxes(db) == ["abuse@above.example"]
        say(db, Word.REJECT, "abuse@one.example", lift=True)
        assert run(db, net, worker, by={"chain": chain, "spoken": in_force(db)}).questions == 0
        assert mailboxes(db) == ["abuse@one.example"]
    assert len(net.asked) == 2


def test_a_rejection_in_a_part_of_a_network_leaves_the_rest_as_it_is(db: Database) -> None:
    say(db, Word.REJECT, "abuse@one.example", "192.0.2.0", "192.0.2.3")
    worker = begin(db, ("192.0.2.1", "192.0.2.2", "192.0.2.9"))
    with internet(TWO) as net:
        run(db, net, worker, by={"chain": ("network", "parent"), "spoken": in_force(db)})
    assert mailboxes(db) == ["abuse@above.example", "abuse@above.example", "abuse@one.example"]


def test_a_contact_that_a_person_names_is_used_without_a_question_until_that_is_lifted(db: Database) -> None:
    worker, chain = begin(db, ("192.0.2.1", "192.0.2.9")), ("network", "parent")
    with internet(TWO) as net:
        run(db, net, worker, by={"chain": chain})
        say(db, Word.USE, "abuse@named.example", "192.0.2.0", "192.0.2.7")
        assert run(db, net, worker, by={"chain": chain, "spoken": in_force(db)}).questions == 0
        assert mailboxes(db) == ["abuse@named.example", "abuse@one.example"]
        say(db, Word.USE, "abuse@better.example", "192.0.2.0", "192.0.2.7")
        run(db, net, worker, by={"chain": chain, "spoken": in_force(db)})
        assert mailboxes(db) == ["abuse@better.example", "abuse@one.example"]
        for mailbox in ("abuse@named.example", "abuse@better.example"):
            say(db, Word.USE, mailbox, "192.0.2.0", "192.0.2.7", lift=True)
        assert run(db, net, worker, by={"chain": chain, "spoken": in_force(db)}).questions == 0
    assert mailboxes(db) == ["abuse@one.example", "abuse@one.example"]
    assert len(net.asked) == 1
    with db.read() as connection:
        stand = select(t.netblocks.c.registry).where(t.netblocks.c.valid_to.is_(None))
        assert list(connection.execute(stand).scalars()) == ["ripencc"]  # the words' own have ended


# --- budgets ----------------------------------------------------------------------------------------------------------


ARIN_TEXT = "NetRange: 192.0.2.0 - 192.0.2.15\nNetName: NET\nReferralServer: rwhois://{}:{}\n"
RWHOIS_TEXT = "%rwhois V-1.5\nnetwork:ID:NET\nnetwork:IP-Network:192.0.2.0/29\nnetwork:Abuse-Email:abuse@isp.example\n"


def test_a_server_that_was_referred_to_has_a_budget_of_its_own(db: Database) -> None:
    worker = begin(db, ("192.0.2.1",))
    said: list[Any] = []
    with (
        internet([network("192.0.2.0/28", registry="arin")]) as net,
        whois_saying({"192.0.2.1": RWHOIS_TEXT}, said, "127.0.0.3") as rwhois,
        whois_saying({"n + 192.0.2.1": ARIN_TEXT.format(*rwhois)}, said, "127.0.0.2") as arin,
    ):
        by = {"whois_hosts": {"arin": arin}, "allow_loopback": True}
        run(db, net, worker, by=by, settings=replace(SETTINGS, rate=1000, whois_rate=1000))
    assert [text for _, text in said] == ["n + 192.0.2.1", "192.0.2.1"]
    assert mailboxes(db) == ["abuse@isp.example"]
    with db.read() as connection:
        keys = set(connection.execute(select(t.budgets.c.key)).scalars())
    assert keys == {"rdap:127.0.0.1", "whois:127.0.0.2", "whois:127.0.0.3"}
