"""Codes that nobody can guess and every process makes alike: references, tokens, Message-IDs, envelope senders.

Each is an HMAC-SHA256 of a row's natural key, under a key derived for its purpose from the master key of the credential
file (one step of HKDF-Expand, RFC 5869 2.3).  Nothing is read or written here; `key_id` is stored beside what was made,
so that a key can be changed.
"""

import hashlib
import hmac
from base64 import b32encode
from dataclasses import dataclass, field

from pipeline.domain import ConfigurationError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
REFERENCE_PREFIX = "TCS"

Notice = tuple[int, int, int]  # campaign, contact, number: the natural key of a notice


@dataclass(frozen=True, slots=True)
class Keys:
    """The master key; its bytes are never shown."""

    master: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """A name for the master key that tells nothing about it."""
        return hashlib.sha256(b"tocsin key id" + self.master).hexdigest()[:8]

    def reference(self, notice: Notice) -> str:
        """TCS-XXXXX-XXXXX-C: 50 bits and a check character, for people to read and type."""
        number = int.from_bytes(self._mac("reference", *notice)[:8], "big") >> 14
        body = "".join(ALPHABET[(number >> shift) & 31] for shift in range(45, -1, -5))
        return f"{REFERENCE_PREFIX}-{body[:5]}-{body[5:]}-{check_character(body)}"

    def notice_token(self, notice: Notice) -> str:
        """The page token of a notice: 130 bits."""
        return self._token("notice token", *notice)

    def case_token(self, notice: Notice, case_id: int) -> str:
        """The page token of one case in one notice; it opens that one address."""
        return self._token("case token", *notice, case_id)

    def message_id(self, notice: Notice, domain: str) -> str:
        """The Message-ID of a notice's letter, the same for every attempt, with angle brackets (RFC 5322 3.6.4)."""
        return f"<{self._token('message id', *notice)}@{domain}>"

    def envelope_sender(self, mailbox: str, letter_id: int) -> str:
        """The envelope sender of a letter: local+LETTER.MAC@domain (VERP), so that a DSN cannot be forged."""
        local, domain = mailbox.rsplit("@", 1)
        return f"{local}+{letter_id}.{self._token('envelope', letter_id)[:16]}@{domain}"

    def envelope_letter(self, address: str) -> int | None:
        """Return the letter that an envelope sender of ours stands for, or None if it is not ours."""
        number, dot, _mac = address.rsplit("@", 1)[0].rpartition("+")[2].partition(".")
        if not dot or not number.isdecimal() or len(number) > 18:
            return None
        local, _, domain = address.partition("+")[0], "", address.rsplit("@", 1)[-1]
        expected = self.envelope_sender(f"{local}@{domain}", int(number))
        return int(number) if hmac.compare_digest(expected.lower().encode(), address.lower().encode()) else None

    def order(self, campaign_seed: str, contact_id: int) -> int:
        """A place in the random order of writing, from the campaign's committed seed: 0 to 2**62."""
        digest = hashlib.sha256(f"{campaign_seed}:{contact_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 2

    def _token(self, purpose: str, *ids: int) -> str:
        return b32encode(self._mac(purpose, *ids)[:20]).decode().lower()[:26]

    def _mac(self, purpose: str, *ids: int) -> bytes:
        key = hmac.new(self.master, b"tocsin/1/" + purpose.encode() + b"\x01", hashlib.sha256).digest()
        return hmac.new(key, b":".join(str(i).encode() for i in ids), hashlib.sha256).digest()


def keys_of(master_hex: str) -> Keys:
    """Return the keys of a credential file's master_key (64 hex digits).  Raises ConfigurationError."""
    try:
        master = bytes.fromhex(master_hex)
    except ValueError:
        master = b""
    if len(master) != 32:
        raise ConfigurationError(
            "The credential file has no usable master_key",
            "it is 64 hex digits; references, tokens and Message-IDs are derived from it",
            "Restore the credential file, or for a new installation run: tocsin init",
        )
    return Keys(master)


def check_character(body: str) -> str:
    """Return the check character of Crockford characters: one wrong character, or two swapped, never pass.

    A sum over GF(32) (x^5 + x^2 + 1) of each character times another power of x.
    """
    total = 0
    for power, char in enumerate(body, start=1):
        value = ALPHABET.index(char)
        for _ in range(power):
            value = (value << 1) ^ (0b100101 if value & 16 else 0)
        total ^= value
    return ALPHABET[total]


def is_reference(text: str) -> bool:
    """True if text has the form of a reference and its check character fits."""
    parts = text.strip().upper().split("-")
    if len(parts) != 4 or parts[0] != REFERENCE_PREFIX or [len(p) for p in parts[1:]] != [5, 5, 1]:
        return False
    body = parts[1] + parts[2]
    return all(c in ALPHABET for c in body) and check_character(body) == parts[3]
