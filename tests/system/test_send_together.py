"""Two senders at once on one wave, each with ten connections: nothing twice, and the limits hold for both together; one of
them is killed, and the other goes on."""

import bisect
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pipeline.send.spacing import AHEAD
from pipeline.store import tables as t
from tests.system.conftest import Databases
from tests.system.forked import Commands
from tests.system.mailing import SEND, Mailing, mailing

LETTERS, CONNECTIONS, RATE, A_DAY = 240, 10, 80, 200


def dots(m: Mailing) -> list[datetime]:
    """When the final dots were committed to."""
    with m.db.read() as connection:
        query = select(t.attempts.c.dot_at).where(t.attempts.c.dot_at.is_not(None)).order_by(t.attempts.c.dot_at)
        return list(connection.execute(query).scalars())


def most_in(times: list[datetime], span: timedelta) -> int:
    """The most of these times that lie in one span."""
    return max(bisect.bisect_right(times, at + span) - place for place, at in enumerate(times))


@pytest.mark.parametrize("killed", [False, True], ids=["both live", "one is killed"])
def test_two_senders_at_once_send_each_letter_once_and_share_the_limits(
    commands: Commands, databases: Databases, killed: bool
) -> None:
    limits: dict[str, Any] = {"mail": {"rate": float(RATE), "per_day": A_DAY}}
    with mailing(commands, databases.new, LETTERS) as m:
        m.change(limits)
        both = [m.start(*SEND), m.start(*SEND)]
        if killed:
            m.until("SELECT count(*) > 50 FROM letters WHERE state = 'handed'", both[0])
            both[0].kill()
        assert {running.end().code for running in both} <= {0, -9}
        assert set(m.taken().values()) == {1}
        assert len(m.taken()) <= A_DAY
        workers = m.number("SELECT count(DISTINCT worker_id) FROM attempts WHERE dot_at IS NOT NULL")
        assert workers == 2
        assert most_in(dots(m), timedelta(seconds=1) - AHEAD) <= RATE + 2 * workers  # so long before its slot at most
        assert killed or m.states() == {"handed": A_DAY, "approved": LETTERS - A_DAY}
        m.change({})
        m.half_a_minute_passes()
        m.must(*SEND)
        taken, uncertain = m.taken(), set(m.uncertain().values())
        assert set(taken.values()) == {1}
        assert len(uncertain) <= CONNECTIONS * killed
        assert len(set(taken) | uncertain) == LETTERS
