"""Read mailboxes out of free text with care: which of them the text offers for abuse reports, and which it warns of.

Registries' remarks mix abuse desks with peering, legal and correction addresses; only the words beside an address tell
them apart.  Pure; the work grows with the length of the text, which is cut at 64 KiB.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from pipeline.resolve import disguise, wording
from pipeline.resolve.mailbox import normalise, within

MAX_TEXT = 65536  # characters
MAX_LINE = 1000
MAX_MENTIONS = 40
LINES_ABOVE = 4  # how far up a sentence is followed


class Mention(NamedTuple):
    """One address in a text.  `rejected` is empty where the text offers it for abuse reports, else the reason."""

    text: str
    rejected: str  # "", "not-abuse" or "told-not-to"
    disguised: bool  # written as "abuse (at) isp.example"


class Doubt(NamedTuple):
    """What a text says against a mailbox; an empty `text` means the contact that the remark stands in."""

    text: str
    note: str  # "marked-invalid" or "unvalidated"


_ADDRESS = re.compile(r"[A-Za-z0-9_+&][A-Za-z0-9_.+&='~-]{0,63}@[^\s@<>()\[\]{},;:\"'|\\/?*]{1,253}")
_ABUSE_NAME = re.compile(
    r"(?:^|[._+-])(?:net|network|report|anti)?abus[eo](?:desk|team|reports?|mailbox|dept|s)?(?:$|[._+0-9-])"
    r"|^(?:anti-?|report-?)?spam(?:-?reports?)?$|(?:^|[._-])csirt$|^cert$"
)
_LABEL = re.compile(r"^\W*(?!(?:e-?mail|mail|address|contact|to)\s*:)\w[\w /&.'-]{0,40}:\W*$", re.IGNORECASE)
_URL = re.compile(r"https?:|www\.", re.IGNORECASE)
_LINKING = re.compile(r"^(?:\W|\b(?:and|or|cc|et|ou|und|oder|y|o|e)\b)*$", re.IGNORECASE)
_STATUS = re.compile(
    r"\b(?:was|is|has been)\s+(?:not\s+)?(?:marked\s+(?:as\s+)?)?(?:validated|invalid|unvalidated)\b", re.IGNORECASE
)


def is_abuse_name(mailbox: str) -> bool:
    """True if the mailbox's own name says that it takes abuse reports (RFC 2142 section 4, and what is usual)."""
    name = mailbox.partition("@")[0].lower()
    if "abus" not in name and "spam" not in name and "cert" not in name and "csirt" not in name:
        return False
    return bool(_ABUSE_NAME.search(name))


def mentions(text: str) -> list[Mention]:
    """Return the addresses in a remark, each with what the words beside it say."""
    text = within(text, MAX_TEXT)
    has_disguise = disguise.may_be_in(text.lower())
    if "@" not in text and not has_disguise:
        return []
    lines = [" ".join(within(line, MAX_LINE).split()) for line in text.splitlines()]
    plain = [disguise.undone(line) for line in lines] if has_disguise else lines
    found: list[Mention] = []
    for index, line in enumerate(plain):
        if len(found) >= MAX_MENTIONS:
            break
        if "@" not in line or _STATUS.search(line):
            continue  # "x was validated on", "x is invalid": a note of the registry, not an offer
        spans = list(_ADDRESS.finditer(line))
        for position, span in enumerate(spans):
            before, after = _beside(line, spans, position)
            address = span.group().rstrip(".-")
            if normalise(address) is not None:
                listed = _LINKING.match(before) and not re.search(r"\w", after)  # one more of a list
                if found and listed and (position or _follows_an_address(plain, index)):
                    reason = found[-1].rejected
                else:
                    last = position + 1 == len(spans)
                    words = _behind(plain, index, after) if last else after.strip() or _fate(line, spans, position)
                    if position and found and _stands_in(found[-1], before, words, line):
                        reason = ""
                    else:
                        reason = _verdict(before if position else _context(plain, index, before), words)
                if reason == "not-abuse" and is_abuse_name(address):
                    reason = ""
                found.append(Mention(address, reason, address not in lines[index]))
    return found[:MAX_MENTIONS]


def _beside(line: str, spans: list[re.Match[str]], position: int) -> tuple[str, str]:
    """What stands left and right of one address, up to its neighbours on the line.

    Between two addresses, words before the last comma, full stop or "and" go with the left one, the rest with the right.
    """
    left = line[spans[position - 1].end() if position else 0 : spans[position].start()]
    if position:
        left = _BETWEEN.split(left)[-1]
    end = spans[position].start() + len(spans[position].group().rstrip(".-"))
    right = line[end:]
    if position + 1 < len(spans):
        right = ",".join(_BETWEEN.split(line[end : spans[position + 1].start()])[:-1])
    return left, right


def _fate(line: str, spans: list[re.Match[str]], position: int) -> str:
    """What becomes of the mail, said behind the last of a list that the address is in: "to X or Y are ignored"."""
    for one, following in pairwise(spans[position:]):
        if not _LINKING.match(line[one.end() : following.start()]):
            return ""
    behind = line[spans[-1].end() :]
    return behind if wording.is_lost(behind) else ""


def _context(lines: list[str], index: int, before: str) -> str:
    """The words that lead up to an address: its line, and the lines above that belong to the same sentence.

    An empty line ends it, but for one between a heading ("... contact:") and its address.
    """
    words = before
    if _LABEL.match(before):
        return words
    is_behind_gap = False
    for above in reversed(lines[max(0, index - LINES_ABOVE) : index]):
        has_words = bool(_WORD.search(words))
        if not _WORD.search(above):
            if has_words or is_behind_gap or above:
                break
            is_behind_gap = True
            continue
        if ("@" in above and _ADDRESS.search(above)) or _URL.search(above):
            break
        if (is_behind_gap and not above.endswith(":")) or (has_words and _ENDS_CLAUSE.search(above)):
            break
        words = above.rstrip() + " " + words
        is_behind_gap = False
    return words


def _behind(lines: list[str], index: int, after: str) -> str:
    """The words behind the last address of a line; the next line's, where that says something of "this address"."""
    below = lines[index + 1] if index + 1 < len(lines) else ""
    return below if not _WORD.search(after) and _OF_THIS.match(below) else after


def _stands_in(refused: Mention, before: str, after: str, line: str) -> bool:
    """True for the address that is to be used in the place of a refused one: "no abuse to X, use Y"."""
    if refused.rejected != "told-not-to" or not _INSTEAD.match(before) or not wording.is_of_abuse(line):
        return False
    return not _WORD.search(after) or (wording.is_of_abuse(after) and not wording.refuses("", after))


def _verdict(context: str, after: str) -> str:
    clause = _CLAUSE_END.split(context)[-1]
    behind = _CLAUSE_END.split(after, maxsplit=1)[0] if after else ""
    if wording.refuses(clause, behind):
        return "told-not-to"
    return "" if wording.is_of_abuse(clause) or (behind and wording.is_of_abuse(behind)) else "not-abuse"


_WORD = re.compile(r"\w")
_INSTEAD = re.compile(
    r"\W*(?:(?:but|please|instead|rather|only|them|those|these|it|to|the|address|mailbox|at) ){0,4}"
    r"(?:use|send|write|mail|e-?mail|contact|instead|but)\b\W*(?:(?:only|them|those|it|to|the|address|mailbox|instead)\W*){0,4}$",
    re.IGNORECASE,
)
_OF_THIS = re.compile(
    r"\W*(?:(?:this|the above) (?:e-?mail|address|mailbox|account|contact)|will|is|are|must|should|shall|cannot|does)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[,;|.]|(?<!\S)(?:and|or|et|ou|und|oder)(?!\S)", re.IGNORECASE)
_CLAUSE_END = re.compile(r"(?<!etc)(?<!e\.g)(?<!i\.e)[.;!](?:\s|$)|。")  # not "?": "Abuse? Write to ..."
_ENDS_CLAUSE = re.compile(r"(?<!etc)(?<!e\.g)(?<!i\.e)[.;!?。]\s*$")


def _follows_an_address(lines: list[str], index: int) -> bool:
    """True if the line above ends with an address, so that this line goes on with its list."""
    above = lines[index - 1] if index else ""
    last = list(_ADDRESS.finditer(above))[-1:]
    return bool(last) and not re.search(r"\w", above[last[0].end() :])


_FAILED = re.compile(r"abuse-mailbox validation failed|abuse contact (?:is|was) (?:marked )?invalid", re.IGNORECASE)
_UNVALIDATED = re.compile(
    r"\bunvalidated poc\b|attempted to validate the data for this poc,? but has received no response", re.IGNORECASE
)
_MARKED = re.compile(
    r"@[^\s@]{1,253} (?:is|was|has been) (?:marked )?(?:as )?(?:(invalid)|(?:un|not )validated)\b", re.IGNORECASE
)
_DISCLAIMED = re.compile(
    r"(?:unable|not (?:able|empowered|authori[sz]ed)|no authority|cannot|can not) (?:to )?investigate"
    r"|do(?:es)? not operate the (?:referring |referred )?network",
    re.IGNORECASE,
)


def doubts(text: str) -> list[Doubt]:
    """Return what the registry says against a mailbox: validation failed, marked invalid, no answer to its checks."""
    text = text[:MAX_TEXT]
    lowered = text.lower()
    if "valid" not in lowered:
        return []
    words = " ".join(text.split())
    found = []
    is_marked = "@" in words and ("invalid" in lowered or "unvalid" in lowered or "not" in lowered)
    for match in _MARKED.finditer(words) if is_marked else ():
        mailbox = words[max(match.start() - 64, words.rfind(" ", 0, match.start()) + 1) : match.end()].partition(" ")[0]
        found.append(Doubt(mailbox.strip("<>\"'()"), "marked-invalid" if match.group(1) else "unvalidated"))
    if ("failed" in lowered or "invalid" in lowered) and _FAILED.search(words):
        found.append(Doubt("", "marked-invalid"))
    if ("unvalid" in lowered or "attempted" in lowered) and _UNVALIDATED.search(words):
        found.append(Doubt("", "unvalidated"))
    return found


def disclaims(text: str) -> bool:
    """True if the contact says of itself that it cannot look into abuse: a registry's desk."""
    lowered = text[:MAX_TEXT].lower()
    if "investigate" not in lowered and "operate" not in lowered:
        return False
    return bool(_DISCLAIMED.search(" ".join(lowered.split())))
