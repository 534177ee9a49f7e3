"""A relay with a name: letters by a program, or as files, from the doctor's look at it to a wave that is sent."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.cli import golive_facts, relays
from pipeline.config import Loaded, load
from pipeline.config_text import example
from pipeline.domain import ConfigurationError, WaveState
from pipeline.net.smtp import RelaySettings
from pipeline.store import golive
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli import written_wave
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import approve, wave_of_letters

CAMPAIGN = example()[example().index("[campaigns.") :]
MAIL = (
    '[mail]\nsender = "bounces@agency.example"\nrate = 0\nper_domain_rate = 0\ncanary = { share = 0, least = 0 }\n'
    '[safety]\nguests = [".example"]\n'
)
FOLDER = '[mail.relays.review]\ntransport = "folder"\nfolder = "letters"\n'
PROGRAM = ('[mail.relays.local]\ntransport = "sendmail"\ncommand = ["', '"]\n')
KEPT = """#!{python}
import sys, uuid
with open({place!r} + "/" + uuid.uuid4().hex, "wb") as file:
    file.write(sys.stdin.buffer.read())
"""


def program(folder: Path) -> str:
    """The settings of a program that keeps what it gets."""
    (folder / "kept").mkdir()
    file = folder / "sendmail"
    file.write_text(KEPT.format(python=sys.executable, place=str(folder / "kept")))
    file.chmod(0o755)
    return str(file).join(PROGRAM)


def configure(folder: Path, relays: str) -> None:
    (folder / "config.toml").write_text(CONFIG + MAIL + relays + CAMPAIGN, encoding="utf-8")


def send_three(db: Database, folder: Path, tocsin: Tocsin) -> None:
    secrets = f'master_key = "{bytes(range(32)).hex()}"\n'  # as in tests/seed.py
    (folder / "credentials.toml").write_text(secrets, encoding="utf-8")
    now = datetime.now(UTC)
    approve(db, wave_of_letters(db, now, 3, state=WaveState.PLANNED), now)
    ran = tocsin("send", "test", "--execute", "--yes", "--json")
    assert (ran.code, ran.data["sent"]) == (0, {"handed": 3}), ran.err


def relays_of_attempts(db: Database) -> set[str]:
    with db.read() as connection:
        return set(connection.execute(select(t.attempts.c.relay)).scalars())


def test_a_wave_leaves_as_files(folder: Path, installed: Database, tocsin: Tocsin) -> None:
    configure(folder, FOLDER)
    (folder / "letters").mkdir()
    send_three(installed, folder, tocsin)
    assert sorted(path.suffix for path in (folder / "letters").iterdir()) == [".eml"] * 3 + [".json"] * 3
    envelope = json.loads((folder / "letters" / "1-1.json").read_bytes())
    assert envelope["sender"].endswith("@agency.example")
    assert relays_of_attempts(installed) == {"review"}


def test_a_wave_leaves_by_a_program(folder: Path, installed: Database, tocsin: Tocsin) -> None:
    configure(folder, program(folder))
    send_three(installed, folder, tocsin)
    letters = [path.read_bytes() for path in (folder / "kept").iterdir()]
    assert len(letters) == 3
    assert all(b"\nMessage-ID: <" in letter and b"\r" not in letter for letter in letters)
    assert relays_of_attempts(installed) == {"local"}


@pytest.mark.parametrize("kind", ["folder", "program"])
def test_the_doctor_leaves_its_letter_there_and_reads_it_again(
    folder: Path, installed: Database, tocsin: Tocsin, kind: str
) -> None:
    written_wave.bring_in(installed, kind="test")
    configure(folder, FOLDER if kind == "folder" else program(folder))
    (folder / "letters").mkdir()
    assert tocsin("doctor", "relay", "--json").data["sent"] is False
    ran = tocsin("doctor", "relay", "--to", "me@outside.example", "--execute", "--yes", "--json")
    assert (ran.code, ran.data["answer"][:4]) == (0, "250 ")
    [letter] = [*(folder / "letters").glob("*.eml"), *folder.glob("kept/*")]
    whole = letter.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    (folder / "back.eml").write_bytes(b"Return-Path: <bounces@agency.example>\r\n" + whole)
    back = tocsin("doctor", "relay", "--back", "back.eml", "--json")
    assert (back.code, back.data["sound"], back.data["relay"]) == (0, True, ran.data["relay"])
    with installed.read() as connection:
        found = golive.facts(connection, None, datetime(2026, 1, 1, tzinfo=UTC))
    assert set(found) == {f"relay.sent {ran.data['relay']}", f"relay.back {ran.data['relay']}"}


def test_a_place_that_takes_no_letters_fails_the_doctor(folder: Path, tocsin: Tocsin) -> None:
    configure(folder, FOLDER)
    ran = tocsin("doctor", "relay")
    assert ran.code != 0
    assert "review cannot be used" in ran.err
    assert "review cannot be used" in tocsin("doctor", "--relay").out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            '[mail.relay]\nhost = "one.example"\n[mail.relays.two]\nhost = "two.example"\n',
            "relay and relays are both there",
        ),
        ('[mail.relays.two]\ntransport = "folder"\n', "needs a folder"),
        ('[mail.relays.two]\ntransport = "sendmail"\ncommand = ["sendmail"]\n', "the whole path"),
        ('[mail.relays."a/b"]\nhost = "two.example"\n', "a relay is named by letters"),
    ],
)
def test_relays_that_are_not_clear_are_refused(folder: Path, text: str, why: str) -> None:
    configure(folder, text)
    with pytest.raises(ConfigurationError) as raised:
        load(folder / "config.toml")
    assert why in raised.value.why


def test_no_relay_is_shown_the_password_of_another_one(folder: Path) -> None:
    configure(folder, '[mail.relays.east]\nhost = "east.example"\nusername = "tocsin"\n')
    file = folder / "credentials.toml"
    file.write_text('mail_password = "plain"\nmail_passwords = { west = "western" }\n', encoding="utf-8")
    settings = relays.settings_of(load(folder / "config.toml"), "east")
    assert isinstance(settings, RelaySettings)
    assert settings.password == ""
    file.write_text('mail_password = "plain"\nmail_passwords = { east = "eastern" }\n', encoding="utf-8")
    settings = relays.settings_of(load(folder / "config.toml"), "east")
    assert isinstance(settings, RelaySettings)
    assert (settings.password, settings.name) == ("eastern", "east")


def test_each_of_several_relays_has_to_prove_itself(folder: Path, installed: Database, tocsin: Tocsin) -> None:
    written_wave.bring_in(installed, kind="test")
    configure(folder, FOLDER + program(folder))
    (folder / "letters").mkdir()
    ran = tocsin("doctor", "relay", "--to", "me@outside.example", "--execute", "--yes", "--json")
    assert [one["relay"] for one in ran.data["relays"]] == ["review", "local"]
    loaded = load(folder / "config.toml")
    for n, file in enumerate([*(folder / "letters").glob("*.eml"), *folder.glob("kept/*")], 1):
        assert not proven(loaded, installed)
        whole = file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        (folder / f"{n}.eml").write_bytes(b"Return-Path: <bounces@agency.example>\r\n" + whole)
        assert tocsin("doctor", "relay", "--back", f"{n}.eml").code == 0
    assert proven(loaded, installed)
    before = relays.bound(loaded)
    configure(folder, FOLDER + '[mail.relays.local]\ntransport = "sendmail"\nweight = 7\n')
    assert relays.bound(load(folder / "config.toml")) != before
    configure(folder, FOLDER + "weight = 5\n" + (folder / "sendmail").as_posix().join(PROGRAM))
    assert relays.bound(load(folder / "config.toml")) == before
    configure(
        folder, FOLDER + (folder / "sendmail").as_posix().join(PROGRAM) + '[mail.relays.third]\nhost = "a.example"\n'
    )
    third = load(folder / "config.toml")
    assert relays.bound(third) != before
    assert not proven(third, installed)
    assert tocsin("doctor", "relay", "--relay", "fourth").code != 0


def proven(loaded: Loaded, db: Database) -> bool:
    with db.read() as connection:
        return golive_facts.is_back(loaded, golive.facts(connection, None, datetime(2026, 1, 1, tzinfo=UTC)))


def test_a_wave_goes_over_a_program_and_a_folder_by_weight(folder: Path, installed: Database, tocsin: Tocsin) -> None:
    configure(folder, FOLDER + "weight = 2\n" + program(folder))
    (folder / "letters").mkdir()
    send_three(installed, folder, tocsin)
    assert len([*(folder / "letters").glob("*.eml")]) == 2
    assert len([*(folder / "kept").iterdir()]) == 1
    assert relays_of_attempts(installed) == {"review", "local"}
    limits = {row["key"] for row in tocsin("status", "--json").data["limits"]}
    assert {"mail:relay:review", "mail:relay:local"} <= limits
