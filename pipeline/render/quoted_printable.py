"""Text as quoted-printable: ASCII lines that neither a relay nor a mailbox file changes.

Pure and deterministic.  White space at the end of a line, "From " at its start and a dot at its start are encoded, and no
line has more than 76 characters.  What a line becomes is remembered, as a wave's letters share most of theirs.
Standard: RFC 2045 section 6.7.
"""

import re
from functools import lru_cache

MAX_LINE = 76  # characters, the soft break's "=" among them
_MOST_REMEMBERED = 400  # characters of a line that is remembered: the memory stays bounded

_PLAIN_LINE = re.compile(rf"(?!From |\.)[ -<>-~]{{0,{MAX_LINE - 1}}}(?<! )")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE = re.compile("[^ -<>-~]+")
_CONTINUATION = frozenset("89AB")  # first digit of a UTF-8 byte that begins no character


def quoted_printable(text: str) -> bytes:
    """Return the lines of `text`, which has "\\n" between them, each ending in CRLF, the last as well.

    Raises ValueError for a control character other than "\\n".
    """
    lines = text.removesuffix("\n").split("\n")
    written = [_remembered(line) if len(line) <= _MOST_REMEMBERED else _text_line(line) for line in lines]
    written.append("")
    return "\r\n".join(written).encode("ascii")


def exactly(text: str) -> bytes:
    """Return quoted-printable from which `text` comes back character for character, whatever is in it.

    Its CRLFs are the lines' ends; every other control character is encoded.  Ends in CRLF unless it is empty.
    """
    *lines, last = text.split("\n")
    written = [_line(line[:-1]) if line.endswith("\r") else f"{_line(line + chr(10))}=" for line in lines]
    if last:
        written.append(f"{_line(last)}=")  # a soft break: the text does not end a line here
    written.append("")
    return "\r\n".join(written).encode("ascii")


def _text_line(line: str) -> str:
    if _CONTROL.search(line):
        raise ValueError("a control character where none may stand")
    return line if _PLAIN_LINE.fullmatch(line) else _line(line)


_remembered = lru_cache(maxsize=1024)(_text_line)


def _line(line: str) -> str:
    """Return one line, cut by soft breaks where it is too long; no break is inside a character."""
    rest = _UNSAFE.sub(_escaped, line)
    if rest.endswith(" "):
        rest = f"{rest[:-1]}=20"
    out: list[str] = []
    start = 0
    while True:
        window = rest[start : start + MAX_LINE + 1]
        piece = _guarded(window)
        added = len(piece) - len(window)
        if len(rest) - start + added < MAX_LINE:  # one place is for the soft break
            return "".join((*out, piece))
        cut = _cut(piece)
        out.append(f"{piece[:cut]}=\r\n")
        start += cut - added


def _cut(text: str) -> int:
    """Return where a line ends that is as long as it may be and has its last character whole."""
    cut = MAX_LINE - 1
    if text[cut - 1] == "=":
        cut -= 1
    elif text[cut - 2] == "=":
        cut -= 2
    while text[cut] == "=" and text[cut + 1] in _CONTINUATION:
        cut -= 3
    return cut


def _guarded(text: str) -> str:
    """Return what begins a line, encoded where a relay or a mailbox file would touch it."""
    if text.startswith("."):
        return f"=2E{text[1:]}"
    return f"=46{text[1:]}" if text.startswith("From ") else text


def _escaped(found: re.Match[str]) -> str:
    return "=" + found[0].encode().hex("=").upper()
