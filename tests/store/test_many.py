"""Rows go in, change and are found by one statement each, and mean the same on both databases."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from pipeline.store import many
from pipeline.store.db import Database, rows
from pipeline.store.tables import budgets, events, texts, workers

NAMES = ("host", "pid", "planner", "started_at", "heartbeat_at")


def add(db: Database, now: datetime, *hosts: str) -> list[int]:
    with db.write() as connection:
        return many.add_with_ids(connection, workers, NAMES, [(host, n, 0, now, now) for n, host in enumerate(hosts)])


def hosts(db: Database) -> list[tuple[int, str, object, object]]:
    with db.read() as connection:
        columns = (workers.c.id, workers.c.host, workers.c.started_at, workers.c.ended_at)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(workers.c.id))]


def test_ids_come_in_the_order_of_the_rows_and_follow_those_that_are_there(db: Database, now: datetime) -> None:
    first = add(db, now, "c", "a", "b")
    second = add(db, now, "e", "d")
    found = hosts(db)
    assert [row[0] for row in found] == first + second == sorted(first + second)
    assert [row[1] for row in found] == ["c", "a", "b", "e", "d"]
    assert found[0][2] == now


def test_a_row_added_in_another_way_gets_an_id_of_its_own(db: Database, now: datetime) -> None:
    [one] = add(db, now, "a")
    values = {"host": "b", "pid": 1, "planner": 0, "started_at": now, "heartbeat_at": now}
    with db.write() as connection:
        two = connection.execute(insert(workers).values(**values).returning(workers.c.id)).scalar_one()
    [three] = add(db, now, "c")
    assert one < two < three


def test_each_row_is_changed_by_its_own_values_and_no_other_row(db: Database, now: datetime) -> None:
    one, two, three = add(db, now, "a", "b", "c")
    later = now + timedelta(hours=1)
    with db.write() as connection:
        many.change(connection, workers, ("host", "ended_at"), [("A", later, one), ("", None, three)])
    assert [row[1:] for row in hosts(db)] == [("A", now, later), ("b", now, None), ("", now, None)]
    assert two == hosts(db)[1][0]


def test_a_row_that_is_there_is_left_as_it_is_where_that_is_asked(db: Database, now: datetime) -> None:
    with db.write() as connection:
        assert many.add(connection, budgets, ("key", "used"), [("a", 1)]) == 1
        assert many.add(connection, budgets, ("key", "used"), [("a", 2), ("b", 3)], unless_there=True) == 1
        assert many.add(connection, budgets, ("key",), [("c",), ("d",)], unless_there=True) == 2
        many.change(connection, budgets, ("used",), [(4, "b"), (5, "c")], key="key")
        found = dict(connection.execute(select(budgets.c.key, budgets.c.used)).all())
        assert found == {"a": 1, "b": 4, "c": 5, "d": 0}


def test_no_rows_are_no_statement(db: Database) -> None:
    with db.write() as connection:
        assert many.add_with_ids(connection, workers, (), []) == []
        many.add(connection, workers, NAMES, [])
        many.change(connection, workers, NAMES, [])
    assert hosts(db) == []


def test_a_time_without_a_zone_is_refused(db: Database, now: datetime) -> None:
    with pytest.raises(ValueError, match="zone"):
        add(db, now.replace(tzinfo=None), "a")


@pytest.mark.parametrize("value", ["", "it's", 'a "b"', "{1,2}", "NULL", "back\\slash", "é\u2028\U0001f4a9", "a,b"])
def test_texts_and_bytes_arrive_as_they_are(db: Database, now: datetime, value: str) -> None:
    data = (bytes(range(256)) + value.encode())[-32:]
    with db.write() as connection:
        many.add(
            connection, texts, ("sha256", "kind", "value", "at"), [(data, "a", value, now), (bytes(32), "b", None, now)]
        )
        found = {row["kind"]: row for row in rows(connection, select(texts))}
    assert (bytes(found["a"]["sha256"]), found["a"]["value"]) == (data, value)
    assert (bytes(found["b"]["sha256"]), found["b"]["value"], found["b"]["salt"]) == (bytes(32), None, None)


def test_a_column_of_nothing_but_nulls_is_taken(db: Database, now: datetime) -> None:
    row = (now, "x", "case", 1, None, "tocsin", "", "{}", bytes(32))
    names = ("at", "what", "subject", "subject_id", "campaign_id", "by", "why", "data", "leaf")
    with db.write() as connection:
        many.add(connection, events, names, [row, row])
        assert list(connection.execute(select(events.c.campaign_id)).scalars()) == [None, None]


def test_among_takes_any_number_of_ids_and_none(db: Database, now: datetime) -> None:
    ids = add(db, now, *"abc")
    query = select(workers.c.host).where(many.among(db.dialect, workers.c.id, "ids")).order_by(workers.c.id)
    with db.read() as connection:
        for wanted, there in (([], ""), ([ids[1]], "b"), ([ids[2], ids[0], ids[0]], "ac"), ([2**40, ids[0]], "a")):
            assert "".join(connection.execute(query, {"ids": wanted}).scalars()) == there


def test_rows_are_found_by_their_key_and_not_by_looking_at_all_of_them(db: Database) -> None:
    query = select(workers.c.host).where(many.among(db.dialect, workers.c.id, "ids"))
    with db.read() as connection:
        if db.dialect == "sqlite":
            asked = str(query.compile(connection)).replace("?", "'[1]'")
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).all()
            assert any("SEARCH workers USING INTEGER PRIMARY KEY" in str(row) for row in plan)
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # else the small table is read as a whole
            asked = str(query.compile(connection)).replace("%(ids)s::BIGINT[]", "'{1}'::bigint[]")
            assert "pk_workers" in str(connection.execute(text(f"EXPLAIN {asked}")).all())


def test_a_broken_rule_of_the_table_is_an_error(db: Database, now: datetime) -> None:
    with pytest.raises(DBAPIError), db.write() as connection:
        many.add(connection, workers, ("id", *NAMES), [(1, "a", 1, 0, now, now), (1, "b", 1, 0, now, now)])
    assert hosts(db) == []
