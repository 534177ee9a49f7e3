"""Which provider takes the mail that a domain's MX host names: data/mx_groups.toml, the Public Suffix List for the rest.

Reads: the shipped file, once; the list as the publicsuffixlist package carries it.  Writes: nothing.  A domain whose own
provider is not known is a group of its own.  Standards: RFC 5321 5.1 (the MX of the lowest preference is tried first);
publicsuffix.org/list.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from publicsuffixlist import PublicSuffixList

from pipeline.data import load
from pipeline.domain import ConfigurationError

FILE = load.HERE / "mx_groups.toml"
LONGEST_NAME = 253  # characters (RFC 1035 2.3.4)

_NAME = re.compile(r"[a-z0-9-]{1,40}")
_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.){0,10}[a-z0-9-]{1,63}")
_KEYS = {"name", "title", "date", "source", "hosts"}


@functools.cache
def groups(path: Path = FILE) -> Mapping[str, str]:
    """Return {ending of an MX host's name: name of the group}.

    Raises ConfigurationError for a file that is not of the form of mx_groups.toml, or an ending that stands in it twice.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    for number, entry in enumerate(load.take(load.table(path), "group", list, str(path)), 1):
        where = f"{path.name}: group {number}"
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{where} is not a table", "", "write it as [[group]]")
        load.no_others(entry, _KEYS, where)
        name = load.take(entry, "name", str, where)
        for key in ("title", "date", "source"):
            load.take(entry, key, str, where)
        if not _NAME.fullmatch(name) or name in names:
            raise ConfigurationError(f"{where}.name is {name!r:.60}", "a word of its own is needed", "correct it")
        names.add(name)
        for host in load.texts(entry, "hosts", where):
            if not _HOST.fullmatch(host) or host in found:
                raise ConfigurationError(f"{where}.hosts has {host!r:.60}", "twice, or no host's name", "correct it")
            found[host] = name
    return found


def group(domain: str, hosts: Sequence[str], known: Mapping[str, str] | None = None) -> str:
    """Return the group that mail for `domain` belongs to: a provider's name, or the registered domain of its best MX host.

    `hosts` are its MX hosts (lower case, without final dot), the best first, as a stranger's DNS named them: the first
    one decides, since that is where mail is brought.  Without hosts the group is the domain itself.
    """
    host = hosts[0] if hosts else ""
    if not 0 < len(host) <= LONGEST_NAME:
        return domain
    return _provider(host, groups() if known is None else known) or suffixes().privatesuffix(host) or host


def _provider(host: str, known: Mapping[str, str]) -> str:
    """Return the group of the longest ending of `host`, by whole labels; empty if there is none."""
    labels = host.split(".")
    endings = (".".join(labels[start:]) for start in range(len(labels)))
    return next((known[ending] for ending in endings if ending in known), "")


@functools.cache
def suffixes() -> PublicSuffixList:
    """Return the Public Suffix List, its providers' section included."""
    return PublicSuffixList()
