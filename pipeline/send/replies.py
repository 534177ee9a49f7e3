"""What a reply of the relay means for a letter, for the relay and for us; and when a deferred letter is tried again.

Pure: values in, a value out.  Standards: RFC 5321 4.2.1 (first digit), 4.5.4.1 (retries); RFC 3463 (x.y.z);
RFC 1047 (the reply that never came).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(seconds=4000)
GIVE_UP_AFTER = timedelta(days=5)

# Stages at which nothing has been said about the recipient yet: what is refused there is us.
BEFORE_RECIPIENT = frozenset({"connect", "tls", "ehlo", "auth", "mail"})
STOPPED = "stopped"  # begins the text of a letter that we held back ourselves

_TOO_FAST = re.compile(
    r"\b(?:rate|throttl\w*|too fast|slow(?:ing)? down"
    r"|too much traffic|too many (?:\w+ )?(?:messages|mails|e-?mails|connections|sessions|requests|recipients)"
    r"|(?:sending|message|hourly|daily|connection) (?:limit|quota))\b",
    re.IGNORECASE,
)


class Kind(StrEnum):
    HANDED = "handed"  # the relay has the letter
    DEFERRED = "deferred"  # refused for now: the letter waits its time
    REFUSED = "refused"  # refused for good
    UNCERTAIN = "uncertain"  # the final dot was written and no reply came
    RELEASED = "released"  # it never came to the letter: it is as it was before, and due


class Scope(StrEnum):
    """What the reply speaks of: what should slow down or stop because of it."""

    LETTER = "letter"
    RECIPIENT_DOMAIN = "recipient_domain"
    RELAY = "relay"
    US = "us"


@dataclass(frozen=True, slots=True)
class Judgement:
    kind: Kind
    scope: Scope


def judge(stage: str, reply: int, enhanced: str, text: str, dot_written: bool) -> Judgement:
    """Return what a delivery attempt that ended at `stage` with `reply` means.

    `stage` is connect, tls, ehlo, auth, mail, rcpt, data or dot; `reply` the code, 0 for none that could be understood;
    `enhanced` the RFC 3463 code or empty.  Up to MAIL the recipient has not been named: whatever is refused there
    releases the letter, also a 421.  From RCPT on, a reply about the pace defers it, even one that begins with 5.
    """
    if dot_written and reply // 100 not in (2, 4, 5):
        return Judgement(Kind.UNCERTAIN, Scope.LETTER)  # RFC 1047
    if dot_written and reply // 100 == 2:
        return Judgement(Kind.HANDED, Scope.LETTER)
    if reply // 100 not in (4, 5):
        stopped = reply == 0 and text.startswith(STOPPED)
        return Judgement(Kind.RELEASED, Scope.LETTER if stopped else Scope.RELAY)
    slow = _asks_to_slow_down(reply, enhanced, text)
    if stage in BEFORE_RECIPIENT:
        return Judgement(Kind.RELEASED, Scope.RELAY if slow else Scope.US)
    if slow:
        return Judgement(Kind.DEFERRED, Scope.LETTER if enhanced[1:4] == ".2." else Scope.RELAY)
    return Judgement(Kind.DEFERRED if reply < 500 else Kind.REFUSED, _scope(reply, enhanced))


def _asks_to_slow_down(reply: int, enhanced: str, text: str) -> bool:
    if reply in (421, 454):
        return True
    return bool(_TOO_FAST.search(text)) and not enhanced.startswith("5.1.")  # 5.1: the address is wrong, whatever else


def _scope(reply: int, enhanced: str) -> Scope:
    """Return what a refusal at RCPT, DATA or the final dot speaks of, by the subject of its code (RFC 3463 section 3)."""
    subject, _, detail = enhanced[2:].partition(".")
    if reply in (530, 535, 538) or (reply >= 500 and subject == "7"):  # AUTH is wanted (RFC 4954 section 6); policy
        return Scope.US
    if subject == "4" or (subject == "1" and detail in ("2", "10")):  # routing; no such domain, null MX (RFC 7505)
        return Scope.RECIPIENT_DOMAIN
    if subject == "3" and detail != "4":  # the mail system itself; 3.4 is the size of this letter
        return Scope.RELAY
    return Scope.LETTER


def next_attempt(first_at: datetime, failed_at: datetime, attempts: int) -> datetime | None:
    """Return when to try again, or None once the letter should be given up.

    `attempts` counts those made so far, from 1.  Waits start at 5 minutes and double up to 4,000 s; we give up five days
    after `first_at` (RFC 5321 4.5.4.1).  Raises ValueError if a time has no zone.
    """
    if first_at.utcoffset() is None or failed_at.utcoffset() is None:
        raise ValueError("a time without a zone")
    if attempts < 1:
        raise ValueError("a letter that failed has had an attempt")
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    due = failed_at + wait
    return due if due <= first_at + GIVE_UP_AFTER else None
