"""Candidates of what lies beside a network, and the whole chain in one order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import Candidate, NetworkAnswer, Outcome, Step, StepKind, Tier
from pipeline.resolve import parent
from pipeline.resolve.parent import candidates, merged

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


def mailbox(name: str, rank: int = 0, rejected: str = "", tier: int = Tier.ROLE, confidence: int = 90) -> Candidate:
    address = f"{name}@isp.example"
    return Candidate(address, address, tier, rank, 0 if rejected else confidence, "role", "entities[0]", rejected)


def answer(*found: Candidate, why: str = "") -> NetworkAnswer:
    outcome = Outcome.CONTACTS if any(not each.rejected for each in found) else Outcome.NO_CONTACT
    return NetworkAnswer(outcome, why, candidates=found)


def step(kind: StepKind = StepKind.NETWORK) -> Step:
    return Step(kind, "https://rdap.example/ip/192.0.2.1", Outcome.CONTACTS, "", NOW)


def chain(*parts: list[Candidate]) -> list[tuple[Step, tuple[Candidate, ...]]]:
    return [(step(), tuple(part)) for part in parts]


def order(*parts: list[Candidate]) -> list[tuple[str, str]]:
    return [(each.mailbox.partition("@")[0], each.rejected) for each in merged(chain(*parts))]


# --- one answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "own", "expected", "confidence"),
    [
        (Tier.PARENT, Tier.ROLE, Tier.PARENT, 50),
        (Tier.PARENT, Tier.NAMED, Tier.PARENT, 50),
        (Tier.PARENT, Tier.PARENT, Tier.PARENT, 90),  # the reader has lowered it already
        (Tier.ORIGIN, Tier.ROLE, Tier.ORIGIN, 70),
        (Tier.ORIGIN, Tier.ORIGIN, Tier.ORIGIN, 90),
        (Tier.ORIGIN, Tier.PARENT, Tier.ORIGIN, 90),  # never more than it had
        (Tier.ROLE, Tier.ROLE, Tier.ROLE, 90),
        (Tier.ROLE, Tier.REMARK, Tier.REMARK, 90),
    ],
)
def test_what_lies_farther_away_counts_for_less_and_only_once(
    tier: Tier, own: Tier, expected: Tier, confidence: int
) -> None:
    (only,) = candidates(answer(mailbox("abuse", tier=own)), tier, 3)
    assert (only.tier, only.confidence, only.step) == (expected, confidence, 3)


def test_confidence_never_falls_below_five() -> None:
    assert candidates(answer(mailbox("abuse", confidence=20)), Tier.PARENT, 1)[0].confidence == 5


def test_a_rejected_mailbox_stays_rejected() -> None:
    (only,) = candidates(answer(mailbox("jane", rejected="personal")), Tier.ORIGIN, 1)
    assert (only.rejected, only.confidence, only.tier) == ("personal", 0, Tier.ORIGIN)


def test_what_stands_in_a_registrys_own_block_is_the_registrys() -> None:
    block = NetworkAnswer(Outcome.NO_CONTACT, "registry-block", candidates=(mailbox("desk"),))
    assert candidates(block, Tier.PARENT, 1)[0].rejected == "registry-contact"


def test_a_registry_that_holds_the_network_above_is_not_told() -> None:
    held = replace(mailbox("desk", confidence=50), note="registry-holder")
    assert candidates(answer(held), Tier.PARENT, 1)[0].rejected == "registry-contact"
    assert candidates(answer(held), Tier.ORIGIN, 1)[0].rejected == ""  # its own AS announces the address


# --- the whole chain -------------------------------------------------------------------------------------------------


def test_earlier_steps_come_first_whatever_their_confidence() -> None:
    weak, strong = mailbox("weak", confidence=10), mailbox("strong", confidence=90)
    found = merged(chain([weak], [strong]))
    assert [(each.mailbox, each.rank) for each in found] == [("weak@isp.example", 0), ("strong@isp.example", 1)]


def test_within_a_step_the_rank_counts() -> None:
    assert order([mailbox("b", 1), mailbox("a", 0)], [mailbox("c", 0)]) == [("a", ""), ("b", ""), ("c", "")]


def test_usable_mailboxes_come_before_rejected_ones() -> None:
    found = order([mailbox("no", 0, "personal")], [mailbox("yes", 0)])
    assert found == [("yes", ""), ("no", "personal")]


def test_a_mailbox_stands_once_where_it_was_usable_first() -> None:
    near, far = mailbox("abuse"), mailbox("abuse", tier=Tier.PARENT, confidence=50)
    assert merged(chain([near], [far])) == (near,)


def test_an_early_rejection_falls_away_where_a_later_step_offers_the_mailbox() -> None:
    for reason in ("technical", "personal", "not-abuse", "less-preferred", "malformed"):
        assert order([mailbox("noc", 0, reason)], [mailbox("noc")]) == [("noc", "")]


@pytest.mark.parametrize("reason", ["registry-contact", "placeholder", "told-not-to", "no-mail"])
def test_some_reasons_hold_wherever_else_the_mailbox_stands(reason: str) -> None:
    assert order([mailbox("desk", 0, reason)], [mailbox("desk")]) == [("desk", reason)]
    assert order([mailbox("desk", 0, "technical"), mailbox("desk", 1, reason)], [mailbox("desk")]) == [("desk", reason)]


def test_a_later_rejection_does_not_take_a_usable_mailbox_away() -> None:
    assert order([mailbox("abuse")], [mailbox("abuse", 0, "registry-contact")]) == [("abuse", "")]


def test_a_rejected_mailbox_is_known_by_its_address_whatever_its_capitals() -> None:
    shouted = replace(mailbox("noc", 0, "told-not-to"), mailbox="NOC@ISP.example")
    assert order([shouted], [mailbox("noc")]) == [("NOC", "told-not-to")]


def test_each_candidate_keeps_the_number_of_its_step() -> None:
    found = merged(chain([replace(mailbox("a"), step=2)], [replace(mailbox("b"), step=5)]))
    assert [each.step for each in found] == [2, 5]


def test_there_are_never_more_than_64_and_rejected_ones_go_first() -> None:
    crowd = [mailbox(f"no{number}", number, "personal") for number in range(80)]
    found = merged(chain(crowd, [mailbox("yes")]))
    assert len(found) == parent.MAX_CANDIDATES
    assert found[0].mailbox == "yes@isp.example"
    assert [each.rank for each in found] == list(range(64))


def test_an_empty_chain_has_no_candidates() -> None:
    assert merged([]) == ()
    assert merged(chain([], [])) == ()


REASONS = ["", "", "technical", "personal", "told-not-to", "registry-contact"]
CANDIDATES = st.builds(
    mailbox, st.sampled_from("abcd"), st.integers(0, 5), st.sampled_from(REASONS), st.sampled_from(list(Tier))
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(CANDIDATES, max_size=6), max_size=5))
def test_every_mailbox_of_any_chain_stands_exactly_once(parts: list[list[Candidate]]) -> None:
    found = merged(chain(*parts))
    assert sorted(each.mailbox for each in found) == sorted({each.mailbox for part in parts for each in part})
    assert [each.rank for each in found] == list(range(len(found)))
    assert [bool(each.rejected) for each in found] == sorted(bool(each.rejected) for each in found)
