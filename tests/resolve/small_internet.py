"""The sandbox's registries for tests of a whole run of resolve, and the run itself."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from pipeline.domain import RdapQuestion, RdapReply, Wire
from pipeline.net import names, rdap, whois
from pipeline.net.http import HttpSettings
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.net.whois import WhoisSettings
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.run import ResolveSettings, Resolving, Result, resolve
from pipeline.sandbox import dns_server, rdap_server, whois_server
from pipeline.sandbox.dns_server import DnsTable, OriginZone
from pipeline.sandbox.networks import Autnum, Fault, Network, RangeTable, RdapFault
from pipeline.sandbox.rdap_server import RdapTable
from pipeline.sandbox.recorded import Recorded
from pipeline.sandbox.streams import listening
from pipeline.sandbox.thread import in_thread
from pipeline.sandbox.whois_server import WhoisTable
from pipeline.store import routes
from pipeline.store.db import Database
from pipeline.store.resolve import DueCase

HTTP = HttpSettings("tocsin-test/1", timeout=5.0, allow_plain_http_to_loopback=True)
SETTINGS = ResolveSettings(
    rate=0,
    rates={},
    per_day={},
    keep=timedelta(days=30),
    keep_negative=timedelta(days=7),
    whois_rate=0,
    allow_documentation=True,
)
PATIENCE = timedelta(seconds=30)


def clock() -> datetime:
    return datetime.now(UTC)


def network(prefix: str, abuse: str = "", fault: RdapFault | None = None, times: int = 0, **facts: Any) -> Network:
    """A network of a registry (ripencc unless said), called after its prefix."""
    inside = ip_network(prefix)
    facts = {"registry": "ripencc", "handle": prefix, **facts}
    return Network(inside[0], inside[-1], abuse=abuse, fault=Fault(fault, times) if fault else None, **facts)


@dataclass
class Internet:
    """Where the servers are, and what they have been asked."""

    root: str
    log: rdap_server.Log = field(default_factory=list)
    whois_hosts: dict[str, tuple[str, int]] = field(default_factory=dict)
    whois_log: whois_server.Log = field(default_factory=list)
    dns: int = 53
    dns_log: dns_server.Log = field(default_factory=list)

    @property
    def names_asked(self) -> list[str]:
        """The questions of the DNS ("NAME TYPE"), in order."""
        return [text.rpartition(" ")[0] for _, text in self.dns_log]

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, without the bootstrap files, in order."""
        return [path for _, path in self.log if "/bootstrap/" not in path]

    def times(self) -> list[datetime]:
        return [at for at, path in self.log if "/bootstrap/" not in path]


@contextlib.contextmanager
def internet(
    networks: Sequence[Network],
    *,
    whois_networks: Sequence[Network] | None = None,
    recorded: Recorded | None = None,
    faults: dict[str, Fault] | None = None,
    host: str = "127.0.0.1",
    autnums: Sequence[Autnum] = (),
    searches: Mapping[str, int] | None = None,
    dns: DnsTable | None = None,
) -> Iterator[Internet]:
    """Serve networks by RDAP, others by the WHOIS server of ripencc if any are given, and names if there is a table.

    `faults` of whole registries may be changed meanwhile.
    """
    log: rdap_server.Log = []
    said: whois_server.Log = []
    names_log: dns_server.Log = []
    hosts = {}
    with contextlib.ExitStack() as stack:
        table = RdapTable(
            RangeTable(networks), tuple(autnums), recorded, {} if faults is None else faults, searches or {}
        )
        names_port = stack.enter_context(in_thread(dns_server.serve(dns, clock, names_log))) if dns is not None else 53
        port = stack.enter_context(in_thread(rdap_server.serve(table, clock, log, host)))
        if whois_networks is not None:
            names = WhoisTable(RangeTable(whois_networks))
            hosts["ripencc"] = (
                "127.0.0.1",
                stack.enter_context(in_thread(whois_server.serve(names, "ripencc", clock, said))),
            )
        yield Internet(f"http://{host}:{port}/", log, hosts, said, names_port, names_log)


@contextlib.contextmanager
def whois_saying(
    texts: Mapping[str, str | bytes], log: whois_server.Log, host: str = "127.0.0.1"
) -> Iterator[tuple[str, int]]:
    """A WHOIS or rwhois server with a text for each of some questions, and no match for any other; gives where it is."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = (await reader.readline()).decode("ascii", "replace").strip()
        log.append((clock(), question))
        text = texts.get(question, "no match\n")
        writer.write(text if isinstance(text, bytes) else text.encode())
        await writer.drain()

    with in_thread(listening(converse, host, 0)) as port:
        yield host, port


def everybody(cases: Sequence[DueCase]) -> set[int]:
    return {case.id for case in cases}


def silent(_what: str, _done: int, _of: int) -> None:
    pass


def files(net: Internet) -> dict[int, Mapping[str, Any]]:
    return {v: rdap.fetch_json(f"{net.root}bootstrap/ipv{v}.json", HTTP, clock).value for v in (4, 6)}


ORIGIN, ORIGIN6, DIRECTORY = "origin.example", "origin6.example", "directory.example"


def zones(origins: Mapping[str, str], directory: Mapping[str, str] | None = None) -> tuple[OriginZone, ...]:
    """Who announces which prefixes (prefix -> AS numbers), and whom a directory names for them (prefix -> mailbox)."""
    kept: dict[str, dict[IPv4Network | IPv6Network, tuple[str, ...]]] = {ORIGIN: {}, ORIGIN6: {}, DIRECTORY: {}}
    for prefix, numbers in origins.items():
        inside = ip_network(prefix)
        kept[ORIGIN if inside.version == 4 else ORIGIN6][inside] = (
            f"{numbers} | {prefix} | CA | ripencc | 2026-03-01",
        )
    for prefix, mailbox in (directory or {}).items():
        kept[DIRECTORY][ip_network(prefix)] = (mailbox,)
    return tuple(OriginZone(name, texts) for name, texts in kept.items())


def whole_chain(net: Internet, **given: Any) -> dict[str, Any]:
    """The parts of the rules that switch the whole chain on."""
    return {
        "chain": ("network", "whois", "page", "parent", "origin", "directory", "cert", "host_name"),
        "autnums": rdap.fetch_json(f"{net.root}bootstrap/asn.json", HTTP, clock).value,
        "origin_zone": ORIGIN,
        "origin6_zone": ORIGIN6,
        "directory_zone": DIRECTORY,
        "check_mail": True,
        "use_search": True,
        "allow_loopback": True,
        **given,
    }


def rules(net: Internet, lists: Mapping[int, Mapping[str, Any]], **given: Any) -> Rules:
    """How look-ups go: RDAP, and WHOIS where the Internet has a server for it; `given` replaces parts of it."""
    indices = {version: servers.index(lists.get(version, {}), version) for version in (4, 6)}
    hosts = given.pop("whois_hosts", net.whois_hosts)
    return Rules(indices, patience=given.pop("patience", PATIENCE), whois_hosts=hosts, **given)


@contextlib.contextmanager
def resolving(
    db: Database,
    net: Internet,
    worker_id: int,
    *,
    http: HttpSettings = HTTP,
    settings: ResolveSettings = SETTINGS,
    by: Mapping[str, Any] | None = None,
    patience: float = 5.0,
    **given: Any,
) -> Iterator[Resolving]:
    """What a run is given, over real edges; `given` replaces parts of it, `by` parts of the rules.

    `patience` is in seconds: of one question to a WHOIS server or a nameserver.
    """
    dns = DnsSettings((Nameserver(ip_address("127.0.0.1"), net.dns),), timeout=min(patience, 2.0))
    with (
        rdap.edge(http, clock) as asks,
        whois.edge(WhoisSettings(timeout=patience, allow_loopback=True), clock) as texts,
        names.edge(dns, clock) as finds,
    ):
        lists = given.pop("registries", None) or files(net)
        yield Resolving(
            **{
                "db": db,
                "rdap": asks,
                "whois": texts,
                "names": finds,
                "rules": rules(net, lists, **(by or {})),
                "settings": settings,
                "worth": everybody,
                "worker_id": worker_id,
                "clock": clock,
                "progress": silent,
                **given,
            }
        )


def run(db: Database, net: Internet, worker_id: int, **given: Any) -> Result:
    with resolving(db, net, worker_id, **given) as prepared:
        return resolve(prepared)


def route(db: Database, country: str, kind: str, mailbox: str) -> None:
    """Give a country a route: a run goes by those that are stored."""
    with db.write() as connection:
        routes.put(connection, country, routes.Way(kind), mailbox, "CERT", "their wish", clock(), "person:1")


class Speaking:
    """An edge to registries; a person speaks when the first question is asked."""

    def __init__(self, edge: Wire[RdapQuestion, RdapReply], say_it: Callable[[], None]) -> None:
        self.edge, self.left = edge, [say_it]

    def room(self) -> bool:
        return self.edge.room()

    def tell_all(self, messages: Sequence[RdapQuestion]) -> None:
        self.edge.tell_all(messages)

    def ask(self, question: RdapQuestion) -> None:
        if self.left:
            self.left.pop()()
        self.edge.ask(question)

    def take(self, timeout: float) -> Sequence[RdapReply]:
        return self.edge.take(timeout)

    def done(self, count: int = 1) -> None:
        self.edge.done(count)


def spread(prefix: str, length: int, count: int) -> list[str]:
    """The first `count` prefixes of that length in a prefix."""
    inside = ip_network(prefix)
    size = 1 << (inside.max_prefixlen - length)
    return [f"{ip_address(int(inside[0]) + i * size)}/{length}" for i in range(count)]


Worth = Callable[[Sequence[DueCase]], set[int]]
