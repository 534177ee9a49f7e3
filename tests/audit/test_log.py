"""The event log, page by page, in its own order."""

from datetime import datetime, timedelta

from sqlalchemy import insert, text

from pipeline.store import events, log
from pipeline.store.db import Connection, Database
from pipeline.store.tables import persons

MINUTE = timedelta(minutes=1)


def fill(connection: Connection, now: datetime, count: int) -> None:
    """Write `count` events, one a minute: letter.handed and case.seen in turn, of campaigns 1 and 2."""
    for number in range(count):
        what = ("letter.handed", "case.seen")[number % 2]
        entry = events.Entry(what, what.split(".")[0], number, 1 + number % 2)
        events.write(connection, [entry], now + number * MINUTE, "tocsin")


def ids(connection: Connection, **options: object) -> list[int]:
    return [row["id"] for row in log.events_page(connection, **{"limit": 4, **options})]  # type: ignore[arg-type]


PAGES: list[tuple[dict[str, object], list[int]]] = [
    ({}, [17, 18, 19, 20]),
    ({"before": 17}, [13, 14, 15, 16]),
    ({"after": 0}, [1, 2, 3, 4]),
    ({"after": 18}, [19, 20]),
    ({"campaign_id": 1}, [13, 15, 17, 19]),
    ({"campaign_id": 2, "after": 4}, [6, 8, 10, 12]),
    ({"subject": ("letter", 6)}, [7]),
    ({"what": "case.seen", "after": 0}, [2, 4, 6, 8]),
    ({"what": "letter.", "after": 0}, [1, 3, 5, 7]),
    ({"what": "lette", "after": 0}, []),
    ({"what": "%.", "after": 0}, []),
    ({"what": "letter_handed", "after": 0}, []),
]


def test_a_page_has_the_events_that_are_asked_for_in_order(db: Database, now: datetime) -> None:
    with db.write() as connection:
        fill(connection, now, 20)
        for options, expected in PAGES:
            assert ids(connection, **options) == expected, options


def test_pages_from_a_time_on_miss_nothing(db: Database, now: datetime) -> None:
    with db.write() as connection:
        assert ids(connection, since=now) == []
        fill(connection, now, 20)
        for minutes, expected in ((-5, [1, 2, 3, 4]), (0, [1, 2, 3, 4]), (9.5, [11, 12, 13, 14]), (19, [20]), (20, [])):
            assert ids(connection, since=now + minutes * MINUTE) == expected
        assert ids(connection, since=now + 9 * MINUTE, after=12) == [13, 14, 15, 16]
        assert ids(connection, since=now + 17 * MINUTE, before=20) == [18, 19]


def test_an_event_that_took_its_id_before_others_of_its_time_is_not_missed(db: Database, now: datetime) -> None:
    with db.write() as connection:
        fill(connection, now, 4)
        fill(connection, now + 30 * MINUTE, 1)  # a long transaction: written at its end, with an id from its beginning
        fill(connection, now + 4 * MINUTE, 20)
        assert ids(connection, since=now + 20 * MINUTE) == [5, 22, 23, 24]


def test_a_time_is_found_by_halving_not_by_reading_the_log(db: Database, now: datetime) -> None:
    with db.write() as connection:
        fill(connection, now, 20)
        for minutes, first in ((0, 1), (7, 8), (12.5, 14), (19, 20), (40, 20)):
            assert log.first_id_since(connection, now + minutes * MINUTE) in (first - 1, first)


def test_events_about_rows_come_in_the_order_of_the_log(db: Database, now: datetime) -> None:
    with db.write() as connection:
        fill(connection, now, 20)
        found = log.events_about(connection, {"case": [1, 3, 5], "letter": [2, 4]}, None)
        assert [row["id"] for row in found] == [2, 3, 4, 5, 6]
        newest = log.events_about(connection, {"case": [1, 3, 5]}, 2)
        assert [row["id"] for row in newest] == [4, 6]


def test_a_kept_text_is_its_value_none_once_purged_and_absent_if_never_kept(db: Database, now: datetime) -> None:
    with db.write() as connection:
        kept, gone = (events.keep_text(connection, "reason", value, now) for value in ("one", "two"))
        gone_row = {"digest": bytes.fromhex(gone)}
        connection.execute(text("UPDATE texts SET value = NULL WHERE sha256 = :digest"), gone_row)
        assert log.texts_of(connection, {kept, gone, "00" * 32}) == {kept: "one", gone: None}


def test_persons_are_named_and_nobody_else_is(db: Database, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(insert(persons).values(name="Ann", role="officer", created_at=now))
        asked = {"person:1", "person:2", "person:x", "system:root", "tocsin", "person:" + "9" * 30}
        assert log.names_of(connection, asked) == {"person:1": "Ann"}
