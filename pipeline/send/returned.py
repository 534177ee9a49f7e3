"""A test letter as it was handed over, and as it arrived: what the servers on its way kept, changed and added.

Pure.  A signature of ours holds where it arrived if it came unchanged, with every header that it signs and the body, each
in its relaxed form (RFC 6376 3.4.2, 3.4.4): that is all that a signature is made of.  A relay that signs is not looked at.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum

from pipeline.send.dkim import OVERSIGNED, SIGNED

LONGEST = 1 << 20  # bytes of what arrived
MOST_NAMES = 50

_BLANKS = re.compile(rb"[ \t]+")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(rb"[!-9;-~]+")

Field = tuple[bytes, bytes]


class Body(StrEnum):
    SAME = "same"  # byte for byte, the ends of lines left aside
    BLANKS = "blanks"  # but for blanks, which no signature minds
    CHANGED = "changed"


class Signature(StrEnum):
    KEPT = "kept"
    BROKEN = "broken"
    NONE = "none"  # we signed nothing


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of the letter.  Names of headers are in small letters; `return_path`: the envelope's sender, if told."""

    ours: bool  # it has the Message-ID of the letter that was sent
    body: Body
    lost: tuple[str, ...]  # headers of ours that are missing or changed
    added: tuple[str, ...]
    return_path: str
    signature: Signature


def compare(sent: bytes, arrived: bytes) -> Returned:
    """Compare a letter as it was handed over with the same letter as a mail program saved it."""
    before, said = _parts(sent)
    after, came = _parts(arrived[:LONGEST])
    there, here = Counter(before), Counter(after)
    lost = there - here
    added = [name for name, _ in (here - there).elements()]
    body = Body.BLANKS if _relaxed_body(said) == _relaxed_body(came) else Body.CHANGED
    return Returned(
        ours=_values(before, b"message-id") == _values(after, b"message-id") != [],
        body=Body.SAME if said == came else body,
        lost=_names(name for name, _ in lost),
        added=_names(name for name in added if name not in {n for n, _ in lost}),
        return_path=_mailbox(_values(after, b"return-path")),
        signature=_signature(before, after, set(lost), body),
    )


def _signature(before: list[Field], after: list[Field], lost: set[Field], body: Body) -> Signature:
    if not _values(before, b"dkim-signature"):
        return Signature.NONE
    signed = {*map(str.encode, SIGNED), b"dkim-signature"}
    broken = body is Body.CHANGED or any(name in signed for name, _ in lost)
    for name in map(str.encode, OVERSIGNED):  # a second one breaks it, too
        broken |= len(_values(after, name)) != len(_values(before, name))
    return Signature.BROKEN if broken else Signature.KEPT


def _parts(message: bytes) -> tuple[list[Field], bytes]:
    """Return the headers in relaxed form, in order, and the body; lines end in CRLF.  What is no header is left out."""
    whole = _LINE_END.sub(b"\r\n", message)
    head, _, body = whole.partition(b"\r\n\r\n")
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    parted = (line.partition(b":") for line in unfolded.split(b"\r\n"))
    fields = [(name.rstrip(b" \t").lower(), _BLANKS.sub(b" ", value).strip(b" ")) for name, _, value in parted]
    return [(name, value) for name, value in fields if _FIELD.fullmatch(name)], body.rstrip(b"\r\n") + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:
    return b"\r\n".join(_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")).rstrip(b"\r\n")


def _values(fields: list[Field], wanted: bytes) -> list[bytes]:
    return [value for name, value in fields if name == wanted]


def _names(names: Iterable[bytes]) -> tuple[str, ...]:
    found = dict.fromkeys(name.decode("ascii", "replace")[:80] for name in names)
    return tuple(found)[:MOST_NAMES]


def _mailbox(values: list[bytes]) -> str:
    text = values[0][:400].decode("utf-8", "replace") if values else ""
    return "".join(c for c in parseaddr(text)[1] if c.isprintable())[:254]
