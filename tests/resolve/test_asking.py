"""How long a server is left alone, where a redirect leads, and which addresses an answer is for."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from pipeline.domain import Answer, NetworkAnswer, Outcome, PermanentFailure, TemporaryFailure
from pipeline.resolve import asking
from pipeline.resolve.asking import MOST_HOPS, MOST_REFUSALS, PAUSE, WHOIS_PAUSE
from pipeline.resolve.scope import ScopeCaps
from pipeline.store.netblocks import Known

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL = "https://rdap.example/ip/192.0.2.1"


def answer(status: int = 200, failure: TemporaryFailure | PermanentFailure | None = None) -> Answer:
    return Answer("https://rdap.example/", status, "", b"", NOW, failure)


SLOW_DOWN = answer(429, TemporaryFailure("429", "", timedelta(seconds=5)))
COME_BACK_LATE = answer(503, TemporaryFailure("503", "", timedelta(minutes=2)))
FORBIDDEN = answer(403, TemporaryFailure("403"))


def is_waited_for(raw: Answer, refusals: int = 0, patience: timedelta = HOUR) -> bool:
    wait = asking.pause(NetworkAnswer(Outcome.REFUSED), raw, is_whois=False)
    return asking.is_waited_for(wait, raw, refusals, patience)


def test_a_short_refusal_is_waited_for_three_times() -> None:
    assert [is_waited_for(SLOW_DOWN, n) for n in range(MOST_REFUSALS + 1)] == [True] * MOST_REFUSALS + [False]


@pytest.mark.parametrize(("raw", "patience"), [(COME_BACK_LATE, HOUR), (FORBIDDEN, HOUR), (SLOW_DOWN, timedelta(0))])
def test_a_long_refusal_one_for_good_and_one_beyond_our_patience_are_not_waited_for(
    raw: Answer, patience: timedelta
) -> None:
    assert not is_waited_for(raw, patience=patience)
    assert not asking.is_waited_for(None, answer(), 0, HOUR)  # no refusal at all


@pytest.mark.parametrize(
    ("first", "second", "better"),
    [
        (Outcome.NO_CONTACT, Outcome.CONTACTS, 1),
        (Outcome.NO_CONTACT, Outcome.NOT_FOUND, 0),
        (Outcome.NO_CONTACT, Outcome.REFUSED, 0),
        (Outcome.REFUSED, Outcome.NOT_FOUND, 1),
        (Outcome.UNUSABLE, Outcome.REFUSED, 0),
        (Outcome.NOT_FOUND, Outcome.NO_CONTACT, 1),
    ],
)
def test_of_two_answers_the_one_that_says_more_is_taken(first: Outcome, second: Outcome, better: int) -> None:
    assert asking.says_more(NetworkAnswer(first), NetworkAnswer(second)) == bool(better)


@pytest.mark.parametrize(
    ("raw", "whois", "expected"),
    [
        (SLOW_DOWN, False, timedelta(seconds=5)),
        (answer(429, TemporaryFailure("429", "", timedelta(0))), False, timedelta(seconds=1)),
        (FORBIDDEN, False, PAUSE),
        (answer(), False, PAUSE),  # a rate limit notice with status 200
        (answer(), True, WHOIS_PAUSE),
    ],
)
def test_a_server_that_refuses_is_left_alone_as_long_as_it_says_or_for_a_while(
    raw: Answer, whois: bool, expected: timedelta
) -> None:
    assert asking.pause(NetworkAnswer(Outcome.REFUSED), raw, is_whois=whois) == expected
    assert asking.pause(NetworkAnswer(Outcome.UNUSABLE), raw, is_whois=whois) is None


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://rdap.example/ip/192.0.2.1", "downgrade"),
        ("ftp://rdap.example/ip/192.0.2.1", "downgrade"),
        (URL, "redirect-loop"),
        ("https://[rdap.example/", "bad-redirect"),
    ],
)
def test_a_downgrade_and_a_redirect_to_itself_are_not_followed(location: str, why: str) -> None:
    assert asking.followed(URL, location, 0) == why


def test_redirects_are_followed_five_times() -> None:
    assert [asking.followed(URL, "https://rdap.arin.net/ip/192.0.2.1", hops) for hops in range(MOST_HOPS + 1)] == [
        *[""] * MOST_HOPS,
        "redirect-loop",
    ]


@pytest.mark.parametrize(
    ("outcome", "raw", "expected"),
    [
        (Outcome.REFUSED, answer(), timedelta(minutes=15)),
        (Outcome.UNUSABLE, answer(), timedelta(hours=24)),
        (Outcome.UNUSABLE, answer(0, TemporaryFailure("timeout")), HOUR),
        (Outcome.UNUSABLE, answer(0, PermanentFailure("too-large")), timedelta(hours=24)),
        (Outcome.NO_CONTACT, answer(), None),
        (Outcome.NOT_FOUND, answer(), None),
        (Outcome.CONTACTS, answer(), None),
    ],
)
def test_only_what_says_nothing_of_the_network_is_asked_again(
    outcome: Outcome, raw: Answer, expected: timedelta | None
) -> None:
    assert asking.put_off_for(NetworkAnswer(outcome), raw) == expected


def known(first: str, last: str, number: int = 1) -> Known:
    ends = ip_address(first), ip_address(last)
    return Known(number, int(ends[0]), int(ends[1]), ends[0].version, Outcome.CONTACTS)


def test_a_network_takes_its_own_addresses_and_no_others() -> None:
    waiting = [ip_address(f"192.0.2.{n}") for n in (1, 5, 9, 12)]
    assert asking.take(waiting, known("2001:db8::", "2001:db8::ffff")) == []
    assert asking.take(waiting, known("192.0.2.5", "192.0.2.9")) == [ip_address("192.0.2.5"), ip_address("192.0.2.9")]
    assert waiting == [ip_address("192.0.2.1"), ip_address("192.0.2.12")]
    assert asking.take([], known("192.0.2.5", "192.0.2.9")) == []


def test_in_a_cell_lies_what_one_answer_may_speak_for() -> None:
    caps = ScopeCaps(v4=20, slow_v4=18, block_v4=24)
    assert asking.widest(caps, 4) == 18
    assert asking.widest(ScopeCaps(v4=24, slow_v4=24, block_v4=17), 4) == 17
    same = {asking.cell_of(ip_address(text), caps) for text in ("198.51.64.0", "198.51.127.255")}
    assert len(same) == 1
    assert asking.cell_of(ip_address("198.51.128.0"), caps) not in same
    assert asking.cell_of(ip_address("2001:db8::"), caps)[0] == 6


def test_a_network_reaches_into_the_cells_that_it_touches() -> None:
    caps = ScopeCaps(v4=20, slow_v4=20, block_v4=24)
    first = int(ip_address("198.51.64.0")) >> 12
    assert asking.cells_of(known("198.51.79.255", "198.51.96.0"), caps) == range(first, first + 3)
    assert len(asking.cells_of(known("2001:db8::", "2001:db8::f"), caps)) == 1
