"""One process plans; its lock is free as soon as it has ended, however it ended."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from pipeline.store.db import Database
from pipeline.store.planner import planner_lock

CHILD = """
import sys, time
from pipeline.store.db import Database
from pipeline.store.planner import planner_lock
with planner_lock(Database(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_the_lock_is_anothers_until_it_is_given_back(db: Database, database_url: str) -> None:
    with closing(Database(database_url)) as other:
        with planner_lock(db) as mine:
            assert mine
            with planner_lock(other) as theirs:
                assert not theirs
        with planner_lock(other) as theirs:
            assert theirs


def test_the_lock_of_a_killed_process_is_free(db: Database, database_url: str) -> None:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", CHILD, database_url]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root}, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        with planner_lock(db) as mine:
            assert not mine
        child.send_signal(signal.SIGKILL)
    for _ in range(100):  # PostgreSQL notices a moment later
        with planner_lock(db) as mine:
            if mine:
                return
        time.sleep(0.05)
    raise AssertionError("the lock was never free")
