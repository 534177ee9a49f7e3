"""The checklist before a campaign goes live: what is wrong stops it, what nobody can see wants a person's word."""

from dataclasses import replace

import pytest

from pipeline.send.brakes import BrakeSettings, Share
from pipeline.send.canary import CanarySettings
from pipeline.send.checklist import SPOKEN, Facts, Mark, checklist, sheet, stands

GOOD = Facts(
    settings_differ=False,
    bases={"list": "agreement"},
    mailboxes={"from_mailbox": "a@agency.example"},
    problems=(),
    links={"https://agency.example/": ""},
    names={},
    doubts={},
    relay="relay.example:25",
    relay_trouble="",
    letter_is_back=True,
    answers_known=True,
    stops=3,
    approvers=3,
    signers=2,
    needed=2,
    daily_cap="100",
    open_waves=(),
    brakes=BrakeSettings(),
    canary=CanarySettings(),
    words={"backup": "d1"},
)


OFF = Share(0, 0)


def marks(facts: Facts) -> dict[str, Mark]:
    return {item.code: item.mark for item in checklist(facts) if item.mark is not Mark.OK}


def test_a_checklist_without_fault_stands() -> None:
    assert marks(GOOD) == {}
    assert stands(checklist(GOOD))


@pytest.mark.parametrize(
    ("change", "item"),
    [
        ({"settings_differ": True}, "settings"),
        ({"bases": {}}, "feeds"),
        ({"bases": {"list": " "}}, "feeds"),
        ({"mailboxes": {"from_mailbox": ""}}, "mailboxes"),
        ({"mailboxes": {"from_mailbox": "a b@agency.example"}}, "mailboxes"),
        ({"mailboxes": {"from_mailbox": "a@agency"}}, "mailboxes"),
        ({"problems": ("first: words",)}, "letters"),
        ({"links": {}}, "links"),
        ({"links": {"https://agency.example/": "HTTP 404"}}, "links"),
        ({"names": {"spf.none": "no SPF"}}, "names"),
        ({"relay_trouble": "refused"}, "relay"),
        ({"letter_is_back": False}, "letter"),
        ({"approvers": 1}, "approvers"),
        ({"daily_cap": ""}, "cap"),
        ({"open_waves": (1,)}, "waves"),
        ({"brakes": BrakeSettings(refused=OFF, policy=OFF, complaints=OFF)}, "brakes"),
        ({"brakes": BrakeSettings(floor=20_000)}, "brakes"),  # no share counts before as many letters were judged
    ],
)
def test_what_is_wrong_stops_it_whatever_people_say(change: dict[str, object], item: str) -> None:
    facts = replace(GOOD, **change, words={**GOOD.words, item: "d2"})  # type: ignore[arg-type]
    assert marks(facts) == {item: Mark.FAIL}
    assert not stands(checklist(facts))


@pytest.mark.parametrize(
    ("change", "item"),
    [
        ({"doubts": {"dmarc.none": "p=none"}}, "names"),
        ({"answers_known": False}, "answers"),
        ({"stops": 0}, "stops"),
        ({"signers": 1}, "signers"),
        ({"words": {}}, "backup"),
        ({"brakes": BrakeSettings(complaints=OFF)}, "brakes"),
        ({"brakes": BrakeSettings(breaker=0)}, "brakes"),
        ({"brakes": BrakeSettings(breaker=101)}, "brakes"),
        ({"brakes": BrakeSettings(floor=501)}, "brakes"),
        ({"brakes": BrakeSettings(policy=Share(0.02, 0.11))}, "brakes"),
        ({"canary": CanarySettings(share=0, least=0)}, "canary"),
        ({"canary": CanarySettings(share=0.5)}, "canary"),
        ({"canary": CanarySettings(least=5_000)}, "canary"),
    ],
)
def test_what_no_program_can_see_wants_a_word_that_the_sheet_binds(change: dict[str, object], item: str) -> None:
    facts = replace(GOOD, **change)  # type: ignore[arg-type]
    assert marks(facts) == {item: Mark.WORD}
    spoken = replace(facts, words={**facts.words, item: "d2"})
    assert marks(spoken) == {}
    assert item in SPOKEN
    assert " said d2\n" in sheet("spring", b"x", checklist(spoken)).decode()


def test_a_sheet_does_not_change_by_itself_and_does_with_what_it_binds() -> None:
    def text(facts: Facts, binding: bytes = b"x") -> bytes:
        return sheet("spring", binding, checklist(facts))

    assert text(replace(GOOD, stops=4)) == text(GOOD)
    others = (
        replace(GOOD, daily_cap="200"),
        replace(GOOD, relay="other.example:25"),
        replace(GOOD, links={"https://agency.example/x": ""}),
        replace(GOOD, words={"backup": "d2"}),
        replace(GOOD, mailboxes={"from_mailbox": "b@agency.example"}),
    )
    assert len({text(GOOD), text(GOOD, b"y"), *map(text, others)}) == 7


def test_no_text_makes_a_line_of_its_own() -> None:
    facts = replace(GOOD, relay="relay.example\nbackup ok said d9\r\u2028x")
    assert sheet("spring", b"x", checklist(facts)).count(b"\n") == sheet("spring", b"x", checklist(GOOD)).count(b"\n")


@pytest.mark.parametrize(
    "brakes",
    [
        BrakeSettings(),
        BrakeSettings(floor=500, breaker=100, policy=Share(0, 0.10), refused=Share(0, 0.6)),
        BrakeSettings(floor=10, breaker=1, recent=50, window=50),
    ],
)
def test_brakes_as_strict_as_the_standard_or_nearly_so_need_no_word(brakes: BrakeSettings) -> None:
    assert marks(replace(GOOD, brakes=brakes)) == {}


def test_the_sheet_says_which_brakes_and_which_first_letters_people_say_yes_to() -> None:
    whole = sheet("c", b"", checklist(GOOD)).decode()
    assert "brakes ok us 10 policy 0.02/0.05 refused 0.15/0.3 complaints 0.001/0.003 from 50\n" in whole
    assert "canary ok 0.01 of a wave, 20 at least\n" in whole


def test_brakes_that_are_off_or_loose_are_named() -> None:
    brakes = BrakeSettings(breaker=0, complaints=OFF, refused=Share(0, 0.9))
    item = next(item for item in checklist(replace(GOOD, brakes=brakes)) if item.code == "brakes")
    assert item.values["brakes"] == ("us", "refused", "complaints")
