"""`tocsin resolve --explain`, as a person types it: a report, in both languages, and the answers behind it."""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import update

from pipeline.config_text import example
from pipeline.store import bootstrap
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import lookups, world
from tests.audit.world import ADDRESS, HOUR
from tests.cli.conftest import Tocsin

IANA = "https://iana.example/ipv4.json"
ANSWER = b'{"objectClassName": "ip network", "name": "\xc3\x89"}\r\n'


@pytest.fixture
def db(folder: Path, installed: Database, tocsin: Tocsin, now: datetime) -> Database:
    tocsin.clock = lambda: now + timedelta(days=2)
    settings = f'sandbox = true\n[rdap]\nbootstrap_v4 = "{IANA}"\n'
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    return installed


@pytest.fixture
def answer(db: Database, now: datetime) -> int:
    """The world's story with one question behind its network; the id of its answer."""
    made = world.story(db, now)
    with db.write() as connection:
        found = lookups.step(connection, now + HOUR, made.network, 0, "network", lookups.RDAP, body=ANSWER)
    assert found is not None
    return found


def test_the_report_begins_with_the_address_and_ends_with_what_comes_next(tocsin: Tocsin, answer: int) -> None:
    ran = tocsin("resolve", "--explain", ADDRESS)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(
        "How the contact of 192.0.2.10 was found\n\nThe address\n  1. 192.0.2.10 is an IPv4 address.\n"
    )
    assert ran.out.endswith("What comes next is told by:\n       tocsin explain 192.0.2.10:8080\n")
    assert f"       answer {answer}: {len(ANSWER)} bytes, application/rdap+json\n" in ran.out


def test_the_report_speaks_french(tocsin: Tocsin, answer: int) -> None:
    ran = tocsin("resolve", "--explain", ADDRESS, "--lang", "fr")
    assert ran.code == 0
    assert ran.out.startswith("Comment le contact de 192.0.2.10 a été trouvé\n\nL'adresse\n  1. 192.0.2.10 est une")
    assert "Pour le dossier 1, c'est abuse@isp.example qui a été choisie." in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 90  # a hash with its French label


def test_nobody_is_asked_and_nothing_is_changed(tocsin: Tocsin, db: Database, answer: int) -> None:
    with db.read() as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    assert tocsin("resolve", "--explain", ADDRESS).code == 0
    with db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA data_version").scalar_one() == before


@pytest.mark.usefixtures("answer")
def test_ianas_entry_is_told_where_its_list_is_kept(tocsin: Tocsin, db: Database, now: datetime) -> None:
    assert "IANA's list of registries is not kept here" in tocsin("resolve", "--explain", ADDRESS).out
    services = [[["192.0.0.0/8"], ["https://rdap.registry.example/"]], [["10.0.0.0/8"], ["https://other.example/"]]]
    with db.write() as connection:
        bootstrap.keep(connection, IANA, json.dumps({"services": services}).encode(), now + 2 * HOUR, None)
    said = " ".join(tocsin("resolve", "--explain", ADDRESS).out.split())
    assert "questions about 192.0.0.0/8 go to https://rdap.registry.example/." in said
    assert "The look-up below was made before, by an earlier list, which is no longer kept." in said


@pytest.mark.usefixtures("answer")
def test_json_holds_everything(tocsin: Tocsin) -> None:
    data = tocsin("resolve", "--explain", ADDRESS, "--json").data
    assert (data["schema_version"], data["address"]) == (1, "192.0.2.10")
    assert data["steps"][0]["sha256"] == hashlib.sha256(ANSWER).hexdigest()
    assert len(data["candidates"]) == 3
    assert data["letters"][0]["campaign"] == "test"


def test_an_answer_is_printed_as_it_came(tocsin: Tocsin, answer: int) -> None:
    result = tocsin.result("resolve", "--explain", ADDRESS, "--answer", answer)
    assert result.stdout_bytes == ANSWER
    data = tocsin("resolve", "--explain", ADDRESS, "--answer", answer, "--json").data
    assert base64.b64decode(data["base64"]) == ANSWER
    assert (data["sha256"], data["bytes"]) == (hashlib.sha256(ANSWER).hexdigest(), len(ANSWER))


def test_an_answer_that_is_not_behind_this_contact_is_not_printed(tocsin: Tocsin, answer: int) -> None:
    ran = tocsin("resolve", "--explain", ADDRESS, "--answer", answer + 1)
    assert (ran.code, ran.out) == (4, "")
    assert f"there are: {answer}" in ran.err


def test_an_answer_that_was_changed_is_never_printed(tocsin: Tocsin, db: Database, answer: int) -> None:
    with db.write() as connection:
        connection.execute(update(t.raw_answers).where(t.raw_answers.c.id == answer).values(body=b"x"))
    ran = tocsin("resolve", "--explain", ADDRESS, "--answer", answer)
    assert (ran.code, ran.out) == (7, "")


@pytest.mark.usefixtures("answer")
def test_an_earlier_day_is_told_as_it_stood(tocsin: Tocsin) -> None:
    said = tocsin("resolve", "--explain", ADDRESS, "--at", "2026-03-01T10:30:00Z").out
    assert "What follows is as it stood on 2026-03-01T10:30:00Z." in " ".join(said.split())
    assert "No answer about its network is on record." in said
    assert "What was written" not in said


def test_special_purpose_addresses_are_told_without_any_row(tocsin: Tocsin) -> None:
    said = tocsin("resolve", "--explain", "100.64.0.1").out
    assert "It lies in 100.64.0.0/10, Shared Address Space" in said
    assert "RFC 6598" in said


def test_an_ipv6_address_that_carries_another_is_looked_up_as_that(tocsin: Tocsin, db: Database, now: datetime) -> None:
    with db.write() as connection:
        block = world.network(connection, now, "192.0.2.0", "192.0.2.255")
        world.candidate(connection, now, block, 0, "abuse@isp.example")
    said = " ".join(tocsin("resolve", "--explain", "2002:c000:20a::1").out.split())
    assert "It carries the IPv4 address 192.0.2.10 (6to4, RFC 3056)." in said
    assert "abuse@isp.example: abuse role of the network." in said


def test_what_is_not_known_is_an_error_that_says_what_to_type(tocsin: Tocsin) -> None:
    ran = tocsin("resolve", "--explain", "198.51.101.1")
    assert (ran.code, ran.out) == (4, "")
    assert "Nothing is known of 198.51.101.1" in ran.err
    assert "tocsin resolve" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        ("resolve", "--explain", "somewhere"),
        ("resolve", "--explain", "fe80::1%eth0"),
        ("resolve", "--explain", "192.0.2.10", "--at", "yesterday"),
        ("resolve", "--at", "2026-03-01"),
        ("resolve", "--answer", "1"),
    ],
)
def test_a_line_that_makes_no_sense_is_a_usage_error(tocsin: Tocsin, line: tuple[str, ...]) -> None:
    assert tocsin(*line).code == 2


CAMPAIGN = example()[example().index("[campaigns.") :].replace('secure-your-server"]', 'test"]')


@pytest.mark.parametrize(
    ("countries", "languages", "rule"),
    [
        (("FR",), ["French"], "country"),
        (("FR", "IE", "IE"), ["English"], "country_of_most"),
        (("FR", "FR", "DE"), ["French"], "country_of_most"),
    ],
)
def test_the_language_that_is_expected_is_the_one_that_the_letter_will_be_written_in(
    tocsin: Tocsin,
    folder: Path,
    db: Database,
    now: datetime,
    countries: tuple[str, ...],
    languages: list[str],
    rule: str,
) -> None:
    """The rule of render, which looks at every case of the letter, not at this address alone."""
    with (folder / "config.toml").open("a", encoding="utf-8") as stream:
        stream.write(CAMPAIGN)
    with db.write() as connection:
        made = world.resolved(connection, now, "test")
        for number, country in enumerate(countries[1:], 1):
            block = world.network(connection, now, f"198.51.100.{16 * number}", f"198.51.100.{16 * number + 15}")
            connection.execute(update(t.netblocks).where(t.netblocks.c.id == block).values(country=country))
            link, _ = world.candidate(connection, now, block, 0, f"other{number}@isp.example")
            same = update(t.netblock_contacts).where(t.netblock_contacts.c.id == link)
            connection.execute(same.values(contact_id=1))
            there = world.target(connection, now, ip_address(f"198.51.100.{16 * number + 7}"))
            waits = {"state": "resolved", "exposure": "open", "exposure_at": now, "level": 1}
            world.case(connection, now, made.campaign, there, netblock_id=block, netblock_contact_id=link, **waits)
    found = tocsin("resolve", "--explain", ADDRESS, "--json").data
    assert found["expected_languages"]["test"]["language_rule"] == rule
    said = " ".join(tocsin("resolve", "--explain", ADDRESS).out.split())
    assert f"By what is known today it would be: {', '.join(languages)}. The rule: by the official" in said


def test_what_is_to_be_typed_for_an_answer_is_said_in_the_readers_language(tocsin: Tocsin, answer: int) -> None:
    assert f"tocsin resolve --explain {ADDRESS} --answer NUMBER\n" in tocsin("resolve", "--explain", ADDRESS).out
    french = tocsin("resolve", "--explain", ADDRESS, "--lang", "fr").out
    assert f"tocsin resolve --explain {ADDRESS} --answer NUMÉRO\n" in french
    assert "NUMBER" not in french
