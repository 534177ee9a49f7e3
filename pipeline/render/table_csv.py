"""Every target of a letter as one CSV file, for the programs of an abuse desk and for spreadsheets.

Pure.  The heads are machine names, the same in every language; a person reads the table in the letter.  UTF-8 without a
byte order mark, which scripts take for part of the first head; lines end in CRLF (RFC 4180).  An outside value that a
spreadsheet could take for a formula gets an apostrophe before it (OWASP: CSV injection).
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from pipeline.render.evidence import Group, targets
from pipeline.render.values import Finding, LetterValues, utc_second

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
)
NOTE = "note_{}"  # one column for each language of the letter: note_en, note_fr_CA

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20|%]")  # the full-width forms count for some spreadsheets


def csv_table(values: LetterValues, groups: Sequence[Group], notes: Mapping[str, Sequence[str]]) -> bytes | None:
    """Return the file, or None if it were larger than MAX_CSV even without notes.

    `groups` are the letter's sections; `notes` has, for each locale, one text for each target in their order.
    """
    for columns in [notes, {}] if notes else [{}]:
        written = _written(values, groups, columns)
        if written is not None:
            return written
    return None


def guarded(text: str) -> str:
    """Return an outside value on one line, with an apostrophe before what a spreadsheet would compute."""
    line = " ".join("".join(" " if unicodedata.category(c) in _UNSAFE else c for c in text).split())
    return f"'{line}" if _FORMULA.match(line) else line


def _written(values: LetterValues, groups: Sequence[Group], notes: Mapping[str, Sequence[str]]) -> bytes | None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*HEADS, *(NOTE.format(locale) for locale in notes)])
    size = 0
    for number, (group, finding) in enumerate(_targets(groups)):
        row = _row(values, group, finding) + [guarded(column[number]) for column in notes.values()]
        size += sum(map(len, row))
        if size > MAX_CSV:
            return None
        writer.writerow(row)
    data = out.getvalue().encode()
    return data if len(data) <= MAX_CSV else None


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
        finding.topic,
        group.wording.value,
        utc_second(finding.first_seen),
        utc_second(finding.last_seen),
        utc_second(tested) if tested else "",
        guarded("; ".join(finding.sources)),
        str(finding.source_count),
        guarded(finding.network),
        values.reference,
    ]
