"""What a command prints: one JSON object, or text made from the same data; and tables.

Texts from outside are cleaned before a terminal sees them: no control character, escape sequence or change of writing
direction gets through.  rich is imported only when stdout is a terminal.  Times are ISO 8601, UTC.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO

import click

from pipeline.cli import words
from pipeline.cli.command import given

SCHEMA_VERSION = 1

# C0 and C1 controls (but tab and newline), bidirectional controls (Unicode 9, table 3), line separators, lone surrogates
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class Styled(str):
    """A line that was cleaned before colours were put into it."""

    __slots__ = ()


def clean(text: str) -> str:
    """Return text that a terminal can be shown: what could steer it stands as U+FFFD."""
    return UNSAFE.sub("\ufffd", text)


def emit(data: Mapping[str, Any], text: Callable[[], Iterable[str]]) -> None:
    """Print a command's result on stdout: `data` as JSON with schema_version, or the lines that `text` makes."""
    if given().json:
        click.echo(to_json(data))
        return
    for line in text():
        click.echo(line if isinstance(line, Styled) else clean(line))


def note(sentence: str) -> None:
    """Print a message on stderr; with --json nobody reads it, and nothing is printed."""
    if not given().json:
        click.echo(clean(sentence), err=True)


def to_json(data: Mapping[str, Any]) -> str:
    """Return one JSON object with schema_version first.  Raises TypeError for what has no plain form."""
    made = json.dumps({"schema_version": SCHEMA_VERSION, **data}, default=_plain, ensure_ascii=False, indent=2)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", made)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, date | time | PurePath) or type(value).__module__ == "ipaddress":
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def instant(at: datetime | None) -> str:
    """Return a time as ISO 8601 in UTC, to the second, or nothing.  Raises ValueError if it has no zone."""
    if at is None:
        return ""
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone: {at!r}")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cell(value: object) -> str:
    """Return a value as it stands in a table: cleaned, on one line."""
    if value is None:
        return ""
    text = instant(value) if isinstance(value, datetime) else str(value)
    return clean(" ".join(text.split("\n")).replace("\t", " "))


def masked(url: str) -> str:
    """Return a database URL without its password."""
    return re.sub(r"([?&]password=)[^&]*", r"\1***", re.sub(r"(://[^:@/]*:)[^/]*@", r"\1***@", url))


def colourful(stream: TextIO) -> bool:
    """True if the stream is a terminal that may be sent colours (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table.  Headings are in the reader's language (words.each); cells are cleaned here."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        return [words.text("nothing to show")]
    return _rich(headings, cells) if colourful(sys.stdout) else _aligned(headings, cells)


def _aligned(headings: Sequence[str], cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    lines = [[*headings], *cells]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _rich(headings: Sequence[str], cells: list[list[str]]) -> list[str]:
    from rich.box import SIMPLE_HEAD  # a terminal is attached: only now is it worth its import
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for heading in headings:
        made.add_column(Text(heading))
    for row in cells:
        made.add_row(*(Text(text) for text in row))
    console = Console(width=shutil.get_terminal_size().columns, force_terminal=True, file=sys.stdout)
    with console.capture() as captured:
        console.print(made)
    return [Styled(line) for line in captured.get().strip("\n").splitlines()]


def pairs(values: Iterable[tuple[str, object]]) -> list[str]:
    """Return lines of `name  value`, aligned.  Names are in the reader's language; values are cleaned here."""
    shown = [(name, cell(value)) for name, value in values]
    width = max((len(name) for name, _ in shown), default=0)
    return [f"{name.ljust(width)}  {value}".rstrip() for name, value in shown]
