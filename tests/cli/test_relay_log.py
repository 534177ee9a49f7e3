"""`tocsin relay-log import`: what the relay's log says, told in words and as JSON, in both languages."""

import os
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.domain import Event
from pipeline.store import lives
from pipeline.store import relay_log as store
from pipeline.store.db import Database
from tests.cli.conftest import Tocsin
from tests.seed import message_id, wave_of_letters

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def syslog(agent: str, said: str) -> str:
    return f"{AT:%b} {AT.day:2} {AT:%H:%M:%S} mx1 postfix/{agent}[1]: 4F2B91C0A7: {said}\n"


LOG = (
    syslog("cleanup", f"message-id={message_id(1)}")
    + syslog("qmgr", "from=<bounces@agency.example>, size=4121, nrcpt=1 (queue active)")
    + syslog(
        "smtp",
        "to=<abuse@isp1.example>, relay=mx.isp1.example[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
        "status=sent (250 2.0.0 Ok)",
    )
)


@pytest.fixture
def log(folder: Path, installed: Database) -> Path:
    """A log that tells of letter 1, which is HANDED, and another letter that was approved only."""
    wave_of_letters(installed, AT, 2)
    with installed.write() as connection:
        lives.advance(connection, [1], Event.LETTER_CLAIMED, AT, "tocsin")
        lives.advance(connection, [1], Event.LETTER_HANDED, AT, "tocsin")
    path = folder / "mail.log"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_a_log_is_read_and_told_in_words(tocsin: Tocsin, log: Path) -> None:
    ran = tocsin("relay-log", "import", log, "--zone", "UTC")
    assert (ran.code, ran.out) == (
        0,
        "3 lines read, 3 of messages on their way; new about our letters: 2\naccepted by their server: 1\n",
    )
    assert "times without a zone were read as of UTC; those without a year as of the last one" in ran.err
    again = tocsin("relay-log", "import", log, "--zone", "UTC", "--json").data
    assert (again["lines"], again["new"], again["moved"], again["contradicted"]) == (3, 0, {}, [])


def test_french_is_told_what_a_person_must_look_at(tocsin: Tocsin, log: Path) -> None:
    log.write_text(LOG.replace(message_id(1), message_id(2)).replace("isp1", "isp2"), encoding="utf-8")
    ran = tocsin("relay-log", "import", log, "--zone", "UTC", "--lang", "fr")
    assert "la lettre 2 est à l'état «\u00a0approuvée\u00a0», mais le journal dit" in ran.err
    assert tocsin("relay-log", "import", log, "--zone", "UTC", "--json").data["contradicted"] == [2]


def test_an_address_of_ours_is_no_server_of_theirs(tocsin: Tocsin, log: Path) -> None:
    assert tocsin("relay-log", "import", log, "--zone", "UTC", "--own", "203.0.113.0/24", "--json").data["moved"] == {}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--zone", "Nowhere/Here"), 2),
        (("--own", "everything"), 2),
        (("--follow", "--year", "2026"), 2),
        (("none.log",), 4),
    ],
)
def test_what_cannot_be_read_is_said(tocsin: Tocsin, log: Path, options: tuple[str, ...], code: int) -> None:
    assert tocsin("relay-log", "import", log, *options).code == code


def test_a_log_that_is_followed_goes_on_where_it_was_after_an_end(
    tocsin: Tocsin, log: Path, installed: Database
) -> None:
    lines = LOG.splitlines(keepends=True)
    log.write_text(lines[0], encoding="utf-8")

    def ended(_seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it was not stopped")

    tocsin.sleep = ended
    first = tocsin("relay-log", "import", log, "--zone", "UTC", "--follow")
    assert (first.code, first.out.splitlines()[0]) == (
        130,
        "1 lines read, 1 of messages on their way; new about our letters: 0",
    )
    with log.open("a", encoding="utf-8") as stream:
        stream.write("".join(lines[1:]))
    second = tocsin("relay-log", "import", log, "--zone", "UTC", "--follow")
    assert (second.code, second.out) == (
        130,
        "2 lines read, 2 of messages on their way; new about our letters: 2\naccepted by their server: 1\n",
    )
    with installed.read() as connection:
        place = store.place(connection, socket.gethostname(), str(log.resolve()))
    assert place is not None
    assert place.position == log.stat().st_size
