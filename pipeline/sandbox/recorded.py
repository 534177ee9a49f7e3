"""Recorded answers of registries: a folder of files with an index, served before anything made from a table.

Reads: FOLDER/index.csv with the columns registry, query, file, status, content_type; `query` is an address, a prefix
or ASn, `file` is a name in the folder; `status` (200) and `content_type` may be empty.  Writes: nothing.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from pipeline.domain import Address
from pipeline.sandbox.networks import REGISTRIES
from pipeline.sandbox.tables import Row, rows

Query = IPv4Network | IPv6Network | int


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    registry: str
    query: Query
    path: Path
    status: int = 200
    content_type: str = "application/rdap+json"


@dataclass(frozen=True, slots=True)
class Recorded:
    answers: tuple[RecordedAnswer, ...]

    def find(self, registry: str, question: Address | int) -> RecordedAnswer | None:
        """Return the answer whose prefix is the longest that holds the address, or that is of this AS number."""
        fitting = [a for a in self.answers if a.registry == registry and _fit(a.query, question) >= 0]
        return max(fitting, key=lambda answer: _fit(answer.query, question), default=None)


def _fit(query: Query, question: Address | int) -> int:
    """Return how closely `query` fits, as a prefix length; -1 if it does not."""
    if isinstance(query, int) or isinstance(question, int):
        return 0 if query == question else -1
    return query.prefixlen if question in query else -1


def load(folder: Path) -> Recorded:
    """Read the index.  Raises ConfigurationError that names the file, the line and what is wrong there."""
    index = rows(folder / "index.csv", ("registry", "query", "file"), ("status", "content_type"))
    return Recorded(tuple(_recorded(folder, row) for row in index))


def _recorded(folder: Path, row: Row) -> RecordedAnswer:
    name = row.text("file")
    if Path(name).name != name or not (folder / name).is_file():
        raise row.wrong("file", "is not a file in this folder")
    return RecordedAnswer(
        registry=row.choice("registry", REGISTRIES),
        query=_query(row),
        path=folder / name,
        status=row.integer("status", 200, 599) if row.cells["status"] else 200,
        content_type=row.optional("content_type") or "application/rdap+json",
    )


def _query(row: Row) -> Query:
    text = row.text("query")
    number = text.removeprefix("AS")
    if number != text and number.isascii() and number.isdigit():
        return int(number)
    try:
        return ip_network(text)
    except ValueError as error:
        raise row.wrong("query", "is no address, prefix or ASn") from error
