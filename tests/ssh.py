"""People who sign with the real ssh-keygen, and the file that says whose signatures count."""

import shutil
import subprocess
from pathlib import Path

from pipeline.net.signature import NAMESPACE
from tests.system import presence


class Signers:
    """A key for each person that is asked for, and an allowed-signers file, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.program = presence.needs("ssh-keygen", shutil.which("ssh-keygen"))
        self.folder = folder
        self.file = folder / "allowed_signers"

    def public(self, name: str) -> str:
        """Return a person's public key; it is made when it is first asked for."""
        key = self.folder / f"{name}.key"
        if not key.exists():
            self._run("-t", "ed25519", "-N", "", "-q", "-f", str(key))
        return key.with_suffix(".key.pub").read_text(encoding="ascii").strip()

    def allow(self, *names: str, **options: str) -> None:
        """Write the file: these people may sign approvals; `options` are further ones of a person's line, by name."""
        lines = [
            f'{name}@agency.example namespaces="{NAMESPACE}"{options.get(name, "")} {self.public(name)}\n'
            for name in names
        ]
        self.file.write_text("".join(lines), encoding="ascii")

    def sign(self, name: str, text: bytes, namespace: str = NAMESPACE) -> str:
        """Return a person's signature over a text, as ssh-keygen writes it."""
        self.public(name)
        file, signature = self.folder / "to-sign", self.folder / "to-sign.sig"
        signature.unlink(missing_ok=True)
        file.write_bytes(text)
        self._run("-Y", "sign", "-f", str(self.folder / f"{name}.key"), "-n", namespace, str(file))
        return signature.read_text(encoding="ascii")

    def _run(self, *arguments: str) -> None:
        subprocess.run([self.program, *arguments], check=True, capture_output=True)
