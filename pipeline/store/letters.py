"""Questions about letters that several commands ask, and a person's word on one.

Reads: letters.  Writes: the state of a letter that a person settles; the reason stands in its event as a kept text.
"""

from datetime import datetime

from sqlalchemy import Connection, select

from pipeline.domain import Event, NotFound
from pipeline.store import events, lives
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


def settle(connection: Connection, letter_id: int, event: Event, reason: str, now: datetime, by: str) -> None:
    """Move an uncertain letter by a person's word; one that is to be sent again is due at once.

    Raises NotFound if there is no such letter, ForbiddenMove if it is not uncertain.
    """
    must_exist(connection, letter_id)
    values = {"due_at": now} if event is Event.LETTER_RESEND else {}
    kept = {"reason": events.keep_text(connection, "reason", reason, now)}
    lives.advance(connection, [letter_id], event, now, by, why="asked", data=lambda _: kept, values=values)
