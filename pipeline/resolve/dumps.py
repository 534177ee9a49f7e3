"""Import the dumps that registries publish, so that most addresses need no question; and answer out of them.

Reads: one file, RPSL objects or delegated-extended statistics.  Writes: a dump with its packed blocks and objects.  Safe to
repeat and to kill at any line: bytes that are known add nothing, a dump counts only once it is complete, one that was left
half-read is begun anew, and what a newer one replaced goes after that.  A lease keeps a second process off.
"""

import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domain import Address, Clock, Progress, TocsinError, TryAgain
from pipeline.resolve import delegated as statistics
from pipeline.resolve import dump_file, rpsl_dump
from pipeline.resolve.dump_file import DELEGATED, RPSL
from pipeline.resolve.dump_lookup import answers, delegated
from pipeline.resolve.rpsl_dump import Picked
from pipeline.store import dumps as store
from pipeline.store.db import Database
from pipeline.store.lives import Lease, LeaseLost

__all__ = ["ImportResult", "answers", "delegated", "import_dump"]

BUFFER = 48 << 20  # bytes kept before they are written, in one transaction
LEVEL = 3  # of zlib: 6 takes twice as long and saves a tenth
BY = "tocsin"

REGISTRIES = ("ripencc", "apnic", "afrinic", "arin", "lacnic", "nro")  # nro: statistics of all five


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file.  `new`: this call read it; `current`: it counts, no newer one took its place."""

    dump_id: int
    new: bool
    current: bool
    registry: str
    classes: tuple[str, ...]
    kept: int
    skipped: int
    replaced: int


@dataclass(slots=True)
class _Writer:
    """Writes what was picked.  `parts`: how many each block has so far; `handles`: what a dump says twice counts once."""

    db: Database
    lease: Lease
    parts: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    handles: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    kept: int = 0
    skipped: int = 0
    wide: int = 0

    def write(self, blocks: dict[Address, list[bytes]], between: bytes, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write one buffer in one transaction.  Raises TocsinError for more wide ranges than a registry can have."""
        self.wide += sum(len(blocks.get(apart, ())) for apart in rpsl_dump.WIDE.values())
        if self.wide > rpsl_dump.MOST_WIDE:
            raise TocsinError(
                "The file is no registry's dump",
                f"over {rpsl_dump.MOST_WIDE} ranges in it are wider than {rpsl_dump.MOST_BLOCKS} blocks of addresses",
                "Check where it came from.",
            )
        new: dict[str, bytes] = {}
        for key, body in objects:
            if key not in self.handles:
                self.handles.add(key)
                new[key] = body
        with self.db.write() as connection:
            store.add(connection, self.lease, self._packed(blocks, between), sorted(new.items()))

    def _packed(self, blocks: dict[Address, list[bytes]], between: bytes) -> Iterator[store.Row]:
        for block in sorted(blocks, key=lambda block: (block.version, int(block))):
            yield block, self.parts[block], zlib.compress(between.join(blocks[block]), LEVEL)
            self.parts[block] += 1


def import_dump(
    db: Database,
    path: Path,
    registry: str = "",
    *,
    worker_id: int,
    clock: Clock,
    progress: Progress,
    by: str = BY,
    buffer: int = BUFFER,
) -> ImportResult:
    """Import the file `path` of `registry`, or of the one that it names itself.

    Raises NotFound or TocsinError if the file cannot be used, TryAgain if another process has it in hand, or it changed
    while it was read.
    """
    kind, named = dump_file.recognised(path)
    registry = registry or named
    if registry not in REGISTRIES:
        raise TocsinError(f"{path} does not say whose it is", "it names no known registry", "Name it with --registry.")
    before = path.stat()
    sha256 = dump_file.digest(path, progress)
    with db.write() as connection:
        name = "".join(char if char.isprintable() else "?" for char in path.name)[:200]
        dump_id = store.find_or_add(connection, registry, sha256, name, before.st_size, clock())
        found = store.dump(connection, dump_id)
    if found.complete_at is not None:
        _tidy(db, worker_id, clock)
        return _result(found, new=False)
    try:
        with _leased(db, dump_id, path.name, worker_id, clock) as lease:
            _clear(db, dump_id)
            writer = _Writer(db, lease)
            READERS[kind](dump_file.pieces(path, progress), writer, buffer)
            _demand_whole(path, before, writer)
            with db.write() as connection:
                replaced = store.complete(connection, lease, writer.classes, writer.kept, writer.skipped, clock(), by)
                found = store.dump(connection, dump_id)
    except TocsinError:
        _tidy(db, worker_id, clock)
        raise
    _tidy(db, worker_id, clock)
    return _result(found, new=True, replaced=len(replaced))


def _result(found: store.Dump, *, new: bool, replaced: int = 0) -> ImportResult:
    classes = tuple(sorted(found.classes))
    counts = (found.kept, found.skipped, replaced)
    return ImportResult(found.id, new, found.retired_at is None, found.registry, classes, *counts)


def _demand_whole(path: Path, before: os.stat_result, writer: _Writer) -> None:
    """Raise unless the file is still the same, and has something in it."""
    after = path.stat()
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (after.st_ino, after.st_size, after.st_mtime_ns):
        raise TryAgain(
            f"{path} changed while it was read",
            "it may still be on its way; nothing of it is used",
            "Wait until it is complete, then run the same command again.",
        )
    if not writer.classes:
        raise TocsinError(
            f"{path} has nothing that could be used",
            "neither networks, nor organisations, roles or response teams, nor delegations",
            "Check that it is the registry's file.",
        )


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_rpsl(pieces: Iterator[bytes], writer: _Writer, buffer: int) -> None:
    """Read RPSL objects: networks by block, and what they refer to."""
    picked = Picked()
    for text in rpsl_dump.whole_objects(pieces):
        rpsl_dump.pick(text, picked)
        if picked.size >= buffer:
            _write_rpsl(picked, writer)
            picked = Picked()
    _write_rpsl(picked, writer)


def _write_rpsl(picked: Picked, writer: _Writer) -> None:
    blocks = rpsl_dump.by_block(picked)
    writer.classes |= picked.classes
    writer.kept += picked.kept
    writer.skipped += picked.skipped
    writer.write(blocks, b"\n\n", picked.objects)


def _read_statistics(pieces: Iterator[bytes], writer: _Writer, buffer: int) -> None:
    """Read delegated-extended statistics."""
    blocks: dict[Address, list[bytes]] = defaultdict(list)
    size = 0
    for text in statistics.whole_lines(pieces):
        found, skipped = statistics.read(text)
        writer.kept += len(found)
        writer.skipped += skipped
        for one in found:
            line = statistics.packed(one)
            size += len(line)
            for block in rpsl_dump.blocks_of(one.within):
                blocks[block].append(line)
        if found:
            writer.classes.add(DELEGATED)
        if size >= buffer:
            writer.write(blocks, b"\n", ())
            blocks, size = defaultdict(list), 0
    writer.write(blocks, b"\n", ())


READERS: dict[str, Callable[[Iterator[bytes], _Writer, int], None]] = {
    RPSL: _read_rpsl,
    DELEGATED: _read_statistics,
}


# --- who has it in hand, and what goes -------------------------------------------------------------------------------


@contextmanager
def _leased(db: Database, dump_id: int, name: str, worker_id: int, clock: Clock) -> Iterator[Lease]:
    """Hold the lease on a dump for the block.  Raises TryAgain if a living worker has it, or took it meanwhile."""
    with db.write() as connection:
        lease = store.take(connection, dump_id, worker_id, clock())
    if lease is None:
        raise TryAgain(
            f"{name} is in the hands of another process",
            "it was heard of less than 30 s ago",
            "Wait until it is done, or end it; then run the same command again.",
        )
    try:
        yield lease
    except LeaseLost as error:
        raise TryAgain(
            "The file was taken out of this process's hands", str(error), "Run the same command again."
        ) from error
    finally:
        with db.write() as connection:
            store.give_back(connection, lease)


def _clear(db: Database, dump_id: int) -> None:
    left = True
    while left:
        with db.write() as connection:
            left = store.clear(connection, dump_id)


def _tidy(db: Database, worker_id: int, clock: Clock) -> None:
    """Take away what was replaced, and what somebody began and never finished."""
    with db.read() as connection:
        leavings = store.leavings(connection, clock())
    for dump_id in leavings:
        with db.write() as connection:
            abandoned = store.dump(connection, dump_id).complete_at is None
            lease = store.take(connection, dump_id, worker_id, clock()) if abandoned else None
        if abandoned and lease is None:
            continue  # somebody has taken it up
        _clear(db, dump_id)
        with db.write() as connection:
            store.forget(connection, dump_id)
