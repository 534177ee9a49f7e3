"""Rounds of writing and signing letters: ours and the usual chain's take turns, each with a database of its own."""

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import select

from bench import yardstick
from bench.render_peer import Chain, Sample
from bench.render_planned import KEYS, letters, new, plan_wave
from bench.stages import clock, unseen
from pipeline.domain import Clock
from pipeline.engine import working
from pipeline.render.body_hash import body_hash
from pipeline.render.run import UNIT, render
from pipeline.send.dkim import DkimKey, DkimKeys, header_block, signature_lines
from pipeline.send.head import head
from pipeline.store import tables
from pipeline.store.db import Database, chunks
from pipeline.store.send import read_bodies

Spent = tuple[float, float]  # seconds, and CPU seconds


class Rounds:
    """Measurements in one folder.  `letters` and `of_peer`: how many letters each side writes in a round."""

    def __init__(self, folder: Path, letters: int, of_peer: int) -> None:
        self.count, self.of_peer = letters, of_peer
        self.ours, self.theirs = new(folder / "ours.db"), new(folder / "theirs.db")
        self.rsa = generate_private_key(65537, 2048)
        rsa, ed25519 = DkimKey("r1", self.rsa), DkimKey("e1", Ed25519PrivateKey.generate())
        kinds = {"rsa": (rsa,), "ed25519": (ed25519,), "both": (rsa, ed25519)}
        self.keys = {name: DkimKeys("agency.example", keys) for name, keys in kinds.items()}
        self.chain: Chain | None = None
        self.wave = 0
        self.letter_bytes = 0.0
        self.peer_note = ""
        self.forget()

    def forget(self) -> None:
        """Begin the record anew."""
        self.spent: dict[str, list[Spent]] = {"": [], "rsa": [], "ed25519": [], "both": [], "peer": []}
        self.json_us: list[float] = []

    def run(self, times: int) -> None:
        for _ in range(times):
            self.wave += 1
            self.json_us.append(yardstick.measure()["json_us"])
            self._ours()
            self._theirs()

    def rate(self, how: str, *, cpu: bool = False) -> float:
        """Return letters a second: rendered and stored, and signed with `how` if it is not empty."""
        rounds = zip(self.spent[""], self.spent[how] if how else [(0.0, 0.0)] * len(self.spent[""]), strict=True)
        return statistics.median(self.count / (one[cpu] + two[cpu]) for one, two in rounds)

    def peer_rate(self, *, cpu: bool = False) -> float:
        return statistics.median(self.of_peer / spent[cpu] for spent in self.spent["peer"])

    def ratio(self, *, cpu: bool = False) -> float:
        """Return how many times as fast as the chain our letters are written, stored and signed with RSA-2048."""
        rounds = zip(self.spent[""], self.spent["rsa"], self.spent["peer"], strict=True)
        return statistics.median(
            (peer[cpu] / self.of_peer) / ((one[cpu] + two[cpu]) / self.count) for one, two, peer in rounds
        )

    def _ours(self) -> None:
        wave_id = plan_wave(self.ours, self.wave, self.count)
        with self.ours.open() as db, working(db, clock) as worker_id:
            self._timed("", lambda: render(db, KEYS, worker_id=worker_id, clock=clock, progress=unseen))
            written = letters(db, wave_id)
            for how, keys in self.keys.items():
                self._timed(how, partial(signed, db, written, keys, clock))
            self.letter_bytes = statistics.mean(row["bytes"] for row in written)
            self.chain = self.chain or Chain(sample(db, written[0]), self.rsa)

    def _theirs(self) -> None:
        wave_id = plan_wave(self.theirs, self.wave, self.of_peer)
        chain = self.chain
        assert chain is not None
        with self.theirs.open() as db, working(db, clock) as worker_id:
            self._timed("peer", lambda: chain.write(db, wave_id, worker_id))
            size = statistics.mean(row["bytes"] for row in letters(db, wave_id))
        self.peer_note = f"letters of {size:,.0f} B, signature included"

    def _timed(self, name: str, act: Callable[[], int]) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        count = act()
        self.spent[name].append((time.perf_counter() - began, time.process_time() - cpu))
        if count != (self.of_peer if name == "peer" else self.count):
            raise RuntimeError(f"{count} letters were written")


def signed(db: Database, written: list[dict[str, Any]], keys: DkimKeys, clock: Clock) -> int:
    """Read letters back and make the lines that sending puts before them; returns how many."""
    for unit in chunks(written, UNIT):
        with db.read() as connection:
            bodies = read_bodies(connection, [bytes(row["sha256"]) for row in unit])
        for row in unit:
            _signed(bodies[bytes(row["sha256"])], row["body_hash"], keys, clock())
    return len(written)


def _signed(letter: bytes, made: bytes | None, keys: DkimKeys, now: datetime) -> bytes:
    top = head(now)
    return signature_lines(top + header_block(letter), made or body_hash(letter), keys, now) + top


def sample(db: Database, written: dict[str, Any]) -> Sample:
    """Return one letter with what it tells."""
    query = (
        select(tables.notices.c.reference, tables.contacts.c.spelling, tables.netblocks.c.name)
        .add_columns(tables.netblocks.c.holder, tables.targets.c.address)
        .select_from(tables.letters)
        .join(tables.notices, tables.notices.c.id == tables.letters.c.notice_id)
        .join(tables.contacts, tables.contacts.c.id == tables.notices.c.contact_id)
        .join(tables.notice_cases, tables.notice_cases.c.notice_id == tables.notices.c.id)
        .join(tables.cases, tables.cases.c.id == tables.notice_cases.c.case_id)
        .join(tables.netblocks, tables.netblocks.c.id == tables.cases.c.netblock_id)
        .join(tables.targets, tables.targets.c.id == tables.cases.c.target_id)
        .where(tables.letters.c.id == written["id"])
        .order_by(tables.targets.c.address)
    )
    with db.read() as connection:
        rows = connection.execute(query).all()
        letter = read_bodies(connection, [bytes(written["sha256"])])[bytes(written["sha256"])]
    first = rows[0]
    addresses = tuple(str(row.address) for row in rows)
    return Sample(letter, first.reference, first.spelling, first.name, first.holder, addresses)
