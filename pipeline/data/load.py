"""Read a TOML file of facts strictly: what is missing, unknown or of the wrong kind is an error that names its path.

Reads: one file.  Writes: nothing.  Standards: TOML 1.0.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pipeline.domain import ConfigurationError

HERE = Path(__file__).parent
MAX_FILE = 1 << 20  # bytes
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

T = TypeVar("T")


def table(path: Path) -> dict[str, object]:
    """Return the TOML document at `path`.  Raises ConfigurationError if it is absent, over 1 MiB or not TOML."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read", error.strerror or str(error), "check the path") from error
    if len(raw) > MAX_FILE:
        raise ConfigurationError(f"{path} is too large", f"over {MAX_FILE} bytes", "split it, or check the path")
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML", str(error), "correct the file at that line") from error


def take(facts: Mapping[str, object], key: str, kind: type[T], where: str, default: T | None = None) -> T:
    """Return `facts[key]` if it is a `kind`, or `default` where the key is absent.

    Raises ConfigurationError if it is of another kind, or absent without a default.  A bool is no int.
    """
    if key not in facts:
        if default is None:
            raise ConfigurationError(f"{where}.{key} is missing", f"a {kind.__name__} is needed", "add it")
        return default
    value = facts[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigurationError(f"{where}.{key} is not a {kind.__name__}", f"it is {value!r:.80}", "correct it")
    return value


def texts(facts: Mapping[str, object], key: str, where: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a list of strings as a tuple.  Raises ConfigurationError if it is anything else."""
    found = take(facts, key, list, where, list(default))
    if not all(isinstance(item, str) for item in found):
        raise ConfigurationError(f"{where}.{key} is not a list of strings", f"it is {found!r:.80}", "correct it")
    return tuple(found)


def duration(facts: Mapping[str, object], key: str, where: str) -> timedelta:
    """Return a span written as a whole number and s, m, h or d ("72h").  Raises ConfigurationError otherwise."""
    text = take(facts, key, str, where)
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(f"{where}.{key} is not a span", f"it is {text!r:.40}", 'write it as "72h" or "7d"')
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def no_others(facts: Mapping[str, object], known: set[str], where: str) -> None:
    """Raise ConfigurationError if `facts` has a key outside `known`."""
    unknown = sorted(set(facts) - known)
    if unknown:
        raise ConfigurationError(
            f"{where}.{unknown[0]} is not known", f"known are {', '.join(sorted(known))}", "remove it"
        )
