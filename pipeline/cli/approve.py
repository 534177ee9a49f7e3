"""`tocsin approve`: what is to be approved, exactly; a person's yes or no, signed."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli import approvals, context, show, words
from pipeline.cli.command import Group, option
from pipeline.cli.context import Ground
from pipeline.cli.progress import length
from pipeline.cli.send_plan import AMOUNTS, at_most
from pipeline.cli.states import said
from pipeline.cli.wave import beside, beside_lines, campaign_argument, wave_option
from pipeline.domain import RefusedBySafety
from pipeline.net import signature
from pipeline.store import persons, samples, waves

SAMPLES = 3


@click.group(cls=Group)
def approve() -> None:
    """Approvals: see exactly what would leave, and say yes or no to it."""


@approve.command("list")
def list_() -> None:
    """List the waves that wait for approval."""
    with context.opened() as ground, ground.db.read() as connection:
        found = [wave for wave in waves.all_open(connection) if wave["state"] == "rendered"]
        counts = [sum(waves.counts(connection, wave["id"]).values()) for wave in found]
    rows = [
        (w["campaign"], w["number"], said("mode", w["mode"]), n, w["made_by"])
        for w, n in zip(found, counts, strict=True)
    ]
    headings = [words.text(heading) for heading in ("campaign", "wave", "mode", "letters", "made by")]
    data = [{"campaign": w["campaign"], "wave": w["number"], "letters": n} for w, n in zip(found, counts, strict=True)]
    show.emit({"waves": data}, lambda: show.table(headings, rows))


@approve.command("show", examples=("tocsin approve show secure-your-server --manifest wave.txt",))
@campaign_argument
@wave_option
@option("--manifest", type=click.Path(path_type=Path), metavar="FILE", help="Write the manifest there, to be signed.")
@option(
    "--letters", type=click.Path(path_type=Path), metavar="DIR", help="Write every letter there as .eml, to be read."
)
def show_(name: str, number: int | None, manifest: Path | None, letters: Path | None) -> None:
    """Show what would leave: recipients by language and domain, limits, and some letters in full."""
    with context.opened() as ground, ground.db.read() as connection:
        wave = waves.find(connection, name, number)
        text = waves.manifest(connection, wave)
        summary = samples.summary(connection, wave["id"])
        examples = samples.one_of_each_language(connection, wave["id"], SAMPLES)
        found = approvals.judge(ground.loaded, connection, wave)
        told = beside(connection, wave)
        if manifest is not None:
            manifest.write_bytes(text)
        if letters is not None:
            letters.mkdir(parents=True, exist_ok=True)
            for sample in samples.letters_of(connection, wave["id"]):
                (letters / f"{sample.letter_id}.eml").write_bytes(sample.body)
    data: dict[str, Any] = {
        "campaign": name,
        "wave": wave["number"],
        "state": wave["state"],
        "kind": wave["kind"],
        "others": told,
        "manifest_sha256": bytes(wave["manifest_sha256"] or b"").hex(),
        "limits": wave["limits"],
        **summary,
        "approvals": found.valid,
        "approvals_needed": found.needed,
        "objection": found.objection,
        "samples": [{"letter": s.letter_id, "recipient": s.recipient, "text": s.text} for s in examples],
    }
    show.emit(data, lambda: _shown(data, wave))


def _shown(data: dict[str, Any], wave: dict[str, Any]) -> list[str]:
    lines = show.pairs(
        [
            (words.text("wave"), f"{data['wave']} ({data['campaign']})"),
            (words.text("state"), said("wave", wave["state"])),
            (words.text("goes"), said("kind", wave["kind"])),
            (words.text("letters"), words.number(data["letters"])),
            (words.text("languages"), words.counted(data["languages"])),
            (words.text("domains"), words.counted(data["domains"])),
            (words.text("limits"), _limits(data["limits"])),
            (words.text("manifest"), data["manifest_sha256"]),
            (words.text("approvals"), f"{data['approvals']} / {data['approvals_needed']}"),
        ]
    )
    lines += beside_lines(data["others"])
    if data["objection"]:
        lines.append(said("objection", data["objection"]))
    for sample in data["samples"]:
        lines += ["", f"--- {show.clean(sample['recipient'])} ---", show.clean(sample["text"])]
    return lines


@approve.command(examples=("tocsin approve accept secure-your-server --as LOUISE --signature wave.txt.sig",))
@campaign_argument
@wave_option
@option("--signature", "signed", type=click.Path(path_type=Path), metavar="FILE", help="Made by ssh-keygen -Y sign.")
@option("--password", is_flag=True, help="Weaker: ask for the person's password instead of a signature.")
def accept(name: str, number: int | None, signed: Path | None, password: bool) -> None:
    """Say yes to a wave, to exactly what `approve show` shows.

    A signature over the manifest is best: tocsin approve show NAME --manifest wave.txt, then
    ssh-keygen -Y sign -f KEY -n tocsin-approval wave.txt.
    """
    _word(name, number, accepted=True, signed=signed, password=password, reason="")


@approve.command()
@campaign_argument
@wave_option
@option("--reason", required=True, metavar="TEXT", help="Why; kept with the record.")
def reject(name: str, number: int | None, reason: str) -> None:
    """Say no to a wave: it does not leave as it is."""
    _word(name, number, accepted=False, signed=None, password=False, reason=reason)


def _word(name: str, number: int | None, *, accepted: bool, signed: Path | None, password: bool, reason: str) -> None:
    with context.opened() as ground:
        by = ground.by()
        person = acting(ground, by)
        with ground.db.read() as connection:
            wave = waves.find(connection, name, number)
            text = waves.manifest(connection, wave)
        if wave["mode"] != "training" and (person is None or person.role is not persons.Role.APPROVER):
            raise RefusedBySafety(
                "Only an approver has a word on a live wave",
                f"{person.name if person else by} has another role",
                "Run: tocsin person list, and add --as NAME",
            )
        if accepted:
            with ground.db.read() as connection:
                approvals.require_sound(connection, wave)
        training = wave["mode"] == "training"
        method, given = (
            proof(ground, person, text, signed, password, training=training) if accepted else ("password", "")
        )
        if not accepted and person is None:
            method = "training"
        with ground.db.write() as connection:
            wave = waves.locked(connection, wave["id"])
            waves.record(
                connection,
                wave,
                accepted=accepted,
                by=by,
                person_id=person.id if person else None,
                method=method,
                signature=given,
                reason=reason,
                now=context.clock(),
            )
            found = approvals.judge(ground.loaded, connection, wave)
            approved = waves.approve(connection, wave, context.clock(), by) if found.stands else 0
    data = {
        "wave": wave["number"],
        "accepted": accepted,
        "method": method,
        "approvals": found.valid,
        "approved": approved,
    }
    show.emit(data, lambda: _given(data, found.needed, name))


def _limits(limits: str) -> str:
    """Return the limits that a wave was planned with (its manifest has them as they are stored) in words."""
    kept = {"rate": 0.0, "per_day": 0, "fresh_for_seconds": 0, **json.loads(limits or "{}")}
    rates = at_most({**dict.fromkeys(AMOUNTS, 0), "per_second": kept["rate"], "per_day": kept["per_day"]})
    if not kept["fresh_for_seconds"]:
        return rates
    age = length(kept["fresh_for_seconds"])
    return words.text("{rates}; no evidence older than {length}", rates=rates, length=age)


def _given(data: dict[str, Any], needed: int, name: str) -> list[str]:
    if not data["accepted"]:
        return [words.text("wave {number} is rejected", number=data["wave"])]
    lines = [words.text("{valid} of {needed} approvals are there", valid=data["approvals"], needed=needed)]
    if data["approved"]:
        lines.append(words.text("wave {number} is approved; nothing has left yet", number=data["wave"]))
        lines.append(words.text("next: {command}", command=f"tocsin send {name}"))
    return lines


def acting(ground: Ground, by: str) -> persons.Person | None:
    """Return the registered person who acts, None where it is the system's user."""
    if not by.startswith("person:"):
        return None
    with ground.db.read() as connection:
        return persons.by_id(connection, int(by.removeprefix("person:")))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt(words.text("Password"), hide_input=True, err=True))


def proof(
    ground: Ground,
    person: persons.Person | None,
    manifest: bytes,
    signed: Path | None,
    password: bool,
    *,
    training: bool,
) -> tuple[str, str]:
    """Return (method, signature) of a word that was proven: on a manifest, or another text that people say yes to.

    Raises RefusedBySafety.
    """
    if signed is not None and person is not None:
        given = signed.read_text(encoding="ascii", errors="replace")
        signers = ground.loaded.path(ground.loaded.settings.safety.allowed_signers or "allowed_signers")
        if not signature.verify(manifest, given, person.principal, signers):
            raise RefusedBySafety(
                "The signature does not hold",
                "it is not over this manifest, or the allowed-signers file does not allow this person to give it",
                "Write the manifest again (approve show --manifest) and sign it (ssh-keygen -Y sign -n tocsin-approval).",
            )
        return "ssh", given
    if password and person is not None:
        if not persons.fits(person, _password()):
            raise RefusedBySafety("The password is wrong", "", "Try again, or approve with a signature.")
        return "password", ""
    if training:
        return "training", ""
    raise RefusedBySafety(
        "A live wave is approved with a signature or a password",
        "only training mode takes the system's user",
        "Add --as NAME with --signature FILE or --password.",
    )
