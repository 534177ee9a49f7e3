"""Reading the replies of an SMTP server.  Pure: bytes in, a reply out.

Nothing hostile comes through: a reply is bounded, its text is one line that prints, and what is no reply is a ValueError.
A relay says the same few words all day: a reply of one line is read once and remembered.
Standards: RFC 5321 4.2 (replies), RFC 2034 (enhanced codes).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_REPLY = 32_768  # bytes; a real EHLO has a few thousand
LONGEST_TEXT = 500  # characters kept of a reply

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\n]*))?\r?\n")
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said.  `code` 0: nothing that could be understood, and `text` says why."""

    code: int
    enhanced: str = ""
    text: str = ""


def next_reply(received: bytes | bytearray, start: int = 0) -> tuple[Reply, int] | None:
    """Return the reply that begins at `start` and where it ends, or None if it is not complete yet (RFC 5321 4.2.1).

    Raises ValueError for what is no reply: no code, a code below 200 or above 599, lines with different codes, no end.
    """
    at = start
    while (end := received.find(b"\n", at) + 1) > 0:
        if received[at + 3 : at + 4] != b"-":
            whole = bytes(received[start:end])
            return (_one_line(whole) if at == start else _several(whole)), end
        _parts(bytes(received[at:end]))
        at = end
        if at - start > LONGEST_REPLY:
            raise ValueError("too long")
    if len(received) - start > LONGEST_REPLY:
        raise ValueError("too long")
    return None


@lru_cache(maxsize=256)
def _one_line(line: bytes) -> Reply:
    code, text = _parts(line)
    return reply_of(code, [text])


def _several(lines: bytes) -> Reply:
    parts = [_parts(line + b"\n") for line in lines.split(b"\n")[:-1]]
    if len({code for code, _ in parts}) > 1:
        raise ValueError("one reply with several codes")
    if len(lines) > LONGEST_REPLY:
        raise ValueError("too long")
    return reply_of(parts[0][0], [text for _, text in parts])


def _parts(line: bytes) -> tuple[int, str]:
    """Return the code and the cleaned text of one line of a reply."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(cleaned(line.decode("utf-8", "replace"))[:80])
    if len(line) > LONGEST_REPLY:
        raise ValueError("too long")
    return int(match[1]), cleaned((match[3] or b"").decode("utf-8", "replace"))


def reply_of(code: int, lines: list[str]) -> Reply:
    """Return the reply of a code and its cleaned lines; the enhanced code (RFC 2034) is taken out of them."""
    match = _ENHANCED.match(lines[0])
    enhanced = match[1] if match and match[1][0] == str(code)[0] else ""
    if enhanced:
        lines = [line.removeprefix(enhanced).lstrip() for line in lines]
    return Reply(code, enhanced, " ".join(filter(None, lines))[:LONGEST_TEXT])


def cleaned(text: str) -> str:
    """Return text from outside as one line without anything that does not print."""
    text = text[: 4 * LONGEST_TEXT].rstrip("\r")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text.strip()[:LONGEST_TEXT]
