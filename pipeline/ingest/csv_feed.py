"""Feeds with named columns: RFC 4180 records to observations, columns found by name.

Pure and streaming.  A record may span lines (a quoted cell with a line break: text from a stranger's server may hold
one, and its second line must not be read as a record of its own); what is not closed in time is rejected whole.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from pipeline.domain import Observation, Reject
from pipeline.ingest.lines import MAX_LINE, Line
from pipeline.ingest.rejects import Reason
from pipeline.ingest.row import MAX_RAW, RowRule, row_rule
from pipeline.ingest.shape import FeedShape

MAX_JOINED = 64  # lines of one record
# Only these can be a header: what a stranger's server wrote into other cells must not make the rest of a file void.
NO_ROW = {Reason.ADDRESS_BAD, Reason.ADDRESS_MISSING, Reason.COLUMNS}
Cells = list[str]
ClaimRule = Callable[[Cells], str | Reason]
ClaimReader = Callable[[FeedShape, Mapping[str, int], Cells], ClaimRule]


class Layout(NamedTuple):
    """Where each role stands in a row; a column that the file does not have stands behind the last."""

    address: int
    port: int
    transport: int
    observed_at: int
    confidence: int
    claim_of: ClaimRule


def parse(lines: Iterable[Line], feed: FeedShape) -> Iterator[Observation | Reject]:
    """Yield one record for each line that is not empty, a comment or the header.

    `feed.columns` must name the column of the address; every column it names must be in the header.
    """
    return table(lines, feed, {}, by_word)


def by_word(feed: FeedShape, places: Mapping[str, int], names: Cells) -> ClaimRule:
    """Return the rule that reads a claim from its column, by the feed's own words; no column or word: the default."""
    place = places.get("claim", len(names))
    words = {as_read(word).lower(): claim for word, claim in feed.claims.items()} or {kind: kind for kind in feed.kinds}
    words.setdefault("", feed.default_claim)

    def rule(cells: Cells) -> str | Reason:
        word = cells[place]
        claim = words.get(word)
        if claim is None:
            claim = words.get(word.strip().lower())
        return claim or (Reason.CLAIM_MISSING if claim == "" else Reason.CLAIM_UNKNOWN)

    return rule


def table(
    lines: Iterable[Line], feed: FeedShape, usual: Mapping[str, str], claims: ClaimReader
) -> Iterator[Observation | Reject]:
    """Yield the rows of a table.  `usual`: role -> column, for columns that the feed does not name and may lack.

    Every line from a header that lacks a column on, or from a second header with other columns on, is rejected for that.
    """
    build = row_rule(feed)
    names = [as_read(name).strip().lower() for name in feed.header]
    laid = _lay(names, feed, usual, claims) if names else None
    for record in records(lines, feed.delimiter):
        if isinstance(record, Reject):
            yield record
            continue
        line, raw, cells = record
        if laid is None:
            names = [cell.strip().lower() for cell in cells]
            laid = _lay(names, feed, usual, claims)
            if isinstance(laid, Layout):
                continue
        if isinstance(laid, Reason):
            yield Reject(line, laid, raw[:MAX_RAW])
            continue
        row = _row(line, raw, cells, laid, len(names), build)
        if isinstance(row, Reject) and row.reason in NO_ROW and (header := _second_header(cells, names, laid.address)):
            laid = header if header is Reason.HEADER_CHANGED else laid
            row = Reject(line, header, raw[:MAX_RAW])
        yield row


def _row(line: int, raw: bytes, cells: Cells, laid: Layout, width: int, build: RowRule) -> Observation | Reject:
    if len(cells) != width:
        return Reject(line, Reason.COLUMNS, raw[:MAX_RAW])
    cells.append("")  # where the columns that this file does not have point
    address, port, transport, time, confidence, claim_of = laid
    return build(
        line, raw, cells[address], cells[port], cells[transport], cells[time], claim_of(cells), cells[confidence]
    )


def _lay(names: Cells, feed: FeedShape, usual: Mapping[str, str], claims: ClaimReader) -> Layout | Reason:
    """Return where each role stands, or the reason if a column that is needed is not there, or there twice."""
    wanted = {role: as_read(name).strip().lower() for role, name in feed.columns.items()}
    places: dict[str, int] = {}
    for role, name in {**usual, **wanted}.items():
        if names.count(name) == 1:
            places[role] = names.index(name)
        elif role in wanted or name in names:
            return Reason.HEADER_MISSING
    if "address" not in places:
        return Reason.HEADER_MISSING
    absent = len(names)
    return Layout(
        places["address"],
        places.get("port", absent),
        places.get("transport", absent),
        places.get("observed_at", absent),
        places.get("confidence", absent),
        claims(feed, places, names),
    )


def _second_header(cells: Cells, names: Cells, address: int) -> Reason | None:
    """Return whether `cells` is the header again, or another one: a row that names our columns."""
    found = [cell.strip().lower() for cell in cells[: len(names) + 64]]
    if names[address] not in found or len(set(found) & set(names)) < min(2, len(names)):
        return None
    return Reason.HEADER_REPEATED if found in (names, [*names, ""]) else Reason.HEADER_CHANGED


def as_read(text: str) -> str:
    """Return text of the settings as it looks in cells, which are decoded as Latin-1: any bytes are some text there."""
    return text.encode().decode("latin-1")


def records(lines: Iterable[Line], delimiter: str) -> Iterator[tuple[int, bytes, Cells] | Reject]:
    """Yield (line number, raw, cells) for each record; a Reject for each line of what is none."""
    source = iter(lines)
    for line in source:
        number, raw, _ = line
        if len(raw) > MAX_LINE:
            yield Reject(number, Reason.LINE_TOO_LONG, raw[:MAX_RAW])
        elif b"\0" in raw:
            yield Reject(number, Reason.NUL_BYTE, raw[:MAX_RAW])
        elif b'"' in raw:
            yield from _quoted(line, source, delimiter)
        elif raw and raw[0] != 35 and not raw.isspace():  # 35: '#'
            yield number, raw, raw.decode("latin-1").split(delimiter)


def _quoted(first: Line, source: Iterator[Line], delimiter: str) -> Iterator[tuple[int, bytes, Cells] | Reject]:
    """Yield the record that begins with `first`, taking further lines from `source` while a quote is open."""
    taken = [first]
    unclosed = False

    def texts() -> Iterator[str]:
        nonlocal unclosed
        yield first[1].decode("latin-1") + "\n"
        for line in islice(source, MAX_JOINED - 1):
            taken.append(line)
            if len(line[1]) > MAX_LINE or b"\0" in line[1]:
                break
            yield line[1].decode("latin-1") + "\n"
        unclosed = True

    try:
        cells = next(csv.reader(texts(), delimiter=delimiter))
    except csv.Error:
        unclosed = True
    if unclosed:
        for number, raw, _ in taken:
            yield Reject(number, Reason.QUOTING, raw[:MAX_RAW])
    else:
        raw = first[1] if len(taken) == 1 else b"\n".join(line[1] for line in taken)
        yield first[0], raw, cells
