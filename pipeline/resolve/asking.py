"""Which addresses to ask about one after another, and what an answer means for its question: the end, or another one.

Pure.  A refusal is waited for if the wait is short; else, and where RDAP names no contact, WHOIS is asked; a definite no
is taken before a refusal.  Standards: RFC 7480 sections 5.2 (redirects) and 5.5 (rate limits).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, TemporaryFailure
from pipeline.resolve import placeholders
from pipeline.resolve.scope import ScopeCaps

MOST_HOPS = 5  # redirects of one question
MOST_REFUSALS = 3  # of one question, before it is put to WHOIS or put off
PAUSE = timedelta(seconds=60)  # of a server that refuses and does not say for how long; a longer one is not waited for
WHOIS_PAUSE = timedelta(minutes=15)  # WHOIS servers shut out for long those who go on asking
SHORTEST_PAUSE = timedelta(seconds=1)
REGISTRIES = frozenset({"arin", "ripencc", "apnic", "lacnic", "afrinic"})
WHOIS_FLAGS = {"arin": "n + ", "ripencc": "-r "}

Verdict = tuple[NetworkAnswer, Answer]
Cell = tuple[int, int]  # version of IP, leading bits


@dataclass(frozen=True, slots=True)
class Question:
    """One network to be asked for by an address of it: where, and what RDAP said (`said`) while WHOIS is asked."""

    address: Address
    url: str
    registry: str
    hops: int = 0
    refusals: int = 0
    said: Verdict | None = None


# --- which addresses -------------------------------------------------------------------------------------------------


class Range(Protocol):
    """A network that answers for the numbers from `first` to `last`."""

    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


R = TypeVar("R", bound=Range)


def cell_of(address: Address, caps: ScopeCaps) -> Cell:
    """Return the widest range around an address that one answer may speak for: in it, one question at a time is asked."""
    return address.version, int(address) >> (address.max_prefixlen - widest(caps, address.version))


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


def narrowest(addresses: Iterable[Address], networks: Sequence[R]) -> dict[Address, R]:
    """Return for each address that a network answers for the first such network: give the narrowest first."""
    found: dict[Address, R] = {}
    families: dict[int, list[Address]] = {4: [], 6: []}
    for address in sorted(addresses, key=int):
        families[address.version].append(address)
    for network in networks:
        found |= dict.fromkeys(take(families[network.version], network), network)
    return found


# --- what an answer means --------------------------------------------------------------------------------------------


def registry_of(url: str) -> str:
    """Return the registry that a URL belongs to, by its host, or by its first path segment (the sandbox)."""
    parts = urlsplit(url)
    first = parts.path.strip("/").split("/")[0]
    return placeholders.registry_of_host(parts.hostname or "") or (first if first in REGISTRIES else "")


def whois_text(question: Question) -> str:
    """Return the line that a registry's WHOIS server is asked."""
    return f"{WHOIS_FLAGS.get(question.registry, '')}{question.address}"


def followed(question: Question, location: str) -> Question | NetworkAnswer:
    """Return the question that a redirect leads to; UNUSABLE after five of them, and for one from https to http."""
    unusable = NetworkAnswer(Outcome.UNUSABLE, "redirect-loop", question.registry)
    try:
        parts = urlsplit(location)
        registry = registry_of(location) or question.registry
    except ValueError:
        return replace(unusable, why="bad-redirect")
    if urlsplit(question.url).scheme == "https" and parts.scheme != "https":
        return replace(unusable, why="downgrade")
    if question.hops >= MOST_HOPS or location == question.url:
        return unusable
    return replace(question, url=location, registry=registry, hops=question.hops + 1)


def pause(question: Question, read: NetworkAnswer, answer: Answer) -> timedelta | None:
    """Return for how long the server that answered is to be left alone, or None if it did not refuse."""
    if read.outcome is not Outcome.REFUSED:
        return None
    asked = answer.failure.retry_after if isinstance(answer.failure, TemporaryFailure) else None
    if asked is not None:
        return max(asked, SHORTEST_PAUSE)
    return PAUSE if question.said is None else WHOIS_PAUSE


def after(
    question: Question, read: NetworkAnswer, answer: Answer, *, has_whois: bool, patience: timedelta
) -> Question | Verdict:
    """Return the question to ask next about the same address, or the verdict that ends it.

    A 403 is not tried again: it may be about that network alone.
    """
    wait = pause(question, read, answer)
    may_wait = wait is not None and wait <= min(patience, PAUSE) and answer.status != 403
    if may_wait and question.refusals < MOST_REFUSALS:
        return replace(question, refusals=question.refusals + 1)
    best = _better(question.said, (read, answer))
    silent = read.outcome not in (Outcome.CONTACTS, Outcome.SPECIAL)
    if has_whois and silent and question.said is None:
        return replace(question, said=best, refusals=0)
    return best


_ORDER = (Outcome.CONTACTS, Outcome.NO_CONTACT, Outcome.NOT_FOUND, Outcome.SPECIAL)


def _better(one: Verdict | None, other: Verdict) -> Verdict:
    """Return the verdict that says more: contacts before none, a definite no before a refusal; else the first."""
    if one is None:
        return other
    rank = {outcome: place for place, outcome in enumerate(_ORDER)}
    return other if rank.get(other[0].outcome, 9) < rank.get(one[0].outcome, 9) else one


def put_off_for(verdict: Verdict) -> timedelta | None:
    """Return when to ask again after a verdict that says nothing of the network, or None after one that does."""
    answer, raw = verdict
    if answer.outcome is Outcome.REFUSED:
        return timedelta(minutes=15)
    if answer.outcome is Outcome.UNUSABLE:
        return timedelta(hours=1) if isinstance(raw.failure, TemporaryFailure) else timedelta(hours=24)
    return None
