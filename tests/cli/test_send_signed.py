"""`tocsin send` signs with the keys of the credential file what it hands to the relay, and seals the log before."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline.domain import WaveState
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from pipeline.store.db import Database
from pipeline.store.tables import events
from tests.cli.conftest import CONFIG, Tocsin
from tests.sealed import chain, heads_again
from tests.seed import approve, wave_of_letters
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
    approve(db, wave_id, now)


@pytest.fixture
def letters(tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path) -> list[bytes]:
    """Two letters of an approved wave as they arrive, each from its first signature on."""
    approved(installed, datetime.now(UTC))
    credentials = folder / "credentials.toml"
    keys = f"dkim_rsa_key = '''\n{pem(rsa())}'''\ndkim_ed25519_key = '''\n{pem(ed25519())}'''\n"
    credentials.write_text(credentials.read_text(encoding="utf-8") + keys, encoding="utf-8")
    with in_thread(serve({}, tmp_path / "mail")) as server:
        (folder / "config.toml").write_text(CONFIG + SETTINGS % server.port, encoding="utf-8")
        ran = tocsin("send", "test", "--execute", "--yes")
        assert ran.code == 0, ran.err
        found = [one.path.read_bytes() for one in server.messages()]
    assert len(found) == 2
    return [data[data.index(b"DKIM-Signature:") :] for data in found]


def test_letters_leave_with_both_signatures(letters: list[bytes]) -> None:
    for letter in letters:
        assert passes(letter, signers()) == [True, True]


def test_letters_carry_a_head_over_all_that_led_to_them_and_the_rest_is_sealed_at_the_end(
    letters: list[bytes], installed: Database
) -> None:
    carried = {head for letter in letters for head in re.findall(r"\nTocsin-Seal: (.*)\r\n", letter.decode())}
    found = {bytes(one["head"]).hex(): one for one in chain(installed)}
    with installed.read() as connection:
        released = connection.execute(select(events.c.id).where(events.c.what == "wave.released")).scalar_one()
        written = connection.execute(select(func.count()).select_from(events)).scalar_one()
    assert [found[head]["last_id"] >= released for head in carried] == [True]
    assert sum(one["count"] for one in found.values()) == written
    assert list(found) == heads_again(installed)
