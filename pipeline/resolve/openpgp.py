"""Tell whether a text is one armoured OpenPGP public key, and write it in one form.  Pure; nothing is encrypted.

The armour is undone, its checksum compared, and the packets are walked by their lengths, so that a private key is found
however it is labelled.  Standards: RFC 9580 sections 4.2 (packet headers), 6 (armour), 10.1 (transferable public keys).
"""

import base64
import binascii
import re

MAX_KEY = 64 * 1024  # characters of armour

_BLOCK = re.compile(r"-----BEGIN PGP ([A-Z ]+)-----\n(.*?)\n?-----END PGP \1-----", re.DOTALL)
_PUBLIC, _PRIVATE = "PUBLIC KEY BLOCK", "PRIVATE KEY BLOCK"
_PRIMARY, _SUBKEY = 6, 14
_SECRET = frozenset({5, 7})
_OTHERS = frozenset({2, 10, 12, 13, 17, 21})  # signature, marker, trust, user ID, user attribute, padding
_VERSIONS = frozenset({3, 4, 5, 6})


class NotAKey(ValueError):
    """The text is no armoured public key; `private`: it holds a private one."""

    def __init__(self, private: bool = False) -> None:
        super().__init__("private" if private else "no public key")
        self.private = private


def public_key(text: str) -> str:
    """Return the armour of the one public key that a text holds, without its comments.  Raises NotAKey."""
    if len(text) > MAX_KEY:
        raise NotAKey
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if f"BEGIN PGP {_PRIVATE}" in lines:
        raise NotAKey(private=True)
    block = _BLOCK.fullmatch(lines)
    if block is None or block[1] != _PUBLIC:
        raise NotAKey
    data = _unarmoured(block[2])
    tags = _tags(data)
    if _SECRET & set(tags):
        raise NotAKey(private=True)
    if not tags or tags[0] != _PRIMARY or tags.count(_PRIMARY) > 1 or set(tags) - {_PRIMARY, _SUBKEY} - _OTHERS:
        raise NotAKey
    return _armoured(data)


def _unarmoured(body: str) -> bytes:
    heads, blank, rest = body.partition("\n\n")
    if body.startswith("\n"):
        heads, blank, rest = "", "\n", body[1:]
    if not blank or not all(re.fullmatch(r"[A-Za-z-]+: .*", line) for line in heads.split("\n") if line):
        raise NotAKey
    encoded, _, checksum = rest.strip().partition("\n=")
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
        given = base64.b64decode(checksum, validate=True) if checksum else b""
    except (binascii.Error, ValueError):
        raise NotAKey from None
    if checksum and given != _crc24(data):
        raise NotAKey
    return data


def _tags(data: bytes) -> list[int]:
    """Return the types of the packets, one after another.  Raises NotAKey where a length does not fit."""
    tags, at = [], 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise NotAKey
        new = bool(head & 0x40)
        tag = head & 0x3F if new else head >> 2 & 0x0F
        start, length = _new_length(data, at + 1) if new else _old_length(data, at + 1, head & 3)
        if length < 1 or start + length > len(data):
            raise NotAKey
        if tag in (_PRIMARY, _SUBKEY) and data[start] not in _VERSIONS:
            raise NotAKey
        tags.append(tag)
        at = start + length
    return tags


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """Return where a packet's body starts, and its length; partial lengths have no place in a key (section 4.2.1.4)."""
    first = data[at] if at < len(data) else 255
    if first < 192:
        return at + 1, first
    if first < 224 and at + 1 < len(data):
        return at + 2, (first - 192 << 8) + data[at + 1] + 192
    if first == 255 and at + 4 < len(data):
        return at + 5, int.from_bytes(data[at + 1 : at + 5])
    raise NotAKey


def _old_length(data: bytes, at: int, kind: int) -> tuple[int, int]:
    size = (1, 2, 4, 0)[kind]
    if not size or at + size > len(data):  # 3: to the end of the file, of which a key makes no use
        raise NotAKey
    return at + size, int.from_bytes(data[at : at + size])


def _armoured(data: bytes) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    lines = [encoded[i : i + 64] for i in range(0, len(encoded), 64)]
    checksum = base64.b64encode(_crc24(data)).decode("ascii")
    return "\n".join((f"-----BEGIN PGP {_PUBLIC}-----", "", *lines, f"={checksum}", f"-----END PGP {_PUBLIC}-----"))


def _crc24(data: bytes) -> bytes:
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc.to_bytes(3)
