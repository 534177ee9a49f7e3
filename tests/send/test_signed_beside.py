"""Whatever happens to the process that signs, or to the one that sends: no letter is twice, lost, unknown or unsigned."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.domain import TryAgain
from pipeline.engine import Stopped, stoppable
from pipeline.render.body_hash import body_hash
from pipeline.sandbox import mail_server
from pipeline.sandbox.thread import in_thread
from pipeline.send.work import Signing
from pipeline.signer import Signer, signer
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from tests.databases import ROOT
from tests.seed import wave_of_letters
from tests.send.conftest import Clock, Post
from tests.send.signers import passes, signers

KEYS = signers()
NOW = datetime(2025, 3, 1, 10, 0, 0, tzinfo=UTC)
COUNT, ENOUGH = 40, 8
LIMIT = 30.0


@pytest.fixture
def now() -> datetime:
    """An instant that is over: dkimpy takes no signature from the future."""
    return NOW


def until_ready(one: Signer) -> None:
    ends = time.monotonic() + LIMIT
    one.begin([])
    while not one.ready:
        assert one.lost is None
        assert time.monotonic() < ends


def states(db: Database) -> Counter[str]:
    with db.read() as connection:
        return Counter(row["state"] for row in rows(connection, select(t.letters.c.state)))


def arrived(post: Post) -> list[bytes]:
    found = [kept.path.read_bytes() for kept in post.server.messages()]
    return [message[message.index(b"DKIM-Signature:") :] for message in found]


def test_letters_signed_in_another_process_pass(db: Database, post: Any) -> None:
    with post() as p, signer(KEYS, after=0) as one:
        until_ready(one)
        wave_of_letters(db, p.clock(), COUNT)
        assert p.send(db, signing=Signing(KEYS, body_hash, one)).tally == {"handed": COUNT}
        messages = arrived(p)
        assert one.lost is None
    assert len(messages) == COUNT
    assert all(passes(message, KEYS) == [True, True] for message in messages)


def test_a_signer_that_is_killed_ends_the_run_when_open_letters_are_done(db: Database, post: Any) -> None:
    with post() as p, signer(KEYS, after=0) as one:
        until_ready(one)
        wave_of_letters(db, p.clock(), COUNT)

        def kill(_what: str, done: int, _total: int) -> None:
            if done >= ENOUGH and one.pid is not None:
                os.kill(one.pid, signal.SIGKILL)

        with pytest.raises(TryAgain, match="signs letters"):
            p.send(db, signing=Signing(KEYS, body_hash, one), progress=kill)
        messages, found = arrived(p), states(db)
        assert set(found) == {"handed", "approved"}
        assert len(messages) == found["handed"] >= ENOUGH
        assert all(passes(message, KEYS) == [True, True] for message in messages)
        assert p.send(db).tally == {"handed": found["approved"]}  # the rest goes with the next run


SENDER = "import sys; from tests.send.test_signed_beside import send_until_stopped; send_until_stopped(*sys.argv[1:])"


def send_until_stopped(url: str, folder: str) -> None:
    """Send, with a mail server of its own, and press Ctrl-C for the whole group in the middle; say how it ended."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
    with closing(Database(url)) as db, signer(KEYS, after=0) as one:
        until_ready(one)

        def press(_what: str, done: int, _total: int) -> None:
            if done >= ENOUGH:
                os.killpg(0, signal.SIGINT)

        with in_thread(mail_server.serve({}, Path(folder) / "mail")) as server, suppress(Stopped), stoppable() as stop:
            post = Post(server, Clock(NOW))
            post.send(db, signing=Signing(KEYS, body_hash, one), progress=press, unbroken=stop.unbroken)
        print(len(server.messages()), one.lost, stop.asked, one.pid)


def test_ctrl_c_for_the_whole_group_finishes_open_letters_and_gives_back_the_rest(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    wave_of_letters(db, NOW, COUNT)
    ran = subprocess.run(
        [sys.executable, "-c", SENDER, database_url, tmp_path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=2 * LIMIT,
        check=True,
        start_new_session=True,
    )
    messages, lost, asked, pid = ran.stdout.split()
    found = states(db)
    assert (lost, asked) == ("None", "True")
    assert set(found) == {"handed", "approved"}
    assert found["handed"] == int(messages) >= ENOUGH
    assert not Path("/proc", pid).exists()
