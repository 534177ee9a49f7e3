"""An installation with an approved wave of many letters, a mail server that kills its sender when told to, and its log.

The wave is made in bulk, as planning, writing and approving would have left it; everything after that is the real command.
"""

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, text, update

from pipeline.domain import Event, WaveState
from pipeline.sandbox import installation, mail_server
from pipeline.sandbox.mail_rules import Rule, RuleBook
from pipeline.sandbox.mail_server import MailServer
from pipeline.sandbox.thread import in_thread
from pipeline.store import lives
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from tests.ran import Ran
from tests.seed import approve, wave_of_letters
from tests.system.forked import Commands, Running

NAME = "test"
SEND = ("send", NAME, "--execute", "--yes")
LOST = Rule("drop", "dot")  # the connection breaks after the dot, and the letter is not taken


class Killer(RuleBook):
    """Rules of a mail server that kill the sender with SIGKILL once `left` commands of one kind have come.

    At `data` its DATA is not answered, at `body` 354 is on its way, at `dot` the letter has come whole, and is taken or,
    with `loses`, is not.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.pid = self.left = 0
        self.at = ""
        self.loses = False

    def aim(self, pid: int, at: str, count: int, *, loses: bool = False) -> None:
        """Kill this process at so many such commands from now."""
        self.at, self.loses, self.pid, self.left = at, loses, pid, count

    def applies(self, at: str, mailbox: str = "") -> Rule | None:
        if self.left and at == self.at:
            self.left -= 1
            if not self.left:
                os.kill(self.pid, signal.SIGKILL)
                return LOST if self.loses else None
        return super().applies(at, mailbox)


@dataclass(frozen=True)
class Mailing:
    """An installation in a folder, its relay, and the process that runs its commands."""

    folder: Path
    server: MailServer
    killer: Killer
    commands: Commands
    db: Database

    def start(self, *line: str, module: str = "pipeline") -> Running:
        return self.commands.start(self.folder / "config.toml", *line, module=module)

    def run(self, *line: str) -> Ran:
        return self.start(*line).end()

    def must(self, *line: str) -> Ran:
        """Run a command that has to go well."""
        ran = self.run(*line)
        assert ran.code == 0, f"{line}: exit {ran.code}: {ran.err}"
        return ran

    def change(self, more: dict[str, Any]) -> None:
        """Write the settings anew, with others beside or in the place of the plain ones."""
        plain = settings(self.db.engine.url.render_as_string(hide_password=False), self.server.port)
        (self.folder / "config.toml").write_text(installation.config_text(installation.merged(plain, more)))

    def query(self, sql: str) -> list[dict[str, Any]]:
        with self.db.read() as connection:
            return rows(connection, text(sql))

    def number(self, sql: str) -> int:
        [row] = self.query(sql)
        return int(next(iter(row.values())))

    def release(self) -> None:
        """A person's go: from now on the letters leave."""
        with self.db.write() as connection:
            lives.advance(connection, [1], Event.WAVE_RELEASED, datetime.now(UTC), "person:1")

    def until(self, sql: str, running: Running) -> None:
        """Wait until a query gives a number that is not 0, or the command has ended."""
        for _ in range(6_000):
            if self.number(sql) or running.ended(0.01):
                return
        raise AssertionError(f"it never came to be: {sql}")

    def states(self) -> Counter[str]:
        return Counter(row["state"] for row in self.query("SELECT state FROM letters"))

    def taken(self) -> Counter[str]:
        """The truth: the Message-IDs that the relay took, and how often."""
        return Counter(kept.message_id for kept in self.server.messages())

    def open_dots(self) -> set[int]:
        """The attempts that have a final dot on record, and no reply."""
        open_ = self.query("SELECT id FROM attempts WHERE dot_at IS NOT NULL AND ended_at IS NULL")
        return {row["id"] for row in open_}

    def uncertain(self) -> dict[int, str]:
        """Return {letter: Message-ID} of those that are UNCERTAIN."""
        return {r["id"]: r["message_id"] for r in self.query("SELECT * FROM letters WHERE state = 'uncertain'")}

    def an_hour_passes(self) -> None:
        """As long as a frozen sender might hold its connection open, and a letter waits that was put back."""
        with self.db.write() as connection:
            dots = select(t.attempts.c.id, t.attempts.c.dot_at).where(t.attempts.c.outcome == "abandoned")
            for row in connection.execute(dots.where(t.attempts.c.dot_at.is_not(None))).all():
                earlier = update(t.attempts).where(t.attempts.c.id == row.id)
                connection.execute(earlier.values(dot_at=row.dot_at - timedelta(hours=1)))
            waiting = update(t.letters).where(t.letters.c.state.in_(("approved", "deferred")))
            connection.execute(waiting.values(due_at=datetime.now(UTC)))

    def half_a_minute_passes(self) -> None:
        """Nothing is heard for so long of a worker that was killed: what it held is free."""
        with self.db.write() as connection:
            connection.execute(update(t.workers).values(heartbeat_at=datetime.now(UTC) - timedelta(seconds=31)))

    def log(self) -> Path:
        """Write what Postfix would have logged of all that the relay took, and passed on to the recipients' servers."""
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
        path = self.folder / "mail.log"
        lines = []
        for number, kept in enumerate(self.server.messages(), 1):
            where = f"203.0.113.{number % 250}"
            said = (
                ("cleanup", f"message-id={kept.message_id}"),
                ("qmgr", "from=<bounces@agency.example>, size=4121, nrcpt=1 (queue active)"),
                (
                    "smtp",
                    f"to=<{kept.recipient}>, relay=mx.isp.example[{where}]:25, dsn=2.0.0, status=sent (250 2.0.0 Ok)",
                ),
            )
            lines += [f"{at} relay postfix/{agent}[9]: Q{number:09}: {words}\n" for agent, words in said]
        path.write_text("".join(lines), encoding="utf-8")
        return path


def settings(database_url: str, port: int) -> dict[str, Any]:
    """The installation's settings: ten connections, no limit, no person who looks at the first letters."""
    return {
        "database": {"url": database_url},
        "mail": {
            "sender": "bounces@agency.example",
            "rate": 0.0,
            "per_domain_rate": 0.0,
            "relay": {"host": "127.0.0.1", "port": port, "tls": "none", "connections": 10},
            "canary": {"share": 0, "least": 0},
        },
        "safety": {"guests": [".example"]},
    }


@contextmanager
def mailing(commands: Commands, new_database: Callable[[Path], str], letters: int) -> Iterator[Mailing]:
    """An installation with an approved wave of so many letters, and its relay, until the block is left."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-mailing-"))
    folder.chmod(0o755)
    db = Database(new_database(folder))
    try:
        with in_thread(mail_server.serve({}, folder / "mail")) as server:
            killer = Killer()
            server.rules = killer
            made = Mailing(folder, server, killer, commands, db)
            credentials = folder / "credentials.toml"
            credentials.write_text(
                f'master_key = "{bytes(range(32)).hex()}"\n', encoding="ascii"
            )  # as in tests/seed.py
            credentials.chmod(0o600)
            made.change({})
            now = datetime.now(UTC)
            wave = wave_of_letters(db, now, letters, state=WaveState.PLANNED)
            approve(db, wave, now)
            yield made
    finally:
        db.close()
        shutil.rmtree(folder)
