"""The chain behind a network that names nobody who can be written to: parent, origin, directory, CERT, host name.

Pure generators (talk.py).  Each part is asked only while no living contact is good enough; what each brought is kept, so
that the next one is there when a mailbox bounces.  Whoever is found here is not the network's own contact, and a letter to
them is approved apart.  Standards: RFC 9083 section 4.2 (links), RFC 9224 section 5.3, RFC 2142.
"""

from collections.abc import Callable

from pipeline.domain import (
    Address,
    Answer,
    Candidate,
    NameKind,
    NetworkAnswer,
    Outcome,
    RdapQuestion,
    StepKind,
    TemporaryFailure,
    Tier,
)
from pipeline.resolve import bootstrap, directory, host_name, origin, parent, rdap_answer, rdap_search
from pipeline.resolve.questions import Said, by_name, by_rdap
from pipeline.resolve.rules import Rules
from pipeline.resolve.story import SAYS_NOTHING, Story
from pipeline.resolve.talk import Talk, Wait

MOST_PARENTS = 2

Part = Callable[[Address, Said, Rules, Story], Talk[None]]


def go_on(address: Address, said: Said, rules: Rules, story: Story) -> Talk[None]:
    """Go through the parts of the chain, in their order, until a living contact is good enough.

    Where the country's CERT or partner alone is told, nobody else is looked for.
    """
    country = said.read.country or rules.countries.get(address, "")
    if story.is_by_route(country, said.raw.at):
        yield from story.reached()
        return
    for name in rules.chain:
        part = PARTS.get(name)
        if part is None and name != "cert":
            continue  # one of those that lookup.py goes through
        if (yield from story.reached()):
            return
        if part is not None:
            yield from part(address, said, rules, story)
        else:
            story.add_route(country, said.raw.at)
    yield from story.reached()


def _parent(address: Address, said: Said, rules: Rules, story: Story) -> Talk[None]:
    """Ask for the network around the network, and the one around that."""

    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        return rdap_answer.read(answer, address, registry=registry, caps=rules.caps)

    def weigh(read: NetworkAnswer, step: int) -> tuple[Candidate, ...]:
        return parent.candidates(read, Tier.PARENT, step)

    inner, seen = said, {said.url}
    for _ in range(MOST_PARENTS):
        url = rdap_search.parent_url(rdap_search.document(inner.raw.body), inner.url) if inner.url else ""
        if not url or url in seen:
            return
        seen.add(url)
        outer = yield from by_rdap(StepKind.PARENT, RdapQuestion(None, url), rules, story, judge, weigh)
        if isinstance(outer, Wait) or outer.read.outcome in SAYS_NOTHING:
            story.unsettled |= _is_for_now(outer)
            return
        if outer.read.outcome is Outcome.CONTACTS:
            return
        inner = outer


def _origin(address: Address, _said: Said, rules: Rules, story: Story) -> Talk[None]:
    """Ask which ASes announce the address, and then for the contact of each."""
    if not (rules.origin_zone if address.version == 4 else rules.origin6_zone):
        return
    name = origin.question(address, rules.origin_zone, rules.origin6_zone)
    answer = yield from by_name(StepKind.ORIGIN, NameKind.TXT, name, story)
    if answer is None:
        return
    numbers = [number for number, _ in origin.asns(answer, address)]
    why = " ".join(f"AS{number}" for number in numbers) or "no-origin"
    outcome = Outcome.CONTACTS if numbers else Outcome.NO_CONTACT
    story.add(StepKind.ORIGIN, f"dns:TXT/{name}", NetworkAnswer(outcome, why), answer)
    for number in numbers:
        base = bootstrap.choose(rules.autnums, number)
        if base is not None:
            yield from _autnum(number, base, rules, story)


def _autnum(number: int, base: str, rules: Rules, story: Story) -> Talk[None]:
    def judge(answer: Answer, registry: str) -> NetworkAnswer:
        return rdap_answer.read(answer, number, registry=registry, caps=rules.caps)

    def weigh(read: NetworkAnswer, step: int) -> tuple[Candidate, ...]:
        return parent.candidates(read, Tier.ORIGIN, step)

    asked = RdapQuestion(None, f"{base.rstrip('/')}/autnum/{number}")
    said = yield from by_rdap(StepKind.AUTNUM, asked, rules, story, judge, weigh)
    if isinstance(said, Wait) or said.read.outcome in SAYS_NOTHING:
        story.unsettled |= _is_for_now(said)


def _directory(address: Address, _said: Said, rules: Rules, story: Story) -> Talk[None]:
    """Ask a public directory of abuse contacts, which repeats what registries say, for the widest range."""
    if not rules.directory_zone:
        return
    name = directory.question(address, rules.directory_zone)
    answer = yield from by_name(StepKind.DIRECTORY, NameKind.TXT, name, story)
    if answer is not None:
        _brought(StepKind.DIRECTORY, f"dns:TXT/{name}", directory.mailboxes(answer), answer, story)


def _host_name(address: Address, _said: Said, _rules: Rules, story: Story) -> Talk[None]:
    """Take the mailbox that RFC 2142 reserves, of the domain that the address's confirmed name is in."""
    answer = yield from by_name(StepKind.HOST_NAME, NameKind.HOST, str(address), story)
    if answer is not None:
        _brought(StepKind.HOST_NAME, f"dns:HOST/{address}", host_name.mailboxes(answer), answer, story)


def _brought(kind: StepKind, question: str, candidates: tuple[Candidate, ...], answer: Answer, story: Story) -> None:
    has_contact = any(not each.rejected for each in candidates)
    read = NetworkAnswer(Outcome.CONTACTS if has_contact else Outcome.NO_CONTACT)
    story.add(kind, question, read, answer, candidates)


def _is_for_now(said: Said | Wait) -> bool:
    """May the same question be answered later?"""
    if isinstance(said, Wait):
        return True
    return said.read.outcome is Outcome.REFUSED or isinstance(said.raw.failure, TemporaryFailure)


PARTS: dict[str, Part] = {"parent": _parent, "origin": _origin, "directory": _directory, "host_name": _host_name}
