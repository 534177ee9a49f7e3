"""Do a wave's approvals hold right now?  What `approve` and `send` ask: the database, the manifest, the signers' file.

And may a wave be approved at all: the lint is asked about the letters that it was rendered from, and about its campaign.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.cli import relays
from pipeline.cli.states import WORDS
from pipeline.config import Loaded
from pipeline.domain import RefusedBySafety
from pipeline.net.signature import verify
from pipeline.render import lint
from pipeline.render.face import face_of
from pipeline.render.lint_faces import bilingual_of, check_face
from pipeline.send.approval import Standing, standing
from pipeline.store import golive, render, templates, waves
from pipeline.store.db import Connection


def judge(loaded: Loaded, connection: Connection, wave: dict[str, Any]) -> Standing:
    """Weigh the words that were given on a wave, against its manifest as it is now."""
    manifest = waves.manifest(connection, wave)
    digest = hashlib.sha256(manifest).digest()
    if wave["manifest_sha256"] is None or digest != bytes(wave["manifest_sha256"]):
        return Standing(0, 1, "manifest")
    signers = signers_file(loaded)
    return standing(
        waves.approvals_of(connection, wave["id"]),
        digest,
        training=wave["mode"] == "training",
        needed=loaded.settings.safety.approvers_needed,
        makers=[person for person in (wave["made_by"], wave["edited_by"]) if person],
        verify=lambda signature, principal: verify(manifest, signature, principal, signers),
    )


def require_sound(connection: Connection, wave: dict[str, Any]) -> None:
    """Raise RefusedBySafety if the lint finds anything in the revisions of a wave, or in its campaign's settings.

    Letters that were imported by an older release, or not by the command, come before it here for the first time.
    """
    sources = templates.by_ids(connection, json.loads(wave["revisions"]))
    problems = lint.check(sources)
    if not problems:
        settings = json.loads(render.campaign_of(connection, wave["id"])["settings"])
        problems = check_face(face_of(settings), lint.locales_of(sources), bilingual_of(settings))
    if problems:
        raise RefusedBySafety(
            f"Wave {wave['number']} cannot be approved: its letters are not sound",
            f"the lint finds in {problems[0].source}: {problems[0].code}",
            "Run: tocsin template lint, mend it, import it, and plan the wave again.",
        )


def signers_file(loaded: Loaded) -> Path:
    """Return the allowed-signers file, whether it is there or not."""
    return loaded.path(loaded.settings.safety.allowed_signers or "allowed_signers")


def bound(loaded: Loaded, connection: Connection, campaign_id: int) -> bytes:
    """Return what going live binds to: the campaign's settings and those of mail, as they are now.

    The brakes and the pause after the first letters are among them: nobody takes them off alone from a live campaign.  So
    are all relays: one more is another binding.
    """
    mail = loaded.settings.mail
    said = {**relays.bound(loaded), "dkim": mail.dkim.model_dump(mode="json"), "sender": mail.sender}
    said |= {"brakes": mail.brakes.model_dump(mode="json"), "canary": mail.canary.model_dump(mode="json")}
    return golive.binding(connection, campaign_id, said)


def digest(sheet: bytes) -> bytes:
    """Return the hash of a sheet, to which words bind."""
    return hashlib.sha256(sheet).digest()


def words_on(loaded: Loaded, connection: Connection, campaign_id: int, sheet: bytes) -> Standing:
    """Weigh the words that were given on a sheet of the go-live checklist, if it binds to the settings of today."""
    given = dict(golive.words(connection, campaign_id, bound(loaded, connection, campaign_id))).get(sheet, [])
    signers = signers_file(loaded)
    return standing(
        given,
        digest(sheet),
        training=False,
        needed=loaded.settings.safety.approvers_needed,
        makers=golive.makers(connection, campaign_id),
        verify=lambda signature, principal: verify(sheet, signature, principal, signers),
    )


def gone_live(loaded: Loaded, connection: Connection, campaign_id: int) -> bool:
    """True if enough people have said yes to one sheet, and the settings are still those of that sheet."""
    sheets = golive.words(connection, campaign_id, bound(loaded, connection, campaign_id))
    return any(words_on(loaded, connection, campaign_id, sheet).stands for sheet, _ in sheets)


def _of_live(loaded: Loaded, connection: Connection, wave: dict[str, Any]) -> object:
    """Return what the judgement of a live campaign rests on, None in training mode."""
    if wave["mode"] == "training":
        return None
    campaign_id = wave["campaign_id"]
    return golive.given(connection, campaign_id), bound(loaded, connection, campaign_id)


def english(found: Standing) -> str:
    """Return why words do not stand, empty where they do: an English sentence of the catalogue, as errors have them."""
    if found.objection:
        return WORDS["objection"][found.objection]
    return "" if found.stands else f"{found.valid} of {found.needed} approvals are there"


class Guard:
    """Asked before each claim: an empty text, or why the wave may not be sent, in English as errors are.

    The full judgement is made when a wave is first seen, and again whenever the signers' file or the words change.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.seen: dict[int, tuple[object, str]] = {}

    def __call__(self, connection: Connection, wave: dict[str, Any]) -> str:
        state = (
            self._signers(),
            waves.words_given(connection, wave["id"]),
            bytes(wave["manifest_sha256"] or b""),
            _of_live(self.loaded, connection, wave),
        )
        if wave["id"] not in self.seen or self.seen[wave["id"]][0] != state:
            self.seen[wave["id"]] = (state, self._objection(connection, wave))
        return self.seen[wave["id"]][1]

    def _signers(self) -> bytes:
        file = signers_file(self.loaded)
        return hashlib.sha256(file.read_bytes()).digest() if file.is_file() else b""

    def _objection(self, connection: Connection, wave: dict[str, Any]) -> str:
        if wave["mode"] != "training" and not gone_live(self.loaded, connection, wave["campaign_id"]):
            return WORDS["objection"]["not_live"]
        return english(judge(self.loaded, connection, wave))
