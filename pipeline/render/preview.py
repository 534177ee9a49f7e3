"""A letter as a contact would get it now: its notice that is planned, or one about the cases that wait.

Reads: what the render stage reads.  Keeps nothing: a notice that is not planned yet is planned in a transaction that is
rolled back, so that a preview goes the very way that the letter will go.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from pipeline.domain import NotFound
from pipeline.render import run
from pipeline.render.run import Again
from pipeline.render.values import FIRST
from pipeline.store import events, plan, templates
from pipeline.store import preview as store
from pipeline.store.db import Connection, Database
from pipeline.store.keys import Keys

BY = "preview"


class _Undo(Exception):
    """Leaves a transaction so that nothing of it is kept."""


def to_contact(
    db: Database, keys: Keys, mailbox: str, *, campaign: str, kind: str, revision: int | None, now: datetime
) -> Again:
    """Return what a contact's letter is, or would be, made of.

    Its newest notice in a wave that is planned or rendered; without one, a first letter about its cases that wait.
    `campaign` and `kind` may be empty: any.  `revision` puts the letter's sources as of that one in place of the wave's,
    None leaves them.  Raises NotFound if there is nothing to tell that contact.
    """
    found: list[Again] = []
    try:
        with db.write() as connection:
            notice = store.notice_under_way(connection, mailbox, campaign, kind)
            if notice is None and kind in ("", FIRST):
                notice = _planned(connection, keys, mailbox, campaign, now)
            if notice is not None:
                again = run.drafted(connection, keys, notice, now)
                if revision is not None:
                    again = replace(again, sources=templates.as_of(connection, again.values.kind, revision))
                found.append(again)
            raise _Undo
    except _Undo:
        pass
    if not found:
        raise NotFound(
            f"There is nothing to tell {mailbox}",
            "no wave that is planned or rendered has a notice to it, and none of its cases waits for one",
            "Run: tocsin who MAILBOX, or leave --as out for a sample letter.",
        )
    return found[0]


def _planned(connection: Connection, keys: Keys, mailbox: str, campaign: str, now: datetime) -> int | None:
    """Plan a wave of one notice about the cases of a contact that wait; return the notice's id."""
    for campaign_id in store.campaigns_of(connection, mailbox, campaign):
        waiting = [row for row in plan.waiting(connection, campaign_id) if row["mailbox"] == mailbox]
        if waiting:
            return _notice(connection, keys, campaign_id, waiting, now)
    return None


def _notice(connection: Connection, keys: Keys, campaign_id: int, waiting: list[dict[str, Any]], now: datetime) -> int:
    contact = waiting[0]["contact_id"]
    number = plan.next_number(connection, campaign_id)
    wave = plan.add_wave(connection, campaign_id, number, FIRST, {}, now, BY)
    lines = [
        (row["id"], row["check_id"], int(row["level"] or 0), events.canonical(plan.quoted(row["transcript"])))
        for row in waiting
    ]
    plan.add_notices(connection, wave, campaign_id, {contact: lines}, {contact: 0}, keys)
    return store.notice_of(connection, wave)
