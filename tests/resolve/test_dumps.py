"""Registries' dumps: imported once, whatever stops it, and answering as the registry's server would; on both databases.

Run as a program (database URL, file, number of the piece at which to wait) it is the process that the tests kill.
"""

import gzip
import os
import signal
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline.domain import Answer, NetworkAnswer, NotFound, Outcome, StepKind, TocsinError, TryAgain
from pipeline.resolve import dump_file, dumps, rpsl_dump, whois_answer
from pipeline.resolve.dumps import ImportResult, import_dump
from pipeline.resolve.scope import ScopeCaps
from pipeline.store import dumps as store
from pipeline.store import netblocks, workers
from pipeline.store.db import Database
from pipeline.store.netblocks import Learnt
from pipeline.store.tables import dump_blocks, dump_objects, netblock_contacts

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEEP = timedelta(days=30)

NETWORKS = """
inetnum:        192.0.2.0 - 192.0.2.255
netname:        EXAMPLE-ISP
descr:          Example Internet
country:        CA
org:            ORG-EX1-RIPE
admin-c:        TEC1-RIPE
mnt-by:         EXAMPLE-MNT
source:         RIPE

inetnum:        192.0.2.64 - 192.0.2.127
netname:        CUSTOMER
country:        FR
source:         RIPE

inetnum:        192.0.2.96 - 192.0.2.103
netname:        OWN-DESK
country:        FR
abuse-c:        AR2-RIPE
source:         RIPE

inetnum:        192.0.2.200 - 192.0.2.206
netname:        SILENT
org:            ORG-EX2-RIPE
abuse-c:        GONE-RIPE
country:        FR
source:         RIPE

inetnum:        198.51.100.0 - 198.51.100.255
netname:        ALONE
country:        DE
source:         RIPE

inetnum:        192.0.0.0 - 223.255.255.255
netname:        NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK
country:        EU # Country is really world wide
abuse-c:        AR9-RIPE
source:         RIPE
"""
NETWORKS_V6 = """
inet6num:       2001:db8::/32
netname:        EXAMPLE-V6
country:        CA
org:            ORG-EX1-RIPE
source:         RIPE

inet6num:       2001:db8:5::/48
netname:        CUSTOMER-V6
country:        CA
source:         RIPE
"""
OTHERS = """
organisation:   ORG-EX1-RIPE
org-name:       Exemple Télécom
abuse-c:        AR1-RIPE
source:         RIPE

organisation:   ORG-EX2-RIPE
org-name:       Without a desk
source:         RIPE

role:           Abuse desk
nic-hdl:        AR1-RIPE
abuse-mailbox:  abuse@isp.example
source:         RIPE

role:           Own desk
nic-hdl:        AR2-RIPE
abuse-mailbox:  desk@customer.example
source:         RIPE

role:           Technicians
nic-hdl:        TEC1-RIPE
e-mail:         noc@isp.example
source:         RIPE

role:           The registry
nic-hdl:        AR9-RIPE
abuse-mailbox:  registry@other.example
source:         RIPE
"""
WHOIS = """% This is the RIPE Database query service.

% Information related to '192.0.2.0 - 192.0.2.255'

% Abuse contact for '192.0.2.0 - 192.0.2.255' is 'abuse@isp.example'

inetnum:        192.0.2.0 - 192.0.2.255
netname:        EXAMPLE-ISP
descr:          Example Internet
country:        CA
org:            ORG-EX1-RIPE
admin-c:        TEC1-RIPE
status:         ALLOCATED PA
mnt-by:         EXAMPLE-MNT
source:         RIPE

organisation:   ORG-EX1-RIPE
org-name:       Exemple Télécom
address:        a street
abuse-c:        AR1-RIPE
mnt-ref:        EXAMPLE-MNT
source:         RIPE

role:           Technicians
nic-hdl:        TEC1-RIPE
e-mail:         noc@isp.example
source:         RIPE

role:           Abuse desk
nic-hdl:        AR1-RIPE
abuse-mailbox:  abuse@isp.example
source:         RIPE
"""


def worker(db: Database, now: datetime = NOW, *, planner: bool = False) -> int:
    with db.write() as connection:
        return workers.register(connection, "host", os.getpid(), planner=planner, now=now)


def written(folder: Path, text: str | bytes, name: str = "ripe.db.gz") -> Path:
    data = text.encode() if isinstance(text, str) else text
    path = folder / name
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def quiet(_what: str, _done: int, _total: int) -> None: ...


def read_in(
    db: Database, path: Path, registry: str = "", now: datetime = NOW, buffer: int = dumps.BUFFER, worker_id: int = 0
) -> ImportResult:
    given = worker_id or worker(db, now)
    return import_dump(db, path, registry, worker_id=given, clock=lambda: now, progress=quiet, buffer=buffer)


def ask(db: Database, *addresses: str, now: datetime = NOW, keep: timedelta = KEEP) -> dict[str, Learnt]:
    with db.read() as connection:
        wanted = [ip_address(address) for address in addresses]
        return {str(key): value for key, value in dumps.answers(connection, wanted, now, ScopeCaps(), keep).items()}


def mailboxes(learnt: Learnt) -> list[str]:
    return [candidate.mailbox for candidate in learnt.usable]


def rows_of(db: Database) -> tuple[int, int]:
    with db.read() as connection:
        blocks = connection.execute(select(func.count()).select_from(dump_blocks)).scalar_one()
        return blocks, connection.execute(select(func.count()).select_from(dump_objects)).scalar_one()


@pytest.fixture
def imported(db: Database, tmp_path: Path) -> Database:
    for name, text in (("inetnum", NETWORKS), ("inet6num", NETWORKS_V6), ("others", OTHERS)):
        assert read_in(db, written(tmp_path, text, f"ripe.db.{name}.gz")).new
    return db


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_dump_answers_as_the_whois_server_does(imported: Database) -> None:
    found = ask(imported, "192.0.2.1")["192.0.2.1"]
    said = Answer("whois://whois.registry.example:43/192.0.2.1", 200, "text/plain", WHOIS.encode(), NOW)
    by_whois = whois_answer.read(said, ip_address("192.0.2.1"), registry="ripencc", caps=ScopeCaps())

    def compared(answer: NetworkAnswer) -> list[object]:
        weighed = [(one.mailbox, one.tier, one.confidence, one.source, one.rejected) for one in answer.candidates]
        names = (answer.outcome, answer.registry, answer.name, answer.holder, answer.country, answer.registered)
        return [weighed, *names]

    assert compared(found.answer) == compared(by_whois)
    assert found.answer.holder == "Exemple Télécom"
    assert [(one.mailbox, one.rejected) for one in found.answer.candidates] == [
        ("abuse@isp.example", ""),
        ("noc@isp.example", "technical"),
    ]


def test_the_abuse_desk_is_inherited_from_the_next_wider_network_that_has_one(imported: Database) -> None:
    found = ask(imported, "192.0.2.70", "192.0.2.100", "2001:db8:5::1")
    assert {address: mailboxes(one) for address, one in found.items()} == {
        "192.0.2.70": ["abuse@isp.example"],
        "192.0.2.100": ["desk@customer.example"],
        "2001:db8:5::1": ["abuse@isp.example"],
    }
    assert found["192.0.2.70"].answer.country == "FR"
    assert found["192.0.2.70"].answer.name == "CUSTOMER"


RUNS = {  # address: the run around it, and where its network begins
    "192.0.2.1": ("192.0.2.0", "192.0.2.63", "192.0.2.0"),
    "192.0.2.130": ("192.0.2.128", "192.0.2.199", "192.0.2.0"),
    "192.0.2.207": ("192.0.2.207", "192.0.2.255", "192.0.2.0"),
    "192.0.2.64": ("192.0.2.64", "192.0.2.95", "192.0.2.64"),
    "192.0.2.127": ("192.0.2.104", "192.0.2.127", "192.0.2.64"),
    "192.0.2.96": ("192.0.2.96", "192.0.2.103", "192.0.2.96"),
    "2001:db8:4::": ("2001:db8::", "2001:db8:4:ffff:ffff:ffff:ffff:ffff", "2001:db8::"),
}


def test_an_answer_holds_for_the_run_of_addresses_that_no_narrower_network_covers(imported: Database) -> None:
    found = ask(imported, *RUNS)
    assert found.keys() == RUNS.keys()
    for address, (first, last, begins) in RUNS.items():
        answer = found[address].answer
        assert answer.cached == (ip_address(first), ip_address(last))
        assert answer.registered is not None
        assert answer.registered[0] == ip_address(begins)


def test_an_answer_holds_for_no_more_than_its_block(db: Database, tmp_path: Path) -> None:
    wide = "inetnum: 192.0.0.0 - 192.1.255.255\nabuse-c: AR1-RIPE\nsource: RIPE\n\n"
    wider = "inet6num: 2001:db8::/20\nabuse-c: AR1-RIPE\nsource: RIPE\n\n"
    read_in(db, written(tmp_path, wide + wider + OTHERS))
    found = ask(db, "192.0.2.1", "2001:db8::1")
    assert found["192.0.2.1"].answer.cached == (ip_address("192.0.0.0"), ip_address("192.0.255.255"))
    assert found["192.0.2.1"].answer.registered == (ip_address("192.0.0.0"), ip_address("192.1.255.255"))
    assert found["2001:db8::1"].answer.cached == (
        ip_address("2001:db8::"),
        ip_address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    )


def test_addresses_in_one_run_share_an_answer(imported: Database) -> None:
    found = ask(imported, "192.0.2.1", "192.0.2.2", "192.0.2.130")
    assert found["192.0.2.1"] is found["192.0.2.2"]
    assert found["192.0.2.1"].answer.cached != found["192.0.2.130"].answer.cached
    assert found["192.0.2.1"].raw == found["192.0.2.130"].raw


def test_a_network_that_names_nobody_is_no_contact_and_its_missing_desk_is_named(imported: Database) -> None:
    found = ask(imported, "198.51.100.7", "192.0.2.201")
    assert found["198.51.100.7"].answer.outcome is Outcome.NO_CONTACT
    assert mailboxes(found["192.0.2.201"]) == ["abuse@isp.example"]  # the wider network's
    assert b"GONE-RIPE" in found["192.0.2.201"].raw.body


def test_what_the_registry_does_not_manage_is_left_to_be_asked_about(imported: Database) -> None:
    assert ask(imported, "203.0.113.1", "192.0.2.1").keys() == {"192.0.2.1"}


def test_no_contact_is_not_concluded_while_files_are_missing(db: Database, tmp_path: Path) -> None:
    read_in(db, written(tmp_path, NETWORKS))
    assert ask(db, "192.0.2.1", "192.0.2.201") == {}
    assert ask(db, "198.51.100.7")["198.51.100.7"].answer.outcome is Outcome.NO_CONTACT  # it refers to nothing


def test_a_dump_that_is_too_old_does_not_answer(imported: Database) -> None:
    later = NOW + KEEP
    assert ask(imported, "192.0.2.1", now=later)["192.0.2.1"].expires_at == NOW + KEEP
    assert ask(imported, "192.0.2.1", now=later + timedelta(seconds=1)) == {}


def test_each_answer_says_where_it_was_read_and_can_be_stored(imported: Database) -> None:
    learnt = ask(imported, "192.0.2.70")["192.0.2.70"]
    [step] = learnt.steps
    assert step.kind is StepKind.DUMP
    assert step.question.startswith("dump:ripencc/ripe.db.inetnum.gz@")
    assert step.question.endswith("/192.0.2.64 - 192.0.2.127")
    assert step.raw == learnt.raw
    assert (learnt.raw.source, learnt.raw.at, learnt.raw.requests) == (step.question, NOW, 0)
    assert b"% Abuse contact for '192.0.2.64 - 192.0.2.127' is 'abuse@isp.example'" in learnt.raw.body
    with imported.write() as connection:
        [known] = netblocks.learn(connection, [learnt], NOW)
        assert known.outcome is Outcome.CONTACTS
        assert connection.execute(select(netblock_contacts.c.candidate)).scalars().all() == ["abuse@isp.example"]


@pytest.mark.parametrize(("registry", "expected"), [("apnic", ["team@isp.example"]), ("ripencc", [])])
def test_the_response_team_is_the_inherited_desk_where_the_registry_says_so(
    db: Database, tmp_path: Path, registry: str, expected: list[str]
) -> None:
    text = (
        "inetnum: 192.0.2.0 - 192.0.2.255\nmnt-irt: IRT-EX\nsource: APNIC\n\n"
        "inetnum: 192.0.2.0 - 192.0.2.7\nnetname: INNER\nsource: APNIC\n\n"
        "irt: IRT-EX\nabuse-mailbox: team@isp.example\nsource: APNIC\n"
    )
    read_in(db, written(tmp_path, text), registry)
    assert mailboxes(ask(db, "192.0.2.200")["192.0.2.200"]) == ["team@isp.example"]  # its own, by either rule
    assert mailboxes(ask(db, "192.0.2.1")["192.0.2.1"]) == expected


def test_a_desk_that_is_marked_as_dead_is_believed_less(db: Database, tmp_path: Path) -> None:
    handle = "nic-hdl:        AR1-RIPE"
    for remark in ("Abuse-mailbox validation failed.", "abuse@isp.example is invalid"):
        read_in(db, written(tmp_path, NETWORKS + OTHERS.replace(handle, f"{handle}\nremarks:        {remark}")))
        for address in ("192.0.2.1", "192.0.2.70"):
            [candidate] = ask(db, address)[address].usable
            assert (candidate.note, candidate.confidence) == ("marked-invalid", 30), (remark, address)


def test_texts_of_a_dump_are_of_mixed_encodings_and_carry_no_controls(db: Database, tmp_path: Path) -> None:
    network = (
        b"inetnum: 192.0.2.0 - 192.0.2.255\nnetname: A\x00B\x1b$B\norg: ORG-X\nabuse-c: AR1-RIPE\nsource: RIPE\n\n"
    )
    holder = "organisation: ORG-X\norg-name: Télécom\nsource: RIPE\n\n".encode("latin-1")
    read_in(db, written(tmp_path, network + holder + OTHERS.encode()))
    learnt = ask(db, "192.0.2.1")["192.0.2.1"]
    assert learnt.answer.holder == "Télécom"
    assert mailboxes(learnt) == ["abuse@isp.example"]
    assert not set(learnt.raw.body) & (set(range(32)) - {10})


# --- statistics ------------------------------------------------------------------------------------------------------

STATISTICS = """2|{registry}|20260301|3|19830705|20260228|+0100
{registry}|*|ipv4|*|2|summary
{registry}|FR|ipv4|192.0.2.0|256|20110811|allocated|x1
{registry}|NL|ipv6|2001:d00::|24|20110811|allocated|x2
"""


def told(db: Database, *addresses: str, now: datetime = NOW) -> dict[str, tuple[str, str]]:
    with db.read() as connection:
        wanted = [ip_address(address) for address in addresses]
        return {str(key): value for key, value in dumps.delegated(connection, wanted, now, KEEP).items()}


def test_statistics_say_registry_and_country_of_an_address(db: Database, tmp_path: Path) -> None:
    result = read_in(db, written(tmp_path, STATISTICS.format(registry="ripencc"), "delegated-ripencc-extended-latest"))
    assert (result.registry, result.classes, result.kept) == ("ripencc", ("delegated",), 2)
    assert told(db, "192.0.2.77", "192.0.3.1", "2001:db8::5", "198.51.100.1") == {
        "192.0.2.77": ("ripencc", "FR"),
        "2001:db8::5": ("ripencc", "NL"),
    }
    assert told(db, "192.0.2.77", now=NOW + KEEP + timedelta(seconds=1)) == {}


def test_a_delegation_to_a_holder_goes_before_a_reservation(db: Database, tmp_path: Path) -> None:
    reserved = "2|apnic|20260301|1|19830705|20260228|+1000\napnic||ipv4|192.0.2.0|256||reserved|\n"
    read_in(db, written(tmp_path, reserved, "one"))
    assert told(db, "192.0.2.77") == {"192.0.2.77": ("apnic", "")}
    read_in(db, written(tmp_path, STATISTICS.format(registry="ripencc"), "two"))
    assert told(db, "192.0.2.77") == {"192.0.2.77": ("ripencc", "FR")}


@pytest.mark.parametrize(("registry", "answered"), [("ripencc", True), ("apnic", False)])
def test_only_the_dump_of_the_registry_that_delegated_the_range_answers(
    imported: Database, tmp_path: Path, registry: str, answered: bool
) -> None:
    read_in(imported, written(tmp_path, STATISTICS.format(registry=registry), "delegated"))
    assert ("192.0.2.1" in ask(imported, "192.0.2.1")) is answered


# --- importing -------------------------------------------------------------------------------------------------------


def test_the_same_file_again_does_nothing(imported: Database, tmp_path: Path) -> None:
    before = rows_of(imported)
    again = read_in(imported, written(tmp_path, NETWORKS, "another-name.gz"))
    assert (again.new, again.current, again.kept, again.classes) == (False, True, 6, ("inetnum",))
    assert rows_of(imported) == before


def test_the_registry_is_what_the_file_says_unless_a_person_says_otherwise(db: Database, tmp_path: Path) -> None:
    path = written(tmp_path, OTHERS.replace("RIPE\n", "NOBODY\n"))
    with pytest.raises(TocsinError, match="does not say whose it is"):
        read_in(db, path)
    assert read_in(db, path, "afrinic").registry == "afrinic"
    assert read_in(db, written(tmp_path, OTHERS)).registry == "ripencc"


def test_a_newer_dump_takes_the_place_of_the_older_one_and_its_rows_go(imported: Database, tmp_path: Path) -> None:
    newer = NETWORKS.replace("CUSTOMER", "NEW-NAME")
    result = read_in(imported, written(tmp_path, newer, "ripe.db.inetnum.gz"), now=NOW + timedelta(days=1))
    assert (result.new, result.replaced) == (True, 1)
    assert ask(imported, "192.0.2.70")["192.0.2.70"].answer.name == "NEW-NAME"
    assert mailboxes(ask(imported, "2001:db8::1")["2001:db8::1"]) == ["abuse@isp.example"]  # other files stay
    with imported.read() as connection:
        assert store.leavings(connection, NOW) == []
        kept = {one.id for one in store.every(connection)}
        assert set(connection.execute(select(dump_blocks.c.dump_id)).scalars()) < kept
    older = read_in(imported, written(tmp_path, NETWORKS))
    assert (older.new, older.current) == (False, False)


def test_an_object_that_stands_twice_counts_once(db: Database, tmp_path: Path) -> None:
    twice = "role: Second\nnic-hdl: AR1-RIPE\nabuse-mailbox: second@isp.example\nsource: RIPE\n"
    read_in(db, written(tmp_path, NETWORKS + OTHERS + "\n" + twice), buffer=1)
    assert mailboxes(ask(db, "192.0.2.1")["192.0.2.1"]) == ["abuse@isp.example"]


def test_a_block_may_come_in_several_parts(db: Database, tmp_path: Path) -> None:
    padding = "\n".join(f"\nrole: R{n}\nnic-hdl: R{n}-RIPE\nremarks: {'x' * 60_000}\n" for n in range(80))
    read_in(
        db, written(tmp_path, NETWORKS + padding + NETWORKS_V6 + NETWORKS.replace("ALONE", "TWICE") + OTHERS), buffer=1
    )
    assert ask(db, "198.51.100.1")["198.51.100.1"].answer.name == "ALONE"  # of equal ranges the first
    with db.read() as connection:
        assert connection.execute(select(func.max(dump_blocks.c.part))).scalar_one() == 1
    assert mailboxes(ask(db, "192.0.2.1")["192.0.2.1"]) == ["abuse@isp.example"]


PACKED = gzip.compress((NETWORKS + OTHERS).encode(), mtime=0)
BAD_FILES = {
    "cut.gz": (PACKED[:-20], "is damaged"),
    "cut-trailer.gz": (PACKED[:-3], "is damaged"),
    "bent.gz": (PACKED[:60] + b"\xff\xff\xff" + PACKED[63:], "is damaged"),
    "half-second.gz": (PACKED + PACKED[:50], "is damaged"),
    "bomb.gz": (gzip.compress(NETWORKS.encode() + b"\n\n" + b"remarks: x\n" * 3_000_000, mtime=0), "is too large"),
    "page.html": (b"<html><body>503 Service Unavailable</body></html>", "is not a registry's dump"),
    "empty.gz": (gzip.compress(b"", mtime=0), "is not a registry's dump"),
    "empty": (b"", "is not a registry's dump"),
    "routes.gz": (
        gzip.compress(b"route: 192.0.2.0/24\norigin: AS64496\nsource: RIPE\n", mtime=0),
        "nothing that could be used",
    ),
}


def test_a_bad_file_is_told_in_words_and_nothing_of_it_is_used(db: Database, tmp_path: Path) -> None:
    for name, (data, what) in BAD_FILES.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TocsinError, match=what):
            read_in(db, tmp_path / name)
        with db.read() as connection:
            assert not store.holdings(connection), name
        assert ask(db, "192.0.2.1") == {}
        assert rows_of(db) == (0, 0)


def test_what_is_no_file_is_told_in_words(db: Database, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_in(db, tmp_path / "missing.gz")
    with pytest.raises(TocsinError, match="is not a file"):
        read_in(db, tmp_path)


def test_several_gzip_members_are_one_text(tmp_path: Path) -> None:
    path = tmp_path / "members.gz"
    path.write_bytes(gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n", mtime=0) + b"\0" * 512)
    assert b"".join(dump_file.pieces(path, quiet)) == b"one\ntwo\n"


def test_too_many_ranges_that_are_wider_than_any_registry_has_are_refused(db: Database, tmp_path: Path) -> None:
    count = rpsl_dump.MOST_WIDE + 1
    text = "\n".join(f"inetnum: 192.0.0.0 - 223.255.255.255\nnetname: W{n}\nsource: RIPE\n" for n in range(count))
    with pytest.raises(TocsinError, match="no registry's dump"):
        read_in(db, written(tmp_path, text))
    assert rows_of(db) == (0, 0)


def test_a_file_that_changes_while_it_is_read_is_not_used(db: Database, tmp_path: Path) -> None:
    path = written(tmp_path, NETWORKS + OTHERS)

    def touch(what: str, _done: int, _total: int) -> None:
        if what == "bytes read":
            os.utime(path, ns=(0, 0))

    with pytest.raises(TryAgain, match="changed while it was read"):
        import_dump(db, path, worker_id=worker(db), clock=lambda: NOW, progress=touch)
    assert rows_of(db) == (0, 0)


# --- killed ----------------------------------------------------------------------------------------------------------


def large(folder: Path) -> Path:
    """A file of several pieces, in each of which the same networks stand."""
    one = "".join(
        f"inetnum: 192.0.2.{n} - 192.0.2.{n}\nnetname: N{n}\norg: ORG-EX1-RIPE\ndescr: {'x' * 300}\nsource: RIPE\n\n"
        for n in range(256)
    )
    return written(folder, one * 130 + OTHERS, "large")


def start(db: Database, path: Path, wait_at: int) -> "subprocess.Popen[str]":
    url = db.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, __file__, url, str(path), str(wait_at)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_nothing_half_is_used_and_the_next_run_begins_anew(db: Database, tmp_path: Path) -> None:
    path = large(tmp_path)
    with start(db, path, 3) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        with pytest.raises(TryAgain, match="hands of another"):
            read_in(db, path, now=datetime.now(UTC))  # it lives
        process.send_signal(signal.SIGKILL)
    assert rows_of(db)[0] > 0
    assert ask(db, "192.0.2.1", now=datetime.now(UTC)) == {}
    later = datetime.now(UTC) + timedelta(minutes=2)
    result = read_in(db, path, now=later, buffer=1)
    assert (result.new, result.kept) == (True, 256 * 130 + 6)
    with db.read() as connection:
        [body] = {
            b"".join(map(zlib.decompress, parts))
            for parts in store.bodies(connection, [result.dump_id], [ip_address("192.0.0.0")]).values()
        }
    assert body.count(b"inetnum:") == 256 * 130
    assert mailboxes(ask(db, "192.0.2.1", now=later)["192.0.2.1"]) == ["abuse@isp.example"]


def test_what_a_killed_import_left_goes_with_the_next_import_of_any_file(db: Database, tmp_path: Path) -> None:
    with start(db, large(tmp_path), 3) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGKILL)
    read_in(db, written(tmp_path, NETWORKS), now=datetime.now(UTC) + timedelta(minutes=2))
    with db.read() as connection:
        assert len(set(connection.execute(select(dump_blocks.c.dump_id)).scalars())) == 1


def program(url: str, path: str, wait_at: str) -> None:
    """Import a file, and wait to be killed when so many pieces have been read."""
    db = Database(url)
    pieces = 0

    def wait(what: str, _done: int, _total: int) -> None:
        nonlocal pieces
        pieces += what == "bytes read"
        if pieces == int(wait_at):
            print("waiting", flush=True)
            time.sleep(600)

    now = datetime.now(UTC)
    import_dump(db, Path(path), worker_id=worker(db, now), clock=lambda: now, progress=wait, buffer=1)


if __name__ == "__main__":
    program(*sys.argv[1:])
