"""What waits for the registries, as JSON and as text (waiting.py)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pipeline.cli import edges, show, words
from pipeline.cli.progress import length
from pipeline.cli.waiting import Server, Status
from pipeline.resolve import queue

DAY = timedelta(days=1)


def plain(found: Status) -> dict[str, Any]:
    """Return it for JSON; lengths of time are in seconds."""
    return {
        "at": found.now,
        "cases_due": found.due,
        "servers": [
            {
                "kind": server.kind,
                "host": server.host,
                "questions_a_second": server.rate,
                "questions_a_day": server.per_day,
                "asked_today": server.used,
                "next_at": server.next_at,
                "paused_until": server.paused_until,
                "networks": server.networks,
                "addresses": server.addresses,
                "questions_expected": server.questions,
                "networks_answered": server.answered,
                "time_left": server.left,
            }
            for server in found.servers
        ],
        "networks": sum(server.networks for server in found.servers),
        "addresses": sum(server.addresses for server in found.servers),
        "time_left": found.left,
        "addresses_known": found.known,
        "addresses_special": found.special,
        "addresses_without_registry": found.unlisted,
        "registries_known": found.has_lists,
        "cases_later": found.later,
        "first_later_at": found.later_at,
        "lists": [
            {"about": ABOUT[key], "url": url, "fetched_at": fetched, "expires_at": expires}
            for key, (url, fetched, expires) in found.lists.items()
        ],
        "dumps": [dict(row) for row in found.dumps],
    }


ABOUT = {4: "ipv4", 6: "ipv6", edges.AUTNUMS: "asn"}


def told(found: Status) -> Iterator[str]:
    """Yield the lines of the status."""
    if found.waiting:
        yield from _queue(found)
    elif not found.unlisted:
        yield words.text("No network waits for a registry.")
    yield from _others(found)
    yield from _limits(found)
    yield ""
    yield from _lists(found)
    yield from _dumps(found)


def _queue(found: Status) -> Iterator[str]:
    heads = words.each("server", "networks", "addresses", "limit", "time left")
    rows = [
        (
            server.host,
            words.number(server.networks),
            words.number(server.addresses),
            limit(server),
            lasting(server.left),
        )
        for server in found.waiting
    ]
    networks = sum(server.networks for server in found.waiting)
    addresses = sum(server.addresses for server in found.waiting)
    everything = (words.text("in all"), words.number(networks), words.number(addresses), "", lasting(found.left))
    yield from show.table(heads, [*rows, everything] if len(rows) > 1 else rows)
    if len(rows) > 1:
        yield words.text("The servers are asked at the same time.")
    for server in found.waiting:
        if server.questions > server.networks:
            yield words.text(
                "{host}: one network has taken {each} questions so far; that is counted in.",
                host=server.host,
                each=words.decimal(server.questions / server.networks),
            )


def _others(found: Status) -> Iterator[str]:
    """Yield what waits and needs no question, and what waits until later."""
    if found.unlisted and not found.has_lists:
        yield words.plural(
            "{count} address waits; which registry answers for it is not known yet, as IANA's lists are not here.",
            "{count} addresses wait; which registry answers for them is not known yet, as IANA's lists are not here.",
            found.unlisted,
        )
        yield words.text("They are fetched when contacts are looked for: {command}", command="tocsin resolve")
    elif found.unlisted:
        yield words.plural(
            "{count} address that no registry answers for",
            "{count} addresses that no registry answers for",
            found.unlisted,
        )
    if found.known:
        yield words.plural(
            "{count} address that a known network answers for: no question is needed",
            "{count} addresses that known networks answer for: no question is needed",
            found.known,
        )
    if found.special:
        yield words.plural(
            "{count} special-purpose address: nobody is asked",
            "{count} special-purpose addresses: nobody is asked",
            found.special,
        )
    if found.later:
        time = show.instant(found.later_at)
        yield words.plural(
            "{count} case was put off; the first is due at {time}",
            "{count} cases were put off; the first is due at {time}",
            found.later,
            time=time,
        )
    if found.waiting and found.dumps:
        yield words.text("What imported dumps answer is still counted here; they are read first.")


def _limits(found: Status) -> Iterator[str]:
    """Yield a table of every limit, with what was asked today, and which servers asked us to wait."""
    if not found.servers:
        return
    yield ""
    heads = words.each("server", "by", "limit", "today", "answered", "next")
    rows = []
    for server in sorted(found.servers, key=lambda server: (server.kind, server.host)):
        soon = server.next_at is None or server.next_at <= found.now
        today = words.number(server.used) if server.per_day else "-"
        next_at = words.text("at once") if soon else show.instant(server.next_at)
        answered = words.number(server.answered) if server.kind == "rdap" else "-"
        rows.append((server.host, server.kind.upper(), limit(server), today, answered, next_at))
    yield from show.table(heads, rows)
    for server in found.servers:
        if server.paused_until is not None:
            yield words.text(
                "{host} refused a question: nothing is asked there before {time}.",
                host=server.host,
                time=show.instant(server.paused_until),
            )
        if server.per_day and server.used >= server.per_day:
            yield words.text("{host}: today's questions are used up; it goes on at midnight UTC.", host=server.host)


def limit(server: Server) -> str:
    """Return a limit as people say it: 2/s, 9/min, 5,000/day."""
    parts = []
    if server.rate:
        per_minute = server.rate * 60
        parts.append(f"{_figure(server.rate)}/s" if server.rate >= 1 else f"{_figure(per_minute)}/min")
    if server.per_day:
        parts.append(words.text("{count}/day", count=words.number(server.per_day)))
    return ", ".join(parts) or words.text("none")


def _figure(value: float) -> str:
    whole = round(value)
    return words.number(whole) if abs(value - whole) < 0.05 else words.decimal(value)


def lasting(left: timedelta) -> str:
    """Return a length of time, in days where it takes more than two."""
    if left >= queue.NEVER:
        return words.text("it never ends")
    if left < 2 * DAY:
        return length(left.total_seconds())
    days, rest = divmod(left, DAY)
    return words.text("{days} d {hours} h", days=words.number(days), hours=round(rest / timedelta(hours=1)))


def _lists(found: Status) -> Iterator[str]:
    """Yield a table of IANA's lists of registries, by which an address's registry is known (RFC 9224)."""
    names = dict(zip(ABOUT, words.each("of IPv4", "of IPv6", "of AS numbers"), strict=True))
    heads = words.each("IANA's list", "fetched", "in use until")
    rows = [(names[key], *_dates(found.now, *dates)) for key, (_, *dates) in found.lists.items()]
    yield from show.table(heads, rows)


def _dates(now: datetime, fetched: datetime | None, expires: datetime | None) -> tuple[str, str]:
    if fetched is None or expires is None:
        return words.text("not yet"), "-"
    until = show.instant(expires)
    return show.instant(fetched), until if expires > now else words.text("{time}: fetched anew next time", time=until)


def _dumps(found: Status) -> Iterator[str]:
    if not found.dumps:
        yield words.text("No dump of a registry has been imported.")
        return
    yield ""
    heads = words.each("registry", "file", "holds", "kept", "imported", "age")
    rows = [
        (
            row["registry"],
            row["name"],
            row["classes"],
            words.number(row["kept"]),
            show.instant(row["complete_at"]),
            lasting(max(found.now - row["complete_at"], timedelta(0))),
        )
        for row in found.dumps
    ]
    yield from show.table(heads, rows)
