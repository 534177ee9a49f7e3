"""Letters from the database to the relay's 250 and back into the record, by the stage itself.

`end`: claim, gate, budgets, signature (RSA-2048), the wire, dots and replies, on SQLite and on PostgreSQL with their real
durability, in turn with smtp-source against the same smtp-sink.  `memory`: two processes send waves of different sizes;
both need as much.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bench.lines import Line
from bench.measured import Measured
from bench.render_planned import KEYS
from bench.send_peers import SESSIONS, by_smtp_source, edge, sink
from bench.send_planned import Waves, postgres
from bench.stages import clock, unseen
from pipeline.domain import Clock
from pipeline.engine import working
from pipeline.render.body_hash import body_hash
from pipeline.render.run import rewrite
from pipeline.send.dkim import DkimKey, DkimKeys
from pipeline.send.run import Sending, SendSettings, send
from pipeline.send.work import Signing
from pipeline.signer import signer
from pipeline.store import waves
from pipeline.store.db import Connection, Database

OF_SMTP_SOURCE = 0.08
MORE_MEMORY = 16.0  # MB, for the larger wave
SIZE = 4_096
LETTERS, ROUNDS = 3_000, 5
QUICK_LETTERS, QUICK_ROUNDS = 500, 3
UNREACHED = 100_000.0  # letters a second: budgets that are kept, and never wait
ALL = 10**9  # letters a day, likewise


def end(quick: bool) -> list[Line]:
    """Return letters a second on each database, and the share of smtp-source's that this is."""
    count, rounds = (QUICK_LETTERS, QUICK_ROUNDS) if quick else (LETTERS, ROUNDS)
    signing = rsa()
    with ExitStack() as stack:
        port = stack.enter_context(sink())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        databases = [Waves(f"sqlite:///{folder}/bench.db"), Waves(stack.enter_context(postgres()))]
        for database in databases:
            of(database, port, count // 8, signing)
        taken = [
            (by_smtp_source(port, 5 * count, SIZE), *(of(database, port, count, signing) for database in databases))
            for _ in range(rounds)
        ]
    peer = median(rates[0] for rates in taken)
    lines = [Line(f"smtp-source -s {SESSIONS} -d, {SIZE:,} B", peer, "/s", note="in turn with the two below")]
    for place, name in enumerate(("SQLite", "PostgreSQL"), start=1):
        shares = sorted(rates[place] / rates[0] for rates in taken)
        rate = median(rates[place] for rates in taken)
        lines.append(Line(f"end to end, {name}", rate, "/s", note=f"{count} letters, RSA-2048, median of {rounds}"))
        note = f"{shares[0]:.3f} to {shares[-1]:.3f}"
        lines.append(Line(f"end to end / smtp-source, {name}", median(shares), "x", OF_SMTP_SOURCE, False, note))
    return lines


def of(database: Waves, port: int, count: int, signing: Signing) -> float:
    """Send a wave that is added for it; returns letters a second."""
    database.add(count, SIZE)
    with database.open() as db, sending(db, port, signing=signing) as run:
        began = time.perf_counter()
        outcome = send(run)
        seconds = time.perf_counter() - began
    if outcome.tally != {"handed": count} or outcome.left:
        raise RuntimeError(f"not every letter was handed over: {outcome}")
    return count / seconds


def rsa() -> Signing:
    return Signing(DkimKeys("agency.example", (DkimKey("r1", generate_private_key(65537, 2048)),)), body_hash)


def ed25519() -> Signing:
    return Signing(DkimKeys("agency.example", (DkimKey("e1", Ed25519PrivateKey.generate()),)), body_hash)


@contextmanager
def sending(
    db: Database,
    port: int,
    *,
    signing: Signing | None = None,
    rate: float = UNREACHED,
    connections: int = SESSIONS,
    now: Clock = clock,
) -> Iterator[Sending]:
    """Give a run of the stage as a worker of its own.  Nobody reads these letters: the words on a wave are only counted."""
    limits = SendSettings(
        sender="bounces@agency.example",
        relay="relay",
        connections=connections,
        rate=rate,
        per_day=ALL,
        per_domain_rate=UNREACHED,
        fresh_for=timedelta(hours=72),
        guests=(".example",),
    )
    with working(db, now) as worker_id, edge(port, connections) as wire, ExitStack() as stack:
        if signing is not None:
            signing = replace(signing, elsewhere=stack.enter_context(signer(signing.keys)))
        yield Sending(
            db=db,
            wire=wire,
            settings=limits,
            keys=KEYS,
            worker_id=worker_id,
            clock=now,
            progress=unseen,
            approved=_counted,
            rewrite=rewrite,
            signing=signing,
        )


def _counted(connection: Connection, wave: dict[str, object]) -> str:
    waves.words_given(connection, int(str(wave["id"])))
    return ""


def memory(quick: bool) -> list[Line]:
    """Return the peaks of two processes that send waves of these sizes."""
    sizes, peaks = (500, 2_000) if quick else (10_000, 100_000), []
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        for size in sizes:
            database = Waves(f"sqlite:///{folder}/memory{size}.db")
            database.add(size, SIZE)
            command = [sys.executable, "-m", "bench.send", "--memory", database.url, str(port)]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            peaks.append(float(run.stdout))
            Path(database.url.removeprefix("sqlite:///")).unlink()
    few, many = peaks
    return [
        Line(f"peak memory, {sizes[0]:,} letters", few, "MB"),
        Line(f"peak memory, {sizes[1]:,} letters", many, "MB", few + MORE_MEMORY),
    ]


def peak(url: str, port: int) -> float:
    """Send the letters that are due in a database; returns the peak of memory meanwhile, in MB."""
    measured = Measured()
    with Waves(url).open() as db, sending(db, port, signing=ed25519()) as run:
        measured.stage("send", lambda: (sum(send(run).tally.values()), 0))
    return measured.rows[0].memory_mb
