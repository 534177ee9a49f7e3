"""Whether a snapshot may act, by what its lines were: a pure rule.

A broken or wrong file must not make thousands of cases, and an empty one must not be taken for good news.
"""

from pipeline.domain import Verdict

FEWEST_LINES = 20  # with fewer, a few odd ones are no sign of a broken file
MOST_REJECTS = 5  # per cent


def verdict(observations: int, rejects: int) -> tuple[Verdict, str]:
    """Return ACCEPTED, or HELD with the code of the reason, for so many observations and rejected lines."""
    lines = observations + rejects
    if lines == 0:
        return Verdict.HELD, "empty"
    if rejects * 100 > lines * MOST_REJECTS and (lines >= FEWEST_LINES or observations == 0):
        return Verdict.HELD, "too-many-rejects"
    return Verdict.ACCEPTED, ""
