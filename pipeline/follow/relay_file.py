"""Read a relay's log from files: whole ones, compressed or not, and one that is still being written, over its rotation.

Reads: log files.  Writes nothing: how far a log has been read is given with each batch, and kept by whoever takes it, so
that after a kill the reading goes on where it was.  Memory is bounded: a megabyte at a time, and a line that is longer than
64 KB is passed over.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from pipeline.domain import NotFound, TocsinError
from pipeline.store.relay_log import Place

PIECE = 1 << 20  # bytes
LONGEST = 1 << 16  # bytes of a line
HEAD = 256  # bytes by which a file is known again
GZIP = b"\x1f\x8b"
SLACK = 3600.0  # seconds: a file that was written to so long before its place was kept is read again, and adds nothing


class Stream(Protocol):
    """What bytes are read from; `read1` returns what is there, nothing at the end."""

    def read1(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Splitter:
    """Cuts bytes into whole lines; `taken` counts the bytes up to the end of the last one."""

    taken: int = 0
    rest: bytes = b""
    passing: bool = field(default=False)  # in a line that is too long

    def lines(self, piece: bytes) -> list[bytes]:
        """Return the lines that are whole now, each with its line feed."""
        *whole_lines, self.rest = (self.rest + piece).split(b"\n")
        found = [line + b"\n" for line in whole_lines]
        self.taken += sum(map(len, found))
        if self.passing and found:
            found.pop(0)
            self.passing = False
        if len(self.rest) > LONGEST:
            self.taken += len(self.rest)
            self.rest, self.passing = b"", True
        return [line for line in found if len(line) <= LONGEST]

    def last(self) -> list[bytes]:
        """Return what stands after the last line feed, at the end of a file that is complete."""
        rest, self.rest = self.rest, b""
        self.taken += len(rest)
        return [rest] if rest and not self.passing else []


def whole(stream: Stream) -> Iterator[tuple[list[bytes], int]]:
    """Yield the lines of a log up to its end, a batch at a time, and how many bytes have been taken.

    Raises TocsinError if a compressed one is damaged.
    """
    splitter = Splitter()
    try:
        while piece := stream.read1(PIECE):
            yield splitter.lines(piece), splitter.taken
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TocsinError(
            "The log cannot be read to its end", str(error), "What stands before counts. Check whether it is complete."
        ) from error
    yield splitter.last(), splitter.taken


def opened(path: Path) -> BufferedReader | gzip.GzipFile:
    """Open a log, a compressed one too.  Raises NotFound."""
    stream = _plain(path)
    if stream.peek(2)[:2] != GZIP:
        return stream
    stream.close()
    return gzip.GzipFile(path)


def _plain(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise NotFound(
            f"{path} cannot be read", str(error.strerror), "Check the path, and who may read the relay's log."
        ) from error


def in_order(paths: list[Path]) -> list[Path]:
    """Return files in the order in which they were last written: what a queue id stands for is said before it is used."""
    return sorted(paths, key=lambda path: path.stat().st_mtime if path.exists() else 0.0)


# --- a log that is being written -------------------------------------------------------------------------------------


def follow(path: Path, before: Place | None, wait: Callable[[], bool]) -> Iterator[tuple[list[bytes], Place | None]]:
    """Yield new lines of a live log, and the place up to which they go; nothing new is a batch without lines.

    `before` is where the last reading ended.  What was rotated away since is read first, from beside the log.  `wait`
    waits a bounded moment; the reading ends when it returns False.  A file that became shorter is read from its beginning.
    """
    stream = _plain(path)
    try:
        position = 0
        if before is not None and _is_there(stream, before):
            position = before.position
        elif before is not None:
            yield from ((lines, None) for lines in _rotated(path, before))
        while (yield from _to_its_end(stream, position, path, wait)):
            stream.close()
            stream, position = _plain(path), 0
    finally:
        stream.close()


def _to_its_end(
    stream: BufferedReader, position: int, path: Path, wait: Callable[[], bool]
) -> Generator[tuple[list[bytes], Place | None], None, bool]:
    """Yield lines until another file stands at the path and this one has nothing more to say; False: `wait` ended it."""
    stream.seek(position)
    splitter = Splitter(position)
    left_behind = False
    while True:
        piece = stream.read1(PIECE)
        if piece:
            yield splitter.lines(piece), _place(stream, splitter.taken)
            continue
        if left_behind or os.fstat(stream.fileno()).st_size < stream.tell():
            yield splitter.last(), None
            return True
        yield [], None
        left_behind = _is_another(stream, path)  # its writer may not have noticed yet: once more, after a moment
        if not wait():
            return False


def _is_another(stream: BufferedReader, path: Path) -> bool:
    """True if the path names another file than the one that is open."""
    try:
        return _file(path.stat()) != _file(os.fstat(stream.fileno()))
    except FileNotFoundError:  # rotated away, and the new one is yet to come
        return False


def _is_there(stream: BufferedReader, before: Place) -> bool:
    """True if an open file is the one that was read before, and has all that was read."""
    stat = os.fstat(stream.fileno())
    if _file(stat) != before.file or stat.st_size < before.position:
        return False
    return _head(stream, before.position) == before.head


def _rotated(path: Path, before: Place) -> Iterator[list[bytes]]:
    """Yield the lines of files beside the log that were written to since: from its place on in the one that was read."""
    since = before.at.timestamp() - SLACK if before.at is not None else 0.0
    beside = [other for other in path.parent.glob(f"{path.name}?*") if other.is_file()]
    for other in in_order(beside):
        with opened(other) as stream:
            if isinstance(stream, BufferedReader) and _is_there(stream, before):
                stream.seek(before.position)
            elif other.stat().st_mtime < since:
                continue
            yield from (lines for lines, _ in whole(stream))


def _place(stream: BufferedReader, position: int) -> Place:
    return Place(_file(os.fstat(stream.fileno())), position, _head(stream, position))


def _head(stream: BufferedReader, position: int) -> bytes:
    return hashlib.sha256(os.pread(stream.fileno(), min(HEAD, position), 0)).digest()


def _file(stat: os.stat_result) -> str:
    return f"{stat.st_dev}:{stat.st_ino}"
