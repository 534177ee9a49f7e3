"""The stages of a campaign one after the other, as the command runs them, each measured.

Reads the listed addresses.  Writes a database, and letters to the sandbox's mail server; nobody reads or approves them.
"""

import csv
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.internet import bootstrap
from bench.measured import Measured
from pipeline.config import shipped
from pipeline.data.topic import topics
from pipeline.domain import Event
from pipeline.engine import working
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.ingest.run import ingest
from pipeline.net import dnsbl, names, rdap, smtp, whois
from pipeline.net.http import HttpSettings
from pipeline.net.nameserver import DnsSettings
from pipeline.net.smtp import RelaySettings
from pipeline.net.whois import WhoisSettings
from pipeline.render import folder as letter_folder
from pipeline.render import run as render_stage
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.run import ResolveSettings, Resolving, resolve
from pipeline.send.run import Sending, SendSettings, send
from pipeline.store import campaigns, feeds, lives, migrate, templates, waves
from pipeline.store.db import Database
from pipeline.store.keys import Keys
from pipeline.verify.run import Verifying, verify

CLAIMS = {
    "open_relay": "open_relay",
    "http_connect_proxy": "http_connect",
    "http_proxy": "http_proxy",
    "socks4_proxy": "socks4",
    "socks5_proxy": "socks5",
}
TOPICS = ("open_relay", "open_proxy")


def campaign(
    url: str, folder: Path, listed: list[tuple[str, str, str]], ports: tuple[int, int], measured: Measured
) -> int:
    """Work the whole campaign, with the sandbox's RDAP and mail servers on those ports; returns resolve's questions."""
    db = Database(url)
    migrate.upgrade(db, shipped("migrations"))
    keys = Keys(secrets.token_bytes(32))
    known = topics()
    file = folder / "hits.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("ip", "port", "kind"), *listed])
    with working(db, clock) as worker_id:
        feed, campaign_id, seed = set_up(db, clock())

        def ingested() -> tuple[int, int]:
            result = ingest(db, file, feed, known, worker_id=worker_id, clock=clock, progress=unseen)
            return result.observations, 0

        def verified() -> tuple[int, int]:
            with dnsbl.edge(DnsSettings(())) as wire:
                return verify(Verifying(db, wire, known, {}, {}, worker_id, clock, unseen)), 0

        def planned() -> tuple[int, int]:
            settings = PlanSettings(timedelta(hours=72), 0, 0)
            plan = plan_wave(db, campaign_id, seed, 0, settings, keys, clock=clock, by="system:bench")
            return plan.letters, 0

        def rendered() -> tuple[int, int]:
            return render_stage.render(db, keys, worker_id=worker_id, clock=clock, progress=unseen), 0

        measured.stage("ingest", ingested)
        asked = measured.stage("resolve", lambda: resolved(db, worker_id, ports[0]))
        measured.stage("verify", verified)
        measured.stage("plan", planned)
        measured.stage("render", rendered)
        release(db, clock())
        measured.stage("send", lambda: sent(db, worker_id, ports[1], keys))
    db.close()
    return asked


def clock() -> datetime:
    return datetime.now(UTC)


def unseen(_what: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def resolved(db: Database, worker_id: int, port: int) -> tuple[int, int]:
    """Find whom to write to, of the sandbox's registries; returns (cases, questions)."""
    http = HttpSettings("bench", concurrency=32, allow_plain_http_to_loopback=True)
    with (
        rdap.edge(http, clock) as registries,
        whois.edge(WhoisSettings(), clock) as whois_servers,
        names.edge(DnsSettings(()), clock) as nameservers,
    ):
        run = Resolving(
            db=db,
            rdap=registries,
            whois=whois_servers,
            names=nameservers,
            rules=Rules({4: servers.index(bootstrap(port), 4)}, patience=timedelta(seconds=5)),
            settings=ResolveSettings(0, {}, {}, timedelta(days=30), timedelta(days=7), 0),
            worth=lambda cases: {case.id for case in cases},
            worker_id=worker_id,
            clock=clock,
            progress=unseen,
        )
        result = resolve(run)
    return result.cases, result.questions


def sent(db: Database, worker_id: int, port: int, keys: Keys) -> tuple[int, int]:
    """Hand the letters to the sandbox's mail server; returns (letters, transactions)."""
    relay = RelaySettings("127.0.0.1", port, tls="none", ehlo_name="bench.example", connections=10)
    limits = SendSettings("bounces@agency.example", "relay", 10, 0, 0, 0, timedelta(hours=72), (".example",))
    with smtp.edge(relay) as wire:
        outcome = send(
            Sending(
                db=db,
                wire=wire,
                settings=limits,
                keys=keys,
                worker_id=worker_id,
                clock=clock,
                progress=unseen,
                approved=lambda _connection, _wave: "",
                rewrite=render_stage.rewrite,
            )
        )
    letters = sum(outcome.tally.values())
    return letters, letters


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
    sources = letter_folder.read(shipped("templates") / "letters" / "first", shipped("templates"))
    seed = "00" * 32
    with db.write() as connection:
        feeds.declare(connection, "bench", declaration, now, "system:bench")
        templates.bring_in(connection, "first", sources, now, "system:bench")
        campaign_id = campaigns.create(connection, "bench", settings, TOPICS, 0, seed, now, "system:bench")
        return feeds.feed_by_name(connection, "bench"), campaign_id, seed


def release(db: Database, now: datetime) -> None:
    """Approve and release the wave: nobody reads these letters."""
    with db.write() as connection:
        wave = waves.find(connection, "bench", None)
        waves.approve(connection, wave, now, "system:bench")
        lives.advance(connection, [wave["id"]], Event.WAVE_RELEASED, now, "system:bench")
