"""What letters are sent to, and what sends beside us: smtp-sink and smtp-source of Postfix, aiosmtplib, a slow way.

Everything listens on loopback, on ports that the system gave, and ends with its block.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import aiosmtplib

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net import smtp
from pipeline.net.edge import Edge, quick_loop
from pipeline.net.smtp import RelaySettings

SESSIONS = 20
PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/sbin")  # where Postfix keeps what is not for everybody
PATIENCE = 10.0  # seconds for a sink to listen


def missing() -> str:
    """Return which of Postfix's tools is not installed, or an empty text."""
    return next((name for name in ("smtp-sink", "smtp-source") if _tool(name) is None), "")


def _tool(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *PLACES)))


@contextmanager
def sink(*options: str) -> Iterator[int]:
    """Run Postfix's smtp-sink and give its port.  `-p`: it does not offer PIPELINING."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    user = ("-u", "nobody") if os.getuid() == 0 else ()  # it refuses to be root
    process = subprocess.Popen(
        [str(_tool("smtp-sink")), *user, *options, f"127.0.0.1:{port}", "1024"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("smtp-sink did not start")
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def by_smtp_source(port: int, count: int, size: int) -> float:
    """Send `count` letters of `size` bytes with smtp-source, connections kept; returns letters a second."""
    sessions = ("-s", str(SESSIONS), "-d", "-l", str(size), "-m", str(count))
    began = time.perf_counter()
    subprocess.run([str(_tool("smtp-source")), *sessions, f"127.0.0.1:{port}"], check=True)
    return count / (time.perf_counter() - began)


def by_aiosmtplib(port: int, letters: Sequence[Send], connections: int = SESSIONS) -> float:
    """Send letters with nothing around aiosmtplib, connections kept; returns letters a second."""
    left = iter(letters)

    async def one() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="bench.example", start_tls=False)
        await client.connect()
        for letter in left:
            await client.sendmail(letter.sender, [letter.recipient], letter.data)
        await client.quit()

    async def every() -> None:
        await asyncio.gather(*(one() for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(every())
    return len(letters) / (time.perf_counter() - began)


def edge(port: int, connections: int = SESSIONS) -> Edge[Send | Go | Stop, Ready | Result]:
    """Return our edge to a server on loopback."""
    settings = RelaySettings(
        "127.0.0.1",
        port,
        tls="none",
        ehlo_name="bench.example",
        connections=connections,
        max_letters_per_connection=10**9,
    )
    return Edge(smtp.relay(settings), 2 * connections, quick_loop)


@asynccontextmanager
async def far(port: int, one_way: float) -> AsyncIterator[int]:
    """Pass on what is said to a port on loopback, each piece `one_way` seconds later; gives the port of this relay."""
    loop = asyncio.get_running_loop()

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            loop.call_later(one_way, writer.write, data)
        loop.call_later(one_way, writer.close)

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(passed(reader, back), passed(to, writer))

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
