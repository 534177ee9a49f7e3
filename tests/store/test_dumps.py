"""Dumps in the database: which one counts, who may write it, and how the others go."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import func, select

from pipeline.domain import Address, NotFound
from pipeline.store import dumps, workers
from pipeline.store.db import Database
from pipeline.store.lives import Lease, LeaseLost
from pipeline.store.tables import dump_blocks, dump_objects, events

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
BLOCK: Address = ip_address("192.0.0.0")
LONG_AGO = NOW - timedelta(days=900)


def worker(db: Database, now: datetime = NOW) -> int:
    with db.write() as connection:
        return workers.register(connection, "host", 1, planner=False, now=now)


def begun(db: Database, registry: str = "ripencc", sha256: bytes = b"a" * 32, now: datetime = NOW) -> Lease:
    with db.write() as connection:
        dump_id = dumps.find_or_add(connection, registry, sha256, "file.gz", 10, now)
    worker_id = worker(db, now)
    with db.write() as connection:
        lease = dumps.take(connection, dump_id, worker_id, now)
    assert lease is not None
    return lease


def added(db: Database, lease: Lease, rows: Sequence[dumps.Row] = ((BLOCK, 0, b"body"),)) -> None:
    with db.write() as connection:
        dumps.add(connection, lease, rows, [("role:ar1", b"role")])


def complete(
    db: Database, classes: str, registry: str = "ripencc", sha256: bytes = b"a" * 32, now: datetime = NOW
) -> tuple[int, list[int]]:
    lease = begun(db, registry, sha256, now)
    added(db, lease)
    with db.write() as connection:
        replaced = dumps.complete(connection, lease, classes.split(), 1, 0, now, "tocsin")
        dumps.give_back(connection, lease)
    return next(iter(lease.claims)), replaced


def counting(db: Database, oldest: datetime = LONG_AGO) -> dict[tuple[str, str], int]:
    with db.read() as connection:
        return {key: one.id for key, one in dumps.current(connection, oldest).items()}


def test_a_dump_counts_once_it_is_complete(db: Database) -> None:
    lease = begun(db)
    added(db, lease)
    with db.read() as connection:
        assert not dumps.holdings(connection)
    assert counting(db) == {}
    with db.write() as connection:
        dumps.complete(connection, lease, {"inetnum"}, 5, 1, NOW, "tocsin")
        [dump_id] = lease.claims
        assert dumps.holdings(connection)
        assert dumps.every(connection) == [dumps.dump(connection, dump_id)]
        told = connection.execute(select(events.c.what).where(events.c.subject == "dump")).scalars().all()
        assert told == ["dump.imported"]
    assert counting(db) == {("ripencc", "inetnum"): dump_id}


def test_of_a_registry_and_class_the_newest_counts_and_what_it_holds_alone_stays(db: Database) -> None:
    everything, _ = complete(db, "inetnum role", sha256=b"1" * 32)
    other, _ = complete(db, "inetnum", "apnic", b"2" * 32)
    networks, replaced = complete(db, "inetnum", sha256=b"3" * 32, now=NOW + timedelta(days=1))
    assert replaced == []  # its roles count still
    assert counting(db) == {
        ("ripencc", "inetnum"): networks,
        ("ripencc", "role"): everything,
        ("apnic", "inetnum"): other,
    }
    _, replaced = complete(db, "role", sha256=b"4" * 32, now=NOW + timedelta(days=2))
    assert replaced == [everything]
    assert counting(db, NOW + timedelta(days=2)).keys() == {("ripencc", "role")}
    with db.read() as connection:
        assert dumps.dump(connection, everything).retired_at == NOW + timedelta(days=2)
        assert dumps.leavings(connection, NOW) == [everything]


def test_the_same_bytes_of_the_same_registry_are_one_dump(db: Database) -> None:
    first, _ = complete(db, "inetnum")
    worker_id = worker(db)
    with db.write() as connection:
        assert dumps.take(connection, first, worker_id, NOW) is None  # it is complete
        assert dumps.find_or_add(connection, "ripencc", b"a" * 32, "other name", 10, NOW) == first
        assert dumps.find_or_add(connection, "apnic", b"a" * 32, "file.gz", 10, NOW) != first


def test_a_second_worker_gets_no_lease_until_the_first_is_silent_and_then_the_first_may_not_write(db: Database) -> None:
    lease = begun(db)
    [dump_id] = lease.claims
    second, later = worker(db), NOW + timedelta(seconds=31)
    with db.write() as connection:
        assert dumps.take(connection, dump_id, second, NOW) is None
        assert dumps.leavings(connection, NOW) == []
        assert dumps.take(connection, dump_id, second, later) is not None
    with pytest.raises(LeaseLost):
        added(db, lease)
    with pytest.raises(LeaseLost), db.write() as connection:
        dumps.complete(connection, lease, {"inetnum"}, 1, 0, NOW, "tocsin")
    with db.read() as connection:
        assert connection.execute(select(func.count()).select_from(dump_blocks)).scalar_one() == 0
    assert counting(db) == {}


def test_rows_of_a_dump_go_slice_by_slice_but_never_of_one_that_counts(db: Database) -> None:
    lease = begun(db)
    [dump_id] = lease.claims
    added(db, lease, [(ip_address(f"192.{n}.0.0"), part, b"x") for n in range(7) for part in (0, 1)])
    kept, _ = complete(db, "inetnum", sha256=b"b" * 32)
    turns = 0
    left = True
    while left:
        with db.write() as connection:
            left = dumps.clear(connection, dump_id, 2)
        turns += 1
    assert turns > 3
    with db.write() as connection:
        assert set(connection.execute(select(dump_blocks.c.dump_id)).scalars()) == {kept}
        assert set(connection.execute(select(dump_objects.c.dump_id)).scalars()) == {kept}
        dumps.forget(connection, dump_id)
        dumps.forget(connection, kept)  # it was complete: it stays as a record
        with pytest.raises(NotFound):
            dumps.dump(connection, dump_id)
        with pytest.raises(ValueError, match="in use"):
            dumps.clear(connection, kept)


def test_blocks_and_objects_come_back_as_they_were_stored(db: Database) -> None:
    lease = begun(db)
    [dump_id] = lease.claims
    v6 = ip_address("2001:db8::")
    added(db, lease, [(BLOCK, 1, b"second"), (BLOCK, 0, b"first"), (v6, 0, b"six")])
    with db.read() as connection:
        assert dumps.bodies(connection, [dump_id], [BLOCK, v6, ip_address("198.51.0.0")]) == {
            (dump_id, BLOCK): [b"first", b"second"],
            (dump_id, v6): [b"six"],
        }
        assert dumps.objects(connection, [dump_id], ["role:ar1", "role:other"]) == {(dump_id, "role:ar1"): b"role"}
        assert dumps.objects(connection, [dump_id + 1], ["role:ar1"]) == {}
