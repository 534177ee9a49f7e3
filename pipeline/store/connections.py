"""Connections to relays, each written once, with the first letter's reply that came over it; and what relays replied.

Writes, in the caller's transaction: connections.  Safe to repeat: a connection that is not known any more is written anew.
"""

import json
from collections.abc import Iterable, Sequence

from pipeline.domain import Connected, Said
from pipeline.store import many
from pipeline.store.db import Connection
from pipeline.store.tables import connections

MOST_KNOWN = 500  # connections of a run that are remembered; far more than can be open
MOST_SAID = 12  # replies kept of an attempt, the last ones; a letter has four
LONGEST_SAID = 200  # characters kept of each

_NAMES = "relay", "address", "greeting", "extensions", "tls", "cipher", "certificate_sha256", "opened_at"
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write(connection: Connection, used: Iterable[Connected | None], known: dict[Connected, int]) -> None:
    """Write those connections that are not `known` yet, {connection: id}, and add them to it."""
    while len(known) > MOST_KNOWN:
        del known[next(iter(known))]
    new = [each for each in dict.fromkeys(used) if each is not None and each not in known]
    if not new:
        return
    ids = many.add_with_ids(connection, connections, _NAMES, [_row(each) for each in new])
    for each, number in zip(new, ids, strict=True):
        known[each] = number


def _row(each: Connected) -> tuple[object, ...]:
    words = each.relay, each.address, each.greeting, each.extensions, each.tls, each.cipher, each.certificate
    return (*words, each.at)


def said_text(said: Sequence[Said]) -> str:
    """Return what a relay said of a letter as it is stored; empty if that is nothing."""
    if not said:
        return ""
    return _encoded([one if len(one.text) <= LONGEST_SAID else _cut(one) for one in said[-MOST_SAID:]])


def _cut(one: Said) -> Said:
    return one._replace(text=one.text[:LONGEST_SAID])


def said_of(text: str) -> list[Said]:
    """Return what a relay said of a letter, as it was stored."""
    return [Said(*one) for one in json.loads(text)] if text else []
