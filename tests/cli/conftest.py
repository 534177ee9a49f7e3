"""The command run in this process, as a person would run it, on an installation of the test's own."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline import cli
from pipeline.cli import words
from pipeline.cli.command import Sleep, real_time
from pipeline.domain import Clock
from pipeline.store.db import Database
from tests.ran import Ran

CONFIG = """\
[feeds."proxy-list"]
parser = "ip_port"
lawful_basis = "agreement"
claim = "http_proxy"
observed = "received"
"""


@dataclass
class Tocsin:
    """Runs the command: tocsin("feed", "list") -> Ran, by the real time or by a test's own clock."""

    clock: Clock = real_time
    sleep: Sleep = time.sleep

    def __call__(self, *arguments: object, stdin: str | None = None) -> Ran:
        result = self.result(*arguments, stdin=stdin)
        return Ran(result.exit_code, result.stdout, result.stderr)

    def result(self, *arguments: object, stdin: str | None = None) -> Result:
        """Return what click says of a run, with its bytes."""
        line = [str(argument) for argument in arguments]
        return CliRunner().invoke(cli.root, line, input=stdin, clock=self.clock, sleep=self.sleep)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins in English, without settings from outside."""
    for name in ("TOCSIN_CONFIG", "TOCSIN_LANGUAGE", "TOCSIN_DEBUG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    words.use("en")
    yield
    words.use("en")


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path) -> Path:
    """An installation: settings, credentials, a migrated database."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    credentials = tmp_path / "credentials.toml"
    credentials.write_text(f'master_key = "{"5a" * 32}"\n', encoding="utf-8")
    credentials.chmod(0o600)
    shutil.copy(sqlite_template, tmp_path / "tocsin.db")
    return tmp_path


@pytest.fixture
def installed(folder: Path) -> Iterator[Database]:
    """That installation's database; a test's `db` may be this one."""
    database = Database(f"sqlite:///{folder / 'tocsin.db'}")
    yield database
    database.close()


@pytest.fixture
def tocsin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tocsin:
    """The command, on that installation."""
    monkeypatch.chdir(folder)
    return Tocsin()
