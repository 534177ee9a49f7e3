"""Which addresses to ask about one after another, how long a server is left alone, and where a redirect leads.

Pure.  Standards: RFC 7480 sections 5.2 (redirects) and 5.5 (rate limits).
"""

from bisect import bisect_left, bisect_right
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, TemporaryFailure
from pipeline.resolve import placeholders
from pipeline.resolve.scope import ScopeCaps

MOST_HOPS = 5  # redirects of one question
MOST_REFUSALS = 3  # of one question, before it is put elsewhere or put off
PAUSE = timedelta(seconds=60)  # of a server that refuses and does not say for how long; a longer one is not waited for
WHOIS_PAUSE = timedelta(minutes=15)  # WHOIS servers shut out for long those who go on asking
SHORTEST_PAUSE = timedelta(seconds=1)
REGISTRIES = frozenset({"arin", "ripencc", "apnic", "lacnic", "afrinic"})

Cell = tuple[int, int]  # version of IP, leading bits


class Range(Protocol):
    """A network that answers for the numbers from `first` to `last`."""

    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


def cell_of(address: Address, caps: ScopeCaps) -> Cell:
    """Return the widest range around an address that one answer may speak for: in it, one question at a time is asked."""
    return address.version, int(address) >> (address.max_prefixlen - widest(caps, address.version))


def cells_of(network: Range, caps: ScopeCaps) -> range:
    """Return the leading bits of the cells that a network reaches into."""
    bits = (32 if network.version == 4 else 128) - widest(caps, network.version)
    return range(network.first >> bits, (network.last >> bits) + 1)


def widest(caps: ScopeCaps, version: int) -> int:
    """Return the length of the widest prefix that one answer may speak for."""
    return min(caps.prefix(version, *kind) for kind in (("", False), ("", True), ("lacnic", False)))


def take(addresses: list[Address], known: Range) -> list[Address]:
    """Remove from sorted addresses of one family those that a network answers for, and return them."""
    if not addresses or addresses[0].version != known.version:
        return []
    start, end = bisect_left(addresses, known.first, key=int), bisect_right(addresses, known.last, key=int)
    taken = addresses[start:end]
    del addresses[start:end]
    return taken


def registry_of(url: str) -> str:
    """Return the registry that a URL belongs to, by its host, or by its first path segment (the sandbox)."""
    parts = urlsplit(url)
    first = parts.path.strip("/").split("/")[0]
    return placeholders.registry_of_host(parts.hostname or "") or (first if first in REGISTRIES else "")


def followed(url: str, location: str, hops: int) -> str:
    """Return why a redirect is not followed, or an empty text: five of them are, and none from https to http."""
    try:
        parts = urlsplit(location)
        registry_of(location)
    except ValueError:
        return "bad-redirect"
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        return "downgrade"
    return "redirect-loop" if hops >= MOST_HOPS or location == url else ""


def pause(read: NetworkAnswer, answer: Answer, *, is_whois: bool) -> timedelta | None:
    """Return for how long the server that answered is to be left alone, or None if it did not refuse."""
    if read.outcome is not Outcome.REFUSED:
        return None
    asked = answer.failure.retry_after if isinstance(answer.failure, TemporaryFailure) else None
    if asked is not None:
        return max(asked, SHORTEST_PAUSE)
    return WHOIS_PAUSE if is_whois else PAUSE


def is_waited_for(wait: timedelta | None, answer: Answer, refusals: int, patience: timedelta) -> bool:
    """Is the same question asked again after the pause?  Not after a 403: it may be about that network alone."""
    short = wait is not None and wait <= min(patience, PAUSE)
    return short and answer.status != 403 and refusals < MOST_REFUSALS


_ORDER = {Outcome.CONTACTS: 0, Outcome.NO_CONTACT: 1, Outcome.NOT_FOUND: 2, Outcome.SPECIAL: 3}


def says_more(one: NetworkAnswer, other: NetworkAnswer) -> bool:
    """Does the second answer say more: contacts before none, a definite no before a refusal?"""
    return _ORDER.get(other.outcome, 9) < _ORDER.get(one.outcome, 9)


def put_off_for(read: NetworkAnswer, raw: Answer) -> timedelta | None:
    """Return when to ask again after an answer that says nothing of the network, or None after one that does."""
    if read.outcome is Outcome.REFUSED:
        return timedelta(minutes=15)
    if read.outcome is Outcome.UNUSABLE:
        return timedelta(hours=1) if isinstance(raw.failure, TemporaryFailure) else timedelta(hours=24)
    return None
