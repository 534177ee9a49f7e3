"""Addresses and times mean the same, and sort the same, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import StatementError

from pipeline.store.db import Database
from pipeline.store.tables import exclusions, workers
from pipeline.store.types import address_bytes, address_of, microseconds

IN_ORDER = [
    ip_address(text)
    for text in (
        "9.255.255.255",
        "10.0.0.0",
        "99.0.0.1",
        "192.0.2.9",
        "192.0.2.10",
        "198.51.100.255",
        "203.0.113.0",
        "2001:db8::",
        "2001:db8::9",
        "2001:db8::10",
        "2001:db8:1::",
        "fe80::1",
    )
]


def test_addresses_sort_in_the_order_of_addresses(db: Database, now: datetime) -> None:
    mixed = [{"first_address": a, "last_address": a, "reason": "", "by": "", "at": now} for a in IN_ORDER[::-1]]
    query = select(exclusions.c.first_address).order_by(exclusions.c.first_address)
    with db.write() as connection:
        connection.execute(insert(exclusions), mixed)
        assert connection.execute(query).scalars().all() == IN_ORDER
        inside = query.where(exclusions.c.first_address.between(IN_ORDER[3], IN_ORDER[8]))
        assert connection.execute(inside).scalars().all() == IN_ORDER[3:9]


@pytest.mark.parametrize("address", IN_ORDER)
def test_an_address_is_sixteen_bytes_and_back(address: object) -> None:
    assert address_of(address_bytes(ip_address(str(address)))) == address
    assert len(address_bytes(ip_address(str(address)))) == 16


def test_a_time_comes_back_as_the_same_moment_in_utc(db: Database) -> None:
    summer = timezone(timedelta(hours=2))
    moments = [
        datetime(2026, 7, 1, 0, 30, 0, 1, tzinfo=summer),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
    ]
    with db.write() as connection:
        for moment in moments:
            connection.execute(insert(workers).values(host="h", pid=1, started_at=moment, heartbeat_at=moment))
        found = connection.execute(select(workers.c.started_at).order_by(workers.c.id)).scalars().all()
        late = select(workers.c.id).where(workers.c.started_at > moments[0] - timedelta(microseconds=1))
        assert connection.execute(late.order_by(workers.c.id)).scalars().all() == [1, 3]
    assert found == moments
    assert {moment.utcoffset() for moment in found} == {timedelta(0)}


def test_a_time_without_a_zone_is_refused(db: Database, now: datetime) -> None:
    naive = now.replace(tzinfo=None)
    with pytest.raises(ValueError, match="without a zone"):
        microseconds(naive)
    with pytest.raises(StatementError, match="without a zone"), db.write() as connection:
        connection.execute(insert(workers).values(host="h", pid=1, started_at=naive, heartbeat_at=now))
    with pytest.raises(StatementError, match="without a zone"), db.read() as connection:
        connection.execute(select(workers.c.id).where(workers.c.started_at < naive))
