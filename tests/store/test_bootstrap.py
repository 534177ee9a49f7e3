"""IANA's lists of registries are kept until they expire, and can be had after that too."""

from datetime import datetime, timedelta

import pytest

from pipeline.store import bootstrap
from pipeline.store.db import Database

URL = "https://iana.example/rdap/ipv4.json"
BODY = b'{"services": [[["192.0.2.0/24"], ["https://rdap.one.example/"]]]}'
HOUR = timedelta(hours=1)


def test_a_list_is_kept_until_it_expires(db: Database, now: datetime) -> None:
    with db.write() as connection:
        bootstrap.keep(connection, URL, BODY, now, now + 2 * HOUR)
        kept = bootstrap.kept(connection, URL, now + HOUR)
        assert kept is not None
        assert kept["services"][0][0] == ["192.0.2.0/24"]
        assert bootstrap.kept(connection, URL, now + 2 * HOUR) is None
        assert bootstrap.kept(connection, URL + "?", now) is None


def test_an_expired_list_can_still_be_had(db: Database, now: datetime) -> None:
    with db.write() as connection:
        bootstrap.keep(connection, URL, BODY, now, now + HOUR)
        old = bootstrap.last(connection, URL)
        assert old is not None
        assert (old.value is not None, old.fetched_at, old.expires_at) == (True, now, now + HOUR)
        assert bootstrap.last(connection, "https://iana.example/") is None


@pytest.mark.parametrize(
    ("said", "kept_for"),
    [
        (None, 24 * HOUR),
        (timedelta(seconds=5), HOUR),
        (-HOUR, HOUR),
        (7 * HOUR, 7 * HOUR),
        (timedelta(days=400), timedelta(days=30)),
    ],
)
def test_a_list_serves_an_hour_at_least_and_thirty_days_at_most(
    db: Database, now: datetime, said: timedelta | None, kept_for: timedelta
) -> None:
    with db.write() as connection:
        until = bootstrap.keep(connection, URL, BODY, now, None if said is None else now + said)
        assert until == now + kept_for
        found = bootstrap.last(connection, URL)
        assert found is not None
        assert (found.fetched_at, found.expires_at) == (now, now + kept_for)
        assert bootstrap.last(connection, "other") is None


def test_a_list_fetched_again_takes_the_place_of_the_old_one(db: Database, now: datetime) -> None:
    with db.write() as connection:
        bootstrap.keep(connection, URL, BODY, now, None)
        bootstrap.keep(connection, URL, b'{"services": []}', now + HOUR, None)
        assert bootstrap.kept(connection, URL, now + HOUR) == {"services": []}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_no_list(db: Database, now: datetime, body: bytes) -> None:
    with db.write() as connection:
        bootstrap.keep(connection, URL, body, now, None)
        assert bootstrap.kept(connection, URL, now) is None
        kept = bootstrap.last(connection, URL)
        assert kept is not None
        assert kept.value is None
