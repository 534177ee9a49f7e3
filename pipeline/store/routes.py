"""Routes: who hears of a country's cases, as people decided.

Reads and writes: routes, and an event for each change; makes the cases of the country due for another look at their contact
(store/anew.py).  A country has one route; the log keeps the former ones.  Events carry the country and codes; mailboxes,
names and reasons stand in them only as kept texts.  Safe to repeat: the same route again changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select

from pipeline.domain import NotFound
from pipeline.store import anew, events
from pipeline.store.db import rows
from pipeline.store.tables import routes


class Way(StrEnum):
    """Who hears of a country's cases."""

    DIRECT = "direct"  # the network's own contact; the CERT only where there is no other
    COPY = "copy"  # the same, and the CERT gets a copy
    DIGEST = "digest"  # the CERT alone
    PARTNER = "partner"  # a partner alone


ALONE = (Way.DIGEST, Way.PARTNER)  # put before all other candidates


@dataclass(frozen=True, slots=True)
class Route:
    """`mailbox` is the CERT's or the partner's (lower-cased local part @ A-label), `title` its name; both may be empty
    for a direct route."""

    kind: Way
    mailbox: str
    title: str
    reason: str = ""
    by: str = ""
    at: datetime | None = None


def every(connection: Connection) -> dict[str, Route]:
    """Return the routes by country (ISO 3166 alpha-2, upper case)."""
    return {
        row["country"]: Route(Way(row["kind"]), row["mailbox"], row["title"], row["reason"], row["by"], row["at"])
        for row in rows(connection, select(routes).order_by(routes.c.country))
    }


def put(
    connection: Connection, country: str, kind: Way, mailbox: str, title: str, reason: str, now: datetime, by: str
) -> int | None:
    """Give a country its route; returns how many cases are looked at anew, or None if it has exactly this route.

    Raises ValueError for a route other than a direct one without a mailbox.
    """
    if kind is not Way.DIRECT and not mailbox:
        raise ValueError("such a route needs a mailbox")
    before = every(connection).get(country)
    wanted = Route(kind, mailbox, title, reason, by, now)
    if before is not None and replace(before, by=by, at=now) == wanted:
        return None
    connection.execute(delete(routes).where(routes.c.country == country))
    connection.execute(
        insert(routes).values(
            country=country, kind=kind.value, mailbox=mailbox, title=title, reason=reason, by=by, at=now
        )
    )
    if before is not None and (before.kind, before.mailbox) == (kind, mailbox):
        count = 0  # its words alone have changed
    else:
        count = anew.look_again(connection, anew.registered_in(connection, country), now)
    data: dict[str, object] = {"country": country, "route": kind.value, "cases": count}
    _tell(connection, "route.set", data, {"mailbox": mailbox, "title": title, "reason": reason}, now, by)
    return count


def drop(connection: Connection, country: str, reason: str, now: datetime, by: str) -> int:
    """Take a country's route away; returns how many cases are looked at anew.  Raises NotFound if it has none."""
    found = connection.execute(delete(routes).where(routes.c.country == country))
    if not found.rowcount:
        raise NotFound(f"The country {country} has no route", "", "Run: tocsin contact routes")
    count = anew.look_again(connection, anew.registered_in(connection, country), now)
    _tell(connection, "route.dropped", {"country": country, "cases": count}, {"reason": reason}, now, by)
    return count


def number(country: str) -> int:
    """Return the number by which events name a country: its two letters in base 26 (routes have no other id)."""
    first, second = (ord(letter) - ord("A") for letter in country)
    return first * 26 + second + 1


def _tell(
    connection: Connection, what: str, data: dict[str, object], words: dict[str, str], now: datetime, by: str
) -> None:
    kept = {name: events.keep_text(connection, name, text, now) for name, text in words.items() if text}
    entry = events.Entry(what, "route", number(str(data["country"])), None, "asked", {**data, **kept})
    events.write(connection, [entry], now, by)
