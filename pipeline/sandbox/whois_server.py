"""A registry's WHOIS server for the sandbox, on loopback: one line in, a text out, closed.

Reads: the table it is given.  Writes: one line of `log` for each question.  Standards: RFC 3912; RPSL (RFC 2622) as the
RIPE, APNIC, AFRINIC and LACNIC servers write it, and the form of ARIN's server.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, MutableSequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address

from pipeline.domain import Clock
from pipeline.sandbox.networks import Network, RangeTable, WhoisFault, prefixes
from pipeline.sandbox.streams import listening

Log = MutableSequence[tuple[datetime, str]]
LONGEST_LINE = 1_000  # bytes
OVERSIZED = 5_000_000  # bytes
QUOTA = "%ERROR:201: access denied for 127.0.0.1\n%\n% Sorry, access from your host has been denied for the day.\n"


@dataclass(frozen=True, slots=True)
class WhoisTable:
    """`faults` are those of a whole registry; they go before a network's own.  `referrals` says where a registry's server
    is ("127.0.0.1:4343"), for the others to refer to.  Both may be changed while the server runs."""

    networks: RangeTable
    faults: dict[str, WhoisFault] = field(default_factory=dict)
    referrals: dict[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def serve(
    table: WhoisTable, registry: str, clock: Clock, log: Log, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Answer as `registry` until left; gives the port.  Each question adds (time, question) to `log`."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = (await reader.readline()).decode("ascii", "replace").strip()
        except ValueError:  # longer than a line may be
            return
        log.append((clock(), question))
        network = find(table.networks, question)
        fault = table.faults.get(registry) or (network.whois_fault if network is not None else None)
        await _say(reader, writer, text(table, registry, network), fault)

    async with listening(converse, host, port, LONGEST_LINE) as used:
        yield used


async def _say(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: str, fault: WhoisFault | None
) -> None:
    match fault:
        case WhoisFault.SILENT:
            await reader.read()  # until the client goes
        case WhoisFault.CLOSES:
            return
        case WhoisFault.DRIPS:
            await _drip(writer, words.encode())
        case WhoisFault.TOO_LARGE:
            writer.write(words.encode() + b"%\n" * (OVERSIZED // 2))
        case WhoisFault.RESET:
            writer.write(words.encode()[: len(words) // 2])
            await writer.drain()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case WhoisFault.ENDS_EARLY:
            writer.write(words[: words.index("@") + 4].encode())
        case WhoisFault.QUOTA:
            writer.write(QUOTA.encode())
        case WhoisFault.CRLF:
            writer.write(words.replace("\n", "\r\n").encode())
        case WhoisFault.ISO_2022_JP:
            writer.write(words.encode("iso-2022-jp", "replace"))
        case None:
            writer.write(words.encode())
    await writer.drain()


async def _drip(writer: asyncio.StreamWriter, words: bytes) -> None:
    """Write the words again and again, byte by byte, until the client goes."""
    for byte in itertools.cycle(words):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


def find(networks: RangeTable, question: str) -> Network | None:
    """Return the narrowest network around the address that ends the question (options such as "-r" or "n +" go before)."""
    try:
        return networks.find(ip_address(question.split()[-1]))
    except (ValueError, IndexError):
        return None


def text(table: WhoisTable, registry: str, network: Network | None) -> str:
    """Return what `registry` says of a network: its own in full, another's with a referral."""
    if registry == "arin":
        return _arin(table, network)
    if network is None or network.registry != registry:
        return f"% This is the {registry} database.\n\n%ERROR:101: no entries found\n"
    return _rpsl(table, network)


def _rpsl(table: WhoisTable, network: Network) -> str:
    version6 = network.start.version == 6
    cidr, span = str(prefixes(network)[0]), f"{network.start} - {network.end}"
    parent = table.networks.parent(network)
    blocks = [
        [
            ("inet6num" if version6 else "inetnum", cidr if version6 else span),
            ("netname", network.name or network.handle),
            ("descr", network.holder),
            ("country", network.country),
            ("language", network.language),
            ("org", f"{network.handle}-ORG"),
            ("status", "ALLOCATED PA" if parent is None else "ASSIGNED PA"),
            ("source", network.registry.upper()),
        ],
        [
            ("organisation", f"{network.handle}-ORG"),
            ("org-name", network.holder),
            *(("address", line) for line in network.postal or (network.region,)),
            ("abuse-c", f"{network.handle}-ABUSE" if network.abuse else ""),
        ],
    ]
    if network.abuse:
        blocks.append(
            [("role", "Abuse role"), ("nic-hdl", f"{network.handle}-ABUSE"), ("abuse-mailbox", network.abuse)]
        )
    head = [f"% This is the {network.registry} database."]
    if network.abuse and network.registry in ("ripencc", "apnic"):
        head.append(f"% Abuse contact for '{cidr if version6 else span}' is '{network.abuse}'")
    return "\n\n".join([*head, *(_lines(block, 16) for block in blocks)]) + "\n"


def _arin(table: WhoisTable, network: Network | None) -> str:
    if network is None:
        return "# ARIN WHOIS data and services\n\nNo match found.\n"
    parent = table.networks.parent(network)
    block = [
        ("NetRange", f"{network.start} - {network.end}"),
        ("CIDR", ", ".join(str(prefix) for prefix in prefixes(network))),
        ("NetName", network.name or network.handle),
        ("NetHandle", network.handle),
        ("Parent", parent.handle if parent is not None else ""),
        ("NetType", "Direct Allocation" if parent is None else "Reassigned"),
        ("Organization", network.holder),
    ]
    if network.registry != "arin":
        referral = table.referrals.get(network.registry, f"whois.{network.registry}.example")
        return (
            "# ARIN WHOIS data and services\n\n"
            + _lines([*block, ("ReferralServer", f"whois://{referral}")], 16)
            + "\n"
        )
    town, code = network.town
    organisation = [
        ("OrgName", network.holder),
        *(("Address", line) for line in network.postal[:-2]),
        ("City", town),
        ("StateProv", network.region),
        ("PostalCode", code),
        ("Country", network.country),
    ]
    abuse = [("OrgAbuseHandle", f"{network.handle}-ABUSE"), ("OrgAbuseName", "Abuse"), ("OrgAbuseEmail", network.abuse)]
    blocks = [block, organisation, *([abuse] if network.abuse else [])]
    return "# ARIN WHOIS data and services\n\n" + "\n\n".join(_lines(block, 16) for block in blocks) + "\n"


def _lines(block: list[tuple[str, str]], width: int) -> str:
    return "\n".join(f"{key + ':':<{width}}{value}" for key, value in block if value)
