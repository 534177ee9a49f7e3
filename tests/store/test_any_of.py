"""One condition for many values means the same on both databases, whatever their type."""

from collections.abc import Collection
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Column, select

from pipeline.store import tables as t
from pipeline.store.any_of import any_of
from pipeline.store.db import Database
from tests import cases as seed
from tests.seed import add


def test_rows_with_one_of_the_values_are_found_and_no_others(db: Database, now: datetime) -> None:
    campaign = seed.campaign(db, now)
    four, six, mapped = (ip_address(text) for text in ("192.0.2.1", "2001:db8::1", "198.51.100.1"))
    seed.cases(db, now, campaign, [four, six, mapped])
    with db.write() as connection:
        for number in (1, 2, 3):
            values = {"mailbox": f"m{number}@one.example", "spelling": "", "state": "live", "created_at": now}
            add(connection, t.contacts, **values)
            raw = {"sha256": bytes([number]) * 32, "status": 200, "body": b"", "at": now}
            add(connection, t.raw_answers, **raw)

    def found(column: Column[Any], values: Collection[Any]) -> list[int]:
        key = column.table.c.id
        with db.read() as connection:
            query = select(key).where(any_of(connection, column, values)).order_by(key)
            return list(connection.execute(query).scalars())

    assert found(t.cases.c.id, [1, 3, 99]) == [1, 3]
    assert found(t.targets.c.address, {four, six}) == [1, 2]  # both families at once
    assert found(t.contacts.c.mailbox, ["m2@one.example", "m'@one.example"]) == [2]
    assert found(t.raw_answers.c.sha256, [b"\x01" * 32, b"\x03" * 32]) == [1, 3]
    assert found(t.cases.c.id, []) == found(t.targets.c.address, []) == []
