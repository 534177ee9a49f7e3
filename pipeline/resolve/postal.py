"""Make of what a registry wrote where a postal address belongs a few safe lines, or nothing.

Pure.  The lines stay as the registry has them, the country too; what cannot stand on an envelope goes: mailboxes, links,
telephone numbers, and the signs that registries put in the place of what they withhold.
Standards: RFC 6350 sections 6.3.1 and 5.6 (adr, its parts and its label), UPU S42 (an address is lines, the country last).
"""

import re
import textwrap
from collections.abc import Sequence

from pipeline.resolve import country
from pipeline.resolve.mailbox import clean

MAX_LINES = 8
MAX_WIDTH = 80  # characters
MAX_READ = 40  # lines that are looked at
MAX_LINE = 400  # characters of one of them
MAX_LABEL = 2000  # characters

_SIGNS = ("@", "＠", "://", "www.", "***")  # of a mailbox, a link, or of what is withheld
_UNFIT = re.compile(  # how a line begins, or all of it; in lower case
    r"(?:https?|e-?mail|tel|phone|fax|fon|mobile)\b\.?(?: no\.?)? ?:"
    r"|(?:private (?:residence|address)|n/a|none|null|unknown|not (?:available|disclosed))\W*\Z"
    r"|\W*redacted\b|[\W_]*\Z"
)
# what nearly every registry writes, so that it need not be looked at line by line
_LETTER = "A-Za-z0-9À-ÖØ-öø-ÿ"
_PLAIN = re.compile(
    r"(?:(?!(?i:redact|private|n/a|no[nt]|null|unknown))"
    rf"[{_LETTER}](?:[{_LETTER} ,.#/'()-]{{0,{MAX_WIDTH - 2}}}[{_LETTER}.)])?(?:\n|\Z)){{2,{MAX_LINES}}}(?<!\n)"
)
_A_SIGN = re.compile(r"[^\W_]")  # a letter or a digit
_TOWN = re.compile(r"\n([A-Z]{2})\n(?=[^\n]*\d)")  # after the town: a province, and a postal code on the next line


def written(text: str) -> str:
    r"""Return the address as at most 8 lines of at most 80 characters, parted by "\n", or "" if these are none.

    `text`: its lines, parted in the same way.  A longer line is folded between words.  Of too many lines the last stays: it
    names the country.
    """
    if _is_plain(text):
        return text
    kept = [line for raw in text.split("\n", MAX_READ)[:MAX_READ] if _is_fit(line := clean(raw, MAX_LINE).strip(" ,;"))]
    kept = [part for line in kept for part in (textwrap.wrap(line, MAX_WIDTH) if len(line) > MAX_WIDTH else [line])]
    if len(kept) < 2 and not any(character.isdigit() for line in kept for character in line):
        return ""  # a country or a town alone
    return "\n".join(kept if len(kept) <= MAX_LINES else [*kept[: MAX_LINES - 1], kept[-1]])


def _is_plain(text: str) -> bool:
    """Is it sure, at a look at the whole, that nothing is to be changed?"""
    return _PLAIN.fullmatch(text) is not None and "  " not in text and "www." not in text.lower()


def _is_fit(line: str) -> bool:
    """May the line stand on an envelope?"""
    lowered = line.lower()
    return not any(sign in lowered for sign in _SIGNS) and _UNFIT.match(lowered) is None


def from_label(label: str, land: str = "") -> str:
    r"""Return the address that is written out as one text, its lines parted by line ends or by a literal "\n".

    `land`: the country, which is added where the last line is none.  ARIN gives the town, the province and the postal code
    a line each: they are one line on an envelope.
    """
    text = label[:MAX_LABEL].replace("\\n", "\n")
    if not _is_plain(text):
        text = "\n".join([line for line in map(str.strip, text.splitlines()) if line])
    text = _TOWN.sub(r" \1 ", text, 1)
    if land and text:
        last = text.rpartition("\n")[2]
        if not (country.code(last) or last.lower().endswith(land.lower())):
            text = f"{text}\n{land}"
    return written(text)


def from_parts(street: Sequence[str], town: str, region: str, code: str, land: str) -> str:
    """Return the address that is given in parts: the lines above the town, then the town's, then the country.

    The postal code follows the region where there is one, and goes before the town where there is none, as most countries
    without regions write it.  Without a street or a town it is no address.
    """
    above = [line for text in street[:MAX_READ] for line in _lines(text)]
    if not above and not _says(town):
        return ""
    if region or code:
        region, code = region if _says(region) else "", code if _says(code) else ""
    place = " ".join(filter(None, (town, region, code) if region else (code, town)))
    return written("\n".join(filter(None, (*above, place, land))))


def _lines(text: str) -> list[str]:
    """The lines that say something."""
    if text.isalnum():
        return [text[:MAX_LABEL]]
    cut = text[:MAX_LABEL].replace("\\n", "\n").splitlines()
    return [stripped for line in cut if _says(stripped := line.strip())]


def _says(text: str) -> bool:
    return _A_SIGN.search(text, 0, MAX_LABEL) is not None
