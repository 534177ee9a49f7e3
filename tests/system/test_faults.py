"""Bad conditions are told (what, why, what next) with the right exit code, leave nothing half-written, and end: afterwards
the same command goes on.

Everything goes through the real command.  Exit codes: docs/reference/exit-codes.md.
"""

import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text, update

from pipeline.sandbox.mail_rules import Rule
from pipeline.store.tables import letters
from tests.databases import administer
from tests.ran import Ran
from tests.system import campaign
from tests.system.campaign import BULK, BULK_LINES, IN_LIST_2, LIST_1, LIST_2, NAME, Site, contact
from tests.system.conftest import Databases, NewDatabase
from tests.system.forked import Commands

SEND = ("send", NAME, "--execute", "--yes")
CLOSED = 1  # a port of loopback where nobody listens


def assert_told(ran: Ran, code: int, what: str, *, next_step: bool = True) -> None:
    """It ended with this code, said these words, and what to do next; and nothing came from the depths."""
    assert ran.code == code, ran
    assert what in ran.err, ran
    assert ran.err.startswith("Error: ") or "\nError: " in ran.err
    assert ("\nNext: " in ran.err) is next_step
    assert "Traceback" not in ran.err, ran.err


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(commands: Commands, sqlite: Databases) -> Iterator[Site]:
    """An installation with a campaign, and nothing that has come in."""
    with campaign.site(commands, sqlite.new) as site:
        site.prepare()
        yield site


def lines(count: int) -> bytes:
    return b"".join(b"192.0.2.%d:%d\n" % (i % 256, 1024 + i // 256) for i in range(count))


BAD_FILES: dict[str, tuple[bytes, int, str]] = {
    "UTF-16": ("192.0.2.1:3128\n".encode("utf-16"), 5, "is UTF-16"),
    "an archive": (b"PK\x03\x04" + bytes(500), 5, "a ZIP archive"),
    "a program": (b"\x7fELF" + bytes(500), 5, "a program"),
    "noise": (random.Random(1).randbytes(5000).replace(b"1", bytes(9)), 5, "is not text"),
    "cut short": (gzip.compress(lines(60_000), mtime=0)[:-5000], 5, "is damaged"),
    "a bomb": (gzip.compress(bytes(b"192.0.2.1:3128 " * 4_000_000), mtime=0), 5, "is too large"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_feed_is_refused_whole(plain: Site, kind: str) -> None:
    content, code, what = BAD_FILES[kind]
    file = plain.folder / "bad.txt"
    file.write_bytes(content)
    assert_told(plain.run("ingest", str(file), "--feed", "scan"), code, what)
    assert plain.number("SELECT count(*) FROM targets") == plain.number("SELECT count(*) FROM cases") == 0
    assert plain.number("SELECT count(*) FROM snapshots WHERE verdict = 'accepted'") == 0


def test_a_file_that_cannot_be_read_is_named(plain: Site) -> None:
    secret = plain.folder / "secret.txt"
    secret.write_text("192.0.2.1:3128\n")
    secret.chmod(0)
    before = plain.number("SELECT count(*) FROM snapshots")
    assert_told(
        plain.run("ingest", str(secret), "--feed", "scan", reads_anything=False), 5, "secret.txt cannot be read"
    )
    assert_told(plain.run("ingest", plain.file("none.txt"), "--feed", "scan"), 4, "none.txt does not exist")
    assert_told(plain.run("ingest", str(plain.folder), "--feed", "scan"), 5, "is not a file")
    assert_told(plain.run("ingest", "/proc/self/mem", "--feed", "scan"), 5, "/proc/self/mem cannot be read")
    assert plain.number("SELECT count(*) FROM snapshots") == before


def test_a_file_in_another_encoding_is_held_for_a_person_and_opens_nothing(plain: Site) -> None:
    file = plain.folder / "latin.txt"
    file.write_bytes("adresse relevée à Montréal\n".encode("latin-1") * 40)
    ran = plain.run("ingest", str(file), "--feed", "scan", "--json")
    assert (ran.code, ran.data["files"][0]["verdict"], ran.data["files"][0]["reason"]) == (
        0,
        "held",
        "too-many-rejects",
    )
    assert plain.number("SELECT count(*) FROM targets") == 0


def test_one_bad_file_does_not_keep_the_others_out(plain: Site) -> None:
    good, bad = plain.folder / "good.txt", plain.folder / "bad.txt"
    good.write_bytes(lines(25))
    bad.write_bytes(b"PK\x03\x04")
    ran = plain.run("ingest", str(bad), str(good), "--feed", "rumours", "--json")
    assert ran.code == 5
    assert [row["observations"] for row in ran.data["files"]] == [25]
    assert "is not text" in ran.data["failed"][0]["what"]


def test_what_is_not_declared_is_named_with_what_is(plain: Site) -> None:
    assert_told(plain.run("ingest", plain.file(LIST_1), "--feed", "scam"), 4, "declared are: scan, rumours")
    assert_told(plain.run("wave", "plan", "another"), 4, "another")


def test_a_setting_nobody_knows_is_named_by_its_path(plain: Site) -> None:
    before = plain.config.read_text("utf-8")
    try:
        plain.change({"mail": {"relay": {"hots": "127.0.0.1"}}})
        assert_told(plain.run("run", "--once"), 3, "mail.relay.hots: no such setting")
        plain.config.write_bytes(before.encode("utf-16"))
        assert_told(plain.run("run", "--once"), 3, "is not UTF-8 text")
        plain.config.unlink()
        plain.config.mkdir()
        assert_told(plain.run("run", "--once"), 3, "cannot be read")
        plain.config.rmdir()
    finally:
        plain.config.write_text(before, encoding="utf-8")
    plain.must("run", "--once")


# --- no network ------------------------------------------------------------------------------------------------------


@pytest.fixture
def approved(commands: Commands, sqlite_approved: NewDatabase) -> Iterator[Site]:
    with campaign.site(commands, sqlite_approved) as site:
        yield site


@pytest.fixture
def listed(commands: Commands, sqlite: Databases) -> Iterator[Site]:
    """An installation with the cases of eight networks."""
    with campaign.site(commands, sqlite.new) as site:
        site.prepare()
        site.must("ingest", site.file(LIST_2), "--feed", "scan")
        yield site


@contextmanager
def unreachable_registries() -> Iterator[str]:
    """The URL of a registry of registries that names, for every network, a registry where nobody listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            services = [[["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"], [f"http://127.0.0.1:{CLOSED}/arin/"]]]
            body = json.dumps({"services": services, "version": "1.0"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_without_the_registry_of_registries_nothing_is_concluded(listed: Site) -> None:
    right = listed.town.settings()["rdap"]["bootstrap_v4"]
    listed.change({"rdap": {"bootstrap_v4": f"http://127.0.0.1:{CLOSED}/ipv4.json"}})
    assert_told(listed.run("resolve"), 75, f"http://127.0.0.1:{CLOSED}/ipv4.json")
    assert listed.number("SELECT count(*) FROM cases WHERE state = 'seen'") == 24
    listed.change({"rdap": {"bootstrap_v4": right}})
    listed.must("resolve")
    assert listed.number("SELECT count(*) FROM cases WHERE state = 'resolved'") == 24


def test_a_registry_that_cannot_be_reached_says_nothing_of_its_networks(listed: Site) -> None:
    right = listed.town.settings()
    nowhere = dict.fromkeys(right["whois"]["hosts"], f"127.0.0.1:{CLOSED}")
    with unreachable_registries() as bootstrap:
        listed.change({"rdap": {"bootstrap_v4": bootstrap}, "whois": {"hosts": nowhere}})
        listed.must("run", "--once")
    assert listed.number("SELECT count(*) FROM cases WHERE state = 'seen'") == 24
    assert listed.number("SELECT count(*) FROM netblocks") == 0
    assert listed.query("SELECT min(due_at) > max(created_at) AS later FROM cases") == [{"later": 1}]


def test_without_a_name_server_nobody_is_called_closed_or_unlisted(listed: Site) -> None:
    listed.must("resolve")
    listed.change({"dns": {"nameservers": [f"127.0.0.1:{CLOSED}"], "timeout": "1s"}})
    listed.must("verify")
    found = listed.query("SELECT DISTINCT exposure FROM cases")
    assert found == [{"exposure": "open"}]  # the list itself says so
    [check] = listed.query("SELECT transcript FROM checks LIMIT 1")
    assert {zone["listing"] for zone in json.loads(check["transcript"])["zones"]} == {"unknown"}


def test_without_a_relay_the_letters_stay(approved: Site) -> None:
    approved.change({"mail": {"relay": {"port": CLOSED}}})
    assert_told(approved.run(*SEND), 75, "The relay refuses us")
    assert approved.letters() == {"approved": 8}
    approved.change({"mail": {"relay": {"port": approved.town.mail.port}}})
    approved.letters_are_due()
    approved.must("run", "--once")
    assert approved.letters() == {"handed": 7, "refused": 1}
    campaign.assert_nothing_twice_and_nothing_lost(approved)


# --- the database ----------------------------------------------------------------------------------------------------


def test_a_database_that_another_holds_is_waited_for_and_then_temporary(approved: Site) -> None:
    approved.change({"database": {"wait": "0.3s"}})
    with closing(sqlite3.connect(approved.folder / "tocsin.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_told(approved.run("run", "--once"), 75, "another program holds the database's write lock")
        assert_told(approved.run(*SEND), 75, "another program holds the database's write lock")
    approved.must(*SEND)
    assert approved.letters() == {"handed": 7, "refused": 1}


def test_a_database_of_a_newer_release_is_left_alone(commands: Commands, databases: Databases) -> None:
    with campaign.site(commands, databases.new) as site:
        with site.db.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '299901010000_later'")
        for line in (("run", "--once"), ("ingest", site.file(LIST_1), "--feed", "scan"), ("db", "upgrade")):
            assert_told(site.run(*line), 3, "made by a newer release")
        assert site.number("SELECT count(*) FROM events") == 0


def test_a_database_server_that_is_down_is_temporary(commands: Commands, sqlite: Databases) -> None:
    with campaign.site(commands, sqlite.new) as site:
        site.change({"database": {"url": f"postgresql://nobody@127.0.0.1:{CLOSED}/tocsin"}})
        for line in (("run", "--once"), ("status",), SEND, ("init", str(site.folder))):
            assert_told(site.run(*line), 75, "the database server does not answer")


def cut_off(site: Site, server: str) -> None:
    """End every connection to the site's database, as a restart of the server does."""
    name = site.db.engine.url.database
    ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    administer(server, f"{ours} AND datname = '{name}'")


WAITING = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_a_database_server_that_goes_away_in_the_midst_of_it_loses_nothing(
    commands: Commands, postgresql: Databases
) -> None:
    with campaign.site(commands, postgresql.new) as site:
        site.prepare()
        with site.db.write() as connection:
            connection.execute(text("LOCK TABLE observations IN ACCESS EXCLUSIVE MODE"))
            running = site.start("ingest", site.file(BULK), "--feed", "rumours")
            site.until(f"SELECT count(*) {WAITING}")
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {WAITING}"))
        assert_told(running.end(), 75, "the database server went away")
        site.must("ingest", site.file(BULK), "--feed", "rumours")
        site.must("ingest", site.file(LIST_2), "--feed", "scan")
        campaign.assert_lines_are_stored_once(site, {BULK: BULK_LINES, LIST_2: 24})
        site.must("run", "--once")
        site.must("wave", "plan", NAME)
        site.must("render")
        site.must("approve", "accept", NAME)
        site.change({"mail": {"rate": 3.0}})
        running = site.start(*SEND)
        site.until("SELECT count(*) > 2 FROM letters WHERE state = 'handed'")
        cut_off(site, postgresql.server)
        ran = running.end()
        if ran.code:  # else no connection was in use, and new ones were made
            assert_told(ran, 75, "the database server went away")
        site.change({"mail": {"rate": 0.0}})
        assert site.run(*SEND).code == (0 if ran.code else 6)
        campaign.assert_nothing_twice_and_nothing_lost(site)
        campaign.assert_events_tell_every_state(site)
        assert site.letters()["handed"] >= 5


# --- a full disk -----------------------------------------------------------------------------------------------------


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A disk of 64 MB of its own."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, but: int) -> Path:
    """Fill a disk but for so many bytes, and return the file that fills it."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - but)
    return filler


def test_a_full_disk_while_a_file_is_read_loses_nothing(commands: Commands, sqlite: Databases, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk, campaign.site(commands, lambda _: sqlite.new(disk)) as site:
        site.prepare()
        filler = fill(disk, 1_000_000)
        for _ in range(2):
            assert_told(site.run("ingest", site.file(BULK), "--feed", "rumours"), 75, "the disk is full")
        filler.unlink()
        site.must("ingest", site.file(BULK), "--feed", "rumours")
        campaign.assert_lines_are_stored_once(site, {BULK: BULK_LINES})


def test_a_full_disk_while_letters_are_sent_loses_nothing(
    commands: Commands, sqlite_approved: NewDatabase, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk") as disk, campaign.site(commands, lambda _: sqlite_approved(disk)) as site:
        site.number("SELECT 1")
        filler = fill(disk, 300_000)
        assert_told(site.run(*SEND), 75, "the disk is full")
        arrived = len(site.sink())
        assert 0 < arrived < 7
        assert_told(site.run(*SEND), 75, "the disk is full")
        filler.unlink()
        site.must(*SEND)
        campaign.assert_nothing_twice_and_nothing_lost(site)
        campaign.assert_events_tell_every_state(site)
        found = site.letters()
        assert found["uncertain"] <= 2 * campaign.CONNECTIONS
        assert found["handed"] + found["uncertain"] == 7


def test_a_limit_on_the_size_of_files_is_temporary_too(commands: Commands, sqlite: Databases) -> None:
    with campaign.site(commands, sqlite.new) as site:
        line = ("ingest", site.file(BULK), "--feed", "rumours")
        site.prepare()
        assert_told(site.run(*line, largest_file=1_000_000), 75, "The database could not be used")
        site.must(*line)
        campaign.assert_lines_are_stored_once(site, {BULK: BULK_LINES})


# --- a person stops it -----------------------------------------------------------------------------------------------


def stop(site: Site, number: signal.Signals, *line: str) -> Ran:
    """Start a command, and stop it by a signal once it works."""
    before = site.number("SELECT count(*) FROM workers")
    running = site.start(*line)
    site.until(f"SELECT count(*) > {before} FROM workers")  # noqa: S608
    running.send(number)
    return running.end()


def test_ctrl_c_and_sigterm_in_every_stage_save_the_state_and_the_next_run_goes_on(
    commands: Commands, databases: Databases
) -> None:
    slow = {"rdap": {"rate": 2.0}, "zones": {campaign.ZONE: {"rate": 2.0}}, "mail": {"rate": 2.0}}
    quick = {"rdap": {"rate": 0.0}, "zones": {campaign.ZONE: {"rate": 0.0}}, "mail": {"rate": 0.0}}
    ended_first = []
    with campaign.site(commands, databases.new) as site:
        site.prepare()

        def stage(*line: str, in_time: bool = True) -> None:
            site.change(slow)
            for number in (signal.SIGINT, signal.SIGTERM):
                ran = stop(site, number, *line)
                if in_time or ran.code:
                    assert_told(ran, 130, "Interrupted")
                    assert "The state is saved: run the same command again to go on." in ran.err
                else:
                    ended_first.append((line, number))
            site.change(quick)
            site.must(*line)

        stage("ingest", site.file(BULK), "--feed", "rumours")
        site.must("ingest", site.file(LIST_2), "--feed", "scan")
        stage("resolve")
        stage("verify")
        stage("wave", "plan", NAME, in_time=False)
        stage("render", in_time=False)
        site.must("approve", "accept", NAME)
        stage(*SEND)
        assert site.letters() == {"handed": 7, "refused": 1}  # a stop leaves none uncertain
        site.must("ingest", site.file(LIST_1), "--feed", "scan")
        stage("run")
        campaign.assert_nothing_twice_and_nothing_lost(site)
        campaign.assert_every_target_has_its_case(site)
        campaign.assert_events_tell_every_state(site)
        campaign.assert_lines_are_stored_once(site, {BULK: BULK_LINES, LIST_1: 120, LIST_2: 24})
        campaign.assert_no_stored_answer_was_asked_again(site)
        assert site.number("SELECT count(*) FROM workers WHERE ended_at IS NULL") == 0


# --- two at once -----------------------------------------------------------------------------------------------------


def test_two_at_once_end_well_and_do_nothing_twice(commands: Commands, databases: Databases) -> None:
    with campaign.site(commands, databases.new) as site:
        site.prepare()

        def both(*line: str, other: tuple[int, ...] = (0,)) -> None:
            ends = sorted(running.end().code for running in (site.start(*line), site.start(*line)))
            assert ends[0] == 0
            assert ends[1] in other

        both("ingest", site.file(BULK), "--feed", "rumours", other=(0, 75))
        both("ingest", site.file(LIST_2), "--feed", "scan", other=(0, 75))
        both("run")
        both("wave", "plan", NAME)
        both("run")
        both("approve", "accept", NAME, other=(6,))
        both(*SEND, other=(0, 6))
        both("run")
        campaign.assert_nothing_twice_and_nothing_lost(site)
        campaign.assert_every_target_has_its_case(site, IN_LIST_2)
        campaign.assert_events_tell_every_state(site)
        campaign.assert_lines_are_stored_once(site, {BULK: BULK_LINES, LIST_2: 24})
        campaign.assert_no_stored_answer_was_asked_again(site)
        assert site.letters() == {"handed": 7, "refused": 1}
        assert site.number("SELECT count(*) FROM waves") == 1
        assert site.number("SELECT count(*) FROM waves WHERE state = 'done'") == 1


def test_a_process_that_was_overtaken_stops_before_its_effect(commands: Commands, new_approved: NewDatabase) -> None:
    with campaign.site(commands, new_approved) as site:
        site.town.mail.rules.rules = {contact(47): Rule("stall", "data", seconds=2.0)}
        running = site.start(*SEND)
        site.until(campaign.ONE_OPEN)
        with site.db.write() as connection:  # as a worker does that finds the other silent for 30 s
            connection.execute(update(letters).where(letters.c.state == "claimed").values(claim=letters.c.claim + 1))
        assert_told(running.end(), 75, "Another process has taken over this work")
        assert len(site.sink()) == 7
        site.must(*SEND)
        assert site.letters() == {"handed": 8}
        campaign.assert_nothing_twice_and_nothing_lost(site)
        campaign.assert_events_tell_every_state(site)
