"""The wheel holds all that runs, and works where there is no checkout: an empty folder and an empty home.

It is built once a session (under a lock: with xdist two processes may want it) and installed without its dependencies into
a fresh venv, which borrows this environment's packages but not its way to the checkout.
"""

import fcntl
import importlib.util
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.databases import ROOT
from tests.system.presence import needs

WHERE = """
import sys, pipeline
from pipeline import config
from pipeline.cli import demo, words
for place in (pipeline.__file__, config.shipped("templates"), config.shipped("migrations"), words.file("fr"), demo.HERE):
    print(place)
print(*sys.path, sep="\\n", file=sys.stderr)
"""


@dataclass(frozen=True)
class Installed:
    """A venv that holds the built wheel, and a home that nothing may be written to."""

    wheel: Path
    venv: Path
    home: Path

    def run(self, folder: Path, *line: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the venv in `folder`, with an environment of its own."""
        line = (str(self.venv / "bin" / line[0]), *line[1:])
        return _run(line, folder, {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LC_ALL": "C.UTF-8"})


def _run(line: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=580, check=False)


def _build(folder: Path) -> Path:
    """Build the wheel.  Without hatchling here pip fetches it, which needs a package index."""
    isolated = importlib.util.find_spec("hatchling") is None
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    line += [] if isolated else ["--no-build-isolation"]
    impatient = {**os.environ, "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "5"}
    done = _run([*line, "--wheel-dir", str(folder), str(ROOT)], folder, impatient)
    if isolated and done.returncode and "hatchling" in done.stderr:
        needs("hatchling (or a package index that has it)", None)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def _install(wheel: Path, venv: Path) -> None:
    """Install the wheel alone, beside a line that names where this environment's packages lie.

    A folder named in a .pth file has its own .pth files left unread: the editable install's way to the checkout is one.
    """
    made = _run([sys.executable, "-m", "venv", "--without-pip", str(venv)], ROOT)
    assert made.returncode == 0, made.stderr
    python = str(venv / "bin" / "python")
    line = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    done = _run([*line, "--no-index", "--no-deps", str(wheel)], ROOT)
    assert done.returncode == 0, done.stderr
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    site = next((venv / "lib").glob("python3*")) / "site-packages"
    (site / "borrowed.pth").write_text("\n".join(sorted(packages)) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "wheel"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "home").exists():
            _install(_build(folder), folder / "venv")
            (folder / "home").mkdir()
    return Installed(next(folder.glob("*.whl")), folder / "venv", folder / "home")


def test_the_wheel_holds_every_file_that_is_read_when_it_runs(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
    wanted = {_shipped(path) for top in ("pipeline", "templates", "migrations") for path in (ROOT / top).rglob("*.*")}
    assert {name for name in wanted if name} <= names
    assert {name.split("/")[0] for name in names} == {"pipeline", f"{installed.wheel.name.rsplit('-', 3)[0]}.dist-info"}


def _shipped(path: Path) -> str:
    """Return a file's name in the wheel; nothing for what Python made beside it."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir() or "__pycache__" in path.parts:
        return ""
    return name if name.startswith("pipeline/") else f"pipeline/{name}"


def test_the_installed_command_finds_all_its_parts_in_its_own_venv(installed: Installed, tmp_path: Path) -> None:
    done = installed.run(tmp_path, "python", "-c", WHERE)
    assert done.returncode == 0, done.stderr
    places = done.stdout.splitlines()
    assert len(places) == 5
    for place in places:
        assert Path(place).is_relative_to(installed.venv), place
        assert Path(place).exists(), place
    assert str(ROOT) not in done.stderr.splitlines()


def test_the_wheel_makes_an_installation_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    for line in (("version",), ("init",), ("template", "lint")):
        done = installed.run(tmp_path, "tocsin", *line)
        assert done.returncode == 0, (line, done.stderr)
    assert {path.name for path in tmp_path.iterdir()} >= {"config.toml", "credentials.toml", "tocsin.db"}
    for language, said in (("en", "up to date"), ("fr", "à jour")):
        done = installed.run(tmp_path, "tocsin", "--lang", language, "db", "status")
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert not list(installed.home.iterdir())


def test_the_demo_of_the_wheel_works_a_campaign_without_checkout_or_home(installed: Installed, tmp_path: Path) -> None:
    done = installed.run(tmp_path, "tocsin", "demo")
    assert done.returncode == 0, done.stderr[-2000:]
    letters = [message_from_bytes(path.read_bytes()) for path in (tmp_path / "demo" / "mail" / "new").iterdir()]
    recipients = [letter["To"] for letter in letters]
    assert len(recipients) > 30
    assert len(recipients) == len(set(recipients)), "one letter for each contact"
    assert all(recipient.endswith(".example") for recipient in recipients)
    assert "$ tocsin who 198.51.100.163" in done.stdout
    assert "abuse@kiwi.example" not in recipients, "the do-not-write list holds"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert not list(installed.home.iterdir())
