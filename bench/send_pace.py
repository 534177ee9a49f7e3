"""The pace that a relay really sees: set rates, over one process and over two that share the budgets.

Each rate has a database, a relay and workers of its own; all rates run at once, one process and two after each other.  The
relay is a plain one of ours: it takes everything and notes when each final dot came, by the stamp that the kernel gave to
the bytes: that this relay did not read them at once is not the sender's doing, all else is.  A worst second begins at any
dot, not with the clock's.
"""

import multiprocessing
import os
import selectors
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection

from bench.lines import Line
from bench.send_end import sending
from bench.send_planned import Waves
from pipeline.send.run import send

RATES = (5.0, 50.0, 200.0)  # letters a second
QUICK_RATES = RATES[1:]  # at 5/s, six seconds are thirty letters: one more or less is more than the limit
SECONDS, QUICK_SECONDS = 60.0, 6.0
BEGINNING = 1.0  # seconds in which connections open: no pace yet
MOST_DEVIATION, MOST_ABOVE = 0.02, 2  # of the rate; letters in any one second, per worker
SIZE, CONNECTIONS = 2_048, 32
CONTEXT = multiprocessing.get_context("spawn")
SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
STAMP = struct.Struct("qq")  # seconds, nanoseconds


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
            port = stack.enter_context(relay(times))
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
    return [line for rate, times in zip(rates, arrivals, strict=True) for line in _judged(rate, sorted(times), workers)]


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
    gap, load = max(b - a for a, b in pairwise(steady)), os.getloadavg()[0]
    note = f"{len(steady)} letters in {lasted:.1f} s, widest gap {gap:.2f} s, load {load:.1f}"
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


@contextmanager
def relay(times: list[float]) -> Iterator[int]:
    """Take every letter on a port of loopback, which it gives, and add to `times` when its final dot came."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server, selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        stop = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, selector, times, stop), daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            stop.set()
            thread.join()


def _serve(server: socket.socket, selector: selectors.BaseSelector, times: list[float], stop: threading.Event) -> None:
    while not stop.is_set():
        for key, _ in selector.select(0.2):
            if key.fileobj is server:
                accepted = server.accept()[0]
                accepted.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                accepted.sendall(b"220 relay.example\r\n")
                selector.register(accepted, selectors.EVENT_READ, _Session(accepted, times))
            elif not key.data.heard():
                selector.unregister(key.fileobj)
                key.data.socket.close()


@dataclass
class _Session:
    """One connection, as the relay sees it."""

    socket: socket.socket
    times: list[float]
    rest: bytes = b""
    in_letter: bool = False

    def heard(self) -> bool:
        """Answer what has come; False once the sender is gone."""
        data, ancillary, _, _ = self.socket.recvmsg(1 << 18, 128)
        if not data:
            return False
        stamps = [STAMP.unpack_from(value) for _, kind, value in ancillary if kind == SO_TIMESTAMPNS]
        at = stamps[-1][0] + stamps[-1][1] / 1e9 if stamps else time.time()  # the first bytes may have none
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        for line in lines:
            self._line(line, at)
        return True

    def _line(self, line: bytes, at: float) -> None:
        if self.in_letter:
            if line == b".":
                self.in_letter = False
                self.times.append(at)
                self.socket.sendall(b"250 2.0.0 Ok\r\n")
            return
        verb = line[:4].upper()
        self.in_letter = verb == b"DATA"
        answers = {b"EHLO": b"250-relay.example\r\n250 PIPELINING\r\n", b"DATA": b"354 go on\r\n"}
        self.socket.sendall(answers.get(verb, b"250 2.0.0 Ok\r\n"))
