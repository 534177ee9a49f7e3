"""CSV tables written by hand, read into checked cells; what is wrong names the file, the line and the column.

Reads: one file (UTF-8, a header line, columns in any order, lines that begin with # are left out).  Writes: nothing.
"""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from pipeline.domain import Address, ConfigurationError


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.  Each reader returns the cell's value or raises the ConfigurationError that `wrong` makes."""

    path: Path
    line: int
    cells: dict[str, str]

    def wrong(self, column: str, problem: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path.name}, line {self.line}, {column}: {self.cells.get(column, '')!r:.80} {problem}",
            next_step=f"correct {self.path}",
        )

    def text(self, column: str) -> str:
        """A cell that must not be empty, of at most 200 characters."""
        value = self.cells[column]
        if not value or len(value) > 200 or not value.isprintable():
            raise self.wrong(column, "must have 1 to 200 printable characters")
        return value

    def optional(self, column: str) -> str:
        return self.text(column) if self.cells[column] else ""

    def choice(self, column: str, allowed: Collection[str]) -> str:
        value = self.cells[column]
        if value not in allowed:
            raise self.wrong(column, "is none of " + ", ".join(sorted(allowed)))
        return value

    def integer(self, column: str, low: int, high: int) -> int:
        value = self.cells[column]
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and low <= int(value) <= high):
            raise self.wrong(column, f"is not a whole number from {low} to {high}")
        return int(value)

    def address(self, column: str) -> Address:
        return self._addresses(column, self.cells[column])[0]

    def addresses(self, column: str) -> tuple[Address, Address]:
        """A range: FIRST-LAST, a prefix, or one address; both ends included."""
        first, dash, last = self.cells[column].partition("-")
        start, end = self._addresses(column, first.strip())
        if dash:
            if start != end:
                raise self.wrong(column, "is a prefix and a range at once")
            end = self._addresses(column, last.strip())[0]
        if start.version != end.version or int(start) > int(end):
            raise self.wrong(column, "does not end after it begins")
        return start, end

    def _addresses(self, column: str, text: str) -> tuple[Address, Address]:
        try:
            if "/" not in text:
                return ip_address(text), ip_address(text)
            network = ip_network(text)
        except ValueError as error:
            raise self.wrong(column, "is no address, prefix or range") from error
        return network[0], network[-1]


def rows(path: Path, needed: Collection[str], optional: Collection[str] = ()) -> Iterator[Row]:
    """Yield the lines of a table.  Raises ConfigurationError for a file or header that cannot be read; a column that
    is missing and optional reads as empty, a column that nobody knows is an error."""
    try:
        lines = path.read_text("utf-8-sig").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read", str(error), f"write {path} as UTF-8") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    reader = csv.reader((line for _, line in numbered), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            number = numbered[reader.line_num - 1][0]
            if header:
                yield _row(path, number, header, cells, optional)
            else:
                header = [cell.strip() for cell in cells]
                _check_header(path, number, header, needed, optional)
    except csv.Error as error:
        raise ConfigurationError(f"{path.name} is not CSV: {error}", next_step=f"correct {path}") from error
    if not header:
        raise ConfigurationError(f"{path.name} has no header line", next_step=f"begin {path} with its column names")


def _row(path: Path, line: int, header: list[str], cells: list[str], optional: Collection[str]) -> Row:
    if len(cells) != len(header):
        raise ConfigurationError(
            f"{path.name}, line {line}: {len(cells)} cells under {len(header)} columns", next_step=f"correct {path}"
        )
    found = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    return Row(path, line, dict.fromkeys(optional, "") | found)


def _check_header(path: Path, line: int, header: list[str], needed: Collection[str], optional: Collection[str]) -> None:
    missing = sorted(set(needed) - set(header))
    unknown = sorted(set(header) - set(needed) - set(optional))
    problem = (
        f"no column {', '.join(missing)}"
        if missing
        else f"unknown column {', '.join(unknown)}"
        if unknown
        else "a column twice"
        if len(set(header)) != len(header)
        else ""
    )
    if problem:
        raise ConfigurationError(f"{path.name}, line {line}: {problem}", next_step=f"correct {path}")


def mailbox(row: Row, column: str, value: str) -> str:
    """Return a mailbox of the sandbox: nothing outside .example, so that no slip can write to anybody."""
    local, at, domain = value.rpartition("@")
    if not local or not at or " " in value or not domain.lower().endswith(".example"):
        raise row.wrong(column, "is not a mailbox under .example")
    return value
