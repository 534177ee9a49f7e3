"""The DKIM signatures of one letter, over the lines put on top and its stored headers, with the hash made of its body.

Pure: the same letter, keys and second give the same lines, byte for byte (RSA as PKCS #1 v1.5 and Ed25519 draw nothing by
chance).  So `sign` may run in another process than the rest.  Each key signs by itself; RSA stands first, since it is what
every receiver can check, and one that cannot check Ed25519 goes on to the next.  From and Subject are named once more than
they stand there, so that a second one breaks the signature.  No l=: nothing can be hung on.
Standards: RFC 6376 (3.4.2, 3.5, 3.7, 5.4), RFC 8301, RFC 8463.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
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

_NAMES = tuple(name.encode() for name in SIGNED)
_MADE = Prehashed(SHA256())


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


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A letter's DKIM-Signature headers, each up to its empty b=, and the SHA-256 (32 bytes) that its key signs."""

    headers: tuple[bytes, ...]
    digests: tuple[bytes, ...]


def signature_lines(head_and_headers: bytes, body_hash: bytes, keys: DkimKeys, now: datetime) -> bytes:
    """Return a DKIM-Signature header for each key, to be put before everything else; as `unsigned` says."""
    found = unsigned(head_and_headers, body_hash, keys, now)
    return signed(found, *sign_lot(keys, [found.digests]))


def unsigned(head_and_headers: bytes, body_hash: bytes, keys: DkimKeys, now: datetime) -> Unsigned:
    """Return what is to be signed with each key, and the headers that its signatures are put into.

    `head_and_headers` is the message up to its first empty line (what follows it is not looked at), `body_hash` the 32
    bytes of its relaxed body, `now` the instant that Date says.  Raises ValueError without a From, and for a time
    without a zone.
    """
    if now.utcoffset() is None:
        raise ValueError("a time without a zone")
    there = _fields(head_and_headers)
    if b"from" not in there:
        raise ValueError("no From to sign")
    names = _folded(tuple(len(there.get(name, ())) for name in _NAMES))
    rest = f"; t={int(now.timestamp())};\r\n{names}\r\n bh={b64encode(body_hash).decode()};\r\n b="
    covered = hashlib.sha256(_selected(there))
    headers, digests = [], []
    for key in keys.keys:
        header = f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={keys.domain};\r\n s={key.selector}{rest}".encode(
            "ascii"
        )
        both = covered.copy()  # a header signs itself, too, as it is with an empty b= (RFC 6376 3.7)
        both.update(b"dkim-signature:" + _relaxed(header).strip(b" "))
        headers.append(header)
        digests.append(both.digest())
    return Unsigned(tuple(headers), tuple(digests))


def signed(found: Unsigned, signatures: Sequence[bytes]) -> bytes:
    """Return the whole headers.  Raises ValueError unless there is a signature for each."""
    return b"".join(_whole(header, made) for header, made in zip(found.headers, signatures, strict=True))


def sign_lot(keys: DkimKeys, lot: Sequence[tuple[bytes, ...]]) -> list[tuple[bytes, ...]]:
    """Return the signatures of each letter, one for each key, over its digests."""
    return [tuple(sign(key.private, made) for key, made in zip(keys.keys, letter, strict=True)) for letter in lot]


def sign(key: PrivateKey, digest: bytes) -> bytes:
    """Return the signature over what has this SHA-256.  Ed25519 signs the 32 bytes themselves (RFC 8463 section 3)."""
    if isinstance(key, RSAPrivateKey):
        return key.sign(digest, PKCS1v15(), _MADE)
    return key.sign(digest)


def header_block(message: bytes) -> bytes:
    """Return the headers of a message, up to its first empty line."""
    return message.partition(b"\r\n\r\n")[0] + b"\r\n"


def _fields(block: bytes) -> dict[bytes, list[bytes]]:
    """Return the relaxed values of each header, in order, by its name in small letters (RFC 6376 3.4.2)."""
    fields: dict[bytes, list[bytes]] = {}
    for line in _relaxed(header_block(block)).split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            fields.setdefault(name.rstrip(b" ").lower(), []).append(value.strip(b" "))
    return fields


def _relaxed(text: bytes) -> bytes:
    """Return headers unfolded, with one blank for several."""
    text = text.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").replace(b"\t", b" ")
    while b"  " in text:  # halves what stands together each time
        text = text.replace(b"  ", b" ")
    return text


def _selected(fields: dict[bytes, list[bytes]]) -> bytes:
    """Return the signed headers as they are hashed; of several with one name the last comes first (RFC 6376 5.4.2).

    A name that is listed once more than it stands there adds nothing.
    """
    found = (name + b":" + value + b"\r\n" for name in _NAMES for value in reversed(fields.get(name, ())))
    return b"".join(found)


@lru_cache(maxsize=64)  # the letters of a wave have the same headers
def _folded(counts: tuple[int, ...]) -> str:
    """Return h=, folded after colons, by how often each name of `SIGNED` stands there."""
    listed = zip(SIGNED, counts, strict=True)
    names = [name for name, count in listed for _ in range(count + (name in OVERSIGNED))]
    lines, line = [], " h="
    for place, name in enumerate(names):
        item = name + (":" if place + 1 < len(names) else ";")
        if len(line) + len(item) > WIDTH:
            lines.append(line)
            line = "  "
        line += item
    return "\r\n".join([*lines, line])


def _whole(header: bytes, signature: bytes) -> bytes:
    text = b64encode(signature)
    pieces = (text[start : start + WIDTH - 3] for start in range(0, len(text), WIDTH - 3))
    return b"DKIM-Signature:" + header + b"\r\n ".join(pieces) + b"\r\n"
