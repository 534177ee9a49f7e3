"""What the page on signing says to type makes keys that can be used, in that order, in a fresh installation."""

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import dkim, edges
from pipeline.config import load
from tests.cli.conftest import Tocsin
from tests.databases import ROOT
from tests.system.presence import needs

PAGE = (ROOT / "docs" / "how-to" / "sign-letters.md").read_text(encoding="utf-8")
TYPED = re.findall(r"^    ((?:openssl|gpg|echo|rm|\(echo) .*)$", PAGE, re.MULTILINE)
SETTINGS = "\n".join(re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def keyring() -> Iterator[str]:
    """A folder for GnuPG with a short path: its sockets stand in it."""
    home = tempfile.mkdtemp(prefix="g")
    yield home
    subprocess.run(("gpgconf", "--kill", "all"), env={**os.environ, "GNUPGHOME": home}, timeout=30, check=False)
    shutil.rmtree(home, ignore_errors=True)


def test_what_the_page_says_to_type_makes_keys_that_sign(tocsin: Tocsin, folder: Path, keyring: str) -> None:
    for program in ("openssl", "gpg"):
        needs(program, shutil.which(program))
    assert len(TYPED) == 9
    for line in TYPED:
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": keyring}
        ran = subprocess.run(
            line, shell=True, cwd=folder, env=environment, capture_output=True, timeout=120, check=False
        )
        assert ran.returncode == 0, (line, ran.stderr)
    (folder / "config.toml").write_text(SETTINGS, encoding="utf-8")
    assert tocsin("config", "check").code == 0
    loaded = load(folder / "config.toml")
    keys = dkim.keys(loaded)
    assert keys is not None
    assert [(key.selector, key.algorithm) for key in keys.keys] == [
        (tomllib.loads(SETTINGS)["mail"]["dkim"][f"{kind}_selector"], f"{kind}-sha256") for kind in ("rsa", "ed25519")
    ]
    sign = edges.pgp_signer(loaded)
    assert sign is not None
    assert sign(b"x").startswith(b"-----BEGIN PGP SIGNATURE-----")
    assert (folder / "letters.asc").read_text(encoding="utf-8").startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert not list(folder.glob("*.pem"))
