"""Keys that sign in tests, made once a run, and the DNS that publishes them, as a plain function."""

from collections.abc import Callable
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from pipeline.send.dkim import DkimKey, DkimKeys
from pipeline.send.dkim_keys import record, record_name

DOMAIN = "agency.example"
OPEN = NoEncryption()


@cache
def rsa(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@cache
def ed25519() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem(key: RSAPrivateKey | Ed25519PrivateKey, passphrase: bytes = b"") -> str:
    locked: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else OPEN
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode()


def signers(*kinds: str) -> DkimKeys:
    """The domain with these kinds of keys, both if none is named."""
    made = {"rsa": DkimKey("s2026", rsa()), "ed25519": DkimKey("e2026", ed25519())}
    return DkimKeys(DOMAIN, tuple(made[kind] for kind in kinds or made))


def dns(keys: DkimKeys) -> Callable[..., bytes | None]:
    """Answer for the records of these keys, and for no other name, as dkimpy asks."""
    known = {f"{record_name(key, keys.domain)}.": record(key).encode() for key in keys.keys}

    def answer(name: bytes, timeout: float = 5) -> bytes | None:
        return known.get(name.decode())

    return answer


def passes(message: bytes, keys: DkimKeys) -> list[bool]:
    """What dkimpy says of a message's first signatures, one for each key; one that it cannot read is as good as none."""
    return [_passes(message, place, dns(keys)) for place in range(len(keys.keys))]


def _passes(message: bytes, place: int, answer: Callable[..., bytes | None]) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(place, dnsfunc=answer))
    except dkim.DKIMException:
        return False
