"""A public directory of abuse contacts in the DNS, of the kind that Abusix runs: the question, and the mailboxes named.

Pure.  The directory repeats what registries say, for the widest allocation, and may give a technical contact where there
is no other; so what it names counts for little, and for less where the mailbox's own name does not say abuse.
"""

from dataclasses import replace

from pipeline.domain import Address, Answer, Candidate, Tier
from pipeline.resolve import choose, name_answer, remarks
from pipeline.resolve.choose import Found

SOURCE = "directory"
CONFIDENCE = 40  # of a mailbox that is named for abuse
CONFIDENCE_OTHER = 25


def question(address: Address, zone: str) -> str:
    """Return the name whose TXT records hold the contact of the address."""
    return name_answer.reversed_name(address, zone)


def mailboxes(answer: Answer) -> tuple[Candidate, ...]:
    """Return the mailboxes in the TXT records, one or several in each; registries' desks and placeholders are rejected."""
    texts = name_answer.texts(answer, "txt")
    found = [
        Found(text, choose.MAILBOX_NAME, f"txt[{number}]", tier=Tier.DIRECTORY) for number, text in enumerate(texts)
    ]
    weighed = [
        replace(each, source=SOURCE, confidence=_confidence(each)) for each in choose.judge(found, frozenset(), {})
    ]
    ranked = sorted(weighed, key=lambda each: (bool(each.rejected), -each.confidence))
    return tuple(replace(each, rank=rank) for rank, each in enumerate(ranked))


def _confidence(candidate: Candidate) -> int:
    if candidate.rejected:
        return 0
    return CONFIDENCE if remarks.is_abuse_name(candidate.mailbox) else CONFIDENCE_OTHER
