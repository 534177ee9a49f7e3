"""What may be said of findings: no more than their level of evidence allows.

Pure.  E0, E1 and E3 are reports ("there may be"), E2 is observed, E4 is confirmed on a date (DESIGN: evidence levels).
What has ended was closed by our own test, or is stated to be fixed, which is never told as if we had tested.
Findings are told in statements, one for each of these wordings, and laid out in sections, one for each topic in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain import Address, EvidenceLevel
from pipeline.render.values import Finding, utc_second


class Wording(StrEnum):
    """How certain a statement sounds, the strongest first."""

    CONFIRMED = "confirmed"
    OBSERVED = "observed"
    REPORTED = "reported"
    CLOSED = "closed"
    STATED = "stated"


_WORDINGS = {
    EvidenceLevel.E0: Wording.REPORTED,
    EvidenceLevel.E1: Wording.REPORTED,
    EvidenceLevel.E2: Wording.OBSERVED,
    EvidenceLevel.E3: Wording.REPORTED,  # a handshake proves nothing beyond what was reported
    EvidenceLevel.E4: Wording.CONFIRMED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of addresses.  `port` 0 and `service` "any": the source did not say."""

    address: Address
    port: int
    service: str
    last_seen: str  # ISO 8601, UTC

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as a reader sees it, a hyphen for what was not said."""
        port, service = str(self.port) if self.port else "-", self.service if self.service != "any" else "-"
        return (str(self.address), port, service, self.last_seen)


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that share a wording; `topics` are theirs in the letter's order."""

    wording: Wording
    topics: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses spoken of, once each, in address order."""
        return tuple(sorted({finding.address for finding in self.findings}, key=_address_order))

    @property
    def every_topic_everywhere(self) -> bool:
        """True if each address has all the topics: then they are joined by "and", else by "or"."""
        return len({(finding.address, finding.topic) for finding in self.findings}) == len(self.addresses) * len(
            self.topics
        )


def wording(level: EvidenceLevel) -> Wording:
    """Return how a finding of this level may be worded."""
    return _WORDINGS[level]


def worded(finding: Finding) -> Wording:
    """Return how a finding is worded: by its level, or by what ended it."""
    if finding.ended is not None:
        return Wording.STATED if finding.ended.stated else Wording.CLOSED
    return _WORDINGS[finding.level]


def statements(findings: Iterable[Finding], topic_order: Sequence[str]) -> list[Group]:
    """Return the findings in groups of one wording each, the strongest first."""
    kept = tuple(findings)
    groups = []
    for word in Wording:
        said = tuple(finding for finding in kept if worded(finding) is word)
        if said:
            here = {finding.topic for finding in said}
            groups.append(Group(word, tuple(topic for topic in topic_order if topic in here), said))
    return groups


def sections(said: Iterable[Group]) -> list[Group]:
    """Return statements in groups of one wording and one topic each, in the order of the table."""
    return [
        Group(group.wording, (topic,), tuple(finding for finding in group.findings if finding.topic == topic))
        for group in said
        for topic in group.topics
    ]


def targets(group: Group) -> list[Finding]:
    """Return one finding for each target of a section, that of its newest observation, in address order."""
    latest: dict[tuple[Address, int, str], Finding] = {}
    for finding in group.findings:
        key = (finding.address, finding.port, finding.service)
        if key not in latest or latest[key].last_seen < finding.last_seen:
            latest[key] = finding
    return [latest[key] for key in sorted(latest, key=lambda key: (*_address_order(key[0]), key[1], key[2]))]


def rows(group: Group) -> list[Row]:
    """Return the lines of a section in address order; one for each target, with its latest observation."""
    return [Row(found.address, found.port, found.service, utc_second(found.last_seen)) for found in targets(group)]


def _address_order(address: Address) -> tuple[int, int]:
    return (address.version, int(address))
