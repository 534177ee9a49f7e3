"""Every command that needs no stage: JSON with schema_version, French without English, and what it does in the database."""

from pathlib import Path
from typing import Any

import click
import pytest

from pipeline.config_text import example
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli.catalogue import commands
from tests.cli.conftest import CONFIG, Tocsin
from tests.conftest import NOW
from tests.seed import add, wave_of_letters

OF_CAMPAIGN = example()[example().index("[campaigns.") :]

# A line for each command of these modules, in an order in which each one succeeds.
LINES: list[tuple[str, ...]] = [
    ("version",),
    ("init", "."),
    ("doctor",),
    ("config", "check"),
    ("config", "show"),
    ("config", "schema"),
    ("db", "status"),
    ("db", "upgrade"),
    ("person", "add", "alice", "--role", "approver"),
    ("person", "list"),
    ("person", "disable", "alice"),
    ("feed", "list"),
    ("campaign", "create", "secure-your-server"),
    ("campaign", "change", "secure-your-server"),
    ("campaign", "list"),
    ("campaign", "show", "secure-your-server"),
    ("snapshot", "list"),
    ("snapshot", "release", "1", "--reason", "looked at"),
    ("snapshot", "void", "1", "--reason", "wrong file"),
    ("suppress", "add", "a@isp.example", "isp.example", "192.0.2.0/24", "--reason", "asked"),
    ("suppress", "list"),
    ("suppress", "remove", "isp.example"),
    ("suppress", "remove", "isp.example", "--execute", "--yes"),
    ("suppress", "list", "--all"),
    ("exclude", "add", "192.0.2.7", "AS64500", "--reason", "own"),
    ("exclude", "list"),
    ("exclude", "remove", "192.0.2.7", "--execute", "--yes"),
    ("hold", "--reason", "wait"),
    ("hold", "--campaign", "secure-your-server", "--domain", "isp.example", "--reason", "wait"),
    ("holds",),
    ("release", "--reason", "go on"),
]
MODULES = {"campaign", "config", "db", "doctor", "feed", "hold", "init", "person", "snapshot", "stops", "version"}


@pytest.fixture
def full(folder: Path) -> Path:
    """An installation with a declared campaign and a held snapshot, number 1."""
    (folder / "config.toml").write_text(CONFIG + OF_CAMPAIGN, encoding="utf-8")
    db = Database(f"sqlite:///{folder / 'tocsin.db'}")
    with db.write() as connection:
        values = {"parser": "ip_port", "rights": "{}", "declaration": "{}", "declared_at": NOW}
        feed = add(connection, t.feeds, name="proxy-list", **values)
        held = {"sha256": bytes(32), "name": "list.txt", "received_at": NOW, "verdict": "held", "reason": "rejects"}
        assert add(connection, t.snapshots, feed_id=feed, **held) == 1
    db.close()
    return folder


def test_every_command_of_these_modules_is_run_below() -> None:
    leaves = {
        path
        for path, command in commands()
        if not isinstance(command, click.Group) and str(command.callback.__module__).rsplit(".", 1)[-1] in MODULES
    }
    run = {" ".join(("tocsin", *line))[:60] for line in LINES}
    assert {leaf for leaf in leaves if not any(f"{line} ".startswith(f"{leaf} ") for line in run)} == set()
    assert len(leaves) > 20


def test_every_command_prints_json_with_schema_version_and_nothing_else(tocsin: Tocsin, full: Path) -> None:
    for line in LINES:
        ran = tocsin(*line, "--json")
        assert (ran.code, ran.err) == (0, ""), (line, ran)
        assert ran.data["schema_version"] == 1, line


def test_every_command_speaks_french(tocsin: Tocsin, full: Path) -> None:
    for line in LINES:
        ran = tocsin("--lang", "fr", *line)
        assert ran.code == 0, (line, ran)
        assert ran.out, line


def test_every_command_runs_on_postgresql_too(
    tocsin: Tocsin, full: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE__URL", db.engine.url.render_as_string(hide_password=False))
    for line in LINES:
        if line[0] != "doctor" and line[:2] not in (("snapshot", "release"), ("snapshot", "void")):
            assert tocsin(*line).code == 0, line


def test_a_campaign_is_made_from_the_settings_in_training_mode(tocsin: Tocsin, full: Path) -> None:
    assert tocsin("campaign", "list", "--json").data["not_created"] == ["secure-your-server"]
    assert tocsin("campaign", "create", "secure-your-server").out == "created secure-your-server, in training mode\n"
    shown = tocsin("campaign", "show", "secure-your-server", "--json").data
    assert (shown["campaign"]["mode"], shown["campaign"]["minimum_level"]) == ("training", 1)
    assert shown["settings"]["operation"]["fr"] == "Sécurisez votre serveur" or shown["settings"]["operation"]["fr"]
    assert len(shown["campaign"]["order_seed"]) == 64
    assert tocsin("campaign", "create", "secure-your-server").code == 3


def test_a_campaign_takes_changed_settings_only_when_told(tocsin: Tocsin, full: Path) -> None:
    tocsin("campaign", "create", "secure-your-server")
    text = (full / "config.toml").read_text(encoding="utf-8")
    (full / "config.toml").write_text(text.replace("# minimum_level = 1", "minimum_level = 2"), encoding="utf-8")
    assert tocsin("campaign", "list", "--json").data["campaigns"][0]["minimum_level"] == 1
    assert tocsin("campaign", "change", "secure-your-server", "--json").data["changed"] is True
    assert tocsin("campaign", "change", "secure-your-server", "--json").data["changed"] is False
    assert tocsin("campaign", "list", "--json").data["campaigns"][0]["minimum_level"] == 2


def test_what_is_declared_nowhere_is_not_created(tocsin: Tocsin, full: Path) -> None:
    ran = tocsin("campaign", "create", "nothing")
    assert (ran.code, "config.toml has no campaign nothing" in ran.err) == (4, True)
    assert tocsin("campaign", "show", "nothing").code == 4


def test_a_campaign_is_shown_with_its_cases_and_waves(tocsin: Tocsin, folder: Path) -> None:
    db = Database(f"sqlite:///{folder / 'tocsin.db'}")
    wave_of_letters(db, NOW, 2, cases=3)
    db.close()
    data = tocsin("campaign", "show", "test", "--json").data
    assert sum(data["cases"].values()) == 6
    assert data["waves"][0]["letters"] == {"approved": 2}
    shown = tocsin("campaign", "show", "test").out
    assert "contact found: 6" in shown
    assert "approved: 2" in shown


def test_feeds_are_listed_whether_declared_known_or_both(tocsin: Tocsin, full: Path) -> None:
    more = '[feeds."other"]\nparser = "csv"\nlawful_basis = "law"\n'
    (full / "config.toml").write_text(CONFIG + more, encoding="utf-8")
    rows = {row["name"]: row for row in tocsin("feed", "list", "--json").data["feeds"]}
    assert (rows["other"]["snapshots"], rows["other"]["declared"]) == (0, True)
    assert (rows["proxy-list"]["snapshots"], rows["proxy-list"]["declared"]) == (1, True)
    (full / "config.toml").write_text("", encoding="utf-8")
    assert [(r["name"], r["declared"]) for r in tocsin("feed", "list", "--json").data["feeds"]] == [
        ("proxy-list", False)
    ]


def test_a_held_delivery_is_released_once_and_voided_for_good(tocsin: Tocsin, full: Path) -> None:
    def verdict() -> Any:
        return tocsin("snapshot", "list", "--json").data["snapshots"][0]["verdict"]

    assert verdict() == "held"
    assert tocsin("snapshot", "release", "1", "--reason", "looked at").code == 0
    assert verdict() == "accepted"
    assert tocsin("snapshot", "release", "1", "--reason", "again").code == 6
    assert tocsin("snapshot", "void", "1", "--reason", "wrong").code == 0
    assert (verdict(), tocsin("snapshot", "void", "1", "--reason", "again").code) == ("voided", 6)
    assert tocsin("snapshot", "release", "99", "--reason", "x").code == 4
    assert tocsin("snapshot", "list", "--feed", "none", "--json").data["snapshots"] == []
