"""Reading the event log: what was logged about given rows, a page of it, and the names and texts that its lines stand for.

Reads only.  Events carry no personal value, only digests; `texts_of` finds the values, unless they have been purged.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from pipeline.store.db import rows
from pipeline.store.tables import events, persons, texts
from pipeline.store.who import Rows, among, in_time

OVERLAP = 1000  # ids that transactions under way at once may have taken out of order
EVENT = tuple(
    events.c[name] for name in ("id", "at", "what", "subject", "subject_id", "campaign_id", "by", "why", "data", "leaf")
)


def events_about(connection: Connection, subjects: Mapping[str, Collection[int]], most: int | None) -> Rows:
    """Return the events about these rows, in the order of the log; of each kind the newest `most`."""
    found: Rows = []
    for subject, ids in subjects.items():
        query = select(*EVENT).where(events.c.subject == subject).order_by(events.c.id.desc()).limit(most)
        found += among(connection, query, events.c.subject_id, ids)
    return in_time(found, "id")


def events_page(
    connection: Connection,
    *,
    campaign_id: int | None = None,
    subject: tuple[str, int] | None = None,
    what: str = "",
    since: datetime | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int,
) -> Rows:
    """Return up to `limit` events in the order of the log: those after an id or a time, else the newest before an id.

    `what` is an event (letter.handed), or a kind with a dot at its end (letter.).
    """
    wanted: list[ColumnElement[bool]] = []
    if campaign_id is not None:
        wanted.append(events.c.campaign_id == campaign_id)
    if subject is not None:
        wanted += [events.c.subject == subject[0], events.c.subject_id == subject[1]]
    if what.endswith("."):
        wanted.append(events.c.what.startswith(what, autoescape=True))
    elif what:
        wanted.append(events.c.what == what)
    if since is not None:
        wanted += [events.c.at >= since, events.c.id >= first_id_since(connection, since) - OVERLAP]
    if before is not None:
        wanted.append(events.c.id < before)
    if after is not None:
        wanted.append(events.c.id > after)
    forward = after is not None or (since is not None and before is None)
    query = select(*EVENT).where(*wanted).order_by(events.c.id if forward else events.c.id.desc()).limit(limit)
    return in_time(rows(connection, query), "id")


def first_id_since(connection: Connection, since: datetime) -> int:
    """Return an id at or before that of the first event since a time: ids and times rise together, so it is halved for."""
    low = connection.execute(select(func.min(events.c.id))).scalar()
    high = connection.execute(select(func.max(events.c.id))).scalar()  # both at once would read the whole log
    if low is None or high is None:
        return 0
    while low < high:
        middle = (low + high) // 2
        next_row = select(events.c.id, events.c.at).where(events.c.id > middle).order_by(events.c.id).limit(1)
        row = connection.execute(next_row).one()
        if row.at < since:
            low = row.id
        else:
            high = middle
    return int(low)


def texts_of(connection: Connection, digests: Collection[str]) -> dict[str, str | None]:
    """Return the personal values that digests in events stand for (events.read_text, many at once); None: purged.

    A digest that never stood for a kept text is not in the answer.
    """
    query = select(texts.c.sha256, texts.c.value)
    found = among(connection, query, texts.c.sha256, [bytes.fromhex(digest) for digest in sorted(digests)])
    return {bytes(row["sha256"]).hex(): row["value"] for row in found}


def names_of(connection: Connection, actors: Collection[str]) -> dict[str, str]:
    """Return the names of the persons among these actors (`person:ID`)."""
    ids = sorted(int(number) for kind, _, number in (a.partition(":") for a in actors) if _is_person(kind, number))
    found = among(connection, select(persons.c.id, persons.c.name), persons.c.id, ids)
    return {f"person:{row['id']}": row["name"] for row in found}


def _is_person(kind: str, number: str) -> bool:
    return kind == "person" and number.isdecimal() and len(number) < 19
