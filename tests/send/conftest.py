"""A mail server on loopback and a run of the send stage against it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.net import smtp
from pipeline.net.edge import Edge
from pipeline.net.smtp import RelaySettings
from pipeline.sandbox import mail_server
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer
from pipeline.sandbox.thread import in_thread
from pipeline.send.run import Outcome, Sending, SendSettings, send
from pipeline.send.windows import ALWAYS, WindowRules
from pipeline.store import workers
from pipeline.store.db import Connection, Database, rows
from tests.seed import KEYS


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Post:
    """A mail server, and what it takes to send to it."""

    server: MailServer
    clock: Clock
    connections: int = 4
    guests: tuple[str, ...] = (".example",)
    rate: float = 0.0
    fresh_for: timedelta = timedelta(hours=72)
    objection: str = ""
    rewrites: list[int] = field(default_factory=list)
    timeout: float = 5.0
    window: WindowRules = ALWAYS

    def send(self, db: Database, **changes: Any) -> Outcome:
        """One run of the stage, as a worker of its own."""
        with db.write() as connection:
            worker = workers.register(connection, "test", 1, planner=False, now=self.clock())
        try:
            with self.edge() as wire:
                return send(self.sending(db, wire, worker, **changes))
        finally:
            with db.write() as connection:
                workers.end(connection, worker, self.clock())

    def edge(self) -> Edge[Any, Any]:
        settings = RelaySettings(
            host="127.0.0.1",
            port=self.server.port,
            tls="none",
            ehlo_name="test.example",
            connections=self.connections,
            timeout=self.timeout,
            dot_timeout=self.timeout,
            backoff=0.01,
        )
        return smtp.edge(settings)

    def sending(self, db: Database, wire: Edge[Any, Any], worker: int, **changes: Any) -> Sending:
        values: dict[str, Any] = {
            "db": db,
            "wire": wire,
            "settings": SendSettings(
                sender="bounces@agency.example",
                relay="relay",
                connections=self.connections,
                rate=self.rate,
                per_day=0,
                per_domain_rate=0.0,
                fresh_for=self.fresh_for,
                guests=self.guests,
                window=self.window,
            ),
            "keys": KEYS,
            "worker_id": worker,
            "clock": self.clock,
            "progress": lambda what, done, total: None,
            "approved": lambda connection, wave: self.objection,
            "rewrite": self.rewrite,
        }
        return Sending(**(values | changes))

    def rewrite(self, connection: Connection, notice_id: int) -> bytes:
        self.rewrites.append(notice_id)
        return f"Subject: shorter\r\nMessage-ID: <n{notice_id}@agency.example>\r\n\r\nshorter\r\n".encode()

    def recipients(self) -> list[str]:
        return sorted(kept.recipient for kept in self.server.messages())


@pytest.fixture
def post(tmp_path: Path, now: datetime) -> Iterator[Callable[..., Any]]:
    """Start a mail server with rules: `with post({"abuse@isp1.example": REFUSE}) as p`."""

    @contextmanager
    def start(rules: Mapping[str, Rule] | None = None) -> Iterator[Post]:
        with in_thread(mail_server.serve(rules or {}, tmp_path / "mail")) as server:
            yield Post(server, Clock(now))

    yield start
    assert threading.active_count() < 50


def letters(db: Database) -> dict[int, dict[str, Any]]:
    """Every letter by its number."""
    from sqlalchemy import text

    with db.read() as connection:
        return {row["id"]: row for row in rows(connection, text("SELECT * FROM letters ORDER BY id"))}


def states(db: Database) -> list[str]:
    return [row["state"] for row in letters(db).values()]
