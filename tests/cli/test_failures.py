"""Every way to fail has its exit code, says what, why and what next, in the reader's language or as JSON."""

import errno
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pipeline import domain
from pipeline.cli import failures, words
from pipeline.engine import Stopped
from pipeline.store.lives import LeaseLost
from tests.cli.conftest import Tocsin
from tests.databases import ROOT

COMMAND = (sys.executable, "-m", "pipeline")
SECONDS = 60  # for a process that hangs: no test waits for it otherwise


def start(folder: Path, *arguments: str, **pipes: int) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    streams: dict[str, int] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    } | pipes
    return subprocess.Popen((*COMMAND, *arguments), cwd=folder, env=environment, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def test_a_setting_that_does_not_exist_is_told_with_its_path(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text("[mail]\nrat = 2\n", encoding="utf-8")
    ran = tocsin("config", "check")
    assert (ran.code, ran.out) == (3, "")
    lines = ran.err.splitlines()
    assert lines[0] == f"Error: {Path('config.toml')} cannot be used"
    assert lines[1] == "Why:   mail.rat: no such setting"
    assert lines[2].startswith("Next:  Correct it; ")


def test_without_a_settings_file_the_way_to_one_is_told(tocsin: Tocsin) -> None:
    ran = tocsin("--config", "elsewhere.toml", "feed", "list")
    assert ran.code == 3
    assert "Error: There is no settings file elsewhere.toml" in ran.err
    assert "Next:  Run: tocsin init" in ran.err


def test_without_a_database_none_is_made_by_accident(tocsin: Tocsin, folder: Path) -> None:
    (folder / "tocsin.db").unlink()
    ran = tocsin("feed", "list")
    assert (ran.code, "There is no database" in ran.err) == (3, True)
    assert not (folder / "tocsin.db").exists()


def test_a_database_of_a_newer_release_is_refused_with_the_way_out(tocsin: Tocsin, folder: Path) -> None:
    with sqlite3.connect(folder / "tocsin.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '299901010000_later'")
    ran = tocsin("feed", "list")
    assert (ran.code, "made by a newer release of Tocsin" in ran.err) == (3, True)
    assert tocsin("db", "status").code == 3


def test_a_file_that_is_no_database_is_a_matter_of_configuration(tocsin: Tocsin, folder: Path) -> None:
    (folder / "tocsin.db").write_text("not a database, but long enough to be looked at " * 40, encoding="utf-8")
    ran = tocsin("feed", "list")
    assert (ran.code, "The database cannot be opened" in ran.err) == (3, True)


def test_a_locked_database_is_temporary(tocsin: Tocsin, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE__WAIT", "0.05s")
    other = sqlite3.connect(folder / "tocsin.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ran = tocsin("hold", "--reason", "wait")
    other.close()
    assert ran.code == 75
    assert "another program holds the database's write lock" in ran.err
    assert tocsin("hold", "--reason", "wait").code == 0


@pytest.mark.parametrize(
    "line",
    [("nothing",), ("feed", "nothing"), ("feed", "list", "--nothing"), ("person", "add"), ("--lang", "de", "feed"), ()],
)
def test_a_line_that_cannot_be_understood_is_wrong_usage(tocsin: Tocsin, line: tuple[str, ...]) -> None:
    ran = tocsin(*line)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


def test_a_misspelt_command_is_answered_with_the_nearest_one(tocsin: Tocsin) -> None:
    assert "Did you mean 'snapshot'?" in tocsin("snapshto").err


def test_with_json_an_error_is_one_object_on_stdout(tocsin: Tocsin) -> None:
    for line, code, kind in (
        (("campaign", "show", "none", "--json"), 4, "not_found"),
        (("--json", "nothing"), 2, "usage"),
        (("--json", "--config", "x.toml", "feed", "list"), 3, "configuration"),
        (("feed", "--json"), 2, "usage"),
    ):
        ran = tocsin(*line)
        assert (ran.code, ran.err) == (code, "")
        assert ran.data["schema_version"] == 1
        assert (ran.data["error"]["code"], ran.data["error"]["kind"]) == (code, kind)
        assert ran.data["error"]["what"]


def test_a_french_reader_is_told_in_french_even_by_a_broken_settings_file(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text('language = "fr"\n[mail]\nrat = 2\n', encoding="utf-8")
    first, why, following = tocsin("config", "check").err.splitlines()
    assert first == "Erreur\u00a0:   config.toml ne peut pas être utilisé"
    assert why == "Pourquoi\u00a0: mail.rat\u00a0: ce paramètre n'existe pas"
    assert following.startswith("Ensuite\u00a0:  Corrigez")
    assert tocsin("--lang", "en", "config", "check").err.startswith("Error: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.exceptions.Abort(), 130),
        (Stopped(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 75),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), 75),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 75),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), 75),
        (TimeoutError(), 75),
        (PermissionError("socket.connect to '192.0.2.1' is refused: only loopback may be reached here"), 6),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/tocsin"), 3),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), 3),
        (LeaseLost("letter 5 has been taken by another worker"), 75),
        (domain.NotFound("no"), 4),
        (domain.TocsinError("some"), 5),
        (domain.RefusedBySafety("no"), 6),
        (domain.IntegrityFailure("no"), 7),
        (click.UsageError("no"), 2),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [domain.NotFound("no")])]), 4),
        (ExceptionGroup("tasks", [domain.NotFound("no"), ValueError()]), 1),
        (OSError("nobody knows"), 1),
        (ValueError("a bug"), 1),
    ],
)
def test_every_failure_has_its_exit_code(error: BaseException, code: int) -> None:
    failure = failures.classify(failures.innermost(error))
    assert failure.code == code
    assert failure.what
    assert code in failures.KINDS


def test_every_exit_code_of_the_domain_has_a_kind() -> None:
    kinds = [kind for kind in vars(domain).values() if isinstance(kind, type) and issubclass(kind, domain.TocsinError)]
    assert {kind.exit_code for kind in kinds} <= set(failures.KINDS)


def test_a_bug_is_one_line_and_a_traceback_only_for_who_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.cli.command import Given

    assert failures.tell(ZeroDivisionError("by \x1b[31mzero"), Given()) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: This is a fault of Tocsin: ZeroDivisionError: by ")
    assert "Traceback" not in told
    assert "\x1b" not in told
    assert failures.tell(ZeroDivisionError("zero"), Given(debug=True)) == 1
    assert "Traceback" not in told or "ZeroDivisionError" in capsys.readouterr().err


def test_what_an_error_quotes_cannot_steer_the_terminal(tocsin: Tocsin) -> None:
    ran = tocsin("campaign", "show", "evil\x1b[2J\u202ename")
    assert ran.code == 4
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err


def test_ctrl_c_ends_with_130_and_without_a_traceback(folder: Path) -> None:
    os.mkfifo(folder / "slow.toml")
    process = start(folder, "--config", "slow.toml", "config", "check")
    with (folder / "slow.toml").open("w"):  # opens once the command reads it: from here on it is ours to interrupt
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[0] == "Error: Interrupted"
    assert "Traceback" not in err


def test_a_full_disk_under_stdout_is_temporary(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(folder, "version", stdout=full.fileno())
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 75
    assert err.startswith("Error: The disk is full")


def test_a_reader_who_leaves_is_not_told(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(folder, "config", "schema", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (141, "")


def test_the_real_command_gives_the_same_exit_codes(folder: Path) -> None:
    for line, code in ((("person", "disable", "nobody"), 4), (("nothing",), 2), (("feed", "list"), 0)):
        process = start(folder, *line)
        process.communicate(timeout=SECONDS)
        assert process.returncode == code, line


def test_words_of_a_failure_are_known_in_french() -> None:
    words.use("fr")
    for english in ("Interrupted", "The disk is full", "The network does not answer"):
        assert words.sentence(english) != english
