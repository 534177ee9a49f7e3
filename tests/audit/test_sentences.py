"""Everything that the record can say stands in its French catalogue, with the same values."""

import re
import string

from pipeline.audit import codes
from pipeline.audit.codes import meaning
from pipeline.audit.explain import OF_WAVE
from pipeline.audit.now import MEANINGS
from pipeline.audit.say import Exact, Say
from pipeline.audit.weigh import UNFINISHED
from pipeline.domain import CaseState, Event, EvidenceLevel, LetterState, Listing, Outcome, WaveState
from tests.audit.sentences import read, sentences


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_french_catalogue_says_every_sentence_and_no_other() -> None:
    """Run `python -m tests.audit.sentences`, then write the French of what came in empty."""
    catalogue = {str(message.id): str(message.string) for message in read() if message.id}
    assert set(catalogue) == sentences()
    assert not {msgid for msgid, said in catalogue.items() if not said}


def test_both_languages_have_the_same_values() -> None:
    differing = {m.id for m in read() if m.id and places(str(m.id)) != places(str(m.string))}
    assert not differing


def test_french_colons_and_quotes_stand_after_a_space_that_does_not_break() -> None:
    wrong = re.compile(r"(?<!\u00a0):(?= |$)|«(?!\u00a0)|(?<!\u00a0)»")
    assert not {str(m.string) for m in read() if m.id and wrong.search(str(m.string))}


def test_every_event_state_level_and_outcome_has_a_sentence() -> None:
    assert {event.value for event in Event} <= set(codes.EVENTS)
    assert {int(level) for level in EvidenceLevel} == set(codes.LEVELS)
    assert {outcome.value for outcome in Outcome} == set(codes.OUTCOMES)
    assert {listing.value for listing in Listing} == set(codes.LISTINGS)


def test_every_state_of_a_case_and_a_letter_has_a_meaning() -> None:
    assert {f"case.{state.value}" for state in CaseState} <= set(MEANINGS)
    assert {f"letter.{state.value}" for state in LetterState} <= set(MEANINGS)
    assert set(OF_WAVE) == set(UNFINISHED) == {s.value for s in WaveState} - {"done", "cancelled"}


def test_a_code_without_a_sentence_or_a_value_is_shown_as_it_stands() -> None:
    table = {"known": "a sentence with {value}"}
    assert meaning(table, "known", {"value": 1}) == Say("a sentence with {value}", {"value": 1})
    assert meaning(table, "known", {"other": 1}) == Exact("known other=1")
    assert meaning(table, "new.code") == Exact("new.code")
