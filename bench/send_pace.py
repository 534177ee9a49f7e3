"""The pace that a relay really sees: set rates, over one process and over two that share the budgets.

Each rate has a database, a relay and workers of its own; all run at once.  The relay is a plain one of ours in the
measuring process: it takes everything and writes down when each final dot came.
"""

import asyncio
import multiprocessing
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from multiprocessing.connection import Connection

from bench.lines import Line
from bench.send_end import sending
from bench.send_planned import Waves
from pipeline.sandbox.thread import in_thread
from pipeline.send.run import send

RATES = (5.0, 50.0, 200.0)  # letters a second
QUICK_RATES = RATES[1:]  # at 5/s, six seconds are thirty letters: one more or less is more than the limit
SECONDS, QUICK_SECONDS = 60.0, 6.0
BEGINNING = 1.0  # seconds in which connections open: no pace yet
MOST_DEVIATION, MOST_ABOVE = 0.02, 2  # of the rate; letters in any one second, per worker
SIZE, CONNECTIONS = 2_048, 8
CONTEXT = multiprocessing.get_context("spawn")


def pace(quick: bool) -> list[Line]:
    """Return how far the rates are from those set, and the worst second."""
    rates, seconds = (QUICK_RATES, QUICK_SECONDS) if quick else (RATES, SECONDS)
    return [line for workers in (1, 2) for line in _kept(workers, rates, seconds)]


def _kept(workers: int, rates: Sequence[float], seconds: float) -> list[Line]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        arrivals: list[list[float]] = [[] for _ in rates]
        pipes = []
        for rate, times in zip(rates, arrivals, strict=True):
            database = Waves(f"sqlite:///{folder}/pace{rate:g}.db")
            database.add(int(rate * (BEGINNING + seconds)) + 1, SIZE)
            port = stack.enter_context(in_thread(relay(times)))
            for _ in range(workers):
                ours, theirs = CONTEXT.Pipe()
                child = CONTEXT.Process(target=_work, args=(theirs, database.url, port, rate), daemon=True)
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
    return [line for rate, times in zip(rates, arrivals, strict=True) for line in _judged(rate, times, workers)]


def _work(pipe: Connection, url: str, port: int, rate: float) -> None:
    with Waves(url).open() as db, sending(db, port, rate=rate, connections=CONNECTIONS) as run:
        pipe.send("ready")
        pipe.recv()
        send(run)
    pipe.send("done")


def _judged(rate: float, times: Sequence[float], workers: int) -> list[Line]:
    who = "one worker" if workers == 1 else f"{workers} workers"
    steady = [at for at in times if at > times[0] + BEGINNING]
    lasted = steady[-1] - steady[0]
    counted = (len(steady) - 1) / lasted
    note = f"{len(steady)} letters in {lasted:.1f} s, widest gap {max(b - a for a, b in pairwise(steady)):.2f} s"
    return [
        Line(f"pace at {rate:g}/s, {who}", abs(counted / rate - 1), "off", MOST_DEVIATION, note=note),
        Line(f"worst second above {rate:g}, {who}", worst_second(times) - rate, "letters", MOST_ABOVE * workers),
    ]


def worst_second(times: Sequence[float]) -> int:
    """Return the most of the times, which are in order, that lie within one second."""
    worst, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


@asynccontextmanager
async def relay(times: list[float]) -> AsyncIterator[int]:
    """Take every letter on a port of loopback, which it gives, and add to `times` when its final dot came."""
    loop = asyncio.get_running_loop()

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay.example\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while line not in (b".\r\n", b""):
                    line = await reader.readline()
                times.append(loop.time())
            writer.write(b"250-relay.example\r\n250 PIPELINING\r\n" if verb == b"EHLO" else b"250 2.0.0 Ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
