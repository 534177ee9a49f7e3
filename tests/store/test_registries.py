"""What waits for the registries is read as resolve itself would take it up, as plain integers."""

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import insert, update

from pipeline.domain import Address, CaseState
from pipeline.store import budgets, registries
from pipeline.store import resolve as resolving
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases
from tests.seed import add

HOUR = timedelta(hours=1)
FOUR: list[Address] = [ip_address(text) for text in ("192.0.2.1", "203.0.113.9", "255.255.255.254")]
SIX: list[Address] = [ip_address(text) for text in ("2001:db8::1", "2001:db8:ffff::")]


def waiting(db: Database, now: datetime, chunk: int = 50_000) -> tuple[list[Address], list[Address]]:
    with db.read() as connection:
        chunks = list(registries.waiting(connection, now, chunk))
    four = [ip_address(number) for chunk, _ in chunks for number in chunk]
    six = [ip_address(number) for _, chunk in chunks for number in chunk]
    return sorted(four, key=int), sorted(six, key=int)


def test_addresses_of_due_cases_come_as_the_numbers_they_are(db: Database, now: datetime) -> None:
    cases.cases(db, now, cases.campaign(db, now), [*FOUR, *SIX])
    assert waiting(db, now) == (FOUR, SIX)


@pytest.mark.parametrize(
    ("state", "times", "waits"),
    [
        (CaseState.SEEN, {"due_at": 0}, True),
        (CaseState.SEEN, {"due_at": 1}, False),
        (CaseState.NO_CONTACT, {"due_at": 0}, True),
        (CaseState.NO_CONTACT, {"due_at": None}, False),
        (CaseState.RESOLVED, {"due_at": 0, "contact_due_at": 1}, False),
        (CaseState.RESOLVED, {"due_at": 1, "contact_due_at": 0}, True),
        (CaseState.NOTICED, {"due_at": 0, "contact_due_at": 0}, False),
    ],
)
def test_those_wait_whom_resolve_takes_up(
    db: Database, now: datetime, state: CaseState, times: dict[str, int | None], waits: bool
) -> None:
    values: dict[str, Any] = {name: None if hours is None else now + hours * HOUR for name, hours in times.items()}
    cases.cases(db, now, cases.campaign(db, now), FOUR[:1], state=state.value, **values)
    with db.read() as connection:
        assert resolving.due_count(connection, now) == int(waits)
    assert waiting(db, now) == (FOUR[:1] if waits else [], [])


def test_closed_campaigns_wait_for_nothing(db: Database, now: datetime) -> None:
    campaign = cases.campaign(db, now)
    cases.cases(db, now, campaign, FOUR)
    cases.cases(db, now, campaign, SIX, due_at=now + HOUR)
    with db.write() as connection:
        assert registries.put_off(connection, now) == (2, now + HOUR)
        connection.execute(update(t.campaigns).values(closed_at=now))
        assert registries.put_off(connection, now) == (0, None)
    assert waiting(db, now) == ([], [])


def test_networks_that_hold_come_with_the_question_that_brought_them(db: Database, now: datetime) -> None:
    rows = [
        ("192.0.2.0", "192.0.2.255", "https://rdap.example/ip/192.0.2.1", {}),
        ("2001:db8::", "2001:db8::ff", "dump:ripencc", {}),
        ("198.51.100.0", "198.51.100.255", "https://rdap.example/ip/198.51.100.1", {"expires_at": now}),
        ("203.0.113.0", "203.0.113.255", "https://rdap.example/ip/203.0.113.1", {"valid_to": now}),
    ]
    with db.write() as connection:
        for number, (first, last, source, times) in enumerate(rows):
            answer = {"source": source, "status": 200, "body": b"", "at": now, "sha256": bytes([number]) * 32}
            raw = add(connection, t.raw_answers, **answer)
            ends = {"first_address": ip_address(first), "last_address": ip_address(last), "raw_answer_id": raw}
            until = {"valid_from": now, "expires_at": now + HOUR, **times}
            add(connection, t.netblocks, outcome="contacts", **ends, **until)
        found = registries.known(connection, now)
    ends_found = [(ip_address(one.first), ip_address(one.last), one.version, one.question) for one in found]
    assert sorted(ends_found, key=lambda one: one[2]) == [
        (ip_address("192.0.2.0"), ip_address("192.0.2.255"), 4, 1),
        (ip_address("2001:db8::"), ip_address("2001:db8::ff"), 6, None),
    ]


def test_a_chunk_is_no_end(db: Database, now: datetime) -> None:
    cases.cases(db, now, cases.campaign(db, now), [*FOUR, *SIX])
    assert waiting(db, now, 2) == (FOUR, SIX)


def test_only_budgets_of_registries_and_the_dns_are_told(db: Database, now: datetime) -> None:
    with db.write() as connection:
        for key in ("rdap:rdap.example", "whois:whois.example", "dns:origin.example", "mail:all", "dnsbl:zone.example"):
            budgets.postpone(connection, key, now)
        found = [row["key"] for row in registries.spent(connection)]
    assert found == ["dns:origin.example", "rdap:rdap.example", "whois:whois.example"]


def test_only_dumps_in_use_are_told(db: Database, now: datetime) -> None:
    kinds = {"complete": (now, None), "begun": (None, None), "replaced": (now, now)}
    with db.write() as connection:
        for number, (name, (complete, retired)) in enumerate(kinds.items()):
            values = {"registry": "ripencc", "name": name, "bytes": 1, "classes": "inetnum", "began_at": now}
            times = {"complete_at": complete, "retired_at": retired, "sha256": bytes([number]) * 32}
            connection.execute(insert(t.dumps).values(**values, **times))
        assert [row["name"] for row in registries.imported(connection)] == ["complete"]
