"""The doctor tries the relay as sending does, sends one test letter where it may, and reads it as it arrived."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.config_text import example
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli import written_wave as wave
from tests.cli.conftest import CONFIG, Tocsin
from tests.send.signers import DOMAIN, passes, pem, rsa, signers

CAMPAIGN = example()[example().index("[campaigns.") :]
TO = "me@outside.example"
KEYS = signers("rsa")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    rules: dict[str, Rule] = {}
    with in_thread(serve(rules, tmp_path / "mail")) as running:
        yield running


@pytest.fixture
def ready(folder: Path, installed: Database, server: MailServer) -> None:
    wave.bring_in(installed, kind="test")
    mail = (
        '[mail]\nsender = "bounces@agency.example"\n'
        f'[mail.relay]\nhost = "127.0.0.1"\nport = {server.port}\ntls = "none"\n'
        f'[mail.dkim]\ndomain = "{DOMAIN}"\nrsa_selector = "{KEYS.keys[0].selector}"\n'
        '[safety]\nguests = ["outside.example"]\n'
    )
    (folder / "config.toml").write_text(CONFIG + mail + CAMPAIGN, encoding="utf-8")
    secrets = f"master_key = \"{'5a' * 32}\"\ndkim_rsa_key = '''\n{pem(rsa())}'''\n"
    (folder / "credentials.toml").write_text(secrets, encoding="utf-8")


def facts(db: Database) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(select(t.golive_facts.c.item).order_by(t.golive_facts.c.id)).scalars())


@pytest.mark.usefixtures("ready")
def test_what_the_relay_offers_is_said_and_nothing_is_sent(
    tocsin: Tocsin, server: MailServer, installed: Database
) -> None:
    ran = tocsin("doctor", "relay", "--json")
    assert ran.code == 0
    assert ran.data["offers"]["PIPELINING"] is not None
    assert ran.data["offers"]["AUTH"] is None
    assert (ran.data["tls"], ran.data["sent"]) == ("", False)
    assert "not offered" in tocsin("doctor", "relay").out
    assert (server.messages(), facts(installed)) == ([], [])


@pytest.mark.usefixtures("ready")
def test_a_test_letter_leaves_only_with_execute_and_to_a_guest(
    tocsin: Tocsin, server: MailServer, installed: Database
) -> None:
    assert tocsin("doctor", "relay", "--to", TO).code == 0
    assert tocsin("doctor", "relay", "--to", TO, "--execute").code == 6  # nobody could be asked
    assert tocsin("doctor", "relay", "--to", "me@stranger.example", "--execute", "--yes").code == 6
    assert (server.messages(), facts(installed)) == ([], [])
    ran = tocsin("doctor", "relay", "--to", TO, "--execute", "--yes", "--json")
    assert (ran.code, ran.data["sent"]) == (0, True)
    [kept] = server.messages()
    assert kept.recipient == TO
    assert facts(installed) == ["relay.sent"]


def arrived(tocsin: Tocsin, server: MailServer) -> bytes:
    assert tocsin("doctor", "relay", "--to", TO, "--execute", "--yes").code == 0
    message = server.messages()[-1].path.read_bytes()
    assert passes(message, KEYS) == [True]
    return message


@pytest.mark.usefixtures("ready")
def test_the_test_letter_has_the_envelope_of_a_real_one(
    tocsin: Tocsin, server: MailServer, folder: Path, installed: Database
) -> None:
    message = arrived(tocsin, server)
    [mail, rcpt] = [line for _, line in server.commands if line.startswith(("MAIL", "RCPT"))]
    found = re.fullmatch(r"MAIL FROM:<(bounces\+test\.[0-9a-f]{16}@agency\.example)> (.*)", mail)
    assert found is not None
    assert {"RET=HDRS", "ENVID=test"} <= set(found[2].split())
    assert [word.partition("=")[0].upper() for word in found[2].split()].count("SIZE") == 1
    assert rcpt == f"RCPT TO:<{TO}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{TO}"
    for path, kept in ((found[1], True), ("bounces@agency.example", False)):
        (folder / "letter.eml").write_bytes(f"Return-Path: <{path}>\r\n".encode() + message)
        assert tocsin("doctor", "relay", "--back", "letter.eml", "--json").data["envelope_kept"] is kept


@pytest.mark.usefixtures("ready")
def test_a_letter_that_arrives_as_it_was_sent_is_sound(
    tocsin: Tocsin, folder: Path, server: MailServer, installed: Database
) -> None:
    message = arrived(tocsin, server)
    [mail] = [line for _, line in server.commands if line.startswith("MAIL")]
    trace = (
        b"Return-Path: "
        + mail[len("MAIL FROM:") :].split()[0].encode()
        + b"\r\nReceived: from x by y; Sun, 1 Mar 2026 10:00:00 +0000\r\n"
    )
    (folder / "letter.eml").write_bytes((trace + message).replace(b"\r\n", b"\n"))
    ran = tocsin("doctor", "relay", "--back", "letter.eml", "--json")
    assert (ran.code, ran.data["sound"], ran.data["envelope_kept"]) == (0, True, True)
    assert (ran.data["body"], ran.data["signature"], ran.data["lost"]) == ("same", "kept", [])
    assert facts(installed) == ["relay.sent", "relay.back"]


@pytest.mark.usefixtures("ready")
def test_a_letter_that_was_changed_on_its_way_is_not_sound_and_that_is_kept(
    tocsin: Tocsin, folder: Path, server: MailServer, installed: Database
) -> None:
    message = arrived(tocsin, server)
    (folder / "letter.eml").write_bytes(message + b"\r\nThis mail was scanned.\r\n")
    ran = tocsin("doctor", "relay", "--back", "letter.eml", "--json")
    assert (ran.code, ran.data["body"], ran.data["signature"]) == (3, "changed", "broken")
    with installed.read() as connection:
        data = connection.execute(
            select(t.golive_facts.c.data).where(t.golive_facts.c.item == "relay.back")
        ).scalar_one()
    assert json.loads(data)["sound"] is False


@pytest.mark.usefixtures("ready")
def test_another_letter_proves_nothing(tocsin: Tocsin, folder: Path, server: MailServer, installed: Database) -> None:
    (folder / "letter.eml").write_bytes(b"Subject: x\r\n\r\nx\r\n")
    assert tocsin("doctor", "relay", "--back", "letter.eml").code == 4  # none was sent
    first = arrived(tocsin, server)
    arrived(tocsin, server)
    (folder / "letter.eml").write_bytes(first)
    ran = tocsin("doctor", "relay", "--back", "letter.eml", "--lang", "fr")
    assert ran.code == 3
    assert "Message-ID" in ran.out
    assert facts(installed) == ["relay.sent", "relay.sent"]


@pytest.mark.usefixtures("ready")
def test_a_relay_that_is_not_there_is_a_temporary_failure(tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_MAIL__RELAY__PORT", "1")
    assert tocsin("doctor", "relay").code == 75
