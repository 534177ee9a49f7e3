"""The keys that sign letters: from the settings and the credential file to keys that are ready, and to their DNS records.

Pure.  What cannot sign is refused with what is wrong, why, and what to do; no message ever quotes a key.
Standards: RFC 6376 3.1 (selectors), 3.6.1 (the record); RFC 8301 (RSA of 2048 to 4096 bits); RFC 8463 section 4.
"""

import re
from base64 import b64encode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pipeline.domain import ConfigurationError
from pipeline.send.dkim import DkimKey, DkimKeys, PrivateKey

SHORTEST, LONGEST = 2048, 4096  # bits of RSA; RFC 8301 3.2: receivers need not check longer ones
LONGEST_TEXT = 255  # octets of one string in a TXT record (RFC 1035 3.3.14)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_SELECTOR = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}(?:\.{_LABEL})*")
_BLANK = re.compile(r"[ \t\r\n]+")


def dkim_keys(domain: str, rsa_selector: str, rsa_key: str, ed25519_selector: str, ed25519_key: str) -> DkimKeys | None:
    """Return the domain and its keys, RSA first; None if nothing is said of signing at all.

    The keys are PEM texts (PKCS #8), empty where there is none.  Raises ConfigurationError.
    """
    if not any((domain, rsa_selector, rsa_key, ed25519_selector, ed25519_key)):
        return None
    domain = domain.lower()
    found = [
        _key("rsa", rsa_selector.lower(), rsa_key),
        _key("ed25519", ed25519_selector.lower(), ed25519_key),
    ]
    keys = tuple(key for key in found if key is not None)
    if not _DOMAIN.fullmatch(domain):
        raise ConfigurationError(
            "No letter can be signed: mail.dkim.domain is not a domain name",
            "it is the domain that signs, in ASCII (xn-- for other letters)",
            "Set it to the domain of the campaigns' from_mailbox.",
        )
    if not keys:
        raise ConfigurationError(
            "No letter can be signed: mail.dkim.domain is set, and there is no key",
            "",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    if len(keys) == 2 and keys[0].selector == keys[1].selector:
        raise ConfigurationError(
            "The two DKIM keys have one selector",
            "each needs a DNS record of its own, and a selector names one record",
            "Give mail.dkim.ed25519_selector another name.",
        )
    return DkimKeys(domain, keys)


def _key(kind: str, selector: str, pem: str) -> DkimKey | None:
    """Return one key, or None if there is neither a key nor a selector."""
    setting, secret = f"mail.dkim.{kind}_selector", f"dkim_{kind}_key"
    if not selector and not pem.strip():
        return None
    if not pem.strip():
        raise ConfigurationError(
            f"{setting} is set, and the credential file has no {secret}",
            "a selector says where receivers find the public half of that key",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    if not selector:
        raise ConfigurationError(
            f"The credential file has {secret}, and {setting} is not set",
            "a selector says where receivers find the public half of that key",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    if not _SELECTOR.fullmatch(selector):
        raise ConfigurationError(
            f"{setting} cannot be used as a selector",
            "it becomes part of a domain name: letters, digits, hyphens and dots, at most 63",
            f"Correct {setting} in config.toml.",
        )
    return DkimKey(selector, _private(kind, secret, pem))


def _private(kind: str, secret: str, pem: str) -> PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ConfigurationError(
            f"{secret} is protected by a passphrase",
            "nobody is there to type it when letters are sent",
            "Make it as docs/how-to/sign-letters.md says.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{secret} is not a private key in PEM",
            "it begins with -----BEGIN PRIVATE KEY-----",
            "Make it as docs/how-to/sign-letters.md says.",
        ) from None
    if kind == "ed25519" and isinstance(key, Ed25519PrivateKey):
        return key
    if kind != "rsa" or not isinstance(key, RSAPrivateKey):
        wanted = "Ed25519" if kind == "ed25519" else "RSA"
        raise ConfigurationError(
            f"{secret} is a key of another kind",
            f"it must be one of {wanted}",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    if not SHORTEST <= key.key_size <= LONGEST:
        raise ConfigurationError(
            f"{secret} has {key.key_size} bits",
            f"receivers want {SHORTEST} or more, and need not check more than {LONGEST} (RFC 8301)",
            "Make it as docs/how-to/sign-letters.md says.",
        )
    return key


# --- the record in the DNS -------------------------------------------------------------------------------------------


def record_name(key: DkimKey, domain: str) -> str:
    """Return the name under which the public key is published."""
    return f"{key.selector}._domainkey.{domain}"


def record(key: DkimKey) -> str:
    """Return the text to publish (RFC 6376 3.6.1)."""
    return f"v=DKIM1; k={_kind(key)}; p={public(key)}"


def zone_line(key: DkimKey, domain: str) -> str:
    """Return the record as a line of a zone file; a text of more than 255 characters stands there in pieces."""
    text = record(key)
    pieces = (text[start : start + LONGEST_TEXT] for start in range(0, len(text), LONGEST_TEXT))
    return f"{record_name(key, domain)}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)


def publishes(text: str, key: DkimKey) -> bool:
    """True if a TXT record lets receivers check this key's signatures."""
    tags = {name.strip(): value.strip() for name, _, value in (tag.partition("=") for tag in text.split(";"))}
    return (
        tags.get("v", "DKIM1") == "DKIM1"
        and tags.get("k", "rsa") == _kind(key)
        and _BLANK.sub("", tags.get("p", "")) == public(key)
        and "sha256" in _listed(tags.get("h", "sha256"))
        and not {"*", "email"}.isdisjoint(_listed(tags.get("s", "*")))
    )


def _listed(text: str) -> set[str]:
    return {item.strip() for item in text.split(":")}


def public(key: DkimKey) -> str:
    """Return `p=`: RSA as SubjectPublicKeyInfo, Ed25519 as its 32 bytes (RFC 8463 section 4), in base64."""
    half = key.private.public_key()
    if isinstance(key.private, RSAPrivateKey):
        return b64encode(half.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    return b64encode(half.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _kind(key: DkimKey) -> str:
    return "rsa" if isinstance(key.private, RSAPrivateKey) else "ed25519"
