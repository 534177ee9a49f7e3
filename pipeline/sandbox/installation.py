"""An installation in a folder that a town serves: its settings, its feeds with fresh dates, its credential file.

Reads: a scenario's files.  Writes: config.toml, credentials.toml and hits/ in a folder.  Pure but for that.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.config_text import key, toml

AGO = re.compile(r"@-([0-9]{1,4})h")  # in a feed of a scenario: so many hours before it is used


def write(folder: Path, settings: Mapping[str, Any], hits: tuple[Path, ...], now: datetime) -> None:
    """Write the settings, a new credential file (mode 0600) and the feeds, their dates counted from now."""
    (folder / "config.toml").write_text(config_text(settings), encoding="utf-8")
    credentials = folder / "credentials.toml"
    credentials.touch(mode=0o600)
    credentials.write_text(f'master_key = "{secrets.token_hex(32)}"\n', encoding="ascii")
    (folder / "hits").mkdir(exist_ok=True)
    for path in hits:
        (folder / "hits" / path.name).write_text(dated(path.read_text(encoding="utf-8"), now), encoding="utf-8")


def dated(text: str, now: datetime) -> str:
    """Return a feed's text with every @-3h as the time three hours before now, UTC."""
    return AGO.sub(lambda found: _time(now - timedelta(hours=int(found[1]))), text)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def config_text(settings: Mapping[str, Any], path: str = "") -> str:
    """Return settings as TOML: plain values first, then a table for each section."""
    plain = [f"{key(name)} = {toml(value)}" for name, value in settings.items() if not isinstance(value, Mapping)]
    sections = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            inner = f"{path}{key(name)}"
            sections.append(f"\n[{inner}]\n{config_text(value, inner + '.')}")
    return "\n".join([*plain, ""]) + "".join(sections)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return two trees of settings as one; where both say something, the second holds."""
    result = dict(one)
    for name, value in other.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result
