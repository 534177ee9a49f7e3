"""Where the command meets the machine: the sandbox's guard, questions at a terminal, what the terminal can show."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.cli.conftest import Tocsin
from tests.databases import ROOT

COMMAND = (sys.executable, "-m", "pipeline")
BIND = """
import socket, sys
from pipeline import cli
try:
    cli.root.main(["feed", "list"])
except SystemExit:
    pass
try:
    socket.socket().bind(("192.0.2.1", 0))
except OSError as error:
    print(type(error).__name__, file=sys.stderr)
"""


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "dumb", **more}


def test_the_sandbox_shuts_the_network_of_the_whole_process(folder: Path) -> None:
    for setting, expected in (("true", "PermissionError"), ("false", "OSError")):
        (folder / "config.toml").write_text(f"sandbox = {setting}\n", encoding="utf-8")
        program = (sys.executable, "-c", BIND)
        ran = subprocess.run(
            program, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=True
        )
        assert ran.stderr.split()[-1] == expected


def typed(folder: Path, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str, str]:
    """Run the command with a terminal as its stdin, typing each answer once its question stands on stderr.

    Returns (exit code, stdout, stderr).  Each answer waits: what is typed ahead of a password is thrown away.
    """
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        (*COMMAND, *arguments),
        cwd=folder,
        env=environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # else a password would be asked at the terminal that the tests run in
    )
    os.close(theirs)
    assert process.stderr is not None
    watch = threading.Timer(60, process.kill)
    watch.start()
    asked = ""
    for question, answer in answers:
        while question not in asked and (char := process.stderr.read(1)):
            asked += char
        os.write(ours, f"{answer}\n".encode())
    out, err = process.communicate()
    watch.cancel()
    os.close(ours)
    return process.returncode, out, asked + err


def test_a_dangerous_act_asks_at_a_terminal_and_no_means_no(tocsin: Tocsin, folder: Path) -> None:
    tocsin("suppress", "add", "a@isp.example", "--reason", "asked")
    for answer in ("", "no"):
        code, out, err = typed(folder, [("[y/N]", answer)], "suppress", "remove", "a@isp.example", "--execute")
        assert (code, out) == (0, "would lift a@isp.example\n"), answer
        assert "Lift a@isp.example? [y/N]" in err
        assert "Nothing was changed." in err
    code, out, _ = typed(folder, [("[o/N]", "o")], "--lang", "fr", "suppress", "remove", "a@isp.example", "--execute")
    assert (code, out) == (0, "levé\u00a0: a@isp.example\n")


def test_a_password_at_a_terminal_is_typed_twice_and_not_echoed(folder: Path) -> None:
    line = ("person", "add", "bob", "--role", "officer", "--password")
    code, _, err = typed(folder, [("Password: ", "correct horse"), ("again: ", "correct house")], *line)
    assert (code, "the two passwords differ" in err) == (2, True)
    code, out, err = typed(folder, [("Password: ", "correct horse"), ("again: ", "correct horse")], *line)
    assert (code, "correct horse" in out + err) == (0, False)


def test_what_the_terminal_cannot_show_is_no_reason_to_fail(folder: Path) -> None:
    for arguments in (("--lang", "fr", "--help"), ("--lang", "fr", "doctor"), ("--lang", "fr", "nothing")):
        ran = subprocess.run(
            (*COMMAND, *arguments),
            cwd=folder,
            env=environment(PYTHONIOENCODING="ascii"),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == (2 if "nothing" in arguments else 0), ran.stderr
        assert b"Traceback" not in ran.stderr
