"""Seal the event log: events that no seal covers yet go into Merkle trees whose roots are chained.

Reads: events, in a transaction of its own.  Writes: a row of seals for each tree, in another, so that no writer waits while
hashes are made.  Safe to repeat, to kill anywhere, and by two at once: a seal is one row, and the database takes each
number once.  The clock may go backwards: the number gives the order.  Standards: RFC 6962 2.1.
"""

from pipeline.audit import chain, merkle
from pipeline.domain import Clock
from pipeline.store import seals as store
from pipeline.store.db import Database

MOST = 10_000  # events in one seal


def seal(db: Database, clock: Clock, most: int | None = None) -> int:
    """Seal what may be sealed now, in at most `most` seals (None: as many as it takes); returns how many events.

    Events of another process's seals are not counted.  Raises IntegrityFailure if the log cannot be sealed on this server.
    """
    sealed = tried = 0
    while most is None or tried < most:
        new = _next(db, clock)
        if new is None:
            break
        with db.write() as connection:
            sealed += new.count if store.add(connection, new) else 0
        tried += 1
    return sealed


def _next(db: Database, clock: Clock) -> store.Seal | None:
    """Return the seal over the oldest unsealed events, None if there are none."""
    with db.read() as connection:
        last = store.newest(connection)
        leaves = store.unsealed(connection, last, MOST)
    if not leaves:
        return None
    number, previous = (1, chain.FIRST) if last is None else (last.number + 1, last.head)
    at, count, end = clock(), len(leaves), leaves[-1]
    root = merkle.root([leaf.hash for leaf in leaves])
    return store.Seal(number, at, count, end.tx, end.id, root, previous, chain.head(number, at, count, previous, root))
