"""Letters by a program: what it is given, what its end means, and what becomes of a letter when we end before it does."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.sendmail import SendmailSettings, arguments, edge, hand, trouble
from pipeline.send.replies import Kind, Scope, judge
from tests.databases import ROOT

DATA = "From: a@agency.example\r\n\r\nH\u00e9llo\r\n.\r\nend\r\n".encode()
LETTER = Send(7, 70, "v7@agency.example", "-abuse@isp.example", DATA, envid="7+0")

PROGRAM = """#!{python}
import os, sys, time
place = {place!r}
while os.path.exists(place + "/wait"):
    time.sleep(0.01)
data = sys.stdin.buffer.read()
part = f"{{place}}/part{{os.getpid()}}"
with open(part, "wb") as file:
    file.write(repr(sys.argv[1:]).encode() + b"\\n" + data)
os.rename(part, place + "/got")
sys.stderr.write(open(place + "/words").read() if os.path.exists(place + "/words") else "")
sys.stderr.flush()
sys.exit({code})
"""


def program(folder: Path, code: int = 0) -> SendmailSettings:
    """A program that keeps what it was given in the folder, and ends with that code."""
    file = folder / "sendmail"
    file.write_text(PROGRAM.format(python=sys.executable, place=str(folder), code=code))
    file.chmod(0o755)
    return SendmailSettings("local", (str(file),), timeout=60.0)


def test_the_program_gets_the_letter_with_local_line_ends_and_addresses_that_are_no_options(tmp_path: Path) -> None:
    result = hand(program(tmp_path), LETTER)
    assert (result.stage, result.reply, result.dot_written, result.relay) == ("dot", 250, True, "local")
    assert result.text == f"{tmp_path}/sendmail: exit code 0 EX_OK"
    line, _, data = (tmp_path / "got").read_bytes().partition(b"\n")
    assert line.decode() == repr(["-i", "-odb", "-B8BITMIME", "-f", "v7@agency.example", "--", "-abuse@isp.example"])
    assert data == DATA.replace(b"\r\n", b"\n")


def test_dsn_is_asked_for_where_the_program_takes_it() -> None:
    line = arguments(SendmailSettings("local", ("/usr/sbin/sendmail", "-C", "/etc/other"), dsn=True), LETTER)
    assert line[:3] == ["/usr/sbin/sendmail", "-C", "/etc/other"]
    assert line[6:12] == ["-N", "failure,delay", "-R", "hdrs", "-V", "7+2B0"]
    assert "-N" not in arguments(SendmailSettings("local"), LETTER)


@pytest.mark.parametrize(
    ("code", "kind", "scope"),
    [
        (0, Kind.HANDED, Scope.LETTER),
        (1, Kind.UNCERTAIN, Scope.LETTER),
        (64, Kind.RELEASED, Scope.US),
        (65, Kind.RELEASED, Scope.US),
        (67, Kind.REFUSED, Scope.LETTER),
        (68, Kind.REFUSED, Scope.RECIPIENT_DOMAIN),
        (69, Kind.DEFERRED, Scope.LETTER),
        (71, Kind.DEFERRED, Scope.RELAY),
        (74, Kind.DEFERRED, Scope.RELAY),
        (75, Kind.DEFERRED, Scope.RELAY),
        (76, Kind.UNCERTAIN, Scope.LETTER),
        (77, Kind.RELEASED, Scope.US),
        (78, Kind.RELEASED, Scope.US),
        (120, Kind.UNCERTAIN, Scope.LETTER),
    ],
)
def test_an_exit_code_means_what_sysexits_says(tmp_path: Path, code: int, kind: Kind, scope: Scope) -> None:
    result = hand(program(tmp_path, code), LETTER)
    judged = judge(result.stage, result.reply, result.enhanced, result.text, result.dot_written)
    assert (judged.kind, judged.scope) == (kind, scope)
    assert f"exit code {code}" in result.text


def test_what_the_program_says_is_kept_clean_and_bounded(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("fatal: \x1b[2Jno\nmore " + "x" * 100_000)
    result = hand(program(tmp_path, 75), LETTER)
    assert ": exit code 75 EX_TEMPFAIL: fatal:  [2Jno more xxx" in result.text
    assert result.text.isprintable()
    assert len(result.text) <= 500


def test_a_program_that_cannot_be_started_was_not_given_the_letter(tmp_path: Path) -> None:
    settings = SendmailSettings("local", (str(tmp_path / "none"),))
    result = hand(settings, LETTER)
    assert (result.stage, result.reply, result.dot_written) == ("connect", 0, False)
    assert result.text == f"{tmp_path}/none: cannot start: No such file or directory"
    assert trouble(settings) == f"{tmp_path}/none is not a program that can be run"
    assert trouble(program(tmp_path)) == ""


def test_a_program_that_does_not_end_is_killed_and_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    result = hand(replace(program(tmp_path), timeout=0.2), LETTER)
    assert (result.stage, result.reply, result.dot_written) == ("dot", 0, True)
    assert result.text.endswith("no end after 0.2 s: it was killed")
    assert judge(result.stage, result.reply, "", result.text, result.dot_written).kind is Kind.UNCERTAIN


def test_a_program_that_a_signal_ends_leaves_nobody_knowing(tmp_path: Path) -> None:
    file = tmp_path / "sendmail"
    file.write_text("#!/bin/sh\nkill -9 $$\n")
    file.chmod(0o755)
    result = hand(SendmailSettings("local", (str(file),)), LETTER)
    assert (result.reply, result.dot_written) == (0, True)
    assert result.text.endswith("ended by signal 9")


def test_a_recipient_that_is_no_mailbox_does_not_come_to_the_program(tmp_path: Path) -> None:
    result = hand(program(tmp_path), replace(LETTER, recipient="abuse @isp.example"))
    assert (result.stage, result.reply, result.dot_written) == ("rcpt", 553, False)
    assert not (tmp_path / "got").exists()


KILLED = """
import sys
from pipeline.net.sendmail import SendmailSettings, hand
from pipeline.domain import Send
data = b"From: a@agency.example\\r\\n\\r\\n" + b"line\\r\\n" * 100000
print("now", flush=True)
hand(SendmailSettings("local", (sys.argv[1],)), Send(1, 1, "v@agency.example", "abuse@isp.example", data))
"""


def test_a_letter_is_whole_for_the_program_though_we_are_killed(tmp_path: Path) -> None:
    (tmp_path / "wait").touch()
    file = tmp_path / "sendmail"
    text = PROGRAM.format(python=sys.executable, place=str(tmp_path), code=0)
    file.write_text(
        text.replace("import os, sys, time\n", f"import os, sys, time\nopen({str(tmp_path / 'on')!r}, 'w')\n")
    )
    file.chmod(0o755)
    ours = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, cwd=ROOT)
    appears(tmp_path / "on")
    os.kill(ours.pid, signal.SIGKILL)
    ours.communicate()
    (tmp_path / "wait").unlink()
    appears(tmp_path / "got")
    data = (tmp_path / "got").read_bytes().partition(b"\n")[2]
    assert data == b"From: a@agency.example\n\n" + b"line\n" * 100000


def appears(path: Path) -> None:
    """Wait until another process has made the file."""
    subprocess.run(["sh", "-c", f"until [ -e {path} ]; do sleep 0.02; done"], check=True, timeout=60)


def test_no_more_programs_run_at_once_than_are_set(tmp_path: Path) -> None:
    letters = [replace(LETTER, letter_id=n, attempt_id=n) for n in range(1, 7)]
    results: dict[int, Result] = {}
    under_way: set[int] = set()
    with edge(replace(program(tmp_path), connections=2)) as wire:
        wire.tell_all([*letters, Stop(6)])
        while len(results) < 6:
            answers = wire.take(20)
            assert answers
            for answer in answers:
                if isinstance(answer, Ready):
                    under_way.add(answer.letter_id)
                    wire.tell_all([Go(answer.letter_id)])
                else:
                    under_way.discard(answer.letter_id)
                    results[answer.letter_id] = answer
            assert len(under_way) <= 2
    assert {n for n, result in results.items() if result.reply == 250} == {1, 2, 3, 4, 5}
