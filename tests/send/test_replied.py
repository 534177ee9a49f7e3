"""The record of a delivery attempt: the connection over which it went, and each reply of the relay."""

from typing import Any

import pytest
from sqlalchemy import select

from pipeline.domain import Said
from pipeline.sandbox.mail_rules import REFUSE, Rule
from pipeline.store import tables as t
from pipeline.store.connections import said_of
from pipeline.store.db import Database, rows
from tests.seed import wave_of_letters


def recorded(db: Database) -> tuple[list[list[Said]], list[dict[str, Any]], list[int]]:
    """What was said in each attempt, without the times; the connections; which one each attempt names."""
    with db.read() as connection:
        tried = rows(connection, select(t.attempts).order_by(t.attempts.c.id))
        opened = rows(connection, select(t.connections).order_by(t.connections.c.id))
    said = [[one._replace(milliseconds=0) for one in said_of(row["said"])] for row in tried]
    return said, opened, [row["connection_id"] for row in tried]


def test_each_reply_is_on_record_and_one_row_for_each_connection(db: Database, post: Any) -> None:
    with post({"abuse@isp2.example": REFUSE}) as p:
        p.connections = 1
        wave_of_letters(db, p.clock(), 3)
        p.send(db)
        port, made = p.server.port, p.server.connections
    said, opened, named = recorded(db)
    taken = [("mail", 250), ("rcpt", 250), ("data", 354), ("dot", 250)]
    assert [[(one.command, one.code) for one in each] for each in said] == [taken, [*taken[:1], ("rcpt", 550)], taken]
    assert said[1][-1].enhanced == "5.1.1"
    assert made == len(opened) == 1
    assert named == [opened[0]["id"]] * 3
    assert (opened[0]["relay"], opened[0]["address"], opened[0]["tls"]) == (f"127.0.0.1:{port}", "127.0.0.1", "")
    assert "PIPELINING" in opened[0]["extensions"]
    assert opened[0]["greeting"] != ""


@pytest.mark.parametrize(
    ("at", "greeted"), [("connect", False), ("ehlo", True)], ids=["refused at once", "refused after its greeting"]
)
def test_of_a_connection_that_did_not_come_about_what_is_known_is_on_record(
    db: Database, post: Any, at: str, greeted: bool
) -> None:
    with post({"*": Rule("answer", at, "421 4.3.2 Not now")}) as p:
        wave_of_letters(db, p.clock(), 1)
        p.send(db)
    said, opened, named = recorded(db)
    assert said == [[Said(at, 0, 421, "4.3.2", "Not now")]]
    assert named == [opened[0]["id"]]
    assert (opened[0]["greeting"] != "", opened[0]["address"] != "") == (greeted, greeted)
