"""The letters read by mblaze, a mail reader in C that shares nothing with Python's email: both find the same.

Standards: RFC 5322, RFC 2047 (names and subjects), RFC 2045 and 2046 (parts), RFC 4155 (a mailbox in one file).
"""

import email
import email.policy
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path

import pytest

from tests.render.written import decoded
from tests.system.letters import arrived, golden, kept
from tests.system.presence import needs

LETTERS = {name: arrived(letter) for name, letter in golden().items()}
ROW = re.compile(r'(?P<indent> +)(?P<number>\d+): (?P<kind>\S+) size=(?P<size>\d+)(?: name="(?P<name>.*)")?')


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a letter: how deep it lies, its place (from 1), type, file name, and its bytes if it is a leaf."""

    depth: int
    number: int
    kind: str
    name: str
    data: bytes | None


class Mblaze:
    """Its programs, run over the letters in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = kept(folder, LETTERS)

    def __call__(self, program: str, *arguments: str | Path, given: bytes = b"") -> bytes:
        path = needs("mblaze", shutil.which(program))
        home = {"HOME": str(self.folder), "MBLAZE": str(self.folder), "MBLAZE_PAGER": "cat", "LC_ALL": "C.UTF-8"}
        run = subprocess.run(
            [path, *arguments],
            input=given,
            env=os.environ | home,
            capture_output=True,
            timeout=60,
            cwd=self.folder,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, b""), f"{program}: {run.stderr[:300]!r}"
        return run.stdout

    def header(self, name: str) -> dict[str, str]:
        """Return a header of every letter, decoded."""
        lines = self("mhdr", "-H", "-d", "-h", name, *self.paths).decode().splitlines()
        found = (line.split("\t", 1) for line in lines)
        return {Path(path).name: value for path, value in found}

    def parts(self) -> dict[str, list[Part]]:
        """Return the parts of every letter, as it lists and decodes them."""
        found: dict[str, list[Part]] = {}
        for line in self("mshow", "-t", *self.paths).decode().splitlines():
            if not line.startswith(" "):
                path = Path(line)
                found[path.name] = []
                continue
            row = ROW.fullmatch(line)
            assert row, line
            leaf = not row["kind"].startswith(("multipart/", "message/"))
            data = self("mshow", "-O", path, row["number"]) if leaf else None
            assert data is None or len(data) == int(row["size"])
            depth = len(row["indent"]) // 2 - 1
            found[path.name].append(Part(depth, int(row["number"]), row["kind"], row["name"] or "", data))
        return found


@pytest.fixture
def mblaze(tmp_path: Path) -> Mblaze:
    return Mblaze(tmp_path)


def read(letter: bytes) -> EmailMessage:
    """Return the letter as Python's email reads it."""
    message = email.message_from_bytes(letter, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def read_parts(message: Message, depth: int = 0) -> list[tuple[int, Message]]:
    """Return every part and how deep it lies; a letter inside a letter is told by its own first part, as mblaze does."""
    inside = message.get_payload() if message.is_multipart() else []
    rows = [read_parts(part, depth + 1) for part in inside if isinstance(part, Message)]
    return [(depth, message), *(row for below in rows for row in below)]


def test_subject_and_names_decode_alike(mblaze: Mblaze) -> None:
    messages = {name: read(letter) for name, letter in LETTERS.items()}
    assert mblaze.header("subject") == {name: message["Subject"] for name, message in messages.items()}
    senders = {name: message["From"].addresses[0] for name, message in messages.items()}
    expected = {name: f"{sender.display_name} <{sender.addr_spec}>" for name, sender in senders.items()}
    assert {name: value.replace('"', "") for name, value in mblaze.header("from").items()} == expected


@pytest.mark.parametrize("header", ["date", "message-id", "content-language", "reply-to", "to"])
def test_plain_headers_read_alike(mblaze: Mblaze, header: str) -> None:
    expected = {name: value for name, letter in LETTERS.items() if (value := read(letter)[header]) is not None}
    assert mblaze.header(header) == expected


def test_every_letter_has_the_same_parts_with_the_same_bytes(mblaze: Mblaze) -> None:
    expected = {}
    for name, letter in LETTERS.items():
        expected[name] = [
            Part(
                depth,
                number,
                part.get_content_type(),
                part.get_filename("") or "",
                None if part.is_multipart() else decoded(part),
            )
            for number, (depth, part) in enumerate(read_parts(read(letter)), start=1)
        ]
    assert mblaze.parts() == expected


def test_a_mailbox_in_one_file_gives_every_letter_back_byte_for_byte(mblaze: Mblaze, tmp_path: Path) -> None:
    mailbox = mblaze("mexport", *mblaze.paths)
    assert b"\n>From " not in mailbox  # nothing had to be guarded
    mblaze("mmkdir", tmp_path / "maildir")
    mblaze("mdeliver", "-M", tmp_path / "maildir", given=mailbox)
    delivered = [path.read_bytes() for path in (tmp_path / "maildir" / "new").iterdir()]
    assert sorted(delivered) == sorted(LETTERS.values())
