"""A template's text as blocks: headings, paragraphs, items of lists, and lines that are kept as they stand.

Pure.  The one prose of a letter is read here once; its text form, its HTML form and its paper form are made of the same
blocks, and so say the same.  Of a template's text, a line that starts with two spaces is kept (an address of a page, a
mailbox, a signature); "== TEXT" is a heading; a hyphen alone or "- " starts an item; other lines belong to a paragraph
and flow together; an empty line ends it.  Nothing is broken inside a word: addresses and no-break spaces stay whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain

WIDTH = 72

_BLANKS = "\t\r\n\f\v"  # not str.split(): that would break at U+00A0


class Kind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Block:
    """One block.  Its text is one line, but of KEPT blocks, whose lines are parted by "\\n" and have no indent.

    `apart` is false where the block follows the one before it without an empty line between them.
    """

    kind: Kind
    text: str
    apart: bool = True


def parse(text: str) -> tuple[Block, ...]:
    """Return the blocks of a template's filled-in text."""
    return tuple(chain.from_iterable(map(_chunk, text.split("\n\n"))))


def fill(blocks: Iterable[Block]) -> str:
    """Return the text form, filled to WIDTH columns; no newline at either end."""
    out: list[str] = []
    for block in blocks:
        if out:
            out.append("\n\n" if block.apart else "\n")
        out.append(_form(block.kind, block.text))
    return "".join(out)


@lru_cache(maxsize=1024)  # most of it is the same in every letter of a wave
def _chunk(text: str) -> tuple[Block, ...]:
    """Return the blocks of a text that follows an empty line."""
    found: list[Block] = []
    lines: list[str] = []
    kind = Kind.PARAGRAPH
    apart = True

    def end() -> None:
        nonlocal apart
        if lines:
            joined = "\n".join(lines) if kind is Kind.KEPT else one_line(" ".join(lines))
            found.append(Block(kind, joined, apart))
            lines.clear()
            apart = False

    for line in text.split("\n"):
        if not line.strip(" \t"):
            end()
            apart = True
            continue
        begins, rest = _begin(line)
        if begins is Kind.PARAGRAPH and lines and kind in (Kind.PARAGRAPH, Kind.ITEM):
            lines.append(rest)
            continue
        if not (begins is Kind.KEPT and kind is Kind.KEPT):
            end()
        kind = begins
        lines.append(rest)
        if kind is Kind.HEADING:
            end()
    end()
    return tuple(block for block in found if block.text)


def _begin(line: str) -> tuple[Kind, str]:
    """Return the kind of block that a line begins or goes on with, and its text."""
    if line.startswith("  "):
        return Kind.KEPT, line[2:].rstrip(" ")
    if line.startswith("== "):
        return Kind.HEADING, line.removeprefix("== ").strip(" ")
    if line == "-" or line.startswith("- "):
        return Kind.ITEM, line[1:]
    return Kind.PARAGRAPH, line


def one_line(text: str) -> str:
    """Return a text on one line, with single spaces; no-break spaces stay."""
    for blank in _BLANKS:
        text = text.replace(blank, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip(" ")


@lru_cache(maxsize=1024)
def _form(kind: Kind, text: str) -> str:
    if kind is Kind.HEADING:
        return text
    if kind is Kind.KEPT:
        return "\n".join(f"  {line}" for line in text.split("\n"))
    if kind is Kind.ITEM:
        return "\n".join(_filled(text, "- ", "  "))
    return "\n".join(_filled(text, "", ""))


def _filled(text: str, first: str, further: str) -> list[str]:
    """Return lines of at most WIDTH characters, broken at spaces alone; a longer word has a line to itself."""
    lines: list[str] = []
    indent, start = first, 0
    while len(text) - start > WIDTH - len(indent):
        room = start + WIDTH - len(indent)
        end = text.rfind(" ", start, room + 1)
        if end < 0:
            end = text.find(" ", room + 1)
        if end < 0:
            break
        lines.append(indent + text[start:end])
        indent, start = further, end + 1
    return [*lines, indent + text[start:]]
