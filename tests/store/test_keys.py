"""Codes are the same in every process, tell nothing, and a mistyped reference is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import ConfigurationError
from pipeline.store.keys import ALPHABET, Keys, check_character, is_reference, keys_of

KEYS = Keys(bytes(range(32)))
NOTICE = (1, 2, 1)


def test_codes_do_not_change() -> None:
    """Letters that are out carry them: a change here would orphan every one."""
    assert KEYS.reference(NOTICE) == "TCS-CJWCQ-D71XF-6"
    assert KEYS.message_id(NOTICE, "agency.example") == "<z3igdjgtsvycn3qikrvbwemmzb@agency.example>"
    assert KEYS.envelope_sender("bounces@agency.example", 412) == "bounces+412.lrtsbilwkagx6y23@agency.example"
    assert KEYS.key_id == "0c04578a"


def test_codes_of_other_purposes_notices_and_keys_differ() -> None:
    other = Keys(bytes(32))
    codes = {
        KEYS.notice_token(NOTICE),
        KEYS.notice_token((1, 2, 2)),
        KEYS.notice_token((12, 1, 1)),
        KEYS.case_token(NOTICE, 3),
        KEYS.case_token(NOTICE, 4),
        other.notice_token(NOTICE),
    }
    assert len(codes) == 6
    assert all(len(code) == 26 for code in codes)


def test_the_master_key_is_not_shown() -> None:
    assert "0102" not in repr(KEYS)
    assert "\\x01" not in repr(KEYS)


@given(st.integers(0, 2**40), st.data())
def test_one_wrong_or_two_swapped_characters_are_noticed(contact: int, data: st.DataObject) -> None:
    reference = KEYS.reference((1, contact, 1))
    body = reference.split("-")[1] + reference.split("-")[2]
    assert is_reference(reference)
    assert is_reference(reference.lower())
    place = data.draw(st.integers(0, 9))
    wrong = data.draw(st.sampled_from([c for c in ALPHABET if c != body[place]]))
    changed = body[:place] + wrong + body[place + 1 :]
    assert check_character(changed) != check_character(body)
    if place < 9 and body[place] != body[place + 1]:
        swapped = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
        assert check_character(swapped) != check_character(body)


@pytest.mark.parametrize(
    "text", ["", "TCS", "TCS-00000-00000", "XYZ-00000-00000-0", "TCS-0000U-00000-0", "TCS-00000-00000-1"]
)
def test_what_is_not_a_reference_is_refused(text: str) -> None:
    assert not is_reference(text)


def test_an_envelope_sender_of_ours_names_its_letter_and_a_forged_one_does_not() -> None:
    ours = KEYS.envelope_sender("bounces@agency.example", 412)
    assert KEYS.envelope_letter(ours) == 412
    assert KEYS.envelope_letter(ours.upper()) == 412
    for forged in (
        ours.replace("412", "413"),
        "bounces@agency.example",
        "bounces+412@agency.example",
        "bounces+x.y@agency.example",
        "",
    ):
        assert KEYS.envelope_letter(forged) is None


@pytest.mark.parametrize("text", ["", "00ff", "xx" * 32, "00" * 33])
def test_a_missing_or_short_master_key_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no usable master_key"):
        keys_of(text)
    assert keys_of("00" * 32).master == bytes(32)
