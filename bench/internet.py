"""A small Internet made of real listings: who is listed, whose networks they are in, and who is owed which of them.

Reads the shared hits (the first distinct addresses, their sim_type and sim_port) and the announced ranges that hold them.
RDAP answers are made by the sandbox: one abuse mailbox per AS under .example, a nested customer network in every seventh
AS, no contact in every eleventh.  Nothing is ever asked of, or sent to, an address of the data.
"""

import csv
import gzip
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from pipeline.net import guard
from pipeline.sandbox import mail_server, rdap_server
from pipeline.sandbox.networks import REGISTRIES, Network, RangeTable
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.thread import in_thread

DATA = Path(__file__).parents[2] / "shared" / "data" / "hits"


def hits(folder: Path, limit: int) -> list[tuple[str, str, str]]:
    """Return (address, sim_port, sim_type) of the first `limit` distinct addresses."""
    found: dict[str, tuple[str, str, str]] = {}
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["ip"], (row["ip"], row["sim_port"], row["sim_type"]))
                if len(found) == limit:
                    return list(found.values())
    return list(found.values())


def networks(ranges: Path, addresses: list[int]) -> list[Network]:
    """Return the networks of the sandbox: the announced ranges that hold one of the sorted addresses, and customers."""
    found: list[Network] = []
    place = 0
    with gzip.open(ranges, "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            start, end, asn = int(IPv4Address(row["start"])), int(IPv4Address(row["end"])), int(row["asn"])
            while place < len(addresses) and addresses[place] < start:
                place += 1
            if place == len(addresses) or addresses[place] > end:
                continue
            found += _networks_of(number, start, end, asn, addresses[place])
    return found


def _networks_of(number: int, start: int, end: int, asn: int, listed: int) -> list[Network]:
    """Return an announced range as a network, and its customer around the first listed address where it has one."""
    registry = REGISTRIES[(start >> 24) % len(REGISTRIES)]
    abuse = "" if asn % 11 == 0 else f"abuse@as{asn}.example"
    name, holder = f"NET-{number}", f"Holder of AS{asn}"
    whole = Network(IPv4Address(start), IPv4Address(end), registry, name, name, holder, "CA", abuse=abuse)
    first = listed >> 8 << 8
    last = first + 255
    if asn % 7 or not start <= first <= last <= end or (first, last) == (start, end):
        return [whole]
    abuse = f"abuse@customer{number}.example"
    name, holder = f"CUST-{number}", f"Customer in AS{asn}"
    return [whole, Network(IPv4Address(first), IPv4Address(last), registry, name, name, holder, "FR", abuse=abuse)]


def expected(listed: list[tuple[str, str, str]], table: RangeTable) -> tuple[dict[str, set[str]], int, int]:
    """Return (mailbox -> its addresses, distinct cacheable networks, addresses without a contact), from the input alone."""
    owed: dict[str, set[str]] = defaultdict(set)
    cacheable: set[tuple[int, int]] = set()
    nobody = 0
    for address, _, _ in listed:
        ip = IPv4Address(address)
        network = table.find(ip)
        if network is None:
            nobody += 1
            continue
        size = 1 << (32 - (18 if network.registry == "lacnic" else 20))
        block = int(ip) // size * size
        cacheable.add((max(block, int(network.start)), min(block + size - 1, int(network.end))))
        if network.abuse:
            owed[network.abuse].add(address)
        else:
            nobody += 1
    return owed, len(cacheable), nobody


def bootstrap(port: int) -> dict[str, Any]:
    """Return a bootstrap file that shares the address space among five registries, as IANA's does by /8 (RFC 9224)."""
    entries = defaultdict(list)
    for octet in range(256):
        entries[REGISTRIES[octet % len(REGISTRIES)]].append(f"{octet}.0.0.0/8")
    return {"services": [[blocks, [f"http://127.0.0.1:{port}/{name}/"]] for name, blocks in entries.items()]}


def town(found: list[Network], folder: str, pipe: Any) -> None:
    """The sandbox, in a process of its own: RDAP and a mail sink; tells its ports, and at the end what it was asked."""
    guard.install()
    log: list[tuple[datetime, str]] = []
    table = RdapTable(RangeTable(found))
    with ExitStack() as stack:
        port = stack.enter_context(in_thread(rdap_server.serve(table, lambda: datetime.now(UTC), log)))
        mail = stack.enter_context(in_thread(mail_server.serve({}, Path(folder) / "mail")))
        pipe.send((port, mail.port))
        pipe.recv()
        pipe.send(len([path for _, path in log if "/ip/" in path]))
