"""What people said about contacts: the narrowest and newest word counts, and a rejection holds where it was said."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from pipeline.domain import Address, Outcome, StepKind, Tier
from pipeline.resolve import spoken
from pipeline.resolve.spoken import BY_A_PERSON, CERTAIN, Spoken, Told
from pipeline.store import netblocks
from pipeline.store.netblocks import block_of

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Spoke:
    id: int
    verdict: str
    mailbox: str
    first: Address | None = None
    last: Address | None = None
    spelling: str = ""
    at: datetime = NOW
    until: datetime | None = None


def use(number: int, mailbox: str, first: str, last: str, spelling: str = "") -> Spoke:
    return Spoke(number, "use", mailbox, ip_address(first), ip_address(last), spelling)


def reject(number: int, mailbox: str, first: str = "", last: str = "") -> Spoke:
    return Spoke(number, "reject", mailbox, ip_address(first) if first else None, ip_address(last) if last else None)


def told(words: Spoken, address: str) -> Told:
    found = words.told(ip_address(address))
    assert found is not None
    return found


WIDE = use(1, "abuse@wide.example", "192.0.2.0", "192.0.2.255")
NARROW = use(2, "abuse@narrow.example", "192.0.2.64", "192.0.2.79", "Abuse@Narrow.example")


@pytest.mark.parametrize("words", [[NARROW, WIDE], [WIDE, NARROW]])
@pytest.mark.parametrize(
    ("address", "mailbox"),
    [("192.0.2.64", "abuse@narrow.example"), ("192.0.2.79", "abuse@narrow.example"), ("192.0.2.80", WIDE.mailbox)],
)
def test_of_words_on_ranges_around_an_address_the_narrowest_counts(
    words: list[Spoke], address: str, mailbox: str
) -> None:
    assert [word.mailbox for word in told(Spoken(words), address).words] == [mailbox]


def test_of_one_range_the_newest_word_comes_first_and_the_others_behind_it() -> None:
    older = use(3, "abuse@older.example", "192.0.2.64", "192.0.2.79")
    found = spoken.found(told(Spoken([NARROW, older]), "192.0.2.70"), ip_address("192.0.2.70"))
    answer = found.answer
    assert answer.outcome is Outcome.CONTACTS
    assert [(each.mailbox, each.spelling, each.tier, each.rank, each.confidence) for each in answer.candidates] == [
        ("abuse@narrow.example", "Abuse@Narrow.example", Tier.OVERRIDE, 0, CERTAIN),
        ("abuse@older.example", "abuse@older.example", Tier.OVERRIDE, 1, CERTAIN),
    ]
    assert [(step.kind, step.question, step.outcome) for step in found.steps] == [
        (StepKind.OVERRIDE, "override:2", Outcome.CONTACTS)
    ]
    assert (found.raw.body, found.raw.requests) == (b"", 0)  # nobody was asked


def test_where_nobody_said_anything_nothing_is_told() -> None:
    words = Spoken([WIDE, NARROW, reject(3, "abuse@wide.example", "198.51.100.0", "198.51.100.255")])
    for address in ("192.0.3.0", "198.51.100.1", "::ffff:192.0.2.64", "2001:db8::1"):
        assert words.told(ip_address(address)) is None
    assert Spoken().told(ip_address("192.0.2.1")) is None


@pytest.mark.parametrize(
    ("first", "last", "address"),
    [
        ("192.0.2.0", "192.0.2.255", "192.0.2.9"),
        ("192.0.2.0", "198.51.100.255", "198.51.100.9"),
        ("192.0.2.3", "203.0.113.9", "192.0.2.3"),
        ("0.0.0.0", "255.255.255.255", "203.0.113.9"),
        ("2001:db8::", "2001:db8:ffff::", "2001:db8:1::9"),
        ("2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::9"),
    ],
)
def test_a_word_on_a_range_of_any_width_answers_in_the_block_of_the_address(
    first: str, last: str, address: str
) -> None:
    asked = ip_address(address)
    answer = spoken.found(told(Spoken([use(1, "abuse@one.example", first, last)]), address), asked).answer
    assert answer.registered == (ip_address(first), ip_address(last))
    assert answer.cached is not None
    assert int(answer.cached[0]) <= int(asked) <= int(answer.cached[1])
    assert block_of(answer.cached[0]) == block_of(answer.cached[1]) == block_of(asked)
    assert int(answer.cached[0]) >= int(ip_address(first))
    assert int(answer.cached[1]) <= int(ip_address(last))


def test_a_rejection_holds_in_its_range_or_everywhere() -> None:
    words = Spoken(
        [
            reject(1, "everywhere@one.example"),
            reject(2, "somewhere@one.example", "192.0.2.0", "192.0.2.127"),
            reject(3, "somewhere@one.example", "2001:db8::", "2001:db8::ffff"),
        ]
    )
    inside, beside, six = ip_address("192.0.2.127"), ip_address("192.0.2.128"), ip_address("2001:db8::1")
    assert {words.objection("everywhere@one.example", each) for each in (inside, beside, six)} == {BY_A_PERSON}
    somewhere = [words.objection("somewhere@one.example", each) for each in (inside, beside, six)]
    assert somewhere == [BY_A_PERSON, "", BY_A_PERSON]
    assert words.objection("other@one.example", inside) == ""


def test_what_is_used_already_is_known_by_its_mailboxes_and_their_order() -> None:
    older = use(3, "abuse@older.example", "192.0.2.64", "192.0.2.79")
    both = told(Spoken([NARROW, older]), "192.0.2.70")
    assert spoken.is_used(both, ["abuse@narrow.example", "abuse@older.example"])
    for other in (["abuse@narrow.example"], ["abuse@older.example", "abuse@narrow.example"], []):
        assert not spoken.is_used(both, other)


@pytest.mark.parametrize(
    ("address", "first", "last"),
    [
        ("192.0.2.0", "192.0.2.0", "192.0.2.63"),
        ("192.0.2.64", "192.0.2.64", "192.0.2.79"),
        ("192.0.2.79", "192.0.2.64", "192.0.2.79"),
        ("192.0.2.80", "192.0.2.80", "192.0.2.255"),
    ],
)
def test_a_range_is_cut_where_a_rejection_begins_or_ends(address: str, first: str, last: str) -> None:
    words = Spoken(
        [
            reject(1, "abuse@one.example", "192.0.2.64", "192.0.2.79"),
            reject(2, "abuse@other.example", "192.0.2.2", "192.0.2.3"),  # not a mailbox of this network
            reject(3, "abuse@one.example", "2001:db8::", "2001:db8::ffff"),
            reject(4, "abuse@one.example"),
        ]
    )
    whole = ip_address("192.0.2.0"), ip_address("192.0.2.255")
    within = words.alike(["abuse@one.example"], whole, ip_address(address))
    assert within == (ip_address(first), ip_address(last))
    assert words.alike([], whole, ip_address(address)) == whole
    assert words.is_alike(["abuse@two.example"], whole, ip_address(address))
    assert not words.is_alike(["abuse@one.example"], whole, ip_address(address))


def test_the_first_end_counts_of_the_words_that_have_a_say() -> None:
    soon, later = NOW + timedelta(days=1), NOW + timedelta(days=2)
    words = Spoken(
        [
            replace(NARROW, until=later),
            replace(WIDE, until=soon),  # a narrower one counts within its range
            replace(reject(3, "abuse@one.example"), until=later),
            replace(reject(4, "abuse@one.example", "192.0.2.128", "192.0.2.255"), until=soon),
            reject(5, "abuse@two.example"),
        ]
    )
    inside, beside, outside = (ip_address(text) for text in ("192.0.2.64", "192.0.2.1", "198.51.100.1"))
    assert [words.ends([], each) for each in (inside, beside, outside)] == [later, soon, None]
    assert words.ends(["abuse@one.example", "abuse@two.example"], outside) == later
    assert words.ends(["abuse@two.example", "abuse@other.example"], outside) is None
    both = Spoken([replace(reject(3, "abuse@one.example"), until=later), *[replace(WIDE, until=soon)]])
    assert both.ends(["abuse@one.example"], inside) == soon


def test_of_one_range_the_first_end_of_its_words_counts() -> None:
    soon = NOW + timedelta(days=1)
    older = replace(use(3, "abuse@older.example", "192.0.2.64", "192.0.2.79"), until=soon)
    assert Spoken([NARROW, older]).ends([], ip_address("192.0.2.70")) == soon


def test_words_that_are_heard_later_take_the_place_of_the_former_ones() -> None:
    words = Spoken([WIDE, reject(3, "abuse@one.example")])
    words.hear([NARROW])
    assert words.told(ip_address("192.0.2.1")) is None
    assert told(words, "192.0.2.64").words == [NARROW]
    assert words.objection("abuse@one.example", ip_address("192.0.2.1")) == ""


def test_the_reason_is_the_one_by_which_stored_candidates_are_known() -> None:
    assert netblocks.BY_A_PERSON == BY_A_PERSON
