"""The render stage on both databases: which text, which language, and what it keeps of the choice."""

import email
import email.policy
import zlib
from datetime import datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address

import pytest
from sqlalchemy import select, update

from pipeline.domain import CaseState, Tier
from pipeline.follow.plan import FIRST, OTHERS
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.render.folder import read
from pipeline.render.run import render
from pipeline.store import events, preferences, templates
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.preferences import Preference
from tests import cases as seed
from tests.databases import ROOT
from tests.seed import KEYS

WORDS = {"en": "a", "fr": "b"}
URL = {"en": "https://agency.example/en", "fr": "https://agency.example/fr"}
SETTINGS = {
    **dict.fromkeys(("operation", "from_name"), WORDS),
    **dict.fromkeys(("from_mailbox", "reply_to", "contact_mailbox"), "a@agency.example"),
    **dict.fromkeys(("guidance", "participants", "instructions", "verification", "privacy"), URL),
    **{key: {"en": ["x"], "fr": ["y"]} for key in ("postal", "signature")},
    "agencies": [{"name": {"en": "Agency", "fr": "Agence"}, "country": "CA"}],
    "cosigners": [],
    "audience": "provider",
    "default_order": ["en", "fr_CA"],
}


@pytest.fixture
def ready(db: Database, now: datetime) -> list[int]:
    """A campaign with a case that waits for its letter, about what one feed said, and the shipped texts."""
    folder = ROOT / "templates"
    sources = read(folder / "letters" / "first", folder)
    address = ip_address("192.0.2.1")
    campaign = seed.campaign(db, now)
    feed = seed.feed(db, now, "one", rights={"name_in_letter": True})
    snapshot = seed.snapshot(db, feed, now, [(address, 8080, "http", "http_proxy")])
    ids = seed.ready(db, now, campaign, "abuse@isp.example", [address], quoted=[(snapshot, 1)])
    with db.write() as connection:
        templates.bring_in(connection, "first", sources, now, "test")
        connection.execute(update(t.campaigns).values(settings=events.canonical(SETTINGS)))
        connection.execute(update(t.netblocks).values(country="US", name="ISP-NET"))
        said = '{"groups":["one"],"level":"E1","quoted":[[1,1]],"reasons":[],"zones":[]}'
        connection.execute(update(t.checks).values(transcript=said))
    return ids


def plan(db: Database, now: datetime, kind: str = FIRST) -> None:
    made = plan_wave(
        db, 1, "00", 1, PlanSettings(timedelta(days=3), 0, 0), KEYS, clock=lambda: now, by="person:1", kind=kind
    )
    assert made.letters == 1, made.left_out


def written(db: Database, now: datetime) -> EmailMessage:
    """Render what is planned, and return the one letter."""
    worker = seed.worker(db, now)
    assert render(db, KEYS, worker_id=worker, clock=lambda: now, progress=lambda *_: None) == 1
    with db.read() as connection:
        body = connection.execute(select(t.bodies.c.body)).scalar_one()
    message = email.message_from_bytes(zlib.decompress(body), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage) -> str:
    return " ".join(str(message.get_content()).split())


def language(db: Database) -> tuple[str, str]:
    """Return the locales and the rule, which stand with the letter and with the contact in its campaign alike."""
    with db.read() as connection:
        of_letter = connection.execute(select(t.letters.c.locales, t.letters.c.language_rule)).one()
        kept = select(t.campaign_contacts.c.locales, t.campaign_contacts.c.language_rule)
        assert tuple(connection.execute(kept).one()) == tuple(of_letter)
    return of_letter.locales, of_letter.language_rule


@pytest.mark.usefixtures("ready")
def test_the_networks_contact_is_told_of_its_network_in_the_language_of_its_country(
    db: Database, now: datetime
) -> None:
    plan(db, now)
    assert "for which your mailbox is registered as the abuse contact" in text(written(db, now))
    assert language(db) == ("en", "country")


@pytest.mark.usefixtures("ready")
def test_another_than_the_networks_contact_is_not_told_that_it_is_one(db: Database, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(update(t.netblock_contacts).values(tier=int(Tier.CERT)))
    plan(db, now, OTHERS)
    said = text(written(db, now))
    assert "a network of which you are not the registered contact (ISP-NET)" in said
    assert "registered as the abuse contact" not in said


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("lasts", "expected"), [(timedelta(seconds=1), ("fr", "preference")), (None, ("en", "country"))]
)
def test_a_wish_decides_the_language_while_it_holds(
    db: Database, now: datetime, lasts: timedelta | None, expected: tuple[str, str]
) -> None:
    wish = Preference(language="fr", until=now + lasts if lasts else now)
    with db.write() as connection:
        preferences.put(connection, 1, wish, now, "person:1")
    plan(db, now)
    written(db, now)
    assert language(db) == expected


def test_a_case_that_lost_its_contact_since_it_was_planned_stops_no_wave(
    db: Database, now: datetime, ready: list[int]
) -> None:
    plan(db, now)
    gone = {"state": CaseState.NO_CONTACT.value, "netblock_contact_id": None}
    with db.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id.in_(ready)).values(**gone))
    assert "ISP-NET" in text(written(db, now))
