"""The gate: may this letter go now?  Pure: what is known in, a decision out.

Asked in the transaction that claims the letter and again before each retry, with suppressions, exclusions, evidence and
what the contact asked for as they are at that moment.  A letter may only shrink: cases leave it, none is added.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline.domain import NO_WISH, CaseState, Exposure, Wish

GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 4.5.4.1


class Gate(StrEnum):
    GO = "go"
    SHRINK = "shrink"
    WITHDRAW = "withdraw"
    SUPPRESS = "suppress"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class CaseNow:
    """One case of a letter, as it stands now."""

    case_id: int
    state: CaseState
    exposure: Exposure
    checked_at: datetime | None
    excluded: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a letter; `dropped` names the cases that leave it, with the reason."""

    gate: Gate
    reason: str = ""
    dropped: Mapping[int, str] | None = None


def is_guest(mailbox: str, guests: Collection[str]) -> bool:
    """True if a mailbox (lower case, A-label) is on the guest list: itself, its domain, or a domain above (".example")."""
    domain = mailbox.rsplit("@", 1)[-1]
    for guest in (g.lower() for g in guests):
        if guest in (mailbox, domain) or (guest.startswith(".") and domain.endswith(guest)):
            return True
    return False


def leaves(case: CaseNow, now: datetime, fresh_for: timedelta) -> str:
    """Return why a case must leave its letter, or an empty text if it may stay."""
    if case.excluded or case.state is CaseState.EXCLUDED:
        return "excluded"
    if case.state not in (CaseState.RESOLVED, CaseState.NOTICED):
        return case.state.value
    if case.exposure is not Exposure.OPEN:
        return case.exposure.value
    if case.checked_at is None or now - case.checked_at > fresh_for:
        return "stale"
    return ""


def unwelcome(wish: Wish, now: datetime) -> str:
    """Return why the contact wants no letter now, or an empty text: the rule of the wave plan (follow/plan.py), again."""
    if wish.inhibited_until is not None and wish.inhibited_until > now:
        return "inhibited"
    if wish.last_letter_at is not None and now - wish.last_letter_at < wish.cadence:
        return "too_soon"
    return ""


def decide(
    mailbox: str,
    cases: Sequence[CaseNow],
    *,
    training: bool,
    guests: Collection[str],
    suppressed: str,
    first_attempt_at: datetime | None,
    now: datetime,
    fresh_for: timedelta,
    wish: Wish = NO_WISH,
) -> Decision:
    """Decide on one letter.  `suppressed` is the reason of a suppression that covers the mailbox, or empty.

    A letter that its contact does not want now is withdrawn rather than kept waiting: by the day it may be sent, its
    evidence would have to be looked at again, and so would the approval.  A later wave takes its cases up.
    """
    if training and not is_guest(mailbox, guests):
        return Decision(Gate.WITHDRAW, "training")
    if suppressed:
        return Decision(Gate.SUPPRESS, suppressed)
    if first_attempt_at is not None and now - first_attempt_at > GIVE_UP_AFTER:
        return Decision(Gate.EXPIRE, "five_days")
    if unwanted := unwelcome(wish, now):
        return Decision(Gate.WITHDRAW, unwanted)
    dropped = {case.case_id: why for case in cases if (why := leaves(case, now, fresh_for))}
    if len(dropped) == len(cases):
        return Decision(Gate.WITHDRAW, "no_case_left", dropped)
    if dropped:
        return Decision(Gate.SHRINK, "", dropped)
    return Decision(Gate.GO)
