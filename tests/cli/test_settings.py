"""`config` and `db`: what is in force is shown without secrets, what is wrong is named, the database is kept up to date."""

import json
import sqlite3
import tomllib
from pathlib import Path

import pytest

from pipeline.config_text import example
from tests.cli.conftest import Tocsin


def test_settings_that_can_be_used_pass_the_check(tocsin: Tocsin) -> None:
    ran = tocsin("config", "check")
    assert (ran.code, ran.out) == (0, "config.toml can be used\n")
    assert tocsin("config", "check", "--json").data["ok"] is True


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[feeds.a]\nparser = 'nothing'\nlawful_basis = 'x'", "feeds.a.parser: nothing is not one of csv"),
        ("[feeds.a]\nparser = 'csv'\nlawful_basis = 'x'\nclaim = 'nothing'", "feeds.a: nothing is not one of "),
        ("[feeds.a]\nparser = 'csv'\nlawful_basis = 'x'\nclaims = {a = 'nothing'}", "feeds.a: nothing is not one of "),
        ("[zones.'nothing.example']\n", "zones.nothing.example: no such zone is known"),
        ("topics = ['nothing.toml']\n", "nothing.toml cannot be read"),
    ],
)
def test_a_name_that_nothing_here_knows_fails_the_check(tocsin: Tocsin, folder: Path, text: str, named: str) -> None:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    ran = tocsin("config", "check")
    assert ran.code == 3
    assert named in ran.err


def test_a_campaign_about_an_unknown_topic_fails_the_check(tocsin: Tocsin, folder: Path) -> None:
    text = example().replace('# topics = ["open_relay", "open_proxy"]', 'topics = ["open_window"]')
    (folder / "config.toml").write_text(text, encoding="utf-8")
    ran = tocsin("config", "check")
    assert ran.code == 3
    assert "campaigns.secure-your-server.topics: open_window is not one of open_" in ran.err


def test_the_example_passes_the_check(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text(tocsin("config", "show", "--example").out, encoding="utf-8")
    assert (folder / "config.toml").read_text(encoding="utf-8") == example()
    assert tocsin("config", "check").code == 0


def test_settings_are_shown_as_toml_that_means_the_same(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text(example().replace("# rate = 1.0", "rate = 7.5"), encoding="utf-8")
    shown = tocsin("config", "show").out
    assert tomllib.loads(shown)["mail"]["rate"] == 7.5
    (folder / "config.toml").write_text(shown, encoding="utf-8")
    assert tocsin("config", "show").out == shown


def test_the_environment_wins_and_is_shown(tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_MAIL__RATE", "3.5")
    monkeypatch.setenv("TOCSIN_MAIL__FRESH_FOR", "48h")
    mail = tocsin("config", "show", "--json").data["settings"]["mail"]
    assert (mail["rate"], mail["fresh_for"]) == (3.5, "2d")


def test_secrets_are_never_shown(tocsin: Tocsin, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (
        "5a" * 32,
        "hunter2hunter2",
        "KEY.zone.example",
        "s3cret",
        "MC4CAQAwBQYDK2Vw",
        "pass phrase",
        "east of here",
    )
    (folder / "credentials.toml").write_text(
        f'master_key = "{secrets[0]}"\nmail_password = "{secrets[1]}"\nzones = {{"zone.example" = "{secrets[2]}"}}\n'
        f'dkim_ed25519_key = "{secrets[4]}"\npgp_passphrase = "{secrets[5]}"\n'
        f'mail_passwords = {{east = "{secrets[6]}", west = ""}}\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("TOCSIN_DATABASE__URL", f"postgresql://tocsin:{secrets[3]}@127.0.0.1:1/tocsin")
    for line in (("config", "show"), ("config", "show", "--json"), ("config", "check"), ("doctor",), ("db", "status")):
        ran = tocsin(*line)
        assert not [secret for secret in secrets if secret in ran.out + ran.err], line
    shown = tocsin("config", "show", "--json").data
    there = dict.fromkeys(("master_key", "mail_password", "dkim_ed25519_key", "pgp_passphrase"), True)
    gone = dict.fromkeys(("dkim_rsa_key", "pgp_key"), False)
    assert shown["secrets"] == {**there, **gone, "mail_passwords": ["east"], "zones": ["zone.example"]}
    assert "postgresql://tocsin:***@" in shown["settings"]["database"]["url"]


def test_the_schema_describes_every_setting_and_lengths_as_they_are_written(tocsin: Tocsin) -> None:
    schema = json.loads(tocsin("config", "schema").out)
    timeout = schema["$defs"]["DnsSection"]["properties"]["timeout"]
    assert (timeout["default"], timeout["type"]) == ("5s", "string")
    assert "PT5S" not in json.dumps(schema)
    assert set(schema["properties"]) >= {"database", "mail", "campaigns"}


def test_a_database_that_is_up_to_date_says_so(tocsin: Tocsin) -> None:
    ran = tocsin("db", "status")
    assert (ran.code, ran.err) == (0, "")
    data = tocsin("db", "status", "--json").data
    assert (data["kind"], data["current"], data["durable"]) == ("sqlite", True, True)
    assert data["schema"] == data["newest"]
    assert tocsin("db", "upgrade").out == "nothing to do: it is up to date\n"


def test_an_empty_database_is_brought_up_to_date(tocsin: Tocsin, folder: Path) -> None:
    (folder / "tocsin.db").unlink()
    sqlite3.connect(folder / "tocsin.db").close()
    (folder / "tocsin.db").touch()
    assert tocsin("db", "status").code == 3
    assert "Run: tocsin db upgrade" in tocsin("feed", "list").err
    assert tocsin("db", "upgrade", "--json").data["applied"]
    assert tocsin("db", "status").code == 0
