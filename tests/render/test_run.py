"""The render stage on both databases: which text, which language, and what it keeps of the choice."""

import email
import email.policy
import zlib
from datetime import datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address

import pytest
from pysequoia import Tsk
from sqlalchemy import insert, select, update

from pipeline.domain import CaseState, ConfigurationError, Exposure, LetterState, Tier, WaveState
from pipeline.follow.plan import FIRST, OTHERS
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.render import compose
from pipeline.render.folder import read
from pipeline.render.pgp import Sign, signer_of
from pipeline.render.run import drafted, render, rewrite
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


def bring_in(db: Database, now: datetime, kind: str) -> None:
    """Import a shipped letter."""
    with db.write() as connection:
        templates.bring_in(
            connection, kind, read(ROOT / "templates" / "letters" / kind, ROOT / "templates"), now, "test"
        )


def told(db: Database, now: datetime) -> str:
    """The first letter is written and was handed over; its case waits once more.  Returns its reference."""
    plan(db, now)
    written(db, now)
    handed = {"number": 1, "worker_id": seed.worker(db, now), "head": b"", "sha256": b"x" * 32, "sender": "s@a.example"}
    with db.write() as connection:
        attempt = {"letter_id": 1, "recipient": "abuse@isp.example", "started_at": now, "dot_at": now, **handed}
        connection.execute(insert(t.attempts).values(**attempt))
        connection.execute(update(t.letters).values(state=LetterState.HANDED.value))
        connection.execute(update(t.waves).values(state=WaveState.DONE.value))
        connection.execute(update(t.cases).values(state=CaseState.RESOLVED.value))
        return str(connection.execute(select(t.notices.c.reference)).scalar_one())


def plan(db: Database, now: datetime, kind: str = FIRST) -> None:
    made = plan_wave(
        db, 1, "00", 1, PlanSettings(timedelta(days=3), 0, 0), KEYS, clock=lambda: now, by="person:1", kind=kind
    )
    assert made.letters == 1, made.left_out


def written(db: Database, now: datetime, sign: Sign | None = None) -> EmailMessage:
    """Render what is planned, and return the one letter."""
    worker = seed.worker(db, now)
    assert render(db, KEYS, worker_id=worker, clock=lambda: now, progress=lambda *_: None, sign=sign) == 1
    with db.read() as connection:
        newest = select(t.letters.c.sha256).order_by(t.letters.c.id.desc()).limit(1).scalar_subquery()
        body = connection.execute(select(t.bodies.c.body).where(t.bodies.c.sha256 == newest)).scalar_one()
    message = email.message_from_bytes(zlib.decompress(body), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


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
def test_the_country_of_the_network_stands_with_the_letter_for_the_hours_in_which_it_may_leave(
    db: Database, now: datetime
) -> None:
    plan(db, now)
    written(db, now)
    with db.read() as connection:
        assert connection.execute(select(t.letters.c.country)).scalar_one() == "US"


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


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("kind", ["reminder", "last"])
def test_a_reminder_names_the_first_letter_that_left_and_answers_it(db: Database, now: datetime, kind: str) -> None:
    bring_in(db, now, kind)
    reference = told(db, now)
    with db.read() as connection:
        first = connection.execute(select(t.letters.c.message_id)).scalar_one()
    plan(db, now + timedelta(hours=2), kind)
    message = written(db, now + timedelta(hours=2))
    assert f"March 1, 2026 (reference {reference})" in text(message).replace("\u00a0", " ")
    assert message["In-Reply-To"] == first
    assert message["Message-ID"] != first


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("method", "said", "unsaid"),
    [
        ("passive", "test of March 2, 2026", "We were told"),
        ("statement", "We were told", "our test"),
    ],
)
def test_a_thank_you_claims_a_test_of_ours_only_if_there_was_one(
    db: Database, now: datetime, method: str, said: str, unsaid: str
) -> None:
    bring_in(db, now, "thanks")
    told(db, now)
    plan(db, now, "thanks")
    with db.write() as connection:
        closed = {"verdict": Exposure.CLOSED.value, "method": method, "at": now + timedelta(days=1)}
        connection.execute(update(t.checks).values(**closed))
    found = text(written(db, now + timedelta(days=30))).replace("\u00a0", " ")
    assert said in found
    assert unsaid not in found


@pytest.mark.usefixtures("ready")
def test_the_form_that_was_chosen_stands_beside_the_letter_and_is_used_again(db: Database, now: datetime) -> None:
    with db.write() as connection:
        wish = Preference(format="csv", headers={"X-Queue": "abuse"})
        preferences.put(connection, 1, wish, now, "person:1")
    plan(db, now)
    message = written(db, now)
    assert message["X-Queue"] == "abuse"
    assert [part.get_filename() for part in message.iter_attachments()] == ["training-addresses.csv"]
    with db.write() as connection:  # another wish, since
        preferences.put(connection, 1, Preference(format="inline"), now, "person:1")
        kept = connection.execute(select(t.bodies.c.body)).scalar_one()
        assert rewrite(connection, 1) == zlib.decompress(kept)


@pytest.mark.usefixtures("ready")
def test_a_header_that_was_asked_for_under_an_older_rule_stops_no_wave_and_the_rest_of_the_wish_holds(
    db: Database, now: datetime
) -> None:
    old = {"X-Queue": "abuse", "X-From": "a@isp.example", "Bcc": "b@isp.example"}
    with db.write() as connection:
        preferences.put(connection, 1, Preference(format="csv", headers=old), now, "person:1")
    plan(db, now)
    message = written(db, now)
    assert (message["X-Queue"], message["X-From"], message["Bcc"]) == ("abuse", None, None)
    assert len(list(message.iter_attachments())) == 1
    with db.write() as connection:
        form = connection.execute(select(t.letters.c.form)).scalar_one()
        assert "X-From" not in form
        kept = connection.execute(select(t.bodies.c.body)).scalar_one()
        earlier = form.replace("X-Queue", "X-From")  # as an older release would have kept it
        connection.execute(update(t.letters).values(form=earlier))
        assert rewrite(connection, 1) == zlib.decompress(kept).replace(b"X-Queue: abuse\r\n", b"")


@pytest.mark.usefixtures("ready")
def test_a_letter_that_is_drafted_ahead_is_the_one_that_is_written(db: Database, now: datetime) -> None:
    with db.write() as connection:
        wish = Preference(language="fr", format="csv", headers={"X-Queue": "abuse"})
        preferences.put(connection, 1, wish, now, "person:1")
    plan(db, now)
    with db.write() as connection:
        ahead = drafted(connection, KEYS, 1, now)
    written(db, now)
    with db.read() as connection:
        kept = connection.execute(select(t.bodies.c.body)).scalar_one()
    drawn = compose.letter(ahead.values, ahead.sources, ahead.choice, ahead.form, ahead.message_id)
    assert drawn == zlib.decompress(kept)


@pytest.mark.usefixtures("ready")
def test_a_campaign_that_signs_needs_a_key_and_its_letters_bear_a_signature(db: Database, now: datetime) -> None:
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(settings=events.canonical({**SETTINGS, "pgp_sign": True})))
    plan(db, now)
    with pytest.raises(ConfigurationError, match="there is no key"):
        written(db, now)
    message = written(db, now, signer_of(str(Tsk.generate("a@agency.example"))))
    assert message.get_content_type() == "multipart/signed"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "application/pgp-signature"]
