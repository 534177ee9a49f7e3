"""A new installation: made once, never overwritten, secrets for its owner alone, nothing declared by accident."""

import re
import stat
import tomllib
from pathlib import Path

import pytest

from pipeline import config
from pipeline.config_text import example
from pipeline.store.keys import keys_of
from tests.cli.conftest import Tocsin


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def test_init_makes_what_every_command_needs(tocsin: Tocsin, new: Path) -> None:
    ran = tocsin("init", new)
    assert ran.code == 0
    assert sorted(path.name for path in new.iterdir()) == ["config.toml", "credentials.toml", "tocsin.db"]
    assert ran.out.count("made ") == 3
    assert tocsin("--config", new / "config.toml", "feed", "list").code == 0
    assert tocsin("--config", new / "config.toml", "doctor").code == 0


def test_init_twice_overwrites_nothing_and_says_what_exists(tocsin: Tocsin, new: Path) -> None:
    tocsin("init", new)
    tocsin("--config", new / "config.toml", "hold", "--reason", "kept")
    (new / "config.toml").write_text("# mine\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in new.iterdir() if path.suffix == ".toml"}
    ran = tocsin("init", new)
    assert (ran.code, ran.out.count("was left as it is"), ran.out.count("made ")) == (0, 3, 0)
    assert {path: path.read_bytes() for path in before} == before
    assert "kept" in tocsin("--config", new / "config.toml", "holds").out


def test_init_makes_only_what_is_missing(tocsin: Tocsin, new: Path) -> None:
    tocsin("init", new)
    key = (new / "credentials.toml").read_bytes()
    (new / "tocsin.db").unlink()
    data = tocsin("init", new, "--json").data
    assert (len(data["made"]), len(data["kept"])) == (1, 2)
    assert data["made"][0].endswith("/tocsin.db")
    assert (new / "credentials.toml").read_bytes() == key


def test_only_the_owner_can_read_the_secrets_and_the_database(tocsin: Tocsin, new: Path) -> None:
    tocsin("init", new)
    for name in ("credentials.toml", "tocsin.db"):
        assert stat.S_IMODE((new / name).stat().st_mode) == 0o600, name


def test_every_installation_has_a_master_key_of_its_own(tocsin: Tocsin, tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        ran = tocsin("init", tmp_path / name)
        secret = tomllib.loads((tmp_path / name / "credentials.toml").read_text(encoding="utf-8"))["master_key"]
        assert len(keys_of(secret).master) == 32
        assert secret not in ran.out + ran.err
        keys.add(secret)
    assert len(keys) == 2


def test_the_new_settings_declare_nothing_and_show_every_setting(tocsin: Tocsin, new: Path) -> None:
    tocsin("init", new)
    loaded = config.load(new / "config.toml")
    assert (loaded.settings.feeds, loaded.settings.zones, loaded.settings.campaigns) == ({}, {}, {})
    text = (new / "config.toml").read_text(encoding="utf-8")
    for line in example().splitlines():
        assert line in text
    uncommented = re.sub(r"^# (\[(feeds|zones|campaigns)\..*|\w+ = .*)$", r"\1", text, flags=re.MULTILINE)
    (new / "config.toml").write_text(uncommented, encoding="utf-8")
    assert list(config.load(new / "config.toml").settings.campaigns) == ["secure-your-server"]


def test_init_where_nothing_can_be_written_is_a_clear_error(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ran = tocsin("init", tmp_path / "file" / "below")
    assert ran.code == 3
    assert "cannot be used" in ran.err
