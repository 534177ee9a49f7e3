"""The table of allowed moves is the one that is documented, and nothing else moves."""

import itertools

import pytest

from pipeline.domain import (
    TRANSITIONS,
    CaseState,
    Event,
    ForbiddenMove,
    LetterState,
    WaveState,
    next_state,
)

LETTERS = """
drafted approved suppressed withdrawn
approved claimed suppressed withdrawn
claimed approved handed accepted deferred refused uncertain
handed accepted bounced
accepted bounced
deferred claimed suppressed withdrawn expired
uncertain handed accepted refused bounced approved
refused
bounced
suppressed
withdrawn
expired
"""
CASES = """
seen resolved no_contact excluded
resolved resolved no_contact noticed fixed dormant excluded
no_contact resolved excluded
noticed resolved exhausted fixed dormant excluded
exhausted fixed dormant excluded
fixed resolved excluded
dormant resolved excluded
excluded seen
"""
WAVES = """
planned rendered cancelled
rendered approved cancelled
approved sending cancelled
sending done cancelled
done
cancelled
"""


@pytest.mark.parametrize(("states", "table"), [(LetterState, LETTERS), (CaseState, CASES), (WaveState, WAVES)])
def test_states_reach_exactly_the_states_of_the_design(states: type, table: str) -> None:
    expected = {line.split()[0]: set(line.split()[1:]) for line in table.strip().splitlines()}
    found = {state.value: {new.value for new in moves.values()} for state, moves in TRANSITIONS[states].items()}
    assert found == expected


@pytest.mark.parametrize("states", [CaseState, LetterState, WaveState])
def test_every_unlisted_move_raises(states: type) -> None:
    refused = 0
    for state, event in itertools.product(states, Event):
        if event not in TRANSITIONS[states][state]:
            with pytest.raises(ForbiddenMove, match=str(state)):
                next_state(state, event)
            refused += 1
    assert refused > len(Event)


def test_a_state_of_one_kind_does_not_take_the_events_of_another() -> None:
    assert next_state(LetterState.APPROVED, Event.LETTER_CLAIMED) is LetterState.CLAIMED
    with pytest.raises(ForbiddenMove):
        next_state(WaveState.APPROVED, Event.LETTER_CLAIMED)


def test_every_event_but_a_birth_moves_something() -> None:
    moving = {event for table in TRANSITIONS.values() for moves in table.values() for event in moves}
    births = {Event.CASE_SEEN, Event.LETTER_DRAFTED, Event.WAVE_PLANNED}
    assert set(Event) - moving == births
