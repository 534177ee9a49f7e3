"""Letters signed in a process of its own get the same bytes as here, and that process never outlives what started it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline.domain import TryAgain
from pipeline.render.body_hash import body_hash
from pipeline.send.dkim import header_block, sign_lot, signed, unsigned
from pipeline.signer import Signer, signer
from tests.databases import ROOT
from tests.send.signers import passes, signers

NOW = datetime(2025, 3, 1, 10, 0, 0, tzinfo=UTC)
KEYS = signers()
LETTER = b"From: a@agency.example\r\nTo: b@isp.example\r\nSubject: An address\r\nDate: x\r\n\r\nIt is open.\r\n"
LOT = [tuple(bytes([number, place]) * 16 for place in range(2)) for number in range(40)]
LIMIT = 30.0  # seconds until a process must have done what is waited for


@pytest.fixture
def ready() -> Iterator[Signer]:
    """One whose process signs already."""
    with signer(KEYS, after=0) as one:
        until_ready(one)
        yield one


def until_ready(one: Signer) -> None:
    """Sign until the other process takes part; each lot waits for nobody."""
    ends = time.monotonic() + LIMIT
    while not one.ready:
        assert one.lost is None
        assert time.monotonic() < ends
        assert one.begin(LOT[:1])() == sign_lot(KEYS, LOT[:1])


def wait_gone(process: int) -> None:
    """Return once a process, named by a file descriptor, has ended.  Fails if it does not."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    assert poll.poll(LIMIT * 1000), "it is still there"


def test_few_letters_are_signed_here_and_no_process_is_started() -> None:
    with signer(KEYS, after=len(LOT)) as one:
        assert one.begin(LOT)() == sign_lot(KEYS, LOT)
        assert one.pid is None
        one.begin(LOT)
        assert one.pid is not None


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_another_process_makes_the_same_bytes_in_the_same_order(ready: Signer, count: int) -> None:
    assert ready.begin(LOT[:count])() == sign_lot(KEYS, LOT[:count])
    assert ready.lost is None


def test_its_signatures_pass_and_a_changed_letter_does_not(ready: Signer) -> None:
    found = unsigned(LETTER, body_hash(LETTER), KEYS, NOW)
    message = signed(found, *ready.begin([found.digests])()) + LETTER
    assert passes(message, KEYS) == [True, True]
    assert passes(message.replace(b"open", b"shut"), KEYS) == [False, False]
    assert passes(message.replace(b"An address", b"No address"), KEYS) == [False, False]
    assert message.startswith(
        signed(unsigned(header_block(LETTER), body_hash(LETTER), KEYS, NOW), *sign_lot(KEYS, [found.digests]))
    )


def test_a_lot_that_nobody_asked_for_does_no_harm_to_the_next(ready: Signer) -> None:
    ready.begin(LOT[:5])
    wanted = ready.begin(LOT[5:10])
    assert wanted() == sign_lot(KEYS, LOT[5:10])
    assert ready.lost is None


def test_a_lot_is_signed_here_when_the_process_is_killed_and_it_is_said(ready: Signer) -> None:
    assert ready.pid is not None
    watched = os.pidfd_open(ready.pid)
    os.kill(ready.pid, signal.SIGSTOP)  # so that it cannot answer first
    wanted = ready.begin(LOT)
    os.kill(ready.pid, signal.SIGKILL)
    wait_gone(watched)
    assert wanted() == sign_lot(KEYS, LOT)
    assert isinstance(ready.lost, TryAgain)
    killed = ready.pid
    assert ready.begin(LOT)() == sign_lot(KEYS, LOT)
    assert ready.pid == killed  # no other was started
    os.close(watched)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_stops_the_sender_does_not_stop_the_signer(ready: Signer, number: int) -> None:
    assert ready.pid is not None
    assert os.getpgid(ready.pid) != os.getpgid(0)  # nor does Ctrl-C reach it
    os.kill(ready.pid, number)
    assert ready.begin(LOT)() == sign_lot(KEYS, LOT)
    assert ready.lost is None


def test_the_keys_are_in_no_argument_and_no_variable_of_the_process(ready: Signer) -> None:
    for name in ("cmdline", "environ"):
        with open(f"/proc/{ready.pid}/{name}", "rb") as file:
            assert b"PRIVATE" not in file.read()


def test_it_is_gone_when_its_block_ends() -> None:
    with signer(KEYS, after=0) as one:
        until_ready(one)
        assert one.pid is not None
        watched = os.pidfd_open(one.pid)
    wait_gone(watched)
    os.close(watched)


PARENT = """
import sys
from pipeline.signer import Signer
from tests.test_signer import KEYS, until_ready
one = Signer(KEYS, after=0)
until_ready(one)
print(one.pid, flush=True)
sys.stdin.read()
"""


def test_it_does_not_outlive_a_sender_that_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        watched = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    wait_gone(watched)
    os.close(watched)
