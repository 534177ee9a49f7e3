"""Logs are read whole, compressed or not, and followed over rotation, truncation, a stop and a kill, losing no line."""

import gzip
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import NotFound, TocsinError
from pipeline.follow.relay_file import LONGEST, Splitter, follow, in_order, opened, whole
from pipeline.store.relay_log import Place


class Steps:
    """Waits by doing the next thing that happens to the log; there is nothing to wait for after the last."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps: Iterator[Callable[[], object]] = iter(steps)

    def __call__(self) -> bool:
        step = next(self.steps, None)
        if step is not None:
            step()
        return step is not None


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def read(path: Path, before: Place | None, *steps: Callable[[], object]) -> tuple[list[bytes], Place | None]:
    """Follow a log; returns its lines and the last place."""
    lines, place = [], before
    for found, there in follow(path, before, Steps(*steps)):
        lines += found
        place = there or place
    return lines, place


def kept(place: Place | None) -> Place:
    assert place is not None
    return Place(place.file, place.position, place.head, datetime.now(UTC))


def nothing() -> None:
    """A moment in which nothing happens."""


@given(st.lists(st.binary(max_size=9), max_size=30))
def test_lines_are_the_same_however_their_bytes_come(pieces: list[bytes]) -> None:
    splitter, data = Splitter(), b"".join(pieces)
    found = [line for piece in pieces for line in splitter.lines(piece)] + splitter.last()
    assert b"".join(found) == data
    assert all(line.count(b"\n") <= 1 for line in found)
    assert splitter.taken == len(data)


def test_a_line_that_is_too_long_is_passed_over_in_bounded_memory() -> None:
    splitter = Splitter()
    found = splitter.lines(b"a\n")
    for _ in range(10):
        found += splitter.lines(b"x" * LONGEST)
        assert len(splitter.rest) <= LONGEST
    found += splitter.lines(b"x\nb\n")
    assert found == [b"a\n", b"b\n"]


def test_a_compressed_log_is_read_and_a_damaged_one_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "mail.log.2.gz"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    with opened(path) as stream:
        assert [line for lines, _ in whole(stream) for line in lines] == [b"a\n", b"b\n"]
    path.write_bytes(gzip.compress(os.urandom(99))[:-9])
    with opened(path) as stream, pytest.raises(TocsinError, match="to its end"):
        list(whole(stream))
    with pytest.raises(NotFound):
        opened(tmp_path / "none")


def test_a_last_line_without_a_line_feed_counts_in_a_whole_log_and_waits_in_a_live_one(tmp_path: Path) -> None:
    assert [line for lines, _ in whole(BytesIO(b"a\nb")) for line in lines] == [b"a\n", b"b"]
    log = tmp_path / "mail.log"
    append(log, b"a\nb")
    lines, place = read(log, None)
    assert (lines, kept(place).position) == ([b"a\n"], 2)
    append(log, b"c\n")
    assert read(log, kept(place))[0] == [b"bc\n"]


def test_files_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    for age, name in enumerate(("mail.log", "mail.log.1", "mail.log.2.gz")):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (9_000 - age, 9_000 - age))
    assert [path.name for path in in_order(sorted(tmp_path.iterdir()))] == ["mail.log.2.gz", "mail.log.1", "mail.log"]


def test_a_live_log_is_followed_over_rotation_to_the_last_line_of_the_old_file(tmp_path: Path) -> None:
    log, old = tmp_path / "mail.log", tmp_path / "mail.log.1"
    append(log, b"1\n")
    steps = (
        lambda: append(log, b"2\n"),
        lambda: log.rename(old),
        lambda: append(old, b"3\n"),  # its writer has not noticed yet
        lambda: append(log, b"5\n"),
        lambda: append(old, b"4\n"),
        nothing,
        lambda: append(log, b"6\n"),
    )
    assert read(log, None, *steps)[0] == [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n", b"6\n"]


def test_a_log_that_became_shorter_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, b"first line\n")
    assert read(log, None, lambda: log.write_bytes(b"new\n"), nothing)[0] == [b"first line\n", b"new\n"]


def test_what_was_rotated_away_while_nobody_read_is_read_first(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, b"1\n")
    _, place = read(log, None)
    append(log, b"2\n")
    log.rename(tmp_path / "mail.log.2")
    (tmp_path / "mail.log.1.gz").write_bytes(gzip.compress(b"3\n"))
    os.utime(tmp_path / "mail.log.1.gz", (kept(place).at.timestamp() + 9,) * 2)  # type: ignore[union-attr]
    (tmp_path / "mail.log.9").write_bytes(b"old\n")
    os.utime(tmp_path / "mail.log.9", (9_000, 9_000))
    append(log, b"4\n")
    assert read(log, kept(place))[0] == [b"2\n", b"3\n", b"4\n"]


def test_another_file_under_the_same_inode_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, b"one\n")
    _, place = read(log, None)
    log.write_bytes(b"two\nthree\n")
    assert read(log, kept(place))[0] == [b"two\n", b"three\n"]
