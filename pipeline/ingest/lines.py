"""Read a feed's file line by line, plain or gzip, in flat memory however long it is.

Reads: one regular file.  Writes: nothing.  A file is hostile: it may be no text, a decompression bomb, or one endless
line.  Gzip is told by its first bytes, not by its name.  Standards: RFC 1952 (gzip), RFC 3629 (the byte order mark).
"""

import gzip
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.domain import NotFound, TocsinError

MAX_LINE = 65_536  # bytes; a longer one is cut to MAX_LINE + 1, which tells the parser to reject it
CHUNK = 1 << 18
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
BINARY = {
    b"\x7fELF": "a program",
    b"PK\x03\x04": "a ZIP archive",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"%PDF": "a PDF",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"SQLite format 3": "a database",
    GZIP: "compressed twice",
}

Line = tuple[int, bytes, int]  # number from 1, the bytes without their line end, offset in the (decompressed) text


def read(path: Path, max_bytes: int = 8 << 30, max_ratio: int = 200) -> Iterator[Line]:
    """Yield every line of `path`, the last one even without a line end; CR LF counts as one line end.

    Raises NotFound, or TocsinError if it is no regular file, no text, cut short, over `max_bytes`, or decompresses to
    over `max_ratio` times its size.  The offset is where the line begins, in bytes of the text, its byte order mark
    included.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise TocsinError(f"{path} is not a file", "a folder, a pipe or a device", "name a file of the feed")
        with path.open("rb") as file:
            yield from _split(_text(path, file, max_bytes, max_ratio))
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist", "", "check the path") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TocsinError(f"{path} is damaged", str(error), "fetch it again; nothing of it may be used") from error
    except OSError as error:
        raise TocsinError(f"{path} cannot be read", error.strerror or str(error), "check its permissions") from error


def _text(path: Path, file: IO[bytes], max_bytes: int, max_ratio: int) -> Iterator[bytes]:
    """Yield the decompressed file in chunks, the first one checked to be text."""
    packed = file.read(2) == GZIP
    size = file.seek(0, 2)
    file.seek(0)
    source: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=file) if packed else file
    limit = min(max_bytes, size * max_ratio + CHUNK) if packed else max_bytes
    total = 0
    while chunk := source.read(CHUNK):
        if total == 0:
            _demand_text(path, chunk)
        total += len(chunk)
        if total > limit:
            raise TocsinError(
                f"{path} is too large",
                f"over {limit} bytes of text from {size} bytes",
                "check it, then raise the limit",
            )
        yield chunk


def _demand_text(path: Path, head: bytes) -> None:
    if head.startswith(WIDE_BOMS):
        raise TocsinError(f"{path} is UTF-16", "feeds are read as UTF-8 or plain bytes", "convert it to UTF-8")
    kind = next((kind for magic, kind in BINARY.items() if head.startswith(magic)), "")
    if not kind and head[:8192].count(0) * 100 > len(head[:8192]):
        kind = "full of NUL bytes"
    if kind:
        raise TocsinError(f"{path} is not text", f"it is {kind}", "unpack it, or name the feed's text file")


def _split(chunks: Iterator[bytes]) -> Iterator[Line]:
    """Yield the lines in `chunks`; of a line beyond MAX_LINE only its head is held."""
    number = offset = dropped = 0  # dropped: bytes of the current line that are not in `rest`
    rest = b""
    for chunk in chunks:
        if number == offset == 0 and not rest and chunk.startswith(BOM):
            chunk = chunk[len(BOM) :]
            offset = len(BOM)
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            number += 1
            yield number, _line(piece), offset
            offset += len(piece) + dropped + 1
            dropped = 0
        if len(rest) > MAX_LINE + 2:
            dropped += len(rest) - (MAX_LINE + 2)
            rest = rest[: MAX_LINE + 2]
    if rest:
        yield number + 1, _line(rest), offset


def _line(piece: bytes) -> bytes:
    if piece.endswith(b"\r"):
        piece = piece[:-1]
    return piece if len(piece) <= MAX_LINE else piece[: MAX_LINE + 1]
