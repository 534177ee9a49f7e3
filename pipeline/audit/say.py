"""Sentences before they are spoken: an English msgid and its values, for whoever shows them in the reader's language.

Pure.  Nothing here is text for a reader yet: values from outside stand in it as they are stored, and are cleaned and cut
where they are shown (cli/saying.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Say:
    """One sentence.  With `many` it is counted by the value `count`: msgid for one, `many` for more."""

    msgid: str
    values: Mapping[str, object] = field(default_factory=dict)
    many: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A state, a role or a reason that a person chose, by its kind: shown by the word the whole command line uses."""

    kind: str  # case, exposure, letter, wave, verdict, mode, reason
    value: str


class Exact(str):
    """Words of others that are shown whole: a line as received, a server's reply."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an answer, at a time if it tells of one; `depth` 1 and more stand below the line before."""

    say: Say | Exact
    at: datetime | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of an answer with its heading."""

    title: Say
    lines: tuple[Line, ...]


def say(msgid: str, /, **values: object) -> Say:
    """Return a sentence with its values."""
    return Say(msgid, values)


def counted(one: str, many: str, count: int, /, **values: object) -> Say:
    """Return a sentence about a number, which stands in both msgids as {count}."""
    return Say(one, {"count": count, **values}, many)
