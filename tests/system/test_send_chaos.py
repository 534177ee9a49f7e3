"""Everything at once: two senders that are killed, stopped, frozen until they are thought dead, cut off from the database,
held and released, in any order, and a relay that breaks off: each letter arrives once, or is known to be in doubt.

TOCSIN_SOAK: ten times as much.
"""

import random
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from sqlalchemy import func, select

from pipeline.sandbox.mail_rules import Rule
from pipeline.store.tables import workers
from tests.soak import IS_SOAK
from tests.system.conftest import Databases
from tests.system.forked import Commands, Running
from tests.system.mailing import SEND, Mailing, mailing

LETTERS, CONNECTIONS = (6_000, 10) if IS_SOAK else (500, 10)
KINDS = ("kill", "stop", "freeze", "hold", "release", "cut", "kill", "hang_up", "go_mute", "kill")
ROUNDS = 15 if IS_SOAK else 1  # in each, one thing of each kind, in any order
PAUSE = 0.6  # seconds between two actions, at most
FINE = (0, 75, 130, 6, -9, -15)  # done; try again; stopped; nothing to be done; killed; stopped before it began
SLOW = {"*": Rule("stall", "dot", seconds=0.1)}
HANGS_UP = {"*": Rule("drop", "dot", times=1)}  # at the first dot to each mailbox
MUTE = {"*": Rule("stall", "data", seconds=1.0)}


@dataclass
class Chaos:
    """Two senders at most, and what has been done to them."""

    m: Mailing
    chance: random.Random
    running: list[Running] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def act(self, name: str) -> None:
        """Do one thing, let a random time pass, and see to it that somebody sends."""
        self.done[name] += 1
        getattr(self, name)()
        self.running = [one for one in self.running if one.ended(0) is None]
        while len(self.running) < self.chance.choice((1, 2)):
            self.running.append(self.m.start(*SEND))
        self.running[-1].ended(self.chance.uniform(0, PAUSE))

    def one(self) -> Running | None:
        return self.chance.choice(self.running) if self.running else None

    def kill(self) -> None:
        if one := self.one():
            one.kill()
            self.m.half_a_minute_passes()

    def stop(self) -> None:
        if one := self.one():
            one.send(signal.SIGTERM)

    def freeze(self) -> None:
        """For so long that another thinks it dead, and takes over what it held; then it goes on.

        If it holds the database at that moment the others wait for it, and it is woken at once.
        """
        if one := self.one():
            one.send(signal.SIGSTOP)
            if self.may_write():
                self.m.half_a_minute_passes()
                other = self.m.start(*SEND)
                other.ended(3.0)
                self.running.append(other)
            one.send(signal.SIGCONT)

    def may_write(self) -> bool:
        """True unless the frozen one holds SQLite's lock, or on PostgreSQL the rows of the workers."""
        if self.m.db.file is None:
            with self.m.db.read() as connection:
                free = connection.execute(select(workers.c.id).with_for_update(skip_locked=True)).all()
                return len(free) == connection.execute(select(func.count()).select_from(workers)).scalar_one()
        with closing(sqlite3.connect(self.m.db.file, isolation_level=None, timeout=0.5)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
        return True

    def hold(self) -> None:
        self.m.run("hold", "--reason", "wait")

    def release(self) -> None:
        self.m.run("release", "--reason", "go on")

    def cut(self) -> None:
        if self.m.db.dialect == "postgresql":
            theirs = "pid <> pg_backend_pid() AND datname = current_database()"
            self.m.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {theirs}")  # noqa: S608

    def hang_up(self) -> None:
        self.m.killer.rules = HANGS_UP if self.m.killer.rules is SLOW else SLOW

    def go_mute(self) -> None:
        self.m.killer.rules = MUTE if self.m.killer.rules is SLOW else SLOW


def test_whatever_is_done_to_its_senders_each_letter_arrives_once_or_is_known_to_be_in_doubt(
    commands: Commands, databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = f"{'postgresql' if databases.server else 'sqlite'} {ROUNDS}"
    with mailing(commands, databases.new, LETTERS) as m:
        m.killer.rules = SLOW
        chaos = Chaos(m, random.Random(seed))
        chaos.running.append(m.start(*SEND))
        for _ in range(ROUNDS):
            for name in chaos.chance.sample(KINDS, len(KINDS)):
                chaos.act(name)
        ends = [running.kill().code for running in chaos.running]
        assert set(ends) <= set(FINE)
        m.killer.rules = {}
        chaos.release()
        m.half_a_minute_passes()
        m.an_hour_passes()
        m.run(*SEND)
        taken, uncertain = m.taken(), m.uncertain()
        told = f"seed {seed!r}: {dict(chaos.done)}; {len(taken)} taken, {len(uncertain)} uncertain"
        with capsys.disabled():
            print(f"\n{told}", file=sys.stderr)
        assert max(taken.values()) == 1, told
        assert m.states().keys() <= {"handed", "uncertain"}, told
        assert len(set(taken) | set(uncertain.values())) == LETTERS, told
        handed = {row["message_id"] for row in m.query("SELECT message_id FROM letters WHERE state = 'handed'")}
        assert handed <= set(taken), told
