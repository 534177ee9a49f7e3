"""The chain's candidates: those of an answer about something beside the network, and all of them in one order.

Pure.  A mailbox of the network above, of an AS or of a contact that was asked for by its handle counts for less than the
network's own, and never more because it was asked for separately.  The order is that of docs/explanation/contacts.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.domain import Candidate, NetworkAnswer, Outcome, Step, Tier
from pipeline.resolve import network
from pipeline.resolve.mailbox import normalise

MAX_CANDIDATES = 64
LEAST = 5  # a mailbox that may be written to never falls below: it may be the best that there is

REGISTRY_CONTACT = "registry-contact"
# reasons that hold for a mailbox wherever else it stands
FINAL = frozenset({REGISTRY_CONTACT, "placeholder", "told-not-to", "no-mail"})

_LESS = {Tier.PARENT: 40, Tier.ORIGIN: 20}


def candidates(answer: NetworkAnswer, tier: Tier, step: int) -> tuple[Candidate, ...]:
    """Return the mailboxes of an answer about a parent network, an AS number or a contact, with that tier and step.

    Their own tier stays where it is farther away.  A rejected one stays rejected; what stands in a registry's own block
    is the registry's, and so is its desk where it holds the network above.
    """
    is_block = answer.outcome is not Outcome.CONTACTS and answer.why == network.BLOCK
    return tuple(_farther(each, tier, step, is_block) for each in answer.candidates)


def _farther(candidate: Candidate, tier: Tier, step: int, is_block: bool) -> Candidate:
    """One candidate from so far away; what its own tier has taken off its confidence is not taken off twice."""
    moved = replace(candidate, tier=max(tier, candidate.tier), step=step)
    if candidate.rejected:
        return moved
    if is_block or (tier is Tier.PARENT and candidate.note == "registry-holder"):
        return replace(moved, rejected=REGISTRY_CONTACT, confidence=0)
    less = _LESS.get(Tier(moved.tier), 0) - _LESS.get(Tier(candidate.tier), 0)
    return replace(moved, confidence=max(LEAST, candidate.confidence - max(less, 0)))


def merged(steps: Sequence[tuple[Step, Iterable[Candidate]]]) -> tuple[Candidate, ...]:
    """Return the candidates of a chain as one list: each mailbox once, ranks from 0, at most 64.

    Those that may be written to come first, an earlier step's before a later one's, then the rejected ones in the same
    order.  A mailbox stands where it was usable first.  A rejection falls away if a later step offers the mailbox, but not
    if the reason is in FINAL.
    """
    usable: dict[str, Candidate] = {}
    rejected: dict[str, Candidate] = {}
    for _, found in steps:
        for candidate in sorted(found, key=lambda each: each.rank):
            key = _key(candidate)
            if key in usable:
                continue
            if candidate.rejected:
                if key not in rejected or (candidate.rejected in FINAL and rejected[key].rejected not in FINAL):
                    rejected[key] = candidate
            elif key not in rejected or rejected[key].rejected not in FINAL:
                rejected.pop(key, None)
                usable[key] = candidate
    ordered = [*usable.values(), *rejected.values()][:MAX_CANDIDATES]
    return tuple(replace(candidate, rank=rank) for rank, candidate in enumerate(ordered))


def _key(candidate: Candidate) -> str:
    """What the mailbox is known by: rejected ones keep the text as it stood."""
    address = normalise(candidate.mailbox)
    return address[0] if address is not None else candidate.mailbox
