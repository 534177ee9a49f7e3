"""A process that follows a relay's log is killed again and again, the log grows and is rotated: each line counts once."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from pipeline.domain import Event
from pipeline.store import lives
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.databases import ROOT
from tests.seed import message_id, wave_of_letters

LETTERS, KILLS = 75, 3
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def lines(number: int) -> str:
    """What Postfix says of one letter."""
    said = (
        ("cleanup", f"message-id={message_id(number)}"),
        ("qmgr", "from=<bounces@agency.example>, size=4121, nrcpt=1 (queue active)"),
        (
            "smtp",
            f"to=<abuse@isp{number}.example>, relay=mx.isp.example[203.0.113.5]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            "status=sent (250 2.0.0 Ok)",
        ),
    )
    return "".join(f"{AT:%Y-%m-%dT%H:%M:%S}Z mx1 postfix/{agent}[1]: Q{number:09}: {words}\n" for agent, words in said)


def follow(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    command = (
        sys.executable,
        "-m",
        "pipeline",
        "relay-log",
        "import",
        log,
        "--follow",
        "--config",
        folder / "config.toml",
    )
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def accepted(db: Database) -> int:
    with db.read() as connection:
        query = select(func.count()).where(t.letters.c.state == "accepted")
        return int(connection.execute(query).scalar_one())


def until(db: Database, process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until so many letters are accepted, at most a minute."""
    for _ in range(1200):
        if accepted(db) >= count:
            return
        assert process.poll() is None
        time.sleep(0.05)
    raise AssertionError(f"{accepted(db)} of {count}")


def test_kills_and_rotations_lose_no_line_and_count_none_twice(folder: Path, installed: Database) -> None:
    wave_of_letters(installed, AT, LETTERS)
    ids = list(range(1, LETTERS + 1))
    with installed.write() as connection:
        lives.advance(connection, ids, Event.LETTER_CLAIMED, AT, "tocsin")
        lives.advance(connection, ids, Event.LETTER_HANDED, AT, "tocsin")
    log, chance, written = folder / "mail.log", random.Random(5), 0
    log.touch()
    for kill in range(KILLS):
        process = follow(folder, log)
        try:
            for number in range(written + 1, written + 16):
                with log.open("a", encoding="utf-8") as stream:
                    stream.write(lines(number))
            until(installed, process, written + chance.randrange(0, 15))
        finally:
            process.kill()
            process.wait()
        written += 20
        with log.open("a", encoding="utf-8") as stream:  # while nobody reads
            stream.write("".join(lines(number) for number in range(written - 4, written + 1)))
        log.rename(folder / f"mail.log.{KILLS - kill}")
        log.touch()
    process = follow(folder, log)
    try:
        with log.open("a", encoding="utf-8") as stream:
            stream.write("".join(lines(number) for number in range(written + 1, LETTERS + 1)))
        until(installed, process, LETTERS)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
    with installed.read() as connection:
        moves = select(func.count()).where(t.events.c.what == "letter.accepted")
        told = select(func.count()).select_from(t.deliveries)
        assert (connection.execute(moves).scalar_one(), connection.execute(told).scalar_one()) == (LETTERS, 2 * LETTERS)
