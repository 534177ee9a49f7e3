"""A campaign with one wave that is rendered, made as the command makes it, for tests of letters' commands."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from sqlalchemy import select, update

from pipeline.config import shipped
from pipeline.follow.run import PlanSettings, plan_wave
from pipeline.render.folder import read
from pipeline.render.run import render
from pipeline.store import events, templates
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests import cases as seed
from tests.seed import KEYS

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
MAILBOX = "abuse@isp.example"
ADDRESS = "192.0.2.1"
WORDS = {"en": "a", "fr": "b"}
URL = {"en": "https://agency.example/en", "fr": "https://agency.example/fr"}
SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("operation", "from_name"), WORDS),
    **dict.fromkeys(("from_mailbox", "reply_to", "contact_mailbox"), "a@agency.example"),
    **dict.fromkeys(("guidance", "participants", "instructions", "verification", "privacy"), URL),
    **{key: {"en": ["x"], "fr": ["y"]} for key in ("postal", "signature")},
    "agencies": [{"name": {"en": "Agency", "fr": "Agence"}, "country": "CA"}],
    "cosigners": [],
    "audience": "provider",
    "default_order": ["en", "fr_CA"],
}


def sources(kind: str = "first") -> dict[str, str]:
    """A shipped letter."""
    return read(shipped("templates") / "letters" / kind, shipped("templates"))


def bring_in(db: Database, changes: dict[str, str] | None = None, kind: str = "first") -> None:
    """Import a letter without the command's lint, as an older release may have done."""
    with db.write() as connection:
        templates.bring_in(connection, kind, {**sources(kind), **(changes or {})}, NOW, "test")


def waiting(db: Database, *, name: str = "one", **settings: Any) -> None:
    """A campaign whose one case waits for its first letter."""
    address = ip_address(ADDRESS)
    campaign = seed.campaign(db, NOW, name)
    feed = seed.feed(db, NOW, "one", rights={"name_in_letter": True})
    snapshot = seed.snapshot(db, feed, NOW, [(address, 8080, "http", "http_proxy")])
    seed.ready(db, NOW, campaign, MAILBOX, [address], quoted=[(snapshot, 1)])
    with db.write() as connection:
        connection.execute(update(t.campaigns).values(settings=events.canonical({**SETTINGS, **settings})))
        connection.execute(update(t.netblocks).values(country="CA", name="ISP-NET"))
        said = '{"groups":["one"],"level":"E1","quoted":[[1,1]],"reasons":[],"zones":[]}'
        connection.execute(update(t.checks).values(transcript=said))


def plan(db: Database) -> str:
    """Plan the wave; returns its one notice's reference."""
    made = plan_wave(db, 1, "00", 1, PlanSettings(timedelta(days=3), 0, 0), KEYS, clock=lambda: NOW, by="person:1")
    assert made.letters == 1
    with db.read() as connection:
        return str(connection.execute(select(t.notices.c.reference)).scalar_one())


def rendered(db: Database) -> None:
    """Plan and render."""
    plan(db)
    assert render(db, KEYS, worker_id=seed.worker(db, NOW), clock=lambda: NOW, progress=lambda *_: None) == 1
