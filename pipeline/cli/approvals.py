"""Do a wave's approvals hold right now?  What `approve` and `send` ask: the database, the manifest, the signers' file."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.cli import words
from pipeline.config import Loaded
from pipeline.net.signature import verify
from pipeline.send.approval import Standing, standing
from pipeline.store import waves
from pipeline.store.db import Connection

OBJECTIONS = {
    "rejected": "somebody rejected it",
    "signature": "a signature is not borne out by the allowed-signers file",
    "not_independent": "somebody who made or edited it counts among its approvers",
    "manifest": "its letters are not those of the manifest that was approved",
}


def judge(loaded: Loaded, connection: Connection, wave: dict[str, Any]) -> Standing:
    """Weigh the words that were given on a wave, against its manifest as it is now."""
    manifest = waves.manifest(connection, wave)
    digest = hashlib.sha256(manifest).digest()
    if wave["manifest_sha256"] is None or digest != bytes(wave["manifest_sha256"]):
        return Standing(0, 1, "manifest")
    signers = _signers_file(loaded)
    return standing(
        waves.approvals_of(connection, wave["id"]),
        digest,
        training=wave["mode"] == "training",
        needed=loaded.settings.safety.approvers_needed,
        makers=[person for person in (wave["made_by"], wave["edited_by"]) if person],
        verify=lambda signature, principal: verify(manifest, signature, principal, signers),
    )


def _signers_file(loaded: Loaded) -> Path:
    return loaded.path(loaded.settings.safety.allowed_signers or "allowed_signers")


class Guard:
    """Asked before each claim: an empty text, or why the wave may not be sent.

    The full judgement is made when a wave is first seen, and again whenever the signers' file or the words change.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.seen: dict[int, tuple[object, str]] = {}

    def __call__(self, connection: Connection, wave: dict[str, Any]) -> str:
        state = (self._signers(), waves.words_given(connection, wave["id"]), bytes(wave["manifest_sha256"] or b""))
        if wave["id"] not in self.seen or self.seen[wave["id"]][0] != state:
            self.seen[wave["id"]] = (state, self._objection(connection, wave))
        return self.seen[wave["id"]][1]

    def _signers(self) -> bytes:
        file = _signers_file(self.loaded)
        return hashlib.sha256(file.read_bytes()).digest() if file.is_file() else b""

    def _objection(self, connection: Connection, wave: dict[str, Any]) -> str:
        if wave["mode"] != "training":
            return "this release sends in training mode only"
        found = judge(self.loaded, connection, wave)
        if found.objection:
            return OBJECTIONS[found.objection]
        if not found.stands:
            return words.text("{valid} of {needed} approvals are there", valid=found.valid, needed=found.needed)
        return ""
