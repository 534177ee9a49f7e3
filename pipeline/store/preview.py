"""Statements of previews: a contact's notice that is under way, and the campaigns in which it has cases.

Reads: notices, waves, contacts, cases.  Writes nothing.
"""

from sqlalchemy import Connection, select

from pipeline.domain import WaveState
from pipeline.store.tables import campaigns, cases, contacts, netblock_contacts, notices, waves

BEFORE_APPROVAL = (WaveState.PLANNED.value, WaveState.RENDERED.value)


def notice_under_way(connection: Connection, mailbox: str, campaign: str, kind: str) -> int | None:
    """Return the newest notice to a contact in a wave that is planned or rendered; of any campaign and kind if empty."""
    query = (
        select(notices.c.id)
        .join(waves, waves.c.id == notices.c.wave_id)
        .join(contacts, contacts.c.id == notices.c.contact_id)
        .join(campaigns, campaigns.c.id == notices.c.campaign_id)
        .where(contacts.c.mailbox == mailbox, waves.c.state.in_(BEFORE_APPROVAL))
        .order_by(notices.c.id.desc())
        .limit(1)
    )
    if campaign:
        query = query.where(campaigns.c.name == campaign)
    if kind:
        query = query.where(waves.c.kind == kind)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def campaigns_of(connection: Connection, mailbox: str, campaign: str) -> list[int]:
    """Return the open campaigns in which a contact has cases, the newest first; of one name, if it is given."""
    query = (
        select(campaigns.c.id)
        .join(cases, cases.c.campaign_id == campaigns.c.id)
        .join(netblock_contacts, netblock_contacts.c.id == cases.c.netblock_contact_id)
        .join(contacts, contacts.c.id == netblock_contacts.c.contact_id)
        .where(contacts.c.mailbox == mailbox, campaigns.c.closed_at.is_(None))
        .distinct()
        .order_by(campaigns.c.id.desc())
    )
    return list(connection.execute(query.where(campaigns.c.name == campaign) if campaign else query).scalars())


def notice_of(connection: Connection, wave_id: int) -> int:
    """Return the one notice of a wave."""
    return int(connection.execute(select(notices.c.id).where(notices.c.wave_id == wave_id)).scalar_one())
