"""Limits of sending come from the settings, by span of time; a plan or a provider that cannot be meant is refused."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import config
from pipeline.cli.edges import send_settings
from pipeline.cli.pacing import pace_settings
from pipeline.domain import ConfigurationError
from pipeline.sandbox.mail_server import serve
from pipeline.sandbox.thread import in_thread
from pipeline.send.pace import Pace, Rates
from pipeline.store.db import Database
from tests.cli.conftest import Tocsin
from tests.cli.test_send_signed import approved

SETTINGS = """\
[mail]
sender = "bounces@agency.example"
rate = 2
per_day = 5000
per_hour = 100
per_domain_rate = 0.1
mailbox_interval = "2h"
warm_up = { 1 = 50, 2 = 100, 14 = 0 }
per_domain = { per_day = 20 }
per_provider = { per_second = 0.5 }
per_campaign = { per_minute = 30 }
per_relay = { per_hour = 300 }
[mail.providers.google]
per_day = 200
[mail.providers."host.example"]
per_hour = 10
"""


def loaded(folder: Path, text: str) -> config.Loaded:
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return config.load(folder / "config.toml")


def test_every_limit_of_the_settings_reaches_the_stage(tmp_path: Path) -> None:
    assert send_settings(loaded(tmp_path, SETTINGS)).paces == Pace(
        every=Rates(2.0, per_hour=100, per_day=5000),
        relay=Rates(per_hour=300),
        campaign=Rates(per_minute=30),
        mx=Rates(0.5),
        mx_groups={"google": Rates(per_day=200), "host.example": Rates(per_hour=10)},
        domain=Rates(0.1, per_day=20),
        box_every=timedelta(hours=2),
        warm_up={1: 50, 2: 100, 14: 0},
    )


def test_as_shipped_a_mailbox_gets_one_letter_an_hour(tmp_path: Path) -> None:
    assert pace_settings(loaded(tmp_path, "")) == Pace(box_every=timedelta(hours=1))


def test_a_provider_that_nothing_is_called_after_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mail\.providers\.gogle"):
        pace_settings(loaded(tmp_path, "[mail.providers.gogle]\nper_day = 1"))


@pytest.mark.parametrize(
    "plan", ["{ 2 = 50 }", "{ 1 = -1 }", "{ 1 = 5, 01 = 6 }", "{ 1 = 5, x = 6 }", "{ 1 = 5, 99999 = 6 }"]
)
def test_a_warm_up_that_is_no_plan_is_refused(tmp_path: Path, plan: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        loaded(tmp_path, f"[mail]\nwarm_up = {plan}")


def test_limits_are_shown_as_toml_that_means_the_same(tocsin: Tocsin, folder: Path) -> None:
    (folder / "config.toml").write_text(SETTINGS, encoding="utf-8")
    shown = tocsin("config", "show").out
    assert tomllib.loads(shown)["mail"]["warm_up"] == {"1": 50, "2": 100, "14": 0}
    (folder / "config.toml").write_text(shown, encoding="utf-8")
    assert tocsin("config", "show").out == shown


RELAY = """\
[mail]
sender = "bounces@agency.example"
rate = 0
per_domain_rate = 0
warm_up = {{ 1 = 1 }}
[mail.relay]
port = {port}
tls = "none"
[safety]
guests = [".example"]
"""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "the limit of letters a day over the relay 127.0.0.1:{port} is reached; it goes on at {midnight}"),
        (
            "fr",
            "la limite de lettres par jour par le serveur d'envoi 127.0.0.1:{port} est atteinte; "
            "la suite reprend à {midnight}",
        ),
    ],
)
def test_it_is_said_why_nothing_is_being_sent_and_when_it_goes_on(
    tocsin: Tocsin, folder: Path, installed: Database, tmp_path: Path, language: str, said: str
) -> None:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)  # shortly before midnight it would wait
    tocsin.clock = lambda: now
    approved(installed, now)
    with in_thread(serve({}, tmp_path / "mail")) as server:
        (folder / "config.toml").write_text(RELAY.format(port=server.port), encoding="utf-8")
        ran = tocsin("--lang", language, "send", "test", "--execute", "--yes")
        assert ran.code == 0, ran.err
        assert len(server.messages()) == 1
        again = tocsin("--lang", language, "send", "test", "--execute", "--yes")
        assert len(server.messages()) == 1  # another process, the same day
    midnight = f"{now + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    line = said.format(port=server.port, midnight=midnight)
    assert line in ran.out.splitlines()
    assert line in again.out.splitlines()
    budgets = {row["key"]: row for row in tocsin("status", "--json").data["limits"]}
    mine = budgets[f"mail:relay:127.0.0.1:{server.port}"]
    assert (mine["used"], mine["per_day"]) == (1, 1)
    assert tocsin("status").out.count(f"127.0.0.1:{server.port}") >= 1
