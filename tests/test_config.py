"""Settings: unknown keys name their path, the environment wins, secrets stay secret, the example is the model."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline import config
from pipeline.config_text import example, length
from pipeline.domain import ConfigurationError
from tests.databases import ROOT


def write(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_is_written_from_the_model() -> None:
    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == example()


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, example()))
    assert loaded.settings.campaigns["secure-your-server"].minimum_level == 1
    assert loaded.database_url == f"sqlite:///{tmp_path}/tocsin.db"


def test_every_default_shown_in_the_example_is_the_default(tmp_path: Path) -> None:
    shown = re.sub(r"^# (\w+ = )", r"\1", example(), flags=re.MULTILINE)
    assert config.load(write(tmp_path, shown)).settings == config.load(write(tmp_path, example())).settings


def test_a_limit_that_is_set_for_one_registry_leaves_the_others_theirs(tmp_path: Path) -> None:
    rates = config.load(write(tmp_path, "[rdap.rates]\n'rdap.arin.net' = 1")).settings.rdap.rates
    assert rates == {**config.RDAP_RATES, "rdap.arin.net": 1.0}
    assert rates["rdap.lacnic.net"] < 1


@pytest.mark.parametrize("written", ["ab" * 32, ":".join(["AB"] * 32)])
def test_a_fingerprint_is_read_with_colons_and_without(tmp_path: Path, written: str) -> None:
    relay = config.load(write(tmp_path, f'[mail.relay]\nfingerprint = "{written}"')).settings.mail.relay
    assert relay.fingerprint == "ab" * 32


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[mail]\nrat = 2", "mail.rat: no such setting"),
        ("[mail.relay]\nport = 0", "mail.relay.port: "),
        ('[mail.relay]\nfingerprint = "ab:cd"', "mail.relay.fingerprint: "),
        (f'[mail.relay]\nfingerprint = "{"gh" * 32}"', "mail.relay.fingerprint: "),
        (f'[mail.relay]\ntls = "required"\nfingerprint = "{"ab" * 32}"', "mail.relay: "),
        ("[mail]\nfresh_for = '3 days'", "mail.fresh_for: "),
        ("[mail]\nfresh_for = 3", "mail.fresh_for: "),
        ("[feeds.a]\nparser = 'ip_port'", "feeds.a.lawful_basis: "),
        ("datbase = 1", "datbase: no such setting"),
        ('[mail.window]\nletters = "sometimes"', "mail.window.letters"),
        ('[mail.window]\nopens = "8"', "mail.window.opens"),  # not eight seconds past midnight
        ("[mail.window]\nopens = 08:00:00", "mail.window.opens"),
        ('[mail.window]\ncloses = "25:00"', "mail.window.closes"),
        ('[mail.window]\nopens = "17:00"', "mail.window: "),
        ('[mail.window]\nquiet_days = ["24 December"]', "mail.window.quiet_days"),
        ('[mail.window]\nzone = "Mars/Olympus"', "mail.window.zone"),
        ('[mail.window]\nzone = "../../etc/passwd"', "mail.window.zone"),
    ],
)
def test_a_wrong_setting_names_its_path(tmp_path: Path, text: str, path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.load(write(tmp_path, text))
    assert path in refused.value.why


@pytest.mark.parametrize("content", [b"[mail", b"\xff\xfe[mail]"])
def test_a_file_that_is_not_toml_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        config.load(file)
    assert str(file) in refused.value.what
    assert refused.value.next_step


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no settings file") as refused:
        config.load(tmp_path / "config.toml")
    assert "tocsin init" in refused.value.next_step


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_MAIL__RATE", "7.5")
    settings = config.load(write(tmp_path, "[mail]\nrate = 2\nper_day = 9")).settings
    assert (settings.mail.rate, settings.mail.per_day) == (7.5, 9)


def test_a_credential_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    secret = tmp_path / "credentials.toml"
    secret.write_text('master_key = "00ff"')
    secret.chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        config.load(file)
    secret.chmod(0o600)
    loaded = config.load(file)
    assert loaded.secrets.master_key.get_secret_value() == "00ff"
    assert "00ff" not in repr(loaded)


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", timedelta(seconds=30)), ("1.5h", timedelta(minutes=90)), ("5d", timedelta(days=5))]
)
def test_lengths_of_time_carry_their_unit(text: str, expected: timedelta) -> None:
    assert config.duration(text) == expected


@pytest.mark.parametrize("text", ["0s", "30s", "10m", "72h"])
def test_a_length_is_written_in_the_unit_that_divides_it(text: str) -> None:
    assert config.duration(length(config.duration(text))) == config.duration(text)  # type: ignore[arg-type]
