"""The hash of a message's body as DKIM reads it, made when the letter is written and kept beside it.

Pure.  Relaxed canonicalisation: a run of blanks is one space, none stands at the end of a line, no empty line ends the
body.  So a relay that touches blanks breaks no signature.  Standards: RFC 6376 3.4.4, 3.7.
"""

import hashlib
import re

_BLANKS = re.compile(b"  +")  # begins with two: a search for that is quicker than one that looks at every space


def body_hash(message: bytes) -> bytes:
    """Return the SHA-256 of the relaxed body of a message, 32 bytes: what `bh=` says in base64.

    The body begins after the first empty line; a message that has none, or nothing after it, has an empty body.
    """
    return hashlib.sha256(relaxed(message.partition(b"\r\n\r\n")[2])).digest()


def relaxed(body: bytes) -> bytes:
    """Return a body in its relaxed form (RFC 6376 3.4.4).  Lines end in CRLF."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    body = _BLANKS.sub(b" ", body.replace(b"\t", b" ")).replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return body[:end] if body[:end] != b"\r\n" else b""
