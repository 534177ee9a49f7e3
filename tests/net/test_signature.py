"""Approvals are checked by the real ssh-keygen."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.domain import ConfigurationError
from pipeline.net.signature import NAMESPACE, verify
from tests.system import presence

MANIFEST = b"Tocsin wave manifest 1\ncampaign test\n"


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    """A folder with a key of `officer`, an allowed-signers file, and a signature over MANIFEST."""
    program = presence.needs("ssh-keygen", shutil.which("ssh-keygen"))

    def run(*arguments: str) -> None:
        subprocess.run([program, *arguments], check=True, capture_output=True)

    run("-t", "ed25519", "-N", "", "-q", "-f", str(tmp_path / "key"))
    public = (tmp_path / "key.pub").read_text()
    (tmp_path / "allowed").write_text(f'officer@agency.example namespaces="{NAMESPACE}" {public}')
    (tmp_path / "manifest").write_bytes(MANIFEST)
    run("-Y", "sign", "-f", str(tmp_path / "key"), "-n", NAMESPACE, str(tmp_path / "manifest"))
    return tmp_path


def check(folder: Path, manifest: bytes = MANIFEST, principal: str = "officer@agency.example") -> bool:
    return verify(manifest, (folder / "manifest.sig").read_text(), principal, folder / "allowed")


def test_a_signature_holds_for_its_manifest_and_its_signer_alone(signer: Path) -> None:
    assert check(signer)
    assert not check(signer, MANIFEST + b"letter 1\n")
    assert not check(signer, principal="other@agency.example")
    assert not check(signer, principal="-officer; rm")


def test_a_signer_taken_off_the_list_no_longer_counts(signer: Path) -> None:
    (signer / "allowed").write_text("")
    assert not check(signer)


def test_a_missing_list_is_a_clear_error(signer: Path) -> None:
    (signer / "allowed").unlink()
    with pytest.raises(ConfigurationError, match="no allowed-signers file"):
        check(signer)


def test_rubbish_is_not_a_signature(signer: Path) -> None:
    assert not verify(MANIFEST, "", "officer@agency.example", signer / "allowed")
    assert not verify(MANIFEST, "x" * 100_000, "officer@agency.example", signer / "allowed")
    assert not verify(MANIFEST, "-----BEGIN SSH SIGNATURE-----", "officer@agency.example", signer / "allowed")
