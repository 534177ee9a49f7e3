"""`tocsin registry status`: the queue, the limits, the lists and the dumps, without asking anybody."""

import json
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from sqlalchemy import insert

from pipeline.domain import Address
from pipeline.store import bootstrap, budgets
from pipeline.store import tables as t
from pipeline.store.budgets import Limit
from pipeline.store.db import Database
from tests import cases
from tests.cli.conftest import Tocsin
from tests.seed import add

HOUR = timedelta(hours=1)
HOST = "rdap.lacnic.net"
URLS = {name: f"https://iana.example/{name}.json" for name in ("ipv4", "ipv6", "asn")}
SERVICES = {
    "ipv4": [[["198.51.100.0/24"], [f"https://{HOST}/rdap/"]], [["192.0.2.0/24"], ["https://rdap.one.example/"]]],
    "ipv6": [[["2001:db8::/32"], ["https://rdap.one.example/"]]],
    "asn": [],
}
SETTINGS = f"""
sandbox = true
[rdap]
bootstrap_v4 = "{URLS["ipv4"]}"
bootstrap_v6 = "{URLS["ipv6"]}"
bootstrap_asn = "{URLS["asn"]}"
rate = 0.5
[rdap.rates]
"{HOST}" = 0.15
[rdap.per_day]
"{HOST}" = 1000
"""
WAITING: list[Address] = [
    ip_address(text) for text in ("198.51.100.1", "198.51.100.2", "192.0.2.1", "2001:db8::1", "203.0.113.1", "10.0.0.1")
]


@pytest.fixture
def db(folder: Path, installed: Database, tocsin: Tocsin, now: datetime) -> Database:
    """An installation where six addresses wait."""
    tocsin.clock = lambda: now
    (folder / "config.toml").write_text(SETTINGS, encoding="utf-8")
    cases.cases(installed, now - HOUR, cases.campaign(installed, now), WAITING)
    return installed


def listed(db: Database, now: datetime, hours: int = 24) -> None:
    """Let IANA's lists have been fetched an hour ago, for so many hours."""
    with db.write() as connection:
        for name, services in SERVICES.items():
            body = json.dumps({"services": services}).encode()
            bootstrap.keep(connection, URLS[name], body, now - HOUR, now + (hours - 1) * HOUR)


def test_networks_are_counted_by_server_with_the_time_that_their_limits_make_it_take(
    tocsin: Tocsin, db: Database, now: datetime
) -> None:
    listed(db, now)
    data = tocsin("registry", "status", "--json").data
    by_host = {server["host"]: server for server in data["servers"]}
    waiting = ("networks", "addresses", "questions_a_second", "questions_a_day", "time_left")
    assert [by_host[HOST][key] for key in waiting] == [1, 2, 0.15, 1000, pytest.approx(6.67, abs=0.01)]
    assert [by_host["rdap.one.example"][key] for key in waiting] == [2, 2, 0.5, 0, 4.0]
    assert (data["networks"], data["addresses"], data["addresses_special"]) == (3, 4, 1)
    assert (data["addresses_without_registry"], data["registries_known"]) == (1, True)
    assert data["time_left"] == by_host[HOST]["time_left"]
    assert (data["schema_version"], data["cases_due"]) == (1, 6)


def test_it_reads_well(tocsin: Tocsin, db: Database, now: datetime) -> None:
    listed(db, now)
    said = tocsin("registry", "status").out
    assert "rdap.lacnic.net   1         2          9/min, 1,000/day  7 s" in said
    assert "rdap.one.example  2         2          30/min            4 s" in said
    assert "in all            3         4                            7 s" in said
    assert "1 address that no registry answers for\n1 special-purpose address: nobody is asked\n" in said
    assert "of IPv4        2026-03-01T09:00:00Z  2026-03-02T09:00:00Z" in said
    assert max(map(len, said.splitlines())) <= 80
    assert "en tout           3        4" in tocsin("registry", "status", "--lang", "fr").out


def test_an_address_that_a_known_network_answers_for_needs_no_question(
    tocsin: Tocsin, db: Database, now: datetime
) -> None:
    listed(db, now)
    with db.write() as connection:
        ends = {"first_address": IPv4Address("198.51.100.0"), "last_address": IPv4Address("198.51.100.255")}
        add(connection, t.netblocks, outcome="contacts", valid_from=now, expires_at=now + HOUR, **ends)
    data = tocsin("registry", "status", "--json").data
    by_host = {server["host"]: server for server in data["servers"]}
    assert (by_host[HOST]["networks"], by_host[HOST]["networks_answered"], data["addresses_known"]) == (0, 1, 2)


def test_without_ianas_lists_it_says_so_and_how_to_get_them(tocsin: Tocsin, db: Database) -> None:
    ran = tocsin("registry", "status")
    assert ran.code == 0
    assert "5 addresses wait; which registry answers for them is not known yet" in ran.out
    assert "They are fetched when contacts are looked for: tocsin resolve\n" in ran.out
    assert "of IPv4        not yet" in ran.out
    assert tocsin("registry", "status", "--json").data["registries_known"] is False


def test_an_expired_list_still_tells_the_registries_and_says_that_it_is_old(
    tocsin: Tocsin, db: Database, now: datetime
) -> None:
    listed(db, now, hours=1)
    said = tocsin("registry", "status").out
    assert "rdap.lacnic.net   1" in said
    assert "of IPv4        2026-03-01T09:00:00Z  2026-03-01T10:00:00Z: fetched anew next time" in said


def test_a_server_that_refused_is_said_to_wait(tocsin: Tocsin, db: Database, now: datetime) -> None:
    listed(db, now)
    with db.write() as connection:
        budgets.postpone(connection, f"rdap:{HOST}", now + HOUR)
        budgets.reserve(connection, [Limit("rdap:rdap.one.example", 0.5)], 1, now, HOUR)
    said = tocsin("registry", "status").out
    assert f"{HOST} refused a question: nothing is asked there before 2026-03-01T11:00:00Z." in said
    assert "rdap.one.example refused" not in said
    servers = tocsin("registry", "status", "--json").data["servers"]
    assert {server["host"]: server["paused_until"] for server in servers} == {
        HOST: "2026-03-01T11:00:00Z",
        "rdap.one.example": None,
    }
    assert servers[0]["time_left"] == pytest.approx(3606.67, abs=0.01)


def test_a_days_questions_that_are_used_up_are_said_and_counted(tocsin: Tocsin, db: Database, now: datetime) -> None:
    listed(db, now)
    with db.write() as connection:
        budgets.reserve(connection, [Limit(f"rdap:{HOST}", 0.0, 1000)], 1000, now, HOUR)
    assert f"{HOST}: today's questions are used up; it goes on at midnight UTC." in tocsin("registry", "status").out
    servers = tocsin("registry", "status", "--json").data["servers"]
    assert (servers[0]["asked_today"], servers[0]["time_left"]) == (1000, pytest.approx(14 * 3600 + 6.67, abs=0.01))


def test_the_dns_and_whois_have_limits_of_their_own(tocsin: Tocsin, db: Database, now: datetime) -> None:
    with db.write() as connection:
        for key in ("whois:whois.one.example", "dns:origin.asn.cymru.com"):
            budgets.postpone(connection, key, now)
    servers = tocsin("registry", "status", "--json").data["servers"]
    assert {(server["kind"], server["questions_a_second"]) for server in servers} == {("whois", 0.15), ("dns", 5.0)}


def test_dumps_are_shown_with_their_age(tocsin: Tocsin, db: Database, now: datetime) -> None:
    listed(db, now)
    with db.write() as connection:
        file = {
            "registry": "ripencc",
            "name": "ripe.db.inetnum.gz",
            "bytes": 9,
            "classes": "inetnum",
            "kept": 4_212_345,
        }
        times = {"began_at": now - 72 * HOUR, "complete_at": now - 71 * HOUR, "sha256": bytes(32)}
        connection.execute(insert(t.dumps).values(**file, **times))
    said = tocsin("registry", "status").out
    assert "ripencc   ripe.db.inetnum.gz  inetnum  4,212,345  2026-02-26T11:00:00Z  2 d 23 h" in said
    assert "What imported dumps answer is still counted here; they are read first." in said


def test_an_empty_installation_has_nothing_to_wait_for(tocsin: Tocsin) -> None:
    ran = tocsin("registry", "status")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("No network waits for a registry.\n")


def test_it_changes_nothing(tocsin: Tocsin, db: Database, now: datetime) -> None:
    listed(db, now)
    with db.read() as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        tocsin("registry", "status")
        tocsin("registry", "status", "--json")
    with db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA data_version").scalar_one() == before
