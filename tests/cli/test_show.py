"""What is printed: JSON that always parses, tables that line up, and nothing from outside that steers a terminal."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path

import pytest

from pipeline.cli import show
from pipeline.domain import Verdict
from tests.cli.conftest import Tocsin
from tests.databases import ROOT

HOSTILE = "\x1b[2Jred\x9b31m\r\u202egnp.exe\u2066\x07\x00\ud800\ufeff\u2028end"


def test_nothing_that_steers_a_terminal_is_left() -> None:
    cleaned = show.clean(HOSTILE)
    assert cleaned.count("\ufffd") == 10
    assert "red" in cleaned
    assert show.UNSAFE.search(cleaned) is None
    assert show.clean("é 12\u00a0430 « ok »\tyes\nno") == "é 12\u00a0430 « ok »\tyes\nno"


def test_json_has_a_schema_version_and_escapes_what_steers_a_terminal() -> None:
    made = show.to_json({"name": HOSTILE, "é": "é"})
    assert show.UNSAFE.search(made) is None
    assert "é" in made
    assert json.loads(made) == {"schema_version": 1, "name": HOSTILE, "é": "é"}


def test_json_takes_the_values_that_the_store_gives() -> None:
    values = {
        "at": datetime(2026, 3, 1, 11, 0, tzinfo=timezone(timedelta(hours=1))),
        "for": timedelta(minutes=2),
        "sha256": b"\x00\xff",
        "address": ip_address("2001:db8::1"),
        "verdict": Verdict.HELD,
        "file": Path("a/b"),
        "set": {2, 1},
    }
    assert json.loads(show.to_json(values)) == {
        "schema_version": 1,
        "at": "2026-03-01T10:00:00Z",
        "for": 120.0,
        "sha256": "00ff",
        "address": "2001:db8::1",
        "verdict": "held",
        "file": "a/b",
        "set": [1, 2],
    }
    with pytest.raises(TypeError):
        show.to_json({"x": Decimal(1)})


def test_a_time_without_a_zone_is_refused() -> None:
    assert show.instant(datetime(2026, 3, 1, 10, tzinfo=UTC)) == "2026-03-01T10:00:00Z"
    assert show.instant(None) == ""
    with pytest.raises(ValueError, match="without a zone"):
        show.instant(datetime(2026, 3, 1, 10))  # noqa: DTZ001 - what is refused


def test_a_plain_table_lines_up_and_its_cells_are_clean() -> None:
    lines = show.table(["name", "n"], [("a", 1), ("long\nname\x1b[0m", None)])
    assert lines == ["name           n", "a              1", "long name\ufffd[0m"]
    assert show.table(["name"], []) == ["nothing to show"]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://tocsin:s3cret@db.example/tocsin", "postgresql://tocsin:***@db.example/tocsin"),
        ("postgresql://tocsin@db.example/tocsin", "postgresql://tocsin@db.example/tocsin"),
        ("postgresql:///tocsin?user=a&password=s3cret&x=1", "postgresql:///tocsin?user=a&password=***&x=1"),
        ("postgresql://a:p@ss@db.example/x", "postgresql://a:***@db.example/x"),
        ("sqlite:////srv/tocsin.db", "sqlite:////srv/tocsin.db"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, masked: str) -> None:
    assert show.masked(url) == masked


def on_a_terminal(folder: Path, *arguments: str, **environment: str) -> str:
    """Run the command with stdout on a pseudo-terminal and return what it wrote there."""
    ours, theirs = pty.openpty()
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        (sys.executable, "-m", "pipeline", *arguments),
        cwd=folder,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return written.decode()


def test_a_terminal_gets_colours_unless_it_asks_for_none(tocsin: Tocsin, folder: Path) -> None:
    assert tocsin("hold", "--reason", "evil \x1b[2Jreason").code == 0
    shown = on_a_terminal(folder, "holds")
    assert "\x1b[1m" in shown
    assert "\x1b[2J" not in shown
    assert "evil \ufffd[2Jreason" in shown
    assert "\x1b" not in on_a_terminal(folder, "holds", NO_COLOR="1")
    assert "\x1b" not in tocsin("holds").out
