"""No campaign writes to people outside before a checklist stands and two people have said yes to exactly that."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from pipeline.cli import approvals
from pipeline.config import load
from pipeline.config_text import example
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import golive as golive_facts
from pipeline.store import tables as t
from pipeline.store import waves
from pipeline.store.db import Database
from tests.cli import written_wave as wave
from tests.cli.conftest import CONFIG, Tocsin
from tests.cli.test_doctor_dns import GOOD, published
from tests.ran import Ran
from tests.seed import add

NAME = "secure-your-server"
CAMPAIGN = example()[example().index("[campaigns.") :]
PASSWORD = "correct horse battery"
SAID = ("names", "answers", "stops", "signers", "backup")


class Page(BaseHTTPRequestHandler):
    """A page at every path but /gone and what is below /away, which leads on."""

    def do_GET(self) -> None:
        self.send_response({"/gone": 404, "/away": 302, "/inside": 302}.get(self.path, 200))
        where = {"/away": "/page", "/inside": "https://10.0.0.1/"}.get(self.path)
        if where:
            self.send_header("Location", where)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Pages(ThreadingHTTPServer):
    request_queue_size = 64  # all links are asked at once: who finds the queue full comes again a second later


@pytest.fixture
def pages() -> Iterator[str]:
    server = Pages(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[int]:
    with in_thread(serve({}, tmp_path / "mail")) as server:
        yield server.port


@pytest.fixture
def db(installed: Database) -> Database:
    return installed


def settings(pages: str, relay: int, **changes: str) -> str:
    campaign = re.sub(r"https://[^/\"]+", pages, CAMPAIGN)
    for old, new in changes.items():
        campaign = re.sub(rf"^{old} = .*$", f"{old} = {new}", campaign, flags=re.MULTILINE)
    mail = (
        '[mail]\nsender = "bounces@agency.example"\nper_day = 100\n'
        f'[mail.relay]\nhost = "127.0.0.1"\nport = {relay}\ntls = "none"\n'
    )
    return f"{CONFIG}[rdap]\nallow_loopback = true\n{mail}{campaign}"


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with published(GOOD) as settings:
        monkeypatch.setenv("TOCSIN_DNS__NAMESERVERS", settings.partition(" = ")[2].strip())
        monkeypatch.setenv("TOCSIN_MAIL__OUTBOUND", '["192.0.2.25"]')
        yield


@pytest.fixture
def ready(db: Database, tocsin: Tocsin, folder: Path, pages: str, relay: int, nameserver: None) -> None:
    """A campaign that wants no more than people's words; its letters are not signed, which is a warning."""
    (folder / "config.toml").write_text(settings(pages, relay), encoding="utf-8")
    wave.bring_in(db, kind="test")
    for name, role in (("dora", "officer"), ("alice", "approver"), ("bob", "approver"), ("carol", "approver")):
        ran = tocsin("person", "add", name, "--role", role, "--password", stdin=f"{PASSWORD}\n")
        assert ran.code == 0, ran.err
    assert tocsin("campaign", "create", NAME, "--as", "dora").code == 0
    with db.write() as connection:
        data = {"relay": f"127.0.0.1:{relay}", "sound": True}
        golive_facts.say(connection, None, "relay.back", "", datetime.now(UTC), "person:1", data)
    for item in SAID:
        tocsin("campaign", "golive", NAME, "--say", item, "--reason", "as it is", "--as", "dora")


def other_settings(folder: Path) -> None:
    text = (folder / "config.toml").read_text(encoding="utf-8")
    (folder / "config.toml").write_text(text.replace("\nreply_to = ", "\nminimum_level = 2\nreply_to = ", 1))


def golive(tocsin: Tocsin, *arguments: str) -> Ran:
    return tocsin("campaign", "golive", NAME, "--json", *arguments)


def accept(tocsin: Tocsin, name: str) -> Ran:
    return tocsin("campaign", "golive", NAME, "--accept", "--as", name, "--password", "--json", stdin=f"{PASSWORD}\n")


def mode(db: Database) -> str:
    with db.read() as connection:
        return str(connection.execute(select(t.campaigns.c.mode)).scalar_one())


def go(tocsin: Tocsin) -> Ran:
    return golive(tocsin, "--execute", "--yes")


def marks(ran: Ran) -> dict[str, str]:
    return {item["item"]: item["mark"] for item in ran.data["items"]}


@pytest.mark.usefixtures("ready")
def test_two_people_take_a_campaign_live(db: Database, tocsin: Tocsin) -> None:
    first = golive(tocsin)
    assert (first.code, set(marks(first).values())) == (0, {"ok"}), first.out
    assert accept(tocsin, "alice").data["approvals"] == 1
    assert go(tocsin).code == 6
    assert accept(tocsin, "bob").data["approvals"] == 2
    assert mode(db) == "training"
    assert tocsin("campaign", "golive", NAME, "--execute").code == 6  # nobody could be asked
    assert mode(db) == "training"
    ran = go(tocsin)
    assert (ran.code, ran.data["live"], mode(db)) == (0, True, "live")
    assert objection(db, Path("config.toml")) == ""
    with db.read() as connection:
        told = connection.execute(select(t.events.c.what).where(t.events.c.what.like("campaign.%"))).scalars().all()
    assert told == ["campaign.created", "campaign.golive_accepted", "campaign.golive_accepted", "campaign.live"]


def objection(db: Database, config: Path) -> str:
    """What a claim is told of a live wave that two people approved, the go-live left aside."""
    with db.write() as connection:
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        number = add(
            connection,
            t.waves,
            campaign_id=campaign,
            number=len(waves.all_open(connection)) + 1,
            kind="first",
            state="rendered",
            limits="{}",
            made_by="person:1",
            created_at=wave.NOW,
        )
        found = waves.by_id(connection, number)
        digest = approvals.digest(waves.manifest(connection, found))
        connection.execute(update(t.waves).where(t.waves.c.id == number).values(manifest_sha256=digest))
        for person in (2, 3):
            row = {"wave_id": number, "person_id": person, "by": f"person:{person}", "accepted": 1, "at": wave.NOW}
            connection.execute(insert(t.approvals).values(method="password", manifest_sha256=digest, **row))
        return approvals.Guard(load(config))(connection, waves.by_id(connection, number))


@pytest.mark.usefixtures("ready")
def test_the_same_person_does_not_count_twice_and_who_made_the_settings_not_at_all(
    db: Database, tocsin: Tocsin, folder: Path
) -> None:
    assert accept(tocsin, "alice").code == 0
    again = accept(tocsin, "alice")
    assert (again.code, "said yes already" in again.out + again.err) == (6, True)
    assert go(tocsin).code == 6
    other_settings(folder)
    assert tocsin("campaign", "change", NAME, "--as", "bob").code == 0
    maker = accept(tocsin, "bob")
    assert (maker.code, "settings that they made" in maker.out + maker.err) == (6, True)
    assert accept(tocsin, "dora").code == 6  # an officer, and who made the campaign
    assert accept(tocsin, "carol").data["approvals"] == 1  # what alice said was of other settings
    assert mode(db) == "training"


@pytest.mark.usefixtures("ready")
def test_a_changed_checklist_or_changed_mail_settings_void_what_was_said(
    db: Database, tocsin: Tocsin, folder: Path
) -> None:
    assert accept(tocsin, "alice").code == 0
    golive(tocsin, "--say", "backup", "--reason", "there is none", "--as", "dora")
    assert accept(tocsin, "bob").data["approvals"] == 1
    assert accept(tocsin, "alice").data["approvals"] == 2
    text = (folder / "config.toml").read_text(encoding="utf-8")
    other = text.replace("bounces@agency.example", "back@agency.example")
    (folder / "config.toml").write_text(other, encoding="utf-8")
    assert go(tocsin).code == 6
    (folder / "config.toml").write_text(text, encoding="utf-8")
    assert go(tocsin).code == 0
    assert mode(db) == "live"
    assert objection(db, folder / "config.toml") == ""
    (folder / "config.toml").write_text(other, encoding="utf-8")
    assert "not gone live" in objection(db, folder / "config.toml")


@pytest.mark.usefixtures("ready")
def test_a_change_of_a_live_campaign_puts_it_back_into_training(db: Database, tocsin: Tocsin, folder: Path) -> None:
    for name in ("alice", "bob"):
        accept(tocsin, name)
    assert go(tocsin).code == 0
    before = (folder / "config.toml").read_text(encoding="utf-8")
    other_settings(folder)
    assert tocsin("campaign", "change", NAME, "--as", "dora").code == 0
    assert mode(db) == "training"
    (folder / "config.toml").write_text(before, encoding="utf-8")
    assert tocsin("campaign", "change", NAME, "--as", "dora").code == 0
    assert go(tocsin).code == 6  # the old words are void even for the old settings
    assert mode(db) == "training"


@pytest.mark.usefixtures("ready")
def test_an_end_by_one_person_is_at_once_and_voids_every_word(db: Database, tocsin: Tocsin) -> None:
    for name in ("alice", "bob"):
        accept(tocsin, name)
    assert go(tocsin).code == 0
    assert tocsin("campaign", "golive", NAME, "--end").code == 2  # why?
    assert golive(tocsin, "--end", "--reason", "a complaint").data["changed"] is True
    assert mode(db) == "training"
    assert go(tocsin).code == 6
    assert accept(tocsin, "alice").data["approvals"] == 1


@pytest.mark.usefixtures("ready")
def test_a_campaign_made_live_by_sql_alone_sends_nothing(db: Database, folder: Path) -> None:
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(mode="live"))
    assert "not gone live" in objection(db, folder / "config.toml")


@pytest.mark.usefixtures("ready")
def test_words_and_sheets_cannot_be_changed(db: Database, tocsin: Tocsin) -> None:
    accept(tocsin, "alice")
    for table in (t.golive_words, t.golive_sheets, t.golive_facts):
        for statement in (update(table).values(at=wave.NOW), table.delete()):
            with pytest.raises(DBAPIError, match="append-only"), db.write() as connection:
                connection.execute(statement)


@pytest.mark.parametrize(
    ("changes", "item"),
    [
        ({"guidance": '{ en = "%s/gone", fr = "%s/x" }'}, "links"),
        ({"guidance": '{ en = "%s/inside", fr = "%s/x" }'}, "links"),
        ({"guidance": '{ en = "https://10.0.0.1/", fr = "%s/x" }'}, "links"),
        ({"reply_to": '"nobody"'}, "mailboxes"),
    ],
)
@pytest.mark.usefixtures("ready")
def test_what_is_wrong_stops_every_yes(
    tocsin: Tocsin, folder: Path, pages: str, relay: int, changes: dict[str, str], item: str
) -> None:
    changed = {key: value.replace("%s", pages) for key, value in changes.items()}
    (folder / "config.toml").write_text(settings(pages, relay, **changed), encoding="utf-8")
    assert tocsin("campaign", "change", NAME, "--as", "dora").code == 0
    shown = golive(tocsin)
    assert (shown.code, marks(shown)[item]) == (6, "fail")
    assert accept(tocsin, "alice").code == 6


@pytest.mark.usefixtures("ready")
def test_a_link_that_leads_on_to_a_page_answers(tocsin: Tocsin, folder: Path, pages: str, relay: int) -> None:
    text = settings(pages, relay, guidance=f'{{ en = "{pages}/away", fr = "{pages}/x" }}')
    (folder / "config.toml").write_text(text, encoding="utf-8")
    assert tocsin("campaign", "change", NAME, "--as", "dora").code == 0
    assert marks(golive(tocsin))["links"] == "ok"


@contextmanager
def without(folder: Path, line: str) -> Iterator[None]:
    text = (folder / "config.toml").read_text(encoding="utf-8")
    assert line in text
    (folder / "config.toml").write_text(text.replace(line, ""), encoding="utf-8")
    yield
    (folder / "config.toml").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("ready")
def test_what_the_settings_lack_is_named(tocsin: Tocsin, folder: Path) -> None:
    lacking = {"cap": "per_day = 100\n", "mailboxes": 'sender = "bounces@agency.example"\n', "feeds": CONFIG}
    for item, line in lacking.items():
        with without(folder, line):
            assert marks(golive(tocsin))[item] == "fail"


@pytest.mark.parametrize(
    ("relay_of_then", "sound", "age"), [("", True, 8), ("other.example:25", True, 0), ("", False, 0)]
)
def test_a_test_letter_counts_if_it_came_back_unchanged_over_this_relay_within_a_week(
    db: Database, tocsin: Tocsin, ready: None, relay: int, relay_of_then: str, sound: bool, age: int
) -> None:
    then = datetime.now(UTC) - timedelta(days=age)
    with db.write() as connection:
        data = {"relay": relay_of_then or f"127.0.0.1:{relay}", "sound": sound}
        if age:
            connection.exec_driver_sql("DROP TRIGGER golive_facts_no_delete")
            connection.execute(t.golive_facts.delete().where(t.golive_facts.c.item == "relay.back"))
        golive_facts.say(connection, None, "relay.back", "", then, "person:1", data)
    assert marks(golive(tocsin))["letter"] == "fail"


@pytest.mark.usefixtures("ready")
def test_a_failure_in_the_dns_stops_it_whatever_was_said(tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_MAIL__OUTBOUND", '["198.51.100.1"]')
    assert marks(golive(tocsin))["names"] == "fail"
    monkeypatch.setenv("TOCSIN_DNS__NAMESERVERS", "[]")
    assert marks(golive(tocsin))["names"] == "fail"


@pytest.mark.usefixtures("ready")
def test_a_wave_of_training_mode_is_not_taken_along(db: Database, tocsin: Tocsin) -> None:
    objection(db, Path("config.toml"))  # leaves one that is rendered
    assert marks(golive(tocsin))["waves"] == "fail"


@pytest.mark.usefixtures("ready")
def test_the_checklist_reads_in_french(tocsin: Tocsin) -> None:
    ran = tocsin("campaign", "golive", NAME, "--lang", "fr")
    assert ran.code == 0
    assert "chaque lien répond" in ran.out
    assert golive(tocsin, "--lang", "fr").data["sheet_sha256"] == golive(tocsin).data["sheet_sha256"]


@pytest.mark.usefixtures("ready")
def test_brakes_taken_off_are_settled_by_a_word_and_nobody_takes_them_off_afterwards(
    db: Database, tocsin: Tocsin, folder: Path
) -> None:
    file = folder / "config.toml"
    standard = file.read_text(encoding="utf-8")
    off = "".join(f"{name}_hold = 0\n" for name in ("refused", "policy", "complaints"))
    file.write_text(f"{standard}[mail.brakes]\n{off}[mail.canary]\nshare = 0\nleast = 0\n", encoding="utf-8")
    assert {item: marks(golive(tocsin))[item] for item in ("brakes", "canary")} == {"brakes": "fail", "canary": "word"}
    assert tocsin("campaign", "golive", NAME, "--say", "brakes", "--reason", "a test", "--as", "dora").code == 0
    assert accept(tocsin, "alice").code == 6
    file.write_text(f"{standard}[mail.brakes]\ncomplaints_hold = 0\n", encoding="utf-8")
    for name in ("alice", "bob"):
        assert accept(tocsin, name).code == 0
    assert go(tocsin).code == 0
    assert objection(db, file) == ""
    file.write_text(f"{standard}[mail.brakes]\ncomplaints_hold = 0\npolicy_hold = 0\n", encoding="utf-8")
    assert "not gone live" in objection(db, file)
    file.write_text(f"{standard}[mail.brakes]\ncomplaints_hold = 0\n[mail.canary]\nleast = 0\n", encoding="utf-8")
    assert "not gone live" in objection(db, file)


@pytest.mark.parametrize(
    ("language", "brakes", "canary"),
    [
        (
            "en",
            "off, or very loose: refusals in a row because of us, complaints; tighten mail.brakes",
            "a wave waits for a person after 2.5% of its letters, at least 20",
        ),
        (
            "fr",
            "hors service ou très lâches\u00a0: refus de suite qui nous visent, plaintes; resserrez mail.brakes",
            "une vague attend une personne après 2,5\u00a0% de ses lettres, au moins 20",
        ),
    ],
)
@pytest.mark.usefixtures("ready")
def test_loose_brakes_are_named_in_both_languages(
    tocsin: Tocsin, folder: Path, language: str, brakes: str, canary: str
) -> None:
    with (folder / "config.toml").open("a", encoding="utf-8") as config:
        config.write("[mail.brakes]\nbreaker = 0\ncomplaints_hold = 0\n[mail.canary]\nshare = 0.025\n")
    ran = tocsin("--lang", language, "campaign", "golive", NAME)
    assert (brakes in ran.out, canary in ran.out) == (True, True), ran.out
    said = {
        item["item"]: item["what"]
        for item in tocsin("--lang", language, "campaign", "golive", NAME, "--json").data["items"]
    }
    assert said["brakes"].startswith(brakes)
