"""Judge the mailboxes that an answer names: keep, rank or reject each one, always with the reason.

Pure.  The order of tiers is that of docs/explanation/contacts.md; a rejected mailbox is kept with its reason, so that
a person can see what was weighed.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

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
_LESS_FOR_NOTE = {"marked-invalid": 60, "unvalidated": 55, "disguised": 20, "registry-holder": 40}
_LESS_FOR_TIER = {PARENT_TIER: 40, ORIGIN_TIER: 20}
TOLD_NOT_TO = "told-not-to"
LEAST = 5  # confidence of a mailbox that may be used at all
# reasons that say all there is to say of a mailbox in that place, whoever it belongs to
_BY_PLACE = frozenset({"changed", "notify", "registrar"})


class Found(NamedTuple):
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


def in_remark(path: str, text: str, handle: str = "", reason: str = "", doubt: str = "") -> list[Found]:
    """Return the mailboxes of one free text; `reason` rejects them all, `doubt` is a note on them all."""
    return [
        Found(one.text, REMARK, path, handle, reason or one.rejected, doubt or ("disguised" if one.disguised else ""))
        for one in remarks.mentions(text)
    ]


def judge(found: Iterable[Found], own: frozenset[str], doubted: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return every mailbox once, the usable ones first and ranked from 0, then the rejected ones.

    `own`: the registries that hold the network themselves, whose desks are right there.  `doubted`: keys of mailboxes
    that the registry has marked, each with the note.
    """
    values = [(value, *part) for value in islice(found, MAX_VALUES) for part in _parts(value.text)]
    desks = {address[0] for value, _, address in values if address is not None and _is_desk(value)}
    kept: dict[str, _Judged] = {}
    rejected: dict[tuple[str, str], _Judged] = {}
    for value, text, address in values:
        one = _judged(value, text, address, own, desks, doubted)
        key = one.mailbox
        if one.rejected:
            rejected.setdefault((address[0] if address is not None else key, one.rejected), one)
        elif key not in kept or one.confidence > kept[key].confidence:
            kept[key] = one
    for key in _refused(kept, rejected):
        rejected[key, TOLD_NOT_TO] = kept.pop(key)._replace(rejected=TOLD_NOT_TO, confidence=0)
    best = list(kept.values())
    if len(best) > 1:
        best.sort(key=lambda each: (-each.confidence, each.tier))
    rest = [one for (key, _), one in rejected.items() if key not in kept]
    return tuple([_candidate(one, rank) for rank, one in enumerate([*best, *rest][:MAX_CANDIDATES])])


def _parts(text: str) -> list[tuple[str, tuple[str, str] | None]]:
    """The mailboxes in one text, each with its normal form and spelling, or with None where it is no address."""
    address = mailbox.normalise(text)
    if address is not None:
        return [(text, address)]
    return [(part, mailbox.normalise(part)) for part in mailbox.split(text)]


class _Judged(NamedTuple):
    mailbox: str
    spelling: str
    tier: int
    confidence: int
    source: str
    path: str
    rejected: str
    note: str


def _refused(kept: Mapping[str, _Judged], rejected: Mapping[tuple[str, str], _Judged]) -> list[str]:
    """The mailboxes that stand as a contact in one place while a text says not to write there, if another one is left."""
    told = [key for key, reason in rejected if reason == TOLD_NOT_TO and key in kept]
    return told if len(told) < len(kept) else []


def _candidate(one: _Judged, rank: int) -> Candidate:
    path = one.path if one.path.isprintable() and len(one.path) <= MAX_PATH else mailbox.clean(one.path, MAX_PATH)
    return Candidate(
        one.mailbox, one.spelling, one.tier, rank, one.confidence, one.source, path, one.rejected, one.note
    )


def _judged(
    value: Found,
    text: str,
    address: tuple[str, str] | None,
    own: frozenset[str],
    desks: set[str],
    doubted: Mapping[str, str],
) -> _Judged:
    """One mailbox judged; `address` is its normal form and its spelling, or None where the text is no address."""
    tier = value.tier or TIER_OF_SOURCE[value.source]
    if address is None:
        shown = mailbox.clean(text, MAX_TEXT)
        return _Judged(shown, shown, tier, 0, value.source, value.path, _why_malformed(text), value.note)
    key, spelling = address
    registry = placeholders.registry_of_mailbox(key)
    reason = _reason(value, key, registry, own, desks)
    note = doubted.get(key) or value.note
    if reason:
        shown = text if text.isascii() else mailbox.clean(text, MAX_TEXT)
        return _Judged(shown, spelling, tier, 0, value.source, value.path, reason, note)
    confidence = _CONFIDENCE[value.source] - _LESS_FOR_TIER.get(tier, 0)
    if note:
        confidence -= _LESS_FOR_NOTE.get(note, 0)
    if registry:
        note = note or "registry-holder"
        confidence -= _LESS_FOR_NOTE["registry-holder"]
    confidence = confidence if confidence > LEAST else LEAST
    return _Judged(key, spelling, tier, confidence, value.source, value.path, "", note)


def _why_malformed(text: str) -> str:
    """A name that never takes mail says that the holder gave no address; all else is damage or a trick."""
    return "placeholder" if mailbox.is_reserved(text) or placeholders.is_nobody(text.lower()) else "malformed"


def _reason(value: Found, key: str, registry: str, own: frozenset[str], desks: set[str]) -> str:
    """Why a well-formed mailbox must not be written to, or "".

    A registry's desk is known by its handle; by its domain only where the registry is not itself the holder.
    """
    if value.rejected in _BY_PLACE:
        return value.rejected
    if placeholders.is_nobody(key):
        return "placeholder"
    if key in desks:
        return "registry-contact"
    if registry and registry not in own:
        return "registry-contact"
    return value.rejected


def _is_desk(value: Found) -> bool:
    return value.rejected == "registry-contact" or placeholders.registry_of_handle(value.handle) != ""
