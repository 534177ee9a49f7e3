"""Decide what a registry's reply is before its contents are read: an answer, a refusal, a "no such network", or junk.

Pure.  A refusal says nothing about the network and must never be taken for "no contact".
Standards: RFC 7480 section 5 (statuses), RFC 9083 section 6 (error objects), RFC 6585 section 4 (429).
"""

import re

from pipeline.domain import Answer, Outcome

MAX_BODY = 1 << 20  # bytes; more is refused, never cut and read

_REFUSING_STATUS = frozenset({401, 403, 429, 503})
_REFUSAL = re.compile(
    r"\b(?:quota|rate|limit|limits|queries|lookups|connections?|requests)\b[^\n]{0,60}"
    r"\b(?:exceed\w*|reached|denied|refused|exhausted)"
    r"|\bexceed\w*[^\n]{0,60}\b(?:quota|limit|number of (?:queries|lookups|requests|connections))"
    r"|\baccess (?:from your (?:host|address|network) )?(?:has been |is )?(?:temporarily |permanently )?(?:denied|blocked)"
    r"|\btoo many (?:\w+ ){0,2}(?:queries|requests|connections|lookups)|\bexcessive quer|\bpermission denied"
    r"|\bover (?:the |your )?(?:quota|limit)\b|\binterval is too short|\bslow down\b|\b(?:been|are) banned\b"
    r"|\b(?:l[ií]mite|cota|cuota)\b[^\n]{0,40}\b(?:exced|supera|ultrapass)"
    r"|\btemporarily (?:denied|blocked|unavailable)|\btry again later|\bha(?:s|ve) been (?:blocked|blacklisted)"
    r"|\breached[^\n]{0,40}\b(?:limit|quota|maximum number)"
    r"|\bnot (?:allowed|permitted|authori[sz]ed) to (?:query|access|use)\b"
    r"|\b429 too many|\b403 forbidden",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(
    r"\bno match(?:es)?\b|\b(?:not|nothing) found\b|^\W*no found\b|%error:101\b"
    r"|\bno (?:such |whois )?(?:data|records?|entries|information|objects?|results?)\b[^\n]{0,20}\b(?:found|available)\b"
    r"|\bno such (?:entry|object|network|record|resource|range)\b"
    r"|^%error 230\b|\breturned 0 objects\b|\bunallocated\b|\bunassigned\b|\bobject does not exist\b|\bno records\b"
    r"|\bmatche[sd] no\b|^\W*not registered\b|\b(?:is|are|block) not (?:\w+ )?(?:allocated|assigned|registered)\b"
    r"|\bno (?:ha|est[áa]) (?:sido )?(?:asignad|registrad)|\bnenhum registro\b|該当するデータが|데이터가 없습니다"
    r"|등록되어 있지 않",
    re.IGNORECASE | re.MULTILINE,
)
# less than a refusal where other words stand beside it: some servers say on every answer that they limit the rate
_HINT = re.compile(
    r"\brate[- ]limit|\bthrottl|\b(?:ip|host|address|client|network)\b[^\n]{0,30}\bblocked\b|^\W*(?:blocked|denied)\W*$"
    r"|\bexceed\w*[^\n]{0,40}\brate\b|\bwait a (?:while|moment|few|minute)|\bexcessive use\b|\brequest limit\b"
    r"|\brequests?\b[^\n]{0,40}\bnot permitted\b|\bexced\w*[^\n]{0,20}\bl[ií]mite\b|\bconsultas demais\b|アクセス制限"
    r"|초과하",
    re.IGNORECASE,
)


def without_contents(answer: Answer) -> tuple[Outcome, str] | None:
    """Return the outcome and why, where the status or the failure decides it; None where the body is to be read."""
    by_status = of_status(answer.status)
    if answer.failure is not None:
        if by_status is not None and answer.status:
            return by_status
        return Outcome.UNUSABLE, f"failed {answer.failure.code}"[:100]
    if by_status is not None:
        return by_status
    if not answer.body or answer.body.isspace():
        return Outcome.UNUSABLE, "empty"
    return (Outcome.UNUSABLE, "too-large") if len(answer.body) > MAX_BODY else None


def of_status(status: int) -> tuple[Outcome, str] | None:
    """Return what an HTTP status or an RDAP errorCode decides, or None for 200."""
    if status == 200:
        return None
    if status in _REFUSING_STATUS:
        return Outcome.REFUSED, f"status {status}"
    return (Outcome.NOT_FOUND if status == 404 else Outcome.UNUSABLE), f"status {status}"


def refuses(text: str) -> bool:
    """True if the text says that a limit was passed or that this asker is shut out."""
    return _REFUSAL.search(text) is not None


def may_refuse(text: str) -> bool:
    """True if a text that says nothing else is better taken for a refusal."""
    return _HINT.search(text) is not None


def finds_nothing(text: str) -> bool:
    """True if the text says that the registry has no such network."""
    return _NOT_FOUND.search(text) is not None
