"""Letters as files in a folder: for review, and for a site whose own mailer picks files up.

`LETTER-ATTEMPT.eml` is the message as it would go to a relay, byte for byte; `LETTER-ATTEMPT.json`, which is there first,
its envelope: sender, recipient, envid.  Both appear whole under their names, or not at all, and never replace a file.
Reads and writes: that folder.  Safe to repeat: what is there already with the same bytes is not written again, and other
bytes under its name are an error.  Standards: RFC 5322 (lines end with CRLF).
"""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Edge, Main
from pipeline.net.handing import handing
from pipeline.net.smtp_wire import cleaned

MODE = 0o640  # letters name people and machines; the mailer that fetches them may be in our group
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """Where letters go; `name` is what the record calls it."""

    name: str
    folder: Path


def edge(settings: FolderSettings) -> Edge[Send | Go | Stop, Ready | Result]:
    """Return an edge to this folder, ready for `with`."""
    return Edge(relay(settings), 2 * AT_ONCE)


def relay(settings: FolderSettings) -> Main[Send | Go | Stop, Ready | Result]:
    """Return the `main` of an Edge that writes letters into this folder."""
    return handing(lambda send: keep(settings, send), AT_ONCE, settings.name)


def trouble(settings: FolderSettings) -> str:
    """Return why no letter can be written there, empty if one can: one file is written, and taken away again."""
    try:
        written = _whole(settings.folder, b"")
        os.unlink(written)
    except OSError as error:
        return _words(error)
    return ""


def keep(settings: FolderSettings, send: Send) -> Result:
    """Write a letter and its envelope, and say how that went.

    Without its file the letter was not handed over (reply 0, no dot).  If its file is there and the disk does not say that
    it will stay, nobody knows (reply 0, and the dot).
    """
    stem = f"{send.letter_id}-{send.attempt_id}"
    envelope = {"sender": send.sender, "recipient": send.recipient, "envid": send.envid}
    placed = False
    try:
        _place(settings.folder, f"{stem}.json", json.dumps(envelope, ensure_ascii=False).encode() + b"\n")
        _place(settings.folder, f"{stem}.eml", send.data)
        placed = True
        _sync(settings.folder)
    except OSError as error:
        return Result(send.letter_id, send.attempt_id, "dot", 0, "", _words(error), placed, settings.name)
    return Result(send.letter_id, send.attempt_id, "dot", 250, "", f"written as {stem}.eml", True, settings.name)


def _place(folder: Path, name: str, data: bytes) -> None:
    """Let a file appear whole.  Raises OSError, FileExistsError where another one has its name."""
    written = _whole(folder, data)
    try:
        os.link(written, folder / name)  # unlike a rename it never replaces what is there
    except FileExistsError:
        if not _same(folder / name, data):
            raise FileExistsError(f"{name} is there already, with other contents") from None
    finally:
        with contextlib.suppress(OSError):  # a second name of the file: it does no harm
            os.unlink(written)


def _whole(folder: Path, data: bytes) -> str:
    """Write a file under a name that no mailer looks at, down to the disk; returns its path."""
    descriptor, path = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), MODE)
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):  # the first error says why
            os.unlink(path)
        raise
    return path


def _same(path: Path, data: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(data) + 1) == data


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(error: OSError) -> str:
    return cleaned(error.strerror or str(error))
