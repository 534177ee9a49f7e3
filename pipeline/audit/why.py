"""Gather what an explanation of one address needs, and explain it.

Reads: the address's record (who.py), every campaign, the notices of its contacts, what they asked for, what stops writing
to them.  Writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.audit import who
from pipeline.audit.explain import Explanation, Row, explain
from pipeline.audit.query import Query
from pipeline.audit.record import Kind, Record
from pipeline.audit.weigh import Contacts, Rules, told_before, unusable
from pipeline.domain import Address, NotFound, Wish
from pipeline.store import plan, preferences, send
from pipeline.store import who as store
from pipeline.store.db import Connection


@dataclass(frozen=True, slots=True)
class Why:
    """Explanations by target and campaign; and, where no target is known, the reports with why each makes none."""

    record: Record
    explanations: list[Explanation]
    without_target: list[tuple[Row, str]]


def why(connection: Connection, address: Address, port: int | None, rules: Rules, now: datetime, *, whole: bool) -> Why:
    """Return why an address is or is not in each campaign.  Raises NotFound if nothing is known of it, or of this port."""
    record = who.who(connection, Query(Kind.ADDRESS, str(address), address=address), whole=whole)
    ports = sorted({row["port"] for row in record.targets})
    if port is not None and record.targets and port not in ports:
        known = ", ".join(str(each) if each else "not stated" for each in ports)
        raise NotFound(
            f"Port {port} of {address} was never reported",
            f"ports that were: {known}",
            f"Run: tocsin explain {address}",
        )
    campaigns = store.campaigns_of(connection, None)
    contacts = _contacts(connection, record, now)
    reports: list[tuple[Row, str]] = []
    if not record.targets:
        reports = [(row, unusable(row) or "unapplied") for row in reversed(record.claims)]
    return Why(record, explain(record, campaigns, contacts, port, rules, now), reports)


def _contacts(connection: Connection, record: Record, now: datetime) -> Contacts:
    """Return what the wave plan would know of the contacts of this address."""
    mailboxes = {row["contact_id"]: row["mailbox"] for row in record.candidates if not row["rejected"]}
    mailboxes.pop(None, None)
    contact_ids = sorted(mailboxes)
    notice_ids = [notice for contact in contact_ids for notice in store.notices_to(connection, contact)]
    notices = store.notices_of(connection, notice_ids)
    waves = store.waves_of(connection, {row["wave_id"] for row in notices})
    told = told_before(notices, store.letters_of(connection, notice_ids), waves)
    asked = preferences.of_many(connection, contact_ids, now)
    last = plan.last_letters(connection, [contact for contact, wish in asked.items() if wish.cadence_days])
    stopped = send.suppressed(connection, sorted(mailboxes.values()), now)
    return Contacts(
        frozenset((row["campaign_id"], row["contact_id"], row["kind"]) for row in told),
        {
            contact: Wish(wish.inhibited_until, timedelta(days=wish.cadence_days), last.get(contact))
            for contact, wish in asked.items()
        },
        frozenset(contact for contact, mailbox in mailboxes.items() if mailbox in stopped),
    )
