"""The texts of one line to an observation, or to the reason why it is none: the part that all parsers share.

Pure: the caller gives the time of reading.  Tables that fill while a file is read are bounded.
Standards: RFC 3339 (times; one without a zone is UTC), RFC 6335 (ports).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.domain import Observation, Reject
from pipeline.ingest.addresses import address_rule
from pipeline.ingest.rejects import Reason
from pipeline.ingest.shape import FeedShape

MAX_RAW = 4_096  # bytes of a line that are kept
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)  # clocks differ; more is a mistake
MAX_KNOWN = 4_096  # times, and ports, that are kept parsed
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?))? ?"
    r"(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?"
)
EPOCH = re.compile(r"[0-9]{9,10}")
HIGHEST_PORT = 65_535

# line, raw, then texts: address, port, transport, time; the claim or why there is none; the text of the confidence
RowRule = Callable[[int, bytes, str, str, str, str, str | Reason, str], Observation | Reject]


def row_rule(shape: FeedShape) -> RowRule:
    """Return the function that makes an Observation, or a Reject with the first reason found, of one line's texts.

    An empty text takes the feed's default; a text that is there and wrong never does.
    """
    address_of = address_rule(shape.allow_documentation)
    time_of = time_rule(shape.now, shape.default_observed_at)
    meant = {
        claim: (
            shape.default_service if shape.default_service and kind.service == "any" else kind.service,
            kind.transport,
        )
        for claim, kind in shape.kinds.items()
    }
    ports: dict[str, int] = {"": 0}
    default_port, default_confidence = shape.default_port, shape.default_confidence

    def rule(
        line: int, raw: bytes, address: str, port: str, transport: str, time: str, claim: str | Reason, confidence: str
    ) -> Observation | Reject:
        if len(raw) > MAX_RAW:
            raw = raw[:MAX_RAW]
        place = address_of(address.strip())
        if isinstance(place, Reason):
            return Reject(line, place, raw)
        if isinstance(claim, Reason):
            return Reject(line, claim, raw)
        number = ports.get(port)
        if number is None:
            number = whole_number(port, HIGHEST_PORT)
            if number is None:
                return Reject(line, Reason.PORT_BAD, raw)
            if len(ports) <= MAX_KNOWN:
                ports[port] = number
        service, usual_transport = meant[claim]
        if transport and (transport := transport.strip().lower()) not in ("tcp", "udp", ""):
            return Reject(line, Reason.TRANSPORT_BAD, raw)
        moment = time_of(time)
        if isinstance(moment, Reason):
            return Reject(line, moment, raw)
        trust = whole_number(confidence, 100) if confidence.strip() else default_confidence
        if trust is None:
            return Reject(line, Reason.CONFIDENCE_BAD, raw)
        return Observation(
            line, place, number or default_port, transport or usual_transport, service, claim, moment, trust, raw
        )

    return rule


def whole_number(text: str, highest: int) -> int | None:
    """Return the number from 0 to `highest` that `text` writes in ASCII digits without leading zeros, else None."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or (text[0] == "0" and text != "0"):
        return None
    return number if (number := int(text)) <= highest else None


def time_rule(now: datetime, default: datetime | None) -> Callable[[str], datetime | Reason]:
    """Return a function from text to a UTC time between 2000 and ten minutes after `now`, or to the reason why not."""
    latest = now + AHEAD
    known: dict[str, datetime | Reason] = {"": default or Reason.TIME_MISSING}

    def rule(text: str) -> datetime | Reason:
        found = known.get(text)
        if found is None:
            if len(known) > MAX_KNOWN:
                known.clear()
                known[""] = default or Reason.TIME_MISSING
            found = known[text] = _bounded(_time(text), latest) if text.strip() else known[""]
        return found

    return rule


def _bounded(moment: datetime | None, latest: datetime) -> datetime | Reason:
    if moment is None:
        return Reason.TIME_BAD
    if moment > latest:
        return Reason.TIME_FUTURE
    return Reason.TIME_TOO_OLD if moment < EARLIEST else moment


def _time(text: str) -> datetime | None:
    text = text.strip()
    if EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    match = TIME.fullmatch(text)
    if match is None:
        return None
    zone = "+00:00" if match[3] in (None, "Z", "UTC", "GMT") else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
