"""Which open cases a person's word on contacts concerns, and how they come to be looked at once more.

Reads: cases of open campaigns that wait for a contact or for their letter, their targets, networks and candidates.
Writes: when they are due, in the transaction of the word itself.  Whoever holds a lease on one of them loses it: what was
found before the word came is not written down after it.  Safe to repeat: a case that is due already stays so.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select, update

from pipeline.domain import Address, CaseState
from pipeline.store.db import chunks
from pipeline.store.netblocks import block_of
from pipeline.store.tables import campaigns, cases, contacts, netblock_contacts, netblocks, targets

WAITING = (CaseState.SEEN.value, CaseState.NO_CONTACT.value, CaseState.RESOLVED.value)


def within(connection: Connection, first: Address, last: Address) -> list[int]:
    """Return the waiting cases whose address lies in an inclusive range."""
    here = select(targets.c.id).where(targets.c.address.between(first, last))
    query = select(cases.c.id).where(WAITS, cases.c.block.between(block_of(first), last), cases.c.target_id.in_(here))
    return list(connection.execute(query.order_by(cases.c.id)).scalars())


def named(connection: Connection, mailbox: str, range_: tuple[Address, Address] | None = None) -> list[int]:
    """Return the waiting cases whose network has this mailbox among its candidates, in a range if one is given."""
    blocks = select(netblocks.c.id, netblocks.c.first_address).join(
        netblock_contacts, netblock_contacts.c.netblock_id == netblocks.c.id
    )
    contact = select(contacts.c.id).where(contacts.c.mailbox == mailbox)
    blocks = blocks.where(
        or_(netblock_contacts.c.contact_id.in_(contact), netblock_contacts.c.candidate == mailbox),
    )
    if range_ is not None:
        blocks = blocks.where(netblocks.c.first_address <= range_[1], netblocks.c.last_address >= range_[0])
    found = {row.id: block_of(row.first_address) for row in connection.execute(blocks.distinct())}
    ids: set[int] = set()
    for chunk in chunks(list(found), 400):
        near = cases.c.block.in_({found[id_] for id_ in chunk})
        query = select(cases.c.id).where(WAITS, near, cases.c.netblock_id.in_(chunk))
        if range_ is not None:
            here = select(targets.c.id).where(targets.c.address.between(*range_))
            query = query.where(cases.c.target_id.in_(here))
        ids |= set(connection.execute(query).scalars())
    return sorted(ids)


def registered_in(connection: Connection, country: str) -> list[int]:
    """Return the waiting cases whose network is registered in a country."""
    blocks = select(netblocks.c.id).where(netblocks.c.country == country)
    query = select(cases.c.id).where(WAITS, cases.c.netblock_id.in_(blocks))
    return list(connection.execute(query.order_by(cases.c.id)).scalars())


def told_as(connection: Connection, contact_id: int) -> list[int]:
    """Return the waiting cases whose contact is this one now."""
    links = select(netblock_contacts.c.id).where(netblock_contacts.c.contact_id == contact_id)
    query = select(cases.c.id).where(WAITS, cases.c.netblock_contact_id.in_(links))
    return list(connection.execute(query.order_by(cases.c.id)).scalars())


OPEN_CAMPAIGNS = select(campaigns.c.id).where(campaigns.c.closed_at.is_(None))
WAITS: ColumnElement[bool] = and_(cases.c.state.in_(WAITING), cases.c.campaign_id.in_(OPEN_CAMPAIGNS))


def look_again(connection: Connection, case_ids: Sequence[int], now: datetime) -> int:
    """Make cases due for another look at their contact; returns how many still wait.

    One statement judges the state as it is when the row is changed: a case that was given its contact meanwhile is due
    by `contact_due_at`, one that still has none by `due_at`.
    """
    resolved, at_once = cases.c.state == CaseState.RESOLVED.value, literal(now, cases.c.due_at.type)
    count = 0
    for chunk in chunks(case_ids):
        changed = connection.execute(
            update(cases)
            .where(cases.c.id.in_(chunk), cases.c.state.in_(WAITING))
            .values(
                due_at=case((resolved, cases.c.due_at), else_=at_once),
                contact_due_at=case((resolved, at_once), else_=cases.c.contact_due_at),
                worker_id=None,
                claim=cases.c.claim + 1,
            )
        )
        count += changed.rowcount
    return count


def count_by_state(connection: Connection, case_ids: Sequence[int]) -> dict[str, int]:
    """Return how many of the cases are in each state."""
    found: dict[str, int] = {}
    for chunk in chunks(case_ids):
        query = select(cases.c.state, func.count()).where(cases.c.id.in_(chunk)).group_by(cases.c.state)
        for state, count in connection.execute(query):
            found[state] = found.get(state, 0) + count
    return found
