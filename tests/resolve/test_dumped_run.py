"""Runs of resolve beside imported dumps: most addresses need no question, and what a dump does not know is asked."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import select, update

from pipeline.domain import CaseState, ContactState, Tier
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.resolve.small_internet import clock, internet, network, route, run
from tests.resolve.test_dumps import NETWORKS, OTHERS, read_in, written

DAY = timedelta(days=1)
CHAIN = {"chain": ("dump", "network", "whois")}
STATISTICS = """2|ripencc|20260301|1|19830705|20260228|+0000
ripencc|*|ipv4|*|1|summary
ripencc|NL|ipv4|203.0.113.0|256|20100101|assigned|one
"""


def begin(db: Database, folder: Path, *texts: str) -> int:
    now = clock()
    for name, text in (("inetnum", NETWORKS), ("others", OTHERS)):
        read_in(db, written(folder, text, f"ripe.db.{name}.gz"), now=now)
    seed.cases(db, now, seed.campaign(db, now), [ip_address(text) for text in texts])
    return seed.worker(db, now)


def mailboxes(db: Database) -> list[str | None]:
    return [case["mailbox"] for case in seed.all_cases(db)]


def test_what_a_dump_knows_is_not_asked_and_what_it_does_not_know_is(db: Database, tmp_path: Path) -> None:
    worker = begin(db, tmp_path, "192.0.2.1", "192.0.2.65", "192.0.2.97", "192.0.2.250", "203.0.113.1")
    asked = [network("192.0.2.0/24", "asked@isp.example"), network("203.0.113.0/24", "abuse@other.example")]
    with internet(asked) as net:
        assert run(db, net, worker, by=CHAIN).questions == 1
        assert net.asked == ["/ripencc/ip/203.0.113.1"]
    isp, desk = "abuse@isp.example", "desk@customer.example"
    assert mailboxes(db) == [isp, isp, desk, isp, "abuse@other.example"]
    with db.read() as connection:
        steps = connection.execute(select(t.lookup_steps.c.kind, t.lookup_steps.c.question)).all()
        blocks = connection.execute(select(t.netblocks.c.expires_at, t.netblocks.c.registry)).all()
    assert sorted({step.kind for step in steps}) == ["dump", "network"]
    assert all(step.question.startswith("dump:ripencc/ripe.db.inetnum.gz@") for step in steps if step.kind == "dump")
    assert all(at <= clock() + 30 * DAY for at, _ in blocks)


def test_a_dump_is_not_believed_when_it_is_old_or_not_in_the_chain(db: Database, tmp_path: Path) -> None:
    worker = begin(db, tmp_path, "192.0.2.1")
    with internet([network("192.0.2.0/24", "asked@isp.example")]) as net:
        assert run(db, net, worker, by={"chain": ("network",)}).questions == 1
        with db.write() as connection:
            connection.execute(update(t.dumps).values(complete_at=clock() - 31 * DAY))
            connection.execute(update(t.netblocks).values(expires_at=clock()))
            connection.execute(update(t.raw_answers).values(at=clock() - 31 * DAY))
        seed.again(db, clock())
        assert run(db, net, worker, by=CHAIN).questions == 1
    assert mailboxes(db) == ["asked@isp.example"]


def test_behind_a_dead_contact_of_a_dump_the_chain_goes_on(db: Database, tmp_path: Path) -> None:
    worker = begin(db, tmp_path, "192.0.2.1")
    for country in ("DE", "CA"):
        route(db, country, "direct", "team@cert.example")
    by = {"chain": ("dump", "network", "cert")}
    with internet([network("192.0.2.0/24", "asked@isp.example")]) as net:
        run(db, net, worker, by=by)
        with db.write() as connection:
            connection.execute(update(t.contacts).values(state=ContactState.DEAD.value))
            connection.execute(update(t.cases).values(contact_due_at=clock()))
        run(db, net, worker, by=by | {"dead": frozenset({"abuse@isp.example"})})
        assert net.asked == []
    [case] = seed.all_cases(db)
    assert (case["state"], case["mailbox"], case["event"][0]) == (
        CaseState.RESOLVED,
        "team@cert.example",
        "case.next_contact",
    )
    with db.read() as connection:
        link = t.netblock_contacts.c
        tiers = connection.execute(select(link.tier).where(link.id == case["netblock_contact_id"])).scalars().all()
    assert tiers == [Tier.CERT]


def test_the_country_comes_from_the_statistics_where_the_network_says_none(db: Database, tmp_path: Path) -> None:
    worker = begin(db, tmp_path, "203.0.113.1", "198.51.100.1")
    read_in(db, written(tmp_path, STATISTICS, "delegated-ripencc-extended"), now=clock())
    silent = [
        network("203.0.113.0/24", "abuse@one.example"),
        network("198.51.100.0/24", "abuse@two.example", country="FR"),
    ]
    with internet(silent) as net:
        run(db, net, worker, by=CHAIN)
    with db.read() as connection:
        found = connection.execute(select(t.netblocks.c.first_address, t.netblocks.c.country)).all()
    assert {str(first): country for first, country in found} == {"203.0.113.0": "NL", "198.51.100.0": "FR"}
