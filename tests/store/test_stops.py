"""Suppressions and exclusions: what is said once holds, is read by send, can be lifted, and leaves no mailbox in events."""

import json
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import text

from pipeline.domain import Address, NotFound
from pipeline.store import events, send, stops
from pipeline.store.db import Database, rows
from pipeline.store.stops import Place, Reason, Stop


def span(first: str, last: str) -> tuple[Address, Address]:
    return ip_address(first), ip_address(last)


MAILBOX = Place(mailbox="abuse@isp.example")
DOMAIN = Place(domain="isp.example")
NETWORK = Place(range=span("192.0.2.0", "192.0.2.255"))
NETWORK6 = Place(range=span("2001:db8::", "2001:db8::ffff"))


def suppress(db: Database, place: Place, now: datetime, note: str = "") -> int | None:
    with db.write() as connection:
        return stops.suppress(connection, place, Reason.ASKED, note, now, "person:1")


def exclude(db: Database, place: Place, now: datetime, until: datetime | None = None) -> int | None:
    with db.write() as connection:
        return stops.exclude(connection, place, Reason.OWN, "", until, now, "person:1")


def test_send_reads_a_suppressed_mailbox_and_its_reason(db: Database, now: datetime) -> None:
    suppress(db, MAILBOX, now)
    with db.read() as connection:
        asked = ["abuse@isp.example", "abuse@other.example", "abuse@sub.isp.example"]
        assert send.suppressed(connection, asked, now) == {"abuse@isp.example": "asked"}


def test_a_suppressed_domain_covers_every_domain_below_it_and_no_other(db: Database, now: datetime) -> None:
    suppress(db, DOMAIN, now)
    with db.read() as connection:
        asked = ["a@isp.example", "a@sub.isp.example", "a@notisp.example", "a@example"]
        assert set(send.suppressed(connection, asked, now)) == {"a@isp.example", "a@sub.isp.example"}


def test_send_reads_suppressed_networks_of_both_versions(db: Database, now: datetime) -> None:
    suppress(db, NETWORK, now)
    suppress(db, NETWORK6, now)
    with db.read() as connection:
        assert sorted(send.suppressed_ranges(connection), key=str) == [NETWORK.range, NETWORK6.range]


def test_what_is_lifted_counts_no_more_and_stays_on_record(db: Database, now: datetime) -> None:
    later = now + timedelta(days=1)
    for place in (MAILBOX, DOMAIN, NETWORK, NETWORK6):
        row = suppress(db, place, now)
        with db.write() as connection:
            assert stops.lift(connection, Stop.SUPPRESSION, place, "settled", later, "person:2") == [row]
        with db.read() as connection:
            assert send.suppressed(connection, ["abuse@isp.example"], now) == {}
            assert send.suppressed_ranges(connection) == []
            assert stops.listed(connection, Stop.SUPPRESSION, later) == []
            kept = stops.listed(connection, Stop.SUPPRESSION, later, every=True)[0]
            assert (kept["place"], kept["at"], kept["lifted_at"]) == (str(place), now, later)


def test_what_is_in_force_is_not_added_again_and_what_was_lifted_is(db: Database, now: datetime) -> None:
    first = suppress(db, MAILBOX, now)
    assert first is not None
    assert suppress(db, MAILBOX, now) is None
    assert suppress(db, DOMAIN, now) is not None
    with db.write() as connection:
        assert len(rows(connection, text("SELECT id FROM events"))) == 2
        stops.lift(connection, Stop.SUPPRESSION, MAILBOX, "", now, "person:1")
    assert suppress(db, MAILBOX, now) not in (None, first)


def test_lifting_takes_exactly_what_was_added(db: Database, now: datetime) -> None:
    suppress(db, NETWORK, now)
    inside = Place(range=span("192.0.2.0", "192.0.2.127"))
    with db.write() as connection:
        with pytest.raises(NotFound, match=r"No suppression of 192\.0\.2\.0/25 is in force"):
            stops.lift(connection, Stop.SUPPRESSION, inside, "", now, "person:1")
        with pytest.raises(NotFound, match="No exclusion of"):
            stops.lift(connection, Stop.EXCLUSION, NETWORK, "", now, "person:1")
        assert len(stops.listed(connection, Stop.SUPPRESSION, now)) == 1


def test_each_change_is_an_event_by_someone_for_a_reason_without_the_mailbox(db: Database, now: datetime) -> None:
    suppress(db, MAILBOX, now, note="called Ms Example on 3 May")
    with db.write() as connection:
        stops.lift(connection, Stop.SUPPRESSION, MAILBOX, "called back", now, "person:2")
    with db.read() as connection:
        found = rows(connection, text('SELECT what, "by", why, data FROM events ORDER BY id'))
        shown = [(row["what"], row["by"], row["why"]) for row in found]
        assert shown == [("suppression.added", "person:1", "asked"), ("suppression.lifted", "person:2", "asked")]
        assert not [row for row in found if "isp.example" in row["data"] or "Example" in row["data"]]
        added, lifted = (json.loads(row["data"]) for row in found)
        assert events.read_text(connection, added["place"]) == "abuse@isp.example"
        assert events.read_text(connection, added["note"]) == "called Ms Example on 3 May"
        assert events.read_text(connection, lifted["note"]) == "called back"


def test_an_exclusion_ends_by_itself_at_its_time(db: Database, now: datetime) -> None:
    end = now + timedelta(days=1)
    exclude(db, NETWORK, now, end)
    just_before = end - timedelta(microseconds=1)
    with db.read() as connection:
        assert send.excluded_ranges(connection, just_before) == [NETWORK.range]
        assert send.excluded_ranges(connection, end) == []
        assert len(stops.listed(connection, Stop.EXCLUSION, just_before)) == 1
        assert stops.listed(connection, Stop.EXCLUSION, end) == []
        assert stops.of_place(connection, Stop.EXCLUSION, NETWORK, end) == []


def test_an_excluded_as_is_kept_by_its_number(db: Database, now: datetime) -> None:
    assert exclude(db, Place(asn=64_500), now) is not None
    assert exclude(db, Place(asn=64_500), now) is None
    with db.read() as connection:
        assert [row["place"] for row in stops.listed(connection, Stop.EXCLUSION, now)] == ["AS64500"]


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
    ],
)
def test_a_range_is_shown_as_a_network_where_it_is_one(first: str, last: str, shown: str) -> None:
    assert stops.shown_range(*span(first, last)) == shown
