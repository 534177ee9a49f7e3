"""Ask WHOIS servers: one line, and the text that comes until the server closes.

Reads: nothing but the question.  Writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 3912.  Referrals stay
in the text: the caller reads them, paces them and asks again.  What goes wrong comes back as `Answer.failure`.
"""

import asyncio
import re
import socket
from dataclasses import dataclass, replace
from ipaddress import ip_address

from pipeline.domain import Answer, Clock, PermanentFailure, TemporaryFailure, WhoisQuestion, WhoisReply
from pipeline.net.edge import Edge, plain
from pipeline.net.http import Failure
from pipeline.net.lanes import in_lanes
from pipeline.net.reach import ForbiddenAddress, reachable

LONGEST_QUESTION = 200  # characters


@dataclass(frozen=True, slots=True)
class WhoisSettings:
    """How to ask.  `timeout` is in seconds and covers one question whole; `read_cap` is in bytes; `concurrency` counts
    the questions under way to one server."""

    timeout: float = 20.0
    read_cap: int = 1 << 20
    concurrency: int = 4
    allow_loopback: bool = False


def edge(settings: WhoisSettings, clock: Clock, size: int = 1_000) -> Edge[WhoisQuestion, WhoisReply]:
    """Return an edge, ready for `with`, that holds at most `size` questions that are not dealt with."""

    async def ask(question: WhoisQuestion) -> WhoisReply:
        return WhoisReply(question.key, await _answer(question, settings, clock))

    main = in_lanes(lambda: plain(ask), _lane, settings.concurrency, lambda question: question.apart)
    return Edge(main, size)


def _lane(question: WhoisQuestion) -> str:
    return f"{question.host.lower()}:{question.port}"


async def _answer(question: WhoisQuestion, settings: WhoisSettings, clock: Clock) -> Answer:
    text = question.text
    answer = Answer(f"whois://{question.host}:{question.port}/{text}", 0, "text/plain", b"", clock())
    plain = 0 < len(text) <= LONGEST_QUESTION and text.isascii() and text.isprintable()
    if not plain or not 0 < question.port < 65_536:
        failure = PermanentFailure("bad-question", "not one line of printable ASCII, or no port")
        return replace(answer, source=f"whois://{question.host}:{question.port}/", requests=0, failure=failure)
    received = bytearray()
    try:
        async with asyncio.timeout(settings.timeout):
            await _converse(question, settings, received)
    except (OSError, UnicodeError, _TooLarge) as error:  # TimeoutError is an OSError
        return replace(answer, body=bytes(received), at=clock(), failure=_failure_of(error))
    if not received.strip():
        return replace(answer, at=clock(), failure=TemporaryFailure("empty", "closed without a word"))
    if b"@" in re.split(rb"[\r\n]", received)[-1]:  # a mailbox cut short would be somebody else's
        cut = TemporaryFailure("cut", "ended in the middle of a line")
        return replace(answer, body=bytes(received), at=clock(), failure=cut)
    return replace(answer, status=200, body=bytes(received), at=clock())


class _TooLarge(Exception):
    """The server sent more than the cap."""


async def _converse(question: WhoisQuestion, settings: WhoisSettings, received: bytearray) -> None:
    """Write the question and read into `received` until the server closes."""
    reader, writer = await _connect(question.host, question.port, settings.allow_loopback)
    try:
        writer.write(question.text.encode("ascii") + b"\r\n")
        await writer.drain()
        while chunk := await reader.read(1 << 16):
            received += chunk[: settings.read_cap - len(received)]
            if len(received) == settings.read_cap:
                raise _TooLarge(f"{settings.read_cap} bytes or more")
    finally:
        writer.transport.abort()  # nothing of ours is left to send


async def _connect(host: str, port: int, allow_loopback: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first address of `host` that answers; the address connected to is the one that was checked."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    permitted = [address for address in addresses if reachable(ip_address(address), allow_loopback)]
    last: OSError = ForbiddenAddress()
    for address in permitted:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            last = error
    raise last


def _failure_of(error: Exception) -> Failure:
    match error:
        case ForbiddenAddress():
            return PermanentFailure("forbidden-address", "private or special address")
        case _TooLarge():
            return PermanentFailure("too-large", str(error))
        case TimeoutError():
            return TemporaryFailure("timeout", "no complete answer in time")
        case socket.gaierror() | UnicodeError():
            return TemporaryFailure("dns", "the server's name was not found")
        case ConnectionRefusedError():
            return TemporaryFailure("connect", "connection refused")
        case ConnectionError():
            return TemporaryFailure("cut", type(error).__name__)
        case _:
            return TemporaryFailure("network", type(error).__name__)
