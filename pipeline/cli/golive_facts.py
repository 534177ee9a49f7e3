"""What the checklist of `tocsin campaign golive` is asked about: the settings, the database, the DNS, the relay, the links.

Reads all of these; writes nothing.  The DNS, the relay and the pages that letters name are asked outside of every
transaction.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.cli import checks, doctor_dns, edges, relays, words
from pipeline.cli.approvals import signers_file
from pipeline.cli.context import Ground
from pipeline.cli.declared import declared
from pipeline.cli.doctor_relay import back_item
from pipeline.cli.finding import Finding, Grade
from pipeline.config import Loaded
from pipeline.domain import ConfigurationError, WaveState
from pipeline.net import links
from pipeline.net.http import HttpSettings
from pipeline.render import lint
from pipeline.render.face import face_of
from pipeline.render.lint_faces import bilingual_of, check_face
from pipeline.send.canary import CanarySettings
from pipeline.send.checklist import Facts
from pipeline.store import events, golive, overview, persons, stops, templates, waves
from pipeline.store.campaigns import Campaign
from pipeline.store.db import Connection

FRESH = timedelta(days=7)  # what was said or tested for the checklist counts for that long
LINK = re.compile(r"https?://[^\s\"'<>\\{}|^`\[\]()]+")
MAILBOXES = ("from_mailbox", "reply_to", "contact_mailbox")
OPEN = (WaveState.RENDERED, WaveState.APPROVED, WaveState.SENDING)
LONGEST_FILE = 1 << 20


def gathered(ground: Ground, campaign: Campaign, now: datetime) -> Facts:
    """Return what is to be known of a campaign that shall go live."""
    with ground.db.read() as connection:
        letters = _letters(connection)
        said = golive.facts(connection, campaign.id, now - FRESH)
        tested = golive.facts(connection, None, now - FRESH)
        suppressed = len(stops.listed(connection, stops.Stop.SUPPRESSION, now))
        people = [p for p in persons.everyone(connection) if p.role is persons.Role.APPROVER and p.disabled_at is None]
        open_waves = [
            wave["number"]
            for wave in waves.all_open(connection)
            if wave["campaign"] == campaign.name and wave["state"] in OPEN
        ]
        log_is_read = golive.log_is_read(connection)
        bases = _bases(ground, connection)
    found = list(doctor_dns.findings(ground.loaded, campaign.name))
    signers = _principals(signers_file(ground.loaded))
    return Facts(
        settings_differ=_differs(ground, campaign),
        bases=bases,
        mailboxes={key: str(campaign.settings.get(key, "")) for key in MAILBOXES}
        | {"mail.sender": ground.loaded.settings.mail.sender},
        problems=_problems(campaign, letters),
        links=links.troubles(_links(campaign, letters), _http(ground.loaded)),
        names=_by_code(found, Grade.FAIL),
        doubts=_by_code(found, Grade.WARN),
        relay=", ".join(relays.names(ground.loaded)),
        relay_trouble=_relay(ground.loaded),
        letter_is_back=is_back(ground.loaded, tested),
        answers_known=log_is_read,
        stops=suppressed,
        approvers=len(people),
        signers=sum(person.principal in signers for person in people),
        needed=ground.loaded.settings.safety.approvers_needed,
        daily_cap=_cap(ground.loaded),
        open_waves=open_waves,
        brakes=edges.brake_settings(ground.loaded),
        canary=CanarySettings(**ground.loaded.settings.mail.canary.model_dump()),
        words={item: fact["said"] for item, fact in said.items()},
    )


def _differs(ground: Ground, campaign: Campaign) -> bool:
    settings, topics, level = declared(ground, campaign.name)
    now = events.canonical([settings, sorted(set(topics)), level])
    return now != events.canonical([campaign.settings, list(campaign.topics), campaign.minimum_level])


def _bases(ground: Ground, connection: Connection) -> dict[str, str]:
    """Return the lawful basis of each feed that is declared, or has delivered: empty where nobody says one now."""
    declared_now = {name: feed.lawful_basis for name, feed in ground.loaded.settings.feeds.items()}
    delivered = {str(feed["name"]): "" for feed in overview.feeds_known(connection)}
    return delivered | declared_now


def _letters(connection: Connection) -> dict[str, templates.Revisions]:
    names = dict.fromkeys(one.letter for one in templates.imports(connection))
    return {name: {source: text for source, (_, text) in templates.newest(connection, name).items()} for name in names}


def _problems(campaign: Campaign, letters: Mapping[str, templates.Revisions]) -> list[str]:
    if not letters:
        return [words.text("no letter was imported")]
    try:
        face = face_of(campaign.settings)
    except ConfigurationError as error:
        return [words.text("{what}: {why}", what=words.sentence(error.what), why=words.sentence(error.why))]
    found = []
    for name, sources in letters.items():
        problems = lint.check(sources)
        if not problems:
            problems = check_face(face, lint.locales_of(sources), bilingual_of(campaign.settings))
        found += [f"{name}/{problem.source}: {problem.code}" for problem in problems]
    return found


def _links(campaign: Campaign, letters: Mapping[str, templates.Revisions]) -> list[str]:
    """Return the links that letters of a campaign bear: those of its settings, and those that stand in their texts."""
    texts = [
        text
        for sources in letters.values()
        for name, text in sorted(sources.items())
        if not name.endswith((".po", ".pot"))
    ]
    found = [url.rstrip(".,;:!?") for text in (*_texts(campaign.settings), *texts) for url in LINK.findall(text)]
    return list(dict.fromkeys(found))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _http(loaded: Loaded) -> HttpSettings:
    agent = loaded.settings.rdap.user_agent or "Tocsin"
    return HttpSettings(agent, timeout=20, allow_plain_http_to_loopback=loaded.settings.rdap.allow_loopback)


def _by_code(found: Iterable[Finding], grade: Grade) -> dict[str, str]:
    return {
        finding.code or f"{finding.check} {n}": f"{finding.check}: {finding.what}"
        for n, finding in enumerate(found, 1)
        if finding.grade is grade
    }


def _relay(loaded: Loaded) -> str:
    found = [finding for finding in checks.mail_relay(loaded) if finding.grade is Grade.FAIL]
    return " ".join(part for finding in found for part in (finding.what, finding.why) if part)


def is_back(loaded: Loaded, tested: Mapping[str, Mapping[str, Any]]) -> bool:
    """True if over each relay of today the newest test letter that was read as it arrived came unchanged."""
    found = {name: tested.get(back_item(loaded, name)) for name in relays.names(loaded)}
    data = {name: json.loads(fact["data"]) if fact is not None else {} for name, fact in found.items()}
    return all(said.get("sound") is True and said.get("relay") == name for name, said in data.items())


def _cap(loaded: Loaded) -> str:
    """Return how many letters may leave on the first day, with the plan of the days after it; empty if any number."""
    mail = loaded.settings.mail
    plan = ", ".join(f"{day}: {cap}" for day, cap in sorted(mail.warm_up.items(), key=lambda item: int(item[0])))
    return plan or str(mail.per_day or "")


def _principals(file: Path) -> set[str]:
    """Return whom the allowed-signers file names (man ssh-keygen, ALLOWED SIGNERS: names, options, key)."""
    if not file.is_file():
        return set()
    with file.open(encoding="utf-8", errors="replace") as stream:
        lines = stream.read(LONGEST_FILE).splitlines()
    named = (line.split(None, 1)[0] for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return {name for names in named for name in names.strip('"').split(",")}
