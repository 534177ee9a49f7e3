"""The five registries' RDAP servers and IANA's bootstrap files, on one port of loopback.

Paths: /bootstrap/{ipv4,ipv6,asn}.json; /REGISTRY/ip/ADDRESS and /REGISTRY/autnum/N for each of REGISTRIES; for those that
offer searches /REGISTRY/ips/rirSearch1/RELATION/ADDRESS[/LENGTH] (RFC 9910).
Reads: the table it is given, and recorded answers if there are any.  Writes: one line of `log` for each request.
Standards: RFC 7480, RFC 9083, RFC 9224.  A registry that is asked for another one's network redirects there (302).
"""

import contextlib
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, MutableSequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

from aiohttp import web

from pipeline.domain import Address, Clock
from pipeline.sandbox import rdap_objects, rdap_search
from pipeline.sandbox.networks import REGISTRIES, Autnum, Fault, Network, Prefix, RangeTable, RdapFault
from pipeline.sandbox.rdap_faults import misbehave
from pipeline.sandbox.recorded import Recorded

Log = MutableSequence[tuple[datetime, str]]


@dataclass(frozen=True, slots=True)
class RdapTable:
    """`faults` are those of a whole registry; they go before a network's own, and may be changed while it runs.

    `searches`: the registries that offer searches along the hierarchy, and how many networks one answer lists at most.
    """

    networks: RangeTable
    autnums: tuple[Autnum, ...] = ()
    recorded: Recorded | None = None
    faults: dict[str, Fault] = field(default_factory=dict)
    searches: Mapping[str, int] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def serve(table: RdapTable, clock: Clock, log: Log, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Answer until left; gives the port.  Each request adds (time, path) to `log`."""
    server = _Server(table, clock, log)
    application = web.Application()
    application.router.add_get("/bootstrap/{file}.json", server.bootstrap)
    application.router.add_get("/{registry}/ip/{address}", server.ip)
    application.router.add_get("/{registry}/ip/{address}/{length}", server.ip)
    application.router.add_get("/{registry}/ips/rirSearch1/{relation}/{address}", server.search)
    application.router.add_get("/{registry}/ips/rirSearch1/{relation}/{address}/{length}", server.search)
    application.router.add_get("/{registry}/autnum/{number}", server.autnum)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


class _Server:
    def __init__(self, table: RdapTable, clock: Clock, log: Log) -> None:
        self._table = table
        self._clock = clock
        self._log = log
        self._hierarchy = rdap_search.Hierarchy(table.networks)
        self._limited: Counter[str] = Counter()  # how often a rate limit was said, by network or registry

    def _note(self, request: web.Request) -> str:
        """Write the request down and return the root URL under which it came."""
        self._log.append((self._clock(), request.path))
        return f"{request.scheme}://{request.host}/"

    async def bootstrap(self, request: web.Request) -> web.StreamResponse:
        root, at = self._note(request), self._clock()
        publication = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        match request.match_info["file"]:
            case "ipv4":
                body = rdap_objects.bootstrap(4, self._table.networks, root, publication)
            case "ipv6":
                body = rdap_objects.bootstrap(6, self._table.networks, root, publication)
            case "asn":
                body = rdap_objects.bootstrap_asn(self._table.autnums, root, publication)
            case _:
                raise web.HTTPNotFound
        expires = format_datetime(at + timedelta(days=1), usegmt=True)
        return _json(request, body, kind="application/json", headers={"Expires": expires})

    async def ip(self, request: web.Request) -> web.StreamResponse:
        root, registry = self._note(request), request.match_info["registry"]
        asked = _asked(request)
        if asked is None:
            return _json(request, rdap_objects.error(400, "Bad Request", "not an address"), 400)
        network = self._table.networks.find(asked[0], asked[-1])
        if (recorded := self._recorded(registry, asked[0])) is not None:
            return recorded
        fault = self._fault(registry, network)
        if fault is not None:
            return await misbehave(request, fault, network, f"{root}{registry}/", self._clock())
        if network is None or registry not in REGISTRIES:
            return _json(request, rdap_objects.error(404, "Not Found", "no such network here"), 404)
        if network.registry != registry:
            raise web.HTTPFound(f"{root}{network.registry}/{request.path.removeprefix(f'/{registry}/')}")
        parent = self._table.networks.parent(network)
        answer = rdap_objects.ip_network(network, parent, f"{root}{registry}/")
        if registry in self._table.searches:
            answer = rdap_search.announced(answer, network, f"{root}{registry}/")
        return _json(request, answer)

    async def search(self, request: web.Request) -> web.StreamResponse:
        """RFC 9910: what lies above or below an address or a prefix; another registry's networks are not listed."""
        root, registry = self._note(request), request.match_info["registry"]
        asked, relation, base = _asked(request), request.match_info["relation"], f"{root}{registry}/"
        if registry not in self._table.searches:
            return _json(request, rdap_objects.error(501, "Not Implemented", "no searches here"), 501)
        if asked is None or relation not in rdap_search.RELATIONS:
            return _json(request, rdap_objects.error(400, "Bad Request", "not an address, or not a relation"), 400)
        if (fault := self._fault(registry, None)) is not None:
            return await misbehave(request, fault, None, base, self._clock())
        table, most = self._table.networks, self._table.searches[registry]
        related = self._hierarchy.find(relation, asked[0], asked[-1])
        found = [network for network in related if network.registry == registry]
        if found and relation in ("rdap-up", "rdap-top"):
            answer = rdap_objects.ip_network(found[0], table.parent(found[0]), base)
            return _json(request, rdap_search.announced(answer, found[0], base))
        return _json(request, rdap_search.listed(found, table, base, most), 200 if found else 404)

    def _recorded(self, registry: str, question: Address | int) -> web.Response | None:
        answer = self._table.recorded.find(registry, question) if self._table.recorded is not None else None
        if answer is None:
            return None
        return web.Response(
            body=answer.path.read_bytes(), status=answer.status, headers={"Content-Type": answer.content_type}
        )

    def _fault(self, registry: str, network: Network | None) -> RdapFault | None:
        """Return what goes wrong with this request, counting how often a rate limit was said."""
        fault, key = self._table.faults.get(registry), registry
        if fault is None and network is not None:
            fault, key = network.fault, network.handle
        if fault is None:
            return None
        if fault.kind is RdapFault.RATE_LIMITED and fault.times:
            if self._limited[key] >= fault.times:
                return None
            self._limited[key] += 1
        return fault.kind

    async def autnum(self, request: web.Request) -> web.StreamResponse:
        root, registry, text = self._note(request), request.match_info["registry"], request.match_info["number"]
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            return _json(request, rdap_objects.error(400, "Bad Request", "not an AS number"), 400)
        if (recorded := self._recorded(registry, int(text))) is not None:
            return recorded
        fault = self._fault(registry, None)
        if fault is not None:
            return await misbehave(request, fault, None, f"{root}{registry}/", self._clock())
        block = _block(self._table.autnums, int(text))
        if block is None:
            return _json(request, rdap_objects.error(404, "Not Found", "no such AS number here"), 404)
        if block.registry != registry:
            raise web.HTTPFound(f"{root}{block.registry}/autnum/{text}")
        return _json(request, rdap_objects.autnum(block, f"{root}{registry}/"))


def _asked(request: web.Request) -> Prefix | None:
    """Return the address or prefix in a path, or None if there is none."""
    try:
        return ip_network("/".join(filter(None, map(request.match_info.get, ("address", "length")))))
    except ValueError:
        return None


def _block(autnums: Iterable[Autnum], number: int) -> Autnum | None:
    """Return the narrowest block that holds `number`."""
    holding = [block for block in autnums if block.start <= number <= block.end]
    return min(holding, key=lambda block: block.end - block.start, default=None)


def _json(
    request: web.Request,
    body: Mapping[str, Any],
    status: int = 200,
    kind: str = "application/rdap+json",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    wire, sent = json.dumps(body).encode(), {"Content-Type": kind, **(headers or {})}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        wire, sent["Content-Encoding"] = gzip.compress(wire, 1), "gzip"
    return web.Response(body=wire, status=status, headers=sent)
