"""Judge the mailboxes that an answer names: keep, rank or reject each one, always with the reason.

Pure.  The order of tiers is that of docs/explanation/contacts.md; a rejected mailbox is kept with its reason, so that
a person can see what was weighed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.domain import Candidate, NetworkAnswer, Outcome
from pipeline.resolve import mailbox, placeholders, remarks

MAX_VALUES = 1000
MAX_CANDIDATES = 64
MAX_TEXT = 320  # characters of a mailbox as it stood
MAX_PATH = 200

ROLE, NESTED_ROLE, HEADER = "role", "nested-role", "header"
ABUSE_MAILBOX, REMARK, MAILBOX_NAME = "abuse-mailbox", "remark", "mailbox-name"

TIER_OF_SOURCE = {ROLE: 1, NESTED_ROLE: 1, HEADER: 1, ABUSE_MAILBOX: 1, REMARK: 2, MAILBOX_NAME: 3}
PARENT_TIER, ORIGIN_TIER = 4, 5

_CONFIDENCE = {ROLE: 90, HEADER: 90, NESTED_ROLE: 85, ABUSE_MAILBOX: 80, REMARK: 70, MAILBOX_NAME: 50}
_LESS_FOR_NOTE = {"marked-invalid": 60, "unvalidated": 30, "disguised": 20, "registry-holder": 40}
_LESS_FOR_TIER = {PARENT_TIER: 40, ORIGIN_TIER: 20}
# reasons that say all there is to say of a mailbox in that place, whoever it belongs to
_BY_PLACE = frozenset({"changed", "notify", "registrar"})


@dataclass(frozen=True, slots=True)
class Found:
    """One value that stands where a mailbox may be, before it is judged."""

    text: str
    source: str
    path: str
    handle: str = ""  # of the contact it stands in
    rejected: str = ""  # a reason that already follows from the place
    note: str = ""
    tier: int = 0  # 0: by its source


def usable(answer: NetworkAnswer) -> list[Candidate]:
    """Return the candidates that may be written to, best first; empty unless the outcome is CONTACTS."""
    if answer.outcome is not Outcome.CONTACTS:
        return []
    return sorted((each for each in answer.candidates if not each.rejected), key=lambda each: each.rank)


def why_none(candidates: Iterable[Candidate]) -> str:
    """Return the reason of the rejected mailbox that came nearest to being a contact, or "no-mailbox"."""
    near = [candidate for candidate in candidates if candidate.rejected not in _BY_PLACE]
    nearest = min(near, key=lambda each: (each.tier, each.rank), default=None)
    return nearest.rejected if nearest is not None else "no-mailbox"


def in_remark(path: str, text: str, handle: str = "", reason: str = "", doubt: str = "") -> Iterator[Found]:
    """Yield the mailboxes of one free text; `reason` rejects them all, `doubt` is a note on them all."""
    for mention in remarks.mentions(text):
        note = doubt or ("disguised" if mention.disguised else "")
        yield Found(mention.text, REMARK, path, handle, reason or mention.rejected, note)


def judge(found: Iterable[Found], own: frozenset[str], doubted: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return every mailbox once, the usable ones first and ranked from 0, then the rejected ones.

    `own`: the registries that hold the network themselves, whose desks are right there.  `doubted`: keys of mailboxes
    that the registry has marked, each with the note.
    """
    values = list(islice(found, MAX_VALUES))
    desks = frozenset(key for value in values if _is_desk(value) for key in _keys(value.text))
    kept: dict[str, Candidate] = {}
    rejected: dict[tuple[str, str], Candidate] = {}
    for value in values:
        for text in mailbox.split(value.text):
            key, candidate = _candidate(value, text, own, desks, doubted)
            if candidate.rejected:
                rejected.setdefault((key, candidate.rejected), candidate)
            elif key not in kept or candidate.confidence > kept[key].confidence:
                kept[key] = candidate
    best = sorted(kept.values(), key=lambda each: (-each.confidence, each.tier))
    rest = [candidate for (key, _), candidate in rejected.items() if key not in kept]
    return tuple(replace(each, rank=rank) for rank, each in enumerate([*best, *rest][:MAX_CANDIDATES]))


def _candidate(
    value: Found, text: str, own: frozenset[str], desks: frozenset[str], doubted: Mapping[str, str]
) -> tuple[str, Candidate]:
    """One judged mailbox and the key it is known by (its text where it is no address)."""
    address = mailbox.normalise(text)
    shown = mailbox.clean(text, MAX_TEXT)
    key, spelling = address or (shown, shown)
    reason = _reason(value, key, own, desks) if address is not None else _why_malformed(text)
    tier = value.tier or TIER_OF_SOURCE[value.source]
    note = doubted.get(key) or value.note
    less = _LESS_FOR_TIER.get(tier, 0) + _LESS_FOR_NOTE.get(note, 0)
    if not reason and placeholders.registry_of_mailbox(key):
        note = note or "registry-holder"
        less += _LESS_FOR_NOTE["registry-holder"]
    confidence = 0 if reason else max(5, _CONFIDENCE[value.source] - less)
    path = mailbox.clean(value.path, MAX_PATH)
    mailbox_text = shown if reason else key
    return key, Candidate(mailbox_text, spelling, tier, 0, confidence, value.source, path, reason, note)


def _why_malformed(text: str) -> str:
    """A name that never takes mail says that the holder gave no address; all else is damage or a trick."""
    return "placeholder" if mailbox.is_reserved(text) or placeholders.is_nobody(text.lower()) else "malformed"


def _reason(value: Found, key: str, own: frozenset[str], desks: frozenset[str]) -> str:
    """Why a well-formed mailbox must not be written to, or "".

    A registry's desk is known by its handle; by its domain only where the registry is not itself the holder.
    """
    if value.rejected in _BY_PLACE:
        return value.rejected
    if placeholders.is_nobody(key):
        return "placeholder"
    if key in desks:
        return "registry-contact"
    registry = placeholders.registry_of_mailbox(key)
    if registry and registry not in own:
        return "registry-contact"
    return value.rejected


def _is_desk(value: Found) -> bool:
    return value.rejected == "registry-contact" or placeholders.registry_of_handle(value.handle) != ""


def _keys(text: str) -> list[str]:
    return [address[0] for part in mailbox.split(text) if (address := mailbox.normalise(part)) is not None]
