"""Ask once for all networks below a wide one, where the registry offers it, instead of asking slice by slice.

Pure generator (talk.py).  What lies below is settled by the same answer; where nothing lies, the wide network
itself answers.  Standard: RFC 9910 (rirSearch1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, RdapQuestion, StepKind, TemporaryFailure
from pipeline.resolve import rdap_answer, rdap_search, scope
from pipeline.resolve.flat import Flat
from pipeline.resolve.questions import Said, by_rdap
from pipeline.resolve.rules import Rules
from pipeline.resolve.scope import Range
from pipeline.resolve.story import Story
from pipeline.resolve.talk import Found, Talk, Wait

MOST_PARTS = 1_024  # blocks of one network that are remembered: of IPv6 a network may reach over far more


@dataclass(frozen=True, slots=True)
class Whole:
    """`cached`: the part around the address that the wide network's answer holds for, None if there was no search.
    `beside`: the wide network's other parts, and the networks below that name a contact."""

    cached: Range | None = None
    beside: tuple[Found, ...] = ()


def below(address: Address, said: Said, rules: Rules, story: Story) -> Talk[Whole]:
    """Search below the network of an answer if that is wider than what the answer may speak for."""
    registered, cached = said.read.registered, said.read.cached
    if not (rules.use_search and said.url and registered and cached) or registered == cached:
        return Whole()
    if not rdap_search.offers(rdap_search.document(said.raw.body)):
        return Whole()
    base = rdap_search.base_of(said.url)
    listing = yield from _asked(rdap_search.bottom_url(base, *registered), address, said, rules, story)
    if listing.is_none and rdap_search.is_prefix(*registered):
        listing = yield from _asked(rdap_search.down_url(base, *registered), address, said, rules, story)
        listed = [*_listed(listing, said, rules), said.read] if listing.bodies is not None else []
        if any(_range(one) == registered for one in listed[:-1]):
            return Whole()  # the network itself: what lies below it is not said
        return (yield from _whole(address, said, listing.raw, listed, rules, story, is_down=True))
    return (yield from _whole(address, said, listing.raw, _listed(listing, said, rules), rules, story))


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a search brought: each network as the body of an answer of its own, or None if there is no list to be used.
    `is_none`: nor will there be one; else nothing is known yet."""

    raw: Answer
    bodies: list[bytes] | None
    is_none: bool


def _asked(url: str, address: Address, said: Said, rules: Rules, story: Story) -> Talk[_Listing]:
    found: list[list[bytes]] = []

    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        bodies = rdap_search.results(answer)
        found[:] = [bodies] if bodies is not None else []
        if bodies:
            return NetworkAnswer(Outcome.CONTACTS, f"{len(bodies)} networks", registry)
        refusal = rdap_answer.read(answer, address, registry=registry, caps=rules.caps)
        if refusal.outcome is Outcome.REFUSED or isinstance(answer.failure, TemporaryFailure):
            return refusal
        # a list that is cut stays so: it is kept, so that no other slice of the network asks for it
        return NetworkAnswer(Outcome.NOT_FOUND, "no networks" if bodies is not None else "no-list", registry)

    asked = RdapQuestion(None, url, body_cap=rdap_search.MOST_BODY)
    answer = yield from by_rdap(StepKind.SEARCH, asked, rules, story, judge, lambda _read, _step: ())
    if isinstance(answer, Wait):
        return _Listing(said.raw, None, is_none=False)
    return _Listing(answer.raw, found[0] if found else None, is_none=answer.read.why == "no-list")


def _whole(
    address: Address,
    said: Said,
    raw: Answer,
    listed: Sequence[NetworkAnswer],
    rules: Rules,
    story: Story,
    *,
    is_down: bool = False,
) -> Talk[Whole]:
    """Divide the wide network among the listed ones that name a living contact, the narrower before the wider.

    Some servers list the network around others too, where those leave gaps, and some the lowest ones alone.  So a gap is
    the wide network's own only where that is listed itself; else it stays to be asked about.  `is_down`: those listed may
    have others below, and stay to be asked about, too.
    """
    whole = said.read.registered
    beside: list[Found] = []
    mine: Range | None = None
    for one, own in _divided(whole, listed) if whole is not None else ():
        if _range(one) == whole:
            mine = next((part for part in own if scope.covers(part, address)), None)
            one, own = said.read, [part for part in own if part != mine]
        elif is_down:
            continue
        if one.outcome is not Outcome.CONTACTS or not own:
            continue
        inner = story.beside(one, own[0][0])
        if (yield from inner.reached()):
            found = inner.found(one, raw)
            mailboxes = [each.mailbox for each in found.answer.candidates]
            fit = [part for part in own[:MOST_PARTS] if rules.spoken.is_alike(mailboxes, part, inner.address)]
            beside += [replace(found, answer=replace(found.answer, cached=part)) for part in fit]
    return Whole(mine, tuple(beside))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A listed network, or None for the wide one, with the numbers that it reaches over."""

    read: NetworkAnswer | None
    version: int
    first: int
    last: int


def _divided(whole: Range, listed: Sequence[NetworkAnswer]) -> list[tuple[NetworkAnswer, list[Range]]]:
    """Return each listed network that answers for a part of the wide one, with its parts, none over a block's border."""
    kind, version = type(whole[0]), whole[0].version
    ranges = [(one, _range(one)) for one in listed]
    placed = [_Placed(one, version, int(first), int(last)) for one, (first, last) in ranges]
    table = Flat([*placed, _Placed(None, version, int(whole[0]), int(whole[1]))])
    parts: dict[int, tuple[NetworkAnswer, list[Range]]] = {}
    at = int(whole[0])
    while at <= int(whole[1]) and (around := table.around(version, at)) is not None:
        holder, first, last = around
        if holder.read is not None:
            own = parts.setdefault(id(holder), (holder.read, []))[1]
            own += rdap_search.by_block((kind(first), kind(last)))
        at = last + 1
    return list(parts.values())


def _listed(listing: _Listing, said: Said, rules: Rules) -> list[NetworkAnswer]:
    """Return the judged network of each result that is one inside the wide network."""
    answers = (replace(listing.raw, body=body) for body in listing.bodies or ())
    return [one for answer in answers if (one := _inside(answer, said, rules)) is not None]


def _inside(answer: Answer, said: Said, rules: Rules) -> NetworkAnswer | None:
    first = scope.read_address(str(rdap_search.document(answer.body).get("startAddress", "")))
    whole = said.read.registered
    if first is None or whole is None or not scope.covers(whole, first):
        return None
    read = rdap_answer.read(answer, first, registry=said.registry, caps=rules.caps)
    return read if read.registered is not None and scope.covers(whole, read.registered[1]) else None


def _range(one: NetworkAnswer) -> Range:
    if one.registered is None:
        raise ValueError("a network of a search has a range")
    return one.registered
