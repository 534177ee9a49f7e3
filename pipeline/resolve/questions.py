"""One question of a look-up, with all that belongs to it: redirects, pauses, referrals, and the step in the story.

Pure generators (talk.py).  A refusal is waited for if the wait is short.  What says something is kept, so that it is not
asked again; a redirect that was followed too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.domain import (
    Address,
    Answer,
    Candidate,
    NameKind,
    NameQuestion,
    NetworkAnswer,
    Outcome,
    PermanentFailure,
    RdapQuestion,
    StepKind,
    WhoisQuestion,
)
from pipeline.resolve import asking, referral, whois_answer
from pipeline.resolve.rules import Rules
from pipeline.resolve.story import SAYS_NOTHING, Story
from pipeline.resolve.talk import Keep, Pause, Talk, Wait, source

MOST_REFERRALS = 2
ALONE = (StepKind.NETWORK, StepKind.SEARCH, StepKind.PAGE)  # their answers are of one look-up

# what many look-ups ask: while it fails, once for all of them
SPARED = (StepKind.SEARCH, StepKind.PARENT, StepKind.AUTNUM)

Judge = Callable[[Answer, str], NetworkAnswer]  # (an answer, the registry that gave it)
Weigh = Callable[[NetworkAnswer, int], Sequence[Candidate]]  # (what was read, the number of its step)


@dataclass(frozen=True, slots=True)
class Said:
    """A judged answer, what it was judged from, where it came from, and which registry that is."""

    read: NetworkAnswer
    raw: Answer
    url: str
    registry: str


def as_read(read: NetworkAnswer, _step: int) -> Sequence[Candidate]:
    """Take the candidates of an answer as they are: those of the network itself."""
    return read.candidates


def by_rdap(
    kind: StepKind, asked: RdapQuestion, rules: Rules, story: Story, judge: Judge, weigh: Weigh = as_read
) -> Talk[Said | Wait]:
    """Ask over HTTP, follow redirects, and note the step.  Returns Wait if its server has no slot soon enough."""
    hops = refusals = 0
    registry = asking.registry_of(asked.url)
    while True:
        heard = yield asked
        if heard is None or isinstance(heard, Wait):
            return _waited(heard)
        if heard.location and not (why := asking.followed(asked.url, heard.location, hops)):
            yield Keep(asked, replace(heard.answer, body=heard.location.encode()))
            asked, hops = replace(asked, url=heard.location), hops + 1
            registry = asking.registry_of(asked.url) or registry
            continue
        raw = heard.answer
        read = NetworkAnswer(Outcome.UNUSABLE, why, registry) if heard.location else judge(raw, registry)
        wait = asking.pause(read, raw, is_whois=False) if not heard.is_old else None
        if wait is not None:
            yield Pause(asked, wait)
            if asking.is_waited_for(wait, raw, refusals, rules.patience):
                refusals += 1
                continue
        elif read.outcome not in SAYS_NOTHING:
            yield Keep(asked, raw, kind not in ALONE)
        if kind in SPARED and not heard.is_old and read.outcome in SAYS_NOTHING:
            yield Keep(asked, raw, is_shared=True, is_failure=True)
        story.add(kind, source(asked), read, raw, weigh(read, story.number))
        return Said(read, raw, asked.url, registry)


def by_whois(address: Address, registry: str, rules: Rules, story: Story) -> Talk[Said | Wait]:
    """Ask a registry's WHOIS server about an address, and whoever it refers to."""
    host, port = rules.whois_hosts[registry]
    said = yield from _whois(
        host, port, referral.text(registry, referral.WHOIS, address), registry, address, rules, story
    )
    seen = {(host, port)}
    for _ in range(MOST_REFERRALS):
        if isinstance(said, Wait) or said.read.outcome is Outcome.CONTACTS:
            break
        onward = referral.find(said.raw, said.registry, allow_loopback=rules.allow_loopback)
        if onward is None or (onward.host, onward.port) in seen:
            break
        host, port = onward.host, onward.port
        seen.add((host, port))
        text = referral.text(onward.registry, onward.protocol, address)
        further = yield from _whois(host, port, text, onward.registry or registry, address, rules, story)
        if isinstance(further, Wait) or not asking.says_more(said.read, further.read):
            break
        said = further
    return said


def _whois(
    host: str, port: int, text: str, registry: str, address: Address, rules: Rules, story: Story
) -> Talk[Said | Wait]:
    refusals = 0
    asked = WhoisQuestion(None, host, port, text)
    while True:
        heard = yield asked
        if heard is None or isinstance(heard, Wait):
            return _waited(heard)
        raw = heard.answer
        read = whois_answer.read(raw, address, registry=registry, caps=rules.caps)
        wait = asking.pause(read, raw, is_whois=True)
        if wait is not None:
            yield Pause(asked, wait)
            if asking.is_waited_for(wait, raw, refusals, rules.patience):
                refusals += 1
                continue
        elif read.outcome is not Outcome.UNUSABLE:
            yield Keep(asked, raw)
        story.add(StepKind.WHOIS, source(asked), read, raw, read.candidates)
        return Said(read, raw, "", registry)


def by_name(kind: StepKind, names: NameKind, name: str, story: Story) -> Talk[Answer | None]:
    """Ask the DNS; None, and a step that says so, if it could not say."""
    asked = NameQuestion(None, names, name)
    heard = yield asked
    if heard is None or isinstance(heard, Wait):
        story.unsettled = True
        return None
    if heard.answer.failure is not None:
        story.unsettled |= not isinstance(heard.answer.failure, PermanentFailure)
        story.add(kind, source(asked), NetworkAnswer(Outcome.UNUSABLE, heard.answer.failure.text), heard.answer)
        return None
    yield Keep(asked, heard.answer, is_shared=False)
    return heard.answer


def _waited(heard: Wait | None) -> Wait:
    if heard is None:
        raise TypeError("a question was sent nothing")
    return heard
