"""Detached signatures by OpenSSH: `ssh-keygen -Y verify`, against an allowed-signers file outside the database.

Reads: that file and a signature; writes: a temporary file, removed.  Nothing leaves the machine.  A security key signs as
an ordinary key does: ssh-keygen -Y sign -f KEY -n tocsin-approval MANIFEST.  Format: OpenSSH PROTOCOL.sshsig.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pipeline.domain import ConfigurationError

NAMESPACE = "tocsin-approval"
PRINCIPAL = re.compile(r"[A-Za-z0-9._@+-]{1,100}")
LONGEST_SIGNATURE = 20_000
TIMEOUT = 20


def verify(manifest: bytes, signature: str, principal: str, allowed_signers: Path) -> bool:
    """True if `signature` over `manifest` is good and the file allows `principal` to give it now.

    Raises ConfigurationError if ssh-keygen or the file is missing.
    """
    if not PRINCIPAL.fullmatch(principal) or not 0 < len(signature) <= LONGEST_SIGNATURE:
        return False
    program = shutil.which("ssh-keygen")
    if program is None:
        raise ConfigurationError(
            "ssh-keygen is not installed", "approvals are signed with it", "Install OpenSSH's client."
        )
    if not allowed_signers.is_file():
        raise ConfigurationError(
            f"There is no allowed-signers file {allowed_signers}",
            "safety.allowed_signers names it, and signed approvals are checked against it",
            "Write it (man ssh-keygen, ALLOWED SIGNERS), or correct safety.allowed_signers.",
        )
    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        command = [
            program,
            "-Y",
            "verify",
            "-f",
            str(allowed_signers),
            "-I",
            principal,
            "-n",
            NAMESPACE,
            "-s",
            file.name,
        ]
        done = subprocess.run(command, input=manifest, capture_output=True, timeout=TIMEOUT, check=False)
    return done.returncode == 0
