"""The wire of resolve: requests a second beside a bare aiohttp loop, and the pace that a registry's server really sees.

The servers are the sandbox's, in a process of their own; the times of arrival are theirs.  For the pace the budgets lie in
one database and are reserved as resolve does it: slots at most `AHEAD` from now, handed to the edge as delays; one process
asks two registries at once (50/s and 5/s), then two processes share the same budgets.
"""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp

from bench.lines import Line
from pipeline.config import shipped
from pipeline.domain import RdapQuestion
from pipeline.net import rdap
from pipeline.net.http import HttpSettings
from pipeline.resolve.work import AHEAD
from pipeline.sandbox import rdap_server
from pipeline.sandbox.networks import Network, RangeTable
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread
from pipeline.store import budgets, migrate
from pipeline.store.budgets import Limit
from pipeline.store.db import Database

LEAST_RATIO = 0.5
MOST_DEVIATION = 0.02
MOST_ABOVE = 2
RATES = (50.0, 5.0)  # questions a second
AT_ONCE = 32  # requests under way, for the throughput
TURNS = 8  # requests under way to one server, for the pace
REQUESTS, ROUNDS = 4_000, 5
SECONDS = 20.0
QUICK_REQUESTS, QUICK_ROUNDS, QUICK_SECONDS = 1_500, 3, 6.0
CONTEXT = multiprocessing.get_context("spawn")


def measure(quick: bool) -> list[Line]:
    """Return the figures of throughput and pace."""
    lines = throughput(QUICK_REQUESTS if quick else REQUESTS, QUICK_ROUNDS if quick else ROUNDS)
    for processes in (1, 2):
        lines += pace(processes, QUICK_SECONDS if quick else SECONDS)
    return lines


# --- the servers -----------------------------------------------------------------------------------------------------


@contextmanager
def registries(count: int) -> Iterator[tuple[list[str], Connection]]:
    """Run `count` registries in another process; gives what their URLs begin with, and where their arrival times come
    from once anything is sent there."""
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=_serve, args=(theirs, count), daemon=True)
    child.start()
    theirs.close()
    try:
        yield [f"http://127.0.0.1:{port}/ripencc/ip/198.51.100." for port in ours.recv()], ours
    finally:
        ours.close()
        child.join(30)


def _serve(pipe: Connection, count: int) -> None:
    networks = [
        Network(
            IPv4Address(f"198.51.100.{4 * n}"),
            IPv4Address(f"198.51.100.{4 * n + 3}"),
            "ripencc",
            f"NET-{n}",
            holder="Holder",
            country="CA",
            abuse="abuse@holder.example",
        )
        for n in range(64)
    ]
    logs: list[list[tuple[datetime, str]]] = [[] for _ in range(count)]
    with ExitStack() as stack:
        table = RdapTable(RangeTable(networks))
        pipe.send([stack.enter_context(in_thread(rdap_server.serve(table, _now, log))) for log in logs])
        try:
            while True:
                pipe.recv()
                pipe.send([[at.timestamp() for at, _ in log] for log in logs])
                for log in logs:
                    log.clear()
        except EOFError:  # the benchmark is over
            return


def _now() -> datetime:
    return datetime.now(UTC)


# --- throughput ------------------------------------------------------------------------------------------------------


def throughput(requests: int, rounds: int) -> list[Line]:
    """Return requests a second of the edge and of a bare aiohttp loop, in turn, and their ratio."""
    with registries(1) as ([url], _):
        urls = [f"{url}{n % 256}" for n in range(requests)]
        by_edge(urls[: requests // 5])
        asyncio.run(bare(urls[: requests // 5]))
        pairs = [(_rate(by_edge, urls), _rate(lambda asked: asyncio.run(bare(asked)), urls)) for _ in range(rounds)]
    ours, peer = (median(rates) for rates in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    return [
        Line("requests a second, the edge", ours, "/s", note=f"{AT_ONCE} at once, keep-alive, median of {rounds}"),
        Line("requests a second, a bare aiohttp loop", peer, "/s", note="the same URLs, in turn with the edge"),
        Line("requests a second, ours / bare aiohttp", ratio, "x", LEAST_RATIO, at_most=False),
    ]


def _rate(ask: Callable[[Sequence[str]], None], urls: Sequence[str]) -> float:
    began = time.perf_counter()
    ask(urls)
    return len(urls) / (time.perf_counter() - began)


async def bare(urls: Sequence[str]) -> None:
    """Ask with nothing around aiohttp: as many workers as requests may be under way."""
    left: Iterable[str] = iter(urls)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for url in left:
                async with session.get(url) as response:
                    await response.read()
                    _check(response.status)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def by_edge(urls: Sequence[str]) -> None:
    """Ask through the edge, as resolve does: whatever there is room for, then whatever has been answered."""
    settings = HttpSettings("bench", concurrency=AT_ONCE, allow_plain_http_to_loopback=True)
    asked = answered = 0
    with rdap.edge(settings, _now) as edge:
        while answered < len(urls):
            while asked < len(urls) and edge.room():
                edge.ask(RdapQuestion(asked, urls[asked]))
                asked += 1
            replies = edge.take(5.0)
            for reply in replies:
                _check(reply.answer.status)
            edge.done(len(replies))
            answered += len(replies)


def _check(status: int) -> None:
    if status != 200:
        raise RuntimeError(f"the sandbox answered {status}")


# --- pace ------------------------------------------------------------------------------------------------------------


def pace(processes: int, seconds: float) -> list[Line]:
    """Return how far the rates that two servers counted are from the limits, and their worst second."""
    with tempfile.TemporaryDirectory() as folder, registries(len(RATES)) as (urls, server):
        database = f"sqlite:///{Path(folder) / 'bench.db'}"
        db = Database(database)
        migrate.upgrade(db, shipped("migrations"))
        db.close()
        pipes = []
        for _ in range(processes):
            ours, theirs = CONTEXT.Pipe()
            child = CONTEXT.Process(target=_keep_pace, args=(theirs, database, urls, seconds), daemon=True)
            child.start()
            theirs.close()
            pipes.append((ours, child))
        for ours, _ in pipes:
            ours.recv()  # ready
        for ours, _ in pipes:
            ours.send("go")
        for ours, child in pipes:
            ours.recv()  # done
            child.join(30)
        server.send("count")
        arrivals: list[list[float]] = server.recv()
    who = "one process" if processes == 1 else f"{processes} processes"
    return [
        line for rate, times in zip(RATES, arrivals, strict=True) for line in _judged(rate, sorted(times), who, seconds)
    ]


def _judged(rate: float, times: list[float], who: str, seconds: float) -> list[Line]:
    counted = (len(times) - 1) / (times[-1] - times[0])
    worst, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    note = f"{len(times)} requests in {seconds:g} s, by the server's clock"
    return [
        Line(f"pace at {rate:g}/s, {who}", abs(counted / rate - 1), "off", MOST_DEVIATION, note=note),
        Line(f"worst second above {rate:g}, {who}", worst - rate, "requests", MOST_ABOVE),
    ]


@dataclass(slots=True)
class _Registry:
    """Where one registry stands: its budget, what is under way, and when more may be reserved."""

    limit: Limit
    url: str
    not_before: datetime
    under_way: int = 0


def _keep_pace(pipe: Connection, database: str, urls: Sequence[str], seconds: float) -> None:
    """Ask every registry as fast as its budget allows, until the time is up."""
    settings = HttpSettings("bench", concurrency=TURNS, allow_plain_http_to_loopback=True)
    known = [
        _Registry(Limit(f"rdap:{rate:g}.example", rate), url, _now()) for rate, url in zip(RATES, urls, strict=True)
    ]
    db = Database(database)
    with rdap.edge(settings, _now) as edge:
        pipe.send("ready")
        pipe.recv()
        until = _now() + timedelta(seconds=seconds)
        while _now() < until:
            for place, one in enumerate(known):
                for slot in _reserve(db, one):
                    delay = max((slot - _now()).total_seconds(), 0.0)
                    edge.ask(RdapQuestion(place, f"{one.url}{one.under_way}", delay, apart=1 / one.limit.per_second))
                    one.under_way += 1
            nap = min((one.not_before - _now()).total_seconds() for one in known)
            for reply in edge.take(min(max(nap, 0.005), 0.5)):
                _check(reply.answer.status)
                edge.done()
                known[int(str(reply.key))].under_way -= 1
    pipe.send("done")
    db.close()


def _reserve(db: Database, one: _Registry) -> tuple[datetime, ...]:
    """Return the slots that the budget gives, in a transaction whose clock is read once the lock is held."""
    room = TURNS - one.under_way
    if room <= 0 or one.not_before > _now():
        return ()
    with db.write() as connection:
        reservation = budgets.reserve(connection, [one.limit], room, _now(), AHEAD)
    one.not_before = reservation.wait or one.not_before
    return reservation.slots
