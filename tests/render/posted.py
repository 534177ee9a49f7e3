"""Letters that no mailbox took, for tests of the print queue: a real wave, rendered, with addresses to post them to."""

from datetime import datetime, timedelta
from ipaddress import ip_address

from sqlalchemy import select, update

from pipeline.domain import ConfigurationError, LetterState, WaveState
from pipeline.follow.plan import FIRST
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.render import paper
from pipeline.render.folder import read
from pipeline.render.run import render
from pipeline.store import events, templates
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.databases import ROOT
from tests.seed import KEYS
from tests.system.presence import needs

WORDS = {"en": "a", "fr": "b"}
URL = {"en": "https://agency.example/en", "fr": "https://agency.example/fr"}
SETTINGS = {
    **dict.fromkeys(("operation", "from_name"), WORDS),
    **dict.fromkeys(("from_mailbox", "reply_to", "contact_mailbox"), "a@agency.example"),
    **dict.fromkeys(("guidance", "participants", "instructions", "verification", "privacy"), URL),
    "postal": {"en": ["Agency", "1 Example Street"], "fr": ["Agence", "1, rue de l'Exemple"]},
    "signature": {"en": ["x"], "fr": ["y"]},
    "agencies": [{"name": {"en": "Agency", "fr": "Agence"}, "country": "CA"}],
    "cosigners": [],
    "audience": "provider",
    "default_order": ["en", "fr_CA"],
}
POSTAL = "12 Sample Road\nSampleville, NY 10000"


def refused(db: Database, now: datetime, count: int = 1) -> list[str]:
    """Write a wave of `count` letters, about two cases each, all refused; returns their references in order."""
    campaign = seed.campaign(db, now)
    feed = seed.feed(db, now, "one", rights={"name_in_letter": True})
    snapshot = seed.snapshot(db, feed, now, [(ip_address("192.0.2.0"), 8080, "http", "http_proxy")])
    for number in range(count):
        pair = [ip_address(f"192.0.2.{2 * number + n}") for n in (0, 1)]
        seed.ready(db, now, campaign, f"abuse@isp{number}.example", pair, quoted=[(snapshot, 1)])
    folder = ROOT / "templates"
    with db.write() as connection:
        templates.bring_in(connection, "first", read(folder / "letters" / "first", folder), now, "test")
        connection.execute(update(t.campaigns).values(settings=events.canonical(SETTINGS)))
        connection.execute(
            update(t.netblocks).values(country="US", name="ISP-NET", holder="Sample Inc.", postal=POSTAL)
        )
        said = '{"groups":["one"],"level":"E1","quoted":[[1,1]],"reasons":[],"zones":[]}'
        connection.execute(update(t.checks).values(transcript=said))
    settings = PlanSettings(timedelta(days=3), 0, 0)
    plan_wave(db, campaign, "00", 1, settings, KEYS, clock=lambda: now, by="person:1", kind=FIRST)
    worker = seed.worker(db, now)
    assert render(db, KEYS, worker_id=worker, clock=lambda: now, progress=lambda *_: None) == count
    with db.write() as connection:
        connection.execute(update(t.waves).values(state=WaveState.SENDING.value))
        connection.execute(update(t.letters).values(state=LetterState.REFUSED.value))
        query = select(t.notices.c.reference).join(t.letters, t.letters.c.notice_id == t.notices.c.id)
        return list(connection.execute(query.order_by(t.letters.c.id)).scalars())


def can_print() -> bool:
    """Whether WeasyPrint and what it needs of the system are here."""
    try:
        paper.require()
    except ConfigurationError:
        return False
    return True


def printable() -> None:
    """End the test where no paper can be made."""
    needs("WeasyPrint with libpango", "here" if can_print() else None)
