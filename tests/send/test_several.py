"""A wave over two relays: shares, rests, fail-over, and never twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pipeline.net import relays, smtp
from pipeline.net.smtp import RelaySettings
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.send.pace import Pace
from pipeline.send.relays import Relay, key
from pipeline.send.run import Outcome, send
from pipeline.store import rests, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import wave_of_letters
from tests.send.conftest import Clock, Post, letters, states

REFUSES_US = Rule("answer", "mail", "550 5.7.1 we do not know you")
DOWN = Rule("drop", "connect")


@dataclass
class Two:
    """Two mail servers, `a` and `b`, and what it takes to send over both."""

    servers: dict[str, MailServer]
    clock: Callable[[], datetime]
    weights: dict[str, int] = field(default_factory=lambda: {"a": 1, "b": 1})
    connections: int = 2
    timeout: float = 5.0

    def send(self, db: Database, pace: Pace | None = None) -> Outcome:
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=self.clock())
        transports = {name: smtp.relay(self.settings(name)) for name in self.servers}
        post = Post(self.servers["a"], Clock(self.clock()))
        try:
            with relays.edge(transports, 2 * self.connections) as wire:
                run = post.sending(db, wire, worker, clock=self.clock)
                shares = tuple(Relay(name, self.weights[name], self.connections) for name in self.servers)
                settings = replace(run.settings, relay="a", relays=shares, connections=2 * self.connections)
                if pace is not None:
                    settings = replace(settings, pace=pace)
                return send(replace(run, settings=settings))
        finally:
            with db.write() as connection:
                workers.end(connection, worker, self.clock())

    def settings(self, name: str) -> RelaySettings:
        return RelaySettings(
            host="127.0.0.1",
            port=self.servers[name].port,
            tls="none",
            ehlo_name="test.example",
            connections=self.connections,
            timeout=self.timeout,
            dot_timeout=self.timeout,
            backoff=0.01,
            called=name,
        )

    def taken(self) -> dict[str, int]:
        return {name: len(server.messages()) for name, server in self.servers.items()}

    def message_ids(self) -> list[str]:
        return sorted(kept.message_id for server in self.servers.values() for kept in server.messages())


@contextmanager
def two(
    folder: Path, now: datetime, a: dict[str, Rule] | None = None, b: dict[str, Rule] | None = None
) -> Iterator[Two]:
    with in_thread(serve(a or {}, folder / "a")) as one, in_thread(serve(b or {}, folder / "b")) as other:
        yield Two({"a": one, "b": other}, lambda: now)


def resting(db: Database) -> dict[str, Any]:
    with db.read() as connection:
        found = rests.known(connection, [key("a"), key("b")])
    return {name.removeprefix("mail:relay:").removesuffix("/rest"): rest for name, rest in found.items()}


def attempts_over(db: Database) -> dict[str, int]:
    with db.read() as connection:
        found = list(connection.execute(select(t.attempts.c.relay)).scalars())
    return {name: found.count(name) for name in found}


def test_letters_are_shared_out_by_weight(db: Database, tmp_path: Path, now: datetime) -> None:
    wave_of_letters(db, now, 40)
    with two(tmp_path, now) as p:
        p.weights = {"a": 3, "b": 1}
        assert p.send(db).tally == {"handed": 40}
        assert p.taken() == {"a": 30, "b": 10}
    assert attempts_over(db) == {"a": 30, "b": 10}
    assert resting(db) == {}


def test_a_relay_that_refuses_us_rests_and_its_letters_go_over_the_other(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 30)
    with two(tmp_path, now, a={"*": REFUSES_US}) as p:
        outcome = p.send(db)
        assert p.taken() == {"a": 0, "b": 30}
        assert len(set(p.message_ids())) == 30
    assert (outcome.tally["handed"], outcome.left) == (30, 0)
    assert resting(db) == {"a": (1, now + timedelta(minutes=1))}
    assert attempts_over(db)["a"] <= 8


def test_a_relay_that_is_down_rests_and_its_letters_go_over_the_other(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 30)
    with two(tmp_path, now, b={"*": DOWN}) as p:
        assert p.send(db).tally["handed"] == 30
        assert p.taken() == {"a": 30, "b": 0}
    assert resting(db) == {"b": (1, now + timedelta(minutes=1))}


def test_a_restart_knows_who_rests_and_a_relay_that_works_again_has_its_share(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 40)
    with db.write() as connection:
        rests.rest(connection, key("a"), 2, now + timedelta(minutes=2))
    with two(tmp_path, now) as p:
        with db.write() as connection:
            connection.execute(t.letters.update().where(t.letters.c.id > 20).values(due_at=now + timedelta(hours=1)))
        assert p.send(db).tally == {"handed": 20}
        assert p.taken() == {"a": 0, "b": 20}
        later = now + timedelta(hours=1)
        p.clock = lambda: later
        assert p.send(db).tally == {"handed": 20}
        assert 8 <= p.taken()["a"] <= 11  # one first, and then its share
    assert resting(db) == {}


def test_a_rest_doubles_where_a_relay_does_not_work_after_it(db: Database, tmp_path: Path, now: datetime) -> None:
    wave_of_letters(db, now, 20)
    with db.write() as connection:
        rests.rest(connection, key("a"), 2, now - timedelta(seconds=1))
    with two(tmp_path, now, a={"*": REFUSES_US}) as p:
        assert p.send(db).tally == {"handed": 20, "released": 1}
    assert resting(db) == {"a": (3, now + timedelta(minutes=4))}
    assert attempts_over(db) == {"a": 1, "b": 20}


def test_when_all_rest_nothing_is_claimed_and_it_is_said_when_it_goes_on(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 5)
    with db.write() as connection:
        rests.rest(connection, key("a"), 5, now + timedelta(minutes=16))
        rests.rest(connection, key("b"), 4, now + timedelta(minutes=8))
    with two(tmp_path, now) as p:
        outcome = p.send(db)
        assert p.taken() == {"a": 0, "b": 0}
    assert (outcome.left, outcome.wait, outcome.why) == (5, now + timedelta(minutes=8), "mail:relay:b/rest")
    assert attempts_over(db) == {}


def test_both_down_ends_with_all_letters_still_to_go(db: Database, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    wave_of_letters(db, began, 20)
    with db.write() as connection:
        for name in ("a", "b"):
            rests.rest(connection, key(name), 2, began)
    with two(tmp_path, began, a={"*": DOWN}, b={"*": DOWN}) as p:
        p.clock = lambda: datetime.now(UTC)
        outcome = p.send(db)
    assert (outcome.left, outcome.tally, set(states(db))) == (20, {"released": 2}, {"approved"})
    assert {rest[0] for rest in resting(db).values()} == {3}
    assert outcome.wait is not None
    assert outcome.wait > began + timedelta(minutes=3)


def test_a_letter_whose_dot_hung_on_one_relay_never_goes_over_another(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 30)
    with two(tmp_path, now, a={"*": Rule("drop", "dot")}) as p:
        for _ in range(3):
            p.send(db)
        taken = p.taken()["b"]
    by_state = states(db)
    assert by_state.count("uncertain") + by_state.count("accepted") + by_state.count("handed") == 30
    assert by_state.count("uncertain") >= 3
    assert by_state.count("handed") == taken
    unknown = {row["id"] for row in letters(db).values() if row["state"] == "uncertain"}
    with db.read() as connection:
        dots = select(t.attempts.c.letter_id, t.attempts.c.relay).where(t.attempts.c.outcome != "released")
        tries = list(connection.execute(dots))
    assert all([relay for letter, relay in tries if letter == number] == ["a"] for number in unknown)
    assert len(tries) == 30  # one for each letter


def test_each_relay_has_its_own_warm_up_and_what_one_may_not_take_goes_over_the_other(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    wave_of_letters(db, now, 20)
    with two(tmp_path, now) as p:
        p.weights = {"a": 9, "b": 1}
        outcome = p.send(db, Pace(warm_up={1: 8}))
        assert p.taken() == {"a": 8, "b": 8}
    assert (outcome.left, outcome.why) == (4, "mail:relay:b/day")
