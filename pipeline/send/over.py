"""The several relays of a run: which of them rest, which letters go over which, and what a reply says of one.

Reads and writes, within the caller's transaction: the rests of relays.  Safe to repeat: a letter goes over the relay that
it was given with its claim, or, once that is over, over any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.domain import Send, Stop
from pipeline.send.relays import Rest, Spread, key
from pipeline.send.replies import Judgement, Kind, Scope
from pipeline.send.work import Sending
from pipeline.store import rests
from pipeline.store.db import Connection


def all_rest(spread: Spread, connection: Connection, now: datetime) -> tuple[datetime, str] | None:
    """Look which relays rest, whoever said so; returns when to go on, and the row that says so, if all do."""
    found = rests.known(connection, [key(relay.name) for relay in spread.relays])
    spread.rests = {each.name: Rest(*found[key(each.name)]) for each in spread.relays if key(each.name) in found}
    wakes = spread.wakes(now)
    return None if wakes is None else (wakes[0], key(wakes[1]))


def routed(run: Sending, letters: Sequence[Send], over: Mapping[int, str], now: datetime) -> tuple[Send, ...]:
    """Return letters with their relays.  Those keep paces of their own: none is said before its slot."""
    made = []
    for letter in letters:
        under_way = run.under_way[letter.letter_id]
        under_way.relay = over[letter.letter_id]
        delay = max((under_way.slot - now).total_seconds(), 0.0)
        made.append(replace(letter, relay=under_way.relay, delay=delay))
    return tuple(made)


def hear(spread: Spread, connection: Connection, relay: str, judgement: Judgement, now: datetime) -> None:
    """Leave a relay alone once it has refused us, or could not be used, several times in a row."""
    spread.heard[relay] = now
    if judgement.kind is Kind.RELEASED and judgement.scope is Scope.LETTER:
        return  # we stopped it ourselves
    if judgement.kind is Kind.UNCERTAIN or judgement.scope in (Scope.RELAY, Scope.US):
        rest = spread.refused(relay, now)
        if rest is not None and rest.until is not None:
            rests.rest(connection, key(relay), rest.times, rest.until)
            spread.left.add(relay)
    elif spread.worked(relay):
        rests.end(connection, key(relay), now)


def stops(run: Sending) -> list[Stop]:
    """Return the word for letters on their way over relays that rest from now on: too late where the dot is committed."""
    if run.spread is None or not run.spread.left:
        return []
    left, run.spread.left = run.spread.left, set()
    return [Stop(letter_id) for letter_id, letter in run.under_way.items() if letter.relay in left]
