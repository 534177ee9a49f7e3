"""Which stops cover what: holds, the do-not-write list and exclusions over given contacts, waves, campaigns and addresses.

Reads only.  Stops that have ended are in every answer too: the record tells what stood on a day.  People write these rows,
so there are few, and ranges are compared here.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from pipeline.domain import Address
from pipeline.store.db import rows
from pipeline.store.holds import PLACING, WHY, numbers
from pipeline.store.send import parents
from pipeline.store.tables import events, exclusions, holds, suppressions
from pipeline.store.who import Rows, among, in_time


def holds_on(
    connection: Connection,
    campaign_ids: Collection[int],
    wave_ids: Collection[int],
    contact_ids: Collection[int],
    mailboxes: Collection[str],
) -> Rows:
    """Return the holds, in force or released, that cover one of these, and those that cover everything.

    `code` and `data` are of the event that placed it, as store/holds.held has them.
    """
    domains = sorted(set().union(*(parents(mailbox) for mailbox in mailboxes)))
    covers = and_(
        _none_or(holds.c.campaign_id, campaign_ids),
        _none_or(holds.c.wave_id, wave_ids),
        _none_or(holds.c.contact_id, contact_ids),
        or_(holds.c.domain == "", holds.c.domain.in_(domains)),
    )
    query = select(holds, *WHY).outerjoin(events, PLACING).where(covers).order_by(holds.c.id)
    return [{**row, "data": numbers(row["data"])} for row in rows(connection, query)]


def _none_or(column: ColumnElement[Any], ids: Collection[int]) -> ColumnElement[bool]:
    return or_(column.is_(None), column.in_(list(ids)))


def suppressions_on(connection: Connection, mailboxes: Collection[str], addresses: Collection[Address]) -> Rows:
    """Return the entries of the do-not-write list, lifted ones too, that cover one of these mailboxes or addresses."""
    domains = sorted(set().union(*(parents(mailbox) for mailbox in mailboxes)))
    query = select(suppressions).order_by(suppressions.c.id)
    by_mailbox = query.where(suppressions.c.mailbox != "")
    found = among(connection, by_mailbox, suppressions.c.mailbox, sorted(mailboxes))
    by_domain = query.where(suppressions.c.domain != "")
    found += among(connection, by_domain, suppressions.c.domain, domains)
    found += _covering(connection, query, suppressions.c.first_address, addresses)
    return in_time(found, "id")


def exclusions_on(connection: Connection, addresses: Collection[Address]) -> Rows:
    """Return the exclusions, ended ones too, that cover one of these addresses.  An address's AS is not known here."""
    return _covering(connection, select(exclusions).order_by(exclusions.c.id), exclusions.c.first_address, addresses)


def stops_within(connection: Connection, first: Address, last: Address) -> tuple[Rows, Rows]:
    """Return the suppressions and the exclusions whose ranges meet an inclusive range."""
    found = []
    for table in (suppressions, exclusions):
        meets = and_(table.c.first_address <= last, table.c.last_address >= first)
        found.append(rows(connection, select(table).where(meets).order_by(table.c.id)))
    return found[0], found[1]


def _covering(
    connection: Connection, query: Select[Any], first_address: ColumnElement[Any], addresses: Collection[Address]
) -> Rows:
    """Return the rows whose range has one of the addresses; people write these, so there are few."""
    numbers: dict[int, list[int]] = {4: [], 6: []}
    for address in addresses:
        numbers[address.version].append(int(address))
    for some in numbers.values():
        some.sort()
    return [
        row
        for row in rows(connection, query.where(first_address.is_not(None)))
        if _any_between(numbers[row["first_address"].version], int(row["first_address"]), int(row["last_address"]))
    ]


def _any_between(numbers: Sequence[int], first: int, last: int) -> bool:
    at = bisect_left(numbers, first)
    return at < len(numbers) and numbers[at] <= last
