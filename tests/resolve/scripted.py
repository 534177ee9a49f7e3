"""Look-ups driven by plain values: what is answered to which question, and what the look-up said on its way.

The networks are the sandbox's, in the shapes that the registries give them.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.domain import Answer, Candidate, Outcome, PermanentFailure, StepKind, TemporaryFailure
from pipeline.net.http import refusal
from pipeline.resolve import servers
from pipeline.resolve.rules import Rules
from pipeline.resolve.talk import Asked, Found, Heard, Keep, Later, Pause, Pursuit, Wait, source
from pipeline.sandbox import rdap_objects
from pipeline.sandbox.networks import Autnum, Network
from tests.resolve.small_internet import network

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
Json = dict[str, Any]

RIPE, ARIN, APNIC = (f"https://rdap.example/{name}/" for name in ("ripencc", "arin", "apnic"))
SERVICES = {
    4: {"services": [[["192.0.2.0/24"], [RIPE]], [["198.51.100.0/24"], [ARIN]], [["203.0.113.0/24"], [APNIC]]]},
    6: {"services": [[["2001:db8::/32"], [RIPE]]]},
}
AUTNUMS = {"services": [[["64496-64511"], [RIPE]]]}
WHOIS = {name: (f"whois.{name}.example", 43) for name in ("ripencc", "arin", "apnic", "krnic", "jpnic")}
ORIGIN, ORIGIN6, DIRECTORY = "origin.example", "origin6.example", "directory.example"


class To(NamedTuple):
    """A redirect."""

    location: str


class Route(NamedTuple):
    kind: str
    mailbox: str = ""


Said = Json | str | int | To | TemporaryFailure | PermanentFailure | Wait | Heard
Answers = dict[str, Any]  # question -> a Said, or a list of them


@dataclass
class Told:
    """What a look-up said: its questions, in order, whom it would leave alone, and which answers are to be kept."""

    asked: list[str] = field(default_factory=list)
    paused: list[tuple[str, timedelta]] = field(default_factory=list)
    kept: dict[str, Keep] = field(default_factory=dict)
    end: Found | None = None
    later: Later | None = None

    @property
    def found(self) -> Found:
        assert self.end is not None, self.later
        return self.end

    @property
    def usable(self) -> list[str]:
        """The mailboxes that may be written to, best first."""
        return [each.mailbox for each in self.found.answer.candidates if not each.rejected]

    @property
    def rejected(self) -> dict[str, str]:
        return {each.mailbox: each.rejected for each in self.found.answer.candidates if each.rejected}

    @property
    def steps(self) -> list[tuple[StepKind, Outcome]]:
        return [(step.kind, step.outcome) for step in self.found.steps]

    def candidate(self, mailbox: str) -> Candidate:
        [one] = [each for each in self.found.answer.candidates if each.mailbox == mailbox]
        return one


def rules(**given: Any) -> Rules:
    """Every registry and zone of this file, and the chain of the settings without the parts that the DNS answers."""
    indices = {version: servers.index(listed, version) for version, listed in SERVICES.items()}
    defaults: Json = {
        "chain": ("network", "whois", "parent", "origin", "cert"),
        "autnums": AUTNUMS,
        "origin_zone": ORIGIN,
        "origin6_zone": ORIGIN6,
        "directory_zone": DIRECTORY,
    }
    return Rules(indices, **(defaults | given))


def tell(pursuit: Pursuit, answers: Answers) -> Told:
    """Carry a look-up to its end.  A list is answered one by one; a question without an answer fails the test."""
    told, left = Told(), {text: list(said) if isinstance(said, list) else [said] for text, said in answers.items()}
    value: Heard | Wait | None = None
    while True:
        try:
            said = pursuit.send(value)
        except StopIteration as end:
            told.end = end.value
            return told
        except Later as later:
            told.later = later
            return told
        value = None
        match said:
            case Pause(asked, wait):
                told.paused.append((source(asked), wait))
            case Keep(asked):
                told.kept[source(asked)] = said
            case _:
                told.asked.append(text := source(said))
                assert left.get(text), f"nobody answers {text}"
                value = _heard(said, left[text].pop(0))


def _heard(asked: Asked, said: Said) -> Heard | Wait:
    text = source(asked)
    match said:
        case Wait() | Heard():
            return said
        case TemporaryFailure() | PermanentFailure():
            return Heard(Answer(text, 0, "", b"", NOW, said))
        case To(location):
            return Heard(Answer(text, 302, "", b"", NOW), location)
        case int():
            body = json.dumps(rdap_objects.error(said, "Error")).encode()
            return Heard(Answer(text, said, "application/rdap+json", body, NOW, refusal(said, {}, NOW)))
        case str():
            return Heard(Answer(text, 200, "text/plain", said.encode(), NOW))
        case _:
            status = 404 if not any(said.values()) else 200
            return Heard(Answer(text, status, "application/json", json.dumps(said).encode(), NOW))


# --- what is answered ------------------------------------------------------------------------------------------------


def of(prefix: str, abuse: str = "", base: str = RIPE, parent: str = "", **more: Any) -> Json:
    """The RDAP object of a network; `parent` is the prefix that it links up to."""
    above = network(parent) if parent else None
    registry = base.rstrip("/").rpartition("/")[2]
    facts = {name: more.pop(name) for name in list(more) if name in Network.__dataclass_fields__}
    return rdap_objects.ip_network(network(prefix, abuse, registry=registry, **facts), above, base) | more


def ip(text: str, base: str = RIPE) -> str:
    return f"{base}ip/{text}"


def autnum(number: int, abuse: str = "") -> Json:
    return rdap_objects.autnum(Autnum(number, number, "ripencc", f"AS{number}", abuse=abuse), RIPE)


def txt(*texts: str) -> Json:
    return {"txt": list(texts)}


def origins(*numbers: int, prefix: str = "192.0.2.0/24") -> Json:
    return txt(f"{' '.join(map(str, numbers))} | {prefix} | CA | ripencc | 2026-03-01")


def mail(route: str) -> Json:
    return {"hosts": [], "route": route, "why": ""}


def names(*hosts: str) -> Json:
    return {"names": list(hosts)}


def rpsl(prefix: str, abuse: str = "", registry: str = "ripencc", more: str = "") -> str:
    """The WHOIS text of a network, as the RIPE server writes it."""
    inside = network(prefix)
    head = f"% Abuse contact for '{inside.start} - {inside.end}' is '{abuse}'\n\n" if abuse else ""
    return f"{head}inetnum: {inside.start} - {inside.end}\nnetname: NET\nsource: {registry.upper()}\n{more}"


INVALID: Json = {"remarks": [{"description": ["Abuse contact abuse@one.example is invalid"]}]}
