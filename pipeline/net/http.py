"""One HTTP request as an `Answer`: bounded in size and time, never redirected, never towards a private address.

Writes: nothing.  Safe to repeat: it only asks; a form is sent only to pages that answer a question with it.
Standards: RFC 9110 (10.2.2 Location, 10.2.3 Retry-After, 15 status codes), RFC 9111 5.2.2 and 5.3 (max-age, Expires).
Whatever goes wrong comes back as `Answer.failure`; only cancellation leaves here as an exception.
"""

import contextlib
import socket
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import aiohttp
from yarl import URL

from pipeline.domain import Answer, Clock, PermanentFailure, TemporaryFailure
from pipeline.net.reach import ForbiddenAddress, reachable

REDIRECTS = frozenset({301, 302, 307, 308})
LONGEST_URL = 2_000  # characters; of a form, too
LONGEST_WAIT = timedelta(days=1)  # no registry's block that we know of is longer

Failure = TemporaryFailure | PermanentFailure


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to ask.  `timeout` is in seconds and covers one request from connecting to its last byte; `body_cap` is in
    bytes, before and after decompression; `concurrency` counts requests under way to one host."""

    user_agent: str
    timeout: float = 30.0
    body_cap: int = 1 << 20
    concurrency: int = 8
    allow_plain_http_to_loopback: bool = False


class _Unusable(Exception):
    """The URL or the body cannot be used; carries the failure that says so."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


@contextlib.asynccontextmanager
async def session(settings: HttpSettings) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with keep-alive, without cookies, and without a proxy from the environment.

    The address is checked where the socket is made, so a name that changes its answer between two look-ups gains
    nothing by it.
    """

    def gated(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        if not reachable(ip_address(sockaddr[0]), settings.allow_plain_http_to_loopback):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, socket_factory=gated),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.timeout),
        headers={"User-Agent": settings.user_agent, "Accept-Encoding": "gzip"},
        middlewares=(_once,),
        auto_decompress=False,
        trust_env=False,
    ) as opened:
        yield opened


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client from asking again by itself after a lost connection: each request has a slot of its own."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # not tried again by itself
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Unusable(TemporaryFailure("cut", type(error).__name__)) from error


async def ask(
    opened: aiohttp.ClientSession,
    url: str,
    accept: str,
    settings: HttpSettings,
    clock: Clock,
    form: str = "",
) -> tuple[Answer, Mapping[str, str]]:
    """Ask `url` once, with a POST where there is a `form`; return the answer and its headers (none if no answer came).

    `Answer.source` is the URL without its query, which may carry a key.  A 404 is an answer, not a failure: the
    registry knows of nothing there.  Codes of failures are listed in `failure_of` and `refusal`.
    """
    source, status, kind = url.partition("?")[0][:LONGEST_URL], 0, ""
    refused: Failure | None = None  # what the status says counts for more than a body that could not be read
    try:
        target = admitted(url, settings.allow_plain_http_to_loopback)
        async with _request(opened, target, accept, form) as response:
            headers = response.headers
            status, kind = response.status, headers.get("Content-Type", "")[:200]
            if not 200 <= status < 300:
                refused = refusal(status, headers, clock())
            body = await _read(response, settings.body_cap)
    except (_Unusable, aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        return Answer(source, status, kind, b"", clock(), refused or failure_of(error)), {}
    return Answer(source, status, kind, body, clock(), refused), headers


def _request(
    opened: aiohttp.ClientSession, target: URL, accept: str, form: str
) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
    headers = {"Accept": accept}
    if not form:
        return opened.get(target, allow_redirects=False, headers=headers)
    if len(form) > LONGEST_URL or not (form.isascii() and form.isprintable()):
        raise _Unusable(PermanentFailure("bad-form", "not a plain form"))
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return opened.post(target, allow_redirects=False, headers=headers, data=form.encode())


def admitted(text: str, allow_plain_http_to_loopback: bool) -> URL:
    """Return the URL if it may be asked: https, or http to loopback where allowed; no user, no control character."""
    if len(text) > LONGEST_URL or not (text.isascii() and text.isprintable()):
        raise _Unusable(PermanentFailure("bad-url", "not a plain URL"))
    url = URL(text)
    if not url.host or url.user is not None or url.password is not None:
        raise _Unusable(PermanentFailure("bad-url", "no host, or a user name in it"))
    plain = url.scheme == "http" and allow_plain_http_to_loopback and _is_loopback(url.host)
    if url.scheme != "https" and not plain:
        raise _Unusable(PermanentFailure("forbidden-scheme", "only https is asked"))
    return url.with_fragment(None) if "#" in text else url


@lru_cache(64)
def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _read(response: aiohttp.ClientResponse, cap: int) -> bytes:
    """Return the whole body, decompressed.  Stops reading, and inflating, at `cap` bytes."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise _Unusable(TemporaryFailure("content-encoding", "a coding that was not asked for"))
    inflate = None if coding == "identity" else zlib.decompressobj(16 + zlib.MAX_WBITS)
    body, received = bytearray(), 0
    while chunk := await response.content.readany():
        received += len(chunk)
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, cap + 1 - len(body))
        except zlib.error as error:
            raise _Unusable(TemporaryFailure("content-encoding", "the body is not gzip")) from error
        if max(received, len(body)) > cap:
            raise _Unusable(PermanentFailure("too-large", f"more than {cap} bytes"))
    if inflate is not None and received and not inflate.eof:
        raise _Unusable(TemporaryFailure("cut", "the compressed body ends early"))
    return bytes(body)


def failure_of(error: Exception) -> Failure:
    """Return what an exception of the client means: whether asking again later may help."""
    if isinstance(error, _Unusable):
        return error.failure
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddress):
        return PermanentFailure("forbidden-address", "private or special address")
    if isinstance(error, TimeoutError):
        return TemporaryFailure("timeout", "no complete answer in time")
    for kind, code in _CODES:
        if isinstance(error, kind):
            return TemporaryFailure(code, type(error).__name__)
    if isinstance(error, ValueError):
        return PermanentFailure("bad-url", "not a URL")
    return TemporaryFailure("network", type(error).__name__)


_CODES: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientConnectionError, "cut"),
    (aiohttp.ClientPayloadError, "cut"),
    (ConnectionError, "cut"),
    (aiohttp.ClientResponseError, "not-http"),
)


def refusal(status: int, headers: Mapping[str, str], at: datetime) -> Failure | None:
    """Return the failure that a status stands for, None if its body is the answer (2xx, 404) or its Location is."""
    if 200 <= status < 300 or status == 404:
        return None
    if status in REDIRECTS:
        return None if "Location" in headers else PermanentFailure(str(status), "a redirect to nowhere")
    if status in (403, 429) or (status >= 500 and status != 501):
        return TemporaryFailure(str(status), f"HTTP {status}", retry_after(headers.get("Retry-After", ""), at))
    return PermanentFailure(str(status), f"HTTP {status}")


def retry_after(text: str, at: datetime) -> timedelta | None:
    """Return how long to wait (RFC 9110 10.2.3: seconds or an HTTP date), at most a day; None if it does not say."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), 86_400))
    elif (until := http_date(text)) is not None:
        wait = until - at
    else:
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def http_date(text: str) -> datetime | None:
    """Return the instant of an HTTP date (RFC 9110 5.6.7), None if it is none."""
    try:
        date = parsedate_to_datetime(text[:100])
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def expiry(headers: Mapping[str, str], at: datetime) -> datetime | None:
    """Return until when an answer may be used without asking again: max-age less Age, else Expires, else None."""
    directives = [part.strip().lower() for part in headers.get("Cache-Control", "")[:1_000].split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return at
    for directive in directives:
        name, _, value = directive.partition("=")
        if name == "max-age" and value.isascii() and value.isdigit():
            age = headers.get("Age", "0")
            spent = int(age[:9]) if age.isascii() and age.isdigit() else 0
            return at + timedelta(seconds=max(0, min(int(value[:9]), 31_536_000) - spent))
    return http_date(headers["Expires"]) if "Expires" in headers else None


def location(url: str, headers: Mapping[str, str]) -> str:
    """Return the absolute URL that a redirect names (RFC 9110 10.2.2), or an empty text if it names none."""
    text = headers.get("Location", "")
    if not text or len(text) > LONGEST_URL or not (text.isascii() and text.isprintable()):
        return ""
    try:
        return str(URL(url).join(URL(text)))
    except ValueError:
        return ""


def lane(url: str) -> str:
    """Return the host and port of a URL, as the name of the lane in which it is asked (net/lanes.py)."""
    rest = url.partition("://")[2]
    return rest.partition("/")[0].partition("?")[0].lower().removesuffix(":443")
