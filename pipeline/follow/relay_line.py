"""What a line of a relay's log says, in one shape, whichever program wrote it; and how strangers' words are cleaned.

Pure.  A relay writes into its log what a recipient's server answered: anybody's words, which are bounded and cleaned here,
and never more than text afterwards.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address

from pipeline.domain import Event

MAX_LINE = 16_384  # bytes; a syslog line has at most 8 KB, an entry of the journal with all its fields some more
MAX_WORDS = 1_000  # characters
MAX_NAME = 255

Network = IPv4Network | IPv6Network


class Status(StrEnum):
    """What became of a letter in one step behind our relay."""

    QUEUED = "queued"  # the relay has it in its queue
    PASSED = "passed"  # handed on to a server of ours, or where nobody can say whose it is
    SENT = "sent"  # the recipient's own server took it
    DEFERRED = "deferred"  # not taken now; the relay tries again
    BOUNCED = "bounced"  # refused, and returned to us
    EXPIRED = "expired"  # the relay gave it up, and returned it to us


MOVES: dict[Status, Event | None] = {
    Status.QUEUED: None,
    Status.PASSED: None,
    Status.SENT: Event.LETTER_ACCEPTED,
    Status.DEFERRED: None,
    Status.BOUNCED: Event.LETTER_BOUNCED,
    Status.EXPIRED: Event.LETTER_BOUNCED,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A queue id has a message with this Message-ID: it is on its way into the queue, not yet in it."""

    at: datetime
    relay: str
    queue_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Active:
    """The queue manager has a message from this envelope sender: it is in the queue for good."""

    at: datetime
    relay: str
    queue_id: str
    sender: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One delivery, or what the relay did in place of one.

    `recipients` are the address and, where the relay has rewritten it, the one before.  A log that has no queue ids names
    `message_id` or `sender` instead.  `once` tells this delivery from another one that says the same.
    """

    at: datetime
    relay: str
    queue_id: str
    agent: str
    recipients: tuple[str, ...]
    host: str
    dsn: str
    status: Status
    words: str
    once: str
    message_id: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """A queue id is free again."""

    at: datetime
    relay: str
    queue_id: str


Fact = Named | Active | Tried | Removed


def mark(fact: Fact) -> bytes:
    """Return what a fact says, hashed: the same from every form in which one log may be kept, and told twice the same.

    The time is not in it: one form of a log has seconds, another microseconds.  The delay that Postfix writes tells the
    attempts apart.
    """
    told: tuple[str, ...] = (fact.relay, fact.queue_id, type(fact).__name__)
    if isinstance(fact, Tried):
        told = (fact.relay, fact.queue_id, fact.agent, fact.host, fact.dsn, fact.status, fact.words, fact.once)
    return hashlib.sha256("\x1f".join(told).encode()).digest()


def clean(text: str, most: int = MAX_WORDS) -> str:
    """Return a stranger's words on one line, without control and format characters, cut."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * most]).split())[:most]


def storable(text: str) -> str:
    """Return a text without what no database takes: NUL, and halves of surrogate pairs, which JSON may hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def address_of(host: str) -> str:
    """Return the address in `name[address]:port`, or the text itself: `relay=` of Postfix, or what another log names."""
    _, bracket, rest = host.partition("[")
    return rest.partition("]")[0] if bracket else host


def is_ours(host: str, ours: Collection[Network]) -> bool:
    """True if a host stands for no server of others: none at all, a socket of the file system, an address of ours."""
    address = address_of(host)
    if not address or address == "none" or "/" in address:
        return True
    try:
        found = ip_address(address.removeprefix("IPv6:"))
    except ValueError:
        return address.rstrip(".").lower() == "localhost"
    return any(found.version == network.version and found in network for network in ours)
