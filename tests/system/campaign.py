"""A small campaign for system tests: a town made in code, an installation that points at it, and what the record must say.

48 networks in documentation space, one contact each, three targets each; the first 40 come with the first list, the others
with a second one.  Some registries say 429, some mailboxes refuse, defer or are slow after the final dot.
"""

import re
import shutil
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from sqlalchemy import text, update

from pipeline.audit.seal import seal
from pipeline.domain import CaseState, Event, LetterState, State, WaveState, next_state
from pipeline.sandbox import installation, mail_rules, town
from pipeline.sandbox.heading import Heading, ZoneSetup
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.networks import REGISTRIES, Fault, Network, RdapFault
from pipeline.sandbox.scenario import ListedAddress, Scenario
from pipeline.sandbox.thread import in_thread
from pipeline.sandbox.town import Town
from pipeline.store.db import Database, rows
from pipeline.store.tables import letters
from tests.databases import ROOT
from tests.ran import Ran
from tests.sealed import chain, heads_again, until_sealable
from tests.system.forked import Commands, Running

NAME = "secure-your-server"
DEMO = ROOT / "pipeline" / "sandbox" / "demo"
ZONE = "proxies.dnsbl.example"
NETWORKS = [
    network
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    for network in IPv4Network(block).subnets(new_prefix=28)
]
LIST_1, LIST_2, BULK = "list-1.txt", "list-2.txt", "bulk.txt"
ALL, IN_LIST_1, IN_LIST_2 = range(48), range(40), range(40, 48)  # numbers of networks and of their contacts
PER_NETWORK = 3
BULK_LINES = 24_000  # two chunks of ingest
REFUSING, DEFERRING, SLOW = (3, 44), (11, 27), (16, 36)  # numbers of contacts
SLOW_SECONDS = 0.25
CONNECTIONS = 2  # to the relay
ONE_OPEN = """SELECT count(*) FROM waves WHERE (SELECT count(*) FROM letters WHERE state = 'claimed') = 1
AND (SELECT count(*) FROM letters WHERE state = 'handed') = 7"""  # of eight letters
SEAL = re.compile("^Tocsin-Seal: ([0-9a-f]{64})$", re.MULTILINE)
BIRTHS: dict[str, State] = {
    Event.CASE_SEEN: CaseState.SEEN,
    Event.LETTER_DRAFTED: LetterState.DRAFTED,
    Event.WAVE_PLANNED: WaveState.PLANNED,
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def contact(number: int) -> str:
    return f"abuse@isp{number}.example"


def addresses(number: int) -> list[IPv4Address]:
    """The targets of a network."""
    return [NETWORKS[number][1 + 4 * i] for i in range(PER_NETWORK)]


def scenario() -> Scenario:
    """The town's tables."""
    networks = [
        Network(
            network[0],
            network[-1],
            REGISTRIES[number % len(REGISTRIES)],
            f"NET-{number}",
            name=f"ISP-{number}",
            holder=f"Provider {number}",
            country=("CA", "US", "FR")[number % 3],
            abuse=contact(number),
            bootstrap="arin" if number % 8 == 4 else "",  # arin redirects to its own registry
            fault=Fault(RdapFault.RATE_LIMITED, 1) if number in (5, 21, 45) else None,
        )
        for number, network in enumerate(NETWORKS)
    ]
    listed = [ListedAddress(ZONE, addresses(number)[0], ("127.0.0.9",), "open") for number in ALL[::2]]
    heading = Heading("a campaign that is killed", utc_now(), (), (ZoneSetup(ZONE, None, True),), ())
    return Scenario(heading, tuple(networks), (), tuple(listed), (), None, ())


def behaviours() -> dict[str, Rule]:
    """The mailboxes that do not simply accept."""
    slow = Rule("stall", "dot", seconds=SLOW_SECONDS)
    return (
        dict.fromkeys(map(contact, REFUSING), mail_rules.REFUSE)
        | dict.fromkeys(map(contact, DEFERRING), mail_rules.defer(1))
        | dict.fromkeys(map(contact, SLOW), slow)
    )


def settings(database_url: str) -> dict[str, Any]:
    """The installation's settings, beside what points it at the town: limits that hardly limit."""
    shipped = tomllib.loads((DEMO / "settings.toml").read_text("utf-8"))
    feed = {"parser": "ip_port", "lawful_basis": "written for this test", "observed": "received"}
    return {
        "database": {"url": database_url},
        "zone_files": [str(DEMO / "zones.toml")],
        "rdap": {"rate": 40.0, "timeout": "3s"},
        "whois": {"rate": 0.0, "timeout": "3s"},
        "mail": {
            "sender": "bounces@agency.example",
            "rate": 8.0,
            "per_domain_rate": 0.0,
            "relay": {"connections": CONNECTIONS},
            "canary": {"share": 0, "least": 0},  # no person is there to look at the first letters
        },
        "safety": {"guests": [".example"]},
        "feeds": {
            "scan": feed | {"claim": "http_proxy", "protocol_level": True},
            "rumours": feed | {"claim": "reputation"},
        },
        "zones": {ZONE: {"rate": 0.0}},
        "campaigns": {NAME: shipped["campaigns"][NAME]},
    }


@dataclass(frozen=True)
class Site:
    """An installation in a folder, the town that it talks to, and the process that runs its commands."""

    folder: Path
    town: Town
    commands: Commands
    db: Database

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def start(self, *line: str, **limits: Any) -> Running:
        return self.commands.start(self.config, *line, **limits)

    def start_working(self, *line: str) -> Running:
        """Start a command, and return once it is a worker, or has ended."""
        before = self.number("SELECT count(*) FROM workers")
        running = self.start(*line)
        while self.number("SELECT count(*) FROM workers") == before and running.ended(0.01) is None:
            pass
        return running

    def run(self, *line: str, **limits: Any) -> Ran:
        """Run a command to its end."""
        return self.start(*line, **limits).end()

    def must(self, *line: str) -> Ran:
        """Run a command that has to go well."""
        ran = self.run(*line)
        assert ran.code == 0, f"{line}: exit {ran.code}: {ran.err}"
        return ran

    def change(self, more: Mapping[str, Any]) -> None:
        """Change settings of the installation."""
        before = tomllib.loads(self.config.read_text("utf-8"))
        self.config.write_text(installation.config_text(installation.merged(before, more)), encoding="utf-8")

    def prepare(self) -> None:
        """Do what comes before the first list: letters' texts and the campaign."""
        self.must("template", "import")
        self.must("campaign", "create", NAME)

    def letters_are_due(self) -> None:
        """Let the time go by that letters wait before they are tried again."""
        with self.db.write() as connection:
            waiting = update(letters).where(letters.c.state.in_([LetterState.DEFERRED, LetterState.APPROVED]))
            connection.execute(waiting.values(due_at=utc_now()))

    def query(self, sql: str) -> list[dict[str, Any]]:
        with self.db.read() as connection:
            return rows(connection, text(sql))

    def number(self, sql: str) -> int:
        [row] = self.query(sql)
        return int(next(iter(row.values())))

    def until(self, sql: str) -> None:
        """Wait until a query gives a number that is not 0."""
        for _ in range(3_000):
            if self.number(sql):
                return
            time.sleep(0.01)
        raise AssertionError(f"it never came to be: {sql}")

    def letters(self) -> Counter[str]:
        return Counter(row["state"] for row in self.query("SELECT state FROM letters"))

    def sink(self) -> Counter[tuple[str, str]]:
        """What arrived: (recipient, Message-ID), and how often."""
        return Counter((kept.recipient, kept.message_id) for kept in self.town.mail.messages())


@contextmanager
def site(commands: Commands, new_database: Callable[[Path], str]) -> Iterator[Site]:
    """A town and an installation in a folder of their own, until the block is left."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-site-"))
    folder.chmod(0o755)
    try:
        with in_thread(town.serve(scenario(), folder / "mail", utc_now)) as running:
            running.mail.rules.rules = behaviours()
            _lists(folder)
            url = new_database(folder)
            installation.write(folder, installation.merged(settings(url), running.settings()), (), utc_now())
            db = Database(url)
            try:
                yield Site(folder, running, commands, db)
            finally:
                db.close()
    finally:
        shutil.rmtree(folder)


def _lists(folder: Path) -> None:
    for name, numbers in ((LIST_1, IN_LIST_1), (LIST_2, IN_LIST_2)):
        lines = [f"{address}:3128\n" for number in numbers for address in addresses(number)]
        (folder / name).write_text("".join(lines), encoding="ascii")
    lines = [f"192.0.2.{i % 256}:{1024 + i // 256}\n" for i in range(BULK_LINES)]
    (folder / BULK).write_text("".join(lines), encoding="ascii")


# --- what the record must say, whatever happened ---------------------------------------------------------------------


def assert_nothing_twice_and_nothing_lost(site: Site) -> None:
    """Compare letters with what arrived: each at most once, HANDED exactly once, and none that the record denies."""
    sink = site.sink()
    assert not {key: count for key, count in sink.items() if count > 1}
    letters = {
        (row["recipient"], f"<{row['message_id'].strip('<>')}>"): row["state"]
        for row in site.query("SELECT recipient, message_id, state FROM letters")
    }
    assert set(sink) <= set(letters)
    arrived = {key: letters[key] for key in sink}
    known = (LetterState.HANDED, LetterState.ACCEPTED, LetterState.UNCERTAIN)
    assert not {key: state for key, state in arrived.items() if state not in known}
    handed = {key for key, state in letters.items() if state == LetterState.HANDED}
    assert handed <= set(sink)
    notices = site.number("SELECT count(*) FROM notices")
    assert len(letters) == notices == site.number("SELECT count(*) FROM letters")


def assert_every_target_has_its_case(site: Site, of: range = ALL) -> None:
    """One case for each target of these networks, one row for each network, one contact for each mailbox."""
    targets = PER_NETWORK * len(of)
    assert site.number("SELECT count(*) FROM targets") == targets
    assert site.number("SELECT count(*) FROM cases") == targets
    assert site.number("SELECT count(DISTINCT target_id) FROM cases") == targets
    networks = Counter(row["handle"] for row in site.query("SELECT handle FROM netblocks"))
    assert networks == Counter(f"NET-{number}" for number in of)
    mailboxes = Counter(row["mailbox"] for row in site.query("SELECT mailbox FROM contacts"))
    assert mailboxes == Counter(map(contact, of))


def assert_events_tell_every_state(site: Site) -> None:
    """Fold the events of each case, letter and wave through the table of moves: it ends in the stored state."""
    told: dict[tuple[str, int], State] = {}
    for row in site.query("SELECT what, subject, subject_id FROM events ORDER BY id"):
        key = (row["subject"], row["subject_id"])
        if row["what"] in BIRTHS:
            assert key not in told, f"{key} was made twice"
            told[key] = BIRTHS[row["what"]]
        elif row["what"] in set(Event):
            told[key] = next_state(told[key], Event(row["what"]))
    stored = {
        (subject, row["id"]): row["state"]
        for subject, table in (("case", "cases"), ("letter", "letters"), ("wave", "waves"))
        for row in site.query(f"SELECT id, state FROM {table}")  # noqa: S608 - names of ours
    }
    assert {key: state.value for key, state in told.items()} == stored


def assert_seals_fit_the_log_and_letters_carry_them(site: Site) -> None:
    """Every event is under one seal of one chain, and each letter that arrived has the head of a seal."""
    until_sealable(site.db)
    seal(site.db, utc_now)
    seals = chain(site.db)
    heads = [bytes(one["head"]).hex() for one in seals]
    assert heads == heads_again(site.db)
    assert sum(one["count"] for one in seals) == site.number("SELECT count(*) FROM events")
    carried = [SEAL.findall(kept.path.read_text(encoding="utf-8")) for kept in site.town.mail.messages()]
    assert [len(found) for found in carried] == [1] * len(carried)
    assert {found for [found] in carried} <= set(heads)


def assert_no_stored_answer_was_asked_again(site: Site) -> int:
    """No registry was asked about a network after its answer was stored; return how often one was asked again before."""
    learnt = site.query("SELECT handle, valid_from FROM netblocks")
    at = {row["handle"]: _instant(row["valid_from"]) for row in learnt}
    asked: Counter[str] = Counter()
    for when, path in site.town.rdap_log:
        if "/ip/" in path:
            address = IPv4Address(path.rpartition("/")[2])
            number = next(n for n, network in enumerate(NETWORKS) if address in network)
            assert when <= at[f"NET-{number}"], f"{path} was asked again at {when}"
            asked[path] += 1
    return sum(asked.values()) - len(asked)


def assert_lines_are_stored_once(site: Site, lines: Mapping[str, int]) -> None:
    """Each file is one snapshot, accepted and applied to its end, with every line in it once."""
    found = site.query("SELECT * FROM snapshots WHERE bytes > 0")
    assert {row["name"]: row["lines"] for row in found} == dict(lines)
    for row in found:
        assert (row["verdict"], row["applied_line"], row["rejects"]) == ("accepted", row["lines"], 0)
        stored = site.number(f"SELECT count(*) FROM observations WHERE snapshot_id = {row['id']}")  # noqa: S608
        assert stored == row["lines"] == row["observations"]


def _instant(value: Any) -> datetime:
    """A time as a plain query gives it: microseconds from SQLite."""
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value / 1e6, UTC)
