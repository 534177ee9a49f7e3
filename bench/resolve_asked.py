"""How many questions the real addresses of the shared set need, through the whole of resolve and a database.

Reads the shared hits and the announced ranges that hold them, as bench.campaign does.  The registries' answers are those of
the sandbox, made in this process: what counts is the number of questions, not the wire.  Nothing is ever asked of an
address of the data.  The limit is the number of networks that an answer may be kept for, worked out from the input alone.
"""

import json
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from typing import Any

from sqlalchemy import func, insert, select

from bench.internet import DATA, bootstrap, expected, hits, networks
from bench.lines import Line
from pipeline.config import shipped
from pipeline.domain import Answer, RdapQuestion, RdapReply
from pipeline.engine import working
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.run import ResolveSettings, Resolving, resolve
from pipeline.sandbox import rdap_objects
from pipeline.sandbox.networks import RangeTable
from pipeline.store import migrate
from pipeline.store import tables as t
from pipeline.store.bulk import insert_rows
from pipeline.store.db import Database
from pipeline.store.netblocks import block_of

MOST_QUESTIONS = 1.1  # times the cacheable networks
QUICK = 5_000
ROOT = "http://127.0.0.1:1/"


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Registries:
    """Five registries without a wire: an answer is there as soon as it is asked for."""

    table: RangeTable
    asked: int = 0
    answers: deque[RdapReply] = field(default_factory=deque)

    def room(self) -> bool:
        return True

    def ask(self, question: RdapQuestion) -> None:
        self.asked += 1
        base, _, address = question.url.rpartition("/ip/")
        network = self.table.find(ip_address(address))
        if network is None:
            answer = Answer(question.url, 404, "application/rdap+json", b"{}", clock())
        else:
            body = json.dumps(rdap_objects.ip_network(network, self.table.parent(network), f"{base}/")).encode()
            answer = Answer(question.url, 200, "application/rdap+json", body, clock())
        self.answers.append(RdapReply(question.key, answer))

    def tell(self, message: RdapQuestion) -> None:
        raise TypeError("an RDAP server is told nothing")

    def take(self, timeout: float) -> Sequence[RdapReply]:
        taken = list(self.answers)
        self.answers.clear()
        return taken

    def done(self, count: int = 1) -> None:
        pass


@dataclass
class Nobody:
    """A wire that is never used: neither WHOIS nor the DNS is asked here."""

    def room(self) -> bool:
        return True

    def ask(self, question: Any) -> None:
        raise TypeError(f"nobody was to be asked {question!r}")

    tell = ask

    def take(self, timeout: float) -> Sequence[Any]:
        return ()

    def done(self, count: int = 1) -> None:
        pass


def measure(quick: bool) -> list[Line]:
    """Return the figures; none where the shared data is absent."""
    if not (DATA / "scale").is_dir():
        return []
    listed = hits(DATA / "scale", QUICK if quick else 10_000_000)
    addresses = sorted(int(IPv4Address(address)) for address, _, _ in listed)
    table = RangeTable(networks(DATA / "net" / "asn-ranges-with-hits.csv.gz", addresses))
    _, cacheable, _ = expected(listed, table)
    registries = Registries(table)
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/bench.db")
        migrate.upgrade(db, shipped("migrations"))
        _add_cases(db, addresses)
        began = time.perf_counter()
        with working(db, clock) as worker_id:
            result = resolve(_run(db, registries, worker_id))
        seconds = time.perf_counter() - began
        with db.read() as connection:
            left = connection.execute(select(func.count()).where(t.cases.c.state == "seen")).scalar_one()
        db.close()
    return [
        Line("addresses", len(addresses), "", note=f"{result.cases} cases settled, {left} left"),
        Line("questions to registries", registries.asked, "", note=f"for {cacheable} networks that may be kept"),
        Line("questions by network that may be kept", registries.asked / cacheable, "x", MOST_QUESTIONS),
        Line("cases a second", result.cases / seconds, "1/s", note="judged and written, without a wire"),
    ]


def _run(db: Database, registries: Registries, worker_id: int) -> Resolving:
    nobody = Nobody()
    return Resolving(
        db=db,
        rdap=registries,
        whois=nobody,
        names=nobody,
        rules=Rules({4: servers.index(bootstrap(1), 4)}, chain=("network",)),
        settings=ResolveSettings(0, {}, {}, timedelta(days=30), timedelta(days=7), 0),
        worth=lambda cases: {case.id for case in cases},
        worker_id=worker_id,
        clock=clock,
        progress=lambda _what, _done, _of: None,
    )


def _add_cases(db: Database, addresses: Sequence[int]) -> None:
    now = clock()
    with db.write() as connection:
        row = insert(t.campaigns).values(
            name="bench",
            topics="[]",
            minimum_level=0,
            settings="{}",
            order_seed="00",
            created_by="bench",
            created_at=now,
        )
        campaign = connection.execute(row.returning(t.campaigns.c.id)).scalar_one()
        columns = ("id", "address", "port", "transport", "service", "topic", "first_seen_at", "last_seen_at")
        told = ("tcp", "http", "open_proxy", now, now)
        targets = ((n, IPv4Address(address), 8080, *told) for n, address in enumerate(addresses, 1))
        insert_rows(connection, t.targets, columns, targets)
        cases = (
            (campaign, n, block_of(IPv4Address(address)), "seen", now, now) for n, address in enumerate(addresses, 1)
        )
        insert_rows(connection, t.cases, ("campaign_id", "target_id", "block", "state", "due_at", "created_at"), cases)
