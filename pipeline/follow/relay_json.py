"""One delivery as a JSON object: for logs of Exim, OpenSMTPD, Haraka and others, made with jq (docs/how-to/relay-log.md).

Pure.  Unknown keys are passed over; an object without a usable time, status and name of its message says nothing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pipeline.follow.relay_line import MAX_NAME, Network, Status, Tried, clean, is_ours
from pipeline.follow.relay_time import Calendar, seconds

KEYS = ("at", "status", "message_id", "sender", "recipient", "relay", "dsn", "reply", "queue_id", "log")
STATES = {
    "queued": Status.QUEUED,
    "passed": Status.PASSED,
    "sent": Status.SENT,
    "delivered": Status.SENT,
    "deferred": Status.DEFERRED,
    "bounced": Status.BOUNCED,
    "failed": Status.BOUNCED,
    "expired": Status.EXPIRED,
}


def delivery_of(entry: Mapping[str, Any], calendar: Calendar, ours: Collection[Network]) -> Tried | None:
    """Return what an object says, or None if it says nothing that could be used."""
    told = {key: _said(entry.get(key)) for key in KEYS}
    status, at = STATES.get(told["status"].lower()), _at(entry.get("at"), calendar)
    message_id = told["message_id"].strip("<>")
    if status is None or at is None or not (message_id or told["sender"]):
        return None
    if status is Status.SENT and told["relay"] and is_ours(told["relay"], ours):
        status = Status.PASSED
    dsn = told["dsn"]
    return Tried(
        at=at,
        relay=told["log"] or "json",
        queue_id=told["queue_id"],
        agent="",
        recipients=(told["recipient"],) if told["recipient"] else (),
        host=told["relay"],
        dsn=dsn if len(dsn) <= 11 and dsn.replace(".", "").isdecimal() and dsn.count(".") == 2 else "",
        status=status,
        words=clean(entry["reply"]) if isinstance(entry.get("reply"), str) else "",
        once=at.isoformat(),
        message_id=f"<{message_id}>" if message_id else "",
        sender=told["sender"].strip("<>"),
    )


def _said(value: object) -> str:
    return clean(value, MAX_NAME) if isinstance(value, str) else ""


def _at(value: object, calendar: Calendar) -> datetime | None:
    if isinstance(value, str):
        return calendar.iso(value)
    return seconds(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
