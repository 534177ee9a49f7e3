"""The ways in which the sandbox's RDAP servers misbehave.

Reads and writes: nothing.  Each is something that real registries, their load balancers or a hostile host have done.
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

from aiohttp import web

from pipeline.sandbox import rdap_objects
from pipeline.sandbox.networks import Network, RdapFault

RETRY_AFTER = 1  # seconds, said with 429
UNAVAILABLE_FOR = timedelta(minutes=2)  # said as a date, with 503 and with 429
ELSEWHERE = {
    RdapFault.REDIRECT_PRIVATE: "http://10.0.0.1/ip/192.0.2.1",
    RdapFault.REDIRECT_MAPPED: "https://[::ffff:10.0.0.1]/ip/192.0.2.1",
    RdapFault.REDIRECT_PLAIN: "http://registry.example/ip/192.0.2.1",
}
OVERSIZED = 5_000_000  # bytes
BOMB = 64 << 20  # bytes, once inflated
JSON = "application/rdap+json"


async def misbehave(
    request: web.Request, fault: RdapFault, network: Network | None, base: str, at: datetime
) -> web.StreamResponse:
    """Return, write or withhold the answer that `fault` stands for."""
    if fault in _BODIES:
        return await _BODIES[fault](request, network, base)
    match fault:
        case RdapFault.REDIRECT_LOOP:
            return web.Response(status=302, headers={"Location": str(request.url)})
        case RdapFault.REDIRECT_PRIVATE | RdapFault.REDIRECT_MAPPED | RdapFault.REDIRECT_PLAIN:
            return web.Response(status=302, headers={"Location": ELSEWHERE[fault]})
        case RdapFault.RATE_LIMITED:
            return web.Response(status=429, text="slow down", headers={"Retry-After": str(RETRY_AFTER)})
        case RdapFault.FORBIDDEN:
            return web.Response(status=403, text="<html><h1>Forbidden</h1></html>", content_type="text/html")
        case RdapFault.UNAVAILABLE | RdapFault.RATE_LIMITED_UNTIL:
            until = format_datetime(at + UNAVAILABLE_FOR, usegmt=True)
            status = 503 if fault is RdapFault.UNAVAILABLE else 429
            return web.Response(status=status, text="busy", headers={"Retry-After": until})
        case RdapFault.BUSY:
            return web.Response(status=503, text="busy")
        case RdapFault.NOT_IMPLEMENTED:
            return _json(rdap_objects.error(501, "Not Implemented", "this server answers no such question"), 501)
        case RdapFault.NOT_FOUND:
            return _json(rdap_objects.error(404, "Not Found", "no such network here"), 404)
        case RdapFault.RATE_NOTICE:
            return _json(rdap_objects.rate_notice())
        case RdapFault.WRONG_NETWORK:
            return _json(_other_network(base))
        case RdapFault.INVALID_JSON:
            return web.Response(body=b'{"objectClassName": "ip network",', content_type=JSON)
        case RdapFault.WRONG_TYPE:
            return web.Response(body=_whole(network, base), content_type="text/html")
        case RdapFault.NULL_MEMBERS:
            return _json(json.loads(_whole(network, base)) | dict.fromkeys(("entities", "remarks", "name", "links")))
        case _:
            raise ValueError(f"no way to do {fault}")


def _json(body: rdap_objects.Json, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type=JSON)


def _other_network(base: str) -> rdap_objects.Json:
    first, last = ip_address("198.51.100.248"), ip_address("198.51.100.255")
    return rdap_objects.ip_network(
        Network(first, last, "ripencc", "OTHER-NET", abuse="abuse@other.example"), None, base
    )


def _whole(network: Network | None, base: str) -> bytes:
    return json.dumps(
        _other_network(base) if network is None else rdap_objects.ip_network(network, None, base)
    ).encode()


async def _cut(request: web.Request, network: Network | None, base: str) -> web.StreamResponse:
    body = _whole(network, base)
    response = web.StreamResponse(headers={"Content-Type": JSON, "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _slow(request: web.Request, network: Network | None, base: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": JSON})
    await response.prepare(request)
    for byte in _whole(network, base):
        await response.write(bytes([byte]))
        await asyncio.sleep(0.05)
    return response


async def _oversized(request: web.Request, network: Network | None, base: str) -> web.StreamResponse:
    return web.Response(body=_whole(network, base)[:-1] + b" " * OVERSIZED + b"}", content_type=JSON)


async def _bomb(request: web.Request, network: Network | None, base: str) -> web.StreamResponse:
    packed = await asyncio.to_thread(gzip.compress, _whole(network, base)[:-1] + b" " * BOMB + b"}", 9)
    return web.Response(body=packed, headers={"Content-Type": JSON, "Content-Encoding": "gzip"})


async def _no_answer(request: web.Request, network: Network | None, base: str) -> web.StreamResponse:
    never: asyncio.Future[web.StreamResponse] = asyncio.get_running_loop().create_future()
    return await never  # until the client goes, or the server is closed


_BODIES: dict[RdapFault, Callable[[web.Request, Network | None, str], Awaitable[web.StreamResponse]]] = {
    RdapFault.CUT_BODY: _cut,
    RdapFault.SLOW_BODY: _slow,
    RdapFault.TOO_LARGE: _oversized,
    RdapFault.GZIP_BOMB: _bomb,
    RdapFault.NO_ANSWER: _no_answer,
}
