"""Which limits one letter must keep, and what they are called.  Pure: values in, a value out.

From the narrowest to the widest: the mailbox, its domain, the provider that takes the domain's mail (its MX group), the
campaign, the relay, and everything together.  A letter leaves when all of them have a slot for it, or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.store.budgets import Limit, Reservation

WIDE = ("mail:relay:", "mail:all")  # budgets that all letters of a run share: without a slot none of them can go
NARROW = 3  # of the limits of a letter: those of some letters alone
RELAY = 3  # the place of the relay's limit among them
BOX = "mail:box"  # one letter per mailbox: no budget, it is read from the letters that left
WAITS = "limit:"  # begins the reason of a letter that waits for a limit of its own


@dataclass(frozen=True, slots=True)
class Rates:
    """How many letters at most, in each span of time; 0: no limit."""

    per_second: float = 0.0
    per_minute: float = 0.0
    per_hour: float = 0.0
    per_day: int = 0

    def limit(self, key: str) -> Limit:
        return Limit(key, self.per_second, self.per_day, self.per_minute, self.per_hour)


@dataclass(frozen=True, slots=True)
class Pace:
    """All limits of sending.  `mx_groups` names providers that have rates of their own; `box_every` is the shortest time
    between two letters to one mailbox; `warm_up` says how many may leave over the relay, from which day on (warmup.cap)."""

    every: Rates = Rates()
    relay: Rates = Rates()
    campaign: Rates = Rates()
    mx: Rates = Rates()
    mx_groups: Mapping[str, Rates] = field(default_factory=dict)
    domain: Rates = Rates()
    box_every: timedelta = timedelta(0)
    warm_up: Mapping[int, int] = field(default_factory=dict)


NO_LIMIT = Pace()


def limits(pace: Pace, relay: str, domain: str, group: str, campaign_id: int, relay_cap: int = 0) -> list[Limit]:
    """Return the budgets of one letter, narrowest first.

    `group` is the MX group of the recipient's domain; `relay_cap` is the warm-up's quota of today (0: none).
    """
    relayed = pace.relay.limit(f"mail:relay:{relay}")
    if relay_cap and (not relayed.per_day or relay_cap < relayed.per_day):
        relayed = Limit(relayed.key, relayed.per_second, relay_cap, relayed.per_minute, relayed.per_hour)
    return [
        pace.domain.limit(f"mail:domain:{domain}"),
        pace.mx_groups.get(group, pace.mx).limit(f"mail:mx:{group}"),
        pace.campaign.limit(f"mail:campaign:{campaign_id}"),
        relayed,
        pace.every.limit("mail:all"),
    ]


def box_free_at(last_left: datetime | None, pace: Pace, now: datetime) -> datetime | None:
    """Return when the next letter may go to a mailbox whose last one left at `last_left`, None if now."""
    if last_left is None or now - last_left >= pace.box_every:
        return None
    return last_left + pace.box_every


def waits_alone(key: str) -> bool:
    """True if a budget without a slot keeps this letter alone, while others may go."""
    return not key.startswith(WIDE)


def why(answer: Reservation) -> str:
    """Return which limit a letter waits for, as one word: mail:domain:isp.example/hour."""
    return f"{answer.key}/{answer.span}" if answer.key else ""
