"""Letters by a program that takes mail for this machine: Postfix's, Sendmail's or Exim's `sendmail`.

It gets the letter whole, as a file that has no name, and runs in a session of its own: whatever becomes of us meanwhile,
it never reads half a letter.  Lines end with LF there, as everywhere on such a system (Postfix turns them into CRLF again).
The program must take letters into a queue of its own: `-odb` says so to Sendmail and Exim, Postfix always does, and ignores
it.  Where one delivers at once, as msmtp does, its exit code cannot say that a letter did not leave.
Reads and writes: nothing; the program does.  Safe to repeat: without a word that the letter was not taken, nobody knows.
Standards: sysexits(3); RFC 1047; RFC 3461 (DSN), as -N, -R and -V of Postfix and Sendmail; RFC 6152 (-B).
"""

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, NamedTuple

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Edge, Main
from pipeline.net.handing import handing
from pipeline.net.smtp_command import problem, xtext
from pipeline.net.smtp_wire import Reply, cleaned

MOST_SAID = 16_384  # bytes that are read of what the program says
EXTENSIONS = frozenset({"8bitmime"})  # what a local queue takes: addresses outside ASCII are a matter of its settings


@dataclass(frozen=True, slots=True)
class SendmailSettings:
    """The program and its own arguments; ours follow them.  `dsn`: it takes -N, -R and -V (Exim does not).

    It is killed after `timeout` seconds; the letter's fate is then not known.
    """

    name: str
    command: tuple[str, ...] = ("/usr/sbin/sendmail",)
    dsn: bool = False
    connections: int = 4
    timeout: float = 600.0


class Meaning(NamedTuple):
    """What an exit code says: at which stage, as which reply, and whether the letter may have been taken."""

    word: str
    stage: str
    reply: int
    enhanced: str = ""
    taken: bool = False


CODES = {
    0: Meaning("EX_OK", "dot", 250, taken=True),
    64: Meaning("EX_USAGE", "mail", 554),  # up to MAIL nothing is said of the recipient: it is about us
    65: Meaning("EX_DATAERR", "mail", 554),
    66: Meaning("EX_NOINPUT", "mail", 554),
    67: Meaning("EX_NOUSER", "rcpt", 550, "5.1.1"),
    68: Meaning("EX_NOHOST", "rcpt", 550, "5.1.2"),
    69: Meaning(
        "EX_UNAVAILABLE", "dot", 451
    ),  # also of a letter too big for Postfix's queue: it is tried again in vain
    70: Meaning("EX_SOFTWARE", "mail", 554),
    71: Meaning("EX_OSERR", "dot", 451, "4.3.0"),  # the mail system itself: it rests, and the letter waits
    72: Meaning("EX_OSFILE", "mail", 554),
    73: Meaning("EX_CANTCREAT", "mail", 554),
    74: Meaning("EX_IOERR", "dot", 451, "4.3.0"),
    75: Meaning("EX_TEMPFAIL", "dot", 451, "4.3.0"),
    77: Meaning("EX_NOPERM", "mail", 554),
    78: Meaning("EX_CONFIG", "mail", 554),
}
UNKNOWN = Meaning("", "dot", 0, taken=True)  # it ran, and what it did is not known (76 too: RFC 1047)


def edge(settings: SendmailSettings) -> Edge[Send | Go | Stop, Ready | Result]:
    """Return an edge to this program, ready for `with`."""
    return Edge(relay(settings), 2 * settings.connections)


def relay(settings: SendmailSettings) -> Main[Send | Go | Stop, Ready | Result]:
    """Return the `main` of an Edge that hands letters to this program, at most `connections` of it at a time."""
    return handing(lambda send: hand(settings, send), settings.connections, settings.name)


def trouble(settings: SendmailSettings) -> str:
    """Return why the program cannot be run, empty if it is there."""
    program = settings.command[0]
    return "" if shutil.which(program) else f"{program} is not a program that can be run"


def hand(settings: SendmailSettings, send: Send) -> Result:
    """Run the program for one letter, and say what its exit code means."""
    refused = problem(send.sender, send.recipient, send.data, EXTENSIONS)
    if refused is not None:
        return _result(settings, send, refused[0], refused[1], dot=False)
    try:
        with _letter(send.data) as letter, tempfile.TemporaryFile() as said:
            code = _run(arguments(settings, send), letter, said, settings.timeout)
            words = os.pread(said.fileno(), MOST_SAID, 0).decode("utf-8", "replace")
    except OSError as error:  # before it was started: from then on nothing here raises one
        return _result(settings, send, "connect", Reply(0, "", _told(settings, f"cannot start: {error.strerror}")))
    meaning = CODES.get(code, UNKNOWN) if code is not None else UNKNOWN
    text = _told(settings, _ending(code, meaning, settings.timeout), words)
    return _result(settings, send, meaning.stage, Reply(meaning.reply, meaning.enhanced, text), dot=meaning.taken)


def arguments(settings: SendmailSettings, send: Send) -> list[str]:
    """Return the whole command line.  No shell sees it, and no address is taken for an option."""
    line = [*settings.command, "-i", "-odb"]
    if not send.data.isascii():
        line.append("-B8BITMIME")  # without it a real Postfix did not pass such a letter on
    if settings.dsn:
        line += ["-N", "failure,delay", "-R", "hdrs", *(["-V", xtext(send.envid)] if send.envid else [])]
    return [*line, "-f", send.sender, "--", send.recipient]


def _run(line: list[str], letter: IO[bytes], said: IO[bytes], timeout: float) -> int | None:
    """Return the exit code, below 0 for the signal that ended it, or None if it had to be killed.  Raises OSError."""
    # What it says goes into a file without an end: a write that is refused, or a pipe that ends with us, could end it, too.
    process = subprocess.Popen(line, stdin=letter, stdout=said, stderr=said, start_new_session=True)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def _letter(data: bytes) -> IO[bytes]:
    """Return a file without a name that holds the letter, to be read from its beginning."""
    file = os.fdopen(os.memfd_create("letter", os.MFD_CLOEXEC), "w+b")
    file.write(data.replace(b"\r\n", b"\n"))  # every line ends with CRLF: `problem` has seen to it
    file.seek(0)  # writes it out as well
    return file


def _ending(code: int | None, meaning: Meaning, timeout: float) -> str:
    if code is None:
        return f"no end after {timeout:g} s: it was killed"
    if code < 0:
        return f"ended by signal {-code}"
    return f"exit code {code} {meaning.word}".strip()


def _told(settings: SendmailSettings, *words: str) -> str:
    return cleaned(": ".join(filter(None, (settings.command[0], *(cleaned(word) for word in words)))))


def _result(settings: SendmailSettings, send: Send, stage: str, reply: Reply, *, dot: bool = False) -> Result:
    words = reply.code, reply.enhanced, reply.text
    return Result(send.letter_id, send.attempt_id, stage, *words, dot, settings.name)
