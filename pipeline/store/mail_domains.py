"""Statements about recipients' domains: whose servers take their mail, and which of them are to be asked about next.

Reads: letters due in waves, their contacts.  Writes: mail_domains; when cases of an unreachable contact are looked at
again.  Safe to repeat: the newest answer about a domain replaces the one before it.  Nothing here asks the DNS.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.store import anew
from pipeline.store.many import among
from pipeline.store.send_statements import TO_SEND
from pipeline.store.tables import attempts, contacts, letters, mail_domains

Place = tuple[int, int]  # order of writing and id of a letter
BEGINNING: Place = (-1, 0)


@dataclass(frozen=True, slots=True)
class MailDomain:
    """What the DNS said of a domain: its MX group, and the route (mx, address, null_mx, none, unknown); good `until`."""

    domain: str
    mx_group: str
    route: str
    asked_at: datetime
    until: datetime


def domain_of(mailbox: str) -> str:
    """Return the domain of a mailbox (lower-cased local part @ A-label)."""
    return mailbox.rsplit("@", 1)[-1]


def known(connection: Connection, domains: Collection[str]) -> dict[str, MailDomain]:
    """Return what is kept of these domains, also what is no longer good."""
    found = {}
    for row in connection.execute(_known(connection.dialect.name), {"domains": sorted(domains)}):
        found[row.domain] = MailDomain(row.domain, row.mx_group, row.route, row.asked_at, row.until)
    return found


@cache  # asked in every round of sending
def _known(dialect: str) -> Select[Any]:
    return select(mail_domains).where(among(dialect, mail_domains.c.domain, "domains"))


def keep(connection: Connection, answers: Iterable[MailDomain]) -> None:
    """Keep what the DNS said, in place of what it said before."""
    values = [asdict(answer) for answer in sorted(answers, key=lambda answer: answer.domain)]
    if values:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(mail_domains)
        new = {name: statement.excluded[name] for name in ("mx_group", "route", "asked_at", "until")}
        connection.execute(statement.on_conflict_do_update(index_elements=["domain"], set_=new), values)


def ahead(connection: Connection, wave_ids: Sequence[int], after: Place, limit: int) -> tuple[set[str], Place | None]:
    """Return the domains of the next `limit` letters to be sent in their order of writing, and how far that goes.

    The place is None once there is no letter behind `after`.
    """
    query = (
        select(letters.c.send_order, letters.c.id, contacts.c.mailbox)
        .join(contacts, contacts.c.id == letters.c.contact_id)
        .where(
            letters.c.wave_id.in_(wave_ids),
            letters.c.state.in_(TO_SEND),
            tuple_(letters.c.send_order, letters.c.id) > after,
        )
        .order_by(letters.c.send_order, letters.c.id)
        .limit(limit)
    )
    found = connection.execute(query).all()
    return {domain_of(row.mailbox) for row in found}, (found[-1].send_order, found[-1].id) if found else None


def look_for_another(connection: Connection, contact_id: int, now: datetime) -> int:
    """A contact's domain takes no mail: its waiting cases are looked at again; returns how many."""
    return anew.look_again(connection, anew.told_as(connection, contact_id), now)


def first_left(connection: Connection, relay: str) -> datetime | None:
    """Return when the first letter ever left over a relay (its final dot), or None before that."""
    left = (attempts.c.relay == relay, attempts.c.dot_at.is_not(None))
    return connection.execute(select(attempts.c.dot_at).where(*left).order_by(attempts.c.id).limit(1)).scalar()
