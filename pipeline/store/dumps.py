"""Dumps of registries: what they have registered, packed so that one query shows a whole block of addresses.

Reads and writes: dumps, dump_blocks, dump_objects, events.  A dump is unique by registry and SHA-256 and counts once it is
complete; of one registry and class of objects the newest counts, and what it replaced goes afterwards.  Safe to repeat:
rows are written under the worker's lease, and those of a dump that nobody finished are taken away.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Address, NotFound
from pipeline.store import bulk, events, workers
from pipeline.store.any_of import any_of
from pipeline.store.db import chunks
from pipeline.store.lives import Lease, LeaseLost
from pipeline.store.tables import dump_blocks, dump_objects, dumps

SLICE = 2_000  # packed blocks or objects taken away in one transaction

Row = tuple[Address, int, bytes]  # block, part, body


@dataclass(frozen=True, slots=True)
class Dump:
    """One file of a registry.  `classes`: what it holds; empty until it is complete."""

    id: int
    registry: str
    name: str
    sha256: bytes
    classes: frozenset[str]
    kept: int
    skipped: int
    complete_at: datetime | None
    retired_at: datetime | None


def _dump(row: Mapping[str, object]) -> Dump:
    named = {name: row[name] for name in Dump.__slots__}
    named["classes"] = frozenset(str(row["classes"]).split(",")) - {""}
    return Dump(**named)  # type: ignore[arg-type]


def holdings(connection: Connection) -> bool:
    """True if any dump is complete and has not been replaced."""
    return bool(connection.execute(select(exists().where(_COUNTS))).scalar_one())


_COUNTS = and_(dumps.c.complete_at.is_not(None), dumps.c.retired_at.is_(None))


def dump(connection: Connection, dump_id: int) -> Dump:
    """Return a dump.  Raises NotFound."""
    row = connection.execute(select(dumps).where(dumps.c.id == dump_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no dump {dump_id}", "", "")
    return _dump(dict(row))


def every(connection: Connection) -> list[Dump]:
    """Return all dumps that are complete and have not been replaced, by registry and name."""
    found = connection.execute(select(dumps).where(_COUNTS).order_by(dumps.c.registry, dumps.c.name, dumps.c.id))
    return [_dump(dict(row)) for row in found.mappings()]


def current(connection: Connection, oldest: datetime) -> dict[tuple[str, str], Dump]:
    """Return the dump that counts for each (registry, class of objects); none that was complete before `oldest`."""
    found: dict[tuple[str, str], Dump] = {}
    counting = [(one.complete_at, one.id, one) for one in every(connection) if one.complete_at is not None]
    for _, _, one in sorted(counting, key=itemgetter(0, 1)):
        found |= dict.fromkeys(((one.registry, name) for name in one.classes), one)
    return {key: one for key, one in found.items() if one.complete_at is not None and one.complete_at >= oldest}


def bodies(
    connection: Connection, dump_ids: Collection[int], blocks: Sequence[Address]
) -> dict[tuple[int, Address], list[bytes]]:
    """Return the packed parts of blocks, in order, by dump and block."""
    found: dict[tuple[int, Address], list[bytes]] = {}
    b = dump_blocks.c
    query = select(b.dump_id, b.block, b.body).order_by(b.dump_id, b.block, b.part)
    for chunk in chunks(blocks):
        within = any_of(connection, b.dump_id, dump_ids) & any_of(connection, b.block, chunk)
        for dump_id, block, body in connection.execute(query.where(within)):
            found.setdefault((dump_id, block), []).append(body)
    return found


def objects(connection: Connection, dump_ids: Collection[int], keys: Sequence[str]) -> dict[tuple[int, str], bytes]:
    """Return the objects with these keys (class:handle, in lower case), by dump and key."""
    found: dict[tuple[int, str], bytes] = {}
    o = dump_objects.c
    for chunk in chunks(keys):
        within = any_of(connection, o.dump_id, dump_ids) & any_of(connection, o.key, chunk)
        query = select(o.dump_id, o.key, o.body).where(within)
        found.update(((dump_id, key), body) for dump_id, key, body in connection.execute(query))
    return found


# --- reading one in --------------------------------------------------------------------------------------------------


def find_or_add(connection: Connection, registry: str, sha256: bytes, name: str, size: int, now: datetime) -> int:
    """Return the id of the dump of these bytes from this registry, added if they are new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(dumps).values(registry=registry, sha256=sha256, name=name, bytes=size, began_at=now)
    added = connection.execute(row.on_conflict_do_nothing().returning(dumps.c.id)).scalar()
    if added is not None:
        return int(added)
    there = (dumps.c.registry == registry) & (dumps.c.sha256 == sha256)
    return int(connection.execute(select(dumps.c.id).where(there)).scalar_one())


def take(connection: Connection, dump_id: int, worker_id: int, now: datetime) -> Lease | None:
    """Take the lease on a dump that is not complete, or return None if a living worker has it or it is complete."""
    due = (dumps.c.id == dump_id) & dumps.c.complete_at.is_(None)
    lease = workers.claim(connection, dumps, due, worker_id, now, 1, dumps.c.id)
    return lease if lease.claims else None


def give_back(connection: Connection, lease: Lease) -> None:
    """End a lease on a dump, unless another worker has taken it since."""
    workers.release(connection, dumps, lease)


def add(connection: Connection, lease: Lease, packed: Iterable[Row], kept: Iterable[tuple[str, bytes]]) -> None:
    """Add packed blocks and objects to the leased dump.  Raises LeaseLost; then nothing is stored."""
    dump_id = _change(connection, lease, worker_id=lease.worker_id)
    blocks = ((dump_id, *row) for row in packed)
    bulk.insert_rows(connection, dump_blocks, ("dump_id", "block", "part", "body"), blocks)
    bulk.insert_rows(connection, dump_objects, ("dump_id", "key", "body"), ((dump_id, *row) for row in kept))


def complete(
    connection: Connection, lease: Lease, classes: Collection[str], kept: int, skipped: int, now: datetime, by: str
) -> list[int]:
    """Let the leased dump count from now on, and return the older ones that it replaces.  Raises LeaseLost."""
    words = ",".join(sorted(classes))
    dump_id = _change(connection, lease, classes=words, kept=kept, skipped=skipped, complete_at=now)
    registry = dump(connection, dump_id).registry
    others = [one for one in every(connection) if one.registry == registry]
    counting = set(current(connection, datetime.min.replace(tzinfo=now.tzinfo)).values())
    replaced = [one.id for one in others if one not in counting]
    connection.execute(update(dumps).where(dumps.c.id.in_(replaced)).values(retired_at=now))
    data = {"registry": registry, "classes": words, "kept": kept, "skipped": skipped}
    entries = [events.Entry("dump.imported", "dump", dump_id, data=data)]
    entries += [events.Entry("dump.replaced", "dump", old, data={"dump": dump_id}) for old in replaced]
    events.write(connection, entries, now, by)
    return replaced


def _change(connection: Connection, lease: Lease, **values: object) -> int:
    """Change the row of the leased dump and return its id.  Raises LeaseLost."""
    [(dump_id, claim)] = lease.claims.items()
    mine = and_(dumps.c.id == dump_id, dumps.c.worker_id == lease.worker_id, dumps.c.claim == claim)
    standing = mine & dumps.c.complete_at.is_(None)
    if connection.execute(update(dumps).where(standing).values(**values)).rowcount != 1:
        raise LeaseLost(f"dump {dump_id} has been taken by another worker")
    return dump_id


# --- taking away what no longer counts -------------------------------------------------------------------------------


def leavings(connection: Connection, now: datetime) -> list[int]:
    """Return the dumps whose rows are to go: those that were replaced, and those that nobody is reading to the end."""
    has_rows = or_(
        exists().where(dump_blocks.c.dump_id == dumps.c.id), exists().where(dump_objects.c.dump_id == dumps.c.id)
    )
    abandoned = dumps.c.complete_at.is_(None) & workers.free(dumps, now)
    query = select(dumps.c.id).where(or_(dumps.c.retired_at.is_not(None) & has_rows, abandoned))
    return list(connection.execute(query.order_by(dumps.c.id)).scalars())


def clear(connection: Connection, dump_id: int, most: int = SLICE) -> bool:
    """Take up to `most` blocks and objects of a dump away; True while some are left.  The dump itself must not count."""
    if connection.execute(select(dumps.c.id).where(dumps.c.id == dump_id, _COUNTS)).scalar() is not None:
        raise ValueError(f"dump {dump_id} is in use")
    taken = 0
    for table, key in ((dump_blocks, dump_blocks.c.block), (dump_objects, dump_objects.c.key)):
        mine: ColumnElement[bool] = table.c.dump_id == dump_id
        last = select(key).where(mine).order_by(key).offset(most).limit(1)
        border = connection.execute(last).scalar()
        gone = mine if border is None else mine & (key <= border)
        taken += connection.execute(delete(table).where(gone)).rowcount
    return taken > 0


def forget(connection: Connection, dump_id: int) -> None:
    """Take away the row of a dump that was never complete, once its rows are gone; one that was stays as a record."""
    connection.execute(delete(dumps).where(dumps.c.id == dump_id, dumps.c.complete_at.is_(None)))
