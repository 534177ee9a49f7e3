"""A wave whose letters or campaign the lint finds fault with is not approved; one without fault is, as before."""

from typing import Any

import pytest
from sqlalchemy import func, select

from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli import written_wave as wave
from tests.cli.conftest import Tocsin


@pytest.fixture(autouse=True)
def database(db: Database, folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works on the test's database, of either kind."""
    monkeypatch.setenv("TOCSIN_DATABASE__URL", db.engine.url.render_as_string(hide_password=False))


def _words(db: Database) -> int:
    with db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(t.approvals)).scalar_one())


def test_a_wave_without_fault_is_approved(db: Database, tocsin: Tocsin) -> None:
    wave.bring_in(db)
    wave.waiting(db)
    wave.rendered(db)
    ran = tocsin("approve", "accept", "one")
    assert (ran.code, ran.err) == (0, "")
    assert "approved" in ran.out


@pytest.mark.parametrize(
    ("changes", "settings", "told"),
    [
        ({"who.fr.txt.j2": "Autre chose.\n"}, {}, "who.fr.txt.j2"),
        ({"fr.txt.j2": wave.sources()["fr.txt.j2"].replace("Bonjour,", "Bonjour urgent,")}, {}, "fr.txt.j2: words"),
        ({}, {"guidance": {"en": "https://a.example/", "fr": "https://a.example/"}}, "campaign.guidance: link"),
        ({}, {"postal": {"en": ["x", "z"], "fr": ["y"]}}, "campaign.postal: lines"),
    ],
)
def test_a_wave_with_a_fault_is_refused_and_nothing_is_recorded(
    db: Database, tocsin: Tocsin, changes: dict[str, str], settings: dict[str, Any], told: str
) -> None:
    wave.bring_in(db, changes)
    wave.waiting(db, **settings)
    wave.rendered(db)
    ran = tocsin("approve", "accept", "one")
    assert ran.code == 6
    assert "Wave 1 cannot be approved" in ran.err
    assert told in ran.err
    assert "tocsin template lint" in ran.err
    assert _words(db) == 0
    assert tocsin("approve", "reject", "one", "--reason", "its letters are not sound").code == 0


@pytest.mark.parametrize(
    ("language", "limits"),
    [
        ("en", "no limit; no evidence older than 72 h 00 min"),
        ("fr", "aucune limite; aucune preuve de plus de 72 h 00 min"),
    ],
)
def test_the_limits_of_a_wave_are_shown_in_words(db: Database, tocsin: Tocsin, language: str, limits: str) -> None:
    wave.bring_in(db)
    wave.waiting(db)
    wave.rendered(db)
    shown = tocsin("--lang", language, "approve", "show", "one")
    assert (limits in shown.out, "fresh_for_seconds" in shown.out) == (True, False), shown.out


def test_what_was_imported_since_does_not_count(db: Database, tocsin: Tocsin) -> None:
    """The lint reads the revisions that the wave was rendered from."""
    wave.bring_in(db)
    wave.waiting(db)
    wave.rendered(db)
    wave.bring_in(db, {"who.fr.txt.j2": "Autre chose.\n"})
    assert tocsin("approve", "accept", "one").code == 0
