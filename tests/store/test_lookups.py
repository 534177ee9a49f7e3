"""What was asked, what people decided, which languages were chosen: as it stood at a time, on both databases."""

import hashlib
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from sqlalchemy import update

from pipeline.store import lookups as store
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.audit import lookups, world
from tests.audit.world import ADDRESS, HOUR

DAY = timedelta(days=1)


def test_questions_come_in_order_with_what_is_kept_of_their_answers(db: Database, now: datetime) -> None:
    with db.write() as connection:
        block = world.network(connection, now, "192.0.2.0", "192.0.2.255")
        lookups.step(connection, now, block, 1, "whois", "whois://whois.example:43/192.0.2.10", "refused", body=None)
        answer = lookups.step(connection, now, block, 0, "network", lookups.RDAP, body=b"x" * 70_000)
        first, second = store.steps_of(connection, block)
    assert (first["kind"], first["answer"], first["bytes"]) == ("network", answer, 70_000)
    assert bytes(first["sha256"]) == hashlib.sha256(b"x" * 70_000).digest()
    assert (second["kind"], second["answer"], second["bytes"], second["sha256"]) == ("whois", None, None, None)
    assert "body" not in first


def test_an_answer_comes_back_to_the_byte_with_the_hash_that_was_written_down(db: Database, now: datetime) -> None:
    with db.write() as connection:
        block = world.network(connection, now, "192.0.2.0", "192.0.2.255")
        answer = lookups.step(connection, now, block, 0, "network", lookups.RDAP, body=b"\x00\xff\r\n")
        assert answer is not None
        assert store.answer(connection, answer) == (b"\x00\xff\r\n", hashlib.sha256(b"\x00\xff\r\n").digest())
        connection.execute(update(t.raw_answers).where(t.raw_answers.c.id == answer).values(body=b"damaged"))
        assert store.answer(connection, answer)[0] == b""


@pytest.mark.parametrize(
    ("hours", "verdicts"),
    [(-1, []), (0, ["use", "reject"]), (5, ["use"]), (10, [])],
)
def test_words_are_those_that_held_at_the_time(db: Database, now: datetime, hours: int, verdicts: list[str]) -> None:
    ends = {"first_address": IPv4Address("192.0.2.0"), "last_address": IPv4Address("192.0.2.15")}
    with db.write() as connection:
        lookups.override(connection, now, "use", "desk@isp.example", until=now + 10 * HOUR, **ends)
        lookups.override(connection, now, "reject", "noc@isp.example", lifted_at=now + 5 * HOUR)
        lookups.override(connection, now, "reject", "elsewhere@isp.example")
        six = {"first_address": IPv6Address("::"), "last_address": IPv6Address("2001:db8::")}
        lookups.override(connection, now, "use", "six@isp.example", **six)
        found = store.words_about(connection, ADDRESS, {"noc@isp.example"}, now + hours * HOUR)
    assert [row["verdict"] for row in found] == verdicts


def test_a_country_has_its_route_or_none(db: Database, now: datetime) -> None:
    with db.write() as connection:
        row = {"country": "FR", "kind": "direct", "mailbox": "", "title": "", "reason": "", "by": "x", "at": now}
        connection.execute(t.routes.insert().values(**row))
        assert (store.route_of(connection, "FR") or {})["kind"] == "direct"
        assert store.route_of(connection, "CA") is None


def test_languages_are_those_that_were_chosen_already(db: Database, now: datetime) -> None:
    with db.write() as connection:
        campaign = world.campaign(connection, now, "one")
        block = world.network(connection, now, "192.0.2.0", "192.0.2.255")
        contacts = [world.candidate(connection, now, block, n, f"abuse@isp{n}.example")[1] or 0 for n in range(2)]
        for contact, locales in zip(contacts, ("fr,en", ""), strict=True):
            row = {"campaign_id": campaign, "contact_id": contact, "send_order": contact, "locales": locales}
            connection.execute(t.campaign_contacts.insert().values(language_rule="country", **row))
        assert [row["contact_id"] for row in store.languages(connection, contacts)] == contacts[:1]
        wish = {"contact_id": contacts[1], "language": "fr", "at": now, "until": now + DAY}
        connection.execute(t.contact_preferences.insert().values(**wish))
        assert store.preferences(connection, contacts, now) == {contacts[1]: "fr"}
        assert store.preferences(connection, contacts, now + DAY) == {}


def test_where_the_cases_are_that_a_letter_would_tell_of_is_counted_by_campaign_and_contact(
    db: Database, now: datetime
) -> None:
    with db.write() as connection:
        made = world.resolved(connection, now, "test")
        other = world.campaign(connection, now, "other")
        open_ = {
            "exposure": "open",
            "exposure_at": now,
            "level": 1,
            "netblock_id": 1,
            "netblock_contact_id": made.chosen,
        }
        for port, campaign, changes in (
            (25, made.campaign, {"state": "resolved"}),
            (80, made.campaign, {"state": "noticed"}),
            (81, made.campaign, {"state": "resolved", "exposure": "unknown"}),
            (82, other, {"state": "resolved"}),
        ):
            world.case(connection, now, campaign, world.target(connection, now, port=port), **{**open_, **changes})
        found = store.places(connection, {1, 2})
        assert found == {(made.campaign, 1): [("FR", "")] * 2, (other, 1): [("FR", "")]}
        assert store.places(connection, set()) == {}
