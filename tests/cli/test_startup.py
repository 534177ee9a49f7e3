"""Starting is cheap: what only other commands need is not imported.  Counted in modules, not in time."""

import os
import subprocess
import sys

import pytest

from tests.databases import ROOT

HEAVY = {
    "sqlalchemy",
    "alembic",
    "psycopg",
    "aiohttp",
    "asyncio",
    "rich",
    "pydantic",
    "jinja2",
    "babel",
    "argon2",
    "dns",
}

PROGRAM = """
import sys
from pipeline import cli
try:
    cli.root.main(sys.argv[1:])
finally:
    print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        (sys.executable, "-c", PROGRAM, *arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout
    return set(ran.stderr.split())


@pytest.mark.parametrize("line", [("--help",), ("version",), ("version", "--json")])
def test_help_and_version_import_nothing_heavy(line: tuple[str, ...]) -> None:
    assert imported(*line) & HEAVY == set()


def test_help_in_french_adds_the_reader_of_catalogues_alone() -> None:
    assert imported("--lang", "fr", "--help") & HEAVY == {"babel"}


def test_the_check_itself_sees_what_is_imported() -> None:
    assert imported("config", "show", "--example") & HEAVY >= {"pydantic"}
