"""What a look-up says to the run that carries it, and hears from it: questions out, answers in.

Pure.  A look-up (lookup.py) is a generator: it yields a question and is sent what came of it, so that the whole chain reads
from top to bottom, while the run decides when each question may be asked, and whether it was answered before.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from pipeline.domain import (
    Answer,
    NameQuestion,
    NetworkAnswer,
    RdapQuestion,
    Step,
    WhoisQuestion,
)

Asked = RdapQuestion | WhoisQuestion | NameQuestion


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, or the failure that came instead; `location` is where a redirect leads.

    `is_old`: the failure is one that another look-up was told a while ago; nobody was asked now.
    """

    answer: Answer
    location: str = ""
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The question was not asked: whom it is for has no slot before `until`, which is more than we have patience for."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """Whoever the question was put to refused, and is to be left alone for that long."""

    asked: Asked
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Keep:
    """The answer says something, and serves again instead of a question; `is_shared`: other look-ups may want it soon.

    `is_failure`: it says nothing, and spares other look-ups of this run the question for a while; it is not stored.
    """

    asked: Asked
    answer: Answer
    is_shared: bool = False
    is_failure: bool = False


class Later(Exception):
    """Nothing can be concluded now: look again after `wait`, or not before `until`.

    `cell`: it holds for every address that the same server would have to be asked about.
    """

    def __init__(self, wait: timedelta, until: datetime | None = None, *, cell: bool = False) -> None:
        super().__init__(wait, until)
        self.wait = wait
        self.until = until
        self.cell = cell


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a look-up: the network with every candidate of the chain, what its range rests on, and each question.

    `beside`: other networks that the same answers settled, as a search does (RFC 9910).
    """

    answer: NetworkAnswer
    raw: Answer
    steps: tuple[Step, ...]
    beside: tuple["Found", ...] = ()


Pursuit = Generator[Asked | Pause | Keep, Heard | Wait | None, Found]
T = TypeVar("T")
Talk = Generator[Asked | Pause | Keep, Heard | Wait | None, T]  # a part of one, which ends with a T


def source(asked: Asked) -> str:
    """Return a question as it stands in the record: the same text as `Answer.source` of its answer."""
    match asked:
        case RdapQuestion():
            return f"{asked.url}#{asked.form}" if asked.form else asked.url
        case WhoisQuestion():
            return f"whois://{asked.host}:{asked.port}/{asked.text}"
        case NameQuestion():
            return f"dns:{asked.kind.name}/{asked.name}"


def budget(asked: Asked, zones: Sequence[str]) -> str:
    """Return the key of the budget that a question is charged to.  `zones`: the DNS zones that have one of their own."""
    match asked:
        case RdapQuestion():
            return f"rdap:{urlsplit(asked.url).hostname or ''}"
        case WhoisQuestion():
            return f"whois:{asked.host}"
        case NameQuestion():
            zone = next((zone for zone in zones if asked.name.endswith(f".{zone}")), asked.kind.value)
            return f"dns:{zone}"
