"""When does a campaign have to stop, or a person be warned?  Pure: counts of answers in, findings out.

The breaker: so many attempts in a row were refused because of us (our address, our password, our policy), not because of
their recipients.  The brakes: of the letters that were judged, too many were refused or returned, refused by policy
(5.7.x), or complained of.  Each share is taken over the letters judged last, where a sudden change shows, and over many
more, as returned mail and complaints come late; the worse one counts.  Standards: RFC 3463 (x.y.z), RFC 5321 4.2.1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.send.replies import BEFORE_RECIPIENT, Kind, Scope, judge

ALMOST = 1e-9  # a share of 0.3 of 50 letters is 15 of them, whatever binary fractions make of it
MOST_WORDS = 200  # characters of a relay's reply that are kept as a reason


class Brake(StrEnum):
    US = "us"
    POLICY = "policy"
    REFUSED = "refused"
    COMPLAINTS = "complaints"


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of the judged letters gives a warning, and which a hold; 0: never."""

    warn: float
    hold: float


@dataclass(frozen=True, slots=True)
class BrakeSettings:
    """What the brakes need of the settings: numbers of letters (`breaker`: of attempts), and shares from 0 to 1."""

    floor: int = 50
    breaker: int = 10
    recent: int = 500
    window: int = 10_000
    refused: Share = Share(0.15, 0.30)
    policy: Share = Share(0.02, 0.05)
    complaints: Share = Share(0.001, 0.003)


STANDARD = BrakeSettings()
LOOSE_COUNT, LOOSE_SHARE = 10, 2  # times the standard: so many letters later, or so much worse, is a hold too late


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended, as it is stored: `count` of them ended alike, their letters since `bounced` or not."""

    outcome: str
    stage: str
    reply: int
    enhanced: str
    text: str = ""
    bounced: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Counts:
    """Letters of a campaign that were judged, and how many of them were refused or returned, by policy, complained of."""

    judged: int = 0
    refused: int = 0
    policy: int = 0
    complaints: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A brake that has something to say: `count` of `of` letters; the campaign is to be held, or a person warned."""

    brake: Brake
    hold: bool
    count: int
    of: int


def of_us(answer: Answer) -> bool:
    """True if a refusal speaks of us rather than of a letter or its recipient, and more than for this moment.

    At MAIL or AUTH, or before, a 5yz does, and so does a 4yz about addresses or policy (x.1.z, x.7.z); a relay that is
    full or busy does not.  Later on it is policy (5.7.x), or that AUTH is wanted.
    """
    judged = judge(answer.stage, answer.reply, answer.enhanced, answer.text, dot_written=answer.stage == "dot")
    if judged.scope is not Scope.US:
        return False
    return answer.stage not in BEFORE_RECIPIENT or answer.reply >= 500 or answer.enhanced[1:3] in (".1", ".7")


def refusals_of_us(answers: Iterable[Answer]) -> int:
    """Return how many of the attempts, newest first, were refused because of us before one was not.

    What says nothing of us is passed over: a relay that was not reached, or wanted us slower; a reply that never came.
    """
    count = 0
    for answer in answers:
        if of_us(answer):
            count += 1
        elif answer.outcome in (Kind.HANDED, Kind.REFUSED, Kind.DEFERRED) and not _of_pace(answer):
            break
    return count


def _of_pace(answer: Answer) -> bool:
    judged = judge(answer.stage, answer.reply, answer.enhanced, answer.text, dot_written=answer.stage == "dot")
    return judged.scope is Scope.RELAY


def counted(answers: Iterable[Answer], complaints: int = 0) -> Counts:
    """Return the counts of letters by the last attempt at each."""
    judged = refused = policy = 0
    for answer in answers:
        judged += answer.count
        if answer.bounced or answer.outcome == Kind.REFUSED:
            refused += answer.count
        if not answer.bounced and answer.outcome == Kind.REFUSED and of_us(answer):
            policy += answer.count
    return Counts(judged, refused, policy, complaints)


def findings(in_a_row: int, windows: Sequence[Counts], settings: BrakeSettings) -> list[Finding]:
    """Return what the brakes find, one finding of each at most, and what asks for a hold first.

    `in_a_row`: refusals of us, as `refusals_of_us` counts them.  `windows`: the same campaign over the letters judged
    last, and over more.  Shares count from `floor` judged letters on.
    """
    found = []
    if settings.breaker and in_a_row >= settings.breaker:
        found.append(Finding(Brake.US, True, in_a_row, in_a_row))
    for brake, share in _shares(settings).items():
        enough = [counts for counts in windows if counts.judged >= max(settings.floor, 1)]
        of_each = [_over(brake, share, getattr(counts, brake.value), counts.judged) for counts in enough]
        over = [finding for finding in of_each if finding is not None]
        if over:
            found.append(max(over, key=lambda finding: (finding.hold, finding.count / finding.of)))
    return sorted(found, key=lambda finding: not finding.hold)


def never(settings: BrakeSettings) -> list[Brake]:
    """Return the brakes that never hold a campaign: they are off, or fewer letters are looked at than they want."""
    reachable = settings.floor <= max(settings.window, settings.recent)
    off = [brake for brake, share in _shares(settings).items() if not share.hold or not reachable]
    return off if settings.breaker else [Brake.US, *off]


def loose(settings: BrakeSettings) -> list[Brake]:
    """Return the brakes that may hold a campaign, but only long after the standard ones would have."""
    late = settings.floor > LOOSE_COUNT * STANDARD.floor
    standard = _shares(STANDARD)
    found = [b for b, share in _shares(settings).items() if late or share.hold > LOOSE_SHARE * standard[b].hold]
    if settings.breaker > LOOSE_COUNT * STANDARD.breaker:
        found.insert(0, Brake.US)
    return [brake for brake in found if brake not in never(settings)]


def _shares(settings: BrakeSettings) -> Mapping[Brake, Share]:
    return {Brake.POLICY: settings.policy, Brake.REFUSED: settings.refused, Brake.COMPLAINTS: settings.complaints}


def _over(brake: Brake, share: Share, count: int, of: int) -> Finding | None:
    if _reaches(count, of, share.hold):
        return Finding(brake, True, count, of)
    return Finding(brake, False, count, of) if _reaches(count, of, share.warn) else None


def _reaches(count: int, of: int, share: float) -> bool:
    return share > 0 and count > 0 and count >= share * of - ALMOST
