"""`tocsin who`, `explain`, `status`, `audit log`, as a person types them."""

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import click
import pytest
from sqlalchemy import update

from pipeline import cli
from pipeline.audit import explain, waits
from pipeline.cli.status import watching
from pipeline.domain import LetterState
from pipeline.store import budgets, holds, overrides, preferences
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference
from tests.audit import lookups, world
from tests.audit.world import ADDRESS, HEAD, HOUR, World
from tests.cli.conftest import Tocsin
from tests.databases import ROOT


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


@pytest.fixture
def made(db: Database, now: datetime) -> World:
    return world.story(db, now)


@pytest.fixture(autouse=True)
def in_thirty_days(tocsin: Tocsin, now: datetime) -> datetime:
    """Every command runs thirty days after the story."""
    later = now + timedelta(days=30)
    tocsin.clock = lambda: later
    return later


def printed(tocsin: Tocsin, *arguments: str) -> bytes:
    """Return what a run printed to stdout, to the byte."""
    result = tocsin.result(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_who_tells_the_story_and_ends_with_what_it_means(tocsin: Tocsin, made: World) -> None:
    ran = tocsin("who", ADDRESS)
    assert ran.code == 0
    assert ran.out.startswith("On record about 192.0.2.10\n\nWhat was reported\n")
    assert "the recipient's own server's answer is not known" in ran.out.split("What it means now")[1]


def test_who_speaks_french(tocsin: Tocsin, made: World) -> None:
    ran = tocsin("who", ADDRESS, "--lang", "fr")
    assert ran.code == 0
    assert ran.out.startswith("Ce qui est consigné sur 192.0.2.10\n\nCe qui a été signalé\n")
    assert "la réponse du serveur du destinataire n'est pas connue" in ran.out


def test_who_as_json_is_whole_and_names_its_codes(tocsin: Tocsin, made: World) -> None:
    data = tocsin("who", made.reference, "--json").data
    assert data["schema_version"] == 1
    assert data["kind"] == "reference"
    assert [row["mailbox"] for row in data["contacts"]] == ["abuse@isp.example", "noc@isp.example"]
    assert data["letters"][0]["sha256"] == hashlib.sha256(made.body).hexdigest()
    assert {"code": "letter.handed", "letter": made.letter} in [
        {key: row[key] for key in ("code", "letter") if key in row} for row in data["meaning"]
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_nobody_knows_ends_with_exit_code_4(tocsin: Tocsin, made: World, language: str) -> None:
    ran = tocsin("who", "203.0.113.99", "--lang", language)
    assert ran.code == 4
    assert {"en": "Nothing is known of 203.0.113.99", "fr": "Rien n'est connu de 203.0.113.99"}[language] in ran.err
    assert {"en": "searched were all reports", "fr": "on a cherché dans tous les signalements"}[language] in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("question", ["isp.example", "192.0.2.0/40", ""])
def test_what_is_no_question_is_wrong_usage(tocsin: Tocsin, question: str) -> None:
    assert tocsin("who", question).code == 2


def test_a_letters_bytes_are_printed_unchanged(tocsin: Tocsin, made: World) -> None:
    assert tocsin("who", made.reference).code == 0
    assert printed(tocsin, "who", made.reference, "--letter") == HEAD + made.body
    assert printed(tocsin, "who", str(ADDRESS), "--letter", "1") == HEAD + made.body
    data = tocsin("who", made.message_id, "--letter", "1", "--json").data
    assert base64.b64decode(data["base64"]) == HEAD + made.body
    assert data["sha256"] == hashlib.sha256(HEAD + made.body).hexdigest()


def test_of_several_letters_one_is_named_by_its_place(tocsin: Tocsin, db: Database, now: datetime, made: World) -> None:
    with db.write() as connection:
        second = world.World(made.campaign, made.network, made.chosen, made.target, 0)
        second.campaign = world.campaign(connection, now, "second")
        second.case = world.case(connection, now, second.campaign, made.target)
        world.check(connection, now, second.case, [(1, 1)])
        second.wave = world.wave(connection, now, second.campaign)
        world.write(connection, now + 9 * world.HOUR, second)
    ran = tocsin("who", ADDRESS, "--letter")
    assert ran.code == 2
    assert "1  2026-03-01T15:00:00Z  Letter 1 to Abuse@isp.example" in ran.err
    assert "--letter 1 to --letter 2" in ran.err
    assert printed(tocsin, "who", str(ADDRESS), "--letter", "2") == second.body
    assert tocsin("who", ADDRESS, "--letter", "3").code == 2
    assert tocsin("who", "noc@isp.example", "--letter").code == 2


def test_a_network_is_paged(tocsin: Tocsin, db: Database, now: datetime, made: World) -> None:
    with db.write() as connection:
        world.target(connection, now, port=3128)
        world.target(connection, now, IPv4Address("192.0.2.11"))
    ran = tocsin("who", "192.0.2.0/24", "--limit", 1)
    assert "addresses and services in the network: 3" in ran.out
    assert "handed to our relay" in ran.out
    assert "--after 192.0.2.10" in ran.err
    data = tocsin("who", "192.0.2.0/24", "--after", "192.0.2.10", "--json").data
    assert (data["addresses"], data["next"]) == (["192.0.2.11"], None)
    assert tocsin("who", "192.0.2.0/24", "--after", "x").code == 2


def test_explain_says_why_and_what_is_next(tocsin: Tocsin, made: World) -> None:
    ran = tocsin("explain", f"{ADDRESS}:8080")
    assert ran.code == 0
    assert "192.0.2.10, TCP port 8080 (open proxy), campaign test (training mode)" in ran.out
    assert "What is next: It is checked" in ran.out
    [found] = tocsin("explain", ADDRESS, "--json").data["explanations"]
    assert (found["verdict"], found["inside"], found["next"]["command"]) == ("in.told", True, "tocsin verify")
    assert [row["counts"] for row in found["reports"]] == [False, False]  # old by now
    assert tocsin("explain", "203.0.113.99").code == 4
    assert tocsin("explain", f"{ADDRESS}:25").code == 4
    assert tocsin("explain", "192.0.2.0/24").code == 2


@pytest.mark.parametrize("language", ["en", "fr"])
def test_explain_and_status_speak_both_languages(
    tocsin: Tocsin, db: Database, now: datetime, made: World, language: str
) -> None:
    with db.write() as connection:
        holds.hold(connection, holds.Scope(campaign_id=made.campaign), "pause", now, "tocsin")
    assert tocsin("explain", ADDRESS, "--lang", language).code == 0
    ran = tocsin("status", "--lang", language)
    assert ran.code == 0
    assert {"en": "A hold on campaign test stops sending", "fr": "Une suspension arrête les envois"}[
        language
    ] in ran.out


def test_status_shows_figures_waits_and_what_to_type(tocsin: Tocsin, made: World) -> None:
    ran = tocsin("status")
    assert "letters                 1 (handed to our relay 1)" in ran.out
    assert "test is in training mode" in ran.out
    data = tocsin("status", "--campaign", "test", "--json").data
    assert data["funnel"]["letters"] == {"handed": 1}
    assert {"code": "training", "campaign": "test"}.items() <= data["waits"][-1].items()
    assert tocsin("status", "--campaign", "other").code == 4


def test_watching_looks_again_until_a_person_stops_it() -> None:
    looks: list[float] = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    seen: list[int] = []
    watching(lambda: seen.append(1), pause)
    assert len(seen) == len(looks) == 3


def test_the_log_is_one_object_a_line(tocsin: Tocsin, db: Database, now: datetime, made: World) -> None:
    with db.write() as connection:
        holds.hold(connection, holds.Scope(), "line\nbreak \u202e", now, "tocsin")
        [hold] = connection.execute(t.holds.select()).mappings()
    ran = tocsin("audit", "log", "--after", 0, "--limit", 1000, "--json")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert {event["schema_version"] for event in events} == {1}
    assert events[0]["at"] == "2026-03-01T10:00:00.000000Z"
    [placed] = [event for event in events if event["what"] == "hold.placed"]
    assert placed["texts"] == {placed["data"]["reason"]: "line\nbreak \u202e"}
    assert placed["subject_id"] == hold["id"]
    assert "\u202e" not in ran.out


def test_each_line_of_the_log_has_its_leaf_hash_and_all_that_it_is_computed_from(
    tocsin: Tocsin, db: Database, now: datetime, made: World
) -> None:
    """As docs/explanation/record.md says, with nothing but the line itself."""
    with db.write() as connection:
        holds.hold(connection, holds.Scope(), "un é", now, "tocsin")
    lines = tocsin("audit", "log", "--after", 0, "--limit", 1000, "--json").out.splitlines()
    assert lines
    for event in map(json.loads, lines):
        data = json.dumps(event["data"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        campaign = "" if event["campaign_id"] is None else str(event["campaign_id"])
        before, after = (
            (event["at"], event["what"], event["subject"], str(event["subject_id"])),
            (event["by"], event["why"]),
        )
        said = "\x1f".join((*before, campaign, *after, data))
        assert event["leaf"] == hashlib.sha256(b"\0" + said.encode()).hexdigest()


def test_the_log_is_narrowed_and_paged(tocsin: Tocsin, made: World) -> None:
    def ids(*options: object) -> list[str]:
        ran = tocsin("audit", "log", *options, "--json")
        return [json.loads(line)["what"] for line in ran.out.splitlines()]

    assert ids("--subject", f"letter:{made.letter}") == [
        *("letter.drafted", "letter.approved", "letter.claimed", "letter.handed")
    ]
    assert ids("--campaign", "test", "--what", "case.noticed") == ["case.noticed"]
    assert ids("--since", "2026-03-01T16:00:00Z") == ["letter.claimed", "letter.handed", "case.noticed"]
    assert ids("--since", "2026-03-01", "--limit", 1) == ["snapshot.received"]
    assert ids("--limit", 1) == ["case.noticed"]
    ran = tocsin("audit", "log", "--limit", 2)
    assert "There is more: add --before" in ran.err
    assert f"Case {made.case}: the letter about it was handed over." in ran.out
    assert "There is more: add --after" in tocsin("audit", "log", "--after", 0, "--limit", 2).err
    assert tocsin("audit", "log", "--lang", "fr").code == 0
    for wrong in (("--subject", "letter"), ("--since", "yesterday"), ("--subject", "letter:x")):
        assert tocsin("audit", "log", *wrong).code == 2
    assert tocsin("audit", "log", "--campaign", "other").code == 4


def test_hostile_rows_reach_a_terminal_clean(tocsin: Tocsin, db: Database, made: World) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe"
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(holder=hostile))
        connection.execute(
            update(t.contacts).where(t.contacts.c.mailbox == "abuse@isp.example").values(mailbox=hostile)
        )
    for line in (("who", ADDRESS), ("explain", ADDRESS), ("who", "192.0.2.0/24"), ("who", ADDRESS, "--json")):
        out = tocsin(*line).out
        assert "\x1b" not in out
        assert "\u202e" not in out
    assert tocsin("who", ADDRESS, "--json").data["networks"][0]["holder"] == hostile


def test_a_letter_that_waits_is_not_said_to_have_left(tocsin: Tocsin, db: Database, now: datetime) -> None:
    world.story(db, now, state=LetterState.APPROVED)
    out = tocsin("who", ADDRESS).out
    assert "is approved and has not left" in out
    assert "handed" not in out.split("What it means now")[1].replace("known to have been handed over", "")


def test_every_command_that_is_to_be_typed_next_exists() -> None:
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (waits, explain)]
    lines = {line for source in sources for line in re.findall(r'"tocsin ([a-z ]+)', source)}
    assert len(lines) > 8
    for line in sorted(lines):
        command: click.Command = cli.root
        for name in line.split():
            if isinstance(command, click.Group):
                found = command.get_command(click.Context(command), name)
                assert found is not None, f"tocsin {line}"
                command = found


COLUMNS = {column.name for table in t.metadata.tables.values() for column in table.c}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("heading", "arguments", "rows", "of_tables"),
    [
        ("explain TARGET", ("explain", ADDRESS), ("explanations",), set()),
        (
            "resolve --explain",
            ("resolve", "--explain", ADDRESS),
            ("steps", "candidates", "words", "languages"),
            COLUMNS,
        ),
        ("registry status", ("registry", "status"), ("servers", "lists", "dumps"), set()),
        (
            "contact show",
            ("contact", "show", "abuse@isp.example"),
            ("preferences", "named_for", "letters", "words"),
            set(),
        ),
        ("contact show", ("contact", "show", ADDRESS), ("networks", "words"), set()),
    ],
)
def test_every_key_of_the_json_is_described(
    tocsin: Tocsin,
    db: Database,
    now: datetime,
    heading: str,
    arguments: tuple[object, ...],
    rows: tuple[str, ...],
    of_tables: set[str],
) -> None:
    """Keys of rows that stand as they are in the database are described with its tables."""
    with db.write() as connection:
        preferences.put(connection, 1, Preference("fr", cadence_days=7), now, "person:1")
        said = overrides.Said(overrides.Word.USE, (ADDRESS, ADDRESS), "abuse@isp.example", "abuse@isp.example", "asked")
        overrides.add(connection, said, now, "person:1")
        lookups.step(connection, now, 1, 0, "network", lookups.RDAP)
        budgets.reserve(connection, [budgets.Limit("rdap:rdap.registry.example", 1.0)], 1, now, HOUR)
        file = {"registry": "ripencc", "sha256": bytes(32), "name": "ripe.db.inetnum.gz", "bytes": 1}
        connection.execute(t.dumps.insert().values(began_at=now, complete_at=now, **file))
    data = tocsin(*arguments, "--json").data
    page = (ROOT / "docs" / "reference" / "record.md").read_text(encoding="utf-8")
    section = page.split(f"## tocsin {heading}")[1].split("\n## ")[0]
    shown = [data[name] if isinstance(data[name], dict) else data[name][0] for name in rows if data[name]]
    assert len(shown) >= len(rows) - 1
    keys = set(data).union(*shown) - {"schema_version", "query"}
    described = set(re.findall(r"`([a-z0-9_]+)`", section))
    assert keys - described - of_tables == set()
