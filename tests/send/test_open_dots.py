"""However many letters are under way, of no connection are two dots on record without a reply: a death leaves no more
letters in doubt than there are connections."""

from typing import Any

import pytest
from sqlalchemy import func, select

from pipeline.domain import Go, Send, Stop
from pipeline.sandbox.mail_rules import Rule
from pipeline.send.run import send
from pipeline.store import tables as t
from pipeline.store import workers
from pipeline.store.db import Database
from tests.seed import wave_of_letters

OPEN = select(func.count()).where(t.attempts.c.dot_at.is_not(None), t.attempts.c.ended_at.is_(None))
RULES = {
    "at once": {},
    "slowly": {"*": Rule("stall", "dot", seconds=0.02)},
    "or hangs up": {f"abuse@isp{n}.example": Rule("drop", "dot", keep=bool(n % 2)) for n in range(3, 40, 5)},
}


class Counted:
    """An edge that counts, whenever it is told of a round, the dots on record that have no reply."""

    def __init__(self, db: Database, wire: Any) -> None:
        self.db, self.wire, self.most = db, wire, 0

    def take(self, timeout: float) -> Any:
        return self.wire.take(timeout)

    def tell_all(self, messages: list[Send | Go | Stop]) -> None:
        with self.db.read() as connection:
            self.most = max(self.most, connection.execute(OPEN).scalar_one())
        self.wire.tell_all(messages)


@pytest.mark.parametrize("answers", RULES)
def test_at_most_one_dot_of_each_connection_is_on_record_without_a_reply(db: Database, post: Any, answers: str) -> None:
    with post(RULES[answers]) as p:
        p.connections = 3
        wave_of_letters(db, p.clock(), 40)
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=p.clock())
        with p.edge() as edge:
            wire = Counted(db, edge)
            send(p.sending(db, wire, worker))
        assert 1 <= wire.most <= 3
