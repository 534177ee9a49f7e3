"""The mailbox that RFC 2142 reserves for abuse reports, of the domain that an address's confirmed name is in.

Reads: the Public Suffix List, once, as the publicsuffixlist package carries it.  Writes: nothing.  The domain is what
somebody registered.  Where a provider lets customers have names below its own ("home.dyndns.example"; the list's private
section) that is the customer's part, and a name there that the provider made of the address is nobody's.  An address with
names in several domains is a machine that many share: none of them answers for it.
Standards: RFC 2142 section 4; RFC 1912 section 2.1 (names and addresses must agree); publicsuffix.org/list.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address

from publicsuffixlist import PublicSuffixList

from pipeline.domain import Address, Answer, Candidate, Tier
from pipeline.resolve import choose, name_answer
from pipeline.resolve.choose import Found

SOURCE = "host-name"
CONFIDENCE = 25
CONFIDENCE_LENT = 15  # of a name that a provider lent to a customer
MOST_NAMES = 20
MOST_DOMAINS = 2

PUBLIC_SUFFIX, GENERIC_NAME, SHARED_HOST = "public-suffix", "generic-name", "shared-host"
LENT_DOMAIN = "lent-domain"

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,126}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_FOUR_NUMBERS = re.compile(r"(?<!\d)\d{1,3}([-._x])\d{1,3}\1\d{1,3}\1\d{1,3}(?!\d)")
_MACHINE = re.compile(
    r"(?:ip|host|static|dyn|dynamic|pool|ppp|x?dsl|adsl|cpe|client|customer|vps|server|node|compute|nat|dhcp|rev|reverse"
    r"|unassigned)[-_\d]*"
)


@dataclass(frozen=True, slots=True)
class Suffixes:
    """The Public Suffix List whole, and what registries of names alone say: without the providers."""

    whole: PublicSuffixList
    registries: PublicSuffixList

    def registered(self, name: str) -> str:
        """Return the domain that somebody registered to have this name (A-labels), or "" for a public suffix itself."""
        return self.whole.privatesuffix(name) or ""

    def is_lent(self, name: str) -> bool:
        """True if a provider lent its customer the domain that the name is in."""
        return self.whole.publicsuffix(name) != self.registries.publicsuffix(name)


@functools.cache
def suffixes(text: str | None = None) -> Suffixes:
    """Return the list in `text`, in the format of publicsuffix.org, or the one that the package carries."""
    return Suffixes(PublicSuffixList(text), PublicSuffixList(text, only_icann=True))


def mailboxes(answer: Answer, known: Suffixes | None = None) -> tuple[Candidate, ...]:
    """Return abuse@DOMAIN for each domain that the names of an address are in, those that must not be used rejected.

    `answer` is the one to the question for the names that lead back to the address; its source ends with the address.
    """
    known = known or suffixes()
    address = _asked(answer.source)
    names = [name for text in name_answer.texts(answer, "names")[:MOST_NAMES] if (name := _plain(text))]
    found = [_mailbox(name, address, known) for name in names]
    if len({each.text for each in found if not each.rejected}) > MOST_DOMAINS:
        found = [_mailbox(name, address, known, SHARED_HOST) for name in names]
    weighed = [
        replace(each, source=SOURCE, confidence=_confidence(each)) for each in choose.judge(found, frozenset(), {})
    ]
    ranked = sorted(weighed, key=lambda each: (bool(each.rejected), -each.confidence))
    return tuple(replace(each, rank=rank) for rank, each in enumerate(ranked))


def _asked(source: str) -> Address | None:
    try:
        return ip_address(source.rpartition("/")[2][:64])
    except ValueError:
        return None


def _plain(text: str) -> str:
    """The name in lower case without its final dot; "" if it is none of at least two labels, or an address."""
    name = text.lower().removesuffix(".")
    return name if len(name) <= 253 and _NAME.fullmatch(name) else ""


def _mailbox(name: str, address: Address | None, known: Suffixes, otherwise: str = "") -> Found:
    """abuse@ the name's domain, with the reason against it: the name's own, or what holds for all names of the address."""
    domain, is_lent = known.registered(name), known.is_lent(name)
    reason = PUBLIC_SUFFIX if not domain else GENERIC_NAME if _is_generic(name, domain, is_lent, address) else otherwise
    text = f"abuse@{domain or name}"
    return Found(text, choose.MAILBOX_NAME, name, "", reason, LENT_DOMAIN if is_lent else "", Tier.HOST_NAME)


def _confidence(candidate: Candidate) -> int:
    if candidate.rejected:
        return 0
    return CONFIDENCE_LENT if candidate.note == LENT_DOMAIN else CONFIDENCE


# --- names that were made of an address -------------------------------------------------------------------------------


def _is_generic(name: str, domain: str, is_lent: bool, address: Address | None) -> bool:
    """True if the provider that the suffix belongs to made the name of the address, or the domain's own label is made so.

    Under a domain that somebody registered, such a name is the usual one of a machine, and its provider is who is told.
    """
    own = domain.partition(".")[0]
    made_by_hand = name if is_lent else own
    return _tells(made_by_hand, address) or (is_lent and _MACHINE.fullmatch(own) is not None)


def _tells(text: str, address: Address | None) -> bool:
    """True if the text holds the address, forwards or backwards, in one of the forms in use."""
    if _FOUR_NUMBERS.search(text):
        return True
    if address is None:
        return False
    return _tells_v4(text, address) if isinstance(address, IPv4Address) else _tells_v6(text, address)


def _tells_v4(text: str, address: IPv4Address) -> bool:
    """Three octets in a row, zero-padded digits without marks between them, hexadecimal, or one decimal number."""
    octets = [str(octet) for octet in address.packed]
    numbers = [number.lstrip("0") or "0" for number in re.findall(r"\d+", text)]
    padded = "".join(octet.zfill(3) for octet in octets)
    return (
        any(_stands_in(run, numbers) for way in (octets, octets[::-1]) for run in (way[:3], way[1:]))
        or str(int(address)) in numbers
        or padded in text
        or address.packed.hex() in text
    )


def _tells_v6(text: str, address: Address) -> bool:
    """All nibbles with or without marks between them, or the groups as they are written."""
    nibbles = address.packed.hex()
    bare = re.sub(r"[-._]", "", text)
    groups = [group for group in str(address).split(":") if group]
    written = re.split(r"[^0-9a-z]+", text)
    return nibbles in bare or nibbles[::-1] in bare or (len(groups) > 2 and _stands_in(groups, written))


def _stands_in(run: Sequence[str], texts: Sequence[str]) -> bool:
    return any(list(texts[at : at + len(run)]) == list(run) for at in range(len(texts) - len(run) + 1))
