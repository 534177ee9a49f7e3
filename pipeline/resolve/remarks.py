"""Read mailboxes out of free text with care: which of them the text offers for abuse reports, and which it warns of.

Registries' remarks mix abuse desks with peering, legal and correction addresses; only the words beside an address tell
them apart.  Pure; the work grows with the length of the text, which is cut at 64 KiB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.resolve.mailbox import normalise

MAX_TEXT = 65536  # characters
MAX_LINE = 1000
MAX_MENTIONS = 40
LINES_ABOVE = 4  # how far up a sentence is followed


@dataclass(frozen=True, slots=True)
class Mention:
    """One address in a text.  `rejected` is empty where the text offers it for abuse reports, else the reason."""

    text: str
    rejected: str  # "", "not-abuse" or "told-not-to"
    disguised: bool  # written as "abuse (at) isp.example"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a text says against a mailbox; an empty `text` means the contact that the remark stands in."""

    text: str
    note: str  # "marked-invalid" or "unvalidated"


_ADDRESS = re.compile(r"[A-Za-z0-9_+&][A-Za-z0-9_.+&='~-]{0,63}@[^\s@<>()\[\]{},;:\"'|\\/?*]{1,253}")
_ABUSE = re.compile(
    r"abus(?:e|es|o|os|ive|if|ifs)?\b|spam|\buce\b|phish|\bhack|intrusion|malware|botnet|\bscam|fraud|\battacks?\b"
    r"|security (?:incident|breach)|pourriel|hame[çc]onnage",
    re.IGNORECASE,
)
_ABUSE_NAME = re.compile(r"(?:^|[._+-])(?:net|network)?abus[eo](?:$|[._+0-9-])|^(?:anti-?)?spam$|^csirt$|^cert$")
_REFUSAL = re.compile(
    r"\b(?:do not|don't|never|please don.t|ne pas|n'\w+ pas|no (?:env[ií]e|enviar|usar|use))\b"
    r"|\bnot (?:for|to be|be (?:used|read|answered|processed)|used|read|monitored|an? abuse|accepted)\b"
    r"|\b(?:un|not )(?:monitored|attended)\b|\bno longer\b|\bonly for\b(?! (?:\S+ ){0,3}(?:abus|spam))",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^\W*(?!(?:e-?mail|mail|address|contact|to)\s*:)\w[\w /&.'-]{0,40}:\W*$", re.IGNORECASE)
_URL = re.compile(r"https?:|www\.", re.IGNORECASE)
_LINKING = re.compile(r"^(?:\W|\b(?:and|or|cc|et|ou|und|oder|y|o|e)\b)*$", re.IGNORECASE)
_STATUS = re.compile(r"\b(?:was|is|has been)\s+(?:not\s+)?(?:validated|invalid|unvalidated)\b", re.IGNORECASE)

_BRACKET_AT = re.compile(r"\s*(?:[(\[{<]\s*at\s*[)\]}>]|[{<(]\|[)}>])\s*", re.IGNORECASE)
_BRACKET_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punto|point)\s*[)\]}>]\s*", re.IGNORECASE)
_SPOKEN_NAME = r"([a-z0-9._+-]{0,30}(?:abuse|spam)[a-z0-9._+-]{0,30})"
_SPOKEN_DOTS = re.compile(rf"\b{_SPOKEN_NAME} at ([a-z0-9-]{{1,63}}(?: dot [a-z0-9-]{{1,63}}){{1,4}})\b", re.IGNORECASE)
# "report abuse at isp.example" names a web site: the name must stand at the start, behind a mark, or behind "to"
_SPOKEN_AT = re.compile(
    rf"(?:^\W*|(?<=[:(<,])|(?<=[:(<,] )|(?<= to )){_SPOKEN_NAME} at "
    r"(?!www\.)([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4})(?![\w/:])",
    re.IGNORECASE,
)


def is_abuse_name(mailbox: str) -> bool:
    """True if the mailbox's own name says that it takes abuse reports (RFC 2142 section 4, and what is usual)."""
    return bool(_ABUSE_NAME.search(mailbox.partition("@")[0].lower()))


def mentions(text: str) -> list[Mention]:
    """Return the addresses in a remark, each with what the words beside it say."""
    lines = [" ".join(line[:MAX_LINE].split()) for line in text[:MAX_TEXT].splitlines()]
    found: list[Mention] = []
    for index, line in enumerate(lines):
        if len(found) >= MAX_MENTIONS:
            break
        if _STATUS.search(line):
            continue  # "x was validated on", "x is invalid": a note of the registry, not an offer
        plain = _undisguised(line)
        spans = list(_ADDRESS.finditer(plain))
        for position, span in enumerate(spans):
            before, after = _beside(plain, spans, position)
            address = span.group().rstrip(".-")
            if normalise(address) is not None:
                listed = _LINKING.match(before) and not re.search(r"\w", after)  # one more of a list
                if found and listed and (position or _follows_an_address(lines, index)):
                    reason = found[-1].rejected
                else:
                    reason = _verdict(before if position else _context(lines, index, before), after)
                if reason == "not-abuse" and is_abuse_name(address):
                    reason = ""
                found.append(Mention(address, reason, disguised=address not in line))
    return found[:MAX_MENTIONS]


def _undisguised(line: str) -> str:
    """The line with "(at)", "{|)", "(dot)" and, for names that say abuse, a spoken " at " and " dot " undone."""
    plain = _BRACKET_AT.sub("@", line)
    if plain != line:
        plain = _BRACKET_DOT.sub(".", plain)
    plain = _SPOKEN_DOTS.sub(lambda spoken: f"{spoken[1]}@{spoken[2].replace(' dot ', '.')}", plain)
    return _SPOKEN_AT.sub(r"\1@\2", plain)


def _beside(line: str, spans: list[re.Match[str]], position: int) -> tuple[str, str]:
    """What stands left and right of one address, up to its neighbours on the line.

    Between two addresses, words before the last comma or full stop go with the left one, the rest with the right one.
    """
    left = line[spans[position - 1].end() if position else 0 : spans[position].start()]
    if position:
        left = re.split(r"[,;|.]", left)[-1]
    right = line[spans[position].end() :]
    if position + 1 < len(spans):
        right = line[spans[position].end() : spans[position + 1].start()]
        right = ",".join(re.split(r"[,;|.]", right)[:-1])
    return left, right


def _context(lines: list[str], index: int, before: str) -> str:
    """The words that lead up to an address: its line, and the lines above that belong to the same sentence."""
    words = before
    if _LABEL.match(before):
        return words
    for above in reversed(lines[max(0, index - LINES_ABOVE) : index]):
        if not re.search(r"\w", above) or _ADDRESS.search(_undisguised(above)) or _URL.search(above):
            break
        if re.search(r"[.;!?]\s*$", above) and re.search(r"\w", words):
            break
        words = above.rstrip() + " " + words
    return words


def _verdict(context: str, after: str) -> str:
    clause = re.split(r"[.;!?](?:\s|$)", context)[-1]
    behind = re.split(r"[.;!?](?:\s|$)", after, maxsplit=1)[0]
    if _REFUSAL.search(clause) or _REFUSAL.search(behind):
        return "told-not-to"
    return "" if _ABUSE.search(clause) or _ABUSE.search(behind) else "not-abuse"


def _follows_an_address(lines: list[str], index: int) -> bool:
    """True if the line above ends with an address, so that this line goes on with its list."""
    above = lines[index - 1] if index else ""
    last = list(_ADDRESS.finditer(above))[-1:]
    return bool(last) and not re.search(r"\w", above[last[0].end() :])


_FAILED = re.compile(r"abuse-mailbox validation failed|abuse contact (?:is|was) (?:marked )?invalid", re.IGNORECASE)
_UNVALIDATED = re.compile(
    r"\bunvalidated poc\b|attempted to validate the data for this poc,? but has received no response", re.IGNORECASE
)
_DISCLAIMED = re.compile(
    r"(?:unable|not (?:able|empowered|authori[sz]ed)|no authority|cannot|can not) (?:to )?investigate"
    r"|do(?:es)? not operate the (?:referring |referred )?network",
    re.IGNORECASE,
)


def doubts(text: str) -> Iterator[Doubt]:
    """Yield what the registry says against a mailbox: validation failed, marked invalid, no answer to its checks."""
    tokens = text[:MAX_TEXT].split()
    for word, verb, last in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if "@" in word and verb.lower() == "is" and last.lower().rstrip(".,;") == "invalid":
            yield Doubt(word[:320].strip("<>\"'()"), "marked-invalid")
    words = " ".join(tokens)
    if _FAILED.search(words):
        yield Doubt("", "marked-invalid")
    if _UNVALIDATED.search(words):
        yield Doubt("", "unvalidated")


def disclaims(text: str) -> bool:
    """True if the contact says of itself that it cannot look into abuse: a registry's desk."""
    return bool(_DISCLAIMED.search(" ".join(text[:MAX_TEXT].split())))
