"""What it means for a candidate how mail for its domain is routed.

Pure.  Only what the DNS says definitely rejects a mailbox: that its domain takes no mail, or does not exist.  What could
not be found out changes nothing, with one exception: a mailbox that is only guessed from a host's name must have an MX.
Standards: RFC 5321 section 5.1 (MX, else the domain's own address), RFC 7505 (null MX), RFC 2142 section 1.
"""

from dataclasses import replace

from pipeline.domain import Candidate, Tier
from pipeline.resolve import name_answer

MX, ADDRESS, NULL_MX, NONE, UNKNOWN = "mx", "address", "null_mx", "none", "unknown"
TAKES_MAIL = frozenset({MX, ADDRESS})

NO_MAIL = "no-mail"  # the reason of a rejection; the note beside it says what the DNS said
MAIL_UNKNOWN = "mail-unknown"

_NOTES = {NULL_MX: "null-mx", NONE: "no-mail-server", ADDRESS: "no-mx"}


def route(body: bytes) -> str:
    """Return the route in the body of an answer about a domain; UNKNOWN where it holds none that we know."""
    said = name_answer.word(body, "route")
    return said if said in (MX, ADDRESS, NULL_MX, NONE) else UNKNOWN


def applied(candidate: Candidate, body: bytes) -> Candidate:
    """Return the candidate, rejected where its domain takes no mail; `body` is empty where nothing is known.

    One that is rejected already stays as it is.
    """
    if candidate.rejected:
        return candidate
    said = route(body)
    if said in (NULL_MX, NONE) or (said == ADDRESS and candidate.tier >= Tier.HOST_NAME):
        return replace(candidate, rejected=NO_MAIL, confidence=0, note=_NOTES[said])
    if said == UNKNOWN and candidate.tier >= Tier.HOST_NAME:
        return replace(candidate, rejected=MAIL_UNKNOWN, confidence=0)
    return candidate
