"""Questions about letters that several commands ask.  Reads: letters.  Writes nothing."""

from sqlalchemy import Connection, select

from pipeline.domain import NotFound
from pipeline.store.tables import contacts, letters


def recipients(connection: Connection, wave_id: int) -> list[str]:
    """Return the mailboxes of a wave's letters that are still to go."""
    query = select(contacts.c.mailbox).join(letters, letters.c.contact_id == contacts.c.id)
    open_states = ("drafted", "approved", "claimed", "deferred")
    return list(
        connection.execute(query.where(letters.c.wave_id == wave_id, letters.c.state.in_(open_states))).scalars()
    )


def must_exist(connection: Connection, letter_id: int) -> None:
    """Raise NotFound unless there is such a letter."""
    if connection.execute(select(letters.c.id).where(letters.c.id == letter_id)).scalar() is None:
        raise NotFound(f"There is no letter {letter_id}", "", "Find it with: tocsin who MAILBOX")
