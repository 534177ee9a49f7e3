"""A part of a message with an OpenPGP signature beside it: multipart/signed.

A signature holds the second in which it was made, so a letter that is signed is not the same bytes in two processes; what
is approved and stored is the one that was written first.  The key comes from the credential file, once.
Standards: RFC 3156 sections 3 and 5; RFC 1847 section 2.1; RFC 9580.
"""

from collections.abc import Callable

from pysequoia import Sig, SignatureMode, Tsk
from pysequoia import sign as sign_with

from pipeline.domain import ConfigurationError
from pipeline.render.mime_parts import Part, attachment, entity, multipart

Sign = Callable[[bytes], bytes]

PLACE = (0,)  # of what is signed, in the message whose one part the multipart/signed is
ARMOUR = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_SAFE = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_TOUCHED = (b" \r\n", b"\t\r\n", b"\r\nFrom ")


def signer_of(armoured_secret_key: str, passphrase: str = "") -> Sign:
    """Return what makes an armoured detached signature of bytes with this key; lines end in "\\n".

    The passphrase is empty for a key that has none.  Raises ConfigurationError for what is no secret key, for a wrong
    passphrase, and for a key that has no part for signing which is in force.
    """
    text = armoured_secret_key.strip().encode()
    try:
        key = Tsk.from_bytes(text) if ARMOUR in text else None
    except RuntimeError:  # what pysequoia raises for everything; its text tells of its own insides
        key = None
    if key is None:
        raise ConfigurationError(
            "pgp_key is not a secret key of OpenPGP",
            "it begins with -----BEGIN PGP PRIVATE KEY BLOCK-----",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    try:
        signer = key.signer(passphrase or None)
    except RuntimeError:
        raise ConfigurationError(
            "pgp_key cannot sign",
            "pgp_passphrase is not its passphrase, or no part of it that may sign is in force today",
            "Make it as docs/how-to/sign-letters.md says.",
        ) from None
    return lambda data: sign_with(signer, data, mode=SignatureMode.DETACHED)


def signed(part: Part, sign: Sign, key: str) -> Part:
    """Return a part with its signature, to be the one part of a message; `key` belongs to the letter (its boundary).

    Raises ValueError for a part that mail could change on its way: not 7bit, blanks at the end of a line, a line that
    begins with "From " (RFC 3156 section 3).
    """
    data = entity(part, PLACE)
    if not _is_safe(data):
        raise ValueError("a part that mail could change cannot be signed")
    made = sign(data)
    beside = attachment("signature.asc", "application/pgp-signature", crlf(made))
    return multipart("signed", [part, beside], key, micalg=micalg(made), protocol="application/pgp-signature")


def _is_safe(data: bytes) -> bool:
    breaks = data.count(b"\r\n")
    if data.translate(None, _SAFE) or not breaks == data.count(b"\r") == data.count(b"\n"):
        return False
    return not any(mark in b"\r\n" + data for mark in _TOUCHED)


def micalg(signature: bytes) -> str:
    """Return the name of the hash that a signature was made over, as RFC 3156 section 5 spells it: pgp-sha512."""
    return f"pgp-{Sig.from_bytes(signature).hash_algorithm}".lower().replace("hashalgorithm.", "")


def crlf(text: bytes) -> bytes:
    """Return armour with the lines of mail."""
    return b"".join(line + b"\r\n" for line in text.splitlines())
