"""What the page on the first live wave says to type takes a new campaign from its DNS records to its letters."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.cli import test_golive, written_wave
from tests.cli.conftest import Tocsin
from tests.cli.test_doctor_dns import GOOD, KEY, published
from tests.cli.test_golive import NAME, PASSWORD, settings
from tests.databases import ROOT
from tests.send.signers import DOMAIN, pem, rsa
from tests.ssh import Signers

PAGE = (ROOT / "docs" / "how-to" / "first-live-wave.md").read_text(encoding="utf-8")
TYPED = re.findall(r"^    ((?:tocsin|ssh-keygen) .*)$", PAGE, re.MULTILINE)
GUEST = "me@outside.example"
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
LETTERS = 23  # three more than leave before a person is asked

pages = test_golive.pages


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[MailServer]:
    with in_thread(serve({}, tmp_path / "mail")) as server:
        yield server


@pytest.fixture
def signers(tocsin: Tocsin, folder: Path, installed: Database, pages: str, relay: MailServer) -> Iterator[Signers]:
    """An installation as the pages before this one leave it: settings, keys, people, letters, cases, a name server."""
    made = Signers(folder)
    made.allow("alice", "bob")
    theirs = {(f"isp{n}.example", "MX"): (f"10 mx.isp{n}.example.",) for n in range(1, LETTERS + 1)}
    theirs |= {(f"mx.isp{n}.example", "A"): ("203.0.113.25",) for n in range(1, LETTERS + 1)}
    with published({**GOOD, **theirs}) as nameserver:
        mail = settings(pages, relay.port).replace("[mail]\n", '[mail]\nrate = 0\noutbound = ["192.0.2.25"]\n')
        signing = f'[mail.dkim]\ndomain = "{DOMAIN}"\nrsa_selector = "{KEY.selector}"\n'
        (folder / "config.toml").write_text(f'{nameserver}{mail}{signing}[safety]\nguests = ["{GUEST}"]\n')
        with (folder / "credentials.toml").open("a", encoding="utf-8") as secrets:
            secrets.write(f"dkim_rsa_key = '''\n{pem(rsa())}'''\n")
        for kind in ("test", "first"):
            written_wave.bring_in(installed, kind=kind)
        for name in ("dora", "alice", "bob"):
            role, proof = (
                ("officer", "--password") if name == "dora" else ("approver", f"--principal={name}@agency.example")
            )
            assert tocsin("person", "add", name, "--role", role, proof, stdin=f"{PASSWORD}\n").code == 0
        assert tocsin("campaign", "create", NAME, "--as", "dora").code == 0
        listed(installed)
        yield made


def listed(db: Database) -> None:
    """Cases that wait for a letter, each with a contact of its own."""
    with db.read() as connection:
        campaign = int(connection.execute(select(t.campaigns.c.id)).scalar_one())
    addresses = [ip_address(f"192.0.2.{n}") for n in range(1, LETTERS + 1)]
    feed = seed.feed(db, NOW, "proxy-list", rights={"name_in_letter": True})
    snapshot = seed.snapshot(db, feed, NOW, [(address, 8080, "http", "http_proxy") for address in addresses])
    for line, address in enumerate(addresses, 1):
        seed.ready(db, NOW, campaign, f"abuse@isp{line}.example", [address], quoted=[(snapshot, line)])
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(country="CA", name="ISP-NET"))
        said = '{"groups":["one"],"level":"E1","quoted":[[1,1]],"reasons":[],"zones":[]}'
        connection.execute(update(t.checks).values(transcript=said))


def test_what_the_page_says_to_type_takes_a_campaign_from_its_dns_to_its_first_letters(
    tocsin: Tocsin, folder: Path, installed: Database, relay: MailServer, signers: Signers
) -> None:
    """The person at the keyboard is Dora; Alice and Bob sign with their own keys where their names stand."""
    assert len(TYPED) > 20
    outside: list[int] = []
    plans: list[tuple[int, int]] = []
    for line in TYPED:
        words = shlex.split(line)
        if words[0] == "ssh-keygen":  # below, with the key of each person
            assert words[1:3] == ["-Y", "sign"]
            continue
        words = words[1:]
        if "--to" in words:
            words[words.index("--to") + 1] = GUEST
        if "--back" in words:
            [test_letter] = [kept for kept in relay.messages() if kept.recipient == GUEST]
            (folder / "letter.eml").write_bytes(test_letter.path.read_bytes())
        if "--signature" in words:
            file = folder / words[words.index("--signature") + 1]
            file.write_text(signers.sign(words[words.index("--as") + 1], file.with_suffix("").read_bytes()))
        acting = [] if "--as" in words else ["--as", "dora"]
        ran = tocsin(*words, *acting, *(["--yes"] if "--execute" in words else []))
        assert ran.code in allowed(line), (line, ran.out, ran.err)
        if words[0] == "send" and "--execute" not in words:
            plan = tocsin(*words, "--json").data
            plans.append((plan["would_go"], plan["domains_not_asked"]))
        outside.append(sum(kept.recipient != GUEST for kept in relay.messages()))
        if line.startswith("tocsin campaign golive") and "--say answers" in line:
            settle_the_rest(tocsin)
    assert plans == [(LETTERS, LETTERS), (3, 0)]  # letters, and domains that were not asked yet
    assert sorted(set(outside)) == [0, 20, LETTERS]
    with installed.read() as connection:
        assert connection.execute(select(t.campaigns.c.mode)).scalar_one() == "training"  # the page ends there


def allowed(line: str) -> set[int]:
    """The checklist says with 6 that something is missing, until all of it is settled."""
    return {0, 6} if line == f"tocsin campaign golive {NAME}" or "--sheet" in line else {0}


def settle_the_rest(tocsin: Tocsin) -> None:
    """What the checklist still asks a person, as it says itself."""
    found = tocsin("campaign", "golive", NAME, "--json").data["items"]
    assert {item["mark"] for item in found} <= {"ok", "word"}, found
    for item in found:
        if item["mark"] == "word":
            ran = tocsin("campaign", "golive", NAME, "--say", item["item"], "--reason", "as it is", "--as", "dora")
            assert ran.code == 0
