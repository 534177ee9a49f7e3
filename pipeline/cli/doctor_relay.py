"""`tocsin doctor relay`: what the relay offers; a test letter to a mailbox outside; and that letter as it arrived.

Reads: the settings, the texts of the test letter, a file that a person saved.  Writes: what was found, as facts for the
go-live checklist; the letter is written down before it leaves.  With --to and --execute one letter leaves, to a mailbox on
the guest list.  Repeating it sends another one, under a Message-ID of its own.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from pipeline.cli import checks, context, dkim, edges, relays, show, words
from pipeline.cli.command import Command, option
from pipeline.cli.context import Ground
from pipeline.cli.declared import declared
from pipeline.config import Loaded
from pipeline.domain import ConfigurationError, NotFound, RefusedBySafety, Send, TryAgain
from pipeline.net.letter_folder import FolderSettings
from pipeline.net.sendmail import SendmailSettings
from pipeline.net.smtp import RelaySettings
from pipeline.net.smtp_session import NotOpened
from pipeline.net.smtp_trial import Trial, trial
from pipeline.render import compose, front, samples
from pipeline.render import letter as written
from pipeline.render.face import face_of
from pipeline.render.language import LanguageChoice
from pipeline.send.dkim import header_block, signature_lines
from pipeline.send.gate import is_guest
from pipeline.send.head import head
from pipeline.send.returned import LONGEST, Body, Returned, Signature, compare
from pipeline.store import golive, templates

TEST = "test"  # the kind of letter
OFFERS = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "STARTTLS", "AUTH")
COUNTS = timedelta(days=7)
SENT, BACK = "relay.sent", "relay.back"  # facts


@click.command(
    cls=Command,
    examples=(
        "tocsin doctor relay",
        "tocsin doctor relay --to me@outside.example --campaign secure-your-server --execute",
        "tocsin doctor relay --back letter.eml",
    ),
)
@option(
    "--to", "mailbox", default="", metavar="MAILBOX", help="Send the test letter there: outside, on the guest list."
)
@option("--campaign", "name", default="", metavar="NAME", help="Who writes it: a campaign of config.toml.")
@option("--execute", is_flag=True, help="Do it; otherwise it is only said what would be done.")
@option(
    "--back", "file", type=click.Path(path_type=Path), metavar="FILE", help="That letter as it arrived, saved whole."
)
@option("--relay", "which", default="", metavar="NAME", help="Only this relay, of several.")
@click.pass_context
def relay(ctx: click.Context, mailbox: str, name: str, execute: bool, file: Path | None, which: str) -> None:
    """Say what the relay offers; with --to send a test letter outside; with --back compare it as it arrived.

    The letter must come back as it was sent: the same text, the same Message-ID, our signature unbroken, the envelope
    sender ours. A campaign goes live only within seven days of such a letter, over each relay of several; each has a letter
    of its own. The exit code is 3 if it came back changed.
    """
    if file is not None and mailbox:
        raise click.UsageError(words.text("--to and --back each stand alone"))
    with context.opened() as ground:
        if file is not None:
            data = _back(ground, file)
            show.emit(data, lambda: _told(data))
            if not data["sound"]:
                ctx.exit(3)
            return
        over = relays.chosen(ground.loaded, which)
        letters = [_letter(ground, name, mailbox) if mailbox else None for _ in over]
        if mailbox and not context.agreed(
            execute, words.text("Send the test letter to {mailbox} now?", mailbox=mailbox)
        ):
            letters = [None for _ in over]
        tried = [_tried(ground, one, letter, mailbox) for one, letter in zip(over, letters, strict=True)]
    data = tried[0] if len(tried) == 1 else {"relays": tried}
    show.emit(data, lambda: [line for one in tried for line in _page(one)] + _next(tried))
    if any(one["sent"] and not one["answer"].startswith("250") for one in tried):
        ctx.exit(3)


def sent_item(loaded: Loaded, name: str) -> str:
    """Return what the record calls a test letter over that relay: it is the installation's, where there is one relay."""
    return f"{SENT} {name}" if loaded.settings.mail.relays else SENT


def back_item(loaded: Loaded, name: str) -> str:
    return f"{BACK} {name}" if loaded.settings.mail.relays else BACK


# --- the letter ------------------------------------------------------------------------------------------------------


def _letter(ground: Ground, campaign: str, mailbox: str) -> bytes:
    """Return the shipped test letter as a campaign would send it, signed, to that mailbox.  Raises RefusedBySafety."""
    loaded = ground.loaded
    if not is_guest(mailbox.lower(), loaded.settings.safety.guests):
        raise RefusedBySafety(
            f"{mailbox} is not on the guest list", "a test letter goes to guests alone", "Add it to safety.guests."
        )
    edges.send_settings(loaded)  # without a sender nothing can be sent
    names = [campaign] if campaign else list(loaded.settings.campaigns)
    if len(names) != 1:
        raise ConfigurationError(
            "Who writes the test letter?", "there is not one campaign", "Name one with --campaign."
        )
    with ground.db.read() as connection:
        sources = {key: text for key, (_, text) in templates.newest(connection, TEST).items()}
    if not sources:
        raise NotFound(
            f"There is no letter {TEST}",
            "letters are rendered from imported revisions only",
            "Run: tocsin template import",
        )
    face = face_of(declared(ground, names[0])[0])
    matter = front.parse(written.source(sources, front.NAME), written.source(sources, front.TOPICS))
    sample = next(iter(samples.samples(matter.kind, tuple(matter.topics), matter.minimum_level)))
    values = replace(sample.values, face=face, contact=mailbox)
    domain = face.from_mailbox.rpartition("@")[2]
    form, message_id = replace(sample.form, pgp=False), f"<test.{secrets.token_hex(12)}@{domain}>"
    body = compose.letter(values, sources, LanguageChoice(matter.locales[:1], "preview"), form, message_id)
    now, signing = context.clock(), dkim.signing(loaded)
    top = head(now)
    if signing is None:
        return top + body
    return signature_lines(top + header_block(body), signing.body_hash(body), signing.keys, now) + top + body


def _tried(ground: Ground, name: str, letter: bytes | None, mailbox: str) -> dict[str, Any]:
    """Try one relay, and hand it the letter, which is on record before it leaves."""
    send = None
    if letter is not None:
        sender = _envelope_sender(ground.loaded.settings.mail.sender)
        send = Send(0, secrets.randbits(40), sender, mailbox, letter, envid="test")
        sent = {
            "relay": name,
            "letter": base64.b64encode(letter).decode(),
            "sha256": hashlib.sha256(letter).hexdigest(),
            "sender": sender,
        }
        by = ground.by()
        with ground.db.write() as connection:
            golive.say(connection, None, sent_item(ground.loaded, name), mailbox, context.clock(), by, sent)
    settings = relays.settings_of(ground.loaded, name)
    if not isinstance(settings, RelaySettings):
        return _left(settings, send)
    quick = replace(settings, timeout=min(settings.timeout, checks.MOST_PATIENCE))
    try:
        found = trial(quick, send)
    except NotOpened as refused:
        raise TryAgain(
            f"{name} cannot be used ({refused.stage})",
            refused.reply.text,
            "Correct mail.relay in config.toml, or start the relay.",
        ) from None
    data = {"relay": name, **_offered(found), "sent": found.reply is not None}
    return data if found.reply is None else {**data, "answer": f"{found.reply.code} {found.reply.text}"}


def _envelope_sender(mailbox: str) -> str:
    """Return an envelope sender as long as those of letters, and of the same form; it stands for none of them."""
    local, _, domain = mailbox.rpartition("@")
    return f"{local}+test.{secrets.token_hex(8)}@{domain}"


def _left(settings: SendmailSettings | FolderSettings, letter: Send | None) -> dict[str, Any]:
    """Try a program or a folder, which offers nothing.  Raises TryAgain."""
    if trouble := relays.trouble(settings):
        raise TryAgain(f"{settings.name} cannot be used", trouble, "Correct mail.relays in config.toml.")
    if letter is None:
        return {"relay": settings.name, "sent": False}
    result = relays.leave(settings, letter)
    return {"relay": settings.name, "sent": True, "answer": f"{result.reply} {result.text}"}


def _back(ground: Ground, file: Path) -> dict[str, Any]:
    """Compare the newest test letter with what arrived, and keep whether it came as it was sent."""
    now = context.clock()
    with ground.db.read() as connection:
        facts = golive.facts(connection, None, now - COUNTS)
    names = [name for name in relays.names(ground.loaded) if sent_item(ground.loaded, name) in facts]
    if not names:
        raise NotFound(
            "No test letter was sent in the last seven days", "", "Run: tocsin doctor relay --to MAILBOX --execute"
        )
    with file.open("rb") as stream:
        arrived = stream.read(LONGEST)
    for name in names:  # it tells itself which of them it is
        sent = json.loads(facts[sent_item(ground.loaded, name)]["data"])
        found = compare(base64.b64decode(sent["letter"]), arrived)
        if found.ours:
            break
    data = {
        "relay": sent["relay"],
        "ours": found.ours,
        "body": found.body.value,
        "lost": found.lost,
        "added": found.added,
        "return_path": found.return_path,
        "envelope_kept": found.return_path.lower() == sent.get("sender", ground.loaded.settings.mail.sender).lower(),
        "signature": found.signature.value,
        "sound": _sound(found),
    }
    if found.ours:
        kept = {"relay": sent["relay"], "sound": data["sound"], "sha256": sent["sha256"]}
        with ground.db.write() as connection:
            golive.say(connection, None, back_item(ground.loaded, name), "", now, ground.by(), kept)
    return data


def _sound(found: Returned) -> bool:
    return found.ours and found.body is not Body.CHANGED and found.signature is not Signature.BROKEN


# --- shown -----------------------------------------------------------------------------------------------------------


def _offered(found: Trial) -> dict[str, Any]:
    return {
        "offers": {name: found.extensions.get(name) for name in OFFERS},
        "tls": found.tls,
        "cipher": found.cipher,
        "certificate_sha256": found.certificate_sha256,
        "logged_in": found.logged_in,
    }


def _page(data: dict[str, Any]) -> list[str]:
    if "offers" not in data:
        return show.pairs([(words.text("relay"), data["relay"]), *_answer(data)])
    offered = [f"{name} {value}".strip() for name, value in data["offers"].items() if value is not None]
    missing = [name for name, value in data["offers"].items() if value is None]
    yes, no = words.text("yes"), words.text("no")
    pairs = [
        (words.text("relay"), data["relay"]),
        (words.text("offered"), ", ".join(offered) or words.text("nothing")),
        (words.text("not offered"), ", ".join(missing) or words.text("nothing")),
        ("TLS", f"{data['tls']}, {data['cipher']}" if data["tls"] else words.text("no TLS")),
        (words.text("logged in"), yes if data["logged_in"] else no),
    ]
    if data["certificate_sha256"]:
        pairs.append((words.text("certificate"), f"SHA-256 {data['certificate_sha256']}"))
    return show.pairs([*pairs, *_answer(data)])


def _answer(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(words.text("its answer"), data["answer"])] if "answer" in data else []


def _next(tried: list[dict[str, Any]]) -> list[str]:
    if not any(one["sent"] for one in tried):
        return []
    save = words.text("save the letter whole (.eml) where it arrives")
    return [save, words.text("next: {command}", command="tocsin doctor relay --back FILE")]


def _told(data: dict[str, Any]) -> list[str]:
    if not data["ours"]:
        return [words.text("this is not the test letter that was sent last: its Message-ID is another one")]
    bodies = {
        "same": words.text("its text came as it was sent"),
        "blanks": words.text("its text came as it was sent, but for blanks"),
        "changed": words.text("its text was changed on the way"),
    }
    signatures = {
        "kept": words.text("our signature holds"),
        "broken": words.text("our signature was broken on the way"),
        "none": words.text("we had not signed it"),
    }
    lines = [words.text("the Message-ID was kept"), bodies[data["body"]], signatures[data["signature"]]]
    nobody = words.text("nobody")
    lines.append(words.text("envelope sender: {mailbox}", mailbox=show.clean(data["return_path"]) or nobody))
    if data["return_path"] and not data["envelope_kept"]:
        lines.append(words.text("the relay changed the envelope sender: bounces may not come back to you"))
    for title, names in ((words.text("added"), data["added"]), (words.text("lost or changed"), data["lost"])):
        if names:
            lines.append(words.text("{path}: {message}", path=title, message=show.clean(", ".join(names))))
    return lines
