"""Topics: what a campaign can be about, read from topics/NAME.toml.

A topic says which claims open a case, on which service, how fresh evidence must be, how to check again and what the
texts are called.  A new topic is a new file and needs no code.  Reputation is no claim of any topic: it opens nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from pipeline.data import load
from pipeline.domain import ConfigurationError

REPUTATION = "reputation"
ANY = "any"


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """What one claim word says: what listens, and which services of the same address it speaks for.

    `protocol_level`: a scanner that spoke the protocol itself can establish this claim alone (evidence level E1).
    """

    claim: str
    service: str
    transport: str = "tcp"
    speaks_for: frozenset[str] = frozenset()
    ports: tuple[int, ...] = ()  # usual ones, for people to read; never a reason to connect
    protocol_level: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topics/NAME.toml.  `wording` holds msgids and names of texts."""

    name: str
    title: str
    claims: Mapping[str, ClaimKind]
    freshness: timedelta
    dynamic_freshness: timedelta
    recheck_every: timedelta
    passive_checks: tuple[str, ...]
    active_check: str
    wording: Mapping[str, str]


@cache
def topics(folder: Path = load.HERE / "topics", further: tuple[Path, ...] = ()) -> Mapping[str, Topic]:
    """Return every topic of `folder`, and of the files `further`, by name.

    Raises ConfigurationError if one is malformed, or two share a name or a claim.
    """
    found: dict[str, Topic] = {}
    owner: dict[str, str] = {}
    for path in (*sorted(folder.glob("*.toml")), *further):
        topic = read_topic(path)
        if topic.name in found:
            raise ConfigurationError(f"two topics are called {topic.name}", f"{path} is the second", "rename the file")
        found[topic.name] = topic
        for claim in topic.claims:
            if claim in owner:
                raise ConfigurationError(
                    f"two topics have the claim {claim}",
                    f"the topics are {owner[claim]} and {topic.name}",
                    "rename one of the claims",
                )
            owner[claim] = topic.name
    if not found:
        raise ConfigurationError(f"{folder} has no topic", "no NAME.toml in it", "check the path")
    return found


def claim_kinds(known: Mapping[str, Topic]) -> dict[str, ClaimKind]:
    """Return every claim word of all topics, and `reputation`, with what each says."""
    kinds = {claim: kind for topic in known.values() for claim, kind in topic.claims.items()}
    return kinds | {REPUTATION: ClaimKind(REPUTATION, ANY, meaning="bad reputation, which opens nothing")}


def topic_of(known: Mapping[str, Topic], claim: str) -> str:
    """Return the name of the topic that has `claim`, or an empty string (a reputation)."""
    return next((topic.name for topic in known.values() if claim in topic.claims), "")


def read_topic(path: Path) -> Topic:
    """Return the topic at `path`, named after its file.  Raises ConfigurationError, with the key's path, if malformed."""
    name = path.stem
    if not name.isidentifier() or not name.isascii():
        raise ConfigurationError(f"{name!r} is no name for a topic", "it is used as a key", "use letters, digits and _")
    facts = load.table(path)
    load.no_others(facts, {"title", "evidence", "recheck", "wording", "claims"}, name)
    evidence = load.take(facts, "evidence", dict, name)
    load.no_others(evidence, {"freshness", "dynamic_freshness"}, f"{name}.evidence")
    recheck = load.take(facts, "recheck", dict, name)
    load.no_others(recheck, {"every", "passive", "active"}, f"{name}.recheck")
    wording = load.take(facts, "wording", dict, name)
    return Topic(
        name=name,
        title=load.take(facts, "title", str, name),
        claims=_claims(load.take(facts, "claims", dict, name), f"{name}.claims"),
        freshness=load.duration(evidence, "freshness", f"{name}.evidence"),
        dynamic_freshness=load.duration(evidence, "dynamic_freshness", f"{name}.evidence"),
        recheck_every=load.duration(recheck, "every", f"{name}.recheck"),
        passive_checks=load.texts(recheck, "passive", f"{name}.recheck", ("feed", "zone")),
        active_check=load.take(recheck, "active", str, f"{name}.recheck", ""),
        wording={key: load.take(wording, key, str, f"{name}.wording") for key in wording},
    )


def _claims(facts: Mapping[str, object], where: str) -> dict[str, ClaimKind]:
    if not facts:
        raise ConfigurationError(f"{where} is empty", "no claim would open a case", "name at least one claim")
    if REPUTATION in facts:
        raise ConfigurationError(f"{where}.{REPUTATION} is not allowed", "a reputation never opens a case", "remove it")
    rows = {claim: load.take(facts, claim, dict, where) for claim in facts}
    services = {load.take(row, "service", str, f"{where}.{claim}") for claim, row in rows.items()}
    return {claim: _kind(claim, row, services, f"{where}.{claim}") for claim, row in rows.items()}


def _kind(claim: str, facts: Mapping[str, object], services: set[str], where: str) -> ClaimKind:
    load.no_others(facts, {"service", "transport", "speaks_for", "ports", "protocol_level", "meaning"}, where)
    service = load.take(facts, "service", str, where)
    own = tuple(services) if service == ANY else (service,)
    transport = load.take(facts, "transport", str, where, "tcp")
    if transport not in ("tcp", "udp"):
        raise ConfigurationError(f"{where}.transport is {transport!r:.20}", "tcp and udp are known", "correct it")
    ports = load.take(facts, "ports", list, where, [])
    if not all(type(port) is int and 0 < port < 65_536 for port in ports):
        raise ConfigurationError(f"{where}.ports is not a list of ports", f"it is {ports!r:.80}", "use 1 to 65535")
    return ClaimKind(
        claim=claim,
        service=service,
        transport=transport,
        speaks_for=frozenset(load.texts(facts, "speaks_for", where, own)),
        ports=tuple(ports),
        protocol_level=load.take(facts, "protocol_level", bool, where, False),
        meaning=load.take(facts, "meaning", str, where, ""),
    )
