"""What the pages on contacts say to type can be run in that order, in a folder that has what they speak of."""

import gzip
import shlex
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from pipeline.store.db import Database
from tests import cases as seed
from tests.audit import lookups, world
from tests.cli.conftest import Tocsin
from tests.databases import ROOT
from tests.resolve.keys import PUBLIC
from tests.test_docs import COMMAND

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
HOW_TO = ROOT / "docs" / "how-to"
ELSEWHERE = ("resolve", "doctor", "wave", "render", "approve")  # ask the network, or need a campaign of their own
DUMPS = {
    "inetnum": "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: EXAMPLE\n",
    "inet6num": "inet6num: 2001:db8::/32\nnetname: EXAMPLE\n",
    "organisation": "organisation: ORG-E1-RIPE\norg-name: Example\n",
    "role": "role: Desk\nnic-hdl: AR1-RIPE\nabuse-mailbox: abuse@isp.example\n",
    "irt": "irt: IRT-EXAMPLE-AP\nabuse-mailbox: abuse@isp.example\n",
}
STATISTICS = """\
2|ripencc|20260301|1|19830705|20260301|+0000
ripencc|*|ipv4|*|1|summary
ripencc|FR|ipv4|192.0.2.0|256|20100101|allocated|x
"""


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


@pytest.fixture
def filled(folder: Path, db: Database) -> None:
    """Cases, a look-up and the files that the pages name; `config.toml` knows their campaign."""
    campaign = seed.campaign(db, NOW)
    seed.ready(db, NOW, campaign, "abuse@isp.example", [ip_address("192.0.2.7")])
    with db.write() as connection:
        block = world.network(connection, NOW, "203.0.113.0", "203.0.113.255")
        for answer in range(9):
            question = f"https://rdap.example/ip/203.0.113.{answer}"
            lookups.step(connection, NOW, block, answer, "network", question, body=b"{%d}" % answer)
    (folder / "desk.asc").write_text(PUBLIC, encoding="utf-8")
    (folder / "national-certs.toml").write_bytes((HOW_TO / "national-certs.toml").read_bytes())
    for registry in ("ripe", "apnic"):
        for name, text in DUMPS.items():
            packed = gzip.compress(f"{text}source: {registry.upper()}\n".encode(), mtime=0)
            (folder / f"{registry}.db.{name}.gz").write_bytes(packed)
    (folder / "delegated-ripencc-extended-latest").write_text(STATISTICS, encoding="utf-8")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("page", ["contacts-and-preferences", "registries", "why-this-contact"])
def test_what_a_page_says_to_type_can_be_run_in_its_order(page: str, tocsin: Tocsin, folder: Path) -> None:
    lines = COMMAND.findall((HOW_TO / f"{page}.md").read_text(encoding="utf-8"))
    ran = 0
    for line in lines:
        typed, _, file = line.partition(" > ")
        words = shlex.split(typed)[1:]
        if words[0] in ELSEWHERE and "--explain" not in words:
            continue
        done = tocsin(*words, *(["--yes"] if "--execute" in words else []))  # there is no terminal to ask at
        assert done.code == 0, (line, done.err)
        if file:
            (folder / file).write_text(done.out, encoding="utf-8")
        ran += 1
    assert ran > 3
