"""Seal the event log: events that no seal covers yet go into Merkle trees whose roots are chained.

Reads: events, in a transaction of its own.  Writes: a row of seals for each tree, in another, so that no writer waits while
hashes are made.  Safe to repeat, to kill anywhere, and by two at once: a seal is one row, and the database takes each
number once.  The clock may go backwards: the number gives the order.  Standards: RFC 6962 2.1.
"""

from pipeline.audit import chain, merkle
from pipeline.domain import Clock, IntegrityFailure
from pipeline.store import seals as store
from pipeline.store.db import Database

MOST = 10_000  # events in one seal


def seal(db: Database, clock: Clock, most: int | None = None) -> int:
    """Seal what may be sealed now, in at most `most` seals (None: as many as it takes); returns how many events.

    Events of another process's seals are not counted.  Raises IntegrityFailure if the log cannot be sealed: the next seal
    does not fit into the chain, or the server's transaction numbers are behind those in the log.
    """
    sealed = tried = overtaken = 0
    while most is None or tried < most:
        new = _next(db, clock)
        if new is None:
            break
        if new.number == overtaken:
            raise IntegrityFailure(
                "The event log cannot be sealed",
                f"seal {new.number} does not fit into the chain of seals",
                "Run: tocsin audit verify",
            )
        with db.write() as connection:
            added = store.add(connection, new)
        if added:
            sealed += new.count
        else:
            overtaken = new.number  # another process has made that seal: the next one has another number
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
