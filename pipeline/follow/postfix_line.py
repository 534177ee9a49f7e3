"""What Postfix says in one line of its log.

Pure.  Postfix writes the words of other servers last, in brackets, and before them only what it has made itself: so a line
is read from its beginning, and nothing after `status=...` can be taken for a field.  A Message-ID alone is no proof:
`cleanup` logs it while the message still comes in, and a message whose end never comes is thrown away.  That the queue
manager has it is one.  Standards: RFC 3463 (dsn).
"""

import re
from collections.abc import Collection
from datetime import datetime

from pipeline.follow.relay_line import (
    MAX_NAME,
    Active,
    Fact,
    Named,
    Network,
    Removed,
    Status,
    Tried,
    clean,
    is_ours,
    storable,
)

_SAID = re.compile(r"([0-9A-Za-z]{5,40}): (.*)", re.DOTALL)
_MESSAGE_ID = re.compile(r"message-id=(<[^<>\s]{1,500}>)")
_FROM = re.compile(r"from=<([^>]*)>, size=")
_GIVEN_UP = re.compile(r"from=<([^>]*)>, status=(?:force-)?expired, returned to sender")
_TRIED = re.compile(
    r"to=<(?P<to>[^>]*)>, (?:orig_to=<(?P<before>[^>]*)>, )?relay=(?P<relay>[^,]*), (?P<fields>(?:[a-z_]+=[^,(]*, )*)"
    r"status=(?P<status>[a-z-]+)(?: \((?P<words>.*))?",
    re.DOTALL,
)
_DSN = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_STORED = ("delivered to mailbox", "delivered to maildir", "delivered to file")
_STATES = {
    "sent": Status.SENT,
    "deferred": Status.DEFERRED,
    "bounced": Status.BOUNCED,
    "expired": Status.EXPIRED,
    "force-expired": Status.EXPIRED,
}
AGENTS = frozenset({"smtp", "lmtp", "local", "virtual", "pipe", "error", "retry", "discard", "bounce"})


def fact_of(at: datetime, host: str, program: str, said: str, ours: Collection[Network]) -> Fact | None:
    """Return what `program` (postfix/smtp, postfix-out/relay/smtp) of a host says, or None if it is nothing of ours."""
    instance, _, agent = clean(program, MAX_NAME).rpartition("/")
    found = _SAID.match(storable(said))
    if not instance or found is None:
        return None
    relay = f"{clean(host, MAX_NAME)}/{instance.partition('/')[0]}"
    queue_id, rest = found[1], found[2]
    if agent in AGENTS:
        return _tried(at, relay, queue_id, agent, rest, ours)
    if agent == "cleanup":
        named = _MESSAGE_ID.match(rest)
        return Named(at, relay, queue_id, named[1]) if named else None
    return _managed(at, relay, queue_id, rest) if agent == "qmgr" else None


def _managed(at: datetime, relay: str, queue_id: str, rest: str) -> Fact | None:
    """Return what the queue manager says: it has a message, gives it up, is rid of it."""
    if rest.startswith("removed"):
        return Removed(at, relay, queue_id)
    if found := _FROM.match(rest):
        return Active(at, relay, queue_id, found[1])
    if found := _GIVEN_UP.match(rest):
        words = "expired, returned to sender"
        return Tried(at, relay, queue_id, "qmgr", (), "", "", Status.EXPIRED, words, "", sender=found[1])
    return None


def _tried(at: datetime, relay: str, queue_id: str, agent: str, rest: str, ours: Collection[Network]) -> Tried | None:
    found = _TRIED.match(rest)
    if found is None or found["status"] not in _STATES:
        return None
    fields = dict(part.split("=", 1) for part in found["fields"].split(", ") if "=" in part)
    words = clean((found["words"] or "").rstrip().removesuffix(")"))
    host = clean(found["relay"], MAX_NAME)
    status = _STATES[found["status"]]
    if status is Status.SENT and not _final(agent, host, words, ours):
        status = Status.PASSED
    dsn = fields.get("dsn", "")
    return Tried(
        at=at,
        relay=relay,
        queue_id=queue_id,
        agent=agent,
        recipients=tuple(address for address in (found["to"], found["before"]) if address),
        host="" if host == "none" else host,
        dsn=dsn if _DSN.fullmatch(dsn) else "",
        status=status,
        words=words,
        once=f"{fields.get('delay', '')} {fields.get('delays', '')}",
    )


def _final(agent: str, host: str, words: str, ours: Collection[Network]) -> bool:
    """True if a delivery went to the recipient's own server, or into a mailbox here.

    A server of ours, a filter or a command only passes a letter on: its own log goes on with it, under the same Message-ID.
    """
    if agent in ("smtp", "lmtp"):
        return not is_ours(host, ours)
    return agent in ("local", "virtual") and words.startswith(_STORED)
