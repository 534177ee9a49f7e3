"""Gather what an explanation of one address needs, and explain it.

Reads: the address's record (who.py), every campaign, the first notices of its contacts.  Writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from pipeline.audit import who
from pipeline.audit.explain import Explanation, Row, explain
from pipeline.audit.query import Query
from pipeline.audit.record import Kind, Record
from pipeline.audit.weigh import Rules, told_before, unusable
from pipeline.domain import Address, NotFound
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
    contact_ids = {row["contact_id"] for row in record.candidates if not row["rejected"]} - {None}
    notice_ids = [notice for contact in sorted(contact_ids) for notice in store.notices_to(connection, contact)]
    notices = store.notices_of(connection, notice_ids)
    waves = store.waves_of(connection, {row["wave_id"] for row in notices})
    told = told_before(notices, store.letters_of(connection, notice_ids), waves)
    campaigns = store.campaigns_of(connection, None)
    reports: list[tuple[Row, str]] = []
    if not record.targets:
        reports = [(row, unusable(row) or "unapplied") for row in reversed(record.claims)]
    return Why(record, explain(record, campaigns, told, port, rules, now), reports)
