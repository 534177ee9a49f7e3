"""People's word on contacts: which mailbox a range is to be told through, and which mailbox must not be written to.

Reads and writes: overrides, and an event for each that is added or lifted; makes the cases concerned due for another look
(store/anew.py).  Nothing is ever deleted: what is lifted keeps its row and both its times.  Events carry ids and codes;
mailboxes, ranges and reasons stand in them only as kept texts.  Safe to repeat: what is in force is not added again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from pipeline.domain import Address, NotFound
from pipeline.store import anew, events
from pipeline.store.db import rows
from pipeline.store.many import among
from pipeline.store.stops import shown_range
from pipeline.store.tables import overrides
from pipeline.store.types import Instant

Range = tuple[Address, Address]  # inclusive


class Word(StrEnum):
    """What was said of a mailbox."""

    USE = "use"  # write to it first, in a range
    REJECT = "reject"  # never write to it, in a range or anywhere


@dataclass(frozen=True, slots=True)
class Override:
    """One word of a person.  `first` and `last` are None where it holds wherever the mailbox is named."""

    id: int
    verdict: Word
    first: Address | None
    last: Address | None
    mailbox: str  # lower-cased local part @ A-label
    spelling: str
    reason: str
    by: str
    at: datetime
    until: datetime | None = None
    lifted_at: datetime | None = None

    @property
    def place(self) -> str:
        """The range as text; empty: anywhere."""
        return "" if self.first is None or self.last is None else shown_range(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Said:
    """A word that is to be added.  `range` None: wherever the mailbox is named (a rejection alone)."""

    verdict: Word
    range: Range | None
    mailbox: str
    spelling: str
    reason: str
    until: datetime | None = None


def in_force(connection: Connection, now: datetime) -> list[Override]:
    """Return every override that holds now, the newest first."""
    return _overrides(connection, _in_force(now))


def revision(connection: Connection, now: datetime) -> tuple[object, ...]:
    """Return what is another one as soon as other words are in force."""
    ended = func.count().filter(overrides.c.until <= now)
    query = select(func.max(overrides.c.id), func.count(overrides.c.lifted_at), ended)
    return tuple(connection.execute(query).one())


def listed(connection: Connection, now: datetime, *, every: bool = False) -> list[Override]:
    """Return the overrides in force, or `every` one, the newest first."""
    return _overrides(connection) if every else in_force(connection, now)


def of_mailbox(connection: Connection, mailbox: str, now: datetime) -> list[Override]:
    """Return what is in force about a mailbox, the newest first."""
    return _overrides(connection, _in_force(now), overrides.c.mailbox == mailbox)


def around(connection: Connection, first: Address, last: Address, now: datetime) -> list[Override]:
    """Return what is in force about a range, or about a part of it or a range around it, the newest first."""
    within = and_(overrides.c.first_address <= last, overrides.c.last_address >= first)
    return [one for one in _overrides(connection, _in_force(now), within) if _same_family(one, first)]


def _same_family(one: Override, address: Address) -> bool:
    return one.first is not None and one.first.version == address.version


@cache  # asked in every round of sending
def rejecting(dialect: str) -> Select[Any]:
    """Which of :mailboxes must not be written to at all at the time :now."""
    in_force = _in_force(bindparam("now", type_=Instant()))
    query = select(overrides.c.mailbox).where(in_force, among(dialect, overrides.c.mailbox, "mailboxes"))
    return query.where(overrides.c.verdict == Word.REJECT.value, overrides.c.first_address.is_(None))


def concerned(connection: Connection, said: Said) -> list[int]:
    """Return the waiting cases whose contact may change by this word, or by its end."""
    if said.verdict is Word.USE and said.range is not None:
        return anew.within(connection, *said.range)
    return anew.named(connection, said.mailbox, said.range)


def add(connection: Connection, said: Said, now: datetime, by: str) -> int | None:
    """Let this word hold from now on; returns its id, or None if exactly this is in force already.

    A word that says the same until another time takes the place of the older one, which is lifted.  Raises ValueError for
    a word "use" without a range.
    """
    if said.verdict is Word.USE and said.range is None:
        raise ValueError("a contact is set for a range")
    if exactly(connection, said, now, same_end=True):
        return None
    if exactly(connection, said, now):
        lift(connection, replace(said, until=None), "", now, by)
    first, last = said.range or (None, None)
    values = {"first_address": first, "last_address": last, "mailbox": said.mailbox, "spelling": said.spelling}
    row = insert(overrides).values(
        verdict=said.verdict.value, reason=said.reason, until=said.until, by=by, at=now, **values
    )
    override_id = int(connection.execute(row.returning(overrides.c.id)).scalar_one())
    count = anew.look_again(connection, concerned(connection, said), now)
    _tell(connection, "override.added", [override_id], said, said.reason, count, now, by)
    return override_id


def lift(connection: Connection, said: Said, note: str, now: datetime, by: str) -> list[int]:
    """End every word of exactly this verdict, range and mailbox, and return their ids.  Raises NotFound if none holds."""
    ids = exactly(connection, said, now)
    if not ids:
        raise _none(said.mailbox)
    connection.execute(update(overrides).where(overrides.c.id.in_(ids)).values(lifted_at=now))
    count = anew.look_again(connection, concerned(connection, said), now)
    _tell(connection, "override.lifted", ids, said, note, count, now, by)
    return ids


def liftable(connection: Connection, mailbox: str, range_: Range | None, now: datetime) -> list[Said]:
    """Return what is in force about exactly this mailbox and range.  Raises NotFound if nothing is."""
    place = range_ or (None, None)
    found = [one for one in of_mailbox(connection, mailbox, now) if (one.first, one.last) == place]
    if not found:
        raise _none(mailbox)
    return [Said(one.verdict, range_, one.mailbox, one.spelling, one.reason) for one in found]


def _none(mailbox: str) -> NotFound:
    return NotFound(
        f"No such word on {mailbox} is in force",
        "what is lifted must be named as it was said",
        "Run: tocsin contact list",
    )


def exactly(connection: Connection, said: Said, now: datetime, *, same_end: bool = False) -> list[int]:
    """Return the ids of the words in force of exactly this verdict, range and mailbox; `same_end`: until then, too."""
    where: list[ColumnElement[bool]] = [overrides.c.first_address.is_(None)]
    if said.range is not None:
        where = [overrides.c.first_address == said.range[0], overrides.c.last_address == said.range[1]]
    if same_end:
        where.append(overrides.c.until.is_not_distinct_from(said.until))
    query = select(overrides.c.id).where(
        _in_force(now), overrides.c.verdict == said.verdict.value, overrides.c.mailbox == said.mailbox, *where
    )
    return list(connection.execute(query.order_by(overrides.c.id)).scalars())


def _in_force(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(overrides.c.lifted_at.is_(None), or_(overrides.c.until.is_(None), overrides.c.until > now))


def _overrides(connection: Connection, *where: ColumnElement[bool]) -> list[Override]:
    query = select(overrides).where(*where).order_by(overrides.c.id.desc())
    return [
        Override(
            row["id"],
            Word(row["verdict"]),
            row["first_address"],
            row["last_address"],
            row["mailbox"],
            row["spelling"],
            row["reason"],
            row["by"],
            row["at"],
            row["until"],
            row["lifted_at"],
        )
        for row in rows(connection, query)
    ]


def _tell(
    connection: Connection,
    what: str,
    ids: Sequence[int],
    said: Said,
    note: str,
    count: int,
    now: datetime,
    by: str,
) -> None:
    data: dict[str, object] = {
        "verdict": said.verdict.value,
        "cases": count,
        "mailbox": events.keep_text(connection, "mailbox", said.mailbox, now),
    }
    if said.range is not None:
        data["place"] = events.keep_text(connection, "place", shown_range(*said.range), now)
    if note:
        data["reason"] = events.keep_text(connection, "reason", note, now)
    if said.until is not None:
        data["until"] = events.stamp(said.until)
    events.write(connection, [events.Entry(what, "override", i, None, "asked", data) for i in ids], now, by)
