"""The parts of a message: texts, pages, files, and the multiparts and messages that hold them, as bytes.

Pure and deterministic: a part's boundaries come from its key and its place.  Everything is 7bit, quoted-printable or
base64, in lines that neither a relay nor a mailbox file changes; so a signature over a part holds.
Standards: RFC 2045, 2046, 2183, 2231, RFC 4648, RFC 8255 (multipart/multilingual).
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from urllib.parse import quote

from pipeline.render import header_fields
from pipeline.render.quoted_printable import exactly, quoted_printable

BASE64_LINE = 57  # bytes that make 76 characters
LONGEST_LINE = 998  # bytes; RFC 5322 2.1.1

_TYPE = re.compile(
    r"(?!multipart/|message/)[a-z]{1,20}/[a-z0-9.+-]{1,80}(?:; [a-z0-9-]{1,20}=[A-Za-z0-9._-]{1,60}){0,4}"
)
_SUBTYPE = re.compile(r"[a-z][a-z0-9.+-]{0,60}")
_VALUE = re.compile(r"[ !#-\[\]-~]{1,60}")
_NAME = re.compile(r"\w[\w. -]{0,99}(?<![. ])")  # what every file system takes
_HEADER_LINE = re.compile(r"(?!content-|mime-)[!-9;-~]{1,70}:(?:(?:\r\n)? [!-~]+)*", re.IGNORECASE)

_BREAKS = b"\t\r\n"
_PRINTING = bytes(range(0x20, 0x7F))
_LITERAL = _PRINTING.replace(b"=", b"") + b"\r\n"
_TOUCHED = (b"\r\nFrom ", b"\r\n.", b" \r\n", b"\t\r\n", b"\r\n--=_")  # the last begins as our boundaries do


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message, ready but for its place in it.

    `lines`: its header lines, Content-Type first (a multipart's lacks its boundary).  `body`: its encoded bytes, ending in
    CRLF unless empty; of a message part, the header lines of the message inside.  `parts`: what it holds.
    """

    lines: tuple[str, ...]
    body: bytes = b""
    language: str = ""
    parts: tuple["Part", ...] = ()
    key: str = ""


def text_part(body: str, language: str = "") -> Part:
    """Return plain text, "\\n" between lines.  Raises ValueError for another control character or a bad language tag."""
    return _text("plain", body, language)


def html_part(body: str, language: str = "") -> Part:
    """Return an HTML page, "\\n" between lines.  Raises as `text_part` does."""
    return _text("html", body, language)


def attachment(filename: str, content_type: str, data: bytes) -> Part:
    """Return a file, of which exactly `data` comes back.

    It stays as it is where that is safe (ASCII, lines of at most 998 bytes ending in CRLF, nothing that mail changes);
    text becomes quoted-printable, all else base64.  Raises ValueError for a name that is no plain file name, and for
    what is not "type/subtype; name=value".
    """
    if not _TYPE.fullmatch(content_type):
        raise ValueError("not the type of a file")
    encoding, body = _transfer(data)
    return Part(
        (
            header_fields.folded("Content-Type", content_type.split(" ")),
            f"Content-Transfer-Encoding: {encoding}",
            header_fields.folded("Content-Disposition", ["attachment;", _filename(filename)]),
        ),
        body,
    )


def multipart(subtype: str, parts: Sequence[Part], key: str, **parameters: str) -> Part:
    """Return the parts as one; `key` belongs to the letter, and its boundaries come from it.

    A parameter's name is written with "-" for "_".  Raises ValueError if there is no part or no key, and for a subtype
    or a parameter that is not of its form.
    """
    values = {name.replace("_", "-"): value for name, value in parameters.items()}
    if not parts or not key or not _SUBTYPE.fullmatch(subtype):
        raise ValueError("a multipart needs parts, a key and a subtype")
    if not all(_SUBTYPE.fullmatch(name) and _VALUE.fullmatch(value) for name, value in values.items()):
        raise ValueError("not a parameter of a multipart")
    tokens = [f"multipart/{subtype}", *(f'{name}="{value}"' for name, value in sorted(values.items()))]
    line = header_fields.folded("Content-Type", [f"{token};" for token in tokens])
    return Part((line,), parts=tuple(parts), key=key)


def message_part(header_lines: Sequence[str], part: Part, language: str = "", translation: str = "") -> Part:
    """Return a message inside the message: its header lines as header_fields.py makes them, and its one part.

    `translation` is RFC 8255's original, human or automated, or empty.  Raises ValueError for what is no header line, or
    one that says what the parts are.
    """
    for line in header_lines:
        if not _HEADER_LINE.fullmatch(line) or max(map(len, line.split("\r\n"))) > LONGEST_LINE:
            raise ValueError("not a header line of a message inside another")
    if translation not in ("", "original", "human", "automated"):
        raise ValueError("not a kind of translation")
    lines = ["Content-Type: message/rfc822", "Content-Disposition: inline"]
    lines += [f"Content-Translation-Type: {translation}"] if translation else []
    head = "".join(f"{line}\r\n" for line in (*header_lines, "MIME-Version: 1.0"))
    return Part(tuple(lines), head.encode("ascii"), language, (part,))


def multilingual(
    notice_part: Part,
    versions: Sequence[tuple[str, str, str, Part]],
    key: str,
    *,
    from_mailbox: str = "",
    original: str = "en",
) -> Part:
    """Return a letter in several languages as RFC 8255 has it: the notice for readers that show all, then each version.

    `versions` are (language tag, subject, sender's name, part), that of the likeliest reader first.  `from_mailbox` is the
    letter's own, in ASCII; without it the versions have no From.  Those in `original` were written in it, the others
    translated by people.  Raises ValueError if the notice is no plain text or has a language (RFC 8255 3.1), or if a
    language comes twice.
    """
    if notice_part.lines[0].split(";")[0] != "Content-Type: text/plain" or notice_part.language:
        raise ValueError("the notice before the versions is plain text without a language")
    tags = [tag for tag, *_ in versions]
    if not tags or len(set(tags)) < len(tags):
        raise ValueError("each version has a language of its own")
    inside = [replace(notice_part, lines=(*notice_part.lines, "Content-Disposition: inline"))]
    for tag, subject, from_name, part in versions:
        lines = [header_fields.originator("From", from_name, from_mailbox)] if from_mailbox else []
        lines.append(header_fields.words("Subject", subject))
        kind = "original" if tag.split("-")[0] == original else "human"
        inside.append(message_part(lines, part, tag, kind))
    whole = multipart("multilingual", inside, key)
    return replace(whole, lines=(*whole.lines, "Content-Disposition: inline"))


def entity(part: Part, path: tuple[int, ...] = ()) -> bytes:
    """Return a part as it stands at `path` in its message: header lines, an empty line, its body.

    The first part of a message's multipart is at (0,): these bytes are what multipart/signed signs (RFC 3156 section 5).
    """
    lines, body = written(part, path)
    if part.language:
        lines = (*lines, header_fields.languages(part.language))
    return "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n" + body


def written(part: Part, path: tuple[int, ...] = ()) -> tuple[tuple[str, ...], bytes]:
    """Return a part's header lines, Content-Language apart, and its body."""
    if not part.parts:
        return part.lines, part.body
    inside = [entity(each, (*path, n)) for n, each in enumerate(part.parts)]
    if not part.key:
        return part.lines, part.body + inside[0]
    boundary = _boundary(part.key, path, inside)
    mark = f"--{boundary}".encode("ascii")
    pieces = [piece for each in inside for piece in (mark, b"\r\n", each, b"\r\n")]
    first, *others = part.lines
    return (f'{first}\r\n boundary="{boundary}"', *others), b"".join((*pieces, mark, b"--\r\n"))


def _boundary(key: str, path: tuple[int, ...], inside: Sequence[bytes]) -> str:
    """Return a boundary that occurs in none of the parts.

    "=_" stands in no quoted-printable and no base64, and begins no line of what is left as it is, so the first one will
    do unless a value in a header line holds it.
    """
    place = f"{key}\n{'.'.join(map(str, path))}"
    for number in count():
        name = f"{place}\n{number}" if number else place
        boundary = f"=_{sha256(name.encode()).hexdigest()[:32]}"
        if not any(boundary.encode("ascii") in each for each in inside):
            break
    return boundary


def _text(subtype: str, body: str, language: str) -> Part:
    if language:
        header_fields.languages(language)
    lines = (f"Content-Type: text/{subtype}; charset=utf-8", "Content-Transfer-Encoding: quoted-printable")
    return Part(lines, quoted_printable(body), language)


def _transfer(data: bytes) -> tuple[str, bytes]:
    """Return how a file is encoded, and the outcome."""
    if _is_safe(data):
        return "7bit", data
    if len(data.translate(None, _LITERAL)) * 6 <= len(data):  # beyond that base64 is the shorter one
        try:
            return "quoted-printable", exactly(data.decode("utf-8"))
        except UnicodeDecodeError:
            pass  # no UTF-8 text: its bytes as they are, in base64
    return "base64", b"".join(
        base64.b64encode(data[at : at + BASE64_LINE]) + b"\r\n" for at in range(0, len(data), BASE64_LINE)
    )


def _is_safe(data: bytes) -> bool:
    """True if mail hands these bytes on as they are: no relay and no mailbox file has a reason to touch them."""
    if not data.endswith(b"\r\n") or data.translate(None, _PRINTING + _BREAKS):
        return False
    if not data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n"):
        return False
    lines = b"\r\n" + data
    return not any(mark in lines for mark in _TOUCHED) and max(map(len, data.split(b"\r\n"))) <= LONGEST_LINE


def _filename(name: str) -> str:
    """Return the parameter that names a file, by RFC 2231 where it is not ASCII."""
    if not _NAME.fullmatch(name):
        raise ValueError("not a file name that can be attached")
    return f'filename="{name}"' if name.isascii() else f"filename*=utf-8''{quote(name, safe='')}"
