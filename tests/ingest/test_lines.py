"""The reader: every line once, whatever its end; nothing else than text; flat memory."""

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import NotFound, TocsinError
from pipeline.ingest import lines
from pipeline.ingest.lines import BOM, MAX_LINE, read


def file(folder: Path, content: bytes, name: str = "feed.txt") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def texts(path: Path) -> list[bytes]:
    return [raw for _, raw, _ in read(path)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\rb\n\r\n", [b"a\rb", b""]),
        (BOM + b"ip,port\n1", [b"ip,port", b"1"]),
        (b"a" + BOM + b"\n", [b"a" + BOM]),
        (b"caf\xe9\n\xff\xff\xff\n", [b"caf\xe9", b"\xff\xff\xff"]),
    ],
)
def test_every_line_is_read_once_without_its_line_end(tmp_path: Path, content: bytes, expected: list[bytes]) -> None:
    assert texts(file(tmp_path, content)) == expected


def test_offset_is_where_the_line_begins_in_the_text(tmp_path: Path) -> None:
    content = BOM + b"first\r\n\nthird" + b"x" * (lines.CHUNK * 2) + b"\nfourth\nlast"
    for packed in (content, gzip.compress(content, mtime=0)):
        found = list(read(file(tmp_path, packed), max_ratio=2_000))
        assert [number for number, _, _ in found] == [1, 2, 3, 4, 5]
        assert all(content[offset:].startswith(raw[:10]) for _, raw, offset in found)
        assert found[-1][2] == len(content) - 4


def test_gzip_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    assert texts(file(tmp_path, gzip.compress(b"a\nb\n", mtime=0), "feed.csv")) == [b"a", b"b"]
    assert texts(file(tmp_path, b"a\nb\n", "feed.csv.gz")) == [b"a", b"b"]
    assert texts(file(tmp_path, gzip.compress(b"a\n", mtime=0) + gzip.compress(b"b\n", mtime=0))) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("length", "kept"), [(MAX_LINE, MAX_LINE), (MAX_LINE + 1, MAX_LINE + 1), (1 << 20, MAX_LINE + 1)]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_beyond_64_kib_is_cut_to_one_byte_more(tmp_path: Path, length: int, kept: int, end: bytes) -> None:
    found = texts(file(tmp_path, b"before\n" + b"x" * length + end + (b"after" if end else b"")))
    assert [len(raw) for raw in found] == [6, kept] + ([5] if end else [])


def test_a_long_line_ending_in_carriage_returns_stays_too_long(tmp_path: Path) -> None:
    found = texts(file(tmp_path, b"\r" * lines.CHUNK + b"\nb"))
    assert [len(raw) for raw in found] == [MAX_LINE + 1, 1]


def test_memory_stays_flat_on_one_endless_line_and_on_many_lines(tmp_path: Path) -> None:
    path = tmp_path / "endless.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        for _ in range(16):
            out.write(b"x" * (1 << 20))
        out.write(b"\n")
        for _ in range(4):
            out.write(b"192.0.2.1:80\n" * 80_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read(path, max_ratio=10_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 320_001
    assert peak < 4 << 20


def test_a_decompression_bomb_is_refused_by_ratio_and_by_size(tmp_path: Path) -> None:
    bomb = file(tmp_path, gzip.compress(b"x" * (8 << 20), mtime=0))
    with pytest.raises(TocsinError, match="too large"):
        list(read(bomb))
    assert len(list(read(bomb, max_ratio=2_000))) == 1
    for path in (bomb, file(tmp_path, b"x\n" * (1 << 20), "plain")):
        with pytest.raises(TocsinError, match="too large"):
            list(read(path, max_bytes=1 << 20, max_ratio=2_000))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x7fELF\x02\x01", "a program"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"PK\x03\x04\x14", "a ZIP archive"),
        (b"BZh91AY", "bzip2"),
        (gzip.compress(gzip.compress(b"a\n", mtime=0), mtime=0), "compressed twice"),
        (b"192.0.2.1\n" + b"\0" * 100, "NUL"),
        (gzip.compress(b"\0" * 100, mtime=0), "NUL"),
    ],
)
def test_what_is_no_text_is_refused_and_says_what_it_is(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(TocsinError, match="is not text") as caught:
        list(read(file(tmp_path, content)))
    assert what in caught.value.why
    assert caught.value.next_step


def test_a_few_nul_bytes_are_left_to_the_parser(tmp_path: Path) -> None:
    assert texts(file(tmp_path, b"x" * 200 + b"\n\0\n")) == [b"x" * 200, b"\0"]


def test_utf16_is_refused_by_name(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        with pytest.raises(TocsinError, match="UTF-16"):
            list(read(file(tmp_path, "\ufeffip,port\n".encode(encoding))))


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:40] + b"\xff\xff\xff\xff" + b[44:], lambda b: b[:5]])
def test_damaged_gzip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    packed = gzip.compress(Random(1).randbytes(20_000).hex().encode(), mtime=0)
    with pytest.raises(TocsinError, match="damaged"):
        list(read(file(tmp_path, damage(packed))))


def test_a_folder_a_pipe_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TocsinError, match="is not a file"):
        list(read(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TocsinError, match="is not a file"):
        list(read(tmp_path / "pipe"))
    with pytest.raises(NotFound):
        list(read(tmp_path / "absent"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"x" * 70_000, b"\xff", b"y" * 200_000]), max_size=12)
)
def test_lines_are_those_of_a_plain_split(tmp_path: Path, pieces: list[bytes]) -> None:
    content = b"#" + b"".join(pieces)
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    cut = [raw.removesuffix(b"\r")[: MAX_LINE + 1] for raw in expected]
    assert texts(file(tmp_path, content)) == cut
