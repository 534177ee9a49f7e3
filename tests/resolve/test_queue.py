"""What waits for the registries is counted in networks, by server, and takes as long as their limits make it take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from random import Random

import pytest

from pipeline.resolve import queue, servers, space
from pipeline.resolve.scope import ScopeCaps

NOW = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAPS = ScopeCaps()
REGISTRIES = {
    4: servers.index(
        {
            "services": [
                [["198.51.100.0/24"], ["https://rdap.one.example/"]],
                [["192.0.0.0/16"], ["https://rdap.lacnic.net/rdap/"]],
            ]
        },
        4,
    ),
    6: servers.index({"services": [[["2001:db8::/32"], ["https://rdap.one.example/"]]]}, 6),
}


@dataclass(frozen=True)
class Held:
    version: int
    first: int
    last: int
    question: int | None = None


def held(network: str, question: int | None = None) -> Held:
    read = ip_network(network)
    return Held(read.version, int(read[0]), int(read[-1]), question)


def numbers(*addresses: str) -> queue.Numbers:
    read = [ip_address(text) for text in addresses]
    return queue.to_ask([int(a) for a in read if a.version == 4], [int(a) for a in read if a.version == 6])


def test_each_address_is_counted_once_at_the_server_that_answers_for_it() -> None:
    found = queue.piles(
        numbers("198.51.100.1", "198.51.100.1", "198.51.100.200", "192.0.2.1", "203.0.113.1", "2001:db8::1"),
        (),
        REGISTRIES,
        CAPS,
    )
    counted = {base: (pile.networks, pile.addresses) for base, pile in found.items()}
    assert counted == {
        "https://rdap.one.example/": (2, 3),
        "https://rdap.lacnic.net/rdap/": (1, 1),
        "": (1, 1),
    }


def test_a_network_is_as_wide_as_one_answer_of_its_registry_may_speak_for() -> None:
    near = numbers("198.51.100.1", "198.51.100.240", "192.0.2.1", "192.0.17.1", "192.0.70.1")
    found = queue.piles(near, (), REGISTRIES, CAPS)
    assert found["https://rdap.one.example/"].networks == 1
    assert found["https://rdap.lacnic.net/rdap/"].networks == 2  # a /18 there: .2 and .17 in one, .70 in the next


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("2002:c633:6401::1", "198.51.100.1"),
        ("64:ff9b::198.51.100.2", "198.51.100.2"),
        ("2001:0:53aa:64c::39cc:9bff", "198.51.100.0"),
    ],
)
def test_an_address_that_carries_an_ipv4_address_is_counted_as_that(address: str, asked: str) -> None:
    assert space.lookup_address(ip_address(address), allow_documentation=True) == (ip_address(asked), "")
    assert numbers(address) == {4: [int(ip_address(asked))], 6: []}


def test_what_lies_in_known_or_special_ranges_does_not_wait() -> None:
    some = numbers("198.51.100.1", "198.51.100.77", "203.0.113.5", "2001:db8::5", "10.0.0.1", "224.0.0.1")
    left = queue.outside(some, queue.special(allow_documentation=True))
    assert left == numbers("198.51.100.1", "198.51.100.77", "203.0.113.5", "2001:db8::5")
    networks = [held("198.51.100.64/28"), held("198.51.100.0/25"), held("203.0.113.5/32")]
    left = queue.outside(left, {4: [(each.first, each.last) for each in networks]})
    assert left == numbers("2001:db8::5")
    assert queue.outside(some, queue.special(allow_documentation=False)) == {4: [], 6: []}


def test_the_special_ranges_are_those_that_nobody_is_asked_about() -> None:
    ends = {edge for first, last in queue.special(allow_documentation=False)[4] for edge in (first, last, last + 1)}
    tried = sorted(number for number in ends if number < 1 << 32)
    left = queue.outside({4: tried, 6: []}, queue.special(allow_documentation=False))[4]
    assert [number for number in tried if not space.special_purpose(ip_address(number))] == left


def test_ranges_in_any_order_take_out_what_a_plain_search_takes_out() -> None:
    chance = Random(7)
    for _ in range(50):
        some = sorted({chance.randrange(200) for _ in range(60)})
        ranges = [(first, first + chance.randrange(20)) for first in (chance.randrange(200) for _ in range(8))]
        plain = [number for number in some if not any(first <= number <= last for first, last in ranges)]
        assert queue.outside({4: some}, {4: ranges}) == {4: plain}


def test_what_was_asked_so_far_says_how_many_questions_a_network_takes() -> None:
    known: Sequence[Held] = [held(f"192.0.{third}.0/26", third) for third in range(60)]
    few = queue.piles(numbers("192.0.200.1"), known[:10], REGISTRIES, CAPS)["https://rdap.lacnic.net/rdap/"]
    assert (few.answered, few.each, few.expected) == (10, 1.0, 1)
    wide = ScopeCaps(slow_v4=24)
    found = queue.piles(
        numbers("192.0.200.1", "192.0.201.1"),
        [*known, *(held(f"192.0.{third}.64/26", 100 + third) for third in range(30))],
        REGISTRIES,
        wide,
    )["https://rdap.lacnic.net/rdap/"]
    assert (found.questions, found.asked_about, found.each, found.expected) == (90, 60, 1.5, 3)


@pytest.mark.parametrize("question", [None, 1])
def test_networks_that_one_question_or_none_brought_are_not_counted_as_questions(question: int | None) -> None:
    known = [held(f"192.0.{third}.0/24", question) for third in range(0, 256, 64)]
    pile = queue.piles(numbers(), known, REGISTRIES, CAPS)["https://rdap.lacnic.net/rdap/"]
    assert (pile.answered, pile.questions, pile.each) == (4, 0 if question is None else 1, 1.0)


@pytest.mark.parametrize(
    ("questions", "rate", "per_day", "used", "next_at", "left"),
    [
        (0, 0.15, 10, 10, NOW + HOUR, timedelta(0)),
        (7200, 2.0, 0, 0, None, HOUR),
        (7200, 0.0, 0, 0, None, timedelta(0)),
        (7200, 2.0, 0, 0, NOW + HOUR, 2 * HOUR),  # it may not be asked before
        (7200, 2.0, 0, 0, NOW - HOUR, HOUR),
        (100, 0.0, 100, 0, None, timedelta(0)),  # today's quota is enough
        (100, 0.0, 100, 1, None, 2 * HOUR),  # the last one after midnight
        (300, 0.0, 100, 0, None, 2 * HOUR + timedelta(days=1)),
        (300, 0.0, 100, 100, None, 2 * HOUR + timedelta(days=2)),
        (300, 0.0, 100, 100, NOW + 3 * HOUR, 2 * HOUR + timedelta(days=2)),  # paused into the next day
        (3601, 1.0, 3600, 0, None, 2 * HOUR + timedelta(seconds=1)),
        (7200 * 24, 2.0, 1_000_000, 0, None, timedelta(days=1)),  # the quota is never reached: the pace decides
        (12_032, 9 / 60, 0, 0, None, timedelta(seconds=80_213, microseconds=333_333)),  # 22 h 17 min
        (10**12, 0.0, 1, 0, None, queue.NEVER),
    ],
)
def test_the_time_left_obeys_pace_quota_and_pauses(
    questions: int, rate: float, per_day: int, used: int, next_at: datetime | None, left: timedelta
) -> None:
    assert queue.time_left(questions, rate, per_day, used, next_at, NOW) == left
