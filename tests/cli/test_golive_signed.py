"""Going live by signatures made with ssh-keygen, as docs/how-to/first-live-wave.md says: real keys, a real file."""

from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.cli import approvals
from pipeline.config import load
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli import test_golive
from tests.cli.conftest import Tocsin
from tests.cli.test_golive import NAME, go, golive, mode
from tests.ran import Ran
from tests.ssh import Signers

db, nameserver, pages, ready, relay = (
    test_golive.db,
    test_golive.nameserver,
    test_golive.pages,
    test_golive.ready,
    test_golive.relay,
)


@pytest.fixture
def signers(ready: None, tocsin: Tocsin, folder: Path) -> Signers:
    """Two approvers who sign, and one whose key the file does not have."""
    made = Signers(folder)
    for name in ("ada", "ben", "cleo"):
        ran = tocsin("person", "add", name, "--role", "approver", "--principal", f"{name}@agency.example")
        assert ran.code == 0, ran.err
    made.allow("ada", "ben")
    return made


def sheet(tocsin: Tocsin, folder: Path) -> bytes:
    golive(tocsin, "--sheet", str(folder / "sheet.txt"))
    return (folder / "sheet.txt").read_bytes()


def accept(tocsin: Tocsin, folder: Path, name: str, signature: str) -> Ran:
    (folder / "given.sig").write_text(signature, encoding="ascii")
    return golive(tocsin, "--accept", "--as", name, "--signature", str(folder / "given.sig"))


def stands(db: Database, folder: Path) -> bool:
    """What is asked before each claim."""
    with db.read() as connection:
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        return approvals.gone_live(load(folder / "config.toml"), connection, campaign)


def test_a_campaign_goes_live_by_two_signatures_and_only_while_the_file_bears_them_out(
    db: Database, tocsin: Tocsin, folder: Path, signers: Signers
) -> None:
    text = sheet(tocsin, folder)
    assert text == sheet(tocsin, folder)  # both sign the same one
    assert accept(tocsin, folder, "ada", signers.sign("ada", text)).data["approvals"] == 1
    assert go(tocsin).code == 6
    assert accept(tocsin, folder, "ben", signers.sign("ben", text)).data["approvals"] == 2
    assert go(tocsin).code == 0
    assert (mode(db), stands(db, folder)) == ("live", True)
    signers.allow("ada")
    assert not stands(db, folder)
    signers.allow("ada", "ben", ben=' valid-before="20250101"')
    assert not stands(db, folder)
    signers.allow("ada", "ben")
    assert stands(db, folder)


def test_a_signature_that_does_not_hold_is_no_yes(db: Database, tocsin: Tocsin, folder: Path, signers: Signers) -> None:
    text = sheet(tocsin, folder)
    for name, signature in {
        "ada": signers.sign("ada", text + b"one line more\n"),
        "ben": signers.sign("ada", text),  # somebody else's
        "cleo": signers.sign("cleo", text),  # her key is not in the file
    }.items():
        ran = accept(tocsin, folder, name, signature)
        assert (ran.code, ran.data["error"]["what"]) == (6, "The signature does not hold")
    assert accept(tocsin, folder, "ada", signers.sign("ada", text, "file")).code == 6  # given for another purpose
    assert golive(tocsin).data["approvals"] == 0
    assert mode(db) == "training"


def test_a_yes_does_not_count_once_its_key_is_taken_out_before_the_step_itself(
    db: Database, tocsin: Tocsin, folder: Path, signers: Signers
) -> None:
    text = sheet(tocsin, folder)
    for name in ("ada", "ben"):
        assert accept(tocsin, folder, name, signers.sign(name, text)).code == 0
    signers.allow("ada", "cleo")
    ran = tocsin("--lang", "fr", "campaign", "golive", NAME, "--execute", "--yes")
    assert (ran.code, mode(db)) == (6, "training")
    assert "une signature n'est pas confirmée par le fichier des signataires autorisés" in ran.err
