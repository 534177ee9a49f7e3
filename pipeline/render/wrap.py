"""Paragraphs to lines of at most 72 characters.

Pure.  Of a template's text, a line that starts with two spaces is kept as it stands (an address of a page, a mailbox,
a table); "== TEXT" is a heading; a hyphen alone or "- " starts a list item; other lines belong to a paragraph and
flow together.  Nothing is broken inside a word, so addresses and no-break spaces stay whole.
"""

import re
import textwrap

WIDTH = 72

_BLANKS = re.compile(r"[ \t\r\n\f\v]+")  # not str.split(): that would break at U+00A0


def fill(text: str) -> str:
    """Return `text` with its paragraphs filled to WIDTH columns and single blank lines; no newline at the end."""
    out: list[str] = []
    paragraph: list[str] = []

    def flush() -> None:
        if paragraph:
            out.extend(_wrapped(" ".join(paragraph)))
            paragraph.clear()

    for line in text.split("\n"):
        if not line.strip(" \t"):
            flush()
            if out and out[-1]:
                out.append("")
        elif line.startswith("  "):
            flush()
            out.append(line.rstrip(" "))
        elif line.startswith("== "):
            flush()
            out.append(line.removeprefix("== ").strip(" "))
        else:
            if line == "-" or line.startswith("- "):
                flush()
            paragraph.append(line)
    flush()
    return "\n".join(out).strip("\n")


def _wrapped(paragraph: str) -> list[str]:
    text = _BLANKS.sub(" ", paragraph).strip(" ")
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent="  " if text.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
