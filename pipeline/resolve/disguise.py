"""Undo the disguises that people write mailboxes in, in remarks alone: "abuse (at) isp (dot) example" and its kin.

Pure; the work grows with the length of the line.
"""

import re

_AT_WORDS = r"(?:at(?:[- ]sign)?|@|arr?oba|arr?obase|arr?obas|chez)"
_BRACKET_AT = re.compile(rf"\s*(?:[(\[{{<]\s*{_AT_WORDS}\s*[)\]}}>]|[{{<(]\|[)}}>]|＠)\s*", re.IGNORECASE)
_BRACKET_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punto|ponto|point|punkt|\.)\s*[)\]}>]\s*", re.IGNORECASE)
# "desk_at_isp.example", "desk -at- isp -dot- example", "desk(a)isp.example", as HTML writes it: only before a name of a
# domain.  A hyphen needs its space: look-at-isp.example is a host
_MARKED_AT = re.compile(
    r"(?<=[a-z0-9])(?:\s?([*_|])at\1\s?|\s-at-\s|[(\[]a[)\]]|&#0{0,4}64;|&#x0{0,4}40;|&commat;)"
    r"(?=[a-z0-9-]{1,63}(?:\.|\s?[*_|-]dot[*_|-]\s?|&#46;|[(\[])\w)",
    re.IGNORECASE,
)
_MARKED_DOT = re.compile(r"\s?([*_|])dot\1\s?|\s-dot-\s|&#0{0,4}46;", re.IGNORECASE)
# "Abuse: desk @ isp.example"; "Report abuse @ isp.example" names a web site
_SPACED_AT = re.compile(
    r"(^\W*|[:(<,>]\s?| to )([a-z0-9._+-]{1,60})(?: @ ?|@ )(?!www\.)([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4})(?![\w/:])",
    re.IGNORECASE,
)
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

_BRACKET_MARK = re.compile(r"[(\[{<] ?(?:at|dot|@|a[)\]]|arr?o|chez)")


def may_be_in(lowered: str) -> bool:
    """False where no disguise can be in a text, which is nearly always; cheap, since every text is asked this."""
    if "|" in lowered or " @" in lowered or "@ " in lowered or "&#" in lowered or "&commat" in lowered:
        return True
    if "＠" in lowered or "_at_" in lowered or "*at*" in lowered or " -at- " in lowered or _is_spoken(lowered):
        return True
    has_bracket = "(" in lowered or "[" in lowered or "<" in lowered or "{" in lowered
    return has_bracket and _BRACKET_MARK.search(lowered) is not None


_SPOKEN_HINT = re.compile(r"(?:abuse|spam)[a-z0-9._+-]{0,30}\s+at\s")


def _is_spoken(lowered: str) -> bool:
    if " at " not in lowered and "\tat" not in lowered:
        return False
    if " dot " in lowered:
        return True
    return ("abuse" in lowered or "spam" in lowered) and _SPOKEN_HINT.search(lowered) is not None


def undone(line: str) -> str:
    """Return the line with "(at)", "{|)", "(dot)" and, for names that say abuse, a spoken " at " and " dot " undone."""
    if not may_be_in(line.lower()):
        return line
    plain = _MARKED_AT.sub("@", _BRACKET_AT.sub("@", line))
    if "@" in plain:
        plain = _MARKED_DOT.sub(".", _BRACKET_DOT.sub(".", plain))
        plain = _SPACED_AT.sub(r"\1\2@\3", plain)
    if not _is_spoken(plain.lower()):
        return plain
    plain = _SPOKEN_DOTS.sub(lambda spoken: f"{spoken[1] or spoken[2]}@{_DOT.sub('.', spoken[3])}", plain)
    return _SPOKEN_AT.sub(r"\1@\2", plain)
