"""What is on record about one contact or one network, for `tocsin contact show`: read, never written.

Reads: contacts, networks and their candidates, notices, letters.  Every query goes by an index and is cut by a limit.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from pipeline.domain import Address
from pipeline.store.db import chunks, rows
from pipeline.store.netblocks import block_of
from pipeline.store.tables import (
    campaigns,
    contacts,
    letters,
    netblock_contacts,
    netblocks,
    notice_cases,
    notices,
    waves,
)

Rows = list[dict[str, Any]]
READ = 2000  # networks of a range that are looked at


def of_mailbox(connection: Connection, mailbox: str) -> dict[str, Any] | None:
    """Return the contact with that mailbox: id, mailbox, spelling, state, state_why, created_at; or None."""
    found = rows(connection, select(contacts).where(contacts.c.mailbox == mailbox))
    return found[0] if found else None


PLACE = (
    netblocks.c.first_address,
    netblocks.c.last_address,
    netblocks.c.registry,
    netblocks.c.handle,
    netblocks.c.holder,
    netblocks.c.country,
    netblock_contacts.c.tier,
    netblock_contacts.c.rank,
    netblock_contacts.c.confidence,
    netblock_contacts.c.source,
    netblock_contacts.c.path,
    netblock_contacts.c.note,
    netblock_contacts.c.rejected,
    netblock_contacts.c.valid_from.label("since"),
    netblock_contacts.c.valid_to.label("until"),
    netblocks.c.valid_to.label("network_until"),
)


def _places() -> Select[Any]:
    joined = netblock_contacts.join(netblocks, netblocks.c.id == netblock_contacts.c.netblock_id)
    return select(*PLACE).select_from(joined).order_by(netblock_contacts.c.id.desc())


def places(connection: Connection, contact_id: int, most: int | None) -> Rows:
    """Return the networks that a contact is or was named for, the newest `most`: range, tier, path, since, until."""
    named = netblock_contacts.c.contact_id == contact_id
    return [_ended(row) for row in rows(connection, _places().where(named).limit(most))]


def rejected_places(connection: Connection, mailbox: str, most: int | None) -> Rows:
    """Return the networks where this mailbox was read and not taken, the newest `most`, each with the reason."""
    refused = and_(netblock_contacts.c.candidate == mailbox, netblock_contacts.c.rejected != "")
    return [_ended(row) for row in rows(connection, _places().where(refused).limit(most))]


def _ended(row: dict[str, Any]) -> dict[str, Any]:
    """A candidate holds no longer than the answer that it was read from."""
    ended = [at for at in (row["until"], row.pop("network_until")) if at is not None]
    return {**row, "until": min(ended, default=None)}


def letters_to(connection: Connection, contact_id: int, most: int | None) -> Rows:
    """Return the letters of a contact, the newest `most`: id, state, reason, created_at, reference, wave, campaign."""
    query = (
        select(
            letters.c.id,
            letters.c.state,
            letters.c.reason,
            letters.c.created_at,
            letters.c.locales,
            notices.c.reference,
            waves.c.number.label("wave"),
            waves.c.kind,
            campaigns.c.name.label("campaign"),
        )
        .join(notices, notices.c.id == letters.c.notice_id)
        .join(waves, waves.c.id == letters.c.wave_id)
        .join(campaigns, campaigns.c.id == letters.c.campaign_id)
        .where(letters.c.contact_id == contact_id)
    )
    return rows(connection, query.order_by(letters.c.id.desc()).limit(most))


UNDER_WAY = ("drafted", "approved", "claimed", "deferred")


def under_way(connection: Connection, case_ids: Sequence[int], mailbox: str, *, others: bool = False) -> int:
    """Return how many letters about some cases, to a mailbox or to all `others`, have not left yet and may leave."""
    told = contacts.c.mailbox != mailbox if others else contacts.c.mailbox == mailbox
    query = (
        select(letters.c.id)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .join(notice_cases, notice_cases.c.notice_id == letters.c.notice_id)
        .where(told, letters.c.state.in_(UNDER_WAY), notice_cases.c.dropped_at.is_(None))
    )
    found: set[int] = set()
    for chunk in chunks(case_ids):
        found |= set(connection.execute(query.where(notice_cases.c.case_id.in_(chunk))).scalars())
    return len(found)


def networks_meeting(connection: Connection, first: Address, last: Address, most: int) -> Rows:
    """Return the networks whose standing answers are used within a range, the narrowest first: at most `most`."""
    floor = block_of(first)
    meets = and_(netblocks.c.first_address.between(floor, last), netblocks.c.last_address >= first)
    shown = [column for column in netblocks.c if column.name != "postal"]  # for the print queue alone
    query = select(*shown).where(meets, netblocks.c.valid_to.is_(None)).order_by(netblocks.c.first_address)
    found = [row for row in rows(connection, query.limit(READ)) if row["first_address"].version == first.version]
    found.sort(key=lambda row: (int(row["last_address"]) - int(row["first_address"]), -row["id"]))
    return found[:most]


def candidates(connection: Connection, netblock_id: int) -> Rows:
    """Return every mailbox that was weighed for a network, the best first, the rejected ones last."""
    query = (
        select(netblock_contacts, contacts.c.mailbox, contacts.c.state, contacts.c.state_why)
        .select_from(netblock_contacts.outerjoin(contacts))
        .where(netblock_contacts.c.netblock_id == netblock_id, netblock_contacts.c.valid_to.is_(None))
    )
    found = rows(connection, query)
    return sorted(found, key=lambda row: (row["rejected"] != "", row["rank"], row["id"]))
