"""Why nothing is sent, and when it goes on, stands in words in `status` and in the plan of `send`, in both languages."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from pipeline.domain import Event, WaveState
from pipeline.store import brakes, lives
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import approve, wave_of_letters

SETTINGS = """\
[mail]
sender = "bounces@agency.example"
per_day = 5
[mail.relay]
host = "relay.example"
[safety]
guests = [".example"]
"""
NOW = datetime.now(UTC)
CODE = re.compile(r"\bmail:\w|\bbrakes\.|\bcanary\b|\b[a-z]+_[a-z]+\b|\{|first letters")  # never for people


@pytest.fixture
def wave(installed: Database, folder: Path) -> int:
    """An approved wave of three letters, released."""
    (folder / "config.toml").write_text(CONFIG + SETTINGS, encoding="utf-8")
    made = wave_of_letters(installed, NOW, 3, state=WaveState.PLANNED)
    approve(installed, made, NOW)
    with installed.write() as connection:
        lives.advance(connection, [made], Event.WAVE_RELEASED, NOW, "system:test")
    return made


def told(tocsin: Tocsin, language: str, *command: str) -> str:
    ran = tocsin("--lang", language, *command)
    found = ran.out + ran.err
    assert not CODE.search(re.sub(r"--\S+ \S+|\S+@\S+", "", found)), found
    return found


HELD = {
    "en": ("test, wave 1: 3 letters are held.", "held, campaign test: the lawyers ask", "ends with: tocsin release"),
    "fr": (
        "test, vague 1\u00a0: 3 lettres sont suspendues.",
        "suspendu, campagne test",
        "prend fin avec\u00a0: tocsin release",
    ),
}


@pytest.mark.parametrize("language", HELD)
def test_a_hold_of_a_person_and_the_command_that_ends_it(tocsin: Tocsin, wave: int, language: str) -> None:
    tocsin("hold", "--campaign", "test", "--reason", "the lawyers ask")
    in_status, in_plan, command = HELD[language]
    shown = told(tocsin, language, "status")
    assert in_status in shown
    assert "tocsin release --campaign test --reason ..." in shown
    plan = told(tocsin, language, "send", "test")
    assert (in_plan in plan, f"{command} --campaign test" in plan) == (True, True), plan


USED_UP = {
    "en": "The limit for all letters is used up for today: 5 of 5.",
    "fr": "La limite pour toutes les lettres est épuisée pour aujourd'hui\u00a0: 5 sur 5.",
}


@pytest.mark.parametrize("language", USED_UP)
def test_a_days_limit_that_is_used_up_goes_on_at_midnight(
    tocsin: Tocsin, installed: Database, wave: int, language: str
) -> None:
    with installed.write() as connection:
        connection.execute(insert(t.budgets).values(key="mail:all", day=f"{NOW:%Y-%m-%d}", used=5, next_at=NOW))
    midnight = f"{NOW + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    shown = told(tocsin, language, "status")
    assert f"{midnight}  {USED_UP[language]}" in shown
    assert midnight[:10] in told(tocsin, language, "send", "test")


BRAKES = {"en": "8 of 50 letters were refused or returned", "fr": "8 lettres sur 50 ont été refusées ou retournées"}


@pytest.mark.parametrize("language", BRAKES)
def test_what_the_program_holds_by_itself(tocsin: Tocsin, installed: Database, wave: int, language: str) -> None:
    with installed.write() as connection:
        brakes.brake(connection, 1, "refused", {"count": 8, "of": 50}, "", NOW)
    for command in (("status",), ("send", "test"), ("holds",)):
        assert BRAKES[language] in told(tocsin, language, *command)


VOID = {
    "en": "its campaign has not gone live by the word of two people on these settings",
    "fr": "sa campagne n'a pas été mise en service par la parole de deux personnes sur ces réglages",
}


@pytest.mark.parametrize("language", VOID)
def test_a_go_live_that_is_void_and_what_brings_it_back(
    tocsin: Tocsin, installed: Database, wave: int, language: str
) -> None:
    with installed.write() as connection:
        connection.execute(update(t.campaigns).values(mode="live"))
    shown = told(tocsin, language, "status")
    assert (VOID[language] in shown, "tocsin run" in shown) == (True, False), shown
    refused = told(tocsin, language, "send", "test")
    assert (VOID[language] in refused, "tocsin campaign golive test" in refused) == (True, True), refused


NOT_YET = {"en": "Wave 1 of test is rendered", "fr": "La vague 1 de test est rédigée"}


@pytest.mark.parametrize("language", NOT_YET)
def test_a_wave_that_nobody_has_approved(tocsin: Tocsin, installed: Database, folder: Path, language: str) -> None:
    (folder / "config.toml").write_text(CONFIG + SETTINGS, encoding="utf-8")
    wave_of_letters(installed, NOW, 3, state=WaveState.RENDERED)
    assert "tocsin approve show test" in told(tocsin, language, "status")
    refused = told(tocsin, language, "send", "test")
    assert (NOT_YET[language] in refused, "tocsin approve show test" in refused) == (True, True), refused
