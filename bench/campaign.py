"""A campaign over real addresses, from listings to letters in a sink: `python -m bench.campaign`.

Reads the shared hits (the first --limit distinct addresses, their sim_type and sim_port) and the announced ranges that hold
them.  RDAP answers are made by the sandbox: one abuse mailbox per AS under .example, a nested customer network in every
seventh AS, no contact in every eleventh.  Which addresses belong to which mailbox is worked out here from the input alone,
and compared with what the sink holds.  Nothing is ever asked of, or sent to, an address of the data.
"""

import argparse
import csv
import gzip
import json
import multiprocessing
import os
import re
import secrets
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench import yardstick
from pipeline.config import shipped
from pipeline.data.topic import topics
from pipeline.domain import Event, Go, Ready, Result, Send, Stop
from pipeline.engine import working
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.ingest.run import ingest
from pipeline.net import dnsbl, guard, names, rdap, smtp, whois
from pipeline.net.edge import Edge
from pipeline.net.http import HttpSettings
from pipeline.net.nameserver import DnsSettings
from pipeline.net.smtp import RelaySettings
from pipeline.net.whois import WhoisSettings
from pipeline.render import run as render_stage
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.run import ResolveSettings, Resolving, resolve
from pipeline.sandbox import mail_server, rdap_server
from pipeline.sandbox.networks import REGISTRIES, Network, RangeTable
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread
from pipeline.send.run import Sending, SendSettings, send
from pipeline.store import campaigns, feeds, lives, migrate, templates, waves
from pipeline.store.db import Database
from pipeline.store.keys import Keys
from pipeline.verify.run import Verifying, verify

DATA = Path(__file__).parents[2] / "shared" / "data" / "hits"
CLAIMS = {
    "open_relay": "open_relay",
    "http_connect_proxy": "http_connect",
    "http_proxy": "http_proxy",
    "socks4_proxy": "socks4",
    "socks5_proxy": "socks5",
}
TOPICS = ("open_relay", "open_proxy")
MOST_MEMORY_MB = 400
MOST_SECONDS = 240
MOST_QUESTIONS = 1.2  # times the cacheable networks
ROW = re.compile(r"^\s*(\d+\.\d+\.\d+\.\d+)\s+\S+\s+\S+\s+\d{4}-\d\d-\d\dT", re.MULTILINE)


@dataclass
class Row:
    """One stage's figures."""

    stage: str
    seconds: float
    items: int
    memory_mb: float
    requests: int = 0
    cpu_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        rate = self.items / self.seconds if self.seconds else 0.0
        return {**self.__dict__, "per_second": round(rate, 1), "seconds": round(self.seconds, 2)}


@dataclass
class Measured:
    rows: list[Row] = field(default_factory=list)

    def stage(self, name: str, act: Callable[[], tuple[int, int]]) -> None:
        """Run a stage and write down what it took; `act` returns (items, requests)."""
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        began, cpu = time.perf_counter(), time.process_time()
        items, requests = act()
        row = Row(name, time.perf_counter() - began, items, _peak_mb(), requests, time.process_time() - cpu)
        self.rows.append(row)
        print(f"{name}: {row.seconds:.1f} s, {items} items, peak {row.memory_mb:.0f} MB", file=sys.stderr)


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def hits(folder: Path, limit: int) -> list[tuple[str, str, str]]:
    """Return (address, sim_port, sim_type) of the first `limit` distinct addresses."""
    found: dict[str, tuple[str, str, str]] = {}
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["ip"], (row["ip"], row["sim_port"], row["sim_type"]))
                if len(found) == limit:
                    return list(found.values())
    return list(found.values())


def networks(ranges: Path, addresses: list[int]) -> list[Network]:
    """Return the networks of the sandbox: the announced ranges that hold one of the sorted addresses, and customers."""
    found = []
    place = 0
    with gzip.open(ranges, "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            start, end, asn = int(IPv4Address(row["start"])), int(IPv4Address(row["end"])), int(row["asn"])
            while place < len(addresses) and addresses[place] < start:
                place += 1
            if place == len(addresses) or addresses[place] > end:
                continue
            registry = REGISTRIES[(start >> 24) % len(REGISTRIES)]
            abuse = "" if asn % 11 == 0 else f"abuse@as{asn}.example"
            holder = f"Holder of AS{asn}"
            found.append(
                Network(
                    IPv4Address(start),
                    IPv4Address(end),
                    registry,
                    f"NET-{number}",
                    f"NET-{number}",
                    holder,
                    "CA",
                    abuse=abuse,
                )
            )
            customer = addresses[place] >> 8 << 8
            if (
                asn % 7 == 0
                and start <= customer
                and customer + 255 <= end
                and (customer, customer + 255) != (start, end)
            ):
                found.append(
                    Network(
                        IPv4Address(customer),
                        IPv4Address(customer + 255),
                        registry,
                        f"CUST-{number}",
                        f"CUST-{number}",
                        f"Customer in AS{asn}",
                        "FR",
                        abuse=f"abuse@customer{number}.example",
                    )
                )
    return found


def expected(listed: list[tuple[str, str, str]], table: RangeTable) -> tuple[dict[str, set[str]], int, int]:
    """Return (mailbox -> its addresses, distinct cacheable networks, addresses without a contact), from the input alone."""
    owed: dict[str, set[str]] = defaultdict(set)
    cacheable: set[tuple[int, int]] = set()
    nobody = 0
    for address, _, _ in listed:
        ip = IPv4Address(address)
        network = table.find(ip)
        if network is None:
            nobody += 1
            continue
        block = int(ip) >> 12 << 12
        shown = 18 if network.registry == "lacnic" else 20
        block = int(ip) >> (32 - shown) << (32 - shown)
        cacheable.add((max(block, int(network.start)), min(block + (1 << (32 - shown)) - 1, int(network.end))))
        if network.abuse:
            owed[network.abuse].add(address)
        else:
            nobody += 1
    return owed, len(cacheable), nobody


def town(found: list[Network], folder: str, pipe: Any) -> None:
    """The sandbox, in a process of its own: RDAP and a mail sink; tells its ports, and at the end what it was asked."""
    guard.install()
    log: list[tuple[datetime, str]] = []
    table = RdapTable(RangeTable(found))
    with ExitStack() as stack:
        port = stack.enter_context(in_thread(rdap_server.serve(table, lambda: datetime.now(UTC), log)))
        mail = stack.enter_context(in_thread(mail_server.serve({}, Path(folder) / "mail")))
        pipe.send((port, mail.port))
        pipe.recv()
        pipe.send(len([path for _, path in log if "/ip/" in path]))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hits", type=Path, default=DATA / "scale")
    options.add_argument("--limit", type=int, default=50_000)
    options.add_argument("--database", default="", help="a PostgreSQL URL; else SQLite")
    options.add_argument("--quick", action="store_true", help="3,000 addresses")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    guard.install()
    limit = min(given.limit, 3_000) if given.quick else given.limit
    if not given.hits.is_dir():
        print(f"{given.hits} is not here: nothing was measured", file=sys.stderr)
        return 0
    before = yardstick.measure()
    listed = hits(given.hits, limit)
    addresses = sorted(int(IPv4Address(address)) for address, _, _ in listed)
    found = networks(given.hits.parent / "net" / "asn-ranges-with-hits.csv.gz", addresses)
    owed, cacheable, nobody = expected(listed, RangeTable(found))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        child = multiprocessing.get_context("spawn").Process(target=town, args=(found, folder, theirs), daemon=True)
        child.start()
        ports = ours.recv()
        measured = Measured()
        url = given.database or f"sqlite:///{folder}/bench.db"
        began = time.perf_counter()
        questions = campaign(url, Path(folder), listed, ports, measured)
        seconds = time.perf_counter() - began
        ours.send("stop")
        asked = ours.recv()
        child.join(30)
        sink = read_sink(Path(folder) / "mail" / "new")
    return report(given.json, before, measured, owed, sink, cacheable, nobody, asked, questions, seconds, len(listed))


def campaign(
    url: str, folder: Path, listed: list[tuple[str, str, str]], ports: tuple[int, int], measured: Measured
) -> int:
    """Work the whole campaign; returns the questions that resolve counted."""
    db = Database(url)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731
    migrate.upgrade(db, shipped("migrations"))
    keys = Keys(secrets.token_bytes(32))
    known = topics()
    file = folder / "hits.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("ip", "port", "kind"), *listed])
    asked = 0
    with working(db, clock) as worker_id:
        feed, campaign_id, seed = set_up(db, clock())

        def tell(_what: str, _done: int, _total: int) -> None:
            """No progress is shown."""

        def ingested() -> tuple[int, int]:
            result = ingest(db, file, feed, known, worker_id=worker_id, clock=clock, progress=tell)
            return result.observations, 0

        measured.stage("ingest", ingested)

        def resolved() -> tuple[int, int]:
            nonlocal asked
            http = HttpSettings("bench", concurrency=32, allow_plain_http_to_loopback=True)
            with (
                rdap.edge(http, clock) as one,
                whois.edge(WhoisSettings(), clock) as two,
                names.edge(DnsSettings(()), clock) as three,
            ):
                run = Resolving(
                    db=db,
                    rdap=one,
                    whois=two,
                    names=three,
                    rules=Rules({4: servers.index(bootstrap(ports[0]), 4)}, patience=timedelta(seconds=5)),
                    settings=ResolveSettings(0, {}, {}, timedelta(days=30), timedelta(days=7), 0),
                    worth=lambda cases: {case.id for case in cases},
                    worker_id=worker_id,
                    clock=clock,
                    progress=tell,
                )
                result = resolve(run)
            asked = result.questions
            return result.cases, result.questions

        measured.stage("resolve", resolved)

        def verified() -> tuple[int, int]:
            with dnsbl.edge(DnsSettings(())) as wire:
                return verify(Verifying(db, wire, known, {}, {}, worker_id, clock, tell)), 0

        measured.stage("verify", verified)
        settings = PlanSettings(timedelta(hours=72), 0, 0)

        def planned() -> tuple[int, int]:
            plan = plan_wave(db, campaign_id, seed, 0, settings, keys, clock=clock, by="system:bench")
            return plan.letters, 0

        measured.stage("plan", planned)
        measured.stage(
            "render", lambda: (render_stage.render(db, keys, worker_id=worker_id, clock=clock, progress=tell), 0)
        )
        release(db, clock())

        def sent() -> tuple[int, int]:
            relay = RelaySettings("127.0.0.1", ports[1], tls="none", ehlo_name="bench.example", connections=10)
            wire: Edge[Send | Go | Stop, Ready | Result] = Edge(smtp.relay(relay), 11)
            with wire:
                limits = SendSettings(
                    "bounces@agency.example", "relay", 10, 0, 0, 0, timedelta(hours=72), (".example",)
                )
                outcome = send(
                    Sending(
                        db,
                        wire,
                        limits,
                        keys,
                        worker_id,
                        clock,
                        tell,
                        lambda _connection, _wave: "",
                        render_stage.rewrite,
                    )
                )
            return sum(outcome.tally.values()), sum(outcome.tally.values())

        measured.stage("send", sent)
    db.close()
    return asked


def set_up(db: Database, now: datetime) -> tuple[feeds.Feed, int, str]:
    """Declare the feed, import the letters, create the campaign."""
    declaration = {
        "parser": "csv",
        "lawful_basis": "measurement",
        "columns": {"address": "ip", "port": "port", "claim": "kind"},
        "claims": CLAIMS,
        "observed": "received",
        "lifetime": timedelta(days=7),
        "retain": timedelta(days=1),
    }
    pair = {"en": "Bench", "fr": "Banc d'essai"}
    url = {"en": "https://agency.example/en", "fr": "https://agency.example/fr"}
    settings = {
        "audience": "provider",
        "operation": pair,
        "agencies": [{"name": pair, "country": "CA"}],
        "cosigners": [],
        "from_name": pair,
        "from_mailbox": "bench@agency.example",
        "reply_to": "bench@agency.example",
        "contact_mailbox": "bench@agency.example",
        "guidance": url,
        "participants": url,
        "instructions": url,
        "verification": url,
        "privacy": {},
        "postal": {"en": ["1 Street"], "fr": ["1, rue"]},
        "signature": {"en": ["A."], "fr": ["A."]},
        "default_order": ["en", "fr_CA"],
    }
    letter = shipped("templates") / "letters" / "first"
    sources = {path.name: path.read_text(encoding="utf-8") for path in letter.iterdir()}
    for path in (shipped("templates") / "locale").glob("*/LC_MESSAGES/letters.po"):
        sources[f"{path.parent.parent.name}.po"] = path.read_text(encoding="utf-8")
    seed = "00" * 32
    with db.write() as connection:
        feeds.declare(connection, "bench", declaration, now, "system:bench")
        templates.bring_in(connection, "first", sources, now, "system:bench")
        campaign_id = campaigns.create(connection, "bench", settings, TOPICS, 0, seed, now, "system:bench")
        return feeds.feed_by_name(connection, "bench"), campaign_id, seed


def bootstrap(port: int) -> dict[str, Any]:
    """Return a bootstrap file that shares the address space among five registries, as IANA's does by /8 (RFC 9224)."""
    entries = defaultdict(list)
    for octet in range(256):
        entries[REGISTRIES[octet % len(REGISTRIES)]].append(f"{octet}.0.0.0/8")
    return {"services": [[blocks, [f"http://127.0.0.1:{port}/{name}/"]] for name, blocks in entries.items()]}


def release(db: Database, now: datetime) -> None:
    """Approve and release the wave: nobody reads these letters."""
    with db.write() as connection:
        wave = waves.find(connection, "bench", None)
        waves.approve(connection, wave, now, "system:bench")
        lives.advance(connection, [wave["id"]], Event.WAVE_RELEASED, now, "system:bench")


def read_sink(folder: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Return (recipient, Message-ID, addresses told) of every letter that arrived."""
    found = []
    for path in folder.iterdir():
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = message.get_content()
        found.append((str(message["To"]), str(message["Message-ID"]), set(ROW.findall(text))))
    return iter(found)


def report(
    as_json: bool,
    before: dict[str, float],
    measured: Measured,
    owed: dict[str, set[str]],
    sink: Iterator[tuple[str, str, set[str]]],
    cacheable: int,
    nobody: int,
    asked: int,
    questions: int,
    seconds: float,
    listed: int,
) -> int:
    arrived = list(sink)
    twice = [message for message, count in Counter(one[1] for one in arrived).items() if count > 1]
    told: dict[str, set[str]] = defaultdict(set)
    for recipient, _, addresses in arrived:
        told[recipient] |= addresses
    wrong = [mailbox for mailbox in owed.keys() | told.keys() if owed.get(mailbox) != told.get(mailbox)]
    peak = max(row.memory_mb for row in measured.rows)
    checks = {
        "letters = contacts": len(arrived) == len(owed),
        "each letter once": not twice,
        "each mailbox is told its own addresses": not wrong,
        f"requests <= {MOST_QUESTIONS} x cacheable networks": asked <= MOST_QUESTIONS * cacheable,
        f"peak memory <= {MOST_MEMORY_MB} MB": peak <= MOST_MEMORY_MB,
        f"all in {MOST_SECONDS} s": seconds <= MOST_SECONDS,
    }
    data = {
        "addresses": listed,
        "contacts_expected": len(owed),
        "addresses_without_contact": nobody,
        "letters": len(arrived),
        "cacheable_networks": cacheable,
        "rdap_requests": asked,
        "requests_per_network": round(asked / cacheable, 3),
        "questions_counted": questions,
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak),
        "stages": [row.as_dict() for row in measured.rows],
        "machine": {"cores": os.cpu_count(), **{name: round(value, 1) for name, value in before.items()}},
        "wrong_mailboxes": wrong[:5],
        "checks": checks,
    }
    if as_json:
        print(json.dumps({"schema_version": 1, **data}, indent=2))
    else:
        print(f"{'stage':10}{'seconds':>9}{'cpu s':>8}{'items':>9}{'items/s':>9}{'peak MB':>9}{'requests':>10}")
        for row in measured.rows:
            rate = row.items / row.seconds
            print(
                f"{row.stage:10}{row.seconds:9.1f}{row.cpu_seconds:8.1f}{row.items:9}{rate:9.0f}{row.memory_mb:9.0f}{row.requests:10}"
            )
        for name in (
            "addresses",
            "contacts_expected",
            "letters",
            "cacheable_networks",
            "rdap_requests",
            "seconds",
            "machine",
        ):
            print(f"{name}: {data[name]}")
        for name, good in checks.items():
            print(f"{'ok  ' if good else 'FAIL'}  {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
