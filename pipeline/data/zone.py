"""DNSBL zones: what each one's codes mean, how it may be asked, and which have closed, read from zones.toml.

`decode` turns the codes of one answer into claims.  A code that its publisher does not document stays undocumented:
it is no claim and not "not listed" either.  Standards: RFC 5782 2.1 (codes), 2.3 (bit masks), 5 (test points).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from pipeline.data import load
from pipeline.data.topic import REPUTATION
from pipeline.domain import Address, ConfigurationError, NotFound, RefusedBySafety

NOTHING = "nothing"  # a documented code that claims nothing: a test entry, a policy, a wider network
ERROR = "error"  # a documented code that says "you may not ask": never a listing
ALIVE, RETIRED, CONTRACT = "alive", "retired", "contract"


@dataclass(frozen=True, slots=True)
class Code:
    """One documented code: `claim` is a claim word, `reputation`, `nothing` or `error`."""

    claim: str
    meaning: str
    dynamic: bool = False  # the address may have a new user soon
    retracts: bool = False  # a bit that takes back the claims of the others


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone of zones.toml.  `codes` is keyed by the address (exact) or by the bit's value (bitmask)."""

    zone: str
    name: str
    group: str
    status: str
    bitmask: bool
    codes: Mapping[str, Code]
    listed_points: tuple[Address, ...]
    unlisted_points: tuple[Address, ...]
    families: tuple[int, ...]
    rate: float  # questions a second
    per_day: int  # questions a UTC day
    lifetime: timedelta  # an answer counts for at least that long
    policy: str
    note: str
    source: str
    written_on: date


@cache
def zones(path: Path = load.HERE / "zones.toml") -> Mapping[str, Zone]:
    """Return every zone of the file by its DNS name.  Raises ConfigurationError, with the key's path, if malformed."""
    rows = load.take(load.table(path), "zone", list, path.stem)
    found: dict[str, Zone] = {}
    for number, row in enumerate(rows):
        where = f"{path.stem}.zone[{number}]"
        if not isinstance(row, dict):
            raise ConfigurationError(f"{where} is not a table", f"it is {row!r:.80}", "write [[zone]]")
        zone = _zone(row, where)
        if zone.zone in found:
            raise ConfigurationError(f"{where} repeats {zone.zone}", "a zone has one entry", "remove one of them")
        found[zone.zone] = zone
    return found


def live_zone(name: str, known: Mapping[str, Zone]) -> Zone:
    """Return the zone called `name`, if it may be asked.

    Raises RefusedBySafety if it, or a zone that it lies in, is retired or needs a contract; NotFound if nobody
    documented its codes.
    """
    wanted = name.strip().rstrip(".").lower()
    zone = known.get(wanted)
    closed = next((other for other in known.values() if _covers(other, wanted) and other.status == RETIRED), None)
    if closed is not None:
        raise RefusedBySafety(
            f"{wanted} is retired", closed.note or "its publisher has closed it", "ask another zone: tocsin zone list"
        )
    if zone is None:
        raise NotFound(f"{wanted} is not a known zone", "its codes are not documented", "add it to zones.toml")
    if zone.status != ALIVE:
        raise RefusedBySafety(f"{wanted} is not public", zone.policy, "agree on access with its publisher first")
    return zone


def decode(zone: Zone, codes: Iterable[str]) -> list[str]:
    """Return the claims that `codes` make, each once, in the order of the codes; `reputation` may be among them."""
    entries = [entry for entry in _entries(zone, codes) if entry is not None]
    unsaid = {NOTHING, ERROR}
    if any(entry.retracts for entry in entries):
        unsaid |= {entry.claim for entry in entries if entry.claim != REPUTATION}
    return list(dict.fromkeys(entry.claim for entry in entries if entry.claim not in unsaid))


def undocumented(zone: Zone, codes: Iterable[str]) -> list[str]:
    """Return the codes that the zone does not document, errors included: what they say is not known."""
    return [code for code in codes if any(entry is None or entry.claim == ERROR for entry in _entries(zone, (code,)))]


def dynamic(zone: Zone, codes: Iterable[str]) -> bool:
    """Return whether a code says that the address belongs to end users and may soon be somebody else's."""
    return any(entry is not None and entry.dynamic for entry in _entries(zone, codes))


def _entries(zone: Zone, codes: Iterable[str]) -> list[Code | None]:
    if not zone.bitmask:
        return [zone.codes.get(code) for code in codes]
    found: list[Code | None] = []
    for code in codes:
        head, _, last = code.rpartition(".")
        if head != "127.0.0" or not (last.isascii() and last.isdigit() and 0 < int(last) < 256):
            found.append(None)
            continue
        found += [zone.codes.get(str(1 << bit)) for bit in range(8) if int(last) & 1 << bit]
    return found


def _covers(zone: Zone, name: str) -> bool:
    return name == zone.zone or name.endswith(f".{zone.zone}")


KEYS = {
    "zone", "name", "group", "status", "decode", "codes", "listed_points", "unlisted_points", "families", "rate",
    "per_day", "lifetime", "policy", "note", "source", "written_on",
}  # fmt: skip


def _zone(facts: Mapping[str, object], where: str) -> Zone:
    load.no_others(facts, KEYS, where)
    name = load.take(facts, "zone", str, where)
    where = f"{where}({name})"
    style = _one_of(facts, "decode", ("exact", "bitmask"), where, "exact")
    families = load.take(facts, "families", list, where, [4])
    if not families or not set(families) <= {4, 6}:
        raise ConfigurationError(f"{where}.families is {families!r:.40}", "4 and 6 are known", "correct it")
    return Zone(
        zone=name,
        name=load.take(facts, "name", str, where),
        group=load.take(facts, "group", str, where),
        status=_one_of(facts, "status", (ALIVE, RETIRED, CONTRACT), where),
        bitmask=style == "bitmask",
        codes=_codes(load.take(facts, "codes", dict, where, {}), style, f"{where}.codes"),
        listed_points=_points(facts, "listed_points", where, ("127.0.0.2",)),
        unlisted_points=_points(facts, "unlisted_points", where, ("127.0.0.1",)),
        families=tuple(families),
        rate=load.take(facts, "rate", float, where, 1.0),
        per_day=load.take(facts, "per_day", int, where, 10_000),
        lifetime=load.duration({"lifetime": "72h"} | dict(facts), "lifetime", where),
        policy=load.take(facts, "policy", str, where, ""),
        note=load.take(facts, "note", str, where, ""),
        source=load.take(facts, "source", str, where),
        written_on=load.take(facts, "written_on", date, where),
    )


def _one_of(facts: Mapping[str, object], key: str, known: tuple[str, ...], where: str, default: str = "") -> str:
    value = load.take(facts, key, str, where, default or None)
    if value not in known:
        raise ConfigurationError(
            f"{where}.{key} cannot be {value!r:.40}", f"known are {', '.join(known)}", "correct it"
        )
    return value


def _codes(facts: Mapping[str, object], style: str, where: str) -> dict[str, Code]:
    return {key: _code(key, load.take(facts, key, dict, where), style, f"{where}.{key}") for key in facts}


def _code(key: str, facts: Mapping[str, object], style: str, where: str) -> Code:
    load.no_others(facts, {"claim", "meaning", "dynamic", "retracts"}, where)
    good = key in {str(1 << bit) for bit in range(8)} if style == "bitmask" else key.startswith("127.")
    if not good or (style == "exact" and not _is_address(key)):
        raise ConfigurationError(f"{where} is no {style} code", "RFC 5782 2.1 and 2.3", "127.x.y.z, or 1, 2, 4 ... 128")
    return Code(
        claim=load.take(facts, "claim", str, where, REPUTATION),
        meaning=load.take(facts, "meaning", str, where),
        dynamic=load.take(facts, "dynamic", bool, where, False),
        retracts=load.take(facts, "retracts", bool, where, False),
    )


def _points(facts: Mapping[str, object], key: str, where: str, default: tuple[str, ...]) -> tuple[Address, ...]:
    found = load.texts(facts, key, where, default)
    if not all(_is_address(text) for text in found):
        raise ConfigurationError(f"{where}.{key} has no address", f"it is {found!r:.80}", "correct it")
    return tuple(ip_address(text) for text in found)


def _is_address(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv4Address | IPv6Address)
    except ValueError:
        return False
