"""A connection is written once, whatever the number of letters; what was replied is stored bounded, and read as it was."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from pipeline.domain import Connected, Said
from pipeline.store import connections as store
from pipeline.store.db import Database, rows
from pipeline.store.tables import connections

KNOWN = {"greeting": "relay.example ESMTP", "extensions": "PIPELINING, SIZE 1000", "tls": "TLSv1.3"}


def test_a_connection_is_written_once_with_all_that_is_known_of_it(db: Database, now: datetime) -> None:
    full = Connected("out", now, "192.0.2.25", **KNOWN, cipher="TLS_AES_256_GCM_SHA384", certificate="ab" * 32)
    bare = Connected("out", now + timedelta(seconds=1))
    known: dict[Connected, int] = {}
    with db.write() as connection:
        store.write(connection, [full, None, full], known)
        store.write(connection, [bare, full], known)
    with db.read() as connection:
        found = {row.pop("id"): row for row in rows(connection, select(connections))}
    assert found[known[full]] == {
        "relay": "out",
        "address": "192.0.2.25",
        **KNOWN,
        "cipher": "TLS_AES_256_GCM_SHA384",
        "certificate_sha256": "ab" * 32,
        "opened_at": now,
    }
    assert (found[known[bare]]["address"], found[known[bare]]["opened_at"]) == ("", now + timedelta(seconds=1))
    assert len(found) == 2


def test_what_a_run_remembers_of_its_connections_is_bounded(db: Database, now: datetime) -> None:
    known: dict[Connected, int] = {}
    with db.write() as connection:
        for second in range(0, 1200, 100):
            used = [Connected("out", now + timedelta(seconds=second + n)) for n in range(100)]
            store.write(connection, used, known)
            assert all(each in known for each in used)
    assert len(known) <= store.MOST_KNOWN + 100


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ((), ""),
        ((Said("mail", 0, 250, "2.1.0", "Ok"),), '[["mail",0,250,"2.1.0","Ok"]]'),
        ((Said("dot", 600_000, 0, "", 'déjà "vu"'),), '[["dot",600000,0,"","déjà \\"vu\\""]]'),
    ],
)
def test_what_was_replied_is_stored_as_a_list_of_lists(said: tuple[Said, ...], text: str) -> None:
    assert store.said_text(said) == text
    assert store.said_of(text) == list(said)


def test_what_was_replied_is_bounded_and_the_last_reply_is_kept() -> None:
    said = [Said("taken back", n, 0, "", "x" * 500) for n in range(100)] + [Said("dot", 1, 250, "2.0.0", "y" * 500)]
    text = store.said_text(said)
    assert len(text) < 4000
    assert store.said_of(text)[-1] == Said("dot", 1, 250, "2.0.0", "y" * 200)
