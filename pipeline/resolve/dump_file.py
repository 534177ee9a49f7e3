"""Read a registry's dump in large pieces, plain or gzip, in flat memory however long it is, and see what it is.

Reads: one regular file.  Writes: nothing.  A file is hostile: it may be cut short, a decompression bomb, or no text.  Gzip
is told by its first bytes, not by its name; it may have several members.  Standard: RFC 1952.
"""

import hashlib
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.domain import NotFound, Progress, TocsinError
from pipeline.resolve import delegated, rpsl_dump

PIECE = 1 << 22  # bytes of text
READ = 1 << 18  # bytes of file
GZIP = b"\x1f\x8b"
HEAD = 1 << 16  # bytes of text that tell what a file is
MAX_BYTES = 1 << 36  # of text: 64 GiB
MAX_RATIO = 200  # text to file; dumps have about 10

RPSL, DELEGATED = "rpsl", "delegated"  # kinds of files
OF_SOURCE = {"ripe": "ripencc", "apnic": "apnic", "afrinic": "afrinic", "arin": "arin", "lacnic": "lacnic"}


def recognised(path: Path) -> tuple[str, str]:
    """Return the kind of file, by its contents, and the registry that it names itself, or "".

    Raises NotFound, or TocsinError if it cannot be read or is of no kind that is known.
    """
    head = b""
    for piece in pieces(path, lambda _what, _done, _total: None):
        head = (head + piece)[:HEAD]
        if len(head) == HEAD:
            break
    if delegated.is_one(head):
        return DELEGATED, delegated.registry(head)
    if rpsl_dump.is_one(head):
        return RPSL, OF_SOURCE.get(rpsl_dump.source(head), "")
    raise TocsinError(
        f"{path} is not a registry's dump",
        "it has neither RPSL objects nor delegated-extended statistics",
        "Name a file such as ripe.db.inetnum.gz or delegated-ripencc-extended-latest.",
    )


def digest(path: Path, progress: Progress) -> bytes:
    """Return the SHA-256 of the file.  Raises NotFound or TocsinError if it cannot be read."""
    with _opened(path) as (file, size):
        found, done = hashlib.sha256(), 0
        while piece := file.read(1 << 20):
            found.update(piece)
            done += len(piece)
            progress("bytes hashed", done, size)
        return found.digest()


def pieces(path: Path, progress: Progress, max_bytes: int = MAX_BYTES, max_ratio: int = MAX_RATIO) -> Iterator[bytes]:
    """Yield the text of the file.  Raises NotFound, or TocsinError where it is damaged, cut short or far too large."""
    with _opened(path) as (file, size):
        packed = file.read(2) == GZIP
        file.seek(0)
        limit = min(max_bytes, size * max_ratio + PIECE) if packed else max_bytes
        total = 0
        for piece in _unpacked(file) if packed else iter(lambda: file.read(PIECE), b""):
            total += len(piece)
            if total > limit:
                raise TocsinError(
                    f"{path} is too large", f"over {limit} bytes of text from {size} bytes", "fetch it again"
                )
            yield piece
            progress("bytes read", file.tell(), size)


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what gzip members hold.  Raises zlib.error if one is damaged, EOFError if the last one is cut short."""
    member = zlib.decompressobj(31)
    begun = False
    while raw := file.read(READ):
        while raw:
            begun = True
            if text := member.decompress(raw, PIECE):
                yield text
            raw = member.unconsumed_tail
            if member.eof:
                raw = member.unused_data.lstrip(b"\0")  # padding
                member, begun = zlib.decompressobj(31), False
    while begun and not member.eof:
        rest = member.decompress(member.unconsumed_tail, PIECE)
        if not rest and not member.eof:
            raise EOFError("it ends in the middle")
        yield rest


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The file and its size; what goes wrong while it is read is told in words."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise TocsinError(f"{path} is not a file", "a folder, a pipe or a device", "name a registry's dump")
        with path.open("rb") as file:
            yield file, found.st_size
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist", "", "check the path") from error
    except (EOFError, zlib.error) as error:
        raise TocsinError(f"{path} is damaged", str(error), "fetch it again; nothing of it may be used") from error
    except OSError as error:
        raise TocsinError(f"{path} cannot be read", error.strerror or str(error), "check its permissions") from error
