"""The send stage as a process of its own over the real edge, which dies at one line: where a round's commit is done, and
the edge is told of it or has just been.

    python -m tests.system.dying before|after Send|Go DATABASE_URL PORT

It ends at once, by SIGKILL from itself, in the first round that tells letters (Send) or dots (Go).
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.engine import working
from pipeline.net import smtp
from pipeline.net.edge import Edge
from pipeline.send.run import Sending, send
from pipeline.store.db import Database
from tests.seed import KEYS, unlimited

Message = Send | Go | Stop
CONNECTIONS = 4


class Dying:
    """An edge that is told of one kind of message once, or never."""

    def __init__(self, wire: Edge[Message, Ready | Result], when: str, what: str) -> None:
        self.wire, self.when, self.what = wire, when, {"Send": Send, "Go": Go}[what]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wire, name)

    def tell_all(self, messages: Sequence[Message]) -> None:
        last = any(isinstance(message, self.what) for message in messages)
        if last and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        self.wire.tell_all(messages)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)


def clock() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    when, what, url, port = sys.argv[1:5]
    relay = smtp.RelaySettings("127.0.0.1", int(port), tls="none", ehlo_name="out.example", connections=CONNECTIONS)
    settings = unlimited(CONNECTIONS)
    db = Database(url)
    with working(db, clock) as worker, smtp.edge(relay) as wire:
        send(
            Sending(
                db=db,
                wire=Dying(wire, when, what),
                settings=settings,
                keys=KEYS,
                worker_id=worker,
                clock=clock,
                progress=lambda what, done, total: None,
                approved=lambda connection, wave: "",
                rewrite=lambda connection, notice: b"",
            )
        )


if __name__ == "__main__":
    main()
