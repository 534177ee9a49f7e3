"""Nothing changes its state except by a move of the table, with an event, under a lease that still holds."""

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import Connection, func, insert, select, update

from pipeline.domain import CASE_TRANSITIONS, CaseState, Event, ForbiddenMove
from pipeline.store import campaigns, lives, workers
from pipeline.store.db import Database, rows
from pipeline.store.tables import cases, events, targets

CASE_EVENTS = [event for event in Event if event.value.startswith("case.") and event is not Event.CASE_SEEN]


@pytest.fixture
def five_cases(db: Database, now: datetime) -> None:
    with db.write() as connection:
        campaigns.create(connection, "spring", {}, ["open_proxy"], 1, "00", now, "tocsin")
        values = {"port": 8080, "transport": "tcp", "service": "http", "topic": "open_proxy"}
        seen = {"first_seen_at": now, "last_seen_at": now}
        hosts = [values | seen | {"address": ip_address(f"198.51.100.{host}")} for host in range(5)]
        connection.execute(insert(targets), hosts)
        assert campaigns.open_cases(connection, 1, now, "tocsin", 10) == 5


def states(connection: Connection) -> list[str]:
    return list(connection.execute(select(cases.c.state).order_by(cases.c.id)).scalars())


def logged(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


@pytest.mark.usefixtures("five_cases")
def test_only_moves_of_the_table_are_made_and_each_leaves_its_event(db: Database, now: datetime) -> None:
    with db.write() as connection:
        for state in CaseState:
            for event in CASE_EVENTS:
                connection.execute(update(cases).where(cases.c.id == 1).values(state=state.value))
                before = logged(connection)
                after = CASE_TRANSITIONS[state].get(event)
                if after is None:
                    with pytest.raises(ForbiddenMove):
                        lives.advance(connection, [1], event, now, "tocsin")
                    assert (states(connection)[0], logged(connection)) == (state.value, before)
                else:
                    lives.advance(connection, [1], event, now, "tocsin", why="reason", data=lambda row: {"n": row})
                    assert (states(connection)[0], logged(connection)) == (after.value, before + 1)
        [last] = rows(connection, select(events).order_by(events.c.id.desc()).limit(1))
    assert (last["subject"], last["subject_id"], last["campaign_id"]) == ("case", 1, 1)
    assert (last["what"], last["why"], last["data"], last["by"], last["at"]) == (
        "case.included",
        "reason",
        '{"n":1}',
        "tocsin",
        now,
    )


@pytest.mark.usefixtures("five_cases")
def test_one_forbidden_move_stops_all_of_them(db: Database, now: datetime) -> None:
    with db.write() as connection:
        lives.advance(connection, [3], Event.CASE_NO_CONTACT, now, "tocsin")
        before, count = states(connection), logged(connection)
        with pytest.raises(ForbiddenMove):
            lives.advance(connection, [1, 2, 3, 4], Event.CASE_NO_CONTACT, now, "tocsin", values={"due_at": None})
        with pytest.raises(LookupError):
            lives.advance(connection, [1, 99], Event.CASE_NO_CONTACT, now, "tocsin", values={"due_at": None})
    with db.read() as connection:
        assert (states(connection), logged(connection)) == (before, count)
        due = connection.execute(select(func.count()).where(cases.c.due_at.is_not(None))).scalar_one()
    assert due == 5


@pytest.mark.usefixtures("five_cases")
def test_a_worker_that_lost_its_lease_changes_nothing(db: Database, now: datetime) -> None:
    later = now + timedelta(seconds=31)
    with db.write() as connection:
        frozen, other = (workers.register(connection, "h", n, planner=False, now=now) for n in (1, 2))
        lost = workers.claim(connection, cases, cases.c.id <= 2, frozen, now, 10, cases.c.id)
        assert workers.beat(connection, other, later)
        held = workers.claim(connection, cases, cases.c.id == 2, other, later, 10, cases.c.id)
        before, count = states(connection), logged(connection)
        with pytest.raises(lives.LeaseLost):
            lives.advance(connection, [1, 2], Event.CASE_NO_CONTACT, later, "tocsin", lease=lost)
        with pytest.raises(lives.LeaseLost):  # a row that it never held
            lives.advance(connection, [5], Event.CASE_NO_CONTACT, later, "tocsin", lease=lost)
        assert (states(connection), logged(connection)) == (before, count)
        lives.advance(connection, [1], Event.CASE_NO_CONTACT, later, "tocsin", lease=lost)  # nobody took this one
        lives.advance(connection, [2], Event.CASE_NO_CONTACT, later, "tocsin", lease=held)
        assert states(connection) == ["no_contact", "no_contact", "seen", "seen", "seen"]


@pytest.mark.usefixtures("five_cases")
def test_taking_a_row_anew_ends_the_older_lease_of_the_same_worker(db: Database, now: datetime) -> None:
    with db.write() as connection:
        one = workers.register(connection, "h", 1, planner=False, now=now)
        old = workers.claim(connection, cases, cases.c.id == 1, one, now, 1, cases.c.id)
        workers.release(connection, cases, old)
        new = workers.claim(connection, cases, cases.c.id == 1, one, now, 1, cases.c.id)
        with pytest.raises(lives.LeaseLost):
            lives.advance(connection, [1], Event.CASE_NO_CONTACT, now, "tocsin", lease=old)
        lives.advance(connection, [1], Event.CASE_NO_CONTACT, now, "tocsin", lease=new)
