"""What the settings say of working hours reaches the stages, and what waits for them says so, in both languages."""

from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_address
from pathlib import Path

import click
import pytest

from pipeline import cli, config
from pipeline.cli import edges, words, work
from pipeline.cli.command import Given
from pipeline.data.quiet_days import QuietDays
from pipeline.send.run import Outcome
from pipeline.send.windows import ALWAYS, WindowRules
from pipeline.store.db import Database
from pipeline.store.send import WINDOW, put_off
from tests import cases as seed
from tests.cli.conftest import CONFIG, Tocsin
from tests.seed import wave_of_letters

LATER = timedelta(days=2)
SETTINGS = """\
[mail]
sender = "bounces@agency.example"
[mail.window]
letters = "working_hours"
opens = "09:30"
closes = "16:00"
holidays = false
quiet_days = ["12-24/01-02", "2027-03-01"]
zone = "America/Toronto"
"""


def loaded(folder: Path, text: str) -> config.Loaded:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return config.load(folder / "config.toml")


def test_every_setting_of_windows_reaches_the_stage(tmp_path: Path) -> None:
    assert edges.send_settings(loaded(tmp_path, SETTINGS)).window == WindowRules(
        working_hours=True,
        opens=time(9, 30),
        closes=time(16),
        holidays=False,
        quiet=(QuietDays((12, 24), (1, 2)), QuietDays((2027, 3, 1), (2027, 3, 1))),
        elsewhere="America/Toronto",
    )


def test_as_shipped_letters_may_leave_at_any_time(tmp_path: Path) -> None:
    assert edges.window_rules(loaded(tmp_path, "")) == ALWAYS
    assert edges.plan_settings(loaded(tmp_path, ""), 0).windows is None


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "outside the recipients' working hours, or on a quiet day, until "),
        ("fr", "hors des heures ouvrables des destinataires, ou un jour sans envoi, jusqu'à "),
    ],
)
def test_a_run_says_that_the_rest_waits_for_working_hours(language: str, sentence: str) -> None:
    words.use(language)
    at = datetime.now(UTC) + LATER
    with click.Context(cli.root, obj=Given()):
        assert any(line.startswith(sentence) for line in work.sent(Outcome({}, 3, at, WINDOW)))
        assert not any(line.startswith(sentence) for line in work.sent(Outcome({}, 3, at, "4.2.2")))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "test, wave 1: 3 letters wait, outside their recipients' working hours or on a quiet day."),
        ("fr", "test, vague 1\u00a0: 3 lettres attendent, hors des heures ouvrables des destinataires ou un jour"),
    ],
)
def test_the_status_says_that_letters_wait_for_working_hours(
    tocsin: Tocsin, installed: Database, language: str, sentence: str
) -> None:
    now = datetime.now(UTC)
    wave = wave_of_letters(installed, now, 3)
    with installed.write() as connection:
        assert put_off(connection, [wave], "", now, now + LATER) == 3
    said = tocsin("--lang", language, "status").out
    assert sentence in said
    assert f"{now + LATER:%Y-%m-%d}" in said


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ("in the recipients' working hours it takes at least 504 h 00 min", "more than 72 h 00 min before")),
        ("fr", ("pendant les heures ouvrables des destinataires, il faut au moins 504 h 00 min", "plus de 72 h")),
    ],
)
def test_a_plan_says_that_windows_make_a_wave_longer_than_evidence_stays_fresh(
    tocsin: Tocsin, installed: Database, folder: Path, language: str, lines: tuple[str, ...]
) -> None:
    (folder / "config.toml").write_text(CONFIG + '[mail.window]\nquiet_days = ["01-01/12-31"]\n', encoding="utf-8")
    now = datetime.now(UTC)
    campaign = seed.campaign(installed, now)
    seed.ready(installed, now, campaign, "abuse@isp1.example", [ip_address("192.0.2.1")])
    with installed.read() as connection:
        name = connection.exec_driver_sql("SELECT name FROM campaigns").scalar_one()
    ran = tocsin("--lang", language, "wave", "plan", name)
    assert ran.code == 0, ran.err
    for line in lines:
        assert line in ran.out
