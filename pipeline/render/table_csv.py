"""Every target of a letter as one CSV file, for the programs of an abuse desk and for spreadsheets.

Pure.  The heads are machine names, the same in every language; a person reads the table in the letter.  UTF-8 without a
byte order mark, which scripts take for part of the first head; lines end in CRLF (RFC 4180).  What nobody said is empty.
A training letter's file says so in its name, and in each row, as rows are parted from the file they came in.

An outside value that a spreadsheet could take for a formula gets an apostrophe before it (OWASP: CSV injection): at its
start, and after each semicolon in it, as spreadsheets in many languages part cells there.  For the same reason a value
that holds a semicolon stands in quotation marks, like one that holds a comma.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from pipeline.render.evidence import Group, targets
from pipeline.render.values import TEST, Finding, LetterValues, utc_second

MAX_CSV = 2_000_000  # bytes; a larger file goes without its notes, one that is still larger is not attached

HEADS = (
    "address",
    "port",
    "service",
    "topic",
    "evidence",
    "first_seen",
    "last_seen",
    "tested_at",
    "sources",
    "source_count",
    "network",
    "reference",
    "status",  # empty where the letter is in earnest
)
NOTE = "note_{}"  # one column for each language of the letter: note_en, note_fr_CA

# Some spreadsheets read the full-width and small forms and the minus sign as the ASCII ones; "|" and "%" began old attacks.
_FORMULA = re.compile(r"(?:^|(?<=;))(?=[\s\"]*[=+\-@|%\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212])")
_QUOTED = re.compile('[",;]')


def csv_table(values: LetterValues, groups: Sequence[Group], notes: Mapping[str, Iterable[str]]) -> bytes | None:
    """Return the file, or None if it were larger than MAX_CSV even without notes.

    `groups` are the letter's sections; `notes` has, for each locale, one text for each target in their order.  No more of
    these are taken than fit.  Raises ValueError if there are more or fewer notes than targets.
    """
    written = _bounded(_lines(values, groups, notes))
    if written is None and notes:
        written = _bounded(_lines(values, groups, {}))
    return written


def file_name(values: LetterValues) -> str:
    """Return the name of the file: what takes in files by their names leaves out those of a training letter."""
    return "training-addresses.csv" if values.training else "addresses.csv"


def guarded(text: str) -> str:
    """Return an outside value on one line, with an apostrophe before what a spreadsheet would compute."""
    text = text.replace("\u00a0", " ")  # French notes have some in every line
    visible = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return _FORMULA.sub("'", " ".join(visible.split()))


def _bounded(lines: Iterable[str]) -> bytes | None:
    """Return the lines as bytes, or None as soon as they are too many."""
    parts, size = [], 0
    for line in lines:
        parts.append(line.encode())
        size += len(parts[-1])
        if size > MAX_CSV:
            return None
    return b"".join(parts)


def _lines(values: LetterValues, groups: Sequence[Group], notes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    yield ",".join([*HEADS, *map(NOTE.format, notes)]) + "\r\n"
    for (group, finding), *texts in zip(_targets(groups), *notes.values(), strict=True):
        yield ",".join([*_row(values, group, finding), *map(_cell, texts)]) + "\r\n"


def _targets(groups: Sequence[Group]) -> Iterator[tuple[Group, Finding]]:
    for group in groups:
        for finding in targets(group):
            yield group, finding


def _row(values: LetterValues, group: Group, finding: Finding) -> list[str]:
    tested = finding.confirmed_at or (finding.ended.at if finding.ended and not finding.ended.stated else None)
    return [
        str(finding.address),
        str(finding.port) if finding.port else "",
        finding.service if finding.service != "any" else "",
        _kept(finding.topic),
        group.wording.value,
        utc_second(finding.first_seen),
        utc_second(finding.last_seen),
        utc_second(tested) if tested else "",
        _kept("; ".join(finding.sources)),
        str(finding.source_count),
        _kept(finding.network),
        values.reference,
        "training" if values.training else "test" if values.kind == TEST else "",
    ]


def _cell(text: str) -> str:
    cell = guarded(text)
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


_kept = lru_cache(maxsize=1_024)(_cell)  # the same few names stand in most rows
