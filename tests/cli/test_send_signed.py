"""`tocsin send` signs with the keys of the credential file what it hands to the relay."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.domain import WaveState
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from pipeline.store import waves
from pipeline.store.db import Database
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import wave_of_letters
from tests.send.signers import DOMAIN, ed25519, passes, pem, rsa, signers

SETTINGS = f"""\
[mail]
sender = "bounces@{DOMAIN}"
rate = 0
per_domain_rate = 0
[mail.relay]
port = %d
tls = "none"
[mail.dkim]
domain = "{DOMAIN}"
rsa_selector = "s2026"
ed25519_selector = "e2026"
[safety]
guests = [".example"]
"""


def approved(db: Database, now: datetime) -> None:
    """Make a wave of two letters that somebody has approved."""
    wave_id = wave_of_letters(db, now, 2, state=WaveState.PLANNED)
    with db.write() as connection:
        waves.seal_manifest(connection, wave_id, now, "tocsin")
        waves.record(
            connection,
            waves.by_id(connection, wave_id),
            accepted=True,
            by="system:test",
            person_id=None,
            method="training",
            signature="",
            reason="",
            now=now,
        )
        waves.approve(connection, waves.by_id(connection, wave_id), now, "system:test")


def test_letters_leave_with_both_signatures(tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path) -> None:
    approved(installed, datetime.now(UTC))
    credentials = folder / "credentials.toml"
    keys = f"dkim_rsa_key = '''\n{pem(rsa())}'''\ndkim_ed25519_key = '''\n{pem(ed25519())}'''\n"
    credentials.write_text(credentials.read_text(encoding="utf-8") + keys, encoding="utf-8")
    with in_thread(serve({}, tmp_path / "mail")) as server:
        (folder / "config.toml").write_text(CONFIG + SETTINGS % server.port, encoding="utf-8")
        ran = tocsin("send", "test", "--execute", "--yes")
        assert ran.code == 0, ran.err
        kept = server.messages()
    assert len(kept) == 2
    for one in kept:
        data = one.path.read_bytes()
        assert passes(data[data.index(b"DKIM-Signature:") :], signers()) == [True, True]
