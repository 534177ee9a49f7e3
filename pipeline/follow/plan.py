"""Which cases go into a wave, and which do not, and why.  Pure.

A wave of first notices tells networks' own contacts; a wave of others tells those who may only reach them (parent networks,
ASes, CERTs ...), is planned by itself and approved by itself.

One notice per contact, with all its cases that are ready.  A case that is not ready stays out with its reason; it is
looked at again when the next wave is planned.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.domain import EvidenceLevel, Tier

FIRST, OTHERS = "first", "others"  # kinds of waves
MOST_CASES = 10_000  # in one letter, which is never split


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case whose exposure is open and that has a contact, as the plan sees it."""

    case_id: int
    contact_id: int
    check_id: int
    quoted: str  # JSON: the observations its check counted, which the letter may speak of
    level: EvidenceLevel
    checked_at: datetime
    contact_dead: bool
    suppressed: bool
    excluded: bool
    told_before: bool  # its contact has had a notice of this kind in this campaign
    tier: int = Tier.ROLE  # how its contact came to be one
    current: bool = True  # the answer that names the contact still holds
    inhibited_until: datetime | None = None  # the contact wants no letter before
    last_letter_at: datetime | None = None  # to the contact, of any campaign
    cadence: timedelta = timedelta(0)  # the contact wants no more than one letter in so long
    country: str = ""  # of the network's registration


@dataclass(slots=True)
class Plan:
    """`notices`: contact -> its cases, in order of writing.  `left_out`: reason -> how many cases."""

    notices: dict[int, list[Waiting]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        return sum(len(cases) for cases in self.notices.values())

    @property
    def countries(self) -> Counter[str]:
        """How many letters go to each country: that of most of a letter's cases, as the letter itself will keep it."""
        return Counter(_country(cases) for cases in self.notices.values())


def _country(cases: Iterable[Waiting]) -> str:
    counts = Counter(case.country for case in cases if case.country)
    return min(counts, key=lambda country: (-counts[country], country), default="")


def objection(case: Waiting, minimum: EvidenceLevel, now: datetime, fresh_for: timedelta, kind: str = FIRST) -> str:
    """Return why a case cannot be in a wave of this kind now, or an empty text."""
    if case.excluded:
        return "excluded"
    if case.suppressed:
        return "suppressed"
    if case.contact_dead:
        return "contact_dead"
    if not case.current:
        return "contact_outdated"
    if (case.tier >= Tier.PARENT) != (kind == OTHERS):
        return "own_contact" if kind == OTHERS else "not_own_contact"
    if case.told_before:
        return "contact_told_before"
    if case.inhibited_until is not None and case.inhibited_until > now:
        return "inhibited"
    if case.last_letter_at is not None and now - case.last_letter_at < case.cadence:
        return "too_soon"
    if case.level < minimum:
        return "level_too_low"
    if now - case.checked_at > fresh_for:
        return "stale"
    return ""


def plan(
    cases: Iterable[Waiting],
    order: Mapping[int, int],
    *,
    minimum: EvidenceLevel,
    now: datetime,
    fresh_for: timedelta,
    most_letters: int,
    kind: str = FIRST,
) -> Plan:
    """Group the cases by contact, in the campaign's random order of writing, at most `most_letters` (0: all)."""
    made = Plan()
    by_contact: dict[int, list[Waiting]] = {}
    for case in cases:
        if why := objection(case, minimum, now, fresh_for, kind):
            made.left_out[why] += 1
        else:
            by_contact.setdefault(case.contact_id, []).append(case)
    chosen = sorted(by_contact, key=lambda contact: (order[contact], contact))
    for contact in chosen[: most_letters or None]:
        ready = sorted(by_contact[contact], key=lambda case: case.case_id)
        made.notices[contact] = ready[:MOST_CASES]
        made.left_out["too_many_for_one_letter"] += len(ready[MOST_CASES:])
    made.left_out["next_wave"] += sum(len(by_contact[contact]) for contact in chosen[len(made.notices) :])
    made.left_out += Counter()  # drops zeros
    return made


def shortest_time(letters: int, rate: float, per_day: int) -> timedelta:
    """Return how long the limits make a wave of that many letters take, at least."""
    by_rate = letters / rate if rate else 0.0
    by_day = (letters - 1) // per_day * 86_400.0 if per_day and letters else 0.0
    return timedelta(seconds=max(by_rate, by_day))
