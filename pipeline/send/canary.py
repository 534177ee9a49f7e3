"""The first letters of a wave: how many leave before a person looks, and how fast the rest follows.  Pure.

Letters leave in a random order, so that the first ones are a fair sample of the wave.  When all of them have been
answered the wave is held until a person lets it go on; then its pace begins low, and doubles.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol, TypeVar

from pipeline.domain import LetterState


@dataclass(frozen=True, slots=True)
class CanarySettings:
    """`share` of a wave's letters, `least` of them at least; then `ramp_share` of the rate, doubled each `ramp_every`."""

    share: float = 0.01
    least: int = 20
    ramp_share: float = 0.25
    ramp_every: timedelta = timedelta(minutes=10)


LOOSE = 10  # times the standard share: a wave that waits so late has done its harm


def waits(settings: CanarySettings) -> bool:
    """True if waves wait for a person early enough for that person's look to be worth something.

    A wave that is no bigger than `least` has only first letters, so a high `least` is a wave that does not wait.
    """
    standard = CanarySettings()
    early = settings.share <= LOOSE * standard.share and settings.least <= LOOSE * standard.least
    return early and bool(settings.share or settings.least)


class Due(Protocol):
    """A letter that may be due for sending (store/send.py)."""

    @property
    def wave_id(self) -> int: ...
    @property
    def state(self) -> LetterState: ...


Letter = TypeVar("Letter", bound=Due)


def size(letters: int, settings: CanarySettings) -> int:
    """Return how many letters of a wave leave before a person is asked, or 0 if none is asked.

    A wave that is no bigger than its first letters goes without a pause.
    """
    if not settings.share and not settings.least:
        return 0
    first = max(ceil(letters * settings.share), settings.least)
    return first if first < letters else 0


def within(found: Sequence[Letter], rooms: Mapping[int, int]) -> list[Letter]:
    """Return the letters that may leave where waves have only so much room for letters not tried before."""
    left = dict(rooms)
    kept = []
    for letter in found:
        if letter.wave_id in left and letter.state is not LetterState.DEFERRED:
            left[letter.wave_id] -= 1
            if left[letter.wave_id] < 0:
                continue
        kept.append(letter)
    return kept


def pace(released_at: datetime, now: datetime, settings: CanarySettings) -> float:
    """Return which share of the rate a wave may use, from its release on: 1 once the ramp is over, or without one."""
    if not settings.ramp_share or not settings.ramp_every:
        return 1.0
    doubled = max((now - released_at) // settings.ramp_every, 0)
    return min(settings.ramp_share * 2.0 ** min(doubled, 64), 1.0)


def by_domain(letters: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    """Return letters, given as (mailbox, state), counted by domain and state; the domain with most letters first."""
    found: dict[str, Counter[str]] = {}
    for mailbox, state in letters:
        found.setdefault(mailbox.rsplit("@", 1)[-1], Counter())[state] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1].total(), item[0])))
