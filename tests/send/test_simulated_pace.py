"""The pace that a relay sees, by a clock that only the test moves: real rounds, the real store, whatever stands still."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    db: Database,
    now: datetime,
    rate: float,
    seconds: float,
    machines: Sequence[Machine],
    connections: int = 32,
    back: float = 0.0,
) -> list[float]:
    """Send for so many seconds at this rate; returns when the relay saw each dot, from 0.

    After a second the clock is set back by so much.
    """
    world = World(now)
    world.after(world.at + 1.0, lambda: world.set_back(back))
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
@pytest.mark.parametrize(("rate", "seconds"), [(5.0, 20), (50.0, 8), (200.0, 4)])
def test_a_rate_is_kept(
    quick_db: Database, now: datetime, rate: float, seconds: float, machines: list[Machine]
) -> None:
    times = paced(quick_db, now, rate, seconds, machines)
    assert len(times) == int(rate * seconds)
    assert worst_second(times) <= rate + 2 * len(machines)
    assert 0.98 <= kept(times, rate) <= 1.02


def test_a_relay_that_is_slower_than_its_letters_slots_costs_no_slots(quick_db: Database, now: datetime) -> None:
    """Of four connections that could carry 5.7 letters a second, at 5 a second most is carried, not half."""
    slow = Machine(dot=lambda chance: chance.uniform(0.6, 0.8))
    times = paced(quick_db, now, 5.0, 16, [slow], connections=4)
    assert worst_second(times) <= 7
    assert kept(times, 5.0) >= 0.8


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("rate", [5.0, 50.0, 200.0])
def test_who_stood_still_does_not_catch_up_and_takes_nothing_from_the_other(
    quick_db: Database, now: datetime, rate: float, frozen: bool
) -> None:
    begin = 1001.5
    still = Machine(asleep=[(begin, begin + 0.03), (begin + 0.5, begin + 0.7), (begin + 1, begin + 1.6)], frozen=frozen)
    times = paced(quick_db, now, rate, 4 if rate < 200 else 3.5, [still, QUIET])
    assert len(times) >= 3.5 * rate
    assert worst_second(times) <= rate + 4
    if frozen:  # 250 ms after that, all slots are the other's; an edge alone loses one for each connection at most
        assert sum(2.8 < at < 3.1 for at in times) >= 0.3 * rate - 2


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([5.0, 50.0, 200.0]),
    workers=st.sampled_from([1, 2]),
    connections=st.sampled_from([2, 8, 30]),
    round_=st.sampled_from([0.002, 0.02, 0.1]),
    dot=st.sampled_from([0.001, 0.05, 0.4]),
    naps=st.lists(st.tuples(st.floats(0, 2.5), st.floats(0.001, 0.6)), max_size=6),
    frozen=st.booleans(),
    back=st.sampled_from([0.0, 0.3, 30.0]),
)
def test_whatever_stands_still_no_second_has_more_than_the_rate_and_two_for_each_worker(
    sqlite_template: Path,
    now: datetime,
    rate: float,
    workers: int,
    connections: int,
    round_: float,
    dot: float,
    naps: list[tuple[float, float]],
    frozen: bool,
    back: float,
) -> None:
    """Rounds, relays and edges of any pace; `back`: so many seconds the clock is set back, once."""
    asleep = sorted((1000 + begun, 1000 + begun + length) for begun, length in naps)
    apart = [
        nap for place, nap in enumerate(asleep) if place == 0 or nap[0] > max(until for _, until in asleep[:place])
    ]
    machines = [
        Machine(
            sometimes(0.2, round_, 3 * round_), sometimes(0.2, 0.002, 0.1), sometimes(0.2, dot, 3 * dot), naps_, frozen
        )
        for naps_ in (apart, [])[:workers]
    ]
    with TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, f"{folder}/tocsin.db")
        db = Database(f"sqlite:///{folder}/tocsin.db")
        times = paced(db, now, rate, 200 / rate if rate > 5 else 8, machines, connections, back)
        db.close()
    assert len(times) == (40 if rate == 5 else 200)
    assert worst_second(times) <= rate + 2 * workers
