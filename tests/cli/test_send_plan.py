"""`tocsin send` without --execute: what would go, what would not and why, and a hash that --plan holds it to."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from pipeline.domain import WaveState
from pipeline.store import holds, waves
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import approve, wave_of_letters

SETTINGS = """\
[mail]
sender = "bounces@agency.example"
rate = 2
per_day = 5
per_domain_rate = 0.5
[safety]
guests = [".example"]
"""
NOW = datetime.now(UTC)


@pytest.fixture
def wave(installed: Database, folder: Path) -> int:
    """An approved wave of twelve letters."""
    (folder / "config.toml").write_text(CONFIG + SETTINGS, encoding="utf-8")
    return approved(installed)


def approved(db: Database, count: int = 12, cases: int = 2) -> int:
    wave_id = wave_of_letters(db, NOW, count, cases=cases, state=WaveState.PLANNED)
    approve(db, wave_id, NOW)
    return wave_id


def plan(tocsin: Tocsin) -> dict[str, Any]:
    ran = tocsin("send", "test", "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def suppress(db: Database, **what: str) -> None:
    values = {"mailbox": "", "domain": "", "reason": "asked", "by": "person:1", "at": NOW, **what}
    with db.write() as connection:
        connection.execute(insert(t.suppressions).values(**values))


def test_a_plan_changes_nothing_and_is_the_same_each_time(tocsin: Tocsin, wave: int, installed: Database) -> None:
    first, second = plan(tocsin), plan(tocsin)
    assert first["plan"] == second["plan"]
    assert first["samples"] == second["samples"]
    assert (first["would_go"], first["withheld"], first["executed"]) == (12, [], False)
    with installed.read() as connection:
        assert waves.by_id(connection, wave)["state"] == "approved"


def test_the_hash_is_over_canonical_json_of_the_wave_its_letters_and_its_limits(tocsin: Tocsin, wave: int) -> None:
    found = plan(tocsin)
    limits = [
        ["mail:domain:*", 0.5, 0.0, 0.0, 0],
        ["mail:mx:*", 0.0, 0.0, 0.0, 0],
        ["mail:campaign:1", 0.0, 0.0, 0.0, 0],
        ["mail:relay:127.0.0.1:25", 0.0, 0.0, 0.0, 0],
        ["mail:all", 2.0, 0.0, 0.0, 5],
    ]
    whole = {
        "campaign": "test",
        "wave": 1,
        "mode": "training",
        "manifest": found["manifest_sha256"],
        "letters": found["going"],
        "limits": limits,
        "box_every": found["between_letters_to_a_mailbox_seconds"],
        "warm_up": found["warm_up"],
        "go_on": False,
        "waits_after": 0,  # no bigger than its first letters would be
    }
    made = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    assert found["plan"] == hashlib.sha256(made).hexdigest()


def test_each_letter_that_would_not_go_is_counted_under_its_rule(
    tocsin: Tocsin, wave: int, installed: Database, folder: Path
) -> None:
    suppress(installed, mailbox="abuse@isp1.example")
    suppress(installed, domain="isp2.example", reason="complaint")
    with installed.write() as connection:
        holds.hold(connection, holds.Scope(domain="isp3.example"), "wait", NOW, "person:1")
        cases = [
            row.case_id for row in connection.execute(t.notice_cases.select().where(t.notice_cases.c.notice_id == 4))
        ]
        stale = update(t.cases).where(t.cases.c.id.in_(cases))
        connection.execute(stale.values(exposure_at=NOW - timedelta(days=30)))
        closed = update(t.cases).where(t.cases.c.id == 10)  # one of two in the fifth letter
        connection.execute(closed.values(exposure="closed"))
        wish = {"contact_id": 6, "language": "", "format": "", "cadence_days": 0, "pgp_key": "", "headers": "{}"}
        wish |= {"inhibited_until": NOW + timedelta(days=9), "until": None, "source": "", "at": NOW}
        connection.execute(insert(t.contact_preferences).values(**wish))
    guests = ", ".join(f'"isp{number}.example"' for number in range(1, 8))
    settings = CONFIG + SETTINGS.replace('".example"', guests)
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    found = plan(tocsin)
    assert {(one["rule"], one["why"]): one["letters"] for one in found["withheld"]} == {
        ("suppressed", "asked"): 1,
        ("suppressed", "complaint"): 1,
        ("held", "held"): 1,
        ("stale", "stale"): 1,
        ("unwelcome", "inhibited"): 1,
        ("training", "training"): 5,
    }
    assert (found["would_go"], found["would_go_shortened"]) == (2, 1)
    assert found["going"] == [
        {"letter": 5, "sha256": found["going"][0]["sha256"], "dropped": {"10": "closed"}},
        {"letter": 7, "sha256": found["going"][1]["sha256"], "dropped": {}},
    ]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "en",
            (
                "mode          training mode",
                "would go      10",
                "would not go  2",
                "French (Canada) and English  7",
                "on the do-not-write list: they asked  1",
                "a hold covers them                    1",
                "each recipient domain  0.5/s       -",
                "all letters            2/s, 5/day  0",
            ),
        ),
        (
            "fr",
            (
                "mode                mode formation",
                "partiraient         10",
                "ne partiraient pas  2",
                "français (Canada) et anglais  7",
                "sur la liste de non-envoi\u00a0: à leur demande  1",
                "une suspension les couvre                   1",
                "chaque domaine destinataire  0,5/s        -",
                "toutes les lettres           2/s, 5/jour  0",
            ),
        ),
    ],
)
def test_a_plan_is_read_in_both_languages(
    tocsin: Tocsin, wave: int, installed: Database, language: str, lines: tuple[str, ...]
) -> None:
    suppress(installed, mailbox="abuse@isp1.example")
    with installed.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id > 5).values(locales="fr_CA,en"))
        holds.hold(connection, holds.Scope(domain="isp3.example"), "wait", NOW, "person:1")
    ran = tocsin("send", "test", "--lang", language)
    assert ran.code == 0, ran.err
    shown = ran.out.splitlines()
    assert [line for line in lines if line not in shown] == []


def test_more_domains_than_ten_are_counted_together(tocsin: Tocsin, wave: int) -> None:
    assert "2 other domains   2" in tocsin("send", "test").out.splitlines()


def test_a_wave_is_sent_only_as_the_plan_that_was_looked_at(tocsin: Tocsin, wave: int, installed: Database) -> None:
    seen = plan(tocsin)["plan"]
    assert tocsin("send", "test", "--plan", seen).code == 0
    suppress(installed, mailbox="abuse@isp1.example")
    ran = tocsin("send", "test", "--plan", seen, "--execute", "--yes")
    assert ran.code == 6
    assert "another one by now" in ran.err
    assert "letters that would go now: 11, that would not: 1" in ran.err
    with installed.read() as connection:
        assert waves.by_id(connection, wave)["state"] == "approved"


def test_a_plan_that_was_kept_as_json_tells_what_has_changed(
    tocsin: Tocsin, wave: int, installed: Database, folder: Path
) -> None:
    kept = folder / "plan.json"
    kept.write_text(json.dumps(plan(tocsin)), encoding="utf-8")
    assert tocsin("send", "test", "--plan", kept).code == 0
    suppress(installed, mailbox="abuse@isp1.example")
    with installed.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id == 10).values(exposure="closed"))
    (folder / "config.toml").write_text(CONFIG + SETTINGS.replace("rate = 2", "rate = 3"), encoding="utf-8")
    ran = tocsin("send", "test", "--plan", kept, "--execute", "--yes")
    assert ran.code == 6
    for change in (
        "1 letter that was in it would not go",
        "1 letter would go with other bytes or addresses",
        "its limits were others",
    ):
        assert change in ran.err
    assert "not in it" not in ran.err


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"plan": 3, "going": [1, {}, {"letter": []}], "limits": 7}', "[" * 99_999]
)
def test_a_file_that_is_no_plan_is_refused(tocsin: Tocsin, wave: int, folder: Path, text: str) -> None:
    (folder / "plan.json").write_text(text, encoding="utf-8")
    assert tocsin("send", "test", "--plan", "plan.json", "--execute", "--yes").code == 6


def test_a_limit_that_is_used_up_moves_the_end(tocsin: Tocsin, wave: int, installed: Database) -> None:
    before = plan(tocsin)
    with installed.write() as connection:
        connection.execute(insert(t.budgets).values(key="mail:all", day=f"{datetime.now(UTC):%Y-%m-%d}", used=5))
    after = plan(tocsin)
    assert after["plan"] == before["plan"]
    assert [limit["used_today"] for limit in after["limits"]] == [0, 0, 0, 0, 5]
    assert datetime.fromisoformat(after["ends_at"]) > datetime.fromisoformat(before["ends_at"])
    assert after["decided_by"] == "mail:all"
