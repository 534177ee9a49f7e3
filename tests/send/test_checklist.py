"""The checklist before a campaign goes live: what is wrong stops it, what nobody can see wants a person's word."""

from dataclasses import replace

import pytest

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
    words={"backup": "d1"},
)


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
