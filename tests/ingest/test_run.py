"""A file to observations, a verdict, targets and cases: once, whatever stops it, on both databases.

Run as a program (database URL, file, lines in a chunk) it is the process that the tests kill, or run two of at once.
"""

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from pipeline.data.topic import topics
from pipeline.domain import (
    CaseState,
    ConfigurationError,
    Event,
    NotFound,
    RefusedBySafety,
    TocsinError,
    TryAgain,
    Verdict,
)
from pipeline.ingest.run import IngestResult, apply_accepted, ingest
from pipeline.ingest.verdict import verdict
from pipeline.store import campaigns, feeds, lives, workers
from pipeline.store import ingest as store
from pipeline.store.db import Database, explain, rows
from pipeline.store.tables import cases, events, observations, rejects, snapshots, targets

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SEEN = "2026-03-01T09:00:00Z"
COLUMNS = {"address": "ip", "port": "port", "observed_at": "seen", "claim": "kind"}
KINDS = {word: word for word in ("http_proxy", "http_connect", "socks", "socks5", "proxy", "open_relay", "reputation")}
TABLES = (observations, rejects, targets, cases)


def declared(db: Database, now: datetime = NOW, **changes: Any) -> feeds.Feed:
    declaration = {
        "parser": "csv",
        "lawful_basis": "an agreement",
        "lifetime": timedelta(days=7),
        "retain": timedelta(days=730),
        "columns": COLUMNS,
        "claims": KINDS,
    }
    with db.write() as connection:
        feeds.declare(connection, "partner", declaration | changes, now, "tocsin")
        return feeds.feed_by_name(connection, "partner")


def campaign(db: Database, name: str = "spring", about: tuple[str, ...] = ("open_proxy",), now: datetime = NOW) -> int:
    with db.write() as connection:
        return campaigns.create(connection, name, {}, about, 1, "00", now, "tocsin")


def worker(db: Database, now: datetime = NOW, *, planner: bool = False) -> int:
    with db.write() as connection:
        return workers.register(connection, "host", os.getpid(), planner=planner, now=now)


def written(folder: Path, *lines: str, name: str = "delivery.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(["ip,port,seen,kind", *lines]) + "\n")
    return path


def many(folder: Path, count: int, name: str = "delivery.csv") -> Path:
    """A file of `count` lines: two addresses of three with a port, one in thirty broken, every seventh line a repeat."""
    lines = []
    for number in range(count):
        host = number - number % 7 // 6
        address = f"198.51.{host // 250}.{host % 250}" if host % 5 else f"2001:db8:{host:x}::1"
        port, kind = (8080, "http_proxy") if host % 3 else ("", "proxy")
        lines.append(f"{address},{port},{SEEN},{kind}" if number % 30 != 29 else f"{address},none,{SEEN},{kind}")
    return written(folder, *lines, name=name)


def nothing(_what: str, _done: int, _total: int) -> None:
    pass


def read(
    db: Database,
    path: Path,
    feed: feeds.Feed | None = None,
    *,
    now: datetime = NOW,
    progress: Callable[[str, int, int], None] = nothing,
    worker_id: int | None = None,
    chunk: int = 20,
) -> IngestResult:
    return ingest(
        db,
        path,
        feed or declared(db),
        topics(),
        worker_id=worker_id or worker(db, now),
        clock=lambda: now,
        progress=progress,
        allow_documentation=True,
        chunk=chunk,
    )


def content(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Everything that ingest made, without the ids that a repeated attempt may have used up."""
    with db.read() as connection:
        key = (targets.c.address, targets.c.port, targets.c.service)
        seen = (targets.c.first_seen_at, targets.c.last_seen_at)
        opened = select(*key, cases.c.block, cases.c.state, cases.c.due_at).join(targets).order_by(*key)
        logged = select(events.c.what, func.count()).where(events.c.subject != "feed").group_by(events.c.what)
        found = {
            "observations": select(observations).order_by(observations.c.line),
            "rejects": select(rejects).order_by(rejects.c.line),
            "targets": select(*key, targets.c.topic, *seen).order_by(*key),
            "cases": opened,
            "events": logged.order_by(events.c.what),
            "snapshots": select(*(snapshots.c[name] for name in ("lines", "observations", "rejects", "verdict"))),
            "applied": select(snapshots.c.applied_line),
        }
        return {name: [tuple(row) for row in connection.execute(query)] for name, query in found.items()}


def count(db: Database) -> dict[str, int]:
    with db.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
        }


def seen_ports(db: Database) -> list[tuple[str, int, str]]:
    with db.read() as connection:
        found = rows(connection, select(targets).order_by(targets.c.address, targets.c.port, targets.c.service))
    return [(str(row["address"]), row["port"], row["service"]) for row in found]


def test_a_file_becomes_observations_targets_and_cases(db: Database, tmp_path: Path) -> None:
    campaign(db)
    path = written(
        tmp_path,
        f"198.51.100.7,8080,{SEEN},http_proxy",
        "198.51.100.7,8080,2026-03-01T08:00:00Z,http_connect",
        f"2001:db8:a:b::1,1080,{SEEN},socks5",
        f"198.51.100.9,25,{SEEN},open_relay",
        f"198.51.100.10,8080,{SEEN},reputation",
    )
    result = read(db, path)
    assert (result.new, result.lines, result.observations, result.rejects) == (True, 6, 5, 0)
    assert (result.targets, result.cases, result.verdict) == (3, 2, Verdict.ACCEPTED)
    made = content(db)
    later, earlier = NOW - timedelta(hours=1), NOW - timedelta(hours=2)
    assert made["targets"] == [
        (ip_address("198.51.100.7"), 8080, "http", "open_proxy", earlier, later),
        (ip_address("198.51.100.9"), 25, "smtp", "open_relay", later, later),
        (ip_address("2001:db8:a:b::1"), 1080, "socks5", "open_proxy", later, later),
    ]
    assert made["cases"] == [
        (ip_address("198.51.100.7"), 8080, "http", ip_address("198.51.0.0"), "seen", NOW),
        (ip_address("2001:db8:a:b::1"), 1080, "socks5", ip_address("2001:db8::"), "seen", NOW),
    ]
    assert ("case.seen", 2) in made["events"]
    with db.read() as connection:
        [row] = rows(connection, select(observations).where(observations.c.line == 2))
        kept = connection.execute(select(observations.c.topic).order_by(observations.c.line)).scalars().all()
    assert (row["raw"], row["expires_at"] - row["observed_at"]) == (
        path.read_bytes().split(b"\n")[1],
        timedelta(days=7),
    )
    assert kept == ["open_proxy", "open_proxy", "open_proxy", "open_relay", ""]


def test_the_same_file_twice_adds_nothing_and_says_so(db: Database, tmp_path: Path) -> None:
    campaign(db)
    path = many(tmp_path, 100)
    first = read(db, path)
    before = content(db)
    again = read(db, path.rename(tmp_path / "other-name.csv"), now=NOW + timedelta(days=1))
    assert (first.new, again.new) == (True, False)
    assert (again.snapshot_id, again.lines, again.targets, again.cases) == (first.snapshot_id, first.lines, 0, 0)
    assert content(db) == before


def test_another_delivery_of_known_lines_only_widens_when_they_were_seen(db: Database, tmp_path: Path) -> None:
    campaign(db)
    read(db, written(tmp_path, f"198.51.100.7,8080,{SEEN},http_proxy"))
    for day, name in ((1, "later.csv"), (-3, "earlier.csv")):
        seen = (NOW + timedelta(days=day)).isoformat()
        path = written(tmp_path, f"198.51.100.7,8080,{seen},http_proxy", name=name)
        result = read(db, path, now=NOW + timedelta(days=2))
        assert (result.new, result.targets, result.cases) == (True, 0, 0)
    [target] = content(db)["targets"]
    assert target[4:] == (NOW - timedelta(days=3), NOW + timedelta(days=1))


@pytest.fixture(scope="session")
def in_one_go(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    """What becomes of the 120 lines when nothing disturbs."""
    folder = tmp_path_factory.mktemp("one-go")
    shutil.copy(sqlite_template, folder / "tocsin.db")
    db = Database(f"sqlite:///{folder / 'tocsin.db'}")
    campaign(db)
    read(db, many(folder, 120), chunk=10_000)
    made = content(db)
    db.close()
    assert made["snapshots"] == [(121, 116, 4, "accepted")]
    assert made["applied"] == [(121,)]
    assert [len(made[name]) for name in ("observations", "rejects", "targets", "cases")] == [116, 4, 100, 100]
    assert made["events"] == [
        ("campaign.created", 1),
        ("case.seen", 100),
        ("snapshot.accepted", 1),
        ("snapshot.received", 1),
    ]
    return made


def test_stopped_at_any_step_and_run_again_it_ends_the_same(db: Database, tmp_path: Path, in_one_go: object) -> None:
    class Stop(Exception):
        pass

    campaign(db)
    path = many(tmp_path, 120)
    stopped_at = []

    def stop_at(step: int) -> Callable[[str, int, int], None]:
        steps = 0

        def progress(what: str, _done: int, _total: int) -> None:
            nonlocal steps
            steps += 1
            if steps == step:
                stopped_at.append(what)
                raise Stop

        return progress

    step = 2
    while True:  # each attempt dies a step later than the one before it
        try:
            read(db, path, progress=stop_at(step), chunk=20)
        except Stop:
            step += 1
        else:
            break
    assert set(stopped_at) == {"bytes read", "lines applied", "cases made"}
    assert content(db) == in_one_go


def start(db: Database, path: Path, chunk: int, wait_at: int = 0) -> subprocess.Popen[str]:
    """Run this file as a program; it stops and waits to be killed at its `wait_at`-th step."""
    root = Path(__file__).parents[2]
    url = db.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, __file__, url, str(path), str(chunk), str(wait_at)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True)


def test_killed_by_the_system_it_goes_on_where_it_was(db: Database, tmp_path: Path, in_one_go: object) -> None:
    campaign(db)
    declared(db)
    path = many(tmp_path, 120)
    stored: list[dict[str, int]] = []
    for _ in range(4):
        with start(db, path, chunk=20, wait_at=4) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            if not stored:
                with pytest.raises(TryAgain, match="hands of another"):
                    read(db, path)  # it lives
            process.send_signal(signal.SIGKILL)
        stored.append(count(db))
    assert stored[0]["observations"] < stored[1]["observations"] == 116
    assert stored[-1]["targets"] > 0
    read(db, path, worker_id=worker(db, planner=True))  # it has the planner's lock, so the other is dead
    assert content(db) == in_one_go


def test_two_processes_at_once_double_nothing(db: Database, tmp_path: Path, in_one_go: object) -> None:
    campaign(db)
    declared(db)
    path = many(tmp_path, 120)
    processes = [start(db, path, chunk=10) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0] for process in processes)
    assert said in (["done\n", "done\n"], ["another has it\n", "done\n"])
    assert content(db) == in_one_go


def test_a_full_disk_is_said_and_nothing_is_lost(sqlite_template: Path, tmp_path: Path, in_one_go: object) -> None:
    shutil.copy(sqlite_template, tmp_path / "tocsin.db")
    db = Database(f"sqlite:///{tmp_path / 'tocsin.db'}")
    campaign(db)
    feed, path, worker_id = declared(db), many(tmp_path, 120), worker(db)

    def fill(what: str, done: int, _total: int) -> None:
        if what == "lines applied" and done == 40:
            with db.write() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    with pytest.raises(DBAPIError, match="disk is full") as caught:
        read(db, path, feed, progress=fill, worker_id=worker_id)
    told = explain(caught.value)
    assert isinstance(told, TryAgain)
    assert "nothing is lost" in told.next_step
    with db.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    read(db, path, feed)
    assert content(db) == in_one_go
    db.close()


def test_who_lost_its_lease_writes_nothing_more(db: Database, tmp_path: Path) -> None:
    campaign(db)
    path = many(tmp_path, 120)
    before: dict[str, int] = {}

    def frozen(what: str, _done: int, _total: int) -> None:
        if what == "bytes read" and not before:
            later = NOW + timedelta(seconds=31)
            with db.write() as connection:
                assert store.take(connection, 1, workers.register(connection, "b", 2, planner=False, now=later), later)
            before.update(count(db))

    with pytest.raises(TryAgain, match="out of this process's hands"):
        read(db, path, progress=frozen)
    assert count(db) == before != {}


def test_a_claim_without_a_port_makes_a_target_only_where_there_is_none(db: Database, tmp_path: Path) -> None:
    campaign(db)
    read(
        db,
        written(
            tmp_path,
            "198.51.100.1,,2026-03-01T09:30:00Z,http_proxy",  # before the line that has the port: the order is no matter
            f"198.51.100.2,,{SEEN},proxy",  # any kind, and one that says which
            f"198.51.100.2,,{SEEN},socks5",
            f"198.51.100.3,,{SEEN},socks",  # an HTTP proxy there is not what it speaks of
            f"198.51.100.4,,{SEEN},open_relay",  # another topic
            f"198.51.100.1,8080,{SEEN},http_proxy",
            f"198.51.100.1,3128,{SEEN},http_connect",
            f"198.51.100.3,8080,{SEEN},http_proxy",
            f"198.51.100.4,8080,{SEEN},http_proxy",
        ),
        chunk=2,
    )
    assert seen_ports(db) == [
        ("198.51.100.1", 3128, "http"),
        ("198.51.100.1", 8080, "http"),
        ("198.51.100.2", 0, "socks5"),
        ("198.51.100.3", 0, "any"),
        ("198.51.100.3", 8080, "http"),
        ("198.51.100.4", 0, "smtp"),
        ("198.51.100.4", 8080, "http"),
    ]
    last = [row[5] for row in content(db)["targets"]]
    assert last[:2] == [NOW - timedelta(minutes=30)] * 2  # the claim without a port speaks of both
    assert last[2:] == [NOW - timedelta(hours=1)] * 5


def test_with_over_five_per_cent_rejects_a_person_looks_first(db: Database, tmp_path: Path) -> None:
    campaign(db)
    good = [f"198.51.100.{n},8080,{SEEN},http_proxy" for n in range(19)]
    path = written(tmp_path, *good, f"198.51.100.20,8080,{SEEN},http_proxy", "nonsense,1,2,3", "nonsense,1,2,3")
    held = read(db, path)
    assert (held.verdict, held.reason, held.observations, held.rejects) == (Verdict.HELD, "too-many-rejects", 20, 2)
    assert (count(db)["targets"], count(db)["cases"]) == (0, 0)
    again = read(db, path)
    assert (again.new, again.verdict, count(db)["targets"]) == (False, Verdict.HELD, 0)
    within = read(db, written(tmp_path, *good, "nonsense,1,2,3", name="within.csv"))
    assert within.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("observed", "rejected", "expected"),
    [
        (0, 0, (Verdict.HELD, "empty")),
        (0, 1, (Verdict.HELD, "too-many-rejects")),
        (1, 18, (Verdict.ACCEPTED, "")),  # too few lines to tell
        (18, 2, (Verdict.HELD, "too-many-rejects")),
        (19, 1, (Verdict.ACCEPTED, "")),  # 5 %, and not more
        (1_000_000, 52_631, (Verdict.ACCEPTED, "")),
        (1_000_000, 52_632, (Verdict.HELD, "too-many-rejects")),
    ],
)
def test_over_five_per_cent_of_twenty_lines_or_nothing_at_all_is_held(
    observed: int, rejected: int, expected: tuple[Verdict, str]
) -> None:
    assert verdict(observed, rejected) == expected


def test_a_file_that_says_nothing_is_held(db: Database, tmp_path: Path) -> None:
    for number, raw in enumerate((b"", b"# only a comment\n", b"ip,port,seen,kind\n")):
        path = tmp_path / f"file{number}"
        path.write_bytes(raw)
        result = read(db, path)
        assert (result.verdict, result.reason, result.observations) == (Verdict.HELD, "empty", 0)


def test_a_released_snapshot_acts_and_a_voided_one_never_does(db: Database, tmp_path: Path) -> None:
    campaign(db)
    bad = [f"x{n}" for n in range(20)]
    one = read(db, written(tmp_path, f"198.51.100.1,8080,{SEEN},http_proxy", *bad, name="one.csv"))
    two = read(db, written(tmp_path, f"198.51.100.2,8080,{SEEN},http_proxy", *bad, name="two.csv"))
    with db.write() as connection:
        store.release_snapshot(connection, one.snapshot_id, "the partner's header changed", NOW, "person:3")
        store.void_snapshot(connection, two.snapshot_id, "not ours", NOW, "person:3")
    assert work_accepted(db) == 1
    assert work_accepted(db) == 0
    assert seen_ports(db) == [("198.51.100.1", 8080, "http")]
    assert count(db)["cases"] == 1
    again = read(db, tmp_path / "two.csv")
    assert (again.verdict, again.reason, count(db)["targets"]) == (Verdict.VOIDED, "not ours", 1)
    with db.read() as connection:
        told = select(events.c.what, events.c.by).where(events.c.by == "person:3").order_by(events.c.id)
        assert [tuple(row) for row in connection.execute(told)] == [
            ("snapshot.released", "person:3"),
            ("snapshot.voided", "person:3"),
        ]
    with pytest.raises(RefusedBySafety, match="cannot become accepted"), db.write() as connection:
        store.release_snapshot(connection, two.snapshot_id, "after all", NOW, "person:3")


def work_accepted(db: Database, now: datetime = NOW) -> int:
    return apply_accepted(db, topics(), worker_id=worker(db, now), clock=lambda: now, progress=nothing, chunk=20)


def test_a_snapshot_voided_while_it_is_applied_stops(db: Database, tmp_path: Path) -> None:
    campaign(db)
    path = many(tmp_path, 120)

    def void(what: str, done: int, _total: int) -> None:
        if what == "lines applied" and done == 40:
            with db.write() as connection:
                store.void_snapshot(connection, 1, "wrong file", NOW, "person:3")

    with pytest.raises(TryAgain):
        read(db, path, progress=void)
    assert 0 < count(db)["targets"] <= 40
    assert count(db)["cases"] == 0
    assert work_accepted(db) == 0


def test_a_voided_snapshot_makes_its_cases_due_for_a_new_judgement(db: Database, tmp_path: Path) -> None:
    campaign(db)
    result = read(db, written(tmp_path, f"198.51.100.1,8080,{SEEN},http_proxy"))
    other = read(db, written(tmp_path, f"198.51.100.2,8080,{SEEN},http_proxy", name="other.csv"))
    with db.write() as connection:
        lives.advance(connection, [1, 2], Event.CASE_CONTACT_FOUND, NOW, "tocsin", values={"due_at": None})
        store.void_snapshot(connection, result.snapshot_id, "wrong file", NOW + timedelta(days=1), "person:3")
        due = dict(tuple(row) for row in connection.execute(select(cases.c.id, cases.c.due_at)))
    assert due == {1: NOW + timedelta(days=1), 2: None}
    assert other.verdict is Verdict.ACCEPTED


def test_a_rejected_line_is_kept_with_its_number_and_reason(db: Database, tmp_path: Path) -> None:
    good = f"198.51.100.1,8080,{SEEN},http_proxy"
    read(db, written(tmp_path, good, "127.0.0.1,8080,,http_proxy", good, "198.51.100.1,99999,,http_proxy"))
    with db.read() as connection:
        found = connection.execute(select(rejects).order_by(rejects.c.line)).all()
    assert [(row.line, row.reason) for row in found] == [(3, "address-special"), (5, "port-bad")]
    assert found[1].raw == b"198.51.100.1,99999,,http_proxy"


def test_a_campaign_made_after_the_file_gets_its_cases(db: Database, tmp_path: Path) -> None:
    read(db, written(tmp_path, f"198.51.100.1,8080,{SEEN},http_proxy", f"198.51.100.2,25,{SEEN},open_relay"))
    assert count(db)["cases"] == 0
    late = campaign(db, "late", ("open_relay", "open_proxy"))
    with db.write() as connection:
        assert [campaigns.open_cases(connection, late, NOW, "tocsin", 1) for _ in range(3)] == [1, 1, 0]
    assert count(db)["cases"] == 2


def test_every_open_campaign_gets_its_cases_and_a_closed_one_none(db: Database, tmp_path: Path) -> None:
    campaign(db, "one")
    campaign(db, "two", ("open_relay", "open_proxy"))
    campaign(db, "closed")
    with db.write() as connection:
        connection.execute(text("UPDATE campaigns SET closed_at = created_at WHERE name = 'closed'"))
    result = read(db, written(tmp_path, f"198.51.100.1,8080,{SEEN},http_proxy", f"198.51.100.2,25,{SEEN},open_relay"))
    assert result.cases == 3
    with db.read() as connection:
        assert connection.execute(select(cases.c.campaign_id).order_by(cases.c.id)).scalars().all() == [1, 2, 2]


def test_what_is_seen_again_is_a_case_again(db: Database, tmp_path: Path) -> None:
    campaign(db)
    ended_at, later = NOW + timedelta(hours=24), NOW + timedelta(hours=26)
    table = [
        (Event.CASE_FIXED, ended_at + timedelta(hours=1), CaseState.RESOLVED),
        (Event.CASE_FIXED, ended_at - timedelta(hours=1), CaseState.FIXED),  # it was seen before it was fixed
        (Event.CASE_UNLISTED, ended_at - timedelta(hours=1), CaseState.RESOLVED),  # late, and still a listing
        (Event.CASE_UNLISTED, NOW - timedelta(days=6), CaseState.DORMANT),  # late, and over
    ]
    hosts = range(1, 5)
    read(db, written(tmp_path, *(f"198.51.100.{host},8080,{SEEN},http_proxy" for host in hosts)))
    with db.write() as connection:
        lives.advance(connection, list(hosts), Event.CASE_CONTACT_FOUND, NOW, "tocsin", values={"due_at": None})
        for case, (event, _, _) in zip(hosts, table, strict=True):
            lives.advance(connection, [case], event, ended_at, "tocsin")
    lines = [f"198.51.100.{host},8080,{table[host - 1][1].isoformat()},http_proxy" for host in hosts]
    read(db, written(tmp_path, *lines, name="later.csv"), now=later)
    made = content(db)
    assert [row[4:] for row in made["cases"]] == [
        (after.value, later if after is CaseState.RESOLVED else None) for _, _, after in table
    ]
    assert ("case.seen_again", 2) in made["events"]


def test_a_gzip_file_is_the_bytes_as_received(db: Database, tmp_path: Path) -> None:
    plain = many(tmp_path, 60)
    packed = tmp_path / "delivery.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    assert read(db, packed).observations == read(db, plain).observations == 58
    assert count(db)["observations"] == 116


def test_times_come_from_the_file_where_the_feed_says_so(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("198.51.100.1:8080\n")
    os.utime(path, (NOW.timestamp() - 3600, NOW.timestamp() - 3600))
    feed = declared(db, parser="ip_port", claim="http_proxy", observed="file", columns={})
    read(db, path, feed)
    [target] = content(db)["targets"]
    assert target[4] == NOW - timedelta(hours=1)


def test_a_file_that_changes_while_it_is_read_is_void(db: Database, tmp_path: Path) -> None:
    campaign(db)
    path = many(tmp_path, 60)

    def grow(what: str, _done: int, _total: int) -> None:
        if what == "bytes read":
            with path.open("a") as file:
                file.write(f"198.51.100.1,8080,{SEEN},http_proxy\n")

    with pytest.raises(TryAgain, match="changed while it was read"):
        read(db, path, progress=grow)
    assert content(db)["snapshots"][0][3] == "voided"
    assert count(db)["targets"] == 0
    assert read(db, path).verdict is Verdict.ACCEPTED


def test_what_cannot_be_read_says_why_and_leaves_nothing(db: Database, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF" + bytes(100))
    wanted: list[tuple[Path, type[TocsinError]]] = [
        (tmp_path / "absent", NotFound),
        (tmp_path, TocsinError),
        (binary, TocsinError),
    ]
    for path, kind in wanted:
        with pytest.raises(kind) as caught:
            read(db, path)
        assert caught.value.what
        assert caught.value.next_step
    feed = declared(db, parser="xml")
    with pytest.raises(ConfigurationError, match="which does not exist"):
        read(db, written(tmp_path, ""), feed)
    feed = declared(db, claims={"http": "no_such_claim"})
    with pytest.raises(ConfigurationError, match="no_such_claim"):
        read(db, written(tmp_path, ""), feed)
    with pytest.raises(NotFound, match="nobody") as unknown, db.read() as connection:
        feeds.feed_by_name(connection, "nobody")
    assert "partner" in unknown.value.why
    assert content(db)["snapshots"] == []


def as_a_program(url: str, path: str, chunk: str, wait_at: str) -> None:
    steps = 0

    def progress(_what: str, _done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == int(wait_at):
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            time.sleep(60)

    db = Database(url)
    with db.read() as connection:
        feed = feeds.feed_by_name(connection, "partner")
    said = "another has it\n"
    with contextlib.suppress(TryAgain):
        read(db, Path(path), feed, progress=progress, worker_id=worker(db, planner=wait_at != "0"), chunk=int(chunk))
        said = "done\n"
    sys.stdout.write(said)
    db.close()


if __name__ == "__main__":
    as_a_program(*sys.argv[1:])
