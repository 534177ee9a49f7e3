"""Read and write files of contacts, CSV or TOML: preferences, words on contacts and routes in one file.  Pure.

CSV has one row for each thing and a column `kind`; TOML has arrays of tables named after the kinds.  A spreadsheet would
run a cell that begins like a formula: such a cell is written with an apostrophe before it, and read without.  Nothing in a
file raises: what cannot be taken becomes a problem.  Standards: RFC 4180, TOML 1.0.
"""

import codecs
import csv
import io
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pipeline.resolve.contact_rows import COLUMNS, KINDS, Problem, Record, Row, key, record_of, row_of

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 100_000
MAX_CELL = 70_000  # characters: a PGP key
FORMULA = tuple("=+-@\t\r＝＋－＠")  # OWASP, CSV injection
DELIMITERS = ",;\t"  # spreadsheets in French write semicolons
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(slots=True)
class Contents:
    """What a file says: its good rows, in its order, and what is wrong with the others or with all of it."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(data: bytes, kind: str, now: datetime) -> Contents:
    """Read a file of `kind` csv or toml."""
    found = Contents()
    seen: set[tuple[object, ...]] = set()
    records = _records(data, kind, found.problems)
    for where, record in records:
        row, problems = row_of(where, record, now)
        if row is not None and key(row) in seen:
            problems.append(Problem(where, "mailbox" if "mailbox" in record else "country", "double"))
        found.problems += problems
        if row is not None and not problems:
            seen.add(key(row))
            found.rows.append(row)
    return found


def _records(data: bytes, kind: str, problems: list[Problem]) -> Iterator[tuple[str, Record]]:
    text = _decoded(data, problems)
    if text is None:
        return
    yield from _csv_records(text, problems) if kind == "csv" else _toml_records(text, problems)


def _decoded(data: bytes, problems: list[Problem]) -> str | None:
    if len(data) > MAX_BYTES:
        problems.append(Problem("", "", "too_large", str(MAX_BYTES)))
        return None
    bom, encoding = next(((bom, name) for bom, name in BOMS if data.startswith(bom)), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(Problem(str(line), "", "encoding"))
        return None
    if "\0" in text:  # UTF-16 without its mark, or no text at all
        problems.append(Problem("", "", "encoding"))
        return None
    return text


# --- CSV -------------------------------------------------------------------------------------------------------------


def _csv_records(text: str, problems: list[Problem]) -> Iterator[tuple[str, Record]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    head: list[str] | None = None
    start, count = 1, 0
    try:
        for cells in lines:
            where, start = str(start), lines.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head = [cell.strip().lower() for cell in cells]
                if wrong := _head_problems(where, head):
                    problems += wrong
                    return
                continue
            count += 1
            if count > MAX_ROWS:
                problems.append(Problem(where, "", "too_many_rows", str(MAX_ROWS)))
                return
            if wrong := _cell_problems(where, cells, head):
                problems += wrong
                continue
            yield where, dict(zip(head, map(_without_apostrophe, cells), strict=False))
    except csv.Error:  # a quote that never ends, text after one, a cell without bounds
        problems.append(Problem(str(start), "", "csv"))
        return
    if head is None:
        problems.append(Problem("", "", "empty"))


def _delimiter(text: str) -> str:
    """Return the mark that makes the most column names of the first line."""
    first = text[:4000].lstrip("\r\n").partition("\n")[0].replace('"', "").lower().strip()
    return max(DELIMITERS, key=lambda mark: len(set(first.split(mark)) & set(COLUMNS)))


def _head_problems(where: str, head: Sequence[str]) -> list[Problem]:
    unknown = [Problem(where, "", "unknown_column", name) for name in head if name not in COLUMNS]
    double = [Problem(where, "", "double_column", name) for name in COLUMNS if head.count(name) > 1]
    missing = [Problem(where, "", "missing_column", "kind")] if "kind" not in head else []
    return unknown + double + missing


def _cell_problems(where: str, cells: Sequence[str], head: Sequence[str]) -> list[Problem]:
    if any(cell.strip() for cell in cells[len(head) :]):
        return [Problem(where, "", "too_many_cells", str(len(cells)))]
    return [
        Problem(where, name, "too_long", cell[:40])
        for name, cell in zip(head, cells, strict=False)
        if len(cell) > MAX_CELL
    ]


def _without_apostrophe(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(("'", *FORMULA)) else cell


def _with_apostrophe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("'", *FORMULA)) else cell


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV, with a byte-order mark, by which spreadsheets know UTF-8."""
    made = io.StringIO(newline="")
    made.write("\ufeff")
    writer = csv.DictWriter(made, COLUMNS, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _with_apostrophe(text) for name, text in record_of(row).items()})
    return made.getvalue()


# --- TOML ------------------------------------------------------------------------------------------------------------


def _toml_records(text: str, problems: list[Problem]) -> Iterator[tuple[str, Record]]:
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: TOMLDecodeError, and a number of too many digits
        problems.append(Problem("", "", "toml", str(error) if isinstance(error, tomllib.TOMLDecodeError) else ""))
        return
    if not tables:
        problems.append(Problem("", "", "empty"))
    count = 0
    for kind, entries in tables.items():
        if kind not in KINDS or not isinstance(entries, list):
            problems.append(Problem("", "", "unknown_table", kind))
            continue
        for number, entry in enumerate(entries, start=1):
            count += 1
            where = f"{kind} {number}"
            if count > MAX_ROWS:
                problems.append(Problem(where, "", "too_many_rows", str(MAX_ROWS)))
                return
            record, wrong = _toml_record(where, entry)
            problems += wrong
            if not wrong:
                yield where, {"kind": kind, **record}


def _toml_record(where: str, entry: object) -> tuple[dict[str, str], list[Problem]]:
    if not isinstance(entry, dict):
        return {}, [Problem(where, "", "type")]
    record, problems = {}, []
    for name, value in entry.items():
        text = _toml_text(name, value)
        if name not in COLUMNS or name == "kind":
            problems.append(Problem(where, name, "unknown_column", name))
        elif text is None:
            problems.append(Problem(where, name, "type"))
        elif len(text) > MAX_CELL:
            problems.append(Problem(where, name, "too_long", text[:40]))
        else:
            record[name] = text
    return record, problems


def _toml_text(name: str, value: object) -> str | None:
    """Return a value of TOML as the text that a cell of CSV would have; None for a type that has no place here."""
    if name == "headers" and isinstance(value, dict):
        pairs = [
            (header, text) for header, text in value.items() if isinstance(text, str) and "\n" not in header + text
        ]
        return "\n".join(f"{header}: {text}" for header, text in pairs) if len(pairs) == len(value) else None
    if isinstance(value, bool) or name == "headers":
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**9 else None
    return value if isinstance(value, str) else None


def as_toml(rows: Sequence[Row]) -> str:
    """Return rows as TOML: [[preference]], [[use]], [[reject]] and [[route]]."""
    parts = []
    for row in rows:
        record = record_of(row)
        lines = [f"[[{record.pop('kind')}]]"]
        for name, text in record.items():
            lines.append(f"{name} = {_toml_value(name, text)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _toml_value(name: str, text: str) -> str:
    if name == "cadence_days":
        return text
    if name == "headers":
        pairs = (line.split(": ", 1) for line in text.split("\n"))
        return "{ " + ", ".join(f"{_quoted(header)} = {_quoted(value)}" for header, value in pairs) + " }"
    return _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; U+007F, which only TOML forbids, has no place in any value
    return json.dumps(text, ensure_ascii=False)


def as_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain records: what `--json` shows."""
    return [dict(record_of(row)) for row in rows]
