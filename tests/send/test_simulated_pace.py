"""The pace that a relay sees, by a clock that only the test moves: real rounds, the real store, whatever stands still."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.send_pace import worst_second
from pipeline.send.run import Sending, SendSettings
from pipeline.store import workers
from pipeline.store.db import Database
from tests.seed import KEYS, wave_of_letters
from tests.send.simulated import Machine, Worker, World, sent

BEGINNING = 1.0


@pytest.fixture
def quick_db(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    shutil.copy(sqlite_template, tmp_path / "tocsin.db")
    db = Database(f"sqlite:///{tmp_path / 'tocsin.db'}")
    yield db
    db.close()


def paced(
    db: Database, now: datetime, rate: float, seconds: float, machines: Sequence[Machine], connections: int = 32
) -> list[float]:
    """Send for so many seconds at this rate; returns when the relay saw each dot, from 0."""
    world = World(now)
    wave_of_letters(db, now, int(rate * seconds))

    def sending(wire: Worker, place: int) -> Sending:
        with db.write() as connection:
            worker = workers.register(connection, f"test{place}", place + 1, planner=False, now=now)
        limits = SendSettings(
            *("bounces@agency.example", "relay", connections, rate, 0, 0.0, timedelta(hours=72), (".example",))
        )
        return Sending(
            *(db, wire, limits, KEYS, worker, world.clock, lambda *_: None),
            approved=lambda *_: "",
            rewrite=_never,
            monotonic=world.monotonic,
        )

    times = sent(db, world, sending, machines, connections)
    return [at - times[0] for at in times]


def _never(*_: Any) -> bytes:
    raise AssertionError("no letter shrinks here")


def kept(times: list[float], rate: float) -> float:
    """Return the share of the rate that was reached, after the beginning."""
    steady = [at for at in times if at >= BEGINNING]
    return (len(steady) - 1) / (steady[-1] - steady[0]) / rate


def sometimes(seldom: float, short: float, long: float) -> Any:
    """A time that is short, and now and then long."""
    return lambda chance: chance.uniform(0.5, 1.5) * (long if chance.random() < seldom else short)


QUIET = Machine()
BUSY = Machine(round=sometimes(0.1, 0.012, 0.05), answer=sometimes(0.1, 0.002, 0.02), dot=sometimes(0.1, 0.004, 0.05))
SLOW_RELAY = Machine(dot=lambda chance: chance.uniform(0.02, 0.1))


@pytest.mark.parametrize("machines", [[QUIET], [BUSY], [SLOW_RELAY], [QUIET, BUSY], [BUSY, SLOW_RELAY]])
@pytest.mark.parametrize(("rate", "seconds"), [(5.0, 20), (50.0, 10), (200.0, 6)])
def test_a_rate_is_kept(
    quick_db: Database, now: datetime, rate: float, seconds: float, machines: list[Machine]
) -> None:
    times = paced(quick_db, now, rate, seconds, machines)
    assert len(times) == int(rate * seconds)
    assert worst_second(times) <= rate + 2 * len(machines)
    assert 0.98 <= kept(times, rate) <= 1.02
