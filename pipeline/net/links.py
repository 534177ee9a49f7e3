"""Do the links of letters answer?  Each is asked as a browser would: GET, a few redirects, https, no private address.

Reads and writes: nothing.  Safe to repeat: it only asks.  Standards: RFC 9110 (15.3 success, 15.4 redirects).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp

from pipeline.net import http
from pipeline.net.edge import alone
from pipeline.net.http import HttpSettings

MOST_LINKS = 200
MOST_REDIRECTS = 5
AT_ONCE = 8
PAGE = "text/html,*/*"


def troubles(urls: Sequence[str], settings: HttpSettings) -> dict[str, str]:
    """Ask every link; returns {URL: why it does not answer, empty if it does}.  Of more than MOST_LINKS none is asked.

    The reason is a code: an HTTP status, a failure of net/http.py (`timeout`, `dns`), `redirects` or `too-many`.
    """
    if len(urls) > MOST_LINKS:
        return dict.fromkeys(urls, "too-many")
    return alone(_all(urls, settings))


async def _all(urls: Sequence[str], settings: HttpSettings) -> dict[str, str]:
    room = asyncio.Semaphore(AT_ONCE)
    async with http.session(settings) as opened:

        async def one(url: str) -> str:
            async with room:
                return await _trouble(opened, url, settings)

        return dict(zip(urls, await asyncio.gather(*map(one, urls)), strict=True))


async def _trouble(opened: aiohttp.ClientSession, url: str, settings: HttpSettings) -> str:
    for _ in range(MOST_REDIRECTS + 1):
        answer, headers = await http.ask(opened, url, PAGE, settings, lambda: datetime.now(UTC))
        if 200 <= answer.status < 300:  # a page may be long, or end early: somebody answers there
            return ""
        if answer.failure is not None:
            return answer.failure.code
        if answer.status not in http.REDIRECTS:
            return str(answer.status)
        url = http.location(url, headers)
    return "redirects"
