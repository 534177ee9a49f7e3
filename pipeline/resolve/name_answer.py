"""The names under which the DNS is asked about an address, and the texts in what it said.

Reads: the canonical JSON in which an answer of the DNS is kept (domain.NameReply).  Writes: nothing; the same bytes give
the same texts.  Whatever else the bytes are, they hold no text.  Standards: RFC 1035 section 3.5, RFC 3596 section 2.5
(an address's octets or nibbles, the last one first).
"""

import json

from pipeline.domain import Address, Answer
from pipeline.resolve.mailbox import clean

MAX_BODY = 65536  # bytes
MAX_TEXTS = 50
MAX_TEXT = 1000  # characters


def reversed_name(address: Address, zone: str) -> str:
    """Return the name of an address in a zone: 7.2.0.192.ZONE, or 32 nibbles and the zone; without a final dot."""
    labels = address.reverse_pointer.rpartition(".")[0].rpartition(".")[0]  # without in-addr.arpa or ip6.arpa
    return f"{labels}.{zone.strip('.').lower()}"


def texts(answer: Answer, member: str) -> tuple[str, ...]:
    """Return the texts of a member ("txt", "names"), each on one line; none for a failure or a body of another form."""
    is_said = answer.failure is None and answer.status == 200
    found = _document(answer.body).get(member) if is_said else None
    items = found[:MAX_TEXTS] if isinstance(found, list) else []
    return tuple(text for item in items if isinstance(item, str) and (text := clean(item, MAX_TEXT)))


def word(body: bytes, member: str) -> str:
    """Return the one text of a member ("route") of an answer's body, or "" where there is none."""
    found = _document(body).get(member)
    return clean(found, MAX_TEXT) if isinstance(found, str) else ""


def _document(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
