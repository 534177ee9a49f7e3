"""Limits as the stage keeps them: several processes and a restart share them, and what waits goes on by itself."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, text

from pipeline.net import names
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable
from pipeline.sandbox.mail_rules import Rule, defer
from pipeline.sandbox.thread import in_thread
from pipeline.send.mail_servers import MailServers
from pipeline.send.pace import Pace, Rates
from pipeline.send.turns import Pacing
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.databases import ROOT
from tests.seed import wave_of_letters
from tests.send.conftest import Post, letters, states

HOUR = timedelta(hours=1)

WORKER = """
import sys
from datetime import datetime, timedelta
from pipeline.store.budgets import Limit, reserve
from pipeline.store.db import Database
db, now = Database(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
limits = [Limit("mail:mx:google", per_hour=3600), Limit("mail:relay:r", per_day=40), Limit("mail:all", 50.0)]
for turn in range(40):
    with db.write() as connection:
        for slot in reserve(connection, limits, 1, now + turn * timedelta(seconds=1), timedelta(0)).slots:
            print(slot.isoformat())
db.close()
"""


def paced(p: Post, pace: Pace) -> Any:
    """The settings of a run with these limits."""
    return replace(p.sending(None, None, 0).settings, pace=pace)  # type: ignore[arg-type]


def test_processes_share_a_limit_and_a_restart_keeps_it(db: Database, database_url: str, now: datetime) -> None:
    def started(at: datetime) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", WORKER, database_url, at.isoformat()]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    found: list[datetime] = []
    for pair in ([started(now), started(now)], [started(now)]):
        for process in pair:
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            found += map(datetime.fromisoformat, out.split())
    slots = sorted(found)
    assert len(slots) == 40  # of the day, whoever asks
    assert all(after - before >= timedelta(seconds=1) for before, after in pairwise(slots))


def test_what_waits_for_a_limit_of_its_own_goes_on_by_itself(db: Database, post: Callable[..., Any]) -> None:
    with post() as p:
        p.clock = lambda: datetime.now(UTC)
        wave_of_letters(db, p.clock(), 4)
        with db.write() as connection:
            connection.execute(text("UPDATE contacts SET mailbox = 'noc' || id || '@isp1.example' WHERE id < 4"))
        outcome = p.send(db, settings=paced(p, Pace(mx=Rates(4.0))))
        assert (outcome.tally, outcome.left) == ({"handed": 4}, 0)
    with db.read() as connection:
        query = select(t.attempts.c.dot_at).join(t.letters).where(t.letters.c.contact_id < 4)
        dots = sorted(connection.execute(query).scalars())
    assert dots[2] - dots[0] >= timedelta(seconds=0.4)


def test_a_mailbox_gets_one_letter_an_hour_over_campaigns_and_runs(db: Database, post: Callable[..., Any]) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 3)
        with db.write() as connection:
            connection.execute(text("UPDATE letters SET contact_id = 1 WHERE id < 3"))
        settings = paced(p, Pace(box_every=HOUR))
        outcome = p.send(db, settings=settings)
        assert states(db) == ["handed", "approved", "handed"]
        assert (outcome.left, outcome.wait, outcome.why) == (1, p.clock() + HOUR, "mail:box/hour")
        assert p.send(db, settings=settings).tally == {}
        p.clock.now += HOUR
        assert p.send(db, settings=settings).tally == {"handed": 1}


def test_a_deferred_letter_that_the_mailbox_never_had_does_not_count(db: Database, post: Callable[..., Any]) -> None:
    with post({"abuse@isp1.example": defer(1)}) as p:
        wave_of_letters(db, p.clock(), 1)
        settings = paced(p, Pace(box_every=HOUR))
        p.send(db, settings=settings)
        assert states(db) == ["deferred"]
        p.clock.now += timedelta(minutes=5)
        assert p.send(db, settings=settings).tally == {"handed": 1}


def test_the_days_quota_of_the_warm_up_ends_a_run_and_says_when_it_goes_on(
    db: Database, post: Callable[..., Any]
) -> None:
    with post() as p:
        wave_of_letters(db, p.clock(), 5)
        outcome = p.send(db, settings=paced(p, Pace(warm_up={1: 2})))
        assert outcome.tally == {"handed": 2}
        assert (outcome.left, outcome.why) == (3, "mail:relay:relay/day")
        assert outcome.wait == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_letter_to_a_domain_that_takes_no_mail_is_withdrawn_and_another_contact_is_looked_for(
    db: Database, post: Callable[..., Any]
) -> None:
    records: dict[tuple[str, str], tuple[str, ...]] = {
        ("isp1.example", "MX"): ("0 .",),  # RFC 7505
        ("isp2.example", "MX"): ("5 aspmx.l.google.com.",),
    }
    with post() as p, in_thread(dns_server.serve(DnsTable((), records), p.clock, [])) as port:
        wave_of_letters(db, datetime.now(UTC), 3)
        p.clock = lambda: datetime.now(UTC)
        dns = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=3.0, tries=1)
        with names.edge(dns, p.clock) as edge:
            outcome = p.send(db, pacing=Pacing(MailServers(edge)))
        assert outcome.tally == {"handed": 1, "withdraw": 2}
        assert p.recipients() == ["abuse@isp2.example"]
    found = letters(db)
    assert {number: (row["state"], row["reason"]) for number, row in found.items()} == {
        1: ("withdrawn", "no_mail"),
        2: ("handed", found[2]["reason"]),
        3: ("withdrawn", "no_mail"),  # no such domain
    }
    with db.read() as connection:
        due = list(connection.execute(select(t.cases.c.contact_due_at).order_by(t.cases.c.id)).scalars())
    assert [at is not None for at in due] == [True, False, True]


class Quick:
    """A clock that is ten seconds further on each time it is looked at."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=10)
        return self.now


@pytest.mark.parametrize("reply", ["454 4.3.0 busy", "451 4.7.1 too many messages"])
def test_words_about_the_pace_slow_the_relay_for_all_letters(
    db: Database, post: Callable[..., Any], reply: str
) -> None:
    with post({"abuse@isp1.example": Rule("answer", "rcpt", reply, times=1)}) as p:
        p.connections = 1
        wave_of_letters(db, p.clock(), 6)
        p.clock = Quick(p.clock())
        outcome = p.send(db)
        assert outcome.tally == {"deferred": 1, "handed": 5}
    with db.read() as connection:
        query = select(t.attempts).order_by(t.attempts.c.started_at, t.attempts.c.letter_id)
        found = connection.execute(query).all()
    said = next(row.ended_at for row in found if row.outcome == "deferred")
    later = [row.started_at - said for row in found if row.started_at > said]
    assert later
    assert min(later) >= timedelta(seconds=48)  # of the 60, two are a slot's and ten the clock's
