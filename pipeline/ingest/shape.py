"""What a feed's declaration says about its lines, as the parsers need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.data.topic import ClaimKind, claim_kinds, topics
from pipeline.domain import ConfigurationError

ROLES = frozenset({"address", "port", "transport", "observed_at", "claim", "confidence"})


def _shipped_claims() -> Mapping[str, ClaimKind]:
    return claim_kinds(topics())


@dataclass(frozen=True, slots=True)
class FeedShape:
    """One feed's lines: where things stand, what its words mean, and what holds where a line does not say.

    Raises ConfigurationError, at once and not in the middle of a file, if a claim or a column's role is unknown, a time
    has no zone, or a number is out of range.
    """

    now: datetime  # when it is read, UTC: later times in it are in the future
    claims: Mapping[str, str] = field(default_factory=dict)  # the feed's word (or URL scheme, or tag) -> claim
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> the feed's name of the column
    header: tuple[str, ...] = ()  # names of the columns, for a file without a header line
    delimiter: str = ","
    default_claim: str = ""
    default_service: str = ""  # where the claim leaves it open ("any")
    default_port: int = 0
    default_observed_at: datetime | None = None  # for lists without a date per row
    default_confidence: int = 50
    allow_documentation: bool = False  # the sandbox: 192.0.2.0/24 counts as public
    kinds: Mapping[str, ClaimKind] = field(default_factory=_shipped_claims)

    def __post_init__(self) -> None:
        for claim in {*self.claims.values(), self.default_claim} - {""}:
            if claim not in self.kinds:
                raise ConfigurationError(
                    f"the claim {claim!r:.40} is not known", f"known are {', '.join(sorted(self.kinds))}", "correct it"
                )
        for role in self.columns:
            if role not in ROLES:
                raise ConfigurationError(
                    f"columns.{role} is not known", f"known are {', '.join(sorted(ROLES))}", "correct it"
                )
        for moment in (self.now, self.default_observed_at):
            if moment is not None and moment.utcoffset() is None:
                raise ConfigurationError("a time of the feed has no zone", f"{moment}", "give it in UTC")
        if not 0 <= self.default_port <= 65_535 or not 0 <= self.default_confidence <= 100:
            raise ConfigurationError("a number of the feed is out of range", "port or confidence", "correct it")
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ConfigurationError("the delimiter is not one character", f"{self.delimiter!r:.20}", "correct it")
