"""The doctor finds what is missing, says why it matters and what to do, and fails only for what stops a campaign."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.cli import checks
from pipeline.cli.finding import Grade
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from tests.cli.conftest import CONFIG, Tocsin


def grades(tocsin: Tocsin, *arguments: str) -> dict[str, str]:
    data = tocsin("doctor", "--json", *arguments).data
    assert data["schema_version"] == 1
    return {check["check"]: check["grade"] for check in data["checks"]}


def test_a_new_installation_has_warnings_and_no_failure(tocsin: Tocsin) -> None:
    found = grades(tocsin)
    assert [check for check, grade in found.items() if grade == "fail"] == []
    assert {check for check, grade in found.items() if grade == "warn"} >= {"nameservers", "registries", "approvers"}
    assert {"settings", "credentials", "database", "durability", "clock", "disk", "languages"} <= set(found)
    assert "relay" not in found


def test_what_is_set_warns_no_more(tocsin: Tocsin, folder: Path) -> None:
    more = '[dns]\nnameservers = ["127.0.0.1"]\n[rdap]\nuser_agent = "Agency (noc@agency.example)"\n'
    (folder / "config.toml").write_text(CONFIG + more, encoding="utf-8")
    for name in ("alice", "bob"):
        tocsin("person", "add", name, "--role", "approver", "--principal", f"{name}@agency.example")
    found = grades(tocsin)
    assert {found[check] for check in ("nameservers", "registries", "approvers")} == {"ok"}


def test_every_finding_that_is_not_good_says_what_to_do(tocsin: Tocsin) -> None:
    for check in tocsin("doctor", "--json").data["checks"]:
        assert check["what"]
        assert check["grade"] == "ok" or check["next_step"], check


def test_broken_settings_are_a_failure_and_end_with_3(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text("[mail]\nrat = 1\n", encoding="utf-8")
    ran = tocsin("doctor")
    assert ran.code == 3
    assert "failure  settings: config.toml cannot be used" in ran.out
    assert "mail.rat: no such setting" in ran.out


@pytest.mark.parametrize(
    ("content", "mode"), [('master_key = "00"', 0o600), ("", 0o600), ('master_key = "' + "5a" * 32 + '"', 0o644)]
)
def test_credentials_that_cannot_be_used_or_can_be_read_by_others_fail(
    tocsin: Tocsin, folder: Path, content: str, mode: int
) -> None:
    (folder / "credentials.toml").write_text(content, encoding="utf-8")
    (folder / "credentials.toml").chmod(mode)
    ran = tocsin("doctor")
    assert (ran.code, "failure" in ran.out) == (3, True)


def test_a_database_that_is_missing_or_newer_fails(tocsin: Tocsin, folder: Path) -> None:
    with sqlite3.connect(folder / "tocsin.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '299901010000_later'")
    assert grades(tocsin)["database"] == "fail"
    (folder / "tocsin.db").unlink()
    assert grades(tocsin)["database"] == "fail"
    assert not (folder / "tocsin.db").exists()


NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "newest", "grade"),
    [
        (NOW, None, Grade.OK),
        (NOW, NOW - timedelta(days=9), Grade.OK),
        (NOW, NOW + timedelta(minutes=4), Grade.OK),
        (NOW, NOW + timedelta(minutes=6), Grade.FAIL),
        (datetime(2000, 1, 1, tzinfo=UTC), None, Grade.FAIL),
    ],
)
def test_a_clock_behind_the_release_or_the_log_fails(now: datetime, newest: datetime | None, grade: Grade) -> None:
    assert checks.clock(now, newest).grade is grade


def relay(folder: Path, port: int, tls: str = "none") -> None:
    text = f'{CONFIG}[mail.relay]\nhost = "127.0.0.1"\nport = {port}\ntls = "{tls}"\n'
    (folder / "config.toml").write_text(text, encoding="utf-8")


def test_the_relay_is_greeted_when_asked_and_no_letter_is_sent(tocsin: Tocsin, folder: Path, tmp_path: Path) -> None:
    with in_thread(serve({}, tmp_path / "mail")) as server:
        relay(folder, server.port)
        assert grades(tocsin, "--relay")["relay"] == "ok"
        said = [command.split()[0].upper() for _, command in server.commands]
        assert (said[0], said[-1]) == ("EHLO", "QUIT")
        assert "MAIL" not in said
        relay(folder, server.port, "verified")
        assert grades(tocsin, "--relay")["relay"] == "fail"


def test_a_relay_that_does_not_answer_is_a_failure(tocsin: Tocsin, folder: Path, tmp_path: Path) -> None:
    with in_thread(serve({}, tmp_path / "mail")) as server:
        port = server.port
    relay(folder, port)
    ran = tocsin("doctor", "--relay")
    assert ran.code == 3
    assert f"relay: 127.0.0.1:{port} cannot be used (connect)" in ran.out
