"""The DKIM signatures of one letter, over the lines put on top and its stored headers, with the hash made of its body.

Pure: the same letter, keys and second give the same lines, byte for byte (RSA as PKCS #1 v1.5 and Ed25519 draw nothing by
chance).  Each key signs by itself; RSA stands first, since it is what every receiver can check, and one that cannot check
Ed25519 goes on to the next.  From and Subject are named once more than they stand there, so that a second one breaks the
signature.  No l=: nothing can be hung on.  Standards: RFC 6376 (3.4.2, 3.5, 3.7, 5.4), RFC 8301, RFC 8463.
"""

import hashlib
import re
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from pipeline.send.head import SEAL

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

SIGNED = (  # in the order of h=; those that a letter has
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-language",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
    "auto-submitted",
    SEAL.lower(),
)
OVERSIGNED = ("from", "subject")
WIDTH = 76  # characters of a line

_BLANKS = re.compile(rb"[ \t]+")


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key, and the selector under which the domain publishes its public half."""

    selector: str
    private: PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """What `a=` says."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"


@dataclass(frozen=True, slots=True)
class DkimKeys:
    """The domain that signs, and its keys in the order in which their signatures stand."""

    domain: str
    keys: tuple[DkimKey, ...]


def signature_lines(head_and_headers: bytes, body_hash: bytes, keys: DkimKeys, now: datetime) -> bytes:
    """Return a DKIM-Signature header for each key, to be put before everything else.

    `head_and_headers` is the message up to its first empty line (what follows it is not looked at), `body_hash` the 32
    bytes of its relaxed body, `now` the instant that Date says.  Raises ValueError without a From, and for a time
    without a zone.
    """
    if now.utcoffset() is None:
        raise ValueError("a time without a zone")
    fields = _fields(head_and_headers)
    there = Counter(name for name, _ in fields)
    if not there[b"from"]:
        raise ValueError("no From to sign")
    names = [name for name in SIGNED for _ in range(there[name.encode()] + (name in OVERSIGNED))]
    data = _selected(fields, there)
    said = f"t={int(now.timestamp())};", _folded(names), f" bh={b64encode(body_hash).decode()};", " b="
    return b"".join(_signature(keys.domain, key, said, data) for key in keys.keys)


def header_block(message: bytes) -> bytes:
    """Return the headers of a message, up to its first empty line."""
    return message.partition(b"\r\n\r\n")[0] + b"\r\n"


def _fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name in small letters, relaxed value) of each header, in order (RFC 6376 3.4.2)."""
    unfolded = header_block(block).replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    parted = (line.partition(b":") for line in unfolded.split(b"\r\n") if line)
    return [(name.rstrip(b" \t").lower(), _relaxed(value)) for name, _, value in parted]


def _relaxed(value: bytes) -> bytes:
    return _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _selected(fields: list[tuple[bytes, bytes]], there: Counter[bytes]) -> bytes:
    """Return the signed headers as they are hashed; of several with one name the last comes first (RFC 6376 5.4.2).

    A name that is listed once more than it stands there adds nothing.
    """
    lines = []
    for name in map(str.encode, SIGNED):
        if there[name]:
            lines += [name + b":" + value + b"\r\n" for known, value in reversed(fields) if known == name]
    return b"".join(lines)


def _folded(names: list[str]) -> str:
    """Return h=, folded after colons."""
    lines, line = [], " h="
    for place, name in enumerate(names):
        item = name + (":" if place + 1 < len(names) else ";")
        if len(line) + len(item) > WIDTH:
            lines.append(line)
            line = "  "
        line += item
    return "\r\n".join([*lines, line])


def _signature(domain: str, key: DkimKey, said: tuple[str, ...], data: bytes) -> bytes:
    """Return one whole header; it signs itself, too, as it is with an empty b= (RFC 6376 3.7)."""
    time, *rest = said
    first = f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={domain};"
    unsigned = "\r\n".join((first, f" s={key.selector}; {time}", *rest)).encode("ascii")
    made = _signed(key.private, data + b"dkim-signature:" + _relaxed(unsigned))
    text = b64encode(made)
    pieces = (text[start : start + WIDTH - 3] for start in range(0, len(text), WIDTH - 3))
    return b"DKIM-Signature:" + unsigned + b"\r\n ".join(pieces) + b"\r\n"


def _signed(key: PrivateKey, data: bytes) -> bytes:
    """Return the signature of what was gathered.  Ed25519 signs its SHA-256 (RFC 8463 section 3)."""
    if isinstance(key, RSAPrivateKey):
        return key.sign(data, PKCS1v15(), SHA256())
    return key.sign(hashlib.sha256(data).digest())
