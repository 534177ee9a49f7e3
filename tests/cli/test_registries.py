"""IANA's lists of registries are fetched once, kept, and serve on where IANA cannot be reached."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import click
import pytest
from sqlalchemy import update

from pipeline import config
from pipeline.cli import edges
from pipeline.cli.command import Command, Given, real_time
from pipeline.cli.context import Ground
from pipeline.domain import Clock, TryAgain
from pipeline.sandbox import rdap_server
from pipeline.sandbox.networks import Autnum, Network, RangeTable
from pipeline.sandbox.rdap_server import Log, RdapTable
from pipeline.sandbox.thread import in_thread
from pipeline.store import bootstrap
from pipeline.store import tables as t
from pipeline.store.db import Database

pytestmark = pytest.mark.usefixtures("spoken_to")


@pytest.fixture
def spoken_to() -> Iterator[None]:
    """Inside a command, as edges always are: what is noted goes to stderr."""
    with click.Context(Command("resolve"), obj=Given()):
        yield


@contextmanager
def iana(clock: Clock, log: Log) -> Iterator[str]:
    network = Network(ip_address("192.0.2.0"), ip_address("192.0.2.255"), "ripencc", "ONE")
    table = RdapTable(RangeTable((network,)), (Autnum(64496, 64511, "apnic", "TWO"),))
    with in_thread(rdap_server.serve(table, clock, log)) as port:
        yield f"http://127.0.0.1:{port}/bootstrap"


def ground(db: Database, folder: Path, root: str) -> Ground:
    section = {f"bootstrap_{name}": f"{root}/{file}.json" for name, file in FILES.items()}
    lines = [f"{name} = {json.dumps(value)}" for name, value in section.items()]
    text = "\n".join(["[rdap]", 'user_agent = "test (noc@agency.example)"', "allow_loopback = true", *lines])
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return Ground(config.load(folder / "config.toml"), db)


FILES = {"v4": "ipv4", "v6": "ipv6", "asn": "asn"}


@pytest.fixture
def clock() -> Clock:
    return real_time


def test_the_lists_are_fetched_once_and_kept(db: Database, tmp_path: Path, clock: Clock) -> None:
    log: Log = []
    with iana(clock, log) as root:
        here = ground(db, tmp_path, root)
        first = edges.registries(here)
        assert set(first) == {4, 6, edges.AUTNUMS}
        assert first[4]["services"][0][0] == ["192.0.2.0/24"]
        assert first[edges.AUTNUMS]["services"][0][0] == ["64496-64511"]
        assert edges.registries(here) == first
    assert [path for _, path in log] == [f"/bootstrap/{file}.json" for file in FILES.values()]


def test_an_expired_list_is_fetched_again(db: Database, tmp_path: Path, clock: Clock) -> None:
    log: Log = []
    with iana(clock, log) as root:
        here = ground(db, tmp_path, root)
        edges.registries(here)
        expire(db, clock())
        edges.registries(here)
    assert len(log) == 6


def test_an_expired_list_serves_on_where_it_cannot_be_fetched(
    db: Database, tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with iana(clock, []) as root:
        here = ground(db, tmp_path, root)
        first = edges.registries(here)
    expire(db, clock())
    assert edges.registries(here) == first
    assert "ipv4.json cannot be read; the list fetched on" in capsys.readouterr().err


def test_without_any_list_nothing_is_concluded(db: Database, tmp_path: Path, clock: Clock) -> None:
    with iana(clock, []) as root:
        here = ground(db, tmp_path, f"{root}/nowhere")
        with pytest.raises(TryAgain, match="cannot be read"):
            edges.registries(here)
        with db.read() as connection:
            assert not any(bootstrap.last(connection, url) for url in edges.bootstrap_urls(here.loaded).values())


def test_what_is_no_list_is_not_kept(db: Database, tmp_path: Path, clock: Clock) -> None:
    with iana(clock, []) as root:
        (tmp_path / "config.toml").touch()
        here = ground(db, tmp_path, root.replace("/bootstrap", "/ripencc/ip/192.0.2.1?"))
        with pytest.raises(TryAgain) as told:
            edges.registries(here)
    assert told.value.why == "it is not a list of services (RFC 9224)"
    with db.read() as connection:
        assert not any(bootstrap.last(connection, url) for url in edges.bootstrap_urls(here.loaded).values())


def expire(db: Database, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(update(t.bootstrap_files).values(expires_at=now - timedelta(seconds=1)))
