"""Feeds written in the test, read by a parser as the stage reads a file."""

from datetime import UTC, datetime
from typing import Any

from pipeline.domain import Observation, Reject
from pipeline.ingest.lines import Line
from pipeline.ingest.parsers import PARSERS
from pipeline.ingest.shape import FeedShape

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def numbered(text: bytes) -> list[Line]:
    return [(number, raw, 0) for number, raw in enumerate(text.split(b"\n"), 1)]


def read(parser: str, text: str | bytes, **fields: Any) -> list[Observation | Reject]:
    """Return what `parser` makes of `text` (a str is UTF-8); `fields` are those of FeedShape."""
    raw = text.encode() if isinstance(text, str) else text
    settings: dict[str, Any] = {"now": NOW, "default_observed_at": NOW, "allow_documentation": True} | fields
    return list(PARSERS[parser](numbered(raw), FeedShape(**settings)))
