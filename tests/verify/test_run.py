"""A whole run of verify, with real zones on loopback, on both databases."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from pipeline.data.topic import topics
from pipeline.data.zone import ALIVE, Code, Zone
from pipeline.domain import Address, CaseState, ConfigurationError, Exposure, Verdict
from pipeline.net import dnsbl
from pipeline.net.nameserver import DnsSettings, Nameserver
from pipeline.sandbox import dns_server
from pipeline.sandbox.dns_server import DnsTable, Listed, ZoneFault
from pipeline.sandbox.thread import in_thread
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.verify.run import Verifying, ZoneUse, verify
from tests import cases as seed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B, C, D = (ip_address(f"192.0.2.{n}") for n in (1, 2, 3, 4))
PROXIES, RELAYS = "proxies.dnsbl.example", "relays.dnsbl.example"
EVERY = topics()["open_proxy"].recheck_every
Log = list[tuple[datetime, str]]


def clock() -> datetime:
    return datetime.now(UTC)


def use(name: str = PROXIES, claim: str = "http_proxy", rate: float = 0, per_day: int = 0) -> ZoneUse:
    codes = {"127.0.0.3": Code(claim, ""), "127.0.0.9": Code("reputation", "")}
    facts: dict[str, Any] = {"families": (4,), "rate": 0.0, "per_day": 0, "lifetime": 3 * DAY, "policy": "free"}
    facts |= {"listed_points": (), "unlisted_points": (), "note": "", "source": "", "written_on": clock().date()}
    zone = Zone(name, "A zone", "zone group", ALIVE, False, codes, **facts)
    return ZoneUse(zone, rate, per_day, name_in_letter=True)


@contextmanager
def verifying(
    db: Database,
    worker: int,
    uses: Sequence[ZoneUse] = (),
    *,
    listed: dict[Address, str] | None = None,
    fault: ZoneFault | None = None,
    log: Log | None = None,
    **given: Any,
) -> Iterator[Verifying]:
    """What a run is given, with a name server for the zones: each lists the same addresses by a code."""
    said = {address: Listed((code,), "tested") for address, code in (listed or {}).items()}
    zones = tuple(dns_server.Zone(one.zone.zone, dict(said), fault) for one in uses)
    with in_thread(dns_server.serve(DnsTable(zones), clock, [] if log is None else log)) as port:
        dns = DnsSettings((Nameserver(ip_address("127.0.0.1"), port),), timeout=0.3, tries=1)
        with dnsbl.edge(dns) as wire:
            yield Verifying(
                **{
                    "db": db,
                    "wire": wire,
                    "topics": topics(),
                    "zones": {one.zone.zone: one for one in uses},
                    "unhealthy": {},
                    "worker_id": worker,
                    "clock": clock,
                    "progress": lambda *_: None,
                    **given,
                }
            )


def run(db: Database, worker: int, uses: Sequence[ZoneUse] = (), **given: Any) -> int:
    with verifying(db, worker, uses, **given) as prepared:
        return verify(prepared)


def begin(db: Database, addresses: Sequence[Address] = (A,), minimum_level: int = 1, **values: Any) -> int:
    """A campaign with a case that has its contact about each address, and a worker; returns the worker's id."""
    now = clock()
    campaign = seed.campaign(db, now, minimum_level=minimum_level)
    seed.cases(db, now, campaign, addresses, state=CaseState.RESOLVED.value, **values)
    return seed.worker(db, now)


def reported(
    db: Database,
    feed: str,
    addresses: Sequence[Address] = (A,),
    *,
    ago: timedelta = HOUR,
    port: int = 8080,
    service: str = "http",
    claim: str = "http_proxy",
    verdict: Verdict = Verdict.ACCEPTED,
    **declaration: Any,
) -> int:
    feed_id = seed.feed(db, clock(), feed, group=feed, **declaration)
    said = [(address, port, service, claim) for address in addresses]
    return seed.snapshot(db, feed_id, clock() - ago, said, verdict=verdict)


def checks(db: Database) -> list[dict[str, Any]]:
    """Return every check, in order, with its transcript read."""
    with db.read() as connection:
        found = [dict(row) for row in connection.execute(select(t.checks).order_by(t.checks.c.id)).mappings()]
    return [{**row, "transcript": json.loads(row["transcript"])} for row in found]


def reasons(check: dict[str, Any]) -> list[str]:
    return [code for code, _ in check["transcript"]["reasons"]]


# --- what is weighed -------------------------------------------------------------------------------------------------


def test_a_listed_zone_corroborates_another_group_and_is_kept_as_a_sweep(db: Database) -> None:
    worker = begin(db)
    one = reported(db, "one")
    before = clock()
    assert run(db, worker, [use()], listed={A: "127.0.0.3"}) == 1
    [case] = seed.all_cases(db)
    assert (case["exposure"], case["level"], case["worker_id"]) == (Exposure.OPEN, 1, None)
    assert before + EVERY <= case["due_at"] <= clock() + EVERY
    assert before <= case["exposure_at"] <= clock()
    assert case["event"] == ("case.checked", "open")
    [check] = checks(db)
    said = check["transcript"]
    assert said.keys() == {"quoted", "level", "groups", "reasons", "zones"}
    assert (said["level"], said["groups"]) == ("E1", ["one", "zone group"])
    assert said["zones"] == [
        {"zone": PROXIES, "listing": "listed", "codes": ["127.0.0.3"], "text": "tested", "why": ""}
    ]
    with db.read() as connection:
        sweep = connection.execute(select(t.snapshots).where(t.snapshots.c.name == PROXIES)).one()
        row = connection.execute(select(t.observations).where(t.observations.c.snapshot_id == sweep.id)).one()
        assert connection.execute(select(t.targets.c.level)).scalar_one() == 1
    assert sorted(said["quoted"]) == [[one, 1], [sweep.id, 1]]  # its listing counts as evidence
    assert (sweep.verdict, sweep.lines, sweep.observations) == ("accepted", 1, 1)
    assert (row.address, row.port, row.service, row.claim, row.topic) == (A, 0, "http", "http_proxy", "open_proxy")
    assert row.expires_at - row.observed_at == 3 * DAY


def test_a_claim_without_a_port_corroborates_one_with_a_port(db: Database) -> None:
    worker = begin(db)
    reported(db, "one")
    reported(db, "two", port=0, service="any", claim="proxy")
    run(db, worker)
    assert [(case["exposure"], case["level"]) for case in seed.all_cases(db)] == [("open", 1)]


def test_below_the_minimum_is_unknown_and_says_so(db: Database) -> None:
    worker = begin(db)
    reported(db, "one")
    run(db, worker)
    assert [(case["exposure"], case["level"]) for case in seed.all_cases(db)] == [("unknown", 0)]
    assert reasons(checks(db)[0]) == ["exposure.below_minimum", "level.one_group"]


def test_stale_and_voided_claims_do_not_count(db: Database) -> None:
    worker = begin(db, minimum_level=0)
    reported(db, "one", ago=4 * DAY)
    reported(db, "two", verdict=Verdict.VOIDED)
    reported(db, "three", verdict=Verdict.HELD)
    run(db, worker)
    assert [(case["exposure"], case["level"]) for case in seed.all_cases(db)] == [("unknown", None)]
    assert checks(db)[0]["transcript"]["quoted"] == []


# --- silence is no answer --------------------------------------------------------------------------------------------


def lapsed(db: Database, feed: str = "one") -> None:
    """The feed reported A long ago, and has delivered since without it: by itself, proof that A is listed no longer."""
    reported(db, feed, ago=9 * DAY)
    reported(db, feed, [B], ago=HOUR)


def test_a_source_that_has_delivered_since_without_the_target_makes_it_unlisted(db: Database) -> None:
    worker = begin(db)
    lapsed(db)
    run(db, worker, [use()])
    assert [case["exposure"] for case in seed.all_cases(db)] == [Exposure.UNLISTED]
    assert reasons(checks(db)[0]) == ["exposure.lapsed"]


def test_a_source_that_has_been_silent_since_does_not(db: Database) -> None:
    worker = begin(db)
    lapsed(db)
    reported(db, "two", ago=9 * DAY)
    run(db, worker)
    assert [case["exposure"] for case in seed.all_cases(db)] == [Exposure.UNKNOWN]
    assert reasons(checks(db)[0]) == ["exposure.source_silent"]


def test_a_zone_that_fails_is_unknown_never_unlisted(db: Database) -> None:
    worker = begin(db)
    lapsed(db)
    failures = {
        ZoneFault.SERVFAIL: "SERVFAIL",
        ZoneFault.REFUSED: "REFUSED",
        ZoneFault.SILENT: "timeout",
        ZoneFault.NO_RECORD: "NOERROR without an address",
    }
    for fault, why in failures.items():
        with db.write() as connection:
            connection.execute(update(t.cases).values(due_at=clock()))
        run(db, worker, [use()], fault=fault)
        check = checks(db)[-1]
        assert (check["verdict"], reasons(check)) == (Exposure.UNKNOWN, ["exposure.zone_unknown"])
        [answer] = check["transcript"]["zones"]
        assert (answer["listing"], answer["why"]) == ("unknown", why)


def test_an_unhealthy_zone_is_not_asked_and_proves_nothing(db: Database) -> None:
    worker = begin(db)
    lapsed(db)
    log: Log = []
    run(db, worker, [use()], unhealthy={PROXIES: "unhealthy: lists the world"}, log=log)
    assert log == []
    [check] = checks(db)
    assert check["verdict"] == Exposure.UNKNOWN
    assert check["transcript"]["zones"][0]["why"] == "unhealthy: lists the world"
    with db.read() as connection:
        assert connection.execute(select(t.feeds.c.name)).scalars().all() == ["one"]  # no sweep was made


def test_a_spent_day_is_unknown_because_of_the_budget(db: Database) -> None:
    worker = begin(db, [A, B, C])
    log: Log = []
    run(db, worker, [use(per_day=2)], listed={A: "127.0.0.3"}, log=log)
    assert len({question.split(" ")[0] for _, question in log}) == 2
    said = [check["transcript"]["zones"][0] for check in checks(db)]
    assert [(answer["listing"], answer["why"]) for answer in said] == [
        ("listed", ""),
        ("not_listed", ""),
        ("unknown", "budget"),
    ]


def test_a_zone_is_asked_no_faster_than_its_limit_and_every_address_gets_its_answer(db: Database) -> None:
    worker = begin(db, [ip_address(f"192.0.2.{n}") for n in range(1, 81)])
    log: Log = []
    start = clock()
    run(db, worker, [use(rate=70.0)], log=log)
    late = [(at - start).total_seconds() for at, _ in sorted(log)]
    assert len(late) == 80
    assert all(second >= number / 70 - 0.01 for number, second in enumerate(late)), late
    assert {check["transcript"]["zones"][0]["listing"] for check in checks(db)} == {"not_listed"}


def test_a_sweep_about_others_does_not_prove_that_a_zone_lists_the_target_no_longer(db: Database) -> None:
    long_ago, lately = clock() - 9 * DAY, clock() - HOUR
    worker = begin(db, due_at=long_ago)
    run(db, worker, [use()], listed={A: "127.0.0.3"}, clock=lambda: long_ago)
    with db.write() as connection:
        connection.execute(update(t.cases).values(due_at=clock() + DAY))
    seed.cases(db, lately, 1, [B], state=CaseState.RESOLVED.value)
    run(db, worker, [use()], clock=lambda: lately)
    with db.write() as connection:
        connection.execute(update(t.cases).values(due_at=clock() - DAY))
    run(db, worker)  # the zone is not asked any more
    assert reasons(checks(db)[-2]) == ["exposure.source_silent"]
    with db.write() as connection:
        connection.execute(update(t.cases).values(due_at=clock() - DAY))
    run(db, worker, [use()])  # now it is, and says no
    assert [case["exposure"] for case in seed.all_cases(db)] == [Exposure.UNLISTED, Exposure.UNKNOWN]


def test_a_zone_of_another_topic_neither_speaks_for_nor_against(db: Database) -> None:
    worker = begin(db)
    seed.cases(db, clock(), 1, [A], port=25, service="smtp", topic="open_relay", state=CaseState.RESOLVED.value)
    lapsed(db)
    run(db, worker, [use(RELAYS, "open_relay")], fault=ZoneFault.SERVFAIL)
    proxy, relay = checks(db)
    assert (proxy["verdict"], proxy["transcript"]["zones"]) == (Exposure.UNLISTED, [])
    assert [answer["zone"] for answer in relay["transcript"]["zones"]] == [RELAYS]


# --- stopped at any line ---------------------------------------------------------------------------------------------


class Died(Exception):
    """As if the process had ended there."""


def at_commit(number: int) -> Callable[[Connection], None]:
    commits: list[int] = []

    def dies(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == number:
            raise Died

    return dies


def test_a_run_that_dies_after_its_claim_leaves_the_cases_to_the_next_once(db: Database) -> None:
    worker = begin(db, [A, B])
    for number, rounds in ((3, 1), (4, 2)):  # the commit of the zone's budget, and of the record
        dies = at_commit(number)
        with verifying(db, worker, [use()]) as prepared:
            event.listen(db.engine, "commit", dies)
            with pytest.raises(Died):
                verify(prepared)
            event.remove(db.engine, "commit", dies)
        assert len(checks(db)) == 2 * rounds - 2
        assert run(db, seed.another_worker(db, clock()), [use()]) == 0  # the dead one is not known to be dead yet
        worker = seed.worker(db, clock())
        assert run(db, worker, [use()]) == 2
        assert run(db, worker, [use()]) == 0
        assert sorted(check["case_id"] for check in checks(db)) == sorted([1, 2] * rounds)
        with db.write() as connection:
            connection.execute(update(t.cases).values(due_at=clock()))


def test_a_case_that_another_worker_has_taken_since_is_not_overwritten(db: Database) -> None:
    worker = begin(db, [A, B])
    times = 0

    def frozen() -> datetime:
        nonlocal times
        times += 1
        if times == 3:  # before the zone is asked
            with db.write() as connection:
                connection.execute(update(t.cases).where(t.cases.c.id == 1).values(claim=t.cases.c.claim + 1))
        return clock()

    with verifying(db, worker, [use()], clock=frozen) as prepared:
        verify(prepared)
    first, second = seed.all_cases(db)
    assert (first["exposure"], first["worker_id"]) == (Exposure.UNCHECKED, worker)
    assert second["exposure"] == Exposure.UNKNOWN
    assert [check["case_id"] for check in checks(db)] == [2]


def test_batches_go_through_every_state_that_is_checked_and_no_other(db: Database) -> None:
    worker = begin(db, [A, B, C, D, ip_address("198.51.100.1")])
    states = (CaseState.NOTICED, CaseState.EXHAUSTED, CaseState.FIXED, CaseState.SEEN, CaseState.NO_CONTACT)
    for number, state in enumerate(states):
        seed.cases(db, clock(), 1, [ip_address(f"203.0.113.{number}")], state=state.value)
    seen: list[tuple[str, int, int]] = []
    assert run(db, worker, batch=2, progress=lambda *said: seen.append(said)) == 7
    assert sorted(check["case_id"] for check in checks(db)) == [1, 2, 3, 4, 5, 6, 7]
    assert seen == [("checks", done, 7) for done in (2, 4, 5, 6, 7)]  # five, then one of each of two states
    assert run(db, worker) == 0


def test_cases_of_a_closed_campaign_are_left_alone_and_an_unknown_topic_is_an_error(db: Database) -> None:
    worker = begin(db)
    with pytest.raises(ConfigurationError):
        run(db, worker, topics={"open_relay": topics()["open_relay"]})
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(closed_at=clock()))
    assert run(db, seed.worker(db, clock())) == 0
    assert checks(db) == []


def test_a_zone_that_lists_for_another_reason_claims_nothing(db: Database) -> None:
    worker = begin(db)
    lapsed(db)
    plain = replace(use(), name_in_letter=False)
    run(db, worker, [plain], listed={A: "127.0.0.9"})
    with db.read() as connection:
        sweep = connection.execute(select(t.snapshots.c.id).where(t.snapshots.c.name == PROXIES)).scalar_one()
        kept = connection.execute(select(t.observations.c.topic).where(t.observations.c.snapshot_id == sweep))
        assert kept.scalars().all() == [""]  # a reputation: kept, and of no topic
    assert checks(db)[0]["verdict"] == Exposure.UNLISTED
