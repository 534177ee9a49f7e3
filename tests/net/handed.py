"""Handing letters to a relay as the send stage does: each Ready is answered, and every letter has its result."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pipeline.domain import Go, Ready, Result, Send
from pipeline.net.edge import Edge
from pipeline.net.smtp import Answer, Message, RelaySettings, edge
from pipeline.sandbox.mail_server import MailServer

HEAD = b"From: a@agency.example\r\n\r\n"
TEXT = b"From: a@agency.example\r\nMessage-ID: <%d@agency.example>\r\n\r\nHello\r\n"
TO = "abuse@isp.example"

Sink = Callable[..., MailServer]
Decide = Callable[[Ready], Message]


def settings_for(server: MailServer, **changes: Any) -> RelaySettings:
    settings = RelaySettings(
        server.host, server.port, ehlo_name="out.agency.example", timeout=20.0, dot_timeout=20.0, backoff=0.01
    )
    return replace(settings, **changes)


def letter(number: int = 1, recipient: str = TO, data: bytes | None = None, **more: Any) -> Send:
    data = TEXT % number if data is None else data
    return Send(number, 1000 + number, f"v{number}@agency.example", recipient, data, **more)


def go(ready: Ready) -> Message:
    return Go(ready.letter_id)


def hand_over(settings: RelaySettings, *letters: Send, decide: Decide = go) -> list[Result]:
    """Send the letters, answer each Ready, and return the results in the order they came."""
    with edge(settings) as wire:
        wire.tell_all(letters)
        return collect(wire, len(letters), decide)


def collect(wire: Edge[Message, Answer], wanted: int, decide: Decide = go) -> list[Result]:
    results: list[Result] = []
    for _ in range(2000):
        answers = wire.take(0.05)
        wire.tell_all([decide(answer) for answer in answers if isinstance(answer, Ready)])
        results += [answer for answer in answers if isinstance(answer, Result)]
        if len(results) >= wanted:
            return results
    raise AssertionError(f"{len(results)} results of {wanted}")
