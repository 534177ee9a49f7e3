"""Ask RDAP servers: one HTTP request for one question, redirects handed back for the caller to pace and ask again.

Reads: a URL that the caller made from a bootstrap file.  Writes: nothing.  Safe to repeat: it only asks.
Standards: RFC 7480 (RDAP over HTTP; 5.2 redirects, 5.5 rate limits), RFC 9224 (bootstrap files).
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline.domain import Answer, Clock, PermanentFailure, RdapQuestion, RdapReply
from pipeline.net import http
from pipeline.net.edge import Edge, Handler, alone
from pipeline.net.http import HttpSettings
from pipeline.net.lanes import in_lanes


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A fetched JSON file.  `value` is None if `answer.failure` says why; `expires_at` is None if nobody said."""

    answer: Answer
    value: Any
    expires_at: datetime | None


def edge(settings: HttpSettings, clock: Clock, size: int = 1_000) -> Edge[RdapQuestion, RdapReply]:
    """Return an edge, ready for `with`, that holds at most `size` questions that are not dealt with."""
    main = in_lanes(lambda: _asking(settings, clock), _lane, settings.concurrency, lambda question: question.apart)
    return Edge(main, size)


def _lane(question: RdapQuestion) -> str:
    return http.lane(question.url)


@contextlib.asynccontextmanager
async def _asking(settings: HttpSettings, clock: Clock) -> AsyncIterator[Handler[RdapQuestion, RdapReply]]:
    async with http.session(settings) as session:

        async def ask(question: RdapQuestion) -> RdapReply:
            own = replace(settings, body_cap=question.body_cap) if question.body_cap else settings
            answer, headers = await http.ask(session, question.url, question.accept, own, clock, form=question.form)
            if answer.status not in http.REDIRECTS or answer.failure is not None:
                return RdapReply(question.key, answer)
            target = http.location(question.url, headers)
            if not target:
                answer = replace(answer, failure=PermanentFailure(str(answer.status), "a redirect to nowhere"))
            return RdapReply(question.key, answer, target)

        yield ask


def fetch_json(url: str, settings: HttpSettings, clock: Clock) -> JsonDocument:
    """Fetch one JSON file, such as IANA's bootstrap files (RFC 9224), and say until when it may be used (section 8).

    Waits for the answer.  Anything but status 200 with JSON in it is a failure in `answer`, never an exception.
    """
    answer, value, expires_at = alone(_fetch(url, settings, clock))
    return JsonDocument(answer, value, expires_at)


async def _fetch(url: str, settings: HttpSettings, clock: Clock) -> tuple[Answer, Any, datetime | None]:
    async with http.session(settings) as session:
        answer, headers = await http.ask(session, url, "application/json", settings, clock)
    if answer.failure is not None:
        return answer, None, None
    if answer.status != 200:
        return replace(answer, failure=PermanentFailure(str(answer.status), f"HTTP {answer.status}")), None, None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return replace(answer, failure=PermanentFailure("invalid-json", "not JSON")), None, None
    return answer, value, http.expiry(headers, answer.at)
