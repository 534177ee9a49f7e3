"""Ask once for all networks below a wide one, where the registry offers it, instead of asking slice by slice.

Pure generator (talk.py).  What lies below is settled by the same answer; where nothing lies, the wide network
itself answers.  Standard: RFC 9910 (rirSearch1).
"""

from dataclasses import dataclass, replace

from pipeline.domain import Address, Answer, NetworkAnswer, Outcome, RdapQuestion, StepKind
from pipeline.resolve import rdap_answer, rdap_search, scope
from pipeline.resolve.questions import Said, by_rdap
from pipeline.resolve.rules import Rules
from pipeline.resolve.scope import Range
from pipeline.resolve.story import Story
from pipeline.resolve.talk import Found, Talk, Wait


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
    found: list[bytes] = []

    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        bodies = rdap_search.results(answer)
        found[:] = bodies or []
        if bodies is None:
            return replace(said.read, outcome=Outcome.UNUSABLE, why="search", candidates=())
        return NetworkAnswer(Outcome.CONTACTS if bodies else Outcome.NOT_FOUND, f"{len(bodies)} networks", registry)

    asked = RdapQuestion(None, rdap_search.bottom_url(rdap_search.base_of(said.url), *registered))
    answer = yield from by_rdap(StepKind.SEARCH, asked, rules, story, judge, lambda _read, _step: ())
    if isinstance(answer, Wait) or answer.read.outcome is Outcome.UNUSABLE:
        return Whole()
    return (yield from _whole(address, said, answer.raw, found, rules, story))


def _whole(address: Address, said: Said, raw: Answer, bodies: list[bytes], rules: Rules, story: Story) -> Talk[Whole]:
    """Divide the wide network among the listed ones that name a living contact, the narrower before the wider.

    Some servers list the network around others too, where those leave gaps, and some the lowest ones alone.  So a gap is
    the wide network's own only where that is listed itself; else it stays to be asked about.
    """
    whole = said.read.registered
    if whole is None:
        return Whole()
    listed = [one for body in bodies if (one := _listed(replace(raw, body=body), said, rules)) is not None]
    listed.sort(key=lambda one: scope.size(_range(one)))
    beside: list[Found] = []
    mine: Range | None = None
    for place, one in enumerate(listed):
        narrower = [_range(other) for other in listed[:place]]
        own = [part for free in rdap_search.uncovered(_range(one), narrower) for part in rdap_search.by_block(free)]
        if _range(one) == whole:
            mine = next((part for part in own if scope.covers(part, address)), None)
            one, own = said.read, [part for part in own if part != mine]
        inner = story.beside(one)
        if one.outcome is Outcome.CONTACTS and (yield from inner.reached()):
            found = inner.found(one, raw)
            beside += [replace(found, answer=replace(found.answer, cached=part)) for part in own]
    return Whole(mine, tuple(beside))


def _listed(answer: Answer, said: Said, rules: Rules) -> NetworkAnswer | None:
    """Return the judged network of one result, or None if it is not one inside the wide network."""
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
