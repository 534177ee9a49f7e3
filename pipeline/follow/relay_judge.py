"""How what a relay's log says moves a letter.  Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain import LETTER_TRANSITIONS, Event, LetterState
from pipeline.follow.relay_line import MOVES, Status


@dataclass(frozen=True, slots=True)
class Move:
    """One letter takes one event, because of one delivery; `event` None: it stays, and what was said is logged."""

    letter_id: int
    campaign_id: int
    event: Event | None
    why: str
    delivery: int
    line: str


def moves(told: Sequence[dict[str, Any]]) -> list[Move]:
    """Return the moves of one letter by what was told of it, in order (store/relay_log.unweighed).

    Whatever the relay says of a letter, it has it: an uncertain one is HANDED first.  Once their server has accepted it,
    only that it was returned moves it.
    """
    state, made = LetterState(told[0]["state"]), []
    for row in told:
        for event, why in _events(state, Status(row["status"]), row["dsn"]):
            if event is not None:
                state = LETTER_TRANSITIONS[state][event]
            made.append(Move(row["letter_id"], row["campaign_id"], event, why, row["id"], row["line"]))
    return made


def _events(state: LetterState, status: Status, dsn: str) -> Iterator[tuple[Event | None, str]]:
    if state is LetterState.UNCERTAIN:
        yield Event.LETTER_HANDED, "relay_log"
        state = LetterState.HANDED
    event = MOVES[status]
    if event is None and status is not Status.QUEUED:
        yield None, status.value
    elif event is not None and event in LETTER_TRANSITIONS[state]:
        yield event, dsn or status.value
