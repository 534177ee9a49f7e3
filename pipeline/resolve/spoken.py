"""What people said about contacts, as a look-up goes by it: whom a range is to be told through, and who is not written to.

Pure.  Of words on ranges around one address the narrowest counts, of one range the newest first.  A word may end by
itself: what was found by it holds no longer than that.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from pipeline.domain import Address, Answer, Candidate, NetworkAnswer, Outcome, Step, StepKind, Tier
from pipeline.resolve.flat import Flat
from pipeline.resolve.rdap_search import BLOCK_PREFIX
from pipeline.resolve.scope import Range, cached_range, covers
from pipeline.resolve.talk import Found

BY_A_PERSON = "by-person"  # the reason of a rejection
CERTAIN = 100  # confidence of a contact that a person named


class Word(Protocol):
    """One word of a person: `verdict` is use or reject; `first` and `last` are None where it holds everywhere."""

    @property
    def id(self) -> int: ...
    @property
    def verdict(self) -> str: ...
    @property
    def first(self) -> Address | None: ...
    @property
    def last(self) -> Address | None: ...
    @property
    def mailbox(self) -> str: ...
    @property
    def spelling(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...


@dataclass(slots=True)
class Told:
    """A range and what is to be used in it."""

    range: Range
    words: list[Word] = field(default_factory=list)

    @property
    def version(self) -> int:
        return self.range[0].version

    @property
    def first(self) -> int:
        return int(self.range[0])

    @property
    def last(self) -> int:
        return int(self.range[1])


class Objection(NamedTuple):
    """Where a mailbox must not be written to, None: anywhere; and until when, None: until it is lifted."""

    within: Range | None
    until: datetime | None


class Spoken:
    """All words in force, the newest first."""

    def __init__(self, words: Iterable[Word] = ()) -> None:
        self.hear(words)

    def hear(self, words: Iterable[Word]) -> None:
        """Go by these words from now on: a run may take days, and people speak meanwhile."""
        told: dict[Range, Told] = {}
        self._rejected: dict[str, list[Objection]] = defaultdict(list)
        for word in words:
            within = (word.first, word.last) if word.first is not None and word.last is not None else None
            if word.verdict == "reject":
                self._rejected[word.mailbox].append(Objection(within, word.until))
            elif within is not None:
                told.setdefault(within, Told(within)).words.append(word)
        self._told = Flat(told.values())

    def objection(self, mailbox: str, address: Address) -> str:
        """Return BY_A_PERSON if somebody said that the mailbox must not be written to about this address, or nothing."""
        return BY_A_PERSON if self._objections(mailbox, address) else ""

    def _objections(self, mailbox: str, address: Address) -> list[Objection]:
        said = self._rejected.get(mailbox, ())
        return [one for one in said if one.within is None or covers(one.within, address)]

    def ends(self, mailboxes: Iterable[str], address: Address) -> datetime | None:
        """Return when the first of the words that had a say about an address ends by itself; None if none does.

        Those are what is to be used around it, and the rejections of any of these mailboxes.
        """
        told = self.told(address)
        ends = [word.until for word in told.words] if told is not None else []
        ends += [one.until for mailbox in mailboxes for one in self._objections(mailbox, address)]
        return min((end for end in ends if end is not None), default=None)

    def alike(self, mailboxes: Iterable[str], around: Range, address: Address) -> Range:
        """Return the part of a range around an address in which the same rejections of these mailboxes hold."""
        first, last, kind = int(around[0]), int(around[1]), type(address)
        for one in [said.within for mailbox in mailboxes for said in self._rejected.get(mailbox, ()) if said.within]:
            for border in (int(one[0]), int(one[1]) + 1) if one[0].version == address.version else ():
                if first < border <= last:
                    first, last = (border, last) if border <= int(address) else (first, border - 1)
        return kind(first), kind(last)

    def is_alike(self, mailboxes: Sequence[str], elsewhere: Range, address: Address) -> bool:
        """Do the same rejections of these mailboxes hold all over a range elsewhere as for an address?"""
        there = elsewhere[0]
        same = all(self.objection(mailbox, there) == self.objection(mailbox, address) for mailbox in mailboxes)
        return same and self.alike(mailboxes, elsewhere, there) == elsewhere

    def told(self, address: Address) -> Told | None:
        """Return what a person said is to be used around an address, or None."""
        return self._told.find(address.version, int(address))


def found(told: Told, address: Address) -> Found:
    """Return the network that a person's word makes: the range as it was said, in the block of the address."""
    part = cached_range(told.range, address, BLOCK_PREFIX[address.version])
    candidates = tuple(_candidate(word, rank) for rank, word in enumerate(told.words))
    newest = told.words[0]
    raw = Answer(f"override:{newest.id}", 0, "", b"", newest.at, requests=0)
    answer = NetworkAnswer(
        Outcome.CONTACTS, registry="local", handle=raw.source, registered=told.range, cached=part, candidates=candidates
    )
    return Found(answer, raw, (Step(StepKind.OVERRIDE, raw.source, Outcome.CONTACTS, "", newest.at),))


def _candidate(word: Word, rank: int) -> Candidate:
    place = f"override:{word.id}"
    return Candidate(word.mailbox, word.spelling or word.mailbox, Tier.OVERRIDE, rank, CERTAIN, "override", place)


def is_used(told: Told, mailboxes: Sequence[str]) -> bool:
    """Do these mailboxes, in this order, stand for the words already?"""
    return list(mailboxes) == [word.mailbox for word in told.words]
