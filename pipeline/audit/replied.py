"""What is on record of the dialogue of one attempt: the connection, how it was encrypted, and what the relay replied when.

Pure.  An attempt of an older release, or of a transport without a dialogue, has none of this.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.audit.record import Record
from pipeline.audit.say import Exact, Say, say
from pipeline.domain import Said

Row = Mapping[str, Any]

SHOWN = {"dot": '"."', "connect": "connect", "tls": "STARTTLS"}  # commands of ours as they stand on the wire


def over_lines(record: Record, attempt: Row) -> Iterator[Say | Exact]:
    """Yield over which relay an attempt went, and how the connection was encrypted."""
    relay = attempt["relay"] or say("not on record")
    made = connection_of(record, attempt)
    if made is None or not made["cipher"]:
        yield say(
            "relay: {relay}; TLS: {tls}", relay=relay, tls=attempt["tls"] or say("without encryption, or not on record")
        )
        return
    where = {"relay": relay, "address": made["address"]}
    yield say("relay: {relay} at {address}; TLS: {tls}, {cipher}", tls=made["tls"], cipher=made["cipher"], **where)
    yield say("SHA-256 of the relay's certificate: {sha256}", sha256=made["certificate_sha256"])


def replied_lines(attempt: Row) -> Iterator[Say | Exact]:
    """Yield every reply of an attempt, with its time."""
    for one in said_of(attempt):
        words = Exact(" ".join(str(part) for part in (one.code or "", one.enhanced, one.text) if part))
        given = {"milliseconds": one.milliseconds, "words": words}
        if one.command == "taken back":
            yield say("taken back after {milliseconds} ms, before the relay came to it: {words}", **given)
            continue
        command = SHOWN.get(one.command, one.command.upper())
        if one.code:
            yield say("{command}, after {milliseconds} ms: {words}", command=command, **given)
        else:
            yield say("{command}, after {milliseconds} ms, no reply: {words}", command=command, **given)


def connection_of(record: Record, attempt: Row) -> Row | None:
    return next((row for row in record.connections if row["id"] == attempt["connection_id"]), None)


def said_of(attempt: Row) -> list[Said]:
    return [Said(*one) for one in json.loads(attempt["said"] or "[]")]
