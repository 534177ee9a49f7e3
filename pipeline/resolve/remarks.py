"""Read mailboxes out of free text with care: which of them the text offers for abuse reports, and which it warns of.

Registries' remarks mix abuse desks with peering, legal and correction addresses; only the words beside an address tell
them apart.  Pure; the work grows with the length of the text, which is cut at 64 KiB.
"""

import re
from typing import NamedTuple

from pipeline.resolve.mailbox import normalise

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
# looked for in lower-cased text between spaces: one pattern of them all costs five times as much
_ABUSE_WORDS = (
    *(
        "abus",
        "spam",
        "phish",
        " hack",
        "intrusion",
        "malware",
        "botnet",
        " scam",
        "fraud",
        " attack",
        " uce ",
        " uce/",
    ),
    *("security incident", "security breach", "pourriel", "hameçonnage", "hameconnage", "missbrauch", "mißbrauch"),
    *("misbruik", "misbruk", "nadużyć", "nadużyc", "naduzyc", "zneužit", "zneužív", "zneuzit", "kötüye kullan"),
    *("kotuye kullan", "злоупотреб", "зловживан", "спам", "жалоб", "lạm dụng", "thư rác", "penyalahgunaan"),
    *(
        "滥用",
        "濫用",
        "垃圾邮件",
        "垃圾郵件",
        "举报",
        "スパム",
        "迷惑メール",
        "不正アクセス",
        "스팸",
        "침해사고",
        "남용",
    ),
)
_ABUSE_NAME = re.compile(
    r"(?:^|[._+-])(?:net|network|report|anti)?abus[eo](?:desk|team|reports?|mailbox|dept|s)?(?:$|[._+0-9-])"
    r"|^(?:anti-?|report-?)?spam(?:-?reports?)?$|(?:^|[._-])csirt$|^cert$"
)
_REFUSAL_HINTS = (
    *("not", "n't", "n’t", "never", "ne ", "n'", "n’", "no ", "nao ", "não ", "non ", "nicht", "kein", "niet", "geen"),
    *("не ", "unmonitored", "unattended", "only for", "will be ", "请勿", "請勿", "不要", "しないで", "ご遠慮", "하지"),
)
_REFUSAL = re.compile(  # of lower-cased text that has one of the hints
    r"\b(?:do not|don['’]t|never|please don.t|ne pas|ne \w+ pas|n['’]\w+ pas|nicht|kein\w*|niet|geen)\b"
    r"|\bno (?:env[ií]e|enviar|usar|use|utili[cz]\w+|escrib\w+|mand\w+)\b"
    r"|\bn[ãa]o (?:envi\w+|us\w+|utiliz\w+|escrev\w+|mand\w+)\b|\bnon (?:inviare|scrivere|usare|utilizzare)\b"
    r"|\bне (?:отправ|пиш|присыл|использ|направ)|请勿|請勿|不要|しないで|ご遠慮|하지 ?마"
    r"|\bnot (?:for|to be|be (?:used|read|answered|processed)|used|read|monitored|an? abuse|accepted)\b"
    r"|\b(?:un|not )(?:monitored|attended)\b|\bno longer\b|\bonly for\b(?! (?:\S+ ){0,3}(?:abus|spam))"
    r"|\bwill be (?:ignored|discarded|deleted|dropped)\b"
)
# "mail to any other address will not be read" speaks of the others, not of the address beside it
_OF_OTHERS = re.compile(r"\bother (?:e-?mail )?(?:address|contact|mailbox|poc|recipient)|\belsewhere\b")
_LABEL = re.compile(r"^\W*(?!(?:e-?mail|mail|address|contact|to)\s*:)\w[\w /&.'-]{0,40}:\W*$", re.IGNORECASE)
_URL = re.compile(r"https?:|www\.", re.IGNORECASE)
_LINKING = re.compile(r"^(?:\W|\b(?:and|or|cc|et|ou|und|oder|y|o|e)\b)*$", re.IGNORECASE)
_STATUS = re.compile(
    r"\b(?:was|is|has been)\s+(?:not\s+)?(?:marked\s+(?:as\s+)?)?(?:validated|invalid|unvalidated)\b", re.IGNORECASE
)

_BRACKET_AT = re.compile(r"\s*(?:[(\[{<]\s*(?:at|@)\s*[)\]}>]|[{<(]\|[)}>]|＠)\s*", re.IGNORECASE)
_BRACKET_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punto|point|\.)\s*[)\]}>]\s*", re.IGNORECASE)
_SPOKEN_NAME = r"([a-z0-9._+-]{0,30}(?:abuse|spam)[a-z0-9._+-]{0,30})"
_SPOKEN_DOTS = re.compile(
    rf"(?:\b{_SPOKEN_NAME}|(?<=[:(<,] )([a-z0-9._+-]{{1,60}})) at ([a-z0-9-]{{1,63}}(?: dot [a-z0-9-]{{1,63}}){{1,4}})\b",
    re.IGNORECASE,
)
# "report abuse at isp.example" names a web site: the name must stand at the start, behind a mark, or behind "to"
_SPOKEN_AT = re.compile(
    rf"(?:^\W*|(?<=[:(<,])|(?<=[:(<,] )|(?<= to )){_SPOKEN_NAME} at "
    r"(?!www\.)([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4})(?![\w/:])",
    re.IGNORECASE,
)
_DOT = re.compile(" dot ", re.IGNORECASE)


def is_abuse_name(mailbox: str) -> bool:
    """True if the mailbox's own name says that it takes abuse reports (RFC 2142 section 4, and what is usual)."""
    return bool(_ABUSE_NAME.search(mailbox.partition("@")[0].lower()))


def is_of_abuse(text: str) -> bool:
    """True if the text has a word for abuse, spam, attacks and the like, in one of some twenty languages."""
    lowered = f" {text.lower()} "
    return any(word in lowered for word in _ABUSE_WORDS)


def refuses(text: str) -> bool:
    """True if the text says not to write to the address beside it, or that nobody reads it."""
    lowered = text.lower()
    if not any(hint in lowered for hint in _REFUSAL_HINTS):
        return False
    return _REFUSAL.search(lowered) is not None and _OF_OTHERS.search(lowered) is None


def mentions(text: str) -> list[Mention]:
    """Return the addresses in a remark, each with what the words beside it say."""
    text = text[:MAX_TEXT]
    has_disguise = _has_disguise(text.lower())
    if "@" not in text and not has_disguise:
        return []
    lines = [" ".join(line[:MAX_LINE].split()) for line in text.splitlines()]
    plain = [_undisguised(line) if _has_disguise(line.lower()) else line for line in lines] if has_disguise else lines
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
                    words = _behind(plain, index, after) if last else after
                    reason = _verdict(before if position else _context(plain, index, before), words)
                if reason == "not-abuse" and is_abuse_name(address):
                    reason = ""
                found.append(Mention(address, reason, address not in lines[index]))
    return found[:MAX_MENTIONS]


_BRACKET_MARKS = tuple(
    f"{bracket}{gap}{word}" for bracket in "([{<" for gap in ("", " ") for word in ("at", "dot", "@")
)


def _has_disguise(lowered: str) -> bool:
    """False where no disguise can be in a text, which is nearly always; cheap, since every text is asked this."""
    if "|" in lowered or "＠" in lowered or _is_spoken(lowered):
        return True
    has_bracket = "(" in lowered or "[" in lowered or "<" in lowered or "{" in lowered
    return has_bracket and any(mark in lowered for mark in _BRACKET_MARKS)


def _is_spoken(lowered: str) -> bool:
    return (" at " in lowered or "\tat" in lowered) and any(word in lowered for word in ("abuse", "spam", " dot "))


def _undisguised(line: str) -> str:
    """The line with "(at)", "{|)", "(dot)" and, for names that say abuse, a spoken " at " and " dot " undone."""
    plain = _BRACKET_AT.sub("@", line)
    if "@" in plain:
        plain = _BRACKET_DOT.sub(".", plain)
    if not _is_spoken(plain.lower()):
        return plain
    plain = _SPOKEN_DOTS.sub(lambda spoken: f"{spoken[1] or spoken[2]}@{_DOT.sub('.', spoken[3])}", plain)
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


def _verdict(context: str, after: str) -> str:
    clause = _CLAUSE_END.split(context)[-1]
    behind = _CLAUSE_END.split(after, maxsplit=1)[0] if after else ""
    if refuses(clause) or (behind and refuses(behind)):
        return "told-not-to"
    return "" if is_of_abuse(clause) or (behind and is_of_abuse(behind)) else "not-abuse"


_WORD = re.compile(r"\w")
_OF_THIS = re.compile(r"\W*(?:this|the above) (?:e-?mail|address|mailbox|account|contact)\b", re.IGNORECASE)
_CLAUSE_END = re.compile(r"(?<!etc)(?<!e\.g)(?<!i\.e)[.;!?](?:\s|$)|。")
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
    if "valid" not in text[:MAX_TEXT].lower():
        return []
    words = " ".join(text[:MAX_TEXT].split())
    found = []
    for match in _MARKED.finditer(words):
        mailbox = words[max(match.start() - 64, words.rfind(" ", 0, match.start()) + 1) : match.end()].partition(" ")[0]
        found.append(Doubt(mailbox.strip("<>\"'()"), "marked-invalid" if match.group(1) else "unvalidated"))
    if _FAILED.search(words):
        found.append(Doubt("", "marked-invalid"))
    if _UNVALIDATED.search(words):
        found.append(Doubt("", "unvalidated"))
    return found


def disclaims(text: str) -> bool:
    """True if the contact says of itself that it cannot look into abuse: a registry's desk."""
    lowered = text[:MAX_TEXT].lower()
    if "investigate" not in lowered and "operate" not in lowered:
        return False
    return bool(_DISCLAIMED.search(" ".join(lowered.split())))
