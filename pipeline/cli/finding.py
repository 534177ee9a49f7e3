"""What a check of `tocsin doctor` found, and how it is shown."""

import sys
from dataclasses import dataclass
from enum import StrEnum

import click

from pipeline.cli import failures, show, words


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.  `check` is its name in English; the sentences are in the reader's language.

    `code` names what was found in every language alike, where something binds to it.
    """

    check: str
    grade: Grade
    what: str
    why: str = ""
    next_step: str = ""
    code: str = ""


SIGNS = {Grade.OK: "ok", Grade.WARN: "warning", Grade.FAIL: "failure"}
COLOURS = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}


def failed(check: str, error: BaseException) -> Finding:
    """Return the finding that an exception stands for; what is no known failure rises again."""
    failure = failures.classify(error)
    if failure.code == failures.BUG:
        raise error
    told = (words.sentence(text) for text in (failure.what, failure.why, failure.next_step))
    return Finding(check, Grade.FAIL, *told)


def lines(found: list[Finding]) -> list[str]:
    """Return a line for each finding, and under it why, and what next."""
    labels = {grade: words.text(sign) for grade, sign in SIGNS.items()}
    width = max(map(len, labels.values()))
    made = []
    for finding in found:
        label = labels[finding.grade].ljust(width)
        made.append(_coloured(label, finding.grade, show.clean("  " + said(finding))))
        made += [f"{'':{width}}  {show.clean(text)}" for text in (finding.why, finding.next_step) if text]
    return made


def said(finding: Finding) -> str:
    return words.text("{path}: {message}", path=words.text(finding.check), message=finding.what)


def _coloured(label: str, grade: Grade, rest: str) -> str:
    return show.Styled(click.style(label, fg=COLOURS[grade]) + rest) if show.colourful(sys.stdout) else label + rest


def summary(count: dict[str, int]) -> str:
    """Return how many findings there are of each grade."""
    parts = (
        words.plural("{count} check passed", "{count} checks passed", count["ok"]),
        words.plural("{count} warning", "{count} warnings", count["warn"]),
        words.plural("{count} failure", "{count} failures", count["fail"]),
    )
    return ", ".join(parts)
