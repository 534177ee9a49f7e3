"""What waits for the registries: addresses of due cases, networks that answer already, budgets, dumps that were imported.

Reads only.  Addresses leave here as plain integers, a chunk at a time: a million of them as objects would take ten times
as long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import unpack
from typing import Any

from sqlalchemy import Connection, func, or_, select

from pipeline.domain import CaseState
from pipeline.store.db import rows
from pipeline.store.tables import budgets, campaigns, cases, dumps
from pipeline.store.types import V4_PREFIX, microseconds

CHUNK = 50_000  # rows fetched at once
V4_AT = len(V4_PREFIX)  # where an IPv4 address begins in the 16 bytes of one on SQLite
V4_SENT = 8  # bytes of an IPv4 address in PostgreSQL's binary form: family, length, two more, the address
KINDS = ("rdap", "whois", "dns")  # of budgets whose holders tell who is responsible for an address


@dataclass(frozen=True, slots=True)
class Range:
    """A network that answers for the numbers from `first` to `last`.  `question`: which of our questions it came from."""

    version: int
    first: int
    last: int
    question: int | None


# --- the queue -------------------------------------------------------------------------------------------------------

# as resolve takes them up (store/resolve.py): without a contact and due, or with one that is to be looked up anew
OPEN = "cases.campaign_id IN (SELECT id FROM campaigns WHERE closed_at IS NULL)"
DUE = (
    "cases.state = 'seen' AND cases.due_at <= :now",
    "cases.state = 'no_contact' AND cases.due_at <= :now",
    "cases.state = 'resolved' AND cases.contact_due_at <= :now",
)
ADDRESS = {
    "sqlite": "targets.address",
    "postgresql": """CASE WHEN family(targets.address) = 4 THEN targets.address - '0.0.0.0'::inet END,
    CASE WHEN family(targets.address) = 6 THEN inet_send(targets.address) END""",
}
WAITING = {
    dialect: " UNION ALL ".join(
        f"SELECT {address} FROM cases JOIN targets ON targets.id = cases.target_id WHERE {due} AND {OPEN}"  # noqa: S608
        for due in DUE
    )
    for dialect, address in ADDRESS.items()
}


def put_off(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Return how many cases without a contact are due later, and when the first of them is."""
    open_campaigns = select(campaigns.c.id).where(campaigns.c.closed_at.is_(None))
    later = (cases.c.state == CaseState.SEEN.value) & (cases.c.due_at > now)
    query = select(func.count(), func.min(cases.c.due_at)).where(later, cases.c.campaign_id.in_(open_campaigns))
    count, first = connection.execute(query).one()
    return int(count), first


def waiting(connection: Connection, now: datetime, chunk: int = CHUNK) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the addresses of due cases as the numbers of IPv4 and of IPv6 ones, `chunk` rows at a time.

    One that has several cases comes several times: making them distinct here would take the database four times as long.
    """
    for found in _fetched(connection, WAITING, now, chunk):
        if connection.dialect.name == "sqlite":
            values = [row[0] for row in found]
            four = [value[V4_AT:] for value in values if value.startswith(V4_PREFIX)]
            six = [int.from_bytes(value) for value in values if not value.startswith(V4_PREFIX)]
            yield list(unpack(f">{len(four)}I", b"".join(four))), six
        else:
            yield [row[0] for row in found if row[1] is None], [_sent(row[1]) for row in found if row[1] is not None]


def _sent(value: bytes) -> int:
    """Return the number of an address in PostgreSQL's binary form."""
    return int.from_bytes(value[4:])


# --- what is known already -------------------------------------------------------------------------------------------

STANDING = """FROM netblocks LEFT JOIN raw_answers ON raw_answers.id = netblocks.raw_answer_id
WHERE netblocks.valid_to IS NULL AND netblocks.expires_at > :now"""
ASKED = "CASE WHEN substr(raw_answers.source, 1, 4) = 'http' THEN raw_answers.id END"
KNOWN = {
    "sqlite": f"SELECT netblocks.first_address, netblocks.last_address, {ASKED} {STANDING}",
    "postgresql": f"""SELECT inet_send(netblocks.first_address), inet_send(netblocks.last_address), {ASKED}
    {STANDING}""",
}


def known(connection: Connection, now: datetime) -> list[Range]:
    """Return the networks whose answers still hold."""
    found = (row for some in _fetched(connection, KNOWN, now, CHUNK) for row in some)
    if connection.dialect.name == "sqlite":
        return [
            Range(4, int.from_bytes(first[V4_AT:]), int.from_bytes(last[V4_AT:]), asked)
            if first.startswith(V4_PREFIX)
            else Range(6, int.from_bytes(first), int.from_bytes(last), asked)
            for first, last, asked in found
        ]
    return [Range(4 if len(first) == V4_SENT else 6, _sent(first), _sent(last), asked) for first, last, asked in found]


def _fetched(
    connection: Connection, statements: Mapping[str, str], now: datetime, chunk: int
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a statement as the driver has them, `chunk` at a time."""
    statement, is_sqlite = statements[connection.dialect.name], connection.dialect.name == "sqlite"
    named = statement if is_sqlite else statement.replace(":now", "%(now)s")
    result = connection.exec_driver_sql(named, {"now": microseconds(now) if is_sqlite else now})
    cursor: Any = result.cursor
    while found := cursor.fetchmany(chunk):
        yield found
    result.close()


def spent(connection: Connection) -> list[dict[str, Any]]:
    """Return the budgets of registries and of zones that name them: key, next free slot, day and how many were asked."""
    mine = or_(*(budgets.c.key.startswith(f"{kind}:") for kind in KINDS))
    return rows(connection, select(budgets).where(mine).order_by(budgets.c.key))


def imported(connection: Connection) -> list[dict[str, Any]]:
    """Return the registries' dumps that are in use: registry, name, what it holds, how much was kept, when complete."""
    columns = (dumps.c.registry, dumps.c.name, dumps.c.classes, dumps.c.kept, dumps.c.complete_at)
    in_use = (dumps.c.complete_at.is_not(None)) & (dumps.c.retired_at.is_(None))
    return rows(connection, select(*columns).where(in_use).order_by(dumps.c.registry, dumps.c.name))
