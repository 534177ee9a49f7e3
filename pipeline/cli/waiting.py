"""What waits for the registries, gathered from what is stored, and shared out among the servers that will be asked.

Reads: the cases that are due, the networks that are known, budgets, IANA's lists, dumps, the settings.  Writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pipeline.cli import edges
from pipeline.cli.context import Ground
from pipeline.config import Settings
from pipeline.domain import Progress
from pipeline.resolve import queue, servers
from pipeline.resolve.queue import Pile
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import bootstrap, registries
from pipeline.store import resolve as resolving

PAUSED = timedelta(seconds=5)  # a budget's next slot is never that far away, unless its holder asked us to wait


@dataclass(slots=True)
class Server:
    """One host that registries or the DNS are asked at: its budget, what waits for it, and how long that takes."""

    kind: str  # rdap, whois, dns: which of its doors
    host: str
    rate: float
    per_day: int
    used: int = 0
    next_at: datetime | None = None
    networks: int = 0
    addresses: int = 0
    questions: int = 0  # that these networks will take
    answered: int = 0
    left: timedelta = timedelta(0)
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `registry status` tells.  `lists`: (url, fetched at, expires at) by what they are about."""

    now: datetime
    due: int
    servers: Sequence[Server]
    known: int  # addresses that a network answers for already
    special: int
    unlisted: int  # no registry answers for them
    later: int
    later_at: datetime | None
    lists: Mapping[int, tuple[str, datetime | None, datetime | None]]
    dumps: Sequence[Mapping[str, Any]]

    @property
    def has_lists(self) -> bool:
        return all(self.lists[version][1] is not None for version in queue.WIDTH)

    @property
    def waiting(self) -> list[Server]:
        return [server for server in self.servers if server.networks]

    @property
    def left(self) -> timedelta:
        """How long all of it takes: the servers are asked at the same time."""
        return max((server.left for server in self.servers), default=timedelta(0))


def gather(ground: Ground, now: datetime, progress: Progress) -> Status:
    """Read the queue, and share it out among the servers."""
    settings = ground.loaded.settings
    urls = edges.bootstrap_urls(ground.loaded)
    four: list[int] = []
    six: list[int] = []
    with ground.db.read() as connection:
        due = resolving.due_count(connection, now)
        for some, others in registries.waiting(connection, now):
            four += some
            six += others
            progress("addresses counted", len(four) + len(six), due)
        known = registries.known(connection, now)
        files = {key: bootstrap.last(connection, url) for key, url in urls.items()}
        spent = registries.spent(connection)
        later, later_at = registries.put_off(connection, now)
        dumps = registries.imported(connection)
    numbers = queue.to_ask(four, six)
    asked_about = queue.outside(numbers, queue.special(allow_documentation=settings.sandbox))
    ranges = {version: [(one.first, one.last) for one in known if one.version == version] for version in queue.WIDTH}
    left = queue.outside(asked_about, ranges)
    lists = {version: file.value for version, file in files.items() if file is not None and file.value is not None}
    indices = {version: servers.index(lists[version], version) for version in queue.WIDTH if version in lists}
    caps = ScopeCaps(**settings.resolve.scope.model_dump())
    piles = queue.piles(left, known, indices, caps)
    nobody = piles.pop("", Pile(""))
    return Status(
        now=now,
        due=due,
        servers=_servers(settings, piles.values(), spent, now),
        known=_count(asked_about) - _count(left),
        special=_count(numbers) - _count(asked_about),
        unlisted=nobody.addresses,
        later=later,
        later_at=later_at,
        lists={
            key: (url, None, None) if (file := files[key]) is None else (url, file.fetched_at, file.expires_at)
            for key, url in urls.items()
        },
        dumps=dumps,
    )


def _count(numbers: queue.Numbers) -> int:
    return sum(map(len, numbers.values()))


def _servers(
    settings: Settings, piles: Iterable[Pile], spent: Sequence[Mapping[str, Any]], now: datetime
) -> list[Server]:
    """Return every server that something waits for, or that was asked before, those that take longest first."""
    found: dict[str, Server] = {}
    for row in spent:
        server = _server(settings, found, row["key"])
        server.next_at = row["next_at"]
        server.used = row["used"] if row["day"] == f"{now:%Y-%m-%d}" else 0
        if row["next_at"] is not None and row["next_at"] - now > max(PAUSED, _interval(server.rate)):
            server.paused_until = row["next_at"]
    for pile in piles:
        server = _server(settings, found, f"rdap:{urlsplit(pile.base).hostname or ''}")
        server.networks += pile.networks
        server.addresses += pile.addresses
        server.questions += pile.expected
        server.answered += pile.answered
    for server in found.values():
        server.left = queue.time_left(server.questions, server.rate, server.per_day, server.used, server.next_at, now)
    return sorted(found.values(), key=lambda server: (-server.left, -server.networks, server.kind, server.host))


def _server(settings: Settings, found: dict[str, Server], key: str) -> Server:
    """Return the server of a budget, with the limits that the settings give it."""
    if key not in found:
        kind, _, host = key.partition(":")
        rates = {
            "rdap": settings.rdap.rates.get(host, settings.rdap.rate),
            "whois": settings.whois.rate,
            "dns": settings.resolve.names_rate,
        }
        per_day = 0 if kind == "dns" else settings.rdap.per_day.get(host, 0)
        found[key] = Server(kind, host, rates.get(kind, 0.0), per_day)
    return found[key]


def _interval(rate: float) -> timedelta:
    return timedelta(seconds=2 / rate) if rate else timedelta(0)
