"""A real Postfix's own log settles letters: taken, refused, put off, cut off before or after their end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pipeline.domain import Event
from pipeline.follow import relay_file
from pipeline.follow.relay_import import Importing
from pipeline.follow.relay_log import Reader
from pipeline.follow.relay_time import Calendar
from pipeline.sandbox.mail_rules import FULL, REFUSE, Rule
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import lives
from pipeline.store import tables as t
from pipeline.store.db import Database, rows
from tests.seed import KEYS, body, wave_of_letters
from tests.system import campaign
from tests.system.campaign import Site, contact
from tests.system.conftest import NewDatabase
from tests.system.forked import Commands
from tests.system.presence import needs
from tests.system.test_kill import SEND
from tests.system.test_postfix import DAEMONS, HOST, answers, configure

OURS = (ip_network("10.0.0.0/8"),)  # the sink stands for the recipients' servers, although it is on loopback
TAKEN, REFUSED, FULL_UP, CUT_AFTER, CUT_BEFORE, NEVER_SENT = range(1, 7)
MAILBOXES = {TAKEN: "ok", REFUSED: "gone", FULL_UP: "full", CUT_AFTER: "ok", CUT_BEFORE: "ok", NEVER_SENT: "ok"}


@dataclass(frozen=True, slots=True)
class Relay:
    port: int
    log: Path

    def until(self, *wanted: str) -> str:
        """Wait, at most 60 seconds, until the log says each of these."""
        for _ in range(600):
            text = self.log.read_text("utf-8", "replace")
            if all(word in text for word in wanted):
                return text
            time.sleep(0.1)
        raise AssertionError(f"{wanted} is not in: {text}")


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A running Postfix with a log of its own, and behind it a sink that refuses one mailbox and puts another off."""
    program = needs("postfix", shutil.which("postfix", path="/usr/sbin:/sbin:/usr/local/sbin"))
    needs("root, who must start Postfix,", program if os.geteuid() == 0 else None)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postfix-"))
    folder.chmod(0o755)
    rules: dict[str, Rule] = {"gone@isp.example": REFUSE, "full@isp.example": FULL}
    try:
        with in_thread(serve(rules, folder / "mail")) as sink:
            port = configure(folder, program, sink.port)
            line = (DAEMONS / "master", "-c", folder / "conf", "-d")
            server = subprocess.Popen(line, start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                answers(server, port, folder / "log")
                yield Relay(port, folder / "log")
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def spoken(relay: Relay, letter: int, data: bytes, *, dot: bool, reply: bool = True) -> None:
    """Say a letter to the relay up to its end or before, and hear the reply, or be gone, as a sender is that was killed."""
    with socket.create_connection((HOST, relay.port), timeout=30) as sender, sender.makefile("rb") as heard:
        heard.readline()
        commands = [
            "HELO out.agency.example",
            f"MAIL FROM:<{KEYS.envelope_sender('bounces@agency.example', letter)}>",
            f"RCPT TO:<{MAILBOXES[letter]}@isp.example>",
            "DATA",
        ]
        for command in commands:
            sender.sendall(f"{command}\r\n".encode())
            assert heard.readline()[:1] in b"23"
        sender.sendall(data + (b".\r\n" if dot else b""))
        if reply:
            assert heard.readline().startswith(b"250")


def ready(db: Database, now: datetime) -> None:
    """Make the letters: three HANDED, three UNCERTAIN."""
    wave_of_letters(db, now - timedelta(hours=1), len(MAILBOXES))
    with db.write() as connection:
        for letter, name in MAILBOXES.items():
            mine = t.letters.c.id == letter
            connection.execute(update(t.letters).where(mine).values(recipient=f"{name}@isp.example"))
            lives.advance(connection, [letter], Event.LETTER_CLAIMED, now, "tocsin")
            end = Event.LETTER_HANDED if letter <= FULL_UP else Event.LETTER_UNCERTAIN
            lives.advance(connection, [letter], end, now, "tocsin")


def states(db: Database) -> dict[int, str]:
    with db.read() as connection:
        found = connection.execute(select(t.letters.c.id, t.letters.c.state))
        return {row.id: row.state for row in found}


def read(db: Database, relay: Relay) -> Importing:
    now = datetime.now(UTC)
    made = Importing(db, KEYS, lambda: now, "person:1", lambda: None)
    reader = Reader(Calendar(lambda at: at.astimezone(UTC), now), OURS)
    with relay_file.opened(relay.log) as stream:
        for lines, _ in relay_file.whole(stream):
            made.take(reader, lines)
    return made


def test_a_real_relays_log_says_what_became_of_every_letter(db: Database, relay: Relay) -> None:
    ready(db, datetime.now(UTC))
    for letter in (TAKEN, REFUSED, FULL_UP):
        spoken(relay, letter, body(letter), dot=True)
    spoken(relay, CUT_AFTER, body(CUT_AFTER), dot=True, reply=False)
    spoken(relay, CUT_BEFORE, body(CUT_BEFORE, 200_000)[:150_000], dot=False, reply=False)
    named = body(CUT_BEFORE).split(b"Message-ID: ")[1].split(b"\r\n")[0].decode()
    log = relay.until(
        *("status=bounced", "status=deferred", f"message-id={named}", "lost connection after DATA"),
        *(KEYS.envelope_sender("bounces@agency.example", letter) for letter in (TAKEN, REFUSED, FULL_UP, CUT_AFTER)),
    )
    for _ in range(600):
        if log.count("status=sent") >= 2:
            break
        log = relay.until()
        time.sleep(0.1)
    read(db, relay)
    assert states(db) == {
        TAKEN: "accepted",
        REFUSED: "bounced",
        FULL_UP: "handed",
        CUT_AFTER: "accepted",  # a proof: it was in the queue
        CUT_BEFORE: "uncertain",  # its Message-ID is in the log, but its end never came
        NEVER_SENT: "uncertain",  # the log says nothing, which proves nothing
    }
    with db.read() as connection:
        told = rows(connection, select(t.deliveries).where(t.deliveries.c.status != "queued"))
    words = {row["letter_id"]: (row["status"], row["dsn"], row["words"]) for row in told}
    assert words[REFUSED][:2] == ("bounced", "5.1.1")
    assert "550 5.1.1 No such mailbox here" in words[REFUSED][2]
    assert words[FULL_UP][:2] == ("deferred", "4.2.2")
    assert all(row["host"].startswith("127.0.0.1[127.0.0.1]:") for row in told)
    assert read(db, relay).new == 0


def test_what_a_killed_sender_left_uncertain_is_settled_by_the_relays_log(
    commands: Commands, new_approved: NewDatabase
) -> None:
    with campaign.site(commands, new_approved) as site:
        killed_after_a_dot(site)
        log = site.folder / "relay.json"
        said = {"at": datetime.now(UTC).isoformat(), "status": "sent", "relay": "mx.isp.example[203.0.113.5]:25"}
        lines = [
            {**said, "message_id": kept.message_id, "recipient": kept.recipient, "reply": "250 Ok"}
            for kept in site.town.mail.messages()
        ]
        log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        moved = site.must("relay-log", "import", str(log), "--json").data["moved"]
        arrived = {recipient for recipient, _ in site.sink()}
        assert moved["accepted"] == len(arrived)
        assert moved["handed"] >= 1
        for row in site.query("SELECT recipient, state FROM letters"):
            assert row["state"] == ("accepted" if row["recipient"] in arrived else "uncertain")
        campaign.assert_events_tell_every_state(site)
        told = site.must("who", contact(47)).out
        assert "was accepted by their server, mx.isp.example[203.0.113.5]:25: 250 Ok." in " ".join(told.split())
        assert site.must("relay-log", "import", str(log), "--json").data["new"] == 0


def killed_after_a_dot(site: Site) -> None:
    """Send, kill the sender once one mailbox's server has the letter and says nothing, and send what is left."""
    site.town.mail.rules.rules = {contact(47): Rule("stall", "dot", keep=True)}
    running = site.start(*SEND)
    for _ in range(6_000):
        if contact(47) in {recipient for recipient, _ in site.sink()}:
            break
        time.sleep(0.01)
    running.kill()
    site.town.mail.rules.rules = {}
    site.must(*SEND)
    assert site.letters()["uncertain"] >= 1
