"""What a check of `tocsin doctor` found."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.cli import failures, words


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.  `check` is its name in English; the sentences are in the reader's language."""

    check: str
    grade: Grade
    what: str
    why: str = ""
    next_step: str = ""


def failed(check: str, error: BaseException) -> Finding:
    """Return the finding that an exception stands for; what is no known failure rises again."""
    failure = failures.classify(error)
    if failure.code == failures.BUG:
        raise error
    told = (words.sentence(text) for text in (failure.what, failure.why, failure.next_step))
    return Finding(check, Grade.FAIL, *told)
